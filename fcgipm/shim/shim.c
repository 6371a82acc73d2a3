/*
 * shim.c - libfcgipm-shim.so, the library that is preloaded into workers
 *
 * It stands between a FastCGI program and the C library's calls on sockets.
 * Connections that come from the pool's listener are followed until they are
 * closed, records are read as they pass in both directions, and what the worker
 * does is written to its slot of the board (fcgipm-board.h).
 *
 * It runs inside of a program it knows nothing of.  So it keeps errno, never
 * allocates, locks, logs or blocks, changes no data and no return value (the
 * stop flag in accept() and what linger.h says excepted), and does nothing at
 * all where it finds no board it understands.  Static programs and Go's never
 * come by here.
 *
 * What is followed: descriptors below FDS_MAX that accept() or accept4() gave
 * out, one thread at a time for each.  dup(2) and passing by SCM_RIGHTS are
 * not followed; what is missed then marks the slot as FCGIPM_INCOMPLETE.
 */
/* The checking inlines of the C library would call what we define. */
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

#define OURS __attribute__((visibility("default")))

/* -- the C library's own ------------------------------------------------- */

#ifndef __SOCKADDR_ARG
#define __SOCKADDR_ARG struct sockaddr *__restrict
#define __CONST_SOCKADDR_ARG const struct sockaddr *
#endif

/* What a fortified program calls instead; no header declares them for us. */
OURS ssize_t __read_chk(int fd, void *p, size_t len, size_t room);
OURS ssize_t __recv_chk(int fd, void *p, size_t len, size_t room, int flags);
OURS ssize_t __recvfrom_chk(int fd, void *p, size_t len, size_t room,
	int flags, __SOCKADDR_ARG from, socklen_t *from_len);

#define NEXT_ALL(X) \
	X(accept) X(accept4) X(read) X(recv) X(recvfrom) X(recvmsg) X(readv) \
	X(write) X(writev) X(send) X(sendto) X(sendmsg) X(close) \
	X(poll) X(shutdown) \
	X(__read_chk) X(__recv_chk) X(__recvfrom_chk)

#define NEXT_DECLARE(name) static __typeof__(&(name)) next_##name;
NEXT_ALL(NEXT_DECLARE)

/* Idempotent; earlier than our constructor when another one reads a file. */
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

/* -- what is called instead of the C library ----------------------------- */

OURS int
accept(int fd, __SOCKADDR_ARG addr, socklen_t *__restrict len)
{
	enum attach_entry entry = attach_before_accept(fd);

	if (entry == ATTACH_ENTRY_REFUSED)
		return -1;
	return attach_after_accept(fd, entry, NEXT(accept)(fd, addr, len));
}

OURS int
accept4(int fd, __SOCKADDR_ARG addr, socklen_t *__restrict len, int flags)
{
	enum attach_entry entry = attach_before_accept(fd);

	if (entry == ATTACH_ENTRY_REFUSED)
		return -1;
	return attach_after_accept(fd, entry, NEXT(accept4)(fd, addr, len, flags));
}

/* A peek is no passing by. */
#define PASSES(flags) (!((flags) & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)))

OURS ssize_t
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

OURS ssize_t
__read_chk(int fd, void *p, size_t len, size_t room)
{
	ssize_t n = NEXT(__read_chk)(fd, p, len, room);
	struct conn *c = conn_of(fd);

	if (c)
		conn_read(fd, c, p, n, len);
	return n;
}

OURS ssize_t
recv(int fd, void *p, size_t len, int flags)
{
	ssize_t n = NEXT(recv)(fd, p, len, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		conn_read(fd, c, p, n, len);
	return n;
}

OURS ssize_t
__recv_chk(int fd, void *p, size_t len, size_t room, int flags)
{
	ssize_t n = NEXT(__recv_chk)(fd, p, len, room, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		conn_read(fd, c, p, n, len);
	return n;
}

OURS ssize_t
recvfrom(int fd, void *__restrict p, size_t len, int flags,
	__SOCKADDR_ARG from, socklen_t *__restrict from_len)
{
	ssize_t n = NEXT(recvfrom)(fd, p, len, flags, from, from_len);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		conn_read(fd, c, p, n, len);
	return n;
}

OURS ssize_t
__recvfrom_chk(int fd, void *p, size_t len, size_t room, int flags,
	__SOCKADDR_ARG from, socklen_t *from_len)
{
	ssize_t n = NEXT(__recvfrom_chk)(fd, p, len, room, flags, from,
		from_len);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		conn_read(fd, c, p, n, len);
	return n;
}

OURS ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = NEXT(recvmsg)(fd, m, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		conn_read_vector(fd, c, m->msg_iov, m->msg_iovlen, n);
	return n;
}

OURS ssize_t
readv(int fd, const struct iovec *iov, int niov)
{
	ssize_t n = NEXT(readv)(fd, iov, niov);
	struct conn *c = conn_of(fd);

	if (c)
		conn_read_vector(fd, c, iov, (size_t)niov, n);
	return n;
}

OURS ssize_t
write(int fd, const void *p, size_t len)
{
	ssize_t n = NEXT(write)(fd, p, len);
	struct conn *c = conn_of(fd);

	if (c)
		conn_wrote(fd, c, p, n);
	return n;
}

OURS ssize_t
writev(int fd, const struct iovec *iov, int niov)
{
	ssize_t n = NEXT(writev)(fd, iov, niov);
	struct conn *c = conn_of(fd);

	if (c)
		conn_wrote_vector(fd, c, iov, (size_t)niov, n);
	return n;
}

OURS ssize_t
send(int fd, const void *p, size_t len, int flags)
{
	ssize_t n = NEXT(send)(fd, p, len, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		conn_wrote(fd, c, p, n);
	return n;
}

OURS ssize_t
sendto(int fd, const void *p, size_t len, int flags, __CONST_SOCKADDR_ARG to,
	socklen_t to_len)
{
	ssize_t n = NEXT(sendto)(fd, p, len, flags, to, to_len);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		conn_wrote(fd, c, p, n);
	return n;
}

OURS ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t n = NEXT(sendmsg)(fd, m, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		conn_wrote_vector(fd, c, m->msg_iov, m->msg_iovlen, n);
	return n;
}

OURS int
close(int fd)
{
	attach_before_close(fd);
	return NEXT(close)(fd);
}

OURS int
shutdown(int fd, int how)
{
	int r = NEXT(shutdown)(fd, how);
	struct conn *c = conn_of(fd);

	if (c && r == 0 && how == SHUT_WR)
		linger_shut(c);
	return r;
}

/* A wait for one connection to be readable, of one that was shut down. */
static struct conn *
find_lingering(const struct pollfd *fds, nfds_t nfds)
{
	struct conn *c = nfds == 1 ? conn_of(fds->fd) : NULL;

	return UNLIKELY(c && c->linger != LINGER_NONE) &&
			fds->events == POLLIN ? c : NULL;
}

/* The C library's declaration says that fds is not read. */
OURS int our_poll(struct pollfd *fds, nfds_t nfds, int timeout)
	__asm__("poll");

int
our_poll(struct pollfd *fds, nfds_t nfds, int timeout)
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
