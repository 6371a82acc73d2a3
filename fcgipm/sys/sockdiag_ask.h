/*
 * sockdiag_ask.h - one question to the kernel over netlink, and its answer
 *
 * For sys/sockdiag_unix and sys/sockdiag_tcp.
 */
#ifndef FCGIPM_SYS_SOCKDIAG_ASK_H
#define FCGIPM_SYS_SOCKDIAG_ASK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

struct sockdiag;

/* unix(7) uses the numbers of TCP's states. */
#define SOCKDIAG_STATE(state) (1U << (state))
#define SOCKDIAG_ALL_STATES (~0U)

/* Called for each socket of an answer; what it returns ends the walk unless
 * it is 0. */
typedef int (*sockdiag_answer_fn)(const struct nlmsghdr *h, void *arg);

/*
 * sockdiag_ask - send a question, read all of the answer
 *
 * flags	NLM_F_DUMP for a list
 * body, len	a request of sock_diag(7)
 * returns	0 after the last socket, or what fn returned; -1 with errno
 */
int sockdiag_ask(struct sockdiag *d, uint16_t flags, const void *body,
	size_t len, sockdiag_answer_fn fn, void *arg);

#endif
