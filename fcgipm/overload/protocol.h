/*
 * protocol.h - what the supervisor and fcgipm-cgi --refuse tell each other
 *
 * Over a socketpair of SOCK_SEQPACKET, where the length says what a message is.
 * An order is answered by a report.  For those who go on to a worker the
 * refuser wants connections to the pool; each comes as a byte with a
 * descriptor, or not: then it asks again.  It leaves when the channel is
 * closed, or when it got no order for REFUSER_IDLE_MS.
 */
#ifndef FCGIPM_OVERLOAD_PROTOCOL_H
#define FCGIPM_OVERLOAD_PROTOCOL_H

#include <stdint.h>

#define REFUSER_FD 3		/* the channel, in the refuser */
#define REFUSER_IDLE_MS 1000
#define REFUSER_MAX 500		/* connections of one order */
/* The age of a TCP connection may be wrong by a tick of the kernel. */
#define REFUSER_TICK_MS 10

/* The first n of the queue are overdue.  A descriptor that comes with it is the
 * listener from here on: the one before was shut. */
struct refuser_order {
	uint32_t n;		/* 1 to REFUSER_MAX */
	/* Unix: their clients' sockets, who waited longest first; 0 = he has
	 * left.  A TCP connection knows its age itself. */
	uint32_t inos[REFUSER_MAX];
};

struct refuser_report {
	uint32_t refused;	/* got a 503, or had left */
	uint32_t passed;	/* accepted by mistake, and sent to a worker */
};

struct refuser_want {
	uint32_t n;		/* connections: of those passed on, who have
				 * none yet */
};

#endif
