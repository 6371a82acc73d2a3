/*
 * response.c - what a program writes becomes records; see response.h
 *
 * Called by gateway/request.  Output is read straight behind the place of its
 * record header, so a block costs one read and one write and no copy.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/conn.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/response.h"
#include "gateway/server.h"

/* Two records of it empty a full pipe in one read. */
#define PART_BYTES (32 * 1024)
/* Reads an event may cost before other requests have their turn. */
#define READS_A_TURN 8
#define STDERR_BYTES 4096
/* More output than this is worth a large pipe and no more copies. */
#define COPY_MAX (256 * 1024)
/* Whole pages of a pipe, as many as a record's length can tell. */
#define SPLICE_MAX (60 * 1024)
/* Fewer bytes are copied. */
#define SPLICE_MIN (4 * 1024)

struct block {
	uint8_t head1[FCGI_HEADER_LEN];
	uint8_t part1[PART_BYTES];
	uint8_t head2[FCGI_HEADER_LEN];
	uint8_t part2[PART_BYTES];
};

_Static_assert(sizeof(struct block) == 2 * (FCGI_HEADER_LEN + PART_BYTES),
	"the two records lie one behind the other");

/* n bytes of output lie in b. */
static void
send_block(struct request *r, struct block *b, size_t n)
{
	size_t len = FCGI_HEADER_LEN + n;

	fcgi_put_header(b->head1, FCGI_STDOUT, r->id, MIN(n, PART_BYTES), 0);
	if (n > PART_BYTES) {
		fcgi_put_header(b->head2, FCGI_STDOUT, r->id, n - PART_BYTES,
			0);
		len += FCGI_HEADER_LEN;
	}
	conn_send(r->conn, b, len, true);
}

/* A header that came in pieces leaves, with the body behind it. */
static void
send_head(struct request *r)
{
	uint8_t head[FCGI_HEADER_LEN];
	size_t n;

	while (r->head.len > 0) {
		struct conn *c = r->conn;

		n = MIN(r->head.len, (size_t)FCGI_MAX_CONTENT);
		fcgi_put_header(head, FCGI_STDOUT, r->id, n, 0);
		if (c)
			conn_send(c, head, sizeof(head), true);
		/* Gone, when it could not be written to. */
		c = r->conn;
		if (!c)
			return;
		conn_send(c, buf_data(&r->head), n, true);
		if (r->head.len)
			buf_consume(&r->head, n);
	}
}

/*
 * A Location alone means 302 (RFC 3875, 6.2.3).  nginx knows that, Apache's
 * mod_proxy_fcgi would make it a 200.
 */
static void
send_redirect(struct request *r)
{
	static const char line[] = "Status: 302 Found\r\n";
	uint8_t rec[FCGI_HEADER_LEN + sizeof(line)];

	fcgi_put_header(rec, FCGI_STDOUT, r->id, sizeof(line) - 1, 0);
	memcpy(rec + FCGI_HEADER_LEN, line, sizeof(line));
	conn_send(r->conn, rec, sizeof(rec) - 1, true);
}

static void
fail_header(struct request *r, const char *what)
{
	struct failure why;

	failure_set(&why, 502, "no CGI answer: %s", what);
	request_fail(r, &why);
}

/*
 * Scans the header in the *n new bytes at b; *n becomes what is to be sent.
 *
 * returns	true when it is complete and they may be sent
 */
static bool
scan_header(struct request *r, struct block *b, size_t *n)
{
	struct {
		const uint8_t *p;
		size_t len;
	} part[2] = {
		{b->part1, MIN(*n, PART_BYTES)},
		{b->part2, *n > PART_BYTES ? *n - PART_BYTES : 0},
	};
	enum cgi_scan got = CGI_SCAN_MORE;
	bool whole = r->head.len == 0;
	size_t used, i;

	for (i = 0; i < 2 && got == CGI_SCAN_MORE; i++)
		got = cgi_header_scan(&r->header, part[i].p, part[i].len,
			&used);
	if (got == CGI_SCAN_DONE && r->header_only) {
		part[i - 1].len = used;
		if (i == 1)
			part[1].len = 0;
		*n = part[0].len + part[1].len;
	}
	if (got == CGI_SCAN_BAD) {
		fail_header(r, r->header.why);
		return false;
	}
	r->header_done = got == CGI_SCAN_DONE;
	if (r->header_done && r->header.location && r->header.status == 0)
		send_redirect(r);
	if (r->header_done && r->header.nph && whole)
		memcpy(b->part1, CGI_NPH_FIELD, CGI_NPH_LEN);
	if (r->header_done && whole)
		return r->conn != NULL;
	for (i = 0; i < 2; i++) {
		if (buf_add(&r->head, part[i].p, part[i].len) < 0) {
			fail_header(r, "no memory for its header");
			return false;
		}
	}
	if (r->header_done && r->header.nph)
		memcpy(buf_data(&r->head), CGI_NPH_FIELD, CGI_NPH_LEN);
	if (r->header_done)
		send_head(r);
	return false;
}

/* Stops reading the program until the peer took what waits. */
static void
pause_output(struct request *r)
{
	loop_del(r->srv->loop, &r->script.out_io);
	loop_del(r->srv->loop, &r->script.err_io);
}

/* Closing is left to script_fini(): the client waits for what follows. */
static void
end_out(struct request *r)
{
	loop_del(r->srv->loop, &r->script.out_io);
	r->out_ended = true;
	request_output_ended(r);
}

