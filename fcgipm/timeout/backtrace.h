/*
 * backtrace.h - takes the stack of a process by an external tool
 *
 * By eu-stack(1), else gdb(1), when one is installed.  It runs as the workers'
 * user, since what it reads was written by them.  The process is stopped for
 * some tenths of a second meanwhile.
 */
#ifndef FCGIPM_TIMEOUT_BACKTRACE_H
#define FCGIPM_TIMEOUT_BACKTRACE_H

#include "base/buf.h"
#include "base/loop.h"
#include "sys/privs.h"

struct backtrace {
	/* text: lines with the frames, else why there are none; any bytes
	 * but NUL. */
	void (*on_done)(struct backtrace *b, const char *text);
	struct loop *loop;
	struct privs privs;
	const char *tool;	/* its path; NULL = none is installed */
	bool is_gdb;
	pid_t pid;		/* the tool's, 0 = it does not run */
	int pidfd, errfd;
	pid_t target;		/* the process whose stack is taken */
	int targetfd;		/* its pidfd */
	struct loop_child child;
	struct loop_io out;
	struct loop_timer timer;	/* the tool is killed then */
	bool timed_out;		/* it was */
	struct buf text;
};

/* Finds a tool; uid and gid are the workers'. */
void backtrace_init(struct backtrace *b, struct loop *loop, uid_t uid,
	gid_t gid, void (*on_done)(struct backtrace *b, const char *text));
/* Kills a tool that runs; on_done() is not called any more. */
void backtrace_fini(struct backtrace *b);

static inline bool
backtrace_runs(const struct backtrace *b)
{
	return b->pid != 0;
}

/*
 * backtrace_start - starts the tool; on_done() is called within ten seconds
 *
 * b		does not run
 * target	a process in this session, else it is refused: its stack is
 *		logged, and a signal may be sent to it
 * returns	NULL, or why there is no stack: then on_done() is not called
 */
const char *backtrace_start(struct backtrace *b, pid_t target,
	pid_t session);

#endif
