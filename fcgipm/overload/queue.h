/*
 * queue.h - since when has each client of a unix listener waited?
 *
 * Pure.  The kernel tells who waits, in their order, and not since when: a
 * client has waited since the first look that saw him, at least.
 */
#ifndef FCGIPM_OVERLOAD_QUEUE_H
#define FCGIPM_OVERLOAD_QUEUE_H

#include <stddef.h>
#include <stdint.h>

/* One in the queue. */
struct queue_client {
	uint32_t ino;		/* of his socket; 0 = he has left it */
	int64_t since_ms;	/* first look that saw him; unused for 0 */
};

struct queue {
	struct queue_client *v;	/* who has waited longest first */
	size_t n;
};

/* The queue as sockdiag_unix_waiting() lists it now; forgets who is gone. */
void queue_note(struct queue *w, const uint32_t *inos, size_t n,
	int64_t now_ms);

/*
 * queue_overdue - how many at its beginning came at since_ms or before?
 *
 * Somebody who has left counts when one behind him does; the last one
 * counted has not left.
 */
size_t queue_overdue(const struct queue *w, int64_t since_ms);

/* When the oldest who has not left was first seen; 0 = there is none. */
int64_t queue_oldest(const struct queue *w);

void queue_fini(struct queue *w);

#endif
