/*
 * writer.c - output queue of a connection; see writer.h
 *
 * Owned by gateway/conn, which calls writer_flush() when the socket is
 * writable.  Called by gateway/answer, which sends the records.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "gateway/peer.h"
#include "gateway/writer.h"

/* Maximum that gateway/answer sends before it notices that the writer is
 * blocked. */
#define OUT_MAX (160 * 1024)
/* Less output than this is held for HOLD_MS, other output is sent at once. */
#define HOLD_BYTES (16 * 1024)
#define HOLD_MS 2
/*
 * nginx stops sending a body when it reads the beginning of the answer.  So the
 * beginning is held until the body has ended, until there is this much of it,
 * or until the peer has sent nothing for WRITER_UPLOAD_HOLD_MS.
 */
#define UPLOAD_HOLD_BYTES (64 * 1024)

static void
on_hold_timer(struct loop_timer *timer)
{
	struct writer *w = container_of(timer, struct writer, hold_timer);

	w->calls->on_held(w);
}

void
writer_init(struct writer *w, struct loop *loop, int fd,
	const struct writer_calls *calls)
{
	*w = (struct writer){.loop = loop,
		.fd = fd,
		.calls = calls,
		.hold_timer.on_timer = on_hold_timer};
	buf_init(&w->out, OUT_MAX);
}

void
writer_fini(struct writer *w)
{
	w->fd = -1;
	loop_timer_stop(w->loop, &w->hold_timer);
	buf_fini(&w->out);
}

void
writer_begin_request(struct writer *w)
{
	w->answering = false;
}

static bool
is_uploading(const struct writer *w)
{
	return !w->answering && w->calls->is_uploading(w);
}

void
writer_set_blocked(struct writer *w, bool blocked)
{
	if (w->blocked == blocked)
		return;
	w->blocked = blocked;
	w->calls->on_blocked(w);
}

/* Keeps p[0..len) until the peer takes it. */
static void
keep_bytes(struct writer *w, const void *p, size_t len)
{
	if (buf_add(&w->out, p, len) < 0) {
		const char *error = strerror(errno);

		/* Action: Free memory, or raise the memory limit of the
		 * service (MemoryMax=). */
		log_error("client%s: cannot buffer its response: %s; "
			"connection closed", peer_text(w->fd), error);
		w->calls->on_failed(w);
	}
}

/* Ends the hold time. */
static void
begin_answer(struct writer *w)
{
	loop_timer_stop(w->loop, &w->hold_timer);
	w->answering = true;
}

/* Sends what waits and then p; returns the bytes of p sent, -1 on failure. */
static ssize_t
write_out(struct writer *w, const void *p, size_t len, int flags)
{
	struct iovec iov[2] = {
		{w->out.len ? buf_data(&w->out) : NULL, w->out.len},
		{(void *)(uintptr_t)p, len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	size_t waiting = w->out.len;
	ssize_t n = sendmsg(w->fd, &msg, MSG_NOSIGNAL | flags);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		w->calls->on_failed(w);
		return -1;
	}
	n = MAX(n, (ssize_t)0);
	buf_consume(&w->out, MIN((size_t)n, waiting));
	return n - (ssize_t)MIN((size_t)n, waiting);
}

void
writer_send(struct writer *w, const void *p, size_t len, bool hold)
{
	bool upload = is_uploading(w);
	ssize_t n = 0;

	if (w->fd < 0)
		return;
	if (w->blocked || (hold && w->out.len + len <
			(size_t)(upload ? UPLOAD_HOLD_BYTES : HOLD_BYTES))) {
		keep_bytes(w, p, len);
		if (!w->blocked && w->fd >= 0 &&
			!w->hold_timer.place)
			loop_timer_set(w->loop, &w->hold_timer,
				loop_now(w->loop) +
				(upload ? WRITER_UPLOAD_HOLD_MS : HOLD_MS));
		return;
	}
	begin_answer(w);
	n = write_out(w, p, len, 0);
	if (n >= 0 && (size_t)n < len)
		keep_bytes(w, (const uint8_t *)p + n, len - (size_t)n);
	if (w->fd >= 0)
		writer_set_blocked(w, w->out.len > 0);
}

bool
writer_may_splice(const struct writer *w)
{
	return w->fd >= 0 && !w->blocked && !is_uploading(w);
}

void
writer_splice(struct writer *w, const uint8_t head[FCGI_HEADER_LEN], int fd,
	size_t len, bool more)
{
	ssize_t n;

	begin_answer(w);
	n = write_out(w, head, FCGI_HEADER_LEN, MSG_MORE);
	if (n < 0)
		return;
	if (n < FCGI_HEADER_LEN)
		keep_bytes(w, head + n, FCGI_HEADER_LEN - (size_t)n);
	if (w->fd < 0)
		return;
	w->pipefd = fd;
	w->pipe_left = len;
	w->pipe_more = more;
	w->before_pipe = w->out.len;
	writer_set_blocked(w, !writer_flush(w));
}

/* Sends record content from the pipe; false when some is left. */
static bool
flush_pipe(struct writer *w)
{
	ssize_t n;

	while (w->pipe_left > 0) {
		n = splice(w->pipefd, NULL, w->fd, NULL, w->pipe_left,
			SPLICE_F_MOVE | SPLICE_F_NONBLOCK |
				(w->pipe_more ? SPLICE_F_MORE : 0));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0) {
			/* The record header has promised this content. */
			w->calls->on_failed(w);
			return false;
		}
		w->pipe_left -= (size_t)n;
		w->flushed = true;
	}
	return true;
}

/* Sends the first len bytes that wait; false when some are left. */
static bool
flush_bytes(struct writer *w, size_t len)
{
	ssize_t n;

	if (len == 0)
		return true;
	n = send(w->fd, buf_data(&w->out), len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		w->calls->on_failed(w);
		return false;
	}
	if (n > 0) {
		buf_consume(&w->out, (size_t)n);
		w->before_pipe -= MIN((size_t)n, w->before_pipe);
		w->flushed = true;
	}
	return n == (ssize_t)len;
}

bool
writer_flush(struct writer *w)
{
	begin_answer(w);
	w->flushed = false;
	if (w->pipe_left > 0 &&
		(!flush_bytes(w, w->before_pipe) || !flush_pipe(w)))
		return false;
	return w->fd >= 0 && flush_bytes(w, w->out.len);
}

size_t
writer_waiting(const struct writer *w)
{
	return w->out.len + w->pipe_left;
}

void
writer_hold_less(struct writer *w)
{
	int64_t soon = loop_now(w->loop) + HOLD_MS;

	if (w->hold_timer.place && w->hold_timer.at_ms > soon &&
		!is_uploading(w))
		loop_timer_set(w->loop, &w->hold_timer, soon);
}

void
writer_hold_until(struct writer *w, int64_t at_ms)
{
	loop_timer_set(w->loop, &w->hold_timer, at_ms);
}
