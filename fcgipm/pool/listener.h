/*
 * listener.h - checks the shared listening socket and repairs it: clears
 * O_NONBLOCK, reopens it after a worker's shutdown(2)
 *
 * All workers of a pool share one open file description, so what one worker
 * does to it affects all.  With O_NONBLOCK set, accept(2) fails in programs
 * that expect to sleep in it, and they exit.  A socket that was shut down
 * refuses every client.  A program that does either has a bug; its pool must
 * go on serving.
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
	/* A worker shut the socket down.  It will be reopened next, so nothing
	 * may watch the old one any more. */
	void (*on_shut)(struct listener *l);
	/* The pool's descriptor refers to another socket now. */
	void (*on_reopened)(struct listener *l);
};

struct listener {
	const struct listener_ops *ops;
	struct listen_socket *socket;	/* the pool's, borrowed as the next */
	struct members *members;
	struct listen_opts opts;	/* how the socket was opened */
	ino_t ino;		/* inode of the socket that workers get */
	ino_t former;		/* of the previous socket, while workers may
				 * still accept from its queue; 0 = none */
	bool a_worker_ended;	/* since the last check */
	bool polls;		/* the workers poll and need O_NONBLOCK */
	bool logged_flag, logged_shut;
};

/* opts		borrowed strings, as long as the pool */
void listener_init(struct listener *l, const struct listen_opts *opts,
	struct listen_socket *socket, struct members *members,
	const struct listener_ops *ops);

/*
 * listener_check - checks the socket and repairs it if needed
 *
 * Takes two system calls if nothing has changed.  pool/adjust calls it whenever
 * a worker started, died or was inspected.
 *
 * O_NONBLOCK is cleared when a worker sleeps in accept(2), or when one has died
 * and no worker is seen to poll.  Programs that poll while they are idle, such
 * as those in Go and Node.js, need the flag: it is left set for them.
 *
 * returns	when to call it again, 0 = after the next event
 */
int64_t listener_check(struct listener *l, int64_t now);

/* Must a worker that has this socket be replaced?  Not before the queue of the
 * socket is empty. */
bool listener_is_former(const struct listener *l, ino_t ino);

#endif
