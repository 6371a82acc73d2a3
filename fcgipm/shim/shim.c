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
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fcgipm-board.h"
#include "follow.h"
#include "linger.h"

#define OURS __attribute__((visibility("default")))

enum { ATTACH_NO, ATTACH_NOW, ATTACH_DONE, ATTACH_NEVER };

static uint32_t worker_index;	/* FCGIPM_WORKER */
static dev_t listener_dev;
static ino_t listener_ino;
static int listener_fd;		/* where it was last seen, -1 = look */

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

/* -- the board ----------------------------------------------------------- */

/* Before the first accept of a process: its slot.  Threads that come together
 * let the first one go on; should it be stopped meanwhile, they go without
 * until they have accepted. */
static void
attach_slot(void)
{
	uint32_t state = ATTACH_NO;
	unsigned patience = 1000;

	if (!__atomic_compare_exchange_n(&local->attach, &state, ATTACH_NOW,
		    false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		while (state == ATTACH_NOW && patience-- > 0) {
			sched_yield();
			state = __atomic_load_n(&local->attach,
				__ATOMIC_ACQUIRE);
		}
		return;
	}
	fcgipm_view_hide_(&view);
	fcgipm_clean_environment_();
	local->pid = (int32_t)getpid();
	local->slot = fcgipm_claim_(&view, worker_index, FCGIPM_TIER_SHIM);
	__atomic_store_n(&local->attach,
		local->slot ? ATTACH_DONE : ATTACH_NEVER, __ATOMIC_RELEASE);
}

static inline bool
is_attached(void)
{
	uint32_t state = __atomic_load_n(&local->attach, __ATOMIC_ACQUIRE);

	if (UNLIKELY(state == ATTACH_NO || state == ATTACH_NOW)) {
		attach_slot();
		state = __atomic_load_n(&local->attach, __ATOMIC_ACQUIRE);
	}
	return state == ATTACH_DONE;
}

static bool
is_listener(int fd)
{
	if (LIKELY(fd == FCGIPM_GET(listener_fd)))
		return true;
	if (!fcgipm_is_still_(fd, listener_dev, listener_ino))
		return false;
	FCGIPM_PUT(listener_fd, fd);
	return true;
}

/*
 * The supervisor wants this worker to exit.  accept() fails as on a listener
 * that was shut down, with EINVAL, on which programs exit at every stop;
 * nothing was accepted, so nothing is lost.  That waits for the connections of
 * other threads.  A program that polls would call again and again: it may
 * accept, and is ended by a signal when it holds no connection.
 */
static bool
must_exit(int fd)
{
	const struct timespec moment = {0, 1000000};
	const struct timespec pause = {0, 50000000};
	struct fcgipm_slot *worker = fcgipm_slot_at_(&view, worker_index);
	int flags;

	if (LIKELY(FCGIPM_GET(worker->stop) == 0))
		return false;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_NONBLOCK) ||
		!fcgipm_is_still_(fd, listener_dev, listener_ino))
		return false;
	/* main() may be the caller, and would end the threads that are in the
	 * middle of a request by returning. */
	while (conns_are_open())
		nanosleep(&moment, NULL);
	/* One that does not exit shall not keep a core busy with calls. */
	if (FCGIPM_ADD(local->refused, 1) > 100)
		nanosleep(&pause, NULL);
	errno = EINVAL;
	return true;
}

enum entry {
	ENTRY_REFUSED,		/* errno says so */
	ENTRY_UNSEEN,		/* not our listener */
	ENTRY_EARLY,		/* no slot, or not yet */
	ENTRY_COUNTED
};

static enum entry
before_accept(int fd)
{
	int err = errno;

	if (!local || !is_listener(fd)) {
		errno = err;
		return ENTRY_UNSEEN;
	}
	if (!is_attached()) {
		errno = err;
		return ENTRY_EARLY;
	}
	if (must_exit(fd))
		return ENTRY_REFUSED;
	conn_await();
	(void)FCGIPM_ADD(local->slot->accepting, 1);
	errno = err;
	return ENTRY_COUNTED;
}

static int
after_accept(int fd, enum entry entry, int conn)
{
	int err = errno;

	if (entry == ENTRY_UNSEEN || (entry == ENTRY_EARLY && !is_attached())) {
		errno = err;
		return conn;
	}
	if (entry == ENTRY_COUNTED)
		(void)FCGIPM_ADD(local->slot->accepting, -1);
	if (conn >= 0)
		conn_begin(conn);
	else if (err == EINTR && must_exit(fd))
		return -1;
	errno = err;
	return conn;
}

/* A child of vfork(2) closes what it does not want, in our memory. */
static bool
is_us(void)
{
	return local->pid == (int32_t)getpid();
}

static void
before_close(int fd)
{
	struct conn *c = conn_of(fd);
	int err = errno;

	if (c && is_us()) {
		linger_closed(c);
		conn_end(fd, c);
	}
	if (UNLIKELY(fd == FCGIPM_GET(listener_fd)))
		FCGIPM_PUT(listener_fd, -1);
	if (UNLIKELY(local && fd == view.eventfd && fd >= 0) &&
		(local->pid == 0 || is_us()))
		view.eventfd = -1;
	errno = err;
}

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) ||
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 ||
		!on)
		return false;
	listener_dev = st.st_dev;
	listener_ino = st.st_ino;
	return true;
}

/* Nothing is written yet: this may be a wrapper, which executes the handler
 * and never accepts. */
__attribute__((constructor)) static void
load_shim(void)
{
	const char *text = getenv(FCGIPM_BOARD_VAR);
	int err = errno;
	void *map;

	find_next();
	if (!text || !is_listening(0) ||
		fcgipm_parse_worker_(getenv("FCGIPM_WORKER"),
			&worker_index) < 0 ||
		fcgipm_view_open_(&view, text) < 0 ||
		worker_index >= view.nslots)
		goto out;
	map = mmap(NULL, sizeof(*local), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		goto out;
	if (madvise(map, sizeof(*local), MADV_WIPEONFORK) < 0) {
		munmap(map, sizeof(*local));
		goto out;
	}
	linger_allow(FCGIPM_GET(view.head->accelerate) != 0);
	local = map;
out:
	errno = err;
}

__attribute__((destructor)) static void
unload_shim(void)
{
	if (local && local->slot && is_us())
		fcgipm_release_(&view, local->slot);
}

/* -- what is called instead of the C library ----------------------------- */

OURS int
accept(int fd, __SOCKADDR_ARG addr, socklen_t *__restrict len)
{
	enum entry entry = before_accept(fd);

	if (entry == ENTRY_REFUSED)
		return -1;
	return after_accept(fd, entry, NEXT(accept)(fd, addr, len));
}

OURS int
accept4(int fd, __SOCKADDR_ARG addr, socklen_t *__restrict len, int flags)
{
	enum entry entry = before_accept(fd);

	if (entry == ENTRY_REFUSED)
		return -1;
	return after_accept(fd, entry, NEXT(accept4)(fd, addr, len, flags));
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

/* Before: afterwards the number may be another thread's. */
OURS int
close(int fd)
{
	before_close(fd);
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
