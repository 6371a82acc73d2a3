/*
 * spawn.c - starts child processes: the only clone and exec; see spawn.h
 *
 * Called by worker/worker and timeout/backtrace (spawn_start) and by
 * gateway/script (spawn_share).  child_run() in sys/child runs before the exec.
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

/* Blocks all signals until the child is past its first steps: no signal may be
 * handled by the child, or end it, in between. */
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
	/* CLONE_CHILD_CLEARTID: zero once the child has left the memory. */
	return __atomic_load_n(&c->tid, __ATOMIC_ACQUIRE) != 0;
}

/* Value of tid while the child shares the memory; the kernel clears it. */
#define SHARED (-1)

/* -- children of the supervisor -------------------------------------------- */

/* So many children share the memory at the same time; more are rare. */
#define SLOTS 16

/* What a child of spawn_start() needs until its exec. */
struct slot {
	struct spawn_shared shared;
	int fds[CHILD_FDS];
	char own_env[32];
	char **envp;		/* own_env, then spec->envp */
	size_t room;		/* capacity of envp */
	struct child child;
};

/* Opened before the process has many descriptors. */
static struct {
	/* Low descriptor numbers.  A child that shares the descriptor table
	 * keeps all descriptors up to the highest one that it needs. */
	int null, error, own;
	int dumpable;		/* fs.suid_dumpable */
} reserve = {-1, -1, -1, -1};

/*
 * After a child has changed its IDs, only root may read its memory, which is
 * the supervisor's.  fs.suid_dumpable = 1, a setting for debugging, removes
 * this protection; see proc_sys_fs(5).  Read each time, since the setting may
 * change at run time.
 */
static bool
ids_protect_memory(void)
{
	char digit;

	return pread(reserve.dumpable, &digit, 1, 0) == 1 && digit != '1';
}

/* The last slot is for children that get a copy of the memory. */
static struct slot *
find_slot(const struct spawn_spec *spec, bool *ret_share)
{
	static struct slot slots[SLOTS + 1];
	struct slot *p = slots;
	bool may = RAW_KEEPS_ERRNO && spec->lasting &&
		(!spec->privs || !spec->privs->set_ids || ids_protect_memory());

	while (p < slots + SLOTS && (!may || spawn_is_shared(&p->shared)))
		p++;
	*ret_share = p < slots + SLOTS;
	return p;
}

/* Copies what is valid only during the call; -1 with errno. */
static int
fill_slot(struct slot *p, const struct spawn_spec *spec)
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
	/* Closes nothing: a test whether close_range(2) is allowed. */
	if (syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0) < 0)
		return 0;
	reserve.null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	reserve.error = fcntl(reserve.null, F_DUPFD_CLOEXEC, 0);
	reserve.own = fcntl(reserve.null, F_DUPFD_CLOEXEC, 0);
	return reserve.own < 0 ? -1 : 0;
}

static void
reset_reserve(void)
{
	(void)dup3(reserve.null, reserve.error, O_CLOEXEC);
	(void)dup3(reserve.null, reserve.own, O_CLOEXEC);
}

/* Moves the descriptors of this child alone to the reserved low numbers. */
static bool
use_reserve(struct slot *p)
{
	const struct spawn_spec *spec = &p->shared.spec;
	struct child *c = &p->child;
	int i, top = 0, n = spec->nfds;
	int next = MAX(reserve.own, MAX(spec->execfd, spec->cwdfd));

	for (i = 0; i < n; i++)
		top = MAX(top, p->fds[i]);
	if (dup3(c->errfd, reserve.error, O_CLOEXEC) < 0 ||
		(top > reserve.own && dup3(top, reserve.own, O_CLOEXEC) < 0)) {
		reset_reserve();
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
	c->close_from = (unsigned)next + 1;
	return true;
}

/* How often a child that has not answered yet is checked for a stop. */
#define STOP_CHECK_MS 500

/*
 * Waits until the child has a descriptor table of its own.  A signal to the
 * process group may stop the child before its setsid(), and a SIGCONT may reach
 * the supervisor only.  Such a child is killed: the supervisor would wait for it
 * indefinitely.
 */
static void
await_own_table(struct spawn_shared *c, pid_t pid)
{
	const struct timespec interval = {.tv_nsec = STOP_CHECK_MS * 1000000L};

	while (__atomic_load_n(&c->tid, __ATOMIC_ACQUIRE) == SHARED)
		if (syscall(SYS_futex, &c->tid, FUTEX_WAIT, SHARED,
			    &interval) < 0 &&
			errno == ETIMEDOUT && procfs_state(pid) == 'T')
			(void)kill(pid, SIGKILL);
}

CHILD_CODE static int
slot_run(void *arg)
{
	struct slot *p = arg;
	/* A copy, because child_run() changes its descriptors. */
	struct child child = p->child;

	return child_run(&child);
}

/* pid; -1 with errno */
static pid_t
clone_child(struct slot *p, int flags, int *ret_pidfd)
{
	struct spawn_shared *c = &p->shared;
	sigset_t old;
	pid_t pid;
	int saved;

	c->tid = flags & CLONE_VM ? SHARED : 0;
	block_signals(&old);
	pid = clone(slot_run, c->stack + sizeof(c->stack), flags, p,
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
	struct slot *p = find_slot(spec, &share);
	pid_t pid;

	p->child = (struct child){
		.spec = &p->shared.spec, .error = &p->shared.error};
	if (fill_slot(p, spec) < 0 || fd_pipe(O_NONBLOCK, O_NONBLOCK, &readfd,
					       &p->child.errfd) < 0)
		return -1;
	if (share)
		flags |= CLONE_VM | CLONE_CHILD_CLEARTID;
	if (share && reserve.own >= 0 && use_reserve(p))
		flags |= CLONE_FILES;
	pid = clone_child(p, flags, ret_pidfd);
	saved = errno;
	if (flags & CLONE_FILES)
		reset_reserve();
	else
		/* The child has its own copy of this descriptor. */
		close(p->child.errfd);
	if (pid < 0)
		fd_close(&readfd);
	*ret_errfd = readfd;
	errno = saved;
	return pid;
}

/* -- children of the gateway ----------------------------------------------- */

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
