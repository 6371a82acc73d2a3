/*
 * relay.h - a connection accepted by mistake goes on to a worker
 *
 * It is connected to its pool's address again, and the bytes of both sides go
 * through unchanged.
 */
#ifndef FCGIPM_GATEWAY_RELAY_H
#define FCGIPM_GATEWAY_RELAY_H

#include <stdint.h>

struct addr;
struct apologies;
struct loop;

/* What all relays of a process have in common. */
struct relays {
	struct loop *loop;		/* borrowed, as are these */
	const struct addr *to;		/* the pool's address */
	struct apologies *apologies;
	unsigned open;
};

/*
 * relay_begin - fd, non-blocking, is taken
 *
 * overdue_ms	when it may be refused; until then a pool that cannot be
 *		connected to is tried again
 */
void relay_begin(struct relays *all, int fd, int64_t overdue_ms);

#endif
