/*
 * overload.h - enforces queue_timeout: answers 503 to clients that wait longer
 *
 * The supervisor samples the listen queue of a prefork pool but never accepts.
 * A helper process, the refuser (fcgipm-cgi --refuse), answers the overdue
 * clients.  It runs only while there are any.
 *
 * The modules of overload/, lowest layer first.  In the supervisor:
 *
 *	queue		estimates how long each client of a unix socket waited
 *	protocol.h	messages between the supervisor and the refuser
 *	orders		starts the refuser, sends orders, handles its reports
 *	overload	samples the listen queue and orders 503 answers
 *
 * In the refuser:
 *
 *	reject		answers 503 to one client
 *	forward		relays a client that is not overdue to a worker
 *	refuser		accepts clients and decides which of the two applies
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

/* One for each pool; all zero without queue_timeout. */
struct overload {
	const struct overload_ops *ops;
	const struct conf_pool *conf;	/* borrowed, as are these two */
	struct loop *loop;
	struct kernel_observer *observe;
	struct orders orders;	/* the refuser's */

	struct loop_io arrival;	/* a duplicate of the listening socket, watched
				 * while its queue is empty */
	struct loop_timer sample_timer;
	struct queue clients;	/* unix: since when each client has waited */
	int64_t waiting_since_ms;	/* TCP: every sample since then found a
				 * client; 0 = none waits */
	int64_t list_not_before_ms;	/* TCP: listing is expensive */
	bool logged_unreadable;	/* the queue could not be sampled */

	bool refusing;		/* for the status: clients are overdue */
	uint64_t refused;	/* for the status: clients since the start */
	uint64_t refused_before;	/* refused, when this began */
	int64_t refusing_since_ms;
	int64_t overdue_ms;	/* last sample with an overdue client */
};

/*
 * overload_init - prepares for a pool with queue_timeout
 *
 * nofile	soft RLIMIT_NOFILE for the refuser
 * returns	0; -1 with why and nothing left open
 */
int overload_init(struct overload *o, struct loop *loop,
	const struct conf_pool *conf, const struct listen_socket *socket,
	struct kernel_observer *observe, unsigned long nofile,
	const struct overload_ops *ops, char *ret_why, size_t why_size);
void overload_fini(struct overload *o);

/* Does the pool have queue_timeout?  If not, every call here does nothing. */
static inline bool
overload_is_enabled(const struct overload *o)
{
	return o->orders.launch != NULL;
}

/* The pool serves clients: samples its queue from now on. */
void overload_start(struct overload *o);

/* The listening socket was replaced. */
void overload_reopened(struct overload *o);

/* Ends sampling; the refuser finishes the clients it has.  Then on_gone is
 * called, unless overload_is_alive() is false. */
void overload_stop(struct overload *o);
bool overload_is_alive(const struct overload *o);
/* Kills the refuser, if it is alive. */
void overload_kill(struct overload *o);

#endif
