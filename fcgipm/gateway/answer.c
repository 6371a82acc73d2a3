/*
 * answer.c - sends a program's output as records; see answer.h
 *
 * Called by gateway/request.  Output is read into a buffer with room for the
 * record header before it, so a block costs one read, one write and no copy.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/answer.h"
#include "gateway/capacity.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/script.h"
#include "gateway/writer.h"

/* One read empties a full pipe. */
#define BLOCK_BYTES (64 * 1024)
/* A smaller read while bytes wait in the writer, whose memory is limited. */
#define PART_BYTES (32 * 1024)
/* Content of the first record of a block; the rest goes into a second one. */
#define RECORD_MAX (FCGI_MAX_CONTENT & ~7)
/* Reads per event, so that other requests get their turn. */
#define READS_A_TURN 8
#define STDERR_BYTES 4096
/* After this much output the pipe is enlarged and the rest spliced. */
#define COPY_MAX (256 * 1024)
/* The largest number of whole pages that fits into one record. */
#define SPLICE_MAX (60 * 1024)
/* Fewer bytes are copied. */
#define SPLICE_MIN (4 * 1024)
/* Bytes that may have been read beyond the limit of the header. */
#define HEAD_EXTRA_BYTES (2 * BLOCK_BYTES)
/* Longest line of a program's stderr that is logged in one piece. */
#define LINE_MAX_BYTES (16 * 1024)
/* Turns of 32 KiB: 1 MiB, the largest pipe (pipe(7)). */
#define DRAIN_TURNS 33

/* Output, with room for the record header before it and for a second one. */
struct block {
	uint8_t head[FCGI_HEADER_LEN];
	uint8_t data[BLOCK_BYTES + FCGI_HEADER_LEN];
};

static void
on_err_line(struct lines *l, const char *text, size_t len)
{
	const struct answer *a = container_of(l, struct answer, err_lines);

	/* Action: A line that the program wrote to standard error. */
	log_notice("script %s: %.*s", a->script->path, (int)len, text);
}

void
answer_init(struct answer *a, struct gateway *gw, struct script *script,
	uint16_t id, struct writer *to)
{
	const size_t max = gw->opts->pool->cgi_max_header_bytes;

	*a = (struct answer){
		.gw = gw, .script = script, .to = to, .id = id, .owed = -1};
	buf_init(&a->head, max + HEAD_EXTRA_BYTES);
	lines_init(&a->err_lines, LINE_MAX_BYTES, on_err_line);
	cgi_header_init(&a->header, max);
}

void
answer_fini(struct answer *a)
{
	if (a->grown)
		capacity_lose_pipe(a->gw->capacity);
	a->grown = false;
	buf_fini(&a->head);
	lines_fini(&a->err_lines);
}

void
answer_drop_body(struct answer *a)
{
	a->header_only = true;
}

void
answer_allow_nph(struct answer *a)
{
	a->header.may_be_nph = true;
}

void
answer_detach(struct answer *a)
{
	a->to = NULL;
}

void
answer_mute(struct answer *a)
{
	a->muted = true;
}

bool
answer_header_is_done(const struct answer *a)
{
	return a->header.done;
}

bool
answer_is_complete(const struct answer *a)
{
	return a->out_ended || a->owed == 0;
}

const char *
answer_why(const struct answer *a)
{
	return a->header.why;
}

/* Sends the n bytes of output in b as one or two records. */
static void
send_block(struct answer *a, struct block *b, size_t n)
{
	size_t len = FCGI_HEADER_LEN + n;

	if (n > FCGI_MAX_CONTENT) {
		memmove(b->data + RECORD_MAX + FCGI_HEADER_LEN,
			b->data + RECORD_MAX, n - RECORD_MAX);
		fcgi_put_header(b->data + RECORD_MAX, FCGI_STDOUT, a->id,
			n - RECORD_MAX, 0);
		len += FCGI_HEADER_LEN;
		n = RECORD_MAX;
	}
	fcgi_put_header(b->head, FCGI_STDOUT, a->id, n, 0);
	writer_send(a->to, b, len, true);
}

/* Sends a header that arrived in pieces, with the body bytes after it. */
static void
send_head(struct answer *a)
{
	uint8_t head[FCGI_HEADER_LEN];
	size_t n;

	while (a->head.len > 0) {
		n = MIN(a->head.len, (size_t)FCGI_MAX_CONTENT);
		fcgi_put_header(head, FCGI_STDOUT, a->id, n, 0);
		if (a->to)
			writer_send(a->to, head, sizeof(head), true);
		/* NULL after a failed write. */
		if (!a->to)
			return;
		writer_send(a->to, buf_data(&a->head), n, true);
		if (a->head.len)
			buf_consume(&a->head, n);
	}
}

