/*
 * sockdiag.c - sockets that are not ours, by netlink; see sockdiag.h
 *
 * Called from pool/ and by overload/refuser.  The kernel answers a question
 * about one socket before sendto(2) returns, and each part of a list when the
 * one before it is read, so nothing here waits: an answer that is not there is
 * an error.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/sockdiag.h"

/* As much as the kernel puts into one message of a list. */
#define ANSWER_BYTES 32768

/* unix(7) uses the numbers of TCP's states. */
#define STATE(state) (1U << (state))
#define ALL_STATES (~0U)

/* Called for each socket of an answer; what it returns ends the walk unless
 * it is 0. */
typedef int (*answer_fn)(const struct nlmsghdr *h, void *arg);

int
sockdiag_open(struct sockdiag *d)
{
	d->seq = 0;
	d->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	d->err = d->fd < 0 ? errno : 0;
	return d->fd < 0 ? -1 : 0;
}

/* A kernel without it, or a filter that forbids it, says the same for ever;
 * what was scarce may be there now. */
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
 * One datagram: fn for each socket in it.
 *
 * returns	0, or what fn returned; -1 with errno
 * ret_end	true when nothing follows
 */
static int
read_answer(struct sockdiag *d, answer_fn fn, void *arg, bool *ret_end)
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
		/* Of a question that failed halfway. */
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

/* 0 after the last socket, or what fn returned; -1 with errno. */
static int
ask(struct sockdiag *d, uint16_t flags, const void *body, size_t len,
	answer_fn fn, void *arg)
{
	bool end = false;
	int rc;

	if ((d->fd < 0 && open_again(d) < 0) ||
		send_request(d, flags, body, len) < 0)
		return -1;
	do
		rc = read_answer(d, fn, arg, &end);
	while (rc == 0 && !end);
	/* An answer's rest that nobody reads would be in the way for ever. */
	if (rc != 0 && !end && flags & NLM_F_DUMP) {
		int saved = errno;

		fd_close(&d->fd);
		(void)sockdiag_open(d);
		errno = saved;
	}
	return rc;
}

/* -- unix ------------------------------------------------------------------ */

struct unix_answer {
	const struct sockdiag_listener *listener;	/* to compare with */
	ino_t ino;			/* of the socket that is asked about */
	struct sockdiag_queue queue;
	unsigned state;
	bool same_name;
	uint32_t peer;
	uint32_t *icons;		/* room for max_icons */
	size_t nicons, max_icons;
};

static int
on_unix(const struct nlmsghdr *h, void *arg)
{
	const struct unix_diag_msg *m = NLMSG_DATA(h);
	struct unix_answer *a = arg;
	const struct rtattr *attr;
	unsigned left;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->udiag_ino != a->ino)
		return 0;
	left = h->nlmsg_len - (unsigned)NLMSG_LENGTH(sizeof(*m));
	a->state = m->udiag_state;
	for (attr = (const struct rtattr *)(m + 1); RTA_OK(attr, left);
		attr = RTA_NEXT(attr, left)) {
		const void *p = RTA_DATA(attr);
		size_t len = RTA_PAYLOAD(attr);
		struct unix_diag_rqlen rqlen;

		if (attr->rta_type == UNIX_DIAG_RQLEN &&
			len >= sizeof(rqlen)) {
			memcpy(&rqlen, p, sizeof(rqlen));
			a->queue.waiting = rqlen.udiag_rqueue;
			a->queue.limit = rqlen.udiag_wqueue;
		} else if (attr->rta_type == UNIX_DIAG_ICONS) {
			a->nicons = len / sizeof(*a->icons);
			memcpy(a->icons, p, MIN(a->nicons, a->max_icons) *
					sizeof(*a->icons));
		} else if (attr->rta_type == UNIX_DIAG_PEER &&
			len >= sizeof(a->peer)) {
			memcpy(&a->peer, p, sizeof(a->peer));
		} else if (attr->rta_type == UNIX_DIAG_NAME && a->listener) {
			a->same_name = len == a->listener->name_len &&
				memcmp(p, a->listener->name, len) == 0;
		}
	}
	return 1;
}

