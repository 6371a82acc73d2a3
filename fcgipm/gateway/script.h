/*
 * script.h - one CGI program while it runs
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

/* What is to be run; strings stay as they are until the program ends. */
struct script_spec {
	const char *path;	/* absolute */
	char *const *argv;
	char *own_argv[3];	/* room for it */
	struct vec env;
	const char *cwd;	/* the directory it runs in, NULL = ours */
	int cwdfd;		/* >= 0: this directory instead */
	int execfd;		/* >= 0: run this descriptor, not the path */
	char first[128];	/* the line behind "#!", cut; for messages */
	bool script;		/* it has one */
	bool has_body;		/* fd 0 is a pipe, else /dev/null */
	bool wait;		/* for the exec; private, as is all below */
	int fds[3];
	struct script *owner;	/* that used it last */
	struct spawn_shared shared;
};

/* Embedded in the request, whose callbacks it calls. */
struct script {
	struct loop *loop;
	char *path;		/* of the file, for the log; NULL = not known
				 * yet; freed by script_fini() */
	LIST_ENTRY(script) link;	/* gateway/reaper's */
	struct loop_io in_io, out_io, err_io;	/* on_event: the owner's */
	struct loop_timer kill_timer;
	void (*on_exit)(struct script *s);	/* the owner's; reaped */
	int infd, outfd, errfd;	/* our ends, non-blocking; -1 = closed */
	pid_t pid;		/* 0 = not started, or reaped */
	bool stopping;		/* script_stop() was called */
	int status;		/* exit status, 128 + n after signal n */
	struct script_spec *spec;	/* NULL = never started */
};

void script_init(struct script *s, struct loop *loop);

/* One to be filled in, its env empty; for the next script_start(). */
struct script_spec *script_get_spec(void);

/*
 * script_start - run it; its pipes are not watched yet
 *
 * returns	0, it is being started (see script_start_error()); -1, nothing
 *		is left behind
 * ret_error	written with -1: a step of spawn_share(), "pipe" or
 *		"environment" (no memory for it)
 */
int script_start(struct script *s, const struct gateway_opts *opts,
	struct script_spec *spec, struct spawn_error *ret_error);

/* The step a reaped program's start failed at; NULL: it was executed. */
const struct spawn_error *script_start_error(const struct script *s);

/* Was it started, and has it been reaped? */
bool script_is_reaped(const struct script *s);

/* Is any being stopped?  Then script_kill_group() is called for one that ended
 * and is not reaped yet: it takes along what is left of its group. */
bool script_any_stops(void);
void script_kill_group(struct script *s);

/* It has been reaped, with code and status as of siginfo_t. */
void script_on_reaped(struct script *s, int code, int status);

/* A signal to its process group, unless it was reaped. */
void script_signal(struct script *s, int signo);
/* TERM now, KILL in two seconds, or when it ends. */
void script_stop(struct script *s);

/* No more body. */
void script_close_input(struct script *s);
/* Closes everything; it must have been reaped, or never been started. */
void script_fini(struct script *s);

#endif