/*
 * A large body goes from pipe to socket without coming by us.
 *
 * returns	false when it did not, and is to be copied
 */
static bool
splice_out(struct request *r)
{
	uint8_t head[FCGI_HEADER_LEN];
	int n, all;

	if (!r->out_grown || !r->header_done || r->header_only || !r->conn ||
		r->aborted || !conn_may_splice(r->conn) ||
		ioctl(r->script.outfd, FIONREAD, &all) < 0 || all < SPLICE_MIN)
		return false;
	n = MIN(all, SPLICE_MAX);
	fcgi_put_header(head, FCGI_STDOUT, r->id, (size_t)n, 0);
	r->active_ms = loop_now(r->srv->loop);
	r->out_owed -= MIN(r->out_owed, (uint32_t)n);
	conn_splice(r->conn, head, r->script.outfd, (size_t)n, n < all);
	return true;
}

/* So many bytes more went by us. */
static void
count_copied(struct request *r, size_t n)
{
	bool worth = r->out_seen <= COPY_MAX && r->out_seen + n > COPY_MAX;

	r->out_seen += n;
	r->out_owed -= MIN(r->out_owed, (uint32_t)n);
	if (worth)
		r->out_grown = server_grow_pipe(r->srv, r->script.outfd);
}

void
response_read_out(struct request *r, uint32_t events)
{
	static struct block b;
	struct iovec iov[2] = {
		{b.part1, sizeof(b.part1)}, {b.part2, sizeof(b.part2)}};
	ssize_t n;
	size_t len;
	int i;

	for (i = 0; !r->out_ended; i++) {
		if (r->conn && r->conn->blocked) {
			pause_output(r);
			return;
		}
		if (request_has_output(r)) {
			request_output_ended(r);
			return;
		}
		if (i == READS_A_TURN)
			return;
		if (splice_out(r))
			continue;
		/* What is held and one part, or nothing and two. */
		n = readv(r->script.outfd, iov,
			r->conn && conn_waiting(r->conn) ? 1 : 2);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			end_out(r);
			return;
		}
		r->active_ms = loop_now(r->srv->loop);
		len = (size_t)n;
		count_copied(r, len);
		if (r->conn && !r->aborted &&
			(r->header_done ? !r->header_only :
					  scan_header(r, &b, &len)))
			send_block(r, &b, len);
		/* A short read emptied it, unless its end comes next. */
		if (n < PART_BYTES && !(events & LOOP_HANGUP) && !r->lingered)
			return;
	}
}

static void
end_err(struct request *r)
{
	loop_del(r->srv->loop, &r->script.err_io);
	r->err_ended = true;
}

bool
response_read_err(struct request *r)
{
	static uint8_t rec[FCGI_HEADER_LEN + STDERR_BYTES];
	ssize_t n;
	int i;

	for (i = 0; i < READS_A_TURN && !r->err_ended; i++) {
		if (r->conn && r->conn->blocked) {
			pause_output(r);
			return false;
		}
		n = read(r->script.errfd, rec + FCGI_HEADER_LEN, STDERR_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0) {
			end_err(r);
			return false;
		}
		r->active_ms = loop_now(r->srv->loop);
		lines_feed(&r->err_lines, (char *)rec + FCGI_HEADER_LEN,
			(size_t)n);
		if (r->conn && !r->aborted) {
			fcgi_put_header(rec, FCGI_STDERR, r->id, (size_t)n, 0);
			r->err_used = true;
			conn_send(r->conn, rec, FCGI_HEADER_LEN + (size_t)n,
				true);
		}
		if (n < STDERR_BYTES)
			return false;
	}
	return !r->err_ended;
}

/* One that cannot be watched is not at its end: what it holds is read when the
 * program has ended, and idle_timeout is the limit. */
static void
watch(struct request *r, struct loop_io *io, int fd)
{
	if (io->fd < 0 && loop_add(r->srv->loop, io, fd, LOOP_READ) < 0)
		log_error("script %s: epoll_ctl: %s; its output is read when "
			"it has ended", r->path, strerror(errno));
}

void
response_watch_out(struct request *r)
{
	if (!r->out_ended)
		watch(r, &r->script.out_io, r->script.outfd);
}

void
response_resume(struct request *r)
{
	response_watch_out(r);
	if (!r->err_ended)
		watch(r, &r->script.err_io, r->script.errfd);
}

size_t
response_put_end(uint8_t *p, uint16_t id, uint32_t app_status,
	uint8_t protocol_status)
{
	const struct fcgi_end end = {app_status, protocol_status};

	fcgi_put_header(p, FCGI_END_REQUEST, id, FCGI_BODY_LEN, 0);
	fcgi_put_end(p + FCGI_HEADER_LEN, &end);
	return FCGI_HEADER_LEN + FCGI_BODY_LEN;
}

void
response_end(struct request *r, uint32_t app_status)
{
	uint8_t rec[4 * FCGI_HEADER_LEN];
	size_t len = 0;

	if (r->err_used) {
		fcgi_put_header(rec, FCGI_STDERR, r->id, 0, 0);
		len += FCGI_HEADER_LEN;
	}
	fcgi_put_header(rec + len, FCGI_STDOUT, r->id, 0, 0);
	len += FCGI_HEADER_LEN;
	len += response_put_end(rec + len, r->id, app_status,
		FCGI_REQUEST_COMPLETE);
	conn_send(r->conn, rec, len, false);
}