/*
 * A Location alone means 302 (RFC 3875, 6.2.3).  nginx implements that; the
 * mod_proxy_fcgi of Apache would send 200.
 */
static void
send_redirect(struct answer *a)
{
	static const char line[] = "Status: 302 Found\r\n";
	uint8_t rec[FCGI_HEADER_LEN + sizeof(line)];

	fcgi_put_header(rec, FCGI_STDOUT, a->id, sizeof(line) - 1, 0);
	memcpy(rec + FCGI_HEADER_LEN, line, sizeof(line));
	writer_send(a->to, rec, sizeof(rec) - 1, true);
}

/*
 * Scans the header in the n new bytes of b, and sends all bytes so far when it
 * is complete.
 *
 * returns	false when the header is invalid
 */
static bool
scan_header(struct answer *a, struct block *b, size_t n)
{
	bool whole = a->head.len == 0, done;
	size_t used;
	enum cgi_scan got = cgi_header_scan(&a->header, b->data, n, &used);

	if (got == CGI_SCAN_BAD)
		return false;
	done = got == CGI_SCAN_DONE;
	if (done && a->header_only)
		n = used;
	if (done && a->header.location && a->header.status == 0)
		send_redirect(a);
	if (done && !a->to)
		return true;
	if (done && whole) {
		if (a->header.nph)
			memcpy(b->data, CGI_NPH_FIELD, CGI_NPH_LEN);
		send_block(a, b, n);
		return true;
	}
	if (buf_add(&a->head, b->data, n) < 0) {
		a->header.why = "no memory for its header";
		return false;
	}
	if (done && a->header.nph)
		memcpy(buf_data(&a->head), CGI_NPH_FIELD, CGI_NPH_LEN);
	if (done)
		send_head(a);
	return true;
}

/* Stops reading the program until the peer has read what waits. */
static void
pause_output(struct answer *a)
{
	loop_del(a->gw->loop, &a->script->out_io);
	loop_del(a->gw->loop, &a->script->err_io);
}

/* script_fini() closes the pipe later: the client waits for what follows. */
static void
end_out(struct answer *a)
{
	loop_del(a->gw->loop, &a->script->out_io);
	a->out_ended = true;
}

/* n more bytes were read, copied or not. */
static void
count_read(struct answer *a, size_t n)
{
	a->moved_ms = loop_now(a->gw->loop);
	if (a->owed > 0)
		a->owed -= MIN(a->owed, (int64_t)n);
}

/*
 * Moves a part of a large body from pipe to socket without a copy.
 *
 * returns	false when that is not possible, and it must be copied
 */
static bool
splice_out(struct answer *a)
{
	uint8_t head[FCGI_HEADER_LEN];
	int n, all;

	if (!a->grown || !answer_header_is_done(a) || a->header_only ||
		!a->to || a->muted || !writer_may_splice(a->to) ||
		ioctl(a->script->outfd, FIONREAD, &all) < 0 ||
		all < SPLICE_MIN)
		return false;
	n = MIN(all, SPLICE_MAX);
	fcgi_put_header(head, FCGI_STDOUT, a->id, (size_t)n, 0);
	count_read(a, (size_t)n);
	writer_splice(a->to, head, a->script->outfd, (size_t)n, n < all);
	return true;
}

/* n more bytes were copied. */
static void
count_copied(struct answer *a, size_t n)
{
	bool worth = a->seen <= COPY_MAX && a->seen + n > COPY_MAX;

	count_read(a, n);
	a->seen += n;
	if (worth)
		a->grown = capacity_grow_pipe(a->gw->capacity,
			a->script->outfd);
}

/* Sends, keeps or drops the n bytes in b; false when the header is invalid. */
static bool
take_block(struct answer *a, struct block *b, size_t n)
{
	if (!a->to || a->muted)
		return true;
	if (!answer_header_is_done(a))
		return scan_header(a, b, n);
	if (!a->header_only)
		send_block(a, b, n);
	return true;
}

