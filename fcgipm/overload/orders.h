/*
 * orders.h - starts the refuser, sends it orders and handles its reports
 *
 * The supervisor's side of the refuser.  The process is started for the first
 * order and exits when no order arrives for a second.  Only one order is sent
 * at a time; see overload/protocol.h.
 */
#ifndef FCGIPM_OVERLOAD_ORDERS_H
#define FCGIPM_OVERLOAD_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "worker/worker.h"

struct conf_pool;
struct launch;
struct listen_socket;
struct orders;
struct queue;

struct orders_ops {
	/* The refuser has carried out an order for this number of connections
	 * and has answered refused of them with 503. */
	void (*on_report)(struct orders *o, unsigned ordered, unsigned refused);
	/* After orders_stop(): the refuser has exited. */
	void (*on_gone)(struct orders *o);
};

struct orders {
	const struct orders_ops *ops;
	const struct conf_pool *conf;	/* borrowed, as are these two */
	struct loop *loop;
	const struct listen_socket *socket;
	struct launch *launch;	/* how a refuser is started; NULL = not
				 * initialised */
	struct worker refuser;
	int64_t not_before_ms;	/* no start before, after a failed one */
	int64_t backoff_ms;	/* between failed starts, doubling */
	struct loop_io channel;	/* to the refuser; fd -1 = none */
	unsigned ordered;	/* connections of the current order; 0 = none */
	int64_t ordered_ms;	/* when it was sent */
	unsigned connects_left;	/* connections the refuser may still get */
	uint64_t forwarded;	/* clients, since the start */
	bool reported;		/* this refuser has reported at least once */
	bool listener_changed;	/* the next order has the new one with it */
	bool stopping;
};

/*
 * orders_init - prepares; starts no process
 *
 * nofile	soft RLIMIT_NOFILE for the refuser
 * returns	0; -1 with why and nothing left open
 */
int orders_init(struct orders *o, struct loop *loop,
	const struct conf_pool *conf, const struct listen_socket *socket,
	unsigned long nofile, const struct orders_ops *ops, char *ret_why,
	size_t why_size);
/* Also accepts zeroed memory, or an object whose orders_init() failed. */
void orders_fini(struct orders *o);

/*
 * orders_send - orders a 503 for the first n clients of the queue
 *
 * Does nothing while an order is being carried out or the refuser cannot be
 * started: call it again after the next sample of the queue.  A refuser that
 * does not report in time is killed.
 *
 * Aborts with n = 0 and after orders_stop().
 *
 * n		1 or more; an order contains at most REFUSER_MAX
 * clients	the queue of a unix socket; NULL for TCP
 */
void orders_send(struct orders *o, unsigned n, const struct queue *clients);

/* The listening socket was replaced: a running refuser gets the new one. */
void orders_replace_listener(struct orders *o);

/* Ends orders.  The refuser finishes the clients it has.  Then on_gone is
 * called, unless orders_is_alive() is false. */
void orders_stop(struct orders *o);
bool orders_is_alive(const struct orders *o);
/* Kills the refuser, if it is alive. */
void orders_kill(struct orders *o);

#endif
