/*
 * sockdiag_ask.h - sends one netlink request and reads the answer
 *
 * For sys/sockdiag_unix and sys/sockdiag_tcp.
 */
#ifndef FCGIPM_SYS_SOCKDIAG_ASK_H
#define FCGIPM_SYS_SOCKDIAG_ASK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

struct sockdiag;

/* The kernel reports states of unix sockets by the numbers of TCP states. */
#define SOCKDIAG_STATE(state) (1U << (state))
#define SOCKDIAG_ALL_STATES (~0U)

/* Called for each socket of an answer; a result other than 0 ends the
 * iteration. */
typedef int (*sockdiag_answer_fn)(const struct nlmsghdr *h, void *arg);

/*
 * sockdiag_ask - send a request and read the whole answer
 *
 * flags	NLM_F_DUMP for a list
 * body, len	a request of sock_diag(7)
 * returns	0 after the last socket, or what fn returned; -1 with errno
 */
int sockdiag_ask(struct sockdiag *d, uint16_t flags, const void *body,
	size_t len, sockdiag_answer_fn fn, void *arg);

#endif
