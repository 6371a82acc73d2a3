/*
 * output.h - what a child writes on its stdout and stderr, line by line
 */
#ifndef FCGIPM_WORKER_OUTPUT_H
#define FCGIPM_WORKER_OUTPUT_H

#include "base/lines.h"
#include "base/loop.h"

/* Longer lines are logged in pieces. */
#define OUTPUT_LINE_BYTES 65536

struct output {
	struct loop_io io;	/* the pipe's read end */
	struct loop *loop;
	struct lines lines;	/* of what comes */
	const char *pool;	/* borrowed */
	pid_t pid;
};

/* Takes fd, non-blocking; 0, or -1 with errno. */
int output_open(struct output *c, struct loop *loop, int fd,
	const char *pool, pid_t pid);
/* Tells what is left in the pipe, then closes; harmless when not open. */
void output_close(struct output *c);

#endif
