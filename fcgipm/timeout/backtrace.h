/*
 * backtrace.h - takes the stack of a process with an external tool
 *
 * Uses eu-stack(1), or gdb(1) if eu-stack is not installed.  The tool runs as
 * the workers' user, since it reads memory that they wrote.  It stops the
 * process for some tenths of a second.
 */
#ifndef FCGIPM_TIMEOUT_BACKTRACE_H
#define FCGIPM_TIMEOUT_BACKTRACE_H

#include "base/buf.h"
#include "base/loop.h"
#include "sys/privs.h"

struct backtrace {
	/* text: the lines with frames, or why there are none; any bytes except
	 * NUL. */
	void (*on_done)(struct backtrace *b, const char *text);
	struct loop *loop;
	struct privs privs;
	const char *tool;	/* its path; NULL = none is installed */
	bool is_gdb;
	pid_t pid;		/* the tool's, 0 = not running */
	int pidfd, errfd;
	pid_t target;		/* the process whose stack is taken */
	int targetfd;		/* its pidfd */
	struct loop_child child;
	struct loop_io out;
	struct loop_timer timer;	/* kills the tool */
	bool timed_out;		/* the timer has killed it */
	struct buf text;
};

/* Finds a tool; uid and gid are the workers'. */
void backtrace_init(struct backtrace *b, struct loop *loop, uid_t uid,
	gid_t gid, void (*on_done)(struct backtrace *b, const char *text));
/* Kills a running tool; on_done() is not called for it. */
void backtrace_fini(struct backtrace *b);

static inline bool
backtrace_runs(const struct backtrace *b)
{
	return b->pid != 0;
}

/*
 * backtrace_start - starts the tool; on_done() is called within ten seconds
 *
 * b		must not be running
 * target	a process in this session; any other is refused, since its
 *		stack is logged and it may get a signal
 * returns	NULL, or why there is no stack; on_done() is not called then
 */
const char *backtrace_start(struct backtrace *b, pid_t target,
	pid_t session);

#endif
