/*
 * listener.h - the listening socket stays usable for every worker
 *
 * All workers of a pool share one open file description, so what one does to it
 * is done to all: with O_NONBLOCK set, accept(2) fails in programs that expect
 * to sleep in it, and they exit; a socket that was shut down refuses every
 * client.  A worker that does either is a program at fault, and its pool goes
 * on serving.
 */
#ifndef FCGIPM_POOL_LISTENER_H
#define FCGIPM_POOL_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/listen.h"

struct listener;
struct members;

struct listener_ops {
	/* A worker shut the socket down; it is about to be opened again, and
	 * nothing may watch the old one any more. */
	void (*on_shut)(struct listener *l);
	/* The pool's descriptor leads to another socket now. */
	void (*on_reopened)(struct listener *l);
};

struct listener {
	const struct listener_ops *ops;
	struct listen_socket *socket;	/* the pool's, borrowed as the next */
	struct members *members;
	struct listen_opts opts;	/* how the socket was opened */
	ino_t ino;		/* of the socket that workers are given */
	ino_t former;		/* of the one before, while workers may still
				 * accept from its queue; 0 = none */
	bool a_worker_ended;	/* since the last check */
	bool polls;		/* the workers do, O_NONBLOCK is theirs */
	bool logged_flag, logged_shut;
};

/* opts		borrowed strings, as long as the pool */
void listener_init(struct listener *l, const struct listen_opts *opts,
	struct listen_socket *socket, struct members *members,
	const struct listener_ops *ops);

/*
 * listener_check - is the socket as it was?  It is repaired, if not
 *
 * Two system calls as long as it is.  Called after every start, death and
 * inspection; no timer calls it.
 *
 * O_NONBLOCK is cleared when a worker sleeps in accept(2), or when one has
 * ended and none is seen to poll.  Where workers poll while they are idle, as
 * Go's and Node's do, it belongs there.
 *
 * returns	when it is to be called again, 0 = after the next event
 */
int64_t listener_check(struct listener *l, int64_t now);

/* Is a worker that was given this socket to be replaced?  Not before the queue
 * of that is empty. */
bool listener_is_former(const struct listener *l, ino_t ino);

#endif
