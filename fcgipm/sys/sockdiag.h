/*
 * sockdiag.h - queues, peers and origins of sockets, by sock_diag(7)
 *
 * One netlink socket (sock_diag(7)), kept, answers for all pools.  Nothing is
 * sent to a listener and nothing taken from it; every call returns at once.
 * Sockets are named by their inodes, as in /proc/PID/fd.
 */
#ifndef FCGIPM_SYS_SOCKDIAG_H
#define FCGIPM_SYS_SOCKDIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

struct sockdiag {
	int fd;			/* -1 when it could not be opened */
	int err;		/* why not, then */
	uint32_t seq;		/* of the last question */
};

/* 0; -1 with errno, fd -1: every other call fails with the same then, but those
 * that need a descriptor alone (sockdiag_tcp_queue) work.  Where descriptors or
 * memory were scarce it is tried again at each call. */
int sockdiag_open(struct sockdiag *d);
void sockdiag_close(struct sockdiag *d);

/* A listening socket, looked up once. */
struct sockdiag_listener {
	int family;		/* AF_UNIX, AF_INET, AF_INET6 */
	ino_t ino;
	/* Unix: the name it was bound to, not the one it was renamed to; its
	 * connections inherit it. */
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	size_t name_len;
	/* TCP */
	uint16_t port;		/* network byte order */
	uint8_t addr[16];	/* the first 4 bytes for AF_INET */
	bool any;		/* bound to every address */
};

/* 0; -1 with errno: ENOTSOCK, EINVAL when it does not listen, EPROTONOSUPPORT
 * when it is neither a unix nor a TCP socket. */
int sockdiag_listener_init(struct sockdiag_listener *l, int fd);

struct sockdiag_queue {
	unsigned waiting;	/* connections not accepted yet */
	unsigned limit;		/* how many may wait */
};

/* Of a unix listener, by inode (UDIAG_SHOW_RQLEN); 0, or -1 with errno:
 * ENOENT when there is none, EINVAL when it does not listen. */
int sockdiag_unix_queue(struct sockdiag *d, ino_t ino,
	struct sockdiag_queue *ret);

/* Of a TCP listener, by descriptor (tcp(7), TCP_INFO); 0, or -1 with errno,
 * EINVAL when it does not listen. */
int sockdiag_tcp_queue(int fd, struct sockdiag_queue *ret);

/* The longest queue that can be listed; a message of the kernel holds so
 * many. */
#define SOCKDIAG_WAITING_MAX 8000

/*
 * sockdiag_unix_waiting - who waits?  (UDIAG_SHOW_ICONS)
 *
 * ret_inos	room for max: the inodes of the clients' sockets, who has
 *		waited longest first; 0 for a client that has left already
 * returns	how many there are, which may be more than max; -1 with errno,
 *		EMSGSIZE for more than about SOCKDIAG_WAITING_MAX
 */
int sockdiag_unix_waiting(struct sockdiag *d, ino_t ino, uint32_t *ret_inos,
	size_t max);

/*
 * sockdiag_unix_peer - whom is this socket connected to?  (UDIAG_SHOW_PEER)
 *
 * returns	0, or -1 with errno
 * ret_ino	the other end's inode, 0 when that is closed
 */
int sockdiag_unix_peer(struct sockdiag *d, ino_t ino, uint32_t *ret_ino);

/*
 * sockdiag_unix_accepted - was this socket accepted from l?
 *
 * returns	1 yes, 0 no, -1 with errno: ENOENT when it is no unix socket,
 *		or closed
 */
int sockdiag_unix_accepted(struct sockdiag *d,
	const struct sockdiag_listener *l, ino_t ino);

/* Connections of a TCP listener that are not accepted yet. */
struct sockdiag_waiting {
	unsigned old;		/* as old as asked for, or older */
	unsigned waiting;	/* all of them */
	int64_t oldest_ms;	/* age; 0 = none waits */
};

/*
 * sockdiag_tcp_waiting - how many have waited that long?
 *
 * The age counts from the handshake, in ticks of the kernel (4 to 10 ms).
 *
 * returns	0, or -1 with errno
 */
int sockdiag_tcp_waiting(struct sockdiag *d,
	const struct sockdiag_listener *l, int64_t age_ms,
	struct sockdiag_waiting *ret);

/* The same age of one that was accepted and has been sent nothing; -1 with
 * errno. */
int64_t sockdiag_tcp_age_ms(int fd);

/* The accepted connections of a TCP listener, and the other TCP sockets. */
struct sockdiag_set {
	ino_t *accepted;	/* sorted */
	size_t naccepted;
	ino_t *others;		/* sorted; empty unless asked for */
	size_t nothers;
	size_t accepted_max, others_max;
};

/*
 * sockdiag_tcp_accepted - all connections accepted from l
 *
 * They have its local address and port and do not listen.  One that was reset
 * is in neither list: the kernel forgets its address.
 *
 * set		zeroed at first, then kept by the caller
 * with_others	list the TCP sockets that are not, too (of both families,
 *		but those without address)
 * returns	0, or -1 with errno, the set being empty then
 */
int sockdiag_tcp_accepted(struct sockdiag *d,
	const struct sockdiag_listener *l, bool with_others,
	struct sockdiag_set *set);
bool sockdiag_has(const ino_t *inos, size_t n, ino_t ino);
void sockdiag_set_fini(struct sockdiag_set *set);

#endif
