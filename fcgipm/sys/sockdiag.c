/*
 * sockdiag.c - the sock_diag(7) netlink socket, and listeners; see sockdiag.h
 *
 * Common code of sys/sockdiag_unix and sys/sockdiag_tcp.  Called by observe/,
 * pool/, overload/ and master/super.  Nothing here waits.  The kernel answers a
 * request about one socket before sendto(2) returns, and produces each part of
 * a list when the part before it is read.  So a missing answer is an error.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/sockdiag.h"
#include "sys/sockdiag_ask.h"

/* Maximum size of one message of a list. */
#define ANSWER_BYTES 32768

int
sockdiag_open(struct sockdiag *d)
{
	d->seq = 0;
	d->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	d->err = d->fd < 0 ? errno : 0;
	return d->fd < 0 ? -1 : 0;
}

/* When the kernel has no sock_diag, or a filter forbids it, the error stays.
 * After a shortage of descriptors or memory another attempt may succeed. */
static int
open_again(struct sockdiag *d)
{
	if (d->err == EMFILE || d->err == ENFILE || d->err == ENOMEM ||
		d->err == ENOBUFS)
		return sockdiag_open(d);
	errno = d->err ? d->err : EBADF;
	return -1;
}

void
sockdiag_close(struct sockdiag *d)
{
	fd_close(&d->fd);
}

static int
send_request(struct sockdiag *d, uint16_t flags, const void *body, size_t len)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr head;
		uint8_t body[sizeof(struct inet_diag_req_v2)];
	} message = {.head = {.nlmsg_len = NLMSG_LENGTH((uint32_t)len),
			     .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			     .nlmsg_flags = NLM_F_REQUEST | flags,
			     .nlmsg_seq = ++d->seq}};

	memcpy(message.body, body, len);
	if (sendto(d->fd, &message, message.head.nlmsg_len, MSG_DONTWAIT,
		    (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -1;
	return 0;
}

static int
answer_error(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	errno = EPROTO;
	if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0)
		errno = -e->error;
	return -1;
}

/*
 * Reads one datagram and calls fn for each socket in it.
 *
 * returns	0, or what fn returned; -1 with errno
 * ret_end	true after the last message
 */
static int
read_answer(struct sockdiag *d, sockdiag_answer_fn fn, void *arg, bool *ret_end)
{
	union {
		struct nlmsghdr head;
		uint8_t bytes[ANSWER_BYTES];
	} in;
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	const struct nlmsghdr *h;
	unsigned left;
	ssize_t n;
	int rc = 0;

	n = recvfrom(d->fd, &in, sizeof(in), MSG_DONTWAIT | MSG_TRUNC,
		(struct sockaddr *)&from, &from_len);
	if (n < 0)
		return -1;
	if (n > (ssize_t)sizeof(in)) {
		errno = EMSGSIZE;
		return -1;
	}
	if (from.nl_pid != 0)
		return 0;
	left = (unsigned)n;
	for (h = &in.head; rc == 0 && NLMSG_OK(h, left);
		h = NLMSG_NEXT(h, left)) {
		/* An answer to an earlier request that was not read whole. */
		if (h->nlmsg_seq != d->seq)
			continue;
		*ret_end = !(h->nlmsg_flags & NLM_F_MULTI) ||
			h->nlmsg_type == NLMSG_DONE;
		if (h->nlmsg_type == NLMSG_ERROR)
			return answer_error(h);
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			rc = fn(h, arg);
	}
	return rc;
}

int
sockdiag_ask(struct sockdiag *d, uint16_t flags, const void *body, size_t len,
	sockdiag_answer_fn fn, void *arg)
{
	bool end = false;
	int rc;

	if ((d->fd < 0 && open_again(d) < 0) ||
		send_request(d, flags, body, len) < 0)
		return -1;
	do
		rc = read_answer(d, fn, arg, &end);
	while (rc == 0 && !end);
	/* An unread rest would precede the next answer: open a new socket. */
	if (rc != 0 && !end && flags & NLM_F_DUMP) {
		int saved = errno;

		fd_close(&d->fd);
		(void)sockdiag_open(d);
		errno = saved;
	}
	return rc;
}

/* -- listeners ------------------------------------------------------------- */

static int
get_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0)
		return -1;
	return value;
}

static void
set_address(struct sockdiag_listener *l, const struct sockaddr_storage *sa,
	socklen_t len)
{
	static const uint8_t none[16];

	if (l->family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)sa;

		l->name_len = len - offsetof(struct sockaddr_un, sun_path);
		memcpy(l->name, un->sun_path, l->name_len);
	} else if (l->family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		memcpy(&l->port, &in->sin_port, sizeof(l->port));
		memcpy(l->addr, &in->sin_addr, 4);
		l->any = memcmp(l->addr, none, 4) == 0;
	} else {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		memcpy(&l->port, &in6->sin6_port, sizeof(l->port));
		memcpy(l->addr, &in6->sin6_addr, 16);
		l->any = memcmp(l->addr, none, 16) == 0;
	}
}

int
sockdiag_listener_init(struct sockdiag_listener *l, int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	int listens = get_option(fd, SO_ACCEPTCONN);
	struct stat st;

	*l = (struct sockdiag_listener){.family = get_option(fd, SO_DOMAIN)};
	if (listens < 0 || l->family < 0 || fstat(fd, &st) < 0 ||
		getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -1;
	if (!listens) {
		errno = EINVAL;
		return -1;
	}
	if ((l->family != AF_UNIX && l->family != AF_INET &&
		    l->family != AF_INET6) ||
		get_option(fd, SO_TYPE) != SOCK_STREAM ||
		(l->family != AF_UNIX &&
			get_option(fd, SO_PROTOCOL) != IPPROTO_TCP) ||
		len < sizeof(sa.ss_family) ||
		len > offsetof(struct sockaddr_un, sun_path) +
				sizeof(l->name)) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	l->ino = st.st_ino;
	set_address(l, &sa, len);
	return 0;
}
