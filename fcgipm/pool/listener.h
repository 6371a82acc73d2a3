/*
 * listener.h - the listening socket stays what every worker needs
 *
 * All workers of a pool share one open file description, so what one does to it
 * is done to all: with O_NONBLOCK set, accept(2) fails in programs that expect
 * to sleep in it, and they end; a socket that was shut down refuses every
 * client.  A worker that does either is a program at fault, and its pool goes
 * on serving.
 */
#ifndef FCGIPM_POOL_LISTENER_H
#define FCGIPM_POOL_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/listen.h"

struct pool;

struct listener {
	struct listen_opts opts;	/* how the socket was opened */
	ino_t ino;		/* of the socket that workers are given */
	ino_t former;		/* of the one before, while workers may still
				 * take from its queue; 0 = none */
	bool fell;		/* a worker ended since the last check */
	bool polls;		/* the workers do, O_NONBLOCK is theirs */
	bool told_flag, told_shut;	/* in the log */
};

/* opts		borrowed strings, as long as the pool */
void listener_init(struct listener *g, const struct listen_opts *opts, int fd);

/*
 * listener_check - is the socket as it was?  It is mended, if not
 *
 * Two system calls as long as it is.  Asked after every start, death and look;
 * nothing ticks.
 *
 * O_NONBLOCK is taken back when a worker sleeps in accept(2), or when one has
 * ended and none is seen to poll.  Where workers poll while they are idle, as
 * Go's and Node's do, it belongs there.
 *
 * returns	when it is to be asked again, 0 = after the next event
 */
int64_t listener_check(struct pool *p, int64_t now);

/* Is a worker that was given this socket to be replaced?  Not before the queue
 * of that is empty. */
bool listener_is_former(const struct listener *g, ino_t ino);

#endif
