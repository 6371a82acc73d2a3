/*
 * shim.c - libfcgipm-shim.so: reports a worker's requests on the board
 *
 * The library is preloaded into workers (LD_PRELOAD).  It wraps the C library's
 * accept, accept4, read, write, close, poll, shutdown and their relatives.  It
 * follows each connection of the pool's listener until it is closed, parses the
 * records in both directions, and writes what the worker does to its slot of
 * the scoreboard (board, fcgipm-board.h).
 *
 * It runs inside a program that it does not know.  So it keeps errno and never
 * allocates, locks, logs or blocks.  It changes no data and no return value,
 * with two exceptions: the stop flag in accept() and what linger.h says.
 * Without a board of its version it does nothing.  Statically linked programs
 * and Go programs bypass it.
 *
 * It follows descriptors below FDS_MAX that accept() or accept4() returned, if
 * one thread at a time uses each of them.  It does not follow dup(2) or
 * SCM_RIGHTS.  What it misses then marks the slot as FCGIPM_INCOMPLETE.
 */
/* The C library's fortified inline functions would call the wrappers. */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attach.h"
#include "follow.h"
#include "linger.h"

#define EXPORT __attribute__((visibility("default")))

/* -- functions of the C library ------------------------------------------ */

#ifndef __SOCKADDR_ARG
#define __SOCKADDR_ARG struct sockaddr *__restrict
#define __CONST_SOCKADDR_ARG const struct sockaddr *
#endif

/* A fortified program calls these instead; no header declares them here. */
EXPORT ssize_t __read_chk(int fd, void *p, size_t len, size_t room);
EXPORT ssize_t __recv_chk(int fd, void *p, size_t len, size_t room, int flags);
EXPORT ssize_t __recvfrom_chk(int fd, void *p, size_t len, size_t room,
	int flags, __SOCKADDR_ARG from, socklen_t *from_len);

#define NEXT_ALL(X) \
	X(accept) X(accept4) X(read) X(recv) X(recvfrom) X(recvmsg) X(readv) \
	X(write) X(writev) X(send) X(sendto) X(sendmsg) X(close) \
	X(poll) X(shutdown) \
	X(__read_chk) X(__recv_chk) X(__recvfrom_chk)

#define NEXT_DECLARE(name) static __typeof__(&(name)) next_##name;
NEXT_ALL(NEXT_DECLARE)

/* Idempotent.  Called before the constructor of this library when the
 * constructor of another library reads a file. */
static void
find_next(void)
{
#define NEXT_FIND(name) \
	next_##name = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name);
	NEXT_ALL(NEXT_FIND)
}

