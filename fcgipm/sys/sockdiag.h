/*
 * sockdiag.h - reads queues, peers and listeners of sockets by sock_diag(7)
 *
 * One netlink socket stays open and serves all pools.  Reading does not change
 * a listener or its queue, and every call returns at once.  A socket is
 * identified by its inode, as in /proc/PID/fd.
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
	int err;		/* errno of that; 0 = open */
	uint32_t seq;		/* sequence number of the last request */
};

/*
 * Returns 0; -1 with errno and fd -1.  Then every other call fails with the
 * same errno, except those that need a descriptor only (sockdiag_tcp_queue).
 * After a shortage of descriptors or memory, each call tries to open it again.
 */
int sockdiag_open(struct sockdiag *d);
void sockdiag_close(struct sockdiag *d);

/* What identifies a listening socket and the connections accepted from it. */
struct sockdiag_listener {
	int family;		/* AF_UNIX, AF_INET, AF_INET6 */
	ino_t ino;
	/* Unix: the name it was bound to, not the one it was renamed to.
	 * Accepted connections have the same name. */
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	size_t name_len;
	/* TCP */
	uint16_t port;		/* network byte order */
	uint8_t addr[16];	/* the first 4 bytes for AF_INET */
	bool any;		/* bound to every address */
};

/* Returns 0; -1 with errno: ENOTSOCK, EINVAL when it does not listen,
 * EPROTONOSUPPORT when it is neither a unix nor a TCP socket. */
int sockdiag_listener_init(struct sockdiag_listener *l, int fd);

struct sockdiag_queue {
	unsigned waiting;	/* connections not accepted yet */
	unsigned limit;		/* maximum of waiting */
};

/* Reads the queue of a unix listener by inode (UDIAG_SHOW_RQLEN).  Returns 0,
 * or -1 with errno: ENOENT when there is no such socket, EINVAL when it does
 * not listen. */
int sockdiag_unix_queue(struct sockdiag *d, ino_t ino,
	struct sockdiag_queue *ret);

/* Reads the queue of a TCP listener by descriptor (tcp(7), TCP_INFO).  Returns
 * 0, or -1 with errno, EINVAL when it does not listen. */
int sockdiag_tcp_queue(int fd, struct sockdiag_queue *ret);

/* The longest queue that can be listed: as much as one message of the kernel
 * holds. */
#define SOCKDIAG_WAITING_MAX 8000

/*
 * sockdiag_unix_waiting - list the clients in a queue (UDIAG_SHOW_ICONS)
 *
 * ret_inos	room for max: the inodes of the clients' sockets, the longest
 *		wait first; 0 for a client that has closed its socket
 * returns	the length of the queue, which may exceed max; -1 with errno,
 *		EMSGSIZE for more than about SOCKDIAG_WAITING_MAX
 */
int sockdiag_unix_waiting(struct sockdiag *d, ino_t ino, uint32_t *ret_inos,
	size_t max);

/*
 * sockdiag_unix_peer - find the peer of a socket (UDIAG_SHOW_PEER)
 *
 * returns	0, or -1 with errno
 * ret_ino	the peer's inode, 0 when the peer is closed
 */
int sockdiag_unix_peer(struct sockdiag *d, ino_t ino, uint32_t *ret_ino);

/*
 * sockdiag_unix_accepted - was this socket accepted from l?
 *
 * returns	1 yes, 0 no, -1 with errno: ENOENT when it is not an open unix
 *		socket
 */
int sockdiag_unix_accepted(struct sockdiag *d,
	const struct sockdiag_listener *l, ino_t ino);

/* Connections of a TCP listener that are not accepted yet. */
struct sockdiag_waiting {
	unsigned old;		/* of the given age, or older */
	unsigned waiting;	/* all of them */
	int64_t oldest_ms;	/* age; 0 = none waits */
};

/*
 * sockdiag_tcp_waiting - count the clients that have waited for age_ms
 *
 * The age counts from the handshake, in ticks of the kernel (4 to 10 ms).
 *
 * returns	0, or -1 with errno
 */
int sockdiag_tcp_waiting(struct sockdiag *d,
	const struct sockdiag_listener *l, int64_t age_ms,
	struct sockdiag_waiting *ret);

/* The same age of an accepted connection on which nothing was sent; -1 with
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
 * sockdiag_tcp_accepted - list the connections accepted from l
 *
 * These are the sockets with its local address and port that do not listen.  A
 * connection that was reset is in neither list: the kernel drops its address.
 *
 * set		zeroed before the first call, then reused by the caller
 * with_others	also list all other TCP sockets, of both families, that have
 *		an address
 * returns	0, or -1 with errno and an empty set
 */
int sockdiag_tcp_accepted(struct sockdiag *d,
	const struct sockdiag_listener *l, bool with_others,
	struct sockdiag_set *set);
bool sockdiag_has(const ino_t *inos, size_t n, ino_t ino);
void sockdiag_set_fini(struct sockdiag_set *set);

#endif
