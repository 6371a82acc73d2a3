/*
 * spawn.c - the only fork and exec; see spawn.h
 *
 * Called by worker/worker and timeout/backtrace (spawn_start) and by
 * gateway/script (spawn_share).  What runs before the exec is child_run().
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/child.h"
#include "sys/procfs.h"
#include "sys/raw.h"
#include "sys/spawn.h"

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

/* In tid, until the kernel clears it: the child is in our memory. */
#define SHARED (-1)

/* -- the supervisor's ------------------------------------------------------ */

/* More than this many are seldom before their exec at once. */
#define PLACES 16

/* What a child of spawn_start() needs until it executes. */
struct place {
	struct spawn_shared shared;
	int fds[CHILD_FDS];
	char own_env[32];
	char **envp;		/* own_env, then what was asked for */
	size_t room;		/* of envp */
	struct child child;
};

/* Taken before many descriptors are open. */
static struct {
	/* Numbers beneath those that come and go: a child that shares our
	 * table of descriptors takes with it what is not above them. */
	int null, error, own;
	int dumpable;		/* fs.suid_dumpable */
} reserve = {-1, -1, -1, -1};

/*
 * Once a child of ours has changed its ids, nobody but root sees our memory,
 * which is its memory, unless fs.suid_dumpable is 1, which is for debugging;
 * see proc_sys_fs(5).  Asked each time, as that may begin while we run.
 */
static bool
ids_protect_memory(void)
{
	char digit;

	return pread(reserve.dumpable, &digit, 1, 0) == 1 && digit != '1';
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
	if (spec->nfds > CHILD_FDS || (spec->own_env &&
			strlen(spec->own_env) >= sizeof(p->own_env))) {
		errno = EINVAL;
		return -1;
	}
	if (spec->own_env)
		p->envp[0] = memcpy(p->own_env, spec->own_env,
			strlen(spec->own_env) + 1);
	memcpy(p->envp + own_n, spec->envp, (n + 1) * sizeof(*p->envp));
	memcpy(p->fds, spec->fds, (size_t)spec->nfds * sizeof(int));
	*own = *spec;
	own->envp = p->envp;
	own->fds = p->fds;
	return 0;
}

int
spawn_reserve(void)
{
	reserve.dumpable = open("/proc/sys/fs/suid_dumpable",
		O_RDONLY | O_CLOEXEC);
	/* Closes nothing: it shows whether that is allowed here. */
	if (syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0) < 0)
		return 0;
	reserve.null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	reserve.error = fcntl(reserve.null, F_DUPFD_CLOEXEC, 0);
	reserve.own = fcntl(reserve.null, F_DUPFD_CLOEXEC, 0);
	return reserve.own < 0 ? -1 : 0;
}

static void
empty_low(void)
{
	(void)dup3(reserve.null, reserve.error, O_CLOEXEC);
	(void)dup3(reserve.null, reserve.own, O_CLOEXEC);
}

/* What was opened for this child alone goes to the low numbers. */
static bool
go_low(struct place *p)
{
	const struct spawn_spec *spec = &p->shared.spec;
	struct child *c = &p->child;
	int i, top = 0, n = spec->nfds;
	int next = MAX(reserve.own, MAX(spec->execfd, spec->cwdfd));

	for (i = 0; i < n; i++)
		top = MAX(top, p->fds[i]);
	if (dup3(c->errfd, reserve.error, O_CLOEXEC) < 0 ||
		(top > reserve.own && dup3(top, reserve.own, O_CLOEXEC) < 0)) {
		empty_low();
		return false;
	}
	fd_close(&c->errfd);
	c->errfd = reserve.error;
	for (i = 0; i < n; i++) {
		if (p->fds[i] == top && top > reserve.own)
			p->fds[i] = reserve.own;
		next = MAX(next, p->fds[i]);
	}
	c->own_table = &p->shared.tid;
	c->above = (unsigned)next + 1;
	return true;
}

/* Milliseconds of the one call that is waited for. */
#define PATIENCE_MS 500

/*
 * The child is before setsid(), and nobody's but ours: this is no vfork(2).  It
 * may be stopped with all of our group and then not go on with us: it is killed
 * before its table of descriptors, which is ours, holds us up for good.
 */
static void
await_own_table(struct spawn_shared *c, pid_t pid)
{
	const struct timespec patience = {.tv_nsec = PATIENCE_MS * 1000000L};

	while (__atomic_load_n(&c->tid, __ATOMIC_ACQUIRE) == SHARED)
		if (syscall(SYS_futex, &c->tid, FUTEX_WAIT, SHARED,
			    &patience) < 0 &&
			errno == ETIMEDOUT && procfs_state(pid) == 'T')
			(void)kill(pid, SIGKILL);
}

CHILD_CODE static int
place_run(void *arg)
{
	struct place *p = arg;
	/* A copy of its own, since it moves them. */
	struct child child = p->child;

	return child_run(&child);
}

/* pid; -1 with errno */
static pid_t
clone_child(struct place *p, int flags, int *ret_pidfd)
{
	struct spawn_shared *c = &p->shared;
	sigset_t old;
	pid_t pid;
	int saved;

	c->tid = flags & CLONE_VM ? SHARED : 0;
	block_signals(&old);
	pid = clone(place_run, c->stack + sizeof(c->stack), flags, p,
		ret_pidfd, NULL, &c->tid);
	saved = errno;
	if (pid < 0)
		c->tid = 0;
	else if (flags & CLONE_FILES)
		await_own_table(c, pid);
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return pid;
}

pid_t
spawn_start(const struct spawn_spec *spec, int *ret_pidfd, int *ret_errfd)
{
	int flags = CLONE_PIDFD | SIGCHLD, readfd = -1, saved;
	bool share;
	struct place *p = find_place(spec, &share);
	pid_t pid;

	p->child = (struct child){
		.spec = &p->shared.spec, .error = &p->shared.error};
	if (fill_place(p, spec) < 0 || fd_pipe(O_NONBLOCK, O_NONBLOCK, &readfd,
					       &p->child.errfd) < 0)
		return -1;
	if (share)
		flags |= CLONE_VM | CLONE_CHILD_CLEARTID;
	if (share && reserve.own >= 0 && go_low(p))
		flags |= CLONE_FILES;
	pid = clone_child(p, flags, ret_pidfd);
	saved = errno;
	if (flags & CLONE_FILES)
		empty_low();
	else
		/* A child that reads the number has its own copy of it. */
		close(p->child.errfd);
	if (pid < 0)
		fd_close(&readfd);
	*ret_errfd = readfd;
	errno = saved;
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
	c->tid = SHARED;
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
