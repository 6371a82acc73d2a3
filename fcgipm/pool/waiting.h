/*
 * waiting.h - since when has each client of a unix listener waited?
 *
 * Pure.  The kernel tells who waits, in their order, and not since when: a
 * client has waited since the first look that saw him, at least.
 */
#ifndef FCGIPM_POOL_WAITING_H
#define FCGIPM_POOL_WAITING_H

#include <stddef.h>
#include <stdint.h>

/* One in the queue. */
struct waiting_client {
	uint32_t ino;		/* of his socket; 0 = he has left it */
	int64_t since_ms;	/* first look that saw him; unused for 0 */
};

struct waiting {
	struct waiting_client *v;	/* who has waited longest first */
	size_t n;
};

/* The queue as sockdiag_unix_waiting() lists it now; forgets who is gone. */
void waiting_note(struct waiting *w, const uint32_t *inos, size_t n,
	int64_t now_ms);

/*
 * waiting_overdue - how many at its beginning came at since_ms or before?
 *
 * Somebody who has left counts when one behind him does; the last one
 * counted has not left.
 */
size_t waiting_overdue(const struct waiting *w, int64_t since_ms);

/* When the oldest who has not left was first seen; 0 = there is none. */
int64_t waiting_oldest(const struct waiting *w);

void waiting_fini(struct waiting *w);

#endif