#define NEXT(name) \
	(*(LIKELY(next_##name) ? next_##name : (find_next(), next_##name)))

__attribute__((constructor)) static void
load_shim(void)
{
	find_next();
	attach_load();
}

__attribute__((destructor)) static void
unload_shim(void)
{
	attach_unload();
}

/* -- wrappers ------------------------------------------------------------ */

EXPORT int
accept(int fd, __SOCKADDR_ARG addr, socklen_t *__restrict len)
{
	enum attach_entry entry = attach_before_accept(fd);

	if (entry == ATTACH_ENTRY_REFUSED)
		return -1;
	return attach_after_accept(fd, entry, NEXT(accept)(fd, addr, len));
}

EXPORT int
accept4(int fd, __SOCKADDR_ARG addr, socklen_t *__restrict len, int flags)
{
	enum attach_entry entry = attach_before_accept(fd);

	if (entry == ATTACH_ENTRY_REFUSED)
		return -1;
	return attach_after_accept(fd, entry, NEXT(accept4)(fd, addr, len, flags));
}

/* False when the call does not consume data of the stream. */
#define IS_DATA(flags) (!((flags) & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)))

EXPORT ssize_t
read(int fd, void *p, size_t len)
{
	struct conn *c = conn_of(fd);
	ssize_t n = 0;

	if (!c || !linger_skips_read(c)) {
		n = NEXT(read)(fd, p, len);
		c = conn_of(fd);
	}
	if (c)
		conn_read(fd, c, p, n, len);
	return n;
}

EXPORT ssize_t
__read_chk(int fd, void *p, size_t len, size_t room)
{
	ssize_t n = NEXT(__read_chk)(fd, p, len, room);
	struct conn *c = conn_of(fd);

	if (c)
		conn_read(fd, c, p, n, len);
	return n;
}

EXPORT ssize_t
recv(int fd, void *p, size_t len, int flags)
{
	ssize_t n = NEXT(recv)(fd, p, len, flags);
	struct conn *c = conn_of(fd);

	if (c && IS_DATA(flags))
		conn_read(fd, c, p, n, len);
	return n;
}

EXPORT ssize_t
__recv_chk(int fd, void *p, size_t len, size_t room, int flags)
{
	ssize_t n = NEXT(__recv_chk)(fd, p, len, room, flags);
	struct conn *c = conn_of(fd);

	if (c && IS_DATA(flags))
		conn_read(fd, c, p, n, len);
	return n;
}

EXPORT ssize_t
recvfrom(int fd, void *__restrict p, size_t len, int flags,
	__SOCKADDR_ARG from, socklen_t *__restrict from_len)
{
	ssize_t n = NEXT(recvfrom)(fd, p, len, flags, from, from_len);
	struct conn *c = conn_of(fd);

	if (c && IS_DATA(flags))
		conn_read(fd, c, p, n, len);
	return n;
}

EXPORT ssize_t
__recvfrom_chk(int fd, void *p, size_t len, size_t room, int flags,
	__SOCKADDR_ARG from, socklen_t *from_len)
{
	ssize_t n = NEXT(__recvfrom_chk)(fd, p, len, room, flags, from,
		from_len);
	struct conn *c = conn_of(fd);

	if (c && IS_DATA(flags))
		conn_read(fd, c, p, n, len);
	return n;
}

EXPORT ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = NEXT(recvmsg)(fd, m, flags);
	struct conn *c = conn_of(fd);

	if (c && IS_DATA(flags))
		conn_read_vector(fd, c, m->msg_iov, m->msg_iovlen, n);
	return n;
}

EXPORT ssize_t
readv(int fd, const struct iovec *iov, int niov)
{
	ssize_t n = NEXT(readv)(fd, iov, niov);
	struct conn *c = conn_of(fd);

	if (c)
		conn_read_vector(fd, c, iov, (size_t)niov, n);
	return n;
}

EXPORT ssize_t
write(int fd, const void *p, size_t len)
{
	ssize_t n = NEXT(write)(fd, p, len);
	struct conn *c = conn_of(fd);

	if (c)
		conn_wrote(fd, c, p, n);
	return n;
}

EXPORT ssize_t
writev(int fd, const struct iovec *iov, int niov)
{
	ssize_t n = NEXT(writev)(fd, iov, niov);
	struct conn *c = conn_of(fd);

	if (c)
		conn_wrote_vector(fd, c, iov, (size_t)niov, n);
	return n;
}

EXPORT ssize_t
send(int fd, const void *p, size_t len, int flags)
{
	ssize_t n = NEXT(send)(fd, p, len, flags);
	struct conn *c = conn_of(fd);

	if (c && IS_DATA(flags))
		conn_wrote(fd, c, p, n);
	return n;
}

EXPORT ssize_t
sendto(int fd, const void *p, size_t len, int flags, __CONST_SOCKADDR_ARG to,
	socklen_t to_len)
{
	ssize_t n = NEXT(sendto)(fd, p, len, flags, to, to_len);
	struct conn *c = conn_of(fd);

	if (c && IS_DATA(flags))
		conn_wrote(fd, c, p, n);
	return n;
}

EXPORT ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t n = NEXT(sendmsg)(fd, m, flags);
	struct conn *c = conn_of(fd);

	if (c && IS_DATA(flags))
		conn_wrote_vector(fd, c, m->msg_iov, m->msg_iovlen, n);
	return n;
}

EXPORT int
close(int fd)
{
	attach_before_close(fd);
	return NEXT(close)(fd);
}

EXPORT int
shutdown(int fd, int how)
{
	int r = NEXT(shutdown)(fd, how);
	struct conn *c = conn_of(fd);

	if (c && r == 0 && how == SHUT_WR)
		linger_shut(c);
	return r;
}

/* The connection, when poll(2) waits for it alone after its shutdown(2). */
static struct conn *
find_lingering(const struct pollfd *fds, nfds_t nfds)
{
	struct conn *c = nfds == 1 ? conn_of(fds->fd) : NULL;

	return UNLIKELY(c && c->linger != LINGER_NONE) &&
			fds->events == POLLIN ? c : NULL;
}

/* Another name: the C library's declaration says that fds is not read. */
EXPORT int shim_poll(struct pollfd *fds, nfds_t nfds, int timeout)
	__asm__("poll");

int
shim_poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	struct conn *c = find_lingering(fds, nfds);
	int r;

	if (!c)
		return NEXT(poll)(fds, nfds, timeout);
	if (linger_skips_poll(c)) {
		fds->revents = POLLIN | POLLHUP;
		return 1;
	}
	r = NEXT(poll)(fds, nfds, timeout);
	linger_polled(c, r);
	return r;
}
