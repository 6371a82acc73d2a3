/*
 * body.c - the body of a request, on its way to the program; see body.h
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/body.h"
#include "gateway/conn.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/server.h"

/* A body up to this is copied. */
#define COPY_MAX (256 * 1024)

void
body_end(struct request *r)
{
	buf_fini(&r->body);
	r->in_full = false;
	script_close_input(&r->script);
}

bool
body_is_complete(const struct request *r)
{
	return r->input_ended ||
		(r->body_kind != CGI_BODY_STREAM && r->body_left == 0);
}

void
body_on_writable(struct loop_io *io, uint32_t events)
{
	struct request *r = container_of(io, struct request, script.in_io);
	ssize_t n = buf_write(&r->body, io->fd);
	(void)events;

	if (n > 0)
		r->active_ms = loop_now(r->srv->loop);
	if (n < 0) {
		/* It closed its input: what is left is dropped. */
		body_end(r);
	} else if (r->body.len == 0) {
		loop_del(r->srv->loop, io);
		r->in_full = false;
		if (body_is_complete(r))
			body_end(r);
	} else {
		return;
	}
	if (r->conn)
		conn_update(r->conn);
}

void
body_grow_pipe(struct request *r)
{
	if (r->body_kind == CGI_BODY_LENGTH && r->body_left > COPY_MAX &&
		r->script.infd >= 0)
		r->in_grown = server_grow_pipe(r->srv, r->script.infd);
}

bool
body_may_splice(const struct request *r)
{
	return r->in_grown && r->script.infd >= 0 && r->body_left > 0 &&
		r->body.len == 0;
}

/* Nothing moved: which of the two is to be waited for?  EAGAIN or EINVAL. */
static int
wait_for_room(struct request *r, int fd)
{
	int n = 0;

	/* No byte, or one out of band, which only read(2) gets past. */
	if (ioctl(fd, FIONREAD, &n) < 0 || n == 0)
		return EINVAL;
	if (loop_add(r->srv->loop, &r->script.in_io, r->script.infd,
		    LOOP_WRITE) < 0) {
		log_error("script %s: its body is cut short: %s", r->path,
			strerror(errno));
		body_end(r);
	} else {
		r->in_full = true;
	}
	return EAGAIN;
}

ssize_t
body_splice(struct request *r, int fd, size_t len)
{
	ssize_t n;

	n = splice(fd, NULL, r->script.infd, NULL,
		(size_t)MIN((uint64_t)len, r->body_left),
		SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE);
	if (n > 0) {
		r->body_left -= (uint64_t)n;
		if (r->body_left == 0)
			body_end(r);
		return n;
	}
	if (n < 0 && errno == EAGAIN) {
		errno = wait_for_room(r, fd);
	} else if (n < 0 && errno == EPIPE) {
		/* It closed its input: what is left is read and dropped. */
		body_end(r);
		errno = EINVAL;
	}
	return n;
}

/* Body to the program; what its pipe does not take waits. */
static void
forward(struct request *r, const uint8_t *p, size_t len)
{
	ssize_t n = 0;

	if (r->script.infd < 0 || len == 0)
		return;
	if (r->body.len == 0) {
		n = write(r->script.infd, p, len);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			body_end(r);
			return;
		}
		n = MAX(n, (ssize_t)0);
	}
	if ((size_t)n == len)
		return;
	if (buf_add(&r->body, p + n, len - (size_t)n) < 0 ||
		(r->script.in_io.fd < 0 &&
			loop_add(r->srv->loop, &r->script.in_io,
				r->script.infd, LOOP_WRITE) < 0)) {
		log_error("script %s: its body is cut short: %s", r->path,
			strerror(errno));
		body_end(r);
	}
}

void
body_take(struct request *r, const uint8_t *p, size_t len)
{
	const uint64_t max = r->srv->opts->pool->cgi_max_body_bytes;
	struct failure why;

	if (r->body_kind == CGI_BODY_STREAM) {
		r->body_seen += len;
		if (max && r->body_seen > max) {
			failure_set(&why, 413,
				"the body is longer than "
				"cgi.max_body");
			request_fail(r, &why);
			return;
		}
	} else {
		len = (size_t)MIN((uint64_t)len, r->body_left);
		r->body_left -= len;
	}
	forward(r, p, len);
	if (body_is_complete(r) && r->body.len == 0)
		body_end(r);
}
