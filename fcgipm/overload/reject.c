/*
 * reject.c - answers 503 to one client; see reject.h
 *
 * Called by overload/refuser and overload/forward.  The answer is a complete
 * page on FCGI_STDOUT: for an END_REQUEST with FCGI_OVERLOADED, nginx answers
 * 502 and Apache an empty 200.  A client that is still sending its request gets
 * the answer as soon as the request's id is known, and then the end of file.
 * What it still sends is read and dropped, since closing a socket with unread
 * bytes would reset the connection and could destroy the answer.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/util.h"
#include "overload/reject.h"
#include "proto/cgi.h"
#include "proto/fcgi.h"

/* Maximum time until a client begins its request, and between two reads. */
#define READ_TIMEOUT_MS 2000
/* Maximum time and number of bytes that are read after the answer. */
#define LINGER_MS 30000
#define LINGER_BYTES (64 * 1024 * 1024)
/* Size of one read.  A request without a body mostly fits. */
#define CHUNK_BYTES 16384

struct reject {
	struct reject_set *all;
	struct loop_io io;
	struct loop_timer timer;
	struct fcgi_reader reader;
	int fd;
	bool begun;		/* BEGIN_REQUEST was read */
	bool whole;		/* the end of the request was read */
	bool answered;
	bool lingers;		/* answered, but the request is not whole */
	uint16_t id;		/* of the request, once it has begun */
	/* While it lingers. */
	TAILQ_ENTRY(reject) link;
	int64_t until_ms;
	size_t dropped;		/* bytes */
};

static bool
is_whole(const struct reject *a)
{
	return a->whole && fcgi_reader_at_rest(&a->reader);
}

static void
send_answer(struct reject *a)
{
	static const struct fcgi_end end = {0, FCGI_REQUEST_COMPLETE};
	uint8_t out[FCGI_HEADER_LEN + CGI_PAGE_MAX + FCGI_HEADER_LEN +
		FCGI_BODY_LEN];
	size_t n = cgi_put_page((char *)out + FCGI_HEADER_LEN, 503,
		a->all->retry_after_s,
		"The server is busy.  Please try again.");
	uint8_t *p = out + FCGI_HEADER_LEN + n;

	fcgi_put_header(out, FCGI_STDOUT, a->id, n, 0);
	fcgi_put_header(p, FCGI_END_REQUEST, a->id, FCGI_BODY_LEN, 0);
	fcgi_put_end(p + FCGI_HEADER_LEN, &end);
	p += FCGI_HEADER_LEN + FCGI_BODY_LEN;
	/* A socket that was never written to has room for this, and a client
	 * that has disconnected needs no answer.  If the socket is closed
	 * immediately, MSG_MORE puts TCP's FIN into the same packet. */
	(void)send(a->fd, out, (size_t)(p - out),
		MSG_NOSIGNAL | (is_whole(a) ? MSG_MORE : 0));
	a->answered = true;
}

/* The header of a record was read. */
static void
note_header(struct reject *a)
{
	const struct fcgi_header *h = &a->reader.header;

	if (h->type == FCGI_BEGIN_REQUEST && !a->begun) {
		a->begun = true;
		a->id = h->id;
	}
	/* An authorizer's request has no FCGI_STDIN, so the connection lingers;
	 * its client has the answer and does not wait for the close. */
	if (a->begun && h->id == a->id && h->type == FCGI_STDIN &&
		h->content_len == 0)
		a->whole = true;
}

/* Reads from the client, and answers when possible.  false: close the
 * connection, since the request was read to its end or never will be. */
static bool
read_request(struct reject *a)
{
	uint8_t bytes[CHUNK_BYTES];
	const uint8_t *p = bytes;
	struct fcgi_chunk chunk;
	ssize_t n = recv(a->fd, bytes, sizeof(bytes), 0);
	size_t len;
	int ev;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	len = (size_t)n;
	while ((ev = fcgi_reader_next(&a->reader, &p, &len, &chunk)) > 0)
		if (ev == FCGI_EVENT_HEADER)
			note_header(a);
	if (ev < 0)
		return false;
	if (a->lingers)
		a->dropped += (size_t)n;
	if (a->begun && !a->answered)
		send_answer(a);
	return !is_whole(a) && a->dropped < LINGER_BYTES;
}

static void
end(struct reject *a)
{
	struct reject_set *all = a->all;

	loop_del(all->loop, &a->io);
	loop_timer_stop(all->loop, &a->timer);
	fd_close(&a->fd);
	if (a->lingers)
		TAILQ_REMOVE(&all->answered, a, link);
	all->open--;
	free(a);
	all->on_end(all);
}

/* The client is answered but still sends; each read extends its time. */
static void
linger(struct reject *a)
{
	struct loop *loop = a->all->loop;

	if (!a->lingers) {
		a->lingers = true;
		a->until_ms = loop_now(loop) + LINGER_MS;
		TAILQ_INSERT_TAIL(&a->all->answered, a, link);
		/* A client that has disconnected is noticed by the next
		 * read. */
		(void)shutdown(a->fd, SHUT_WR);
	}
	loop_timer_set(loop, &a->timer,
		MIN(loop_now(loop) + READ_TIMEOUT_MS, a->until_ms));
}

static void
on_event(struct loop_io *io, uint32_t events)
{
	struct reject *a = container_of(io, struct reject, io);
	(void)events;

	if (!read_request(a))
		end(a);
	else if (a->answered)
		linger(a);
}

static void
on_timer(struct loop_timer *t)
{
	end(container_of(t, struct reject, timer));
}

/* Continues when more bytes arrive. */
static void
watch_client(const struct reject *now)
{
	struct reject *a = malloc(sizeof(*a));
	int fd = now->fd;

	if (!a) {
		fd_close(&fd);
		return;
	}
	*a = *now;
	a->io.on_event = on_event;
	a->timer.on_timer = on_timer;
	a->all->open++;
	loop_timer_set(a->all->loop, &a->timer,
		loop_now(a->all->loop) + READ_TIMEOUT_MS);
	if (a->answered)
		linger(a);
	if (loop_add(a->all->loop, &a->io, fd, LOOP_READ) < 0)
		end(a);
}

void
reject_init(struct reject_set *all, struct loop *loop,
	int64_t retry_after_s, void (*on_end)(struct reject_set *all))
{
	*all = (struct reject_set){.loop = loop,
		.retry_after_s = retry_after_s,
		.on_end = on_end};
	TAILQ_INIT(&all->answered);
}

bool
reject_has_room(struct reject_set *all)
{
	if (all->open >= REJECT_MAX && !TAILQ_EMPTY(&all->answered))
		end(TAILQ_FIRST(&all->answered));
	return all->open < REJECT_MAX;
}

void
reject_make(struct reject_set *all, int fd)
{
	struct reject a = {.all = all, .fd = fd, .io = {.fd = -1}};

	fcgi_reader_init(&a.reader);
	if (read_request(&a))
		watch_client(&a);
	else
		fd_close(&a.fd);
}
