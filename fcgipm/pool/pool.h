/*
 * pool.h - a listening socket and the workers behind it
 */
#ifndef FCGIPM_POOL_POOL_H
#define FCGIPM_POOL_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "pool/listener.h"
#include "observe/kernel.h"
#include "overload/overload.h"
#include "pool/policy.h"
#include "pool/retire.h"
#include "pool/keepalive.h"
#include "pool/stats.h"
#include "pool/wakeup.h"
#include "worker/worker.h"
#include "sys/listen.h"

struct board;
struct conf_pool;
struct launch;
struct watchdog;
struct pool;

struct pool_ops {
	/* First time as many workers are up as the policy wants. */
	void (*on_ready)(struct pool *p);
	/* A worker died before it was ready; the next try is in pause_ms. */
	void (*on_bad_start)(struct pool *p, const char *story,
		int64_t pause_ms);
	/* Stopping, and the last worker is gone. */
	void (*on_stopped)(struct pool *p);
	/* How many processes all pools together may still start. */
	unsigned (*room)(void);
};

/* A place for a worker, and what is known of the one that has it. */
struct pool_member {
	struct worker worker;
	struct retire retire;
	struct kernel_worker eye;
	bool idle;		/* when it was last looked at */
	bool worn;		/* due for replacement, because of cause */
	enum retire_cause cause;
	int64_t weigh_ms;	/* when its memory is looked at */
	ino_t listener;		/* the socket it was given */
};

struct pool {
	const struct conf_pool *conf;	/* borrowed, as long as the pool */
	const struct pool_ops *ops;
	struct loop *loop;
	struct launch *launch;		/* how a worker is started */
	struct listen_socket *sockets;
	size_t nsockets;
	struct pool_member *members;
	unsigned nmembers;	/* as many as may ever be at once */
	struct listener guard;		/* of the socket */
	struct kernel_observer observe;
	struct overload overload;	/* without queue_timeout all zero */
	struct keepalive starved;
	struct board *board;		/* NULL = the kernel tells all */
	bool told;			/* it tells of all that are up */
	struct wakeup wake;		/* by it, and by clients */
	unsigned starting, up;		/* workers in these states */
	unsigned retiring;		/* told to leave, */
	unsigned retiring_worn;		/* of them to be replaced */
	unsigned alive;			/* workers in any state but DEAD */
	struct policy_memory memory;
	struct loop_timer adjust_timer;	/* ask the policy again */
	struct stats stats;
	struct watchdog *watchdog;	/* NULL = no request is timed */
	bool is_max;		/* pm.max_children is met */
	int64_t tell_max_ms;	/* that is told again then */
	bool told_room;		/* that process.max is */
	bool ready;			/* on_ready was told */
	bool stopping;
	struct loop_timer stop_timer;	/* next step of the stop */
	int64_t stop_since_ms;
	int64_t stop_pause_ms;
	bool door_closed;	/* no listener takes anybody any more */
	bool termed;			/* stop_timeout is over, TERM sent */
};

/*
 * pool_open - resolve, open the listening sockets, start nothing yet
 *
 * nofile	soft RLIMIT_NOFILE for the children
 * diag		borrowed, as long as the pool; may be closed
 * returns	0; -1 with why, nothing left behind
 */
int pool_open(struct pool *p, struct loop *loop, const struct conf_pool *conf,
	unsigned long nofile, struct sockdiag *diag, const struct pool_ops *ops,
	char *ret_why, size_t why_size);

/* Starts the workers; from here on the pool keeps them at their number. */
void pool_start(struct pool *p);

/* Ends a worker that is up, or told to leave, whatever it does; it is counted
 * by the cause and replaced as the policy wants. */
void pool_end_worker(struct pool *p, struct pool_member *m,
	enum retire_cause cause);

/*
 * pool_stop - serve what was accepted, then leave; on_stopped tells the end
 *
 * Called again, it kills what is left.
 */
void pool_stop(struct pool *p);

/* Every worker is gone: close the sockets, remove their paths, free. */
void pool_close(struct pool *p);

#endif
