/*
 * protocol.h - messages between the supervisor and fcgipm-cgi --refuse
 *
 * They travel over a socketpair of SOCK_SEQPACKET, the channel.  A message has
 * no header: the four kinds differ in length.
 *
 *	supervisor (overload/orders)	refuser (overload/refuser)
 *
 *	struct refuser_order
 *	  [the new listener]	  ---->
 *			  <----		struct refuser_report
 *			  <----		struct refuser_want
 *	one byte, 0
 *	  a connection		  ---->
 *
 * In brackets: a descriptor that comes with the message at times.  Each order
 * is answered by one report, and no order is sent before the report on the
 * previous one came.  A client that the refuser forwards to a worker needs a
 * connection to the pool, which the refuser may lack the right to make: it says
 * how many it wants and gets as many messages with a connection, or fewer, and
 * then it asks again.
 *
 * The refuser exits when the channel is closed, when a message has none of
 * these lengths, or when no order came for REFUSER_IDLE_MS.  It runs as the
 * pool's user, so the supervisor bounds each number in a report or a want.
 */
#ifndef FCGIPM_OVERLOAD_PROTOCOL_H
#define FCGIPM_OVERLOAD_PROTOCOL_H

#include <stdint.h>

#define REFUSER_FD 3		/* the channel, in the refuser */
#define REFUSER_IDLE_MS 1000
#define REFUSER_MAX 500		/* connections of one order */
/* The age of a TCP connection may be wrong by a tick of the kernel. */
#define REFUSER_TICK_MS 10

/* The first n clients of the queue are overdue.  A descriptor with it replaces
 * the listener, which was shut down. */
struct refuser_order {
	uint32_t n;		/* 1 to REFUSER_MAX */
	/* Unix: the inodes of these clients' sockets, in the queue's order; 0 =
	 * the client has disconnected.  TCP: unused, as the kernel tells the
	 * age of a connection. */
	uint32_t inos[REFUSER_MAX];
};

/* What became of an order.  Both together are at most its n. */
struct refuser_report {
	uint32_t refused;	/* answered with 503, or disconnected */
	uint32_t forwarded;	/* accepted, but not overdue: go to a worker */
};

struct refuser_want {
	uint32_t n;		/* forwarded clients without a connection yet */
};

#endif
