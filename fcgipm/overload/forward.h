/*
 * forward.h - a client that the refuser accepted too early goes on to a worker
 *
 * Over a connection to the pool's address, which the supervisor makes: the
 * refuser may lack the right, or not see the path.  Bytes are copied both ways
 * unchanged.
 */
#ifndef FCGIPM_OVERLOAD_FORWARD_H
#define FCGIPM_OVERLOAD_FORWARD_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/loop.h"

struct reject_set;
struct forward;

/* What all forwards of a process have in common. */
struct forward_set {
	struct loop *loop;		/* borrowed, as is this */
	struct reject_set *rejects;
	unsigned open;
	TAILQ_HEAD(forward_list, forward) waiting;	/* for a connection */
	unsigned nwaiting;
	struct loop_timer ask_timer;
	int64_t pause_ms;	/* until the next on_want */
	/* nwaiting connections are wanted. */
	void (*on_want)(struct forward_set *all);
	/* One of these has ended. */
	void (*on_end)(struct forward_set *all);
};

void forward_init(struct forward_set *all, struct loop *loop,
	struct reject_set *rejects, void (*on_want)(struct forward_set *all),
	void (*on_end)(struct forward_set *all));

/*
 * forward_begin - takes fd, a non-blocking client's connection
 *
 * Call forward_ask() when all clients of the order have begun.
 *
 * overdue_ms	the client is answered with 503 then, unless it has got a
 *		connection
 */
void forward_begin(struct forward_set *all, int fd, int64_t overdue_ms);

/* Asks for as many connections as are wanted, repeatedly until they came. */
void forward_ask(struct forward_set *all);

/* Takes fd, one of these: non-blocking, perhaps not connected yet. */
void forward_connected(struct forward_set *all, int fd);

/* No connection will come any more: waiting clients are answered with 503. */
void forward_give_up(struct forward_set *all);

#endif