/* One socket by inode; 0, or -1 with errno. */
static int
ask_unix(struct sockdiag *d, ino_t ino, unsigned show, struct unix_answer *a)
{
	struct unix_diag_req req = {.sdiag_family = AF_UNIX,
		.udiag_states = ALL_STATES,
		.udiag_ino = (uint32_t)ino,
		.udiag_show = show,
		.udiag_cookie = {~0U, ~0U}};
	int rc;

	a->ino = ino;
	rc = ask(d, 0, &req, sizeof(req), on_unix, a);
	if (rc == 0) {
		errno = ENOENT;
		return -1;
	}
	return rc < 0 ? -1 : 0;
}

int
sockdiag_unix_queue(struct sockdiag *d, ino_t ino, struct sockdiag_queue *ret)
{
	struct unix_answer a = {0};

	if (ask_unix(d, ino, UDIAG_SHOW_RQLEN, &a) < 0)
		return -1;
	if (a.state != TCP_LISTEN) {
		errno = EINVAL;
		return -1;
	}
	*ret = a.queue;
	return 0;
}

int
sockdiag_unix_waiting(struct sockdiag *d, ino_t ino, uint32_t *ret_inos,
	size_t max)
{
	struct unix_diag_req all = {.sdiag_family = AF_UNIX,
		.udiag_states = STATE(TCP_LISTEN),
		.udiag_show = UDIAG_SHOW_ICONS};
	struct unix_answer a = {.icons = ret_inos, .max_icons = max};
	int rc = ask_unix(d, ino, UDIAG_SHOW_ICONS, &a);

	/* Asked about one socket the kernel fills a page at most; that is a
	 * queue of a thousand.  In a list of all listeners there is room. */
	if (rc < 0 && errno == EMSGSIZE) {
		rc = ask(d, NLM_F_DUMP, &all, sizeof(all), on_unix, &a);
		if (rc == 0) {
			errno = EMSGSIZE;
			rc = -1;
		}
	}
	if (rc < 0)
		return -1;
	if (a.state != TCP_LISTEN) {
		errno = EINVAL;
		return -1;
	}
	return (int)a.nicons;
}

int
sockdiag_unix_peer(struct sockdiag *d, ino_t ino, uint32_t *ret_ino)
{
	struct unix_answer a = {0};

	if (ask_unix(d, ino, UDIAG_SHOW_PEER, &a) < 0)
		return -1;
	*ret_ino = a.peer;
	return 0;
}

int
sockdiag_unix_accepted(struct sockdiag *d, const struct sockdiag_listener *l,
	ino_t ino)
{
	struct unix_answer a = {.listener = l};

	if (ask_unix(d, ino, UDIAG_SHOW_NAME, &a) < 0)
		return -1;
	return a.same_name && a.state != TCP_LISTEN;
}

/* -- TCP ------------------------------------------------------------------- */

int
sockdiag_tcp_queue(int fd, struct sockdiag_queue *ret)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -1;
	if (info.tcpi_state != TCP_LISTEN) {
		errno = EINVAL;
		return -1;
	}
	ret->waiting = info.tcpi_unacked;
	ret->limit = info.tcpi_sacked;
	return 0;
}

static bool
is_from(const struct inet_diag_msg *m, const struct sockdiag_listener *l)
{
	return m->idiag_family == l->family &&
		m->id.idiag_sport == l->port && m->idiag_state != TCP_LISTEN &&
		(l->any ||
			memcmp(m->id.idiag_src, l->addr,
				l->family == AF_INET ? 4 : 16) == 0);
}

/* The kernel notes the end of a handshake as if data had been sent then. */
static int64_t
age_of(const struct tcp_info *info)
{
	return info->tcpi_last_data_sent;
}

struct waiting_answer {
	const struct sockdiag_listener *listener;
	int64_t age_ms;
	struct sockdiag_waiting *ret;
};

