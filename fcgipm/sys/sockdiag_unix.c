/*
 * sockdiag_unix.c - queries single unix sockets of any process; see sockdiag.h
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "sys/sockdiag.h"
#include "sys/sockdiag_ask.h"

struct unix_answer {
	const struct sockdiag_listener *listener;	/* to compare with */
	ino_t ino;			/* of the socket that is queried */
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

/* Queries one socket by inode.  Returns 0, or -1 with errno. */
static int
ask_unix(struct sockdiag *d, ino_t ino, unsigned show, struct unix_answer *a)
{
	struct unix_diag_req req = {.sdiag_family = AF_UNIX,
		.udiag_states = SOCKDIAG_ALL_STATES,
		.udiag_ino = (uint32_t)ino,
		.udiag_show = show,
		.udiag_cookie = {~0U, ~0U}};
	int rc;

	a->ino = ino;
	rc = sockdiag_ask(d, 0, &req, sizeof(req), on_unix, a);
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
		.udiag_states = SOCKDIAG_STATE(TCP_LISTEN),
		.udiag_show = UDIAG_SHOW_ICONS};
	struct unix_answer a = {.icons = ret_inos, .max_icons = max};
	int rc = ask_unix(d, ino, UDIAG_SHOW_ICONS, &a);

	/* In an answer about one socket the kernel fills one page at most,
	 * enough for a queue of a thousand.  A list has more room. */
	if (rc < 0 && errno == EMSGSIZE) {
		rc = sockdiag_ask(d, NLM_F_DUMP, &all, sizeof(all), on_unix, &a);
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
