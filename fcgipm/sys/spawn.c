/*
 * spawn.c - the only fork and exec; see spawn.h
 *
 * Called by pool/worker (spawn_fork) and gateway/script (spawn_share).  What
 * runs between fork and exec is child_run() and async-signal-safe throughout.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/raw.h"
#include "sys/spawn.h"

/* Runs beside its parent, on a stack no sanitizer knows. */
#define CHILD_CODE __attribute__((no_sanitize("address", "undefined")))

/* Beneath this number a descriptor may be some child's own. */
#define FD_ABOVE 16

/* What the child needs beside the spec. */
struct child {
	const struct spawn_spec *spec;
	struct spawn_error *error;	/* in our memory, or its own copy */
	int errfd;			/* fork: written to; else -1 */
};

CHILD_CODE static void
fail(struct child *c, const char *step, long err)
{
	struct spawn_error *e = c->error;
	size_t i;

	e->err = (int)err;
	for (i = 0; step[i] && i + 1 < sizeof(e->step); i++)
		e->step[i] = step[i];
	e->step[i] = '\0';
	if (c->errfd >= 0)
		RAW(write, c->errfd, e, sizeof(*e));
	for (;;)
		RAW(exit_group, 127);
}

/* fd, or a copy of it above the first n; -errno. */
CHILD_CODE static int
above(int fd, int n)
{
	return fd < 0 || fd >= n ? fd :
				   (int)RAW(fcntl, fd, F_DUPFD_CLOEXEC, n);
}

/* fds[i] to i.  Sources that lie on a target move out of the way first. */
CHILD_CODE static const char *
place_fds(const struct spawn_spec *spec, int *errfd, int *execfd, int *cwdfd,
	long *err)
{
	int *others[] = {errfd, execfd, cwdfd};
	int src[FD_ABOVE], i;

	*err = EINVAL;
	if (spec->nfds > FD_ABOVE)
		return "fds";
	for (i = 0; i < spec->nfds; i++) {
		src[i] = spec->fds[i];
		if (src[i] != i)
			src[i] = above(src[i], spec->nfds);
		if (src[i] < 0) {
			*err = -src[i];
			return "dup";
		}
	}
	for (i = 0; i < (int)ARRAY_SIZE(others); i++) {
		if (*others[i] < 0)
			continue;
		*others[i] = above(*others[i], spec->nfds);
		if (*others[i] < 0) {
			*err = -*others[i];
			return "dup";
		}
	}
	for (i = 0; i < spec->nfds; i++) {
		/* dup3 onto itself is an error */
		long ret = src[i] == i ? RAW(fcntl, i, F_SETFD, 0) :
					 RAW(dup3, src[i], i, 0);

		if (ret < 0) {
			*err = -ret;
			return "dup";
		}
	}
	return NULL;
}

/* All that a child does on its way to exec; no errno, see sys/raw.h. */
CHILD_CODE static int
child_run(void *arg)
{
	struct child *c = arg;
	const struct spawn_spec *spec = c->spec;
	int execfd = spec->execfd, cwdfd = spec->cwdfd, step_err = 0;
	const char *step;
	uint64_t none = 0;
	long err;

	err = spec->new_session ? RAW(setsid) : RAW(setpgid, 0, 0);
	if (err < 0)
		fail(c, "setsid", -err);
	step = place_fds(spec, &c->errfd, &execfd, &cwdfd, &err);
	if (step)
		fail(c, step, err);
	step = spec->privs ? privs_apply(spec->privs, &step_err) : NULL;
	if (step)
		fail(c, step, step_err);
	err = 0;
	if (cwdfd >= 0)
		err = RAW(fchdir, cwdfd);
	else if (spec->cwd)
		err = RAW(chdir, spec->cwd);
	if (err < 0)
		fail(c, "chdir", -err);
	/* Dispositions are default already: inherit_nothing() saw to those of
	 * our parents, and we ignore none. */
	err = RAW(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	if (err < 0)
		fail(c, "sigmask", -err);
	if (execfd >= 0)
		err = RAW(execveat, execfd, "", spec->argv, spec->envp,
			AT_EMPTY_PATH);
	else
		err = RAW(execve, spec->path, spec->argv, spec->envp);
	fail(c, "exec", -err);
	return 0;
}

/* All signals wait until a child is past its first steps: none of ours may
 * be handled, or end it, in between. */
static void
block_signals(sigset_t *ret_old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, ret_old);
}

static int
open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

pid_t
spawn_fork(const struct spawn_spec *spec, int *ret_pidfd, int *ret_errfd)
{
	struct spawn_error error = {0};
	struct child c = {.spec = spec, .error = &error, .errfd = -1};
	int readfd = -1, pidfd = -1, saved;
	sigset_t old;
	pid_t pid;

	if (fd_pipe(O_NONBLOCK, 0, &readfd, &c.errfd) < 0)
		return -1;
	block_signals(&old);
	pid = fork();
	if (pid == 0)
		child_run(&c);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	fd_close(&c.errfd);
	if (pid < 0)
		goto fail;
	/* Not reaped yet, so the number is still the child's. */
	pidfd = open_pidfd(pid);
	if (pidfd < 0) {
		saved = errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		errno = saved;
		goto fail;
	}
	*ret_pidfd = pidfd;
	*ret_errfd = readfd;
	return pid;
fail:
	fd_close(&readfd);
	return -1;
}

bool
spawn_is_shared(const struct spawn_shared *c)
{
	/* CLONE_CHILD_CLEARTID: zero once the child has left our memory. */
	return __atomic_load_n(&c->tid, __ATOMIC_ACQUIRE) != 0;
}

CHILD_CODE static int
shared_run(void *arg)
{
	struct spawn_shared *c = arg;
	struct child child = {
		.spec = &c->spec, .error = &c->error, .errfd = -1};

	return child_run(&child);
}

pid_t
spawn_share(struct spawn_shared *c, bool wait)
{
	int flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD;
	pid_t pid;

	if (wait || !RAW_KEEPS_ERRNO)
		flags |= CLONE_VFORK;
	c->error.step[0] = '\0';
	c->tid = -1;
	pid = clone(shared_run, c->stack + sizeof(c->stack), flags, c, NULL,
		NULL, &c->tid);
	if (pid < 0) {
		c->tid = 0;
		c->error.err = errno;
		snprintf(c->error.step, sizeof(c->error.step), "clone");
	} else if (flags & CLONE_VFORK && c->error.step[0]) {
		(void)waitpid(pid, NULL, 0);
		pid = -1;
	}
	return pid;
}
