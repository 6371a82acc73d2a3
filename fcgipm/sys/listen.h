/*
 * listen.h - listening sockets: opens, reopens and closes them
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

/* A socket we opened and, for a path, the file that is ours to remove. */
struct listen_socket {
	struct addr addr;
	int fd;			/* blocking, close-on-exec, listening */
	dev_t dev;		/* of the path; ino 0 = nothing to remove */
	ino_t ino;
};

/*
 * listen_open - bind and listen; a stale unix socket is replaced, a live one
 * refused after a second of trying (its owner may be dying)
 *
 * returns	0; -1 with why in ret_why (the caller's buffer), which names
 *		who holds the address when that can be seen
 */
int listen_open(const struct addr *addr, const struct listen_opts *opts,
	struct listen_socket *ret_sock, char *ret_why, size_t why_size);

/*
 * listen_is_shut - has a process that shares it called shutdown(2)?
 *
 * A unix socket still says that it listens then, and refuses all the same.
 */
bool listen_is_shut(const struct listen_socket *s);

/*
 * listen_reopen - listens again where it was shut; does not wait
 *
 * TCP listens again itself, and so do all who share it.  A unix socket becomes
 * another one with the same number here; who shares the old one keeps that,
 * and what it has queued.  An abstract address is free when the old one is
 * closed everywhere: until then the new one is shut, too.
 *
 * returns	0; -1 with why
 */
int listen_reopen(struct listen_socket *s, const struct listen_opts *opts,
	char *ret_why, size_t why_size);

/*
 * listen_connect - a connection to this socket, and to no other
 *
 * A user who may write to a path's directory can put another socket there, or a
 * link to one: that is not connected to.
 *
 * returns	descriptor, close-on-exec and non-blocking, over TCP connecting
 *		still; -1 with errno, EAGAIN: the queue is full
 */
int listen_connect(const struct listen_socket *s);

/* Removes the path if it is still ours, then closes. */
void listen_close(struct listen_socket *s);
/* Removes the path only, so that no new client finds the socket. */
void listen_unlink(struct listen_socket *s);

/*
 * listen_reachable - could a web server's user connect to such a socket?
 *
 * returns	true when www-data, nginx, http or apache is a local account
 *		and owner, group and mode let one of them write, or when
 *		there is none
 */
bool listen_reachable(const struct listen_opts *opts);

#endif
