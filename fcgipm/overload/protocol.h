/*
 * protocol.h - messages between the supervisor and fcgipm-cgi --refuse
 *
 * They are sent over a SOCK_SEQPACKET socketpair, the channel.  A message has
 * no header: the four kinds differ in length.
 *
 *	supervisor (overload/orders)	refuser (overload/refuser)
 *
 *	struct refuser_order
 *	  [the new socket]	  ---->
 *			  <----		struct refuser_report
 *			  <----		struct refuser_want
 *	one byte, 0
 *	  a connection		  ---->
 *
 * In brackets: a descriptor that may be sent with the message.  Each order is
 * answered by one report, and the next order is sent after that report.  A
 * client that the refuser forwards to a worker needs a connection to the pool,
 * which the refuser may not have the right to make.  So it sends the number of
 * connections it wants, and gets one message with a connection for each.  If it
 * gets fewer, it asks again.
 *
 * The refuser exits when the channel is closed, when a message has none of
 * these lengths, or when no order arrives for REFUSER_IDLE_MS.  It runs as the
 * pool's user, so the supervisor limits each number in a report or a want.
 */
#ifndef FCGIPM_OVERLOAD_PROTOCOL_H
#define FCGIPM_OVERLOAD_PROTOCOL_H

#include <stdint.h>

#define REFUSER_FD 3		/* the channel, in the refuser */
#define REFUSER_IDLE_MS 1000
#define REFUSER_MAX 500		/* connections of one order */
/* The age of a TCP connection may be wrong by one tick of the kernel. */
#define REFUSER_TICK_MS 10

/* The first n clients of the queue are overdue.  A descriptor sent with it
 * replaces the listening socket, which was shut down. */
struct refuser_order {
	uint32_t n;		/* 1 to REFUSER_MAX */
	/* Unix: the inodes of these clients' sockets, in the queue's order; 0 =
	 * the client has disconnected.  TCP: unused, since the kernel knows the
	 * age of a connection. */
	uint32_t inos[REFUSER_MAX];
};

/* The result of an order.  The sum of both is at most its n. */
struct refuser_report {
	uint32_t refused;	/* answered with 503, or disconnected */
	uint32_t forwarded;	/* accepted, but not overdue: to a worker */
};

struct refuser_want {
	uint32_t n;		/* forwarded clients without a connection yet */
};

#endif
