/*
 * backtrace.h - where a process is in its own program, told by a tool
 *
 * eu-stack(1), else gdb(1), when one is installed, run as whom the workers run
 * as: what it reads was written by them.  The process is stopped while it is
 * looked at, some tenths of a second.
 */
#ifndef FCGIPM_TIMEOUT_BACKTRACE_H
#define FCGIPM_TIMEOUT_BACKTRACE_H

#include "base/buf.h"
#include "base/loop.h"
#include "sys/privs.h"

struct backtrace {
	/* text: lines with the frames, else why there are none; it may hold
	 * any byte but NUL. */
	void (*on_done)(struct backtrace *b, const char *text);
	struct loop *loop;
	struct privs privs;
	const char *tool;	/* its path; NULL = none is installed */
	bool is_gdb;
	pid_t pid;		/* the tool's, 0 = it does not run */
	int pidfd, errfd;
	int targetfd;		/* a pidfd of whom it looks at */
	pid_t target;
	struct loop_child child;
	struct loop_io out;
	struct loop_timer timer;	/* its time is up */
	bool timed_out;
	struct buf text;
};

/* Looks for a tool; uid and gid are the workers'. */
void backtrace_init(struct backtrace *b, struct loop *loop, uid_t uid,
	gid_t gid, void (*on_done)(struct backtrace *b, const char *text));
/* Ends one that runs; nothing is told any more. */
void backtrace_fini(struct backtrace *b);

static inline bool
backtrace_runs(const struct backtrace *b)
{
	return b->pid != 0;
}

/*
 * backtrace_start - on_done() tells the rest, within ten seconds
 *
 * b		does not run
 * session	whose it has to be in: what it does is told, and a signal may
 *		be sent to it
 * returns	NULL, or why not: then on_done() is not called
 */
const char *backtrace_start(struct backtrace *b, pid_t target,
	pid_t session);

#endif
