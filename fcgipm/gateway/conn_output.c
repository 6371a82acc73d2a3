/*
 * conn_output.c - what a connection sends, in order and bounded; see conn.h
 *
 * Called by gateway/response and gateway/conn, which waits for the peer to
 * take more (conn_flush()).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/conn.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/server.h"

/* Output below this waits HOLD_MS for more, at or above it leaves at once. */
#define HOLD_BYTES (16 * 1024)
#define HOLD_MS 2
/*
 * nginx stops sending a body once it sees the beginning of the answer, so
 * that one waits for the end of the body: until there is this much of it, or
 * the peer has sent nothing for so long.
 */
#define UPLOAD_HOLD_BYTES (64 * 1024)
#define UPLOAD_HOLD_MS 1000

/* Would the beginning of the answer cost the rest of the body? */
static bool
is_uploading(const struct conn *c)
{
	return c->req && !c->answering && request_is_uploading(c->req);
}

/* Keeps p[0..len) until the peer takes it. */
static void
keep(struct conn *c, const void *p, size_t len)
{
	if (buf_add(&c->out, p, len) < 0) {
		log_error("a client's connection is closed: %s for its answer",
			strerror(errno));
		conn_close(c);
	}
}

/* From now on what is sent leaves. */
static void
begin_answer(struct conn *c)
{
	loop_timer_stop(c->srv->loop, &c->hold_timer);
	c->answering = true;
}

/* What waits, and p behind it; bytes of p the peer took, -1 = it is closed. */
static ssize_t
write_out(struct conn *c, const void *p, size_t len, int flags)
{
	struct iovec iov[2] = {
		{c->out.len ? buf_data(&c->out) : NULL, c->out.len},
		{(void *)(uintptr_t)p, len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	size_t waiting = c->out.len;
	ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | flags);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_close(c);
		return -1;
	}
	n = MAX(n, (ssize_t)0);
	buf_consume(&c->out, MIN((size_t)n, waiting));
	return n - (ssize_t)MIN((size_t)n, waiting);
}

void
conn_send(struct conn *c, const void *p, size_t len, bool hold)
{
	bool upload = is_uploading(c);
	ssize_t n = 0;

	if (c->state == CONN_CLOSED)
		return;
	if (c->blocked || (hold && c->out.len + len <
			(size_t)(upload ? UPLOAD_HOLD_BYTES : HOLD_BYTES))) {
		keep(c, p, len);
		if (!c->blocked && c->state != CONN_CLOSED &&
			!c->hold_timer.place)
			loop_timer_set(c->srv->loop, &c->hold_timer,
				loop_now(c->srv->loop) +
				(upload ? UPLOAD_HOLD_MS : HOLD_MS));
		return;
	}
	begin_answer(c);
	n = write_out(c, p, len, 0);
	if (n >= 0 && (size_t)n < len)
		keep(c, (const uint8_t *)p + n, len - (size_t)n);
	if (c->state != CONN_CLOSED)
		conn_set_blocked(c, c->out.len > 0);
}

bool
conn_may_splice(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->blocked && !is_uploading(c);
}

void
conn_splice(struct conn *c, const uint8_t head[FCGI_HEADER_LEN], int fd,
	size_t len, bool more)
{
	ssize_t n;

	begin_answer(c);
	n = write_out(c, head, FCGI_HEADER_LEN, MSG_MORE);
	if (n < 0)
		return;
	if (n < FCGI_HEADER_LEN)
		keep(c, head + n, FCGI_HEADER_LEN - (size_t)n);
	if (c->state == CONN_CLOSED)
		return;
	c->pipefd = fd;
	c->pipe_left = len;
	c->pipe_more = more;
	c->before_pipe = c->out.len;
	conn_set_blocked(c, !conn_flush(c));
}

/* The content of a record that is still in a pipe; false when some is left. */
static bool
flush_pipe(struct conn *c)
{
	ssize_t n;

	while (c->pipe_left > 0) {
		n = splice(c->pipefd, NULL, c->fd, NULL, c->pipe_left,
			SPLICE_F_MOVE | SPLICE_F_NONBLOCK |
				(c->pipe_more ? SPLICE_F_MORE : 0));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0) {
			/* Promised to the peer, so no less will do. */
			conn_close(c);
			return false;
		}
		c->pipe_left -= (size_t)n;
		c->flushed = true;
	}
	return true;
}

/* The first len of the bytes that wait; false when some are left. */
static bool
flush_bytes(struct conn *c, size_t len)
{
	ssize_t n;

	if (len == 0)
		return true;
	n = send(c->fd, buf_data(&c->out), len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_close(c);
		return false;
	}
	if (n > 0) {
		buf_consume(&c->out, (size_t)n);
		c->before_pipe -= MIN((size_t)n, c->before_pipe);
		c->flushed = true;
	}
	return n == (ssize_t)len;
}

bool
conn_flush(struct conn *c)
{
	begin_answer(c);
	c->flushed = false;
	if (c->pipe_left > 0 &&
		(!flush_bytes(c, c->before_pipe) || !flush_pipe(c)))
		return false;
	return c->state != CONN_CLOSED && flush_bytes(c, c->out.len);
}

size_t
conn_waiting(const struct conn *c)
{
	return c->out.len + c->pipe_left;
}

void
conn_hold_less(struct conn *c)
{
	int64_t soon = loop_now(c->srv->loop) + HOLD_MS;

	if (c->hold_timer.place && c->hold_timer.at_ms > soon &&
		!is_uploading(c))
		loop_timer_set(c->srv->loop, &c->hold_timer, soon);
}

bool
conn_held_enough(struct conn *c)
{
	int64_t silent = loop_now(c->srv->loop) - c->input_ms;

	if (!is_uploading(c) || silent >= UPLOAD_HOLD_MS)
		return true;
	loop_timer_set(c->srv->loop, &c->hold_timer,
		c->input_ms + UPLOAD_HOLD_MS);
	return false;
}
