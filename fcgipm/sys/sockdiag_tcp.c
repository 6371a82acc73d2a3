/*
 * sockdiag_tcp.c - lists TCP sockets of all processes; see sockdiag.h
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "sys/sockdiag.h"
#include "sys/sockdiag_ask.h"

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

/* The kernel sets the time of the last data sent at the end of the handshake,
 * too. */
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

	/* In these two states, only a connection in the queue has no inode. */
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
		.idiag_states = SOCKDIAG_STATE(TCP_ESTABLISHED) |
			SOCKDIAG_STATE(TCP_CLOSE_WAIT),
		.id = {.idiag_sport = l->port}};
	struct waiting_answer a = {l, age_ms, ret};

	*ret = (struct sockdiag_waiting){0};
	return sockdiag_ask(d, NLM_F_DUMP, &req, sizeof(req), on_waiting, &a);
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
add_ino(ino_t **list, size_t *n, size_t *max, ino_t ino)
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

	/* Without an inode: in the queue, or closed by its process. */
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->idiag_inode == 0)
		return 0;
	if (is_from(m, a->listener))
		return add_ino(&set->accepted, &set->naccepted,
			&set->accepted_max, m->idiag_inode);
	return a->with_others ? add_ino(&set->others, &set->nothers,
					&set->others_max, m->idiag_inode) :
				0;
}

static int
compare_inos(const void *a, const void *b)
{
	const ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

	return x < y ? -1 : x > y;
}

bool
sockdiag_has(const ino_t *inos, size_t n, ino_t ino)
{
	return n > 0 && bsearch(&ino, inos, n, sizeof(*inos), compare_inos) != NULL;
}

static int
ask_tcp(struct sockdiag *d, int family, struct tcp_answer *a)
{
	struct inet_diag_req_v2 req = {.sdiag_family = (uint8_t)family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = SOCKDIAG_ALL_STATES};

	if (!a->with_others) {
		req.id.idiag_sport = a->listener->port;
		req.idiag_states &= ~SOCKDIAG_STATE(TCP_LISTEN);
	}
	return sockdiag_ask(d, NLM_F_DUMP, &req, sizeof(req), on_tcp, a);
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
		qsort(set->accepted, set->naccepted, sizeof(ino_t), compare_inos);
	if (set->nothers > 1)
		qsort(set->others, set->nothers, sizeof(ino_t), compare_inos);
	return 0;
}

void
sockdiag_set_fini(struct sockdiag_set *set)
{
	free(set->accepted);
	free(set->others);
	*set = (struct sockdiag_set){0};
}
