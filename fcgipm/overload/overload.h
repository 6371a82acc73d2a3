/*
 * overload.h - clients that have waited longer than queue_timeout
 *
 * They are answered with status 503 by a process of its own, fcgipm-cgi
 * --refuse, which runs while there are any.  The supervisor samples the queue
 * and never accepts.
 */
#ifndef FCGIPM_OVERLOAD_OVERLOAD_H
#define FCGIPM_OVERLOAD_OVERLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "overload/orders.h"
#include "overload/queue.h"

struct conf_pool;
struct listen_socket;
struct kernel_observer;
struct overload;

struct overload_ops {
	/* After overload_stop(): the refuser has exited. */
	void (*on_gone)(struct overload *o);
	/* The queue was sampled. */
	void (*on_queue)(struct overload *o, unsigned waiting);
};

/* For a pool; all zero without queue_timeout. */
struct overload {
	const struct overload_ops *ops;
	const struct conf_pool *conf;	/* borrowed, as are these two */
	struct loop *loop;
	struct kernel_observer *observe;
	struct orders orders;	/* the refuser's */

	struct loop_io arrival;	/* a copy of the listener, watched while its
				 * queue is empty */
	struct loop_timer sample_timer;
	struct queue clients;	/* unix: since when each has waited */
	int64_t waiting_since_ms;	/* TCP: every sample since then found a
				 * client; 0 = none waits */
	int64_t list_not_before_ms;	/* TCP: listing takes long */
	bool logged_unreadable;	/* the queue could not be sampled */

	bool refusing;		/* for the status: clients are overdue */
	uint64_t refused;	/* for the status: clients, since the start */
	uint64_t refused_before;	/* when refusing began */
	int64_t refusing_since_ms;
	int64_t overdue_ms;	/* last sample with an overdue client */
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

/* Does the pool have queue_timeout?  Else every call here does nothing. */
static inline bool
overload_is_enabled(const struct overload *o)
{
	return o->orders.launch != NULL;
}

/* The pool serves: sample its queue from now on. */
void overload_start(struct overload *o);

/* The listener's socket was replaced. */
void overload_reopened(struct overload *o);

/* No more samples; the refuser finishes what it has.  Then on_gone is called,
 * unless overload_is_alive() is false. */
void overload_stop(struct overload *o);
bool overload_is_alive(const struct overload *o);
/* Kills the refuser, if it is alive. */
void overload_kill(struct overload *o);

#endif
