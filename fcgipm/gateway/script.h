/*
 * script.h - one running CGI process: its start, its pipes, its exit
 */
#ifndef FCGIPM_GATEWAY_SCRIPT_H
#define FCGIPM_GATEWAY_SCRIPT_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/loop.h"
#include "base/vec.h"
#include "sys/spawn.h"

struct gateway_opts;

/* What to start; the strings must not change until the program exits. */
struct script_spec {
	const char *path;	/* absolute */
	char *const *argv;
	char *own_argv[3];	/* room for an argv */
	struct vec env;
	const char *cwd;	/* working directory, NULL = the gateway's */
	int cwdfd;		/* >= 0: working directory, instead of cwd */
	int execfd;		/* >= 0: executed instead of path */
	char first[128];	/* truncated line after "#!", for messages */
	bool script;		/* first is set */
	bool has_body;		/* stdin is a pipe, else /dev/null */
	bool wait;		/* until exec; private, as are all below */
	int fds[3];
	struct script *owner;	/* its last user */
	struct spawn_shared shared;
};

/* Embedded in the request, which sets the callbacks. */
struct script {
	struct loop *loop;
	char *path;		/* of the file, for the log; NULL = not known
				 * yet; freed by script_fini() */
	LIST_ENTRY(script) link;	/* of gateway/reaper */
	struct loop_io in_io, out_io, err_io;	/* owner sets on_event */
	struct loop_timer kill_timer;
	void (*on_exit)(struct script *s);	/* it was reaped */
	int infd, outfd, errfd;	/* our pipe ends, non-blocking; -1 = closed */
	pid_t pid;		/* 0 = not started, or reaped */
	bool stopping;		/* script_stop() was called */
	int status;		/* exit status, 128 + n after signal n */
	struct script_spec *spec;	/* NULL = never started */
};

void script_init(struct script *s, struct loop *loop);

/* Returns a spec with an empty env, for the next script_start(). */
struct script_spec *script_get_spec(void);

/*
 * script_start - start the process; its pipes are not watched yet
 *
 * returns	0, it is being started (see script_start_error()); -1, nothing
 *		was started
 * ret_error	written with -1: a step of spawn_share(), "pipe" or
 *		"environment" (no memory for it)
 */
int script_start(struct script *s, const struct gateway_opts *opts,
	struct script_spec *spec, struct spawn_error *ret_error);

/* The step at which the start of a reaped program failed; NULL: execve(2)
 * succeeded. */
const struct spawn_error *script_start_error(const struct script *s);

/* Was it started, and has it been reaped? */
bool script_is_reaped(const struct script *s);

/* Is any program being stopped?  Then gateway/reaper must call
 * script_kill_group() for an exited program before it is reaped, which kills
 * the rest of its process group. */
bool script_any_stops(void);
void script_kill_group(struct script *s);

/* It was reaped; code and status as in siginfo_t. */
void script_on_reaped(struct script *s, int code, int status);

/* Sends a signal to its process group, unless it was reaped. */
void script_signal(struct script *s, int signo);
/* Sends TERM now, and KILL after two seconds or when it exits. */
void script_stop(struct script *s);

/* Closes its standard input. */
void script_close_input(struct script *s);
/* Closes everything; it must have been reaped, or never started. */
void script_fini(struct script *s);

#endif
