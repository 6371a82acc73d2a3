/*
 * pool.h - what a pool consists of: a listening socket and its workers
 *
 * Who does what, ground first:
 *
 *	policy		decides how many workers start and leave (pure)
 *	retire		lets one worker leave without losing a request, or kills it
 *	wakeup		wakes a resting pool
 *	stats		counts since the start
 *	members		the places of the workers, and how many are in each state
 *	view		counts idle workers and those due for recycling; picks
 *	listener	keeps the shared socket usable, reopens it
 *	keepalive	logs that idle kept connections hold workers
 *	adjust		asks view and policy, starts and retires
 *	stop		ends the pool
 *	lifecycle	reacts to a worker that is ready, or dead
 *	snapshot	fills in what the status shows
 *	open		opens, starts and closes; connects these parts
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
	/* First time as many workers are up as the policy wants. */
	void (*on_ready)(struct pool *p);
	/* A worker died before it was ready; the next try is in pause_ms. */
	void (*on_bad_start)(
		struct pool *p, const char *story, int64_t pause_ms);
	/* Stopping, and the last worker is gone. */
	void (*on_stopped)(struct pool *p);
	/* How many processes all pools together may still start. */
	unsigned (*room)(void);
};

/* How far a stop has come.  pool/stop is the only writer. */
enum pool_stop_step {
	POOL_STOP_NOT,	/* the pool serves */
	POOL_STOP_QUEUE,	/* clients in a TCP queue are served first */
	POOL_STOP_SHUT,	/* the listener is shut down, workers leave */
	POOL_STOP_TERM,	/* stop_timeout is over, TERM is sent */
	POOL_STOP_KILL	/* KILL is sent */
};

struct pool_stop {
	enum pool_stop_step step;
	struct loop_timer timer;	/* the next step */
	int64_t since_ms;
	int64_t pause_ms;
};

/* What the log says once about the number of workers. */
struct pool_limits_log {
	bool is_max;	/* pm.max_children is reached */
	int64_t max_again_ms;	/* that may be logged again then */
	bool logged_room;	/* that process.max is reached */
};

struct pool {
	const struct conf_pool *conf;	/* borrowed, as long as the pool */
	const struct pool_ops *ops;
	struct loop *loop;
	struct launch *launch;	/* how a worker is started */
	struct listen_socket *sockets;
	size_t nsockets;
	struct members members;
	struct listener listener;	/* keeps the socket usable */
	struct overload overload;	/* without queue_timeout all zero */
	struct keepalive keepalive;
	struct wakeup wakeup;	/* by the board, and by clients */
	struct policy_memory memory;
	struct loop_timer adjust_timer;	/* ask the policy again */
	struct pool_limits_log limits_log;
	struct stats stats;
	struct watchdog *watchdog;	/* NULL = no request is timed */
	bool ready;	/* on_ready was called */
	struct pool_stop stop;
};

static inline bool
pool_is_stopping(const struct pool *p)
{
	return p->stop.step != POOL_STOP_NOT;
}

#endif
