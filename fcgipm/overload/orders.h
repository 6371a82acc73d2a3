/*
 * orders.h - the refuser as the supervisor sees it: its process, its orders
 *
 * It is started when there is an order for it, and exits when there was none
 * for a while.  One order at a time; see overload/protocol.h.
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
	/* The refuser has carried out an order of so many connections and
	 * answered so many of them with 503. */
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
	int64_t not_before_ms;	/* its next start, after a failed one */
	int64_t backoff_ms;	/* between failed starts, doubling */
	struct loop_io channel;	/* to the refuser; fd -1 = none */
	unsigned ordered;	/* connections of the current order; 0 = none */
	int64_t ordered_ms;	/* when it was sent */
	unsigned connects_left;	/* connections the refuser may still get */
	uint64_t forwarded;	/* clients, since the start */
	bool reported;		/* this refuser has, at least once */
	bool listener_changed;	/* the next order brings the new one */
	bool stopping;
};

/*
 * orders_init - starts nothing yet
 *
 * nofile	soft RLIMIT_NOFILE for the refuser
 * returns	0; -1 with why, nothing left behind
 */
int orders_init(struct orders *o, struct loop *loop,
	const struct conf_pool *conf, const struct listen_socket *socket,
	unsigned long nofile, const struct orders_ops *ops, char *ret_why,
	size_t why_size);
/* Also right for zeroed memory, or after orders_init() failed. */
void orders_fini(struct orders *o);

/*
 * orders_send - have the first n clients of the queue refused
 *
 * Nothing happens while an order is under way or the refuser cannot be
 * started: call again after the next sample of the queue.  A refuser that does
 * not report in time is killed.
 *
 * Aborts with n = 0 and after orders_stop().
 *
 * n		1 or more; the order names REFUSER_MAX of them at most
 * clients	the queue of a unix listener; NULL for TCP
 */
void orders_send(struct orders *o, unsigned n, const struct queue *clients);

/* The listener's socket was replaced: a running refuser gets the new one. */
void orders_replace_listener(struct orders *o);

/* No more orders.  The refuser finishes what it has, then on_gone is called,
 * unless orders_is_alive() is false. */
void orders_stop(struct orders *o);
bool orders_is_alive(const struct orders *o);
/* Kills the refuser, if it is alive. */
void orders_kill(struct orders *o);

#endif
