/*
 * body.c - passes the body of a request to the program; see body.h
 *
 * Called by gateway/request, and by gateway/conn for body_splice().
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/body.h"
#include "gateway/capacity.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/script.h"
#include "proto/cgi.h"

/* A body up to this size is copied, a larger one spliced. */
#define COPY_MAX (256 * 1024)
/* One read of the connection, which is not read again while bytes are kept. */
#define PENDING_MAX (64 * 1024)

void
body_init(struct body *b, struct gateway *gw, struct script *script)
{
	*b = (struct body){.gw = gw, .script = script};
	buf_init(&b->pending, PENDING_MAX);
}

void
body_fini(struct body *b)
{
	if (b->grown)
		capacity_lose_pipe(b->gw->capacity);
	b->grown = false;
	buf_fini(&b->pending);
}

/* 413; len bytes of the body are known of. */
static int
refuse_length(const struct body *b, uint64_t len, struct failure *why)
{
	return failure_set(why, 413,
		"the request body has %s%llu bytes, more than cgi.max_body = "
		"%llu; raise cgi.max_body to accept it",
		b->kind == CGI_BODY_STREAM ? "at least " : "",
		(unsigned long long)len,
		(unsigned long long)b->gw->opts->pool->cgi_max_body_bytes);
}

int
body_decide(struct body *b, const struct cgi_params *params, unsigned role,
	struct failure *why)
{
	const uint64_t max = b->gw->opts->pool->cgi_max_body_bytes;

	b->kind = CGI_BODY_NONE;
	if (role == FCGI_RESPONDER)
		b->kind = (uint8_t)cgi_body_length(params, &b->left);
	if (b->kind == CGI_BODY_INVALID)
		/* Action: The web server sent an invalid length. If all
		 * requests fail, check its FastCGI parameters. */
		return failure_set(why, 400, "CONTENT_LENGTH is not a number");
	if (b->kind == CGI_BODY_LENGTH && max && b->left > max)
		return refuse_length(b, b->left, why);
	return 0;
}

int
body_keep(struct body *b, const uint8_t *p, size_t len)
{
	return buf_add(&b->pending, p, len);
}

bool
body_is_full(const struct body *b)
{
	return b->pending.len > 0 || b->full;
}

void
body_close(struct body *b)
{
	buf_fini(&b->pending);
	b->full = false;
	script_close_input(b->script);
}

/* Closes the program's input once the body is complete and passed. */
static void
close_complete(struct body *b)
{
	bool complete = b->ended ||
		(b->kind != CGI_BODY_STREAM && b->left == 0);

	if (complete && b->pending.len == 0)
		body_close(b);
}

void
body_want_none(struct body *b)
{
	b->ended = true;
}

void
body_end(struct body *b)
{
	b->ended = true;
	b->stdin_ended = true;
	if (b->script->infd >= 0)
		close_complete(b);
}

void
body_flush(struct body *b)
{
	ssize_t n = buf_write(&b->pending, b->script->infd);

	if (n > 0)
		b->moved_ms = loop_now(b->gw->loop);
	if (n < 0) {
		/* The program closed its input: the rest is dropped. */
		body_close(b);
	} else if (b->pending.len == 0) {
		loop_del(b->gw->loop, &b->script->in_io);
		b->full = false;
		close_complete(b);
	}
}

bool
body_may_splice(const struct body *b)
{
	return b->grown && b->script->infd >= 0 && b->left > 0 &&
		b->pending.len == 0;
}

/* The program's pipe is full: body_flush() is called when it has room. */
static int
wait_for_room(struct body *b)
{
	if (b->script->in_io.fd >= 0 ||
		loop_add(b->gw->loop, &b->script->in_io, b->script->infd,
			LOOP_WRITE) == 0)
		return 0;
	/* Action: The program got only a part of the body. Free memory, or
	 * raise fs.epoll.max_user_watches. */
	log_error("script %s: request body truncated: %s", b->script->path,
		strerror(errno));
	body_close(b);
	return -1;
}

/* splice(2) moved nothing: EAGAIN if the pipe is full, else EINVAL. */
static int
find_obstacle(struct body *b, int fd)
{
	int n = 0;

	/* No byte, or an out-of-band one, which only read(2) gets past. */
	if (ioctl(fd, FIONREAD, &n) < 0 || n == 0)
		return EINVAL;
	if (wait_for_room(b) == 0)
		b->full = true;
	return EAGAIN;
}

ssize_t
body_splice(struct body *b, int fd, size_t len)
{
	ssize_t n = splice(fd, NULL, b->script->infd, NULL,
		(size_t)MIN((uint64_t)len, b->left),
		SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE);

	if (n > 0) {
		b->left -= (uint64_t)n;
		if (b->left == 0)
			body_close(b);
		return n;
	}
	if (n < 0 && errno == EAGAIN) {
		errno = find_obstacle(b, fd);
	} else if (n < 0 && errno == EPIPE) {
		/* It closed its input: the rest is read and dropped. */
		body_close(b);
		errno = EINVAL;
	}
	return n;
}

/* Writes body to the program and keeps what its pipe does not take. */
static void
pass_bytes(struct body *b, const uint8_t *p, size_t len)
{
	ssize_t n = 0;

	if (b->script->infd < 0 || len == 0)
		return;
	if (b->pending.len == 0) {
		n = write(b->script->infd, p, len);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			body_close(b);
			return;
		}
		n = MAX(n, (ssize_t)0);
	}
	if ((size_t)n == len)
		return;
	if (buf_add(&b->pending, p + n, len - (size_t)n) < 0) {
		log_error("script %s: request body truncated: %s",
			b->script->path, strerror(errno));
		body_close(b);
		return;
	}
	(void)wait_for_room(b);
}

int
body_take(struct body *b, const uint8_t *p, size_t len, struct failure *why)
{
	const uint64_t max = b->gw->opts->pool->cgi_max_body_bytes;

	if (b->kind == CGI_BODY_STREAM) {
		b->seen += len;
		if (max && b->seen > max)
			return refuse_length(b, b->seen, why);
	} else {
		len = (size_t)MIN((uint64_t)len, b->left);
		b->left -= len;
	}
	pass_bytes(b, p, len);
	close_complete(b);
	return 0;
}

int
body_start(struct body *b, struct failure *why)
{
	struct buf kept = b->pending;
	int status = 0;

	/* A large pipe lets the body be spliced. */
	if (b->kind == CGI_BODY_LENGTH && b->left > COPY_MAX &&
		b->script->infd >= 0)
		b->grown = capacity_grow_pipe(b->gw->capacity,
			b->script->infd);
	buf_init(&b->pending, PENDING_MAX);
	if (kept.len > 0)
		status = body_take(b, buf_data(&kept), kept.len, why);
	buf_fini(&kept);
	if (status == 0)
		close_complete(b);
	return status;
}
