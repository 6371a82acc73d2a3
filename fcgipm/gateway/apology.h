/*
 * apology.h - one connection is answered with status 503, and closed
 *
 * Whatever it asks for; mostly in one read and one write.
 */
#ifndef FCGIPM_GATEWAY_APOLOGY_H
#define FCGIPM_GATEWAY_APOLOGY_H

#include <stdint.h>

struct loop;

/* Connections of one process that are still sending or have not begun; whoever
 * comes above waits in the queue. */
#define APOLOGIES_MAX 500

/* What all apologies of a process have in common. */
struct apologies {
	struct loop *loop;	/* borrowed */
	int64_t retry_after_s;	/* of the header Retry-After */
	unsigned open;		/* connections that have not ended yet */
};

/* fd, non-blocking, is taken. */
void apology_make(struct apologies *all, int fd);

#endif
