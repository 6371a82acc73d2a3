/*
 * spawn.c - the only fork and exec; see spawn.h
 *
 * Called by pool/worker (spawn_fork) and gateway/script (spawn_vfork).  What
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
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "base/fd.h"
#include "base/util.h"
#include "sys/spawn.h"

/* Beneath this number a descriptor may be some child's own. */
#define FD_ABOVE 16

/* What the child needs beside the spec. */
struct child {
	const struct spawn_spec *spec;
	struct spawn_error error;	/* vfork: written here, memory shared */
	int errfd;			/* fork: written here; else -1 */
};

static void
fail(struct child *c, const char *step)
{
	size_t i;

	c->error.err = errno;
	for (i = 0; step[i] && i + 1 < sizeof(c->error.step); i++)
		c->error.step[i] = step[i];
	c->error.step[i] = '\0';
	if (c->errfd >= 0 &&
		write(c->errfd, &c->error, sizeof(c->error)) < 0)
		_exit(126);
	_exit(127);
}

/* fds[i] to i.  Sources that lie on a target move out of the way first. */
static const char *
place_fds(const struct spawn_spec *spec, int *errfd, int *execfd)
{
	int src[FD_ABOVE], i;

	if (spec->nfds > FD_ABOVE) {
		errno = EINVAL;
		return "fds";
	}
	for (i = 0; i < spec->nfds; i++) {
		src[i] = spec->fds[i];
		if (src[i] < spec->nfds && src[i] != i)
			src[i] = fcntl(src[i], F_DUPFD_CLOEXEC, spec->nfds);
		if (src[i] < 0)
			return "dup";
	}
	if (*errfd >= 0 && *errfd < spec->nfds)
		*errfd = fcntl(*errfd, F_DUPFD_CLOEXEC, spec->nfds);
	if (*execfd >= 0 && *execfd < spec->nfds)
		*execfd = fcntl(*execfd, F_DUPFD_CLOEXEC, spec->nfds);
	for (i = 0; i < spec->nfds; i++) {
		/* dup2 onto itself would keep close-on-exec */
		if (src[i] == i ? fcntl(i, F_SETFD, 0) < 0 :
				  dup2(src[i], i) < 0)
			return "dup2";
	}
	return NULL;
}

static int
child_run(void *arg)
{
	struct child *c = arg;
	const struct spawn_spec *spec = c->spec;
	const char *step;
	int execfd = spec->execfd;
	sigset_t none;

	if (spec->new_session ? setsid() < 0 : setpgid(0, 0) < 0)
		fail(c, "setsid");
	step = place_fds(spec, &c->errfd, &execfd);
	if (!step && spec->privs)
		step = privs_apply(spec->privs);
	if (!step && spec->cwdfd >= 0 && fchdir(spec->cwdfd) < 0)
		step = "chdir";
	if (!step && spec->cwdfd < 0 && spec->cwd && chdir(spec->cwd) < 0)
		step = "chdir";
	/* Dispositions are default already: inherit_nothing() saw to those of
	 * our parents, and we ignore none. */
	sigemptyset(&none);
	if (!step && sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		step = "sigmask";
	if (step)
		fail(c, step);
	if (execfd >= 0)
		syscall(SYS_execveat, execfd, "", spec->argv, spec->envp,
			AT_EMPTY_PATH);
	else
		execve(spec->path, spec->argv, spec->envp);
	fail(c, "exec");
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
	struct child c = {.spec = spec, .errfd = -1};
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

pid_t
spawn_vfork(const struct spawn_spec *spec, struct spawn_error *ret_error)
{
	/* One child at a time runs on it: the parent is suspended. */
	static char stack[64 * 1024] __attribute__((aligned(16)));
#ifdef __SANITIZE_ADDRESS__
	/* The child before left by exec, its scopes still marked as dead. */
	ASAN_UNPOISON_MEMORY_REGION(stack, sizeof(stack));
#endif
	struct child c = {.spec = spec, .errfd = -1};
	pid_t pid;

	pid = clone(child_run, stack + sizeof(stack),
		CLONE_VM | CLONE_VFORK | SIGCHLD, &c);
	if (pid < 0) {
		c.error.err = errno;
		snprintf(c.error.step, sizeof(c.error.step), "clone");
	}
	if (pid > 0 && c.error.step[0]) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	if (pid < 0)
		*ret_error = c.error;
	return pid;
}
