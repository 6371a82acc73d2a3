/*
 * retire.h - take one worker out of its pool without losing a request
 *
 * No signal is sent to a program that may hold a connection: most die of it,
 * in the middle of a request.  The worker is inspected until it seems idle,
 * stopped, and inspected again: while it is stopped it can accept nothing, so
 * what that inspection shows stays true.  What was queued goes to the others.
 * However long that takes, one that may hold a connection goes on serving.  One
 * without gets stop_signal, or KILL where it might ignore that.  The exception
 * is retire_at_once(), for a late request.
 */
#ifndef FCGIPM_POOL_RETIRE_H
#define FCGIPM_POOL_RETIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct conf_pool;
struct kernel_observer;
struct kernel_worker;
struct worker;

/* Why a worker leaves; its end is counted by it. */
enum retire_cause {
	RETIRE_IDLE,		/* more are idle than needed */
	RETIRE_REQUESTS,	/* pm.max_requests */
	RETIRE_AGE,		/* pm.max_age */
	RETIRE_MEMORY,		/* pm.max_memory */
	RETIRE_TIMEOUT,		/* request_terminate_timeout */
	RETIRE_RELOAD,		/* the configuration changed */
	RETIRE_OPERATOR,	/* somebody said so */
	RETIRE_LISTENER,	/* its socket was shut, others have a new one */
	/* These end without being asked to: */
	RETIRE_EXIT,		/* it left by itself, with status 0 */
	RETIRE_CRASH,	/* it died by itself */
	RETIRE_CAUSES
};

enum retire_step {
	RETIRE_NOT,		/* not at it */
	RETIRE_LOOKING,		/* it may hold a connection */
	RETIRE_STOPPING,	/* SIGSTOP is sent */
	RETIRE_LEAVING,	/* told to leave while it held none */
	RETIRE_STEPS
};

struct retire {
	struct worker *w;
	struct kernel_observer *kernel;	/* borrowed, as the next three */
	struct kernel_worker *observation;
	unsigned *nreplaced;	/* workers of the pool that are retiring and
				 * whose replacement starts first */
	const struct conf_pool *conf;
	struct loop *loop;
	struct loop_timer timer;	/* the next step */
	enum retire_step step;
	enum retire_cause cause;
	int64_t since_ms, pause_ms;
	bool shut;
	bool logged_late;	/* that it takes longer than stop_timeout */
};

void retire_init(struct retire *r, struct loop *loop,
	const struct conf_pool *conf, struct worker *w,
	struct kernel_observer *kernel,
	struct kernel_worker *observation, unsigned *nreplaced);

/*
 * retire_begin - from now on it is let go at the first moment
 *
 * Its owner's on_dead() tells the end.  Begun once, it goes on.
 * shut		the listener hands out nothing any more: a signal is enough
 *		for any worker without a connection, and nothing is said of
 *		one that takes its time
 */
void retire_begin(struct retire *r, enum retire_cause cause, bool shut);

/* It cannot be waited for: killed, whatever it holds.  One that is up, or told
 * to leave. */
void retire_at_once(struct retire *r, enum retire_cause cause);

/* Does the replacement of a worker that leaves for this start first? */
bool retire_is_recycling(enum retire_cause cause);

/* It is dead, or somebody else ends it: lets it run if it is stopped. */
void retire_end(struct retire *r);

/* "idle", "requests", ... */
const char *retire_cause_name(enum retire_cause cause);

#endif
