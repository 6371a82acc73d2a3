/*
 * spawn.c - the only fork and exec; see spawn.h
 *
 * Called by pool/worker (spawn_start) and gateway/script (spawn_share).  What
 * runs before the exec is child_run(): system calls, nothing else.
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

bool
spawn_is_shared(const struct spawn_shared *c)
{
	/* CLONE_CHILD_CLEARTID: zero once the child has left our memory. */
	return __atomic_load_n(&c->tid, __ATOMIC_ACQUIRE) != 0;
}

/* -- the supervisor's ------------------------------------------------------ */

/* More than this many are seldom before their exec at once. */
#define PLACES 16

/* What a child of spawn_start() needs until it executes. */
struct place {
	struct spawn_shared shared;
	int fds[FD_ABOVE];
	char own_env[32];
	char **envp;		/* own_env, then what was asked for */
	size_t room;		/* of envp */
	int errfd;
};

/*
 * Once a child of ours has changed its ids, nobody but root sees our memory,
 * which is its memory; see "Core dumps" of proc_sys_fs(5).
 */
static bool
ids_protect_memory(void)
{
	static int zero = -1;
	char digit = '1';
	int fd;

	if (zero < 0) {
		fd = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);
		zero = fd >= 0 && read(fd, &digit, 1) == 1 && digit == '0';
		fd_close(&fd);
	}
	return zero > 0;
}

/* The last place is for those who copy it. */
static struct place *
find_place(const struct spawn_spec *spec, bool *ret_share)
{
	static struct place places[PLACES + 1];
	struct place *p = places;
	bool may = RAW_KEEPS_ERRNO && spec->lasting &&
		(!spec->privs || !spec->privs->set_ids || ids_protect_memory());

	while (p < places + PLACES && (!may || spawn_is_shared(&p->shared)))
		p++;
	*ret_share = p < places + PLACES;
	return p;
}

/* Copies what is the caller's only during the call; -1 with errno. */
static int
fill_place(struct place *p, const struct spawn_spec *spec)
{
	struct spawn_spec *own = &p->shared.spec;
	size_t n = 0, own_n = spec->own_env != NULL;
	char **envp;

	while (spec->envp[n])
		n++;
	if (own_n + n + 1 > p->room) {
		envp = reallocarray(p->envp, own_n + n + 1, sizeof(*envp));
		if (!envp)
			return -1;
		p->envp = envp;
		p->room = own_n + n + 1;
	}
	if (spec->nfds > FD_ABOVE || (spec->own_env &&
			strlen(spec->own_env) >= sizeof(p->own_env))) {
		errno = EINVAL;
		return -1;
	}
	if (spec->own_env)
		p->envp[0] = strcpy(p->own_env, spec->own_env);
	memcpy(p->envp + own_n, spec->envp, (n + 1) * sizeof(*p->envp));
	memcpy(p->fds, spec->fds, (size_t)spec->nfds * sizeof(int));
	*own = *spec;
	own->envp = p->envp;
	own->fds = p->fds;
	return 0;
}

CHILD_CODE static int
place_run(void *arg)
{
	struct place *p = arg;
	struct child child = {.spec = &p->shared.spec,
		.error = &p->shared.error, .errfd = p->errfd};

	return child_run(&child);
}

pid_t
spawn_start(const struct spawn_spec *spec, int *ret_pidfd, int *ret_errfd)
{
	int flags = CLONE_PIDFD | SIGCHLD, readfd = -1, pidfd = -1, saved;
	bool share;
	struct place *p = find_place(spec, &share);
	struct spawn_shared *c = &p->shared;
	sigset_t old;
	pid_t pid;

	if (fill_place(p, spec) < 0 ||
		fd_pipe(O_NONBLOCK, O_NONBLOCK, &readfd, &p->errfd) < 0)
		return -1;
	if (share) {
		flags |= CLONE_VM | CLONE_CHILD_CLEARTID;
		c->tid = -1;
	}
	block_signals(&old);
	pid = clone(place_run, c->stack + sizeof(c->stack), flags, p, &pidfd,
		NULL, &c->tid);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* A child has its own copy of the number. */
	close(p->errfd);
	if (pid < 0) {
		c->tid = 0;
		fd_close(&readfd);
		errno = saved;
		return -1;
	}
	*ret_pidfd = pidfd;
	*ret_errfd = readfd;
	return pid;
}

/* -- the gateway's --------------------------------------------------------- */

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
