/*
 * pool.h - declares struct pool: a listening socket and its workers
 *
 * The modules of this directory, lowest layer first:
 *
 *	policy		decides how many workers to start and to retire (pure)
 *	retire		ends one worker without losing a request, or kills it
 *	wakeup		wakes a pool that no timer inspects
 *	stats		holds the counters of the pool
 *	members		holds the worker slots and counts them by state
 *	view		counts idle workers and those due for recycling
 *	listener	keeps the shared listening socket usable, reopens it
 *	keepalive	logs that idle keep-alive connections occupy workers
 *	adjust		starts and retires workers as the policy decided
 *	stop		shuts the pool down
 *	lifecycle	handles a worker that became ready or died
 *	snapshot	fills one struct with the state of the pool
 *	open		opens, starts and closes the pool; connects its modules
 */
#ifndef FCGIPM_POOL_POOL_H
#define FCGIPM_POOL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "overload/overload.h"
#include "pool/keepalive.h"
#include "pool/listener.h"
#include "pool/members.h"
#include "pool/policy.h"
#include "pool/stats.h"
#include "pool/wakeup.h"
#include "sys/listen.h"

struct conf_pool;
struct launch;
struct pool;
struct watchdog;

struct pool_ops {
	/* The workers that the pool starts with are ready; called once. */
	void (*on_ready)(struct pool *p);
	/* A worker could not be started, or workers die too often: the pool
	 * backs off, and the next start is in pause_ms. */
	void (*on_bad_start)(
		struct pool *p, const char *story, int64_t pause_ms);
	/* The pool was stopped and its last worker has exited. */
	void (*on_stopped)(struct pool *p);
	/* How many more processes all pools together may start. */
	unsigned (*room)(void);
	/* The value of process.max; 0 = no limit. */
	unsigned (*process_max)(void);
};

/* The steps of a stop.  pool/stop is the only writer. */
enum pool_stop_step {
	POOL_STOP_NOT,	/* the pool serves */
	POOL_STOP_QUEUE,	/* clients in a TCP listen queue are served */
	POOL_STOP_SHUT,	/* the listener is shut down, workers exit */
	POOL_STOP_TERM,	/* stop_timeout is over, SIGTERM is sent */
	POOL_STOP_KILL	/* SIGKILL is sent */
};

struct pool_stop {
	enum pool_stop_step step;
	struct loop_timer timer;	/* the next step */
	int64_t since_ms;
	int64_t pause_ms;
};

/* The limits that are reached, so that each is logged once. */
struct pool_limits_log {
	bool is_max;	/* pm.max_children is reached */
	bool is_short;	/* and clients wait */
	int64_t max_again_ms;	/* earliest next notice of the first */
	int64_t short_again_ms;	/* earliest next warning of the second */
	bool logged_room;	/* process.max is reached */
};

struct pool {
	const struct conf_pool *conf;	/* borrowed, as long as the pool */
	const struct pool_ops *ops;
	struct loop *loop;
	struct launch *launch;	/* what a worker is started with */
	struct listen_socket *sockets;
	size_t nsockets;
	struct members members;
	struct listener listener;	/* keeps the socket usable */
	struct overload overload;	/* all zero without queue_timeout */
	struct keepalive keepalive;
	struct wakeup wakeup;	/* by the board or a new connection */
	struct policy_memory memory;
	struct loop_timer adjust_timer;	/* ask the policy again */
	struct pool_limits_log limits_log;
	struct stats stats;
	struct watchdog *watchdog;	/* NULL = requests have no limit */
	bool ready;	/* on_ready was called */
	struct pool_stop stop;
};

static inline bool
pool_is_stopping(const struct pool *p)
{
	return p->stop.step != POOL_STOP_NOT;
}

#endif
