/*
 * overload.h - clients who have waited longer than queue_timeout
 *
 * They are answered with status 503 by a worker of its own kind, fcgipm-cgi
 * --refuse, which runs while there are any.  The supervisor looks at the
 * queue, and never accepts.
 */
#ifndef FCGIPM_OVERLOAD_OVERLOAD_H
#define FCGIPM_OVERLOAD_OVERLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "overload/queue.h"
#include "worker/worker.h"

struct conf_pool;
struct launch;
struct listen_socket;
struct kernel_observer;
struct overload;

struct overload_ops {
	/* Stopping, and the refuser is gone. */
	void (*on_gone)(struct overload *o);
	/* The queue was looked at. */
	void (*on_queue)(struct overload *o, unsigned waiting);
};

/* For a pool; all zero without queue_timeout. */
struct overload {
	const struct overload_ops *ops;
	const struct conf_pool *conf;	/* borrowed, as are these */
	struct loop *loop;
	struct kernel_observer *observe;
	const struct listen_socket *socket;
	struct launch *launch;	/* how a refuser is started; NULL = the pool
				 * has no queue_timeout */
	struct worker refuser;
	int64_t not_before_ms;	/* its next start, after a bad one */
	int64_t pause_ms;	/* between bad starts, doubling */

	struct loop_io door;	/* a copy of the listener, watched while its
				 * queue is empty */
	struct loop_timer look_timer;
	struct queue clients;	/* unix: since when they wait */
	int64_t waiting_since_ms;	/* TCP: somebody has waited at every
				 * look since then; 0 = nobody does */
	int64_t list_ms;	/* TCP: not to be listed before */
	bool told_blind;	/* that the queue cannot be looked at */

	struct loop_io channel;	/* to the refuser; fd -1 = none */
	bool reopened;		/* the listener; it gets that with an order */
	unsigned owed;		/* connections it may ask for */
	unsigned ordered;	/* connections of the order under way */
	int64_t ordered_ms;
	bool heard;		/* a report of this refuser */

	uint64_t refused;	/* for the status: since the start */
	uint64_t passed;	/* the same: accepted too early, and sent to a
				 * worker */
	bool refusing;		/* the same: clients are overdue */
	uint64_t refused_before;	/* when it began */
	int64_t since_ms;
	int64_t overdue_ms;	/* last look that found an overdue one */
	bool stopping;
};

/*
 * overload_init - for a pool that has sockets, conf, observe and queue_timeout
 *
 * nofile	soft RLIMIT_NOFILE for the refuser
 * returns	0; -1 with why, nothing left behind
 */
int overload_init(struct overload *o, struct loop *loop,
	const struct conf_pool *conf, const struct listen_socket *socket,
	struct kernel_observer *observe, unsigned long nofile,
	const struct overload_ops *ops, char *ret_why, size_t why_size);
void overload_fini(struct overload *o);

/* The pool serves: from here on its queue is minded. */
void overload_start(struct overload *o);

/* The listener is another one now. */
void overload_reopened(struct overload *o);

/* No more looks; the refuser finishes what it has.  on_gone tells its end,
 * unless overload_is_alive() says no. */
void overload_stop(struct overload *o);
bool overload_is_alive(const struct overload *o);
/* Ends the refuser now. */
void overload_kill(struct overload *o);

#endif
