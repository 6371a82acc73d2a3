/*
 * spawn_spec.h - what a child is to become, and what kept it from that
 *
 * For sys/spawn and sys/child; others include sys/spawn.h.
 */
#ifndef FCGIPM_SYS_SPAWN_SPEC_H
#define FCGIPM_SYS_SPAWN_SPEC_H

#include <stdbool.h>

struct privs;

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
	/* spawn_start() only */
	const char *own_env;	/* a variable in front of envp; NULL = none */
	bool lasting;		/* argv, envp, privs and the strings stay as
				 * they are until it executes or is dead */
};

#endif