static int
on_waiting(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	struct waiting_answer *a = arg;
	const struct rtattr *attr;
	struct tcp_info info;
	unsigned left;

	/* Of these two states only who was not accepted has no inode. */
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->idiag_inode != 0 ||
		!is_from(m, a->listener))
		return 0;
	left = h->nlmsg_len - (unsigned)NLMSG_LENGTH(sizeof(*m));
	a->ret->waiting++;
	for (attr = (const struct rtattr *)(m + 1); RTA_OK(attr, left);
		attr = RTA_NEXT(attr, left)) {
		if (attr->rta_type != INET_DIAG_INFO ||
			RTA_PAYLOAD(attr) < sizeof(info))
			continue;
		memcpy(&info, RTA_DATA(attr), sizeof(info));
		a->ret->old += age_of(&info) >= a->age_ms;
		a->ret->oldest_ms = MAX(a->ret->oldest_ms, age_of(&info));
	}
	return 0;
}

int
sockdiag_tcp_waiting(struct sockdiag *d, const struct sockdiag_listener *l,
	int64_t age_ms, struct sockdiag_waiting *ret)
{
	struct inet_diag_req_v2 req = {.sdiag_family = (uint8_t)l->family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
		.idiag_states = STATE(TCP_ESTABLISHED) | STATE(TCP_CLOSE_WAIT),
		.id = {.idiag_sport = l->port}};
	struct waiting_answer a = {l, age_ms, ret};

	*ret = (struct sockdiag_waiting){0};
	return ask(d, NLM_F_DUMP, &req, sizeof(req), on_waiting, &a);
}

int64_t
sockdiag_tcp_age_ms(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -1;
	return age_of(&info);
}

struct tcp_answer {
	const struct sockdiag_listener *listener;
	struct sockdiag_set *set;
	bool with_others;
};

static int
add(ino_t **list, size_t *n, size_t *max, ino_t ino)
{
	if (*n == *max) {
		size_t more = *max ? *max * 2 : 64;
		ino_t *p = reallocarray(*list, more, sizeof(**list));

		if (!p)
			return -1;
		*list = p;
		*max = more;
	}
	(*list)[(*n)++] = ino;
	return 0;
}

static int
on_tcp(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	struct tcp_answer *a = arg;
	struct sockdiag_set *set = a->set;

	/* No inode: not accepted yet, or closed and on its way out. */
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->idiag_inode == 0)
		return 0;
	if (is_from(m, a->listener))
		return add(&set->accepted, &set->naccepted,
			&set->accepted_max, m->idiag_inode);
	return a->with_others ? add(&set->others, &set->nothers,
					&set->others_max, m->idiag_inode) :
				0;
}

static int
compare(const void *a, const void *b)
{
	const ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

	return x < y ? -1 : x > y;
}

bool
sockdiag_has(const ino_t *inos, size_t n, ino_t ino)
{
	return n > 0 && bsearch(&ino, inos, n, sizeof(*inos), compare) != NULL;
}

static int
ask_tcp(struct sockdiag *d, int family, struct tcp_answer *a)
{
	struct inet_diag_req_v2 req = {.sdiag_family = (uint8_t)family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = ALL_STATES};

	if (!a->with_others) {
		req.id.idiag_sport = a->listener->port;
		req.idiag_states &= ~STATE(TCP_LISTEN);
	}
	return ask(d, NLM_F_DUMP, &req, sizeof(req), on_tcp, a);
}

int
sockdiag_tcp_accepted(struct sockdiag *d, const struct sockdiag_listener *l,
	bool with_others, struct sockdiag_set *set)
{
	struct tcp_answer a = {l, set, with_others};
	int rc;

	set->naccepted = set->nothers = 0;
	rc = ask_tcp(d, l->family, &a);
	if (rc == 0 && with_others) {
		rc = ask_tcp(d, l->family == AF_INET ? AF_INET6 : AF_INET, &a);
		/* A kernel without IPv6 has no such sockets. */
		if (rc < 0 && errno == ENOENT)
			rc = 0;
	}
	if (rc != 0) {
		set->naccepted = set->nothers = 0;
		return -1;
	}
	if (set->naccepted > 1)
		qsort(set->accepted, set->naccepted, sizeof(ino_t), compare);
	if (set->nothers > 1)
		qsort(set->others, set->nothers, sizeof(ino_t), compare);
	return 0;
}

void
sockdiag_set_fini(struct sockdiag_set *set)
{
	free(set->accepted);
	free(set->others);
	*set = (struct sockdiag_set){0};
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
