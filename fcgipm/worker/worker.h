/*
 * worker.h - the life of one child of a pool
 *
 * A worker can be started, observed until it is ready, signalled and reaped.
 * Why it runs and what replaces it is up to its owner, which the callbacks
 * inform.
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
	WORKER_RETIRING, /* told to leave */
	WORKER_KILLED,		/* SIGKILL is on its way */
	WORKER_STATE_MAX
};

struct worker;

/* How many workers of a pool are in each state.  Only the function that changes
 * a worker's state writes it. */
struct worker_counts {
	unsigned of[WORKER_STATE_MAX];
	/* Called after each change in builds with a sanitizer; NULL = not. */
	void (*recount)(const struct worker_counts *c);
};

struct worker_ops {
	/* Does it accept, by its own word or another's?  Asked while it is
	 * starting, beside what the kernel shows us; unseen: that is nothing.
	 */
	bool (*is_up)(struct worker *w, bool unseen);
	void (*on_up)(struct worker *w);
	/*
	 * The process is gone and reaped; state is WORKER_DEAD.
	 * before	the state it died in
	 * story	what happened, for the log: "exit status 1"
	 * failed	it did not leave by itself with status 0
	 */
	void (*on_dead)(struct worker *w, enum worker_state before,
		const char *story, bool failed);
};

struct worker {
	const struct worker_ops *ops;
	void *owner; /* the callbacks' business, borrowed */
	struct loop *loop;
	const char *pool; /* its pool's name, borrowed */
	unsigned slot;
	enum worker_state state;
	struct worker_counts *counts; /* the pool's, borrowed; NULL = none */
	pid_t pid;		/* 0 when dead */
	int pidfd;
	int64_t start_ms;
	bool by_signal; /* that was its end */
	bool polls;		/* ready once it sleeps in epoll_wait */
	bool was_ready; /* was seen ready: UP may be by the clock */
	struct loop_child child;
	int execfd;		/* error pipe, until exec is known of */
	struct spawn_error error;	/* step[0] set when exec failed */
	struct loop_timer ready_timer; /* next check while STARTING */
	int64_t pause_ms;	/* pause between checks, doubling */
	struct output log;
};

/* owner is for the callbacks: what the worker belongs to. */
void worker_init(struct worker *w, struct loop *loop, const char *pool,
	unsigned slot, bool polls, const struct worker_ops *ops, void *owner);

/* Counts it from now on: once, for a dead worker. */
void worker_join(struct worker *w, struct worker_counts *counts);

/*
 * worker_start - spawn it; a dead worker only
 *
 * spec		fds[1] and fds[2] are ignored: its log pipe goes there
 * returns	0; -1 with errno when not even a process could be made
 */
int worker_start(struct worker *w, const struct spawn_spec *spec);

/* Does it run its own program?  Until then it is our code, in whatever call. */
bool worker_has_executed(struct worker *w);

/* Tells a worker to leave; state becomes RETIRING. */
void worker_retire(struct worker *w, int signo);
/* It leaves by itself, as its listener is shut: no signal is needed. */
void worker_expect_exit(struct worker *w);
/* SIGKILL for it and its group. */
void worker_kill(struct worker *w);

static inline bool
worker_alive(const struct worker *w)
{
	return w->state != WORKER_DEAD;
}

#endif
