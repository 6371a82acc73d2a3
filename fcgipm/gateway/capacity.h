/*
 * capacity.h - what may be open at once: connections, programs, large pipes
 *
 * Descriptors are distributed beforehand, up to half of them for programs, so
 * that each accepted connection can run its program.
 */
#ifndef FCGIPM_GATEWAY_CAPACITY_H
#define FCGIPM_GATEWAY_CAPACITY_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/loop.h"

/* A request that needs a place for its program; embedded in it. */
struct capacity_claim {
	TAILQ_ENTRY(capacity_claim) link;
	bool waiting;		/* in the queue */
	/* The place is taken: the program starts now. */
	void (*on_place)(struct capacity_claim *claim);
};

struct capacity {
	struct loop *loop;
	/* The owner's: the queue is longer or shorter; something ended. */
	void (*on_queue)(struct capacity *cap);
	void (*on_end)(struct capacity *cap);
	TAILQ_HEAD(capacity_claims, capacity_claim) queue;	/* in order */
	struct loop_task place_task;	/* a place is free */
	struct loop_task trim_task;	/* memory goes back to the system */
	unsigned waiting;	/* in queue */
	unsigned places;	/* for programs: pm.max_children, or as many as
				 * there are descriptors for */
	unsigned running;	/* places that are taken */
	unsigned leftovers;	/* programs that are reaped, but their pipes
				 * are still open */
	unsigned conns;		/* open connections */
	unsigned peak_conns;	/* the highest since memory was given back */
	bool crowd;		/* they were many, and some of the memory of
				 * then is still ours */
	unsigned max_conns;	/* no more are accepted above, for want of
				 * descriptors */
	unsigned big_pipes;	/* see capacity_grow_pipe() */
};

/*
 * capacity_init - distributes the descriptors; no others are opened later
 *
 * on_queue and on_end are set by the caller afterwards.
 *
 * fd		any that is open
 * wanted	programs at once
 * returns	0; -1 with errno
 */
int capacity_init(struct capacity *cap, struct loop *loop, int fd,
	unsigned wanted);

/* Are all descriptors taken that are for connections? */
bool capacity_is_crowded(const struct capacity *cap);

/* A connection is open, or closed. */
void capacity_add_conn(struct capacity *cap);
void capacity_lose_conn(struct capacity *cap);

/*
 * capacity_take_place - may the program start now?
 *
 * returns	true, and a place is taken; false when it waits: on_place() is
 *		called when a place is taken for it
 */
bool capacity_take_place(struct capacity *cap, struct capacity_claim *claim);
/* The request waits no longer; harmless when it does not. */
void capacity_leave_queue(struct capacity *cap, struct capacity_claim *claim);
/* The program has ended, or did not start. */
void capacity_free_place(struct capacity *cap);

/* A program was reaped, and its answer is still to be read or taken; then its
 * pipes are closed. */
void capacity_add_leftover(struct capacity *cap);
void capacity_lose_leftover(struct capacity *cap);

/*
 * capacity_grow_pipe - let a pipe hold 1 MiB instead of 64 KiB
 *
 * For bodies that are worth it.  The memory counts against limits of the user
 * (pipe(7)), so a gateway has at most 32 such pipes.
 *
 * returns	true: capacity_lose_pipe() when it is closed; false: it stays
 *		as it was
 */
bool capacity_grow_pipe(struct capacity *cap, int fd);
void capacity_lose_pipe(struct capacity *cap);

/* Something ended: a descriptor is free, and it may have been the last. */
void capacity_something_ended(struct capacity *cap);

#endif
