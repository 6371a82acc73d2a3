/*
 * descendants.c - kills a process that a worker has started, with its own
 * descendants; see descendants.h
 *
 * Called by timeout/watchdog and timeout/backtrace.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/procsignal.h"
#include "sys/watch.h"
#include "timeout/descendants.h"

/* Maximum number of processes killed in one call. */
#define DESCENDANTS_MAX 64

bool
descendants_include(pid_t session, pid_t pid)
{
	return pid > 0 && getsid(pid) == session;
}

/* The session is checked after the pidfd was opened: if another process gets
 * the pid afterwards, the pidfd does not refer to it. */
static void
kill_one(pid_t session, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0 && descendants_include(session, pid))
		(void)procsignal_process(fd, SIGKILL);
	fd_close(&fd);
}

/* The children of a process are listed before it is killed, since they get
 * another parent then.  They may have inherited its connection. */
void
descendants_kill(pid_t session, pid_t pid)
{
	struct watch watch;
	pid_t pids[DESCENDANTS_MAX] = {pid};
	size_t n = 1, more, i;

	for (i = 0; i < n; i++) {
		more = 0;
		if (watch_open(&watch, pids[i]) == 0)
			(void)watch_children(&watch, pids + n,
				DESCENDANTS_MAX - n, &more);
		watch_close(&watch);
		n += more;
		kill_one(session, pids[i]);
	}
}
