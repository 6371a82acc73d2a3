/*
 * members.h - the places of a pool's workers, with the counts of those that
 * start, are up and retire
 *
 * A member is a place: a worker may start in it, retire, die, and be followed
 * by another one.  worker/worker moves the counts; whether a worker is idle or
 * busy is observe/activity's answer.  Knows how its workers are observed, and no
 * policy.
 */
#ifndef FCGIPM_POOL_MEMBERS_H
#define FCGIPM_POOL_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/activity.h"
#include "observe/board.h"
#include "observe/kernel.h"
#include "pool/retire.h"
#include "worker/worker.h"

struct conf_pool;

/* A place, and what is known of the worker that has it. */
struct pool_member {
	struct worker worker;
	struct retire retire;
	struct kernel_worker observation;
	bool idle;	/* with all its threads, when last inspected */
	bool active;	/* neither idle nor starting, then */
	bool due;	/* for recycling, because of cause */
	enum retire_cause cause;
	int64_t weigh_ms;	/* when its memory is measured again */
	ino_t listener;	/* inode of the socket it was given */
};

struct members {
	const struct conf_pool *conf;	/* borrowed, as long as the pool */
	struct pool_member *v;
	unsigned n;	/* as many as may ever exist at once */
	struct worker_counts counts;
	unsigned replaced;	/* retiring ones whose replacement starts
				 * first */
	struct board *board;	/* owned; NULL = the kernel shows all */
	struct kernel_observer kernel;
	bool board_complete;	/* it showed all that were up, at the last
				 * inspection of them all */
	bool is_sampled;	/* they are inspected at least once a second */
};

/*
 * members_open - n places without a worker
 *
 * ms		zeroed, but for board and kernel, where they are open
 * ops, owner	of the workers
 */
void members_open(struct members *ms, struct loop *loop,
	const struct conf_pool *conf, unsigned n, const struct worker_ops *ops,
	void *owner);
/* All are dead.  Closes the board, and the kernel where members_open() was
 * called; fine for one that is zeroed. */
void members_close(struct members *ms);

/* Its slot of the board is free for a new worker. */
void members_prepare(struct members *ms, struct pool_member *m);
/* A worker was started in it, with a listening socket of this inode. */
void members_begin(struct members *ms, struct pool_member *m, ino_t listener);
/* The worker is dead: what was observed of it is forgotten. */
void members_end(struct members *ms, struct pool_member *m);

/* A dead one, from this place on; NULL when there is none. */
struct pool_member *members_find_free(
	struct members *ms, struct pool_member *from);

static inline unsigned
members_starting(const struct members *ms)
{
	return ms->counts.of[WORKER_STARTING];
}

static inline unsigned
members_up(const struct members *ms)
{
	return ms->counts.of[WORKER_UP];
}

/* Told to leave or killed, not dead yet. */
static inline unsigned
members_retiring(const struct members *ms)
{
	return ms->counts.of[WORKER_RETIRING] + ms->counts.of[WORKER_KILLED];
}

static inline unsigned
members_alive(const struct members *ms)
{
	return ms->n - ms->counts.of[WORKER_DEAD];
}

/* Where the slot leaves something open, how is the kernel asked? */
enum members_inspection {
	MEMBERS_BOARD_ONLY,	/* not at all */
	MEMBERS_CHECK_ONCE,	/* with kernel_check_once() */
	MEMBERS_CHECK,
	MEMBERS_INSPECT /* always with its sockets */
};

/* Its slot of the board; false and zero where none is written. */
bool members_read_slot(const struct members *ms, const struct pool_member *m,
	struct board_sample *ret);

/*
 * members_activity - what does this worker do?
 *
 * slot		as members_read_slot() gave it
 * descendants	its child processes that write the board
 * now		of CLOCK_MONOTONIC, ms
 */
struct activity members_activity(struct members *ms, struct pool_member *m,
	const struct board_sample *slot, unsigned descendants,
	enum members_inspection how, int64_t now);

/* Descriptors that inspections keep open are closed. */
void members_rest(struct members *ms);

#endif
