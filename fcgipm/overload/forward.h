/*
 * forward.h - a connection accepted by mistake goes on to a worker
 *
 * By a connection to his pool's address, which the supervisor makes: we may
 * lack the right, or the way.  The bytes of both sides go through unchanged.
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
	int64_t pause_ms;	/* until it is asked again */
	/* So many connections are wanted: nwaiting. */
	void (*on_want)(struct forward_set *all);
	/* One of these has ended. */
	void (*on_end)(struct forward_set *all);
};

void forward_init(struct forward_set *all, struct loop *loop,
	struct reject_set *rejects, void (*on_want)(struct forward_set *all),
	void (*on_end)(struct forward_set *all));

/*
 * forward_begin - fd, non-blocking, is taken
 *
 * The caller asks for a connection when he has begun all he has.
 *
 * overdue_ms	when he may be refused, and is, if there was no connection
 */
void forward_begin(struct forward_set *all, int fd, int64_t overdue_ms);

/* Asks for as many connections as are wanted, and again until they are here. */
void forward_ask(struct forward_set *all);

/* fd, non-blocking and perhaps connecting still, is taken: one of these. */
void forward_connected(struct forward_set *all, int fd);

/* There will be no connections any more: who waits for one is refused. */
void forward_give_up(struct forward_set *all);

#endif
