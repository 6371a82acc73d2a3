/*
 * listen.h - opens, reopens and closes listening sockets
 *
 * Called by pool/open, pool/listener, pool/stop, master/control,
 * gateway/listeners and overload/orders.
 */
#ifndef FCGIPM_SYS_LISTEN_H
#define FCGIPM_SYS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/addr.h"

struct listen_opts {
	int backlog;
	uid_t owner;		/* of a unix socket's path; -1 = leave */
	gid_t group;
	mode_t mode;
	const char *allowed_clients;	/* CIDR list for TCP, NULL = all */
};

/* A socket opened here and, for a path, the file to remove at the end. */
struct listen_socket {
	struct addr addr;
	int fd;			/* blocking, close-on-exec, listening */
	dev_t dev;		/* of the path; ino 0 = nothing to remove */
	ino_t ino;
};

/*
 * listen_open - bind and listen
 *
 * A stale unix socket is replaced.  An address in use is retried for one
 * second, since the process that holds it may be exiting; then this fails.
 *
 * returns	0; -1 with the reason in ret_why (the caller's buffer), which
 *		names the process that holds the address, where /proc shows it
 */
int listen_open(const struct addr *addr, const struct listen_opts *opts,
	struct listen_socket *ret_sock, char *ret_why, size_t why_size);

/*
 * listen_is_shut - was the socket shut down?
 *
 * True after any process that shares the socket has called shutdown(2).  Such a
 * unix socket still reports that it listens (SO_ACCEPTCONN), but refuses every
 * connection.
 */
bool listen_is_shut(const struct listen_socket *s);

/*
 * listen_reopen - listen again after shutdown(2); does not wait
 *
 * A TCP socket listens again, and so do all processes that share it.  A unix
 * socket is replaced by a new one with the same descriptor number.  Processes
 * that share the old socket keep it, with its queue.  An abstract address
 * becomes free when the last of them closes the old socket: until then the new
 * socket does not listen either.
 *
 * returns	0; -1 with the reason in ret_why
 */
int listen_reopen(struct listen_socket *s, const struct listen_opts *opts,
	char *ret_why, size_t why_size);

/*
 * listen_connect - connect to this socket and to no other
 *
 * A user with write access to the path's directory can put another socket, or a
 * link to one, in its place: listen_connect() does not connect to that.
 *
 * returns	descriptor, close-on-exec and non-blocking; over TCP the
 *		connection may still be in progress.  -1 with errno, EAGAIN
 *		when the listen queue is full
 */
int listen_connect(const struct listen_socket *s);

/* Removes the path if it still names this socket, then closes the socket. */
void listen_close(struct listen_socket *s);
/* Removes the path only, so that no new client finds the socket. */
void listen_unlink(struct listen_socket *s);

/*
 * listen_reachable - may a web server's user connect to such a socket?
 *
 * returns	true when www-data, nginx, http or apache is a local account
 *		that has write permission by owner, group and mode, or when
 *		there is no such account
 */
bool listen_reachable(const struct listen_opts *opts);

/* The first of these users that is a local account; NULL = none. */
const char *listen_web_user(void);

#endif
