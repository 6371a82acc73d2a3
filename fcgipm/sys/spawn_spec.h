/*
 * spawn_spec.h - struct spawn_spec, what to start, and struct spawn_error, why
 * a start failed
 *
 * For sys/spawn and sys/child; others include sys/spawn.h.
 */
#ifndef FCGIPM_SYS_SPAWN_SPEC_H
#define FCGIPM_SYS_SPAWN_SPEC_H

#include <stdbool.h>

struct privs;

/* The step that failed.  A child of spawn_start() also sends it over
 * the pipe. */
struct spawn_error {
	char step[24];		/* "chdir", "setgid", "exec", ...; NUL ended */
	int err;		/* errno */
};

struct spawn_spec {
	const char *path;	/* program, absolute or from cwd; no PATH */
	int execfd;		/* >= 0: execute this descriptor instead */
	char *const *argv;
	char *const *envp;
	const int *fds;		/* fds[i] becomes the child's descriptor i */
	int nfds;		/* at least 3; all others are closed by exec */
	const char *cwd;	/* NULL = do not change it */
	int cwdfd;		/* >= 0: fchdir() here instead of cwd */
	bool new_session;	/* setsid(); else own process group */
	const struct privs *privs;	/* NULL = those of the parent */
	/* spawn_start() only */
	const char *own_env;	/* a variable before envp; NULL = none */
	bool lasting;		/* argv, envp, privs and the strings stay valid
				 * until the child has executed or exited */
};

#endif
