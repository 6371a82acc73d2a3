/*
 * queue.h - estimates how long each client in the listen queue of a unix socket
 * has waited
 *
 * Pure.  The kernel lists the clients of a queue in order, but not their ages.
 * So a client's wait is counted from the first sample that contained it.
 */
#ifndef FCGIPM_OVERLOAD_QUEUE_H
#define FCGIPM_OVERLOAD_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queue_client {
	uint32_t ino;		/* of its socket; 0 = it has disconnected */
	int64_t since_ms;	/* first sample with it; unused for 0 */
};

struct queue {
	struct queue_client *v;	/* the oldest first */
	size_t n;
};

/* Adds a sample: the queue as sockdiag_unix_waiting() lists it.  Clients that
 * are no longer in it are removed. */
void queue_update(struct queue *q, const uint32_t *inos, size_t n,
	int64_t now_ms);

/*
 * queue_overdue - counts the clients at its head that arrived at since_ms or
 * before
 *
 * A client that has disconnected is counted if one after it is; the last client
 * counted is connected.
 */
size_t queue_overdue(const struct queue *q, int64_t since_ms);

/* When the oldest connected client was first seen; 0 = there is none. */
int64_t queue_oldest(const struct queue *q);

void queue_fini(struct queue *q);

#endif