enum answer_news
answer_read_out(struct answer *a, uint32_t events)
{
	static struct block b;
	ssize_t n;
	int i;

	for (i = 0; !a->out_ended; i++) {
		if (a->to && a->to->blocked) {
			pause_output(a);
			return ANSWER_MORE;
		}
		if (answer_is_complete(a))
			return ANSWER_COMPLETE;
		if (i == READS_A_TURN)
			return ANSWER_MORE;
		if (splice_out(a))
			continue;
		n = read(a->script->outfd, b.data,
			a->to && writer_waiting(a->to) ? PART_BYTES :
							 BLOCK_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return ANSWER_MORE;
		if (n <= 0) {
			end_out(a);
			return ANSWER_COMPLETE;
		}
		count_copied(a, (size_t)n);
		if (!take_block(a, &b, (size_t)n))
			return ANSWER_FAILED;
		/* A short read emptied the pipe, unless its end is next. */
		if (n < PART_BYTES && !(events & LOOP_HANGUP) && a->owed < 0)
			return ANSWER_MORE;
	}
	return ANSWER_MORE;
}

static void
end_err(struct answer *a)
{
	loop_del(a->gw->loop, &a->script->err_io);
	a->err_ended = true;
}

bool
answer_read_err(struct answer *a)
{
	static uint8_t rec[FCGI_HEADER_LEN + STDERR_BYTES];
	ssize_t n;
	int i;

	for (i = 0; i < READS_A_TURN && !a->err_ended; i++) {
		if (a->to && a->to->blocked) {
			pause_output(a);
			return false;
		}
		n = read(a->script->errfd, rec + FCGI_HEADER_LEN,
			STDERR_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0) {
			end_err(a);
			return false;
		}
		a->moved_ms = loop_now(a->gw->loop);
		lines_feed(&a->err_lines, (char *)rec + FCGI_HEADER_LEN,
			(size_t)n);
		if (a->to && !a->muted) {
			fcgi_put_header(rec, FCGI_STDERR, a->id, (size_t)n, 0);
			a->err_used = true;
			writer_send(a->to, rec, FCGI_HEADER_LEN + (size_t)n,
				true);
		}
		if (n < STDERR_BYTES)
			return false;
	}
	return !a->err_ended;
}

void
answer_drain_stderr(struct answer *a)
{
	int i;

	/* At most what the largest pipe holds: a child that was left running
	 * may write indefinitely. */
	for (i = 0; i < DRAIN_TURNS && answer_read_err(a); i++)
		continue;
}

void
answer_end_log(struct answer *a)
{
	lines_end(&a->err_lines);
}

void
answer_limit(struct answer *a)
{
	size_t promised = a->to ? a->to->pipe_left : 0;
	int n = 0;

	/* The writer splices what it has promised in a record header. */
	if (!a->out_ended && ioctl(a->script->outfd, FIONREAD, &n) < 0)
		n = 0;
	a->owed = (int64_t)((size_t)n - MIN((size_t)n, promised));
}

/* Output that cannot be watched is read after the program's exit, which
 * cgi.idle_timeout enforces. */
static void
watch_pipe(struct answer *a, struct loop_io *io, int fd)
{
	if (io->fd < 0 && loop_add(a->gw->loop, io, fd, LOOP_READ) < 0)
		/* Action: Free memory, or raise fs.epoll.max_user_watches. */
		log_error("script %s: cannot watch its output: %s; it is read "
			"after the program exits", a->script->path,
			strerror(errno));
}

void
answer_watch_out(struct answer *a)
{
	if (!a->out_ended)
		watch_pipe(a, &a->script->out_io, a->script->outfd);
}

void
answer_watch(struct answer *a)
{
	answer_watch_out(a);
	if (!a->err_ended)
		watch_pipe(a, &a->script->err_io, a->script->errfd);
}

void
answer_send_page(struct answer *a, const struct failure *why)
{
	const int64_t wait_ms = a->gw->opts->pool->queue_timeout_ms;
	uint8_t rec[FCGI_HEADER_LEN + CGI_PAGE_MAX];
	char text[80];
	size_t n;

	snprintf(text, sizeof(text),
		"The server's log has the details of request %08x.",
		(unsigned)why->id);
	n = cgi_put_page((char *)rec + FCGI_HEADER_LEN, why->status,
		1 + wait_ms / 1000, a->header_only ? NULL : text);
	fcgi_put_header(rec, FCGI_STDOUT, a->id, n, 0);
	writer_send(a->to, rec, FCGI_HEADER_LEN + n, true);
}

size_t
answer_put_end(uint8_t *p, uint16_t id, uint32_t app_status,
	uint8_t protocol_status)
{
	const struct fcgi_end end = {app_status, protocol_status};

	fcgi_put_header(p, FCGI_END_REQUEST, id, FCGI_BODY_LEN, 0);
	fcgi_put_end(p + FCGI_HEADER_LEN, &end);
	return FCGI_HEADER_LEN + FCGI_BODY_LEN;
}

void
answer_end(struct answer *a, uint32_t app_status)
{
	uint8_t rec[4 * FCGI_HEADER_LEN];
	size_t len = 0;

	if (a->err_used) {
		fcgi_put_header(rec, FCGI_STDERR, a->id, 0, 0);
		len += FCGI_HEADER_LEN;
	}
	fcgi_put_header(rec + len, FCGI_STDOUT, a->id, 0, 0);
	len += FCGI_HEADER_LEN;
	len += answer_put_end(rec + len, a->id, app_status,
		FCGI_REQUEST_COMPLETE);
	writer_send(a->to, rec, len, false);
}
