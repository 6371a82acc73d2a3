/*
 * child.c - code that runs in a new process before its exec; see child.h
 *
 * Called by sys/spawn.  It uses raw system calls only (sys/raw.h): they do not
 * change errno, which may be the parent's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/util.h"
#include "sys/child.h"
#include "sys/privs.h"
#include "sys/raw.h"
#include "sys/spawn_spec.h"

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

/* Returns fd, or a duplicate if fd is below n; -errno. */
CHILD_CODE static int
move_above(int fd, int n)
{
	return fd < 0 || fd >= n ? fd :
				   (int)RAW(fcntl, fd, F_DUPFD_CLOEXEC, n);
}

/* Duplicates fds[i] to descriptor i.  A source whose number is the target of
 * another one is moved first. */
CHILD_CODE static const char *
place_fds(const struct spawn_spec *spec, int *errfd, int *execfd, int *cwdfd,
	long *err)
{
	int *others[] = {errfd, execfd, cwdfd};
	int src[CHILD_FDS], i;

	*err = EINVAL;
	if (spec->nfds > CHILD_FDS)
		return "fds";
	for (i = 0; i < spec->nfds; i++) {
		src[i] = spec->fds[i];
		if (src[i] != i)
			src[i] = move_above(src[i], spec->nfds);
		if (src[i] < 0) {
			*err = -src[i];
			return "dup";
		}
	}
	for (i = 0; i < (int)ARRAY_SIZE(others); i++) {
		if (*others[i] < 0)
			continue;
		*others[i] = move_above(*others[i], spec->nfds);
		if (*others[i] < 0) {
			*err = -*others[i];
			return "dup";
		}
	}
	for (i = 0; i < spec->nfds; i++) {
		/* dup3(2) with two equal descriptors is an error. */
		long ret = src[i] == i ? RAW(fcntl, i, F_SETFD, 0) :
					 RAW(dup3, src[i], i, 0);

		if (ret < 0) {
			*err = -ret;
			return "dup";
		}
	}
	return NULL;
}

/*
 * Replaces the shared descriptor table with the child's own, without the
 * descriptors from close_from on.  Closing a thousand descriptors of other
 * workers takes longer than the rest of the start.
 */
CHILD_CODE static void
unshare_table(struct child *c)
{
	long err = RAW(close_range, c->close_from, UINT_MAX,
		CLOSE_RANGE_UNSHARE);

	if (err < 0)
		fail(c, "close_range", -err);
	__atomic_store_n(c->own_table, CHILD_OWN_TABLE, __ATOMIC_RELEASE);
	RAW(futex, c->own_table, FUTEX_WAKE, 1);
}

CHILD_CODE int
child_run(struct child *c)
{
	const struct spawn_spec *spec = c->spec;
	int execfd = spec->execfd, cwdfd = spec->cwdfd, step_err = 0;
	const char *step;
	uint64_t none = 0;
	long err;

	if (c->own_table)
		unshare_table(c);
	err = spec->new_session ? RAW(setsid) : RAW(setpgid, 0, 0);
	if (err < 0)
		fail(c, "setsid", -err);
	step = place_fds(spec, &c->errfd, &execfd, &cwdfd, &err);
	if (step)
		fail(c, step, err);
	step = spec->privs ? privs_apply(spec->privs, &step_err) : NULL;
	if (step)
		fail(c, step, step_err);
	/* The memory may be root's: another user must not get a core file. */
	if (spec->privs && spec->privs->set_ids)
		err = RAW(prctl, PR_SET_DUMPABLE, 0);
	if (err < 0)
		fail(c, "dumpable", -err);
	err = 0;
	if (cwdfd >= 0)
		err = RAW(fchdir, cwdfd);
	else if (spec->cwd)
		err = RAW(chdir, spec->cwd);
	if (err < 0)
		fail(c, "chdir", -err);
	/* Signal dispositions are the defaults: inherit_nothing() has reset
	 * those of the parent, and the parent sets no signal to SIG_IGN. */
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
