/*
 * forward.h - relays a client that was accepted but is not overdue to a worker
 *
 * The relay uses a new connection to the pool's address.  The supervisor makes
 * it, since the refuser may not have the right or may not see the path.  Bytes
 * are copied unchanged in both directions.
 */
#ifndef FCGIPM_OVERLOAD_FORWARD_H
#define FCGIPM_OVERLOAD_FORWARD_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/loop.h"

struct reject_set;
struct forward;

/* Shared by all forwards of a process. */
struct forward_set {
	struct loop *loop;		/* borrowed, as is this */
	struct reject_set *rejects;
	unsigned open;		/* clients being forwarded */
	TAILQ_HEAD(forward_list, forward) waiting;	/* for a connection */
	unsigned nwaiting;
	struct loop_timer ask_timer;
	int64_t pause_ms;	/* until the next on_want */
	/* nwaiting connections are wanted. */
	void (*on_want)(struct forward_set *all);
	/* One of the forwards has ended. */
	void (*on_end)(struct forward_set *all);
};

void forward_init(struct forward_set *all, struct loop *loop,
	struct reject_set *rejects, void (*on_want)(struct forward_set *all),
	void (*on_end)(struct forward_set *all));

/*
 * forward_begin - takes fd, a non-blocking client's connection
 *
 * Call forward_ask() after the last client of an order.
 *
 * overdue_ms	time at which the client is answered with 503, unless it has a
 *		connection to the pool
 */
void forward_begin(struct forward_set *all, int fd, int64_t overdue_ms);

/* Asks for the connections that are missing, and repeats it until they have
 * arrived. */
void forward_ask(struct forward_set *all);

/* Takes fd, such a connection: non-blocking, perhaps not established yet. */
void forward_connected(struct forward_set *all, int fd);

/* No more connections will arrive: waiting clients are answered with 503. */
void forward_give_up(struct forward_set *all);

#endif
