/*
 * lying_refuser.c - replaces fcgipm-cgi --refuse and reports false numbers
 *
 * It accepts no client.  On its first order it reports the largest numbers,
 * twice and with a descriptor each.  On the second order it reports that it
 * refused one client and forwarded as many, and then asks for as many
 * connections.  It writes what it receives to stderr.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "overload/protocol.h"

static void
send_with_descriptor(const struct refuser_report *r)
{
	union {
		struct cmsghdr header;
		unsigned char bytes[CMSG_SPACE(sizeof(int))];
	} ctl = {.bytes = {0}};
	struct iovec iov = {(void *)r, sizeof(*r)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &ctl, .msg_controllen = sizeof(ctl)};

	ctl.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
	memset(CMSG_DATA(&ctl.header), 0, sizeof(int));
	(void)sendmsg(REFUSER_FD, &m, 0);
}

/* Returns the next message, or 0 after a timeout. */
static ssize_t
receive(struct refuser_order *o, int patience_ms)
{
	struct pollfd p = {REFUSER_FD, POLLIN, 0};

	if (poll(&p, 1, patience_ms) <= 0)
		return 0;
	return recv(REFUSER_FD, o, sizeof(*o), 0);
}

/* Descriptors are dropped, because receive() has no space for them. */
static unsigned
count_connections(void)
{
	static struct refuser_order o;
	const struct refuser_want want = {~0U};
	unsigned n = 0;

	(void)send(REFUSER_FD, &want, sizeof(want), 0);
	while (receive(&o, 300) == 1)
		n++;
	return n;
}

int
main(void)
{
	static struct refuser_order o;
	struct refuser_report r = {~0U, ~0U};

	if (receive(&o, 2000) != (ssize_t)sizeof(o))
		return 0;
	send_with_descriptor(&r);
	send_with_descriptor(&r);
	fprintf(stderr, "first order: %u\n", o.n);
	if (receive(&o, 2000) != (ssize_t)sizeof(o))
		return 0;
	r.refused = 1;
	send_with_descriptor(&r);
	fprintf(stderr, "second order: %u, connections: %u\n", o.n,
		count_connections());
	return 0;
}
