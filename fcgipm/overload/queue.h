/*
 * queue.h - since when has each client of a unix listener waited?
 *
 * Pure.  The kernel lists the clients of a queue in their order, but not their
 * ages: a client has waited since the first sample that had it, at least.
 */
#ifndef FCGIPM_OVERLOAD_QUEUE_H
#define FCGIPM_OVERLOAD_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queue_client {
	uint32_t ino;		/* of its socket; 0 = it has disconnected */
	int64_t since_ms;	/* first sample that had it; unused for 0 */
};

struct queue {
	struct queue_client *v;	/* the oldest first */
	size_t n;
};

/* The queue as sockdiag_unix_waiting() lists it now; clients that are no longer
 * in it are forgotten. */
void queue_update(struct queue *q, const uint32_t *inos, size_t n,
	int64_t now_ms);

/*
 * queue_overdue - how many at its head arrived at since_ms or before?
 *
 * A client that has disconnected counts when one after it does; the last one
 * counted is connected.
 */
size_t queue_overdue(const struct queue *q, int64_t since_ms);

/* When the oldest client that is connected was first seen; 0 = there is
 * none. */
int64_t queue_oldest(const struct queue *q);

void queue_fini(struct queue *q);

#endif
