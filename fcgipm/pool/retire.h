/*
 * retire.h - ends one worker without losing a request
 *
 * A signal kills most FastCGI programs in the middle of a request, so a worker
 * that may hold a connection gets none.  The steps are: inspect the worker
 * until it seems idle; SIGSTOP; inspect it again; stop_signal; SIGCONT.  A
 * stopped worker cannot accept, so the result of the second inspection stays
 * true.  Queued connections go to the other workers.
 *
 * A worker that may hold a connection keeps serving, however long that takes.
 * A worker without one that may ignore stop_signal gets SIGKILL.
 * retire_at_once() kills a worker whose request is late.
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

/* Why a worker ends; the ends are counted by cause. */
enum retire_cause {
	RETIRE_IDLE,		/* more workers are idle than needed */
	RETIRE_REQUESTS,	/* pm.max_requests */
	RETIRE_AGE,		/* pm.max_age */
	RETIRE_MEMORY,		/* pm.max_memory */
	RETIRE_TIMEOUT,		/* request_terminate_timeout */
	RETIRE_RELOAD,		/* not used yet */
	RETIRE_OPERATOR,	/* the pool stops */
	RETIRE_LISTENER,	/* its socket was replaced by a new one */
	/* These were not retired: */
	RETIRE_EXIT,		/* it exited with status 0 */
	RETIRE_CRASH,	/* it exited with an error, or a signal killed it */
	RETIRE_CAUSES
};

enum retire_step {
	RETIRE_NOT,		/* not retiring */
	RETIRE_INSPECTING,		/* it may hold a connection */
	RETIRE_STOPPING,	/* SIGSTOP was sent */
	RETIRE_SIGNALLED,	/* it had no connection and was signalled */
	RETIRE_STEPS
};

struct retire {
	struct worker *w;
	struct kernel_observer *kernel;	/* borrowed, as the next three */
	struct kernel_worker *observation;
	unsigned *nreplaced;	/* retiring workers of the pool whose
				 * replacement starts first */
	const struct conf_pool *conf;
	struct loop *loop;
	struct loop_timer timer;	/* the next step */
	enum retire_step step;
	enum retire_cause cause;
	int64_t since_ms, pause_ms;
	bool shut;
	bool logged_late;	/* it takes longer than stop_timeout */
};

void retire_init(struct retire *r, struct loop *loop,
	const struct conf_pool *conf, struct worker *w,
	struct kernel_observer *kernel,
	struct kernel_worker *observation, unsigned *nreplaced);

/*
 * retire_begin - retires a worker at the first moment without a connection
 *
 * The worker's on_dead() reports the end.  Further calls have no effect.
 *
 * shut		the listener is shut down, so the worker can accept nothing
 *		more: any worker without a connection is signalled, and one
 *		that takes long is not logged
 */
void retire_begin(struct retire *r, enum retire_cause cause, bool shut);

/* Kills a worker that is up or retiring, even if it has a connection. */
void retire_at_once(struct retire *r, enum retire_cause cause);

/* Is the replacement of a worker that retires for this cause started first? */
bool retire_is_recycling(enum retire_cause cause);

/* Ends the retirement of a worker that is dead or that another module ends;
 * continues it if it is stopped. */
void retire_end(struct retire *r);

/* "idle", "requests", ... */
const char *retire_cause_name(enum retire_cause cause);

#endif
