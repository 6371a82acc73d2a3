/*
 * worker.h - starts, signals and reaps one child process of a pool, and
 * detects when it is ready
 *
 * A worker is ready when /proc shows that it sleeps in accept(2), or when its
 * owner knows it from elsewhere.  The owner decides when a worker starts and
 * what replaces it; callbacks report events to the owner.
 */
#ifndef FCGIPM_WORKER_WORKER_H
#define FCGIPM_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "sys/spawn.h"
#include "worker/output.h"

enum worker_state {
	WORKER_DEAD,		/* no process; may be started */
	WORKER_STARTING, /* spawned, not yet seen accepting */
	WORKER_UP,		/* ready for requests, idle or busy */
	WORKER_RETIRING, /* asked to exit, or expected to */
	WORKER_KILLED,		/* SIGKILL was sent */
	WORKER_STATE_MAX
};

struct worker;

/* The number of workers of a pool in each state.  Only the function that
 * changes a worker's state writes it. */
struct worker_counts {
	unsigned of[WORKER_STATE_MAX];
	/* Called after each change in builds with a sanitizer; NULL = not. */
	void (*recount)(const struct worker_counts *c);
};

struct worker_ops {
	/* Does the owner know that it accepts, for example by the board?
	 * Called while it is starting, if /proc does not show that it accepts.
	 * unseen: the supervisor may not read /proc of this worker. */
	bool (*is_up)(struct worker *w, bool unseen);
	void (*on_up)(struct worker *w);
	/*
	 * The process has died and is reaped; state is WORKER_DEAD.
	 * before	the state it died in
	 * story	the cause, for the log: "exit status 1",
	 *		"killed by signal 9 (SIGKILL)"
	 * failed	it did not exit with status 0
	 */
	void (*on_dead)(struct worker *w, enum worker_state before,
		const char *story, bool failed);
};

struct worker {
	const struct worker_ops *ops;
	void *owner; /* for the callbacks, borrowed */
	struct loop *loop;
	const char *pool; /* its pool's name, borrowed */
	unsigned slot;
	enum worker_state state;
	struct worker_counts *counts; /* the pool's, borrowed; NULL = none */
	pid_t pid;		/* 0 when dead */
	int pidfd;
	int64_t start_ms;
	bool by_signal; /* a signal ended it */
	bool polls;		/* ready once it sleeps in epoll_wait */
	bool was_ready; /* seen ready; WORKER_UP may be by timeout alone */
	struct loop_child child;
	int execfd;		/* error pipe, until the exec is known */
	struct spawn_error error;	/* step[0] set when exec failed */
	struct loop_timer ready_timer; /* next check while STARTING */
	int64_t pause_ms;	/* pause between checks, doubling */
	struct output log;
};

/* owner: what the worker belongs to, for the callbacks. */
void worker_init(struct worker *w, struct loop *loop, const char *pool,
	unsigned slot, bool polls, const struct worker_ops *ops, void *owner);

/* Counts it in counts from now on.  Call it once, for a dead worker. */
void worker_join(struct worker *w, struct worker_counts *counts);

/*
 * worker_start - starts a dead worker
 *
 * spec		fds[1] and fds[2] are replaced by its log pipe
 * returns	0; -1 with errno when no process could be created
 */
int worker_start(struct worker *w, const struct spawn_spec *spec);

/* Has it executed its program?  Before, it runs code of the supervisor, and
 * its system calls say nothing about its state. */
bool worker_has_executed(struct worker *w);

/* Sends it this signal; the state becomes RETIRING. */
void worker_retire(struct worker *w, int signo);
/* The state becomes RETIRING without a signal, for a worker that exits because
 * its listener is shut down. */
void worker_expect_exit(struct worker *w);
/* Sends SIGKILL to it and its process group. */
void worker_kill(struct worker *w);

static inline bool
worker_alive(const struct worker *w)
{
	return w->state != WORKER_DEAD;
}

#endif
