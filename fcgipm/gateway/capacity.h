/*
 * capacity.h - limits connections, running programs and large pipes
 *
 * The descriptors that the process may open are divided at start, up to half of
 * them for programs, so that each accepted connection can run its program.  A
 * request claims a place for its program; when all places are taken it waits in
 * a queue.
 */
#ifndef FCGIPM_GATEWAY_CAPACITY_H
#define FCGIPM_GATEWAY_CAPACITY_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/loop.h"

/* A request's claim to a place for its program; embedded in the request. */
struct capacity_claim {
	TAILQ_ENTRY(capacity_claim) link;
	bool waiting;		/* in the queue */
	/* A place was taken for it: the program can start. */
	void (*on_place)(struct capacity_claim *claim);
};

struct capacity {
	struct loop *loop;
	/* Set by the owner: the length of the queue has changed. */
	void (*on_queue)(struct capacity *cap);
	/* Set by the owner: a connection, request or leftover has ended. */
	void (*on_end)(struct capacity *cap);
	TAILQ_HEAD(capacity_claims, capacity_claim) queue;	/* in order */
	struct loop_task place_task;	/* starts claims of the queue */
	struct loop_task trim_task;	/* returns memory to the system */
	unsigned waiting;	/* claims in the queue */
	unsigned places;	/* maximum of running programs: pm.max_children
				 * or what the descriptors allow */
	unsigned running;	/* places that are taken */
	unsigned leftovers;	/* programs that are reaped and whose pipes are
				 * still open */
	unsigned conns;		/* open connections */
	unsigned peak_conns;	/* maximum since memory was returned */
	bool crowd;		/* there were many connections, and not all of
				 * their memory has been returned */
	unsigned max_conns;	/* maximum of conns that the descriptors
				 * allow */
	unsigned big_pipes;	/* see capacity_grow_pipe() */
};

/*
 * capacity_init - divide the descriptors that are left
 *
 * All other descriptors of the process must be open by now.  The caller sets
 * on_queue and on_end afterwards.
 *
 * fd		any open descriptor
 * wanted	programs at once
 * returns	0; -1 with errno
 */
int capacity_init(struct capacity *cap, struct loop *loop, int fd,
	unsigned wanted);

/* Are all descriptors for connections in use? */
bool capacity_is_crowded(const struct capacity *cap);

/* Counts a connection when it is opened, and when it is closed. */
void capacity_add_conn(struct capacity *cap);
void capacity_lose_conn(struct capacity *cap);

/*
 * capacity_take_place - take a place for a program, or queue the claim
 *
 * returns	true, a place is taken; false, the claim waits, and on_place()
 *		is called when a place has been taken for it
 */
bool capacity_take_place(struct capacity *cap, struct capacity_claim *claim);
/* Removes the claim from the queue; harmless when it is not in there. */
void capacity_leave_queue(struct capacity *cap, struct capacity_claim *claim);
/* The program was reaped, or did not start. */
void capacity_free_place(struct capacity *cap);

/* Counts a program that was reaped while its pipes stay open, because its
 * answer has not been read or sent, and later the closing of those pipes. */
void capacity_add_leftover(struct capacity *cap);
void capacity_lose_leftover(struct capacity *cap);

/*
 * capacity_grow_pipe - let a pipe hold 1 MiB instead of 64 KiB
 *
 * For large bodies.  The memory counts against limits of the user (pipe(7)), so
 * a gateway has at most 32 such pipes.
 *
 * returns	true: call capacity_lose_pipe() when it is closed; false: its
 *		size is unchanged
 */
bool capacity_grow_pipe(struct capacity *cap, int fd);
void capacity_lose_pipe(struct capacity *cap);

/* A connection, request or leftover has ended: starts a waiting program and
 * calls on_end(). */
void capacity_something_ended(struct capacity *cap);

#endif
