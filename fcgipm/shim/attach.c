/*
 * attach.c - claims and releases a process's slot of the board; see attach.h
 *
 * Called by shim/shim around accept(2) and close(2).  A slot is claimed before
 * the first accept(2) of a process.  So a wrapper script, which never accepts,
 * does not change the board.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "fcgipm-board.h"
#include "follow.h"
#include "linger.h"

enum { ATTACH_NO, ATTACH_NOW, ATTACH_DONE, ATTACH_NEVER };

static uint32_t worker_index;	/* FCGIPM_WORKER */
static dev_t listener_dev;
static ino_t listener_ino;
static int listener_fd;		/* its last known descriptor, -1 = unknown */

/* Claims a slot before the first accept(2) of a process.  When several threads
 * arrive at the same time, the first one claims and the others wait.  If the
 * first one is stopped meanwhile, they continue without a slot until their
 * accept(2) has returned. */
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
 * Does the supervisor retire this worker?  Then accept() fails with EINVAL, as
 * on a listener that was shut down; programs exit on that.  No connection was
 * accepted, so no request is lost.  The call first waits until the connections
 * of other threads are closed.  A program that polls would call accept() again
 * and again: it may accept, and the supervisor ends it by a signal when it
 * holds no connection.
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
	/* The caller may be main(), whose return would end other threads in
	 * the middle of a request. */
	while (conns_are_open())
		nanosleep(&moment, NULL);
	/* A worker that does not exit must not keep a core busy. */
	if (FCGIPM_ADD(local->refused, 1) > 100)
		nanosleep(&pause, NULL);
	errno = EINVAL;
	return true;
}

enum attach_entry
attach_before_accept(int fd)
{
	int err = errno;

	if (!local || !is_listener(fd)) {
		errno = err;
		return ATTACH_ENTRY_UNSEEN;
	}
	if (!is_attached()) {
		errno = err;
		return ATTACH_ENTRY_EARLY;
	}
	if (must_exit(fd))
		return ATTACH_ENTRY_REFUSED;
	conn_thread_ready();
	(void)FCGIPM_ADD(local->slot->accepting, 1);
	errno = err;
	return ATTACH_ENTRY_COUNTED;
}

int
attach_after_accept(int fd, enum attach_entry entry, int conn)
{
	int err = errno;

	if (entry == ATTACH_ENTRY_UNSEEN ||
		(entry == ATTACH_ENTRY_EARLY && !is_attached())) {
		errno = err;
		return conn;
	}
	if (entry == ATTACH_ENTRY_COUNTED)
		(void)FCGIPM_ADD(local->slot->accepting, -1);
	if (conn >= 0)
		conn_begin(conn);
	else if (err == EINTR && must_exit(fd))
		return -1;
	errno = err;
	return conn;
}

/* A child of vfork(2) closes descriptors while it shares this memory. */
static bool
is_own_process(void)
{
	return local->pid == (int32_t)getpid();
}

void
attach_before_close(int fd)
{
	struct conn *c = conn_of(fd);
	int err = errno;

	if (c && is_own_process()) {
		linger_closed(c);
		conn_end(fd, c);
	}
	if (UNLIKELY(fd == FCGIPM_GET(listener_fd)))
		FCGIPM_PUT(listener_fd, -1);
	if (UNLIKELY(local && fd == view.eventfd && fd >= 0) &&
		(local->pid == 0 || is_own_process()))
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

/* Nothing is written to the board yet: the process may be a wrapper that
 * executes the handler and never accepts. */
void
attach_load(void)
{
	const char *text = getenv(FCGIPM_BOARD_VAR);
	int err = errno;
	void *map;

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

void
attach_unload(void)
{
	if (local && local->slot && is_own_process())
		fcgipm_release_(&view, local->slot);
}
