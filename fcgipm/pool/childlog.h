/*
 * childlog.h - what a child writes on its stdout and stderr, line by line
 */
#ifndef FCGIPM_POOL_CHILDLOG_H
#define FCGIPM_POOL_CHILDLOG_H

#include "base/lines.h"
#include "base/loop.h"

/* Longer lines are told in pieces. */
#define CHILDLOG_LINE_BYTES 65536

struct childlog {
	struct loop_io io;	/* the pipe's read end */
	struct loop *loop;
	struct lines lines;	/* of what comes */
	const char *pool;	/* borrowed */
	pid_t pid;
};

/* Takes fd, non-blocking; 0, or -1 with errno. */
int childlog_open(struct childlog *c, struct loop *loop, int fd,
	const char *pool, pid_t pid);
/* Tells what is left in the pipe, then closes; harmless when not open. */
void childlog_close(struct childlog *c);

#endif
