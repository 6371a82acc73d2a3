/*
 * members.h - holds the worker slots of a pool, and the number of workers
 * starting, up and retiring
 *
 * A member is a slot: a worker starts in it, retires, dies, and another worker
 * follows.  worker/worker updates the counts.  observe/activity decides whether
 * a worker is idle or busy.  The module knows how workers are observed, but
 * nothing of the policy.
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

/* A worker slot, and what is known of its worker. */
struct pool_member {
	struct worker worker;
	struct retire retire;
	struct kernel_worker observation;
	bool idle;	/* no thread had a request at the last inspection */
	bool active;	/* neither idle nor starting, at that time */
	bool due;	/* for recycling, because of cause */
	enum retire_cause cause;
	int64_t weigh_ms;	/* when its memory is measured again */
	ino_t listener;	/* inode of the socket it was given */
};

struct members {
	const struct conf_pool *conf;	/* borrowed, as long as the pool */
	struct pool_member *v;
	unsigned n;	/* maximum of workers that exist at once */
	struct worker_counts counts;
	unsigned replaced;	/* retiring workers whose replacement starts
				 * first */
	struct board *board;	/* owned; NULL = all is known by the kernel */
	struct kernel_observer kernel;
	bool board_complete;	/* every worker that was up reported on the
				 * board, at the last inspection of all */
	bool is_sampled;	/* they are inspected at least once a second */
};

/*
 * members_open - creates n slots without a worker
 *
 * ms		zeroed, except board and kernel, which may be open
 * ops, owner	of the workers
 */
void members_open(struct members *ms, struct loop *loop,
	const struct conf_pool *conf, unsigned n, const struct worker_ops *ops,
	void *owner);
/* Call it when all workers are dead.  Closes the board, and the kernel if
 * members_open() was called; harmless for a zeroed struct. */
void members_close(struct members *ms);

/* Clears its slot of the board for a new worker. */
void members_prepare(struct members *ms, struct pool_member *m);
/* A worker was started in it, with a listening socket of this inode. */
void members_begin(struct members *ms, struct pool_member *m, ino_t listener);
/* The worker is dead: forgets what was observed of it. */
void members_end(struct members *ms, struct pool_member *m);

/* The first slot with a dead worker, from this one on; NULL for none. */
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

/* Retired or killed, not dead yet. */
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

/* How to ask the kernel when the slot does not show enough. */
enum members_inspection {
	MEMBERS_BOARD_ONLY,	/* not at all */
	MEMBERS_CHECK_ONCE,	/* with kernel_check_once() */
	MEMBERS_CHECK,	/* with kernel_check() */
	MEMBERS_INSPECT /* with kernel_inspect(), which reads its sockets */
};

/* Reads its slot of the board; false and zero if no process writes it. */
bool members_read_slot(const struct members *ms, const struct pool_member *m,
	struct board_sample *ret);

/*
 * members_activity - determines what this worker does now
 *
 * slot		from members_read_slot()
 * descendants	number of its child processes that write the board
 * now		of CLOCK_MONOTONIC, ms
 */
struct activity members_activity(struct members *ms, struct pool_member *m,
	const struct board_sample *slot, unsigned descendants,
	enum members_inspection how, int64_t now);

/* Closes the descriptors that inspections keep open. */
void members_rest(struct members *ms);

#endif
