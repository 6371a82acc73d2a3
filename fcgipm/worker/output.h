/*
 * output.h - reads a child's stdout and stderr and writes each line to the log
 */
#ifndef FCGIPM_WORKER_OUTPUT_H
#define FCGIPM_WORKER_OUTPUT_H

#include <stdbool.h>

#include "base/lines.h"
#include "base/loop.h"

/* Longer lines are logged in pieces. */
#define OUTPUT_LINE_BYTES 65536

struct output {
	struct loop_io io;	/* the pipe's read end */
	struct loop *loop;
	struct lines lines;	/* splits what is read */
	const char *pool;	/* borrowed */
	pid_t pid;
	bool has_logged;	/* a line at least */
};

/* Takes fd, which is non-blocking; 0, or -1 with errno. */
int output_open(struct output *c, struct loop *loop, int fd,
	const char *pool, pid_t pid);
/* Logs what is left in the pipe, then closes it; harmless when not open. */
void output_close(struct output *c);

#endif
