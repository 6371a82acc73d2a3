/*
 * spawn.h - the only fork and exec
 *
 * Two ways, one description.  The supervisor forks: its child must not share
 * memory, since whoever owns the pool's uid could stop it there and freeze a
 * root parent.  The gateway, which already is that user, uses vfork semantics
 * (clone(2) with CLONE_VM | CLONE_VFORK), whose cost does not grow with its
 * heap.
 */
#ifndef FCGIPM_SYS_SPAWN_H
#define FCGIPM_SYS_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "sys/privs.h"

/* What the child did not get past; sent over the error pipe by a fork. */
struct spawn_error {
	char step[24];		/* "chdir", "setgid", "exec", ...; NUL ended */
	int err;		/* errno */
};

struct spawn_spec {
	const char *path;	/* program, absolute or from cwd; no PATH */
	int execfd;		/* >= 0: run this descriptor (fexecve) */
	char *const *argv;
	char *const *envp;
	const int *fds;		/* fds[i] becomes the child's descriptor i */
	int nfds;		/* at least 3; all others are closed by exec */
	const char *cwd;	/* NULL = stay */
	int cwdfd;		/* >= 0: fchdir() here instead of cwd */
	bool new_session;	/* setsid(); else own process group */
	const struct privs *privs;	/* NULL = as we are */
};

/*
 * spawn_fork - start a child that shares nothing
 *
 * ret_errfd	non-blocking; readable with one struct spawn_error when a step
 *		failed, at end of file once exec succeeded; the caller's to
 *		close, as is the pidfd
 * returns	pid; -1 with errno, nothing left behind
 */
pid_t spawn_fork(const struct spawn_spec *spec, int *ret_pidfd,
	int *ret_errfd);

/*
 * spawn_vfork - start a child and return when it has executed or failed
 *
 * For a process without signal handlers: the child shares our memory.
 *
 * returns	pid, running the program; -1 with *ret_error telling the step,
 *		the child reaped and nothing left behind
 */
pid_t spawn_vfork(const struct spawn_spec *spec, struct spawn_error *ret_error);

#endif
