/*
 * output.c - writes a child's output to the log; see output.h
 *
 * Called by worker/worker.  The pipe is always read, so a child never blocks on
 * its own output.
 */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "worker/output.h"

/* Reads of one child in one turn of the loop, before others get their turn. */
#define READS_A_TURN 4

static void
on_line(struct lines *l, const char *text, size_t len)
{
	struct output *c = container_of(l, struct output, lines);

	if (text[len - 1] == '\r')
		len--;
	if (len == 0)
		return;
	c->has_logged = true;
	/* Action: in a cgi pool, this is a message of fcgipm-cgi(8); see
	 * DIAGNOSTICS there.  Its errors and warnings have the level notice
	 * here, too.  In a prefork pool, it is a line that the program
	 * wrote to its stdout or stderr. */
	log_notice("pool %s: worker %d says: %.*s", c->pool, (int)c->pid,
		(int)len, text);
}

/* 1 when there may be more, 0 when it would block, -1 at the end. */
static int
read_once(struct output *c)
{
	char chunk[16384];
	ssize_t n = read(c->io.fd, chunk, sizeof(chunk));

	if (n == 0)
		return -1;
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -1;
	lines_feed(&c->lines, chunk, (size_t)n);
	return 1;
}

static void
output_on_event(struct loop_io *io, uint32_t events)
{
	struct output *c = container_of(io, struct output, io);
	int i, more = 1;
	(void)events;

	for (i = 0; i < READS_A_TURN && more > 0; i++)
		more = read_once(c);
	if (more < 0)
		output_close(c);
}

int
output_open(struct output *c, struct loop *loop, int fd, const char *pool,
	pid_t pid)
{
	*c = (struct output){.io = {.fd = -1}, .loop = loop, .pool = pool,
		.pid = pid};
	lines_init(&c->lines, OUTPUT_LINE_BYTES, on_line);
	c->io.on_event = output_on_event;
	if (loop_add(loop, &c->io, fd, LOOP_READ) < 0) {
		fd_close(&fd);
		return -1;
	}
	return 0;
}

void
output_close(struct output *c)
{
	int fd = c->io.fd, i;

	if (fd < 0)
		return;
	/* A grandchild may write on without end: read what is there now, and
	 * no more than fits into a pipe. */
	for (i = 0; i < 64 && read_once(c) > 0; i++)
		;
	lines_end(&c->lines);
	loop_del(c->loop, &c->io);
	fd_close(&fd);
}
