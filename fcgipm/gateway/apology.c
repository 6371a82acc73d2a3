/*
 * apology.c - one connection is answered with status 503; see apology.h
 *
 * Called by gateway/refuser.  The answer is a whole one on FCGI_STDOUT: an
 * END_REQUEST with FCGI_OVERLOADED would be shown as 502 by nginx and as an
 * empty 200 by Apache.  A client who is in the middle of his request gets the
 * answer as soon as the request's id is known, and is read to the end of what
 * he sends, since a socket closed with bytes unread would tear the answer from
 * his hands.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/util.h"
#include "gateway/apology.h"
#include "proto/fcgi.h"

/* For a client to say what he wants, and to stop sending. */
#define PATIENCE_MS 2000
/* Of one read.  A request without a body mostly fits. */
#define CHUNK_BYTES 16384

struct apology {
	struct apologies *all;
	struct loop_io io;
	struct loop_timer timer;
	struct fcgi_reader reader;
	int fd;
	bool begun;		/* BEGIN_REQUEST came */
	bool answered;
	uint16_t id;		/* of the request, once it has begun */
	bool whole;		/* it has been read to its end */
};

static void
answer(struct apology *a)
{
	static const char page[] = "503 Service Unavailable\n\n"
		"The server is busy.  Please try again.\n";
	static const struct fcgi_end end = {0, FCGI_REQUEST_COMPLETE};
	uint8_t out[FCGI_HEADER_LEN + 256 + FCGI_HEADER_LEN + FCGI_BODY_LEN];
	char *text = (char *)out + FCGI_HEADER_LEN;
	int n = snprintf(text, 256, "Status: 503 Service Unavailable\r\n"
		"Content-Type: text/plain\r\nRetry-After: %lld\r\n\r\n%s",
		(long long)a->all->retry_after_s, page);
	uint8_t *p = out + FCGI_HEADER_LEN + n;

	fcgi_put_header(out, FCGI_STDOUT, a->id, (size_t)n, 0);
	fcgi_put_header(p, FCGI_END_REQUEST, a->id, FCGI_BODY_LEN, 0);
	fcgi_put_end(p + FCGI_HEADER_LEN, &end);
	p += FCGI_HEADER_LEN + FCGI_BODY_LEN;
	/* A socket that was never written to has room for this; who has left
	 * needs no answer. */
	(void)send(a->fd, out, (size_t)(p - out), MSG_NOSIGNAL);
	a->answered = true;
}

/* One record's beginning. */
static void
note_header(struct apology *a)
{
	const struct fcgi_header *h = &a->reader.header;

	if (h->type == FCGI_BEGIN_REQUEST && !a->begun) {
		a->begun = true;
		a->id = h->id;
	}
	/* An authorizer's request has no FCGI_STDIN, which costs its client
	 * nothing: he has his answer. */
	if (a->begun && h->id == a->id && h->type == FCGI_STDIN &&
		h->content_len == 0)
		a->whole = true;
}

/* false: it is over, by whatever. */
static bool
feed(struct apology *a)
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
	if (a->begun && !a->answered)
		answer(a);
	return !(a->whole && fcgi_reader_at_rest(&a->reader));
}

static void
end(struct apology *a)
{
	loop_del(a->all->loop, &a->io);
	loop_timer_stop(a->all->loop, &a->timer);
	fd_close(&a->fd);
	a->all->open--;
	free(a);
}

static void
on_event(struct loop_io *io, uint32_t events)
{
	struct apology *a = container_of(io, struct apology, io);
	(void)events;

	if (!feed(a))
		end(a);
}

static void
on_timer(struct loop_timer *t)
{
	end(container_of(t, struct apology, timer));
}

/* It goes on when more has come. */
static void
wait_for(const struct apology *now)
{
	struct apology *a = malloc(sizeof(*a));
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
		loop_now(a->all->loop) + PATIENCE_MS);
	if (loop_add(a->all->loop, &a->io, fd, LOOP_READ) < 0)
		end(a);
}

void
apology_make(struct apologies *all, int fd)
{
	struct apology a = {.all = all, .fd = fd, .io = {.fd = -1}};

	fcgi_reader_init(&a.reader);
	if (feed(&a))
		wait_for(&a);
	else
		fd_close(&a.fd);
}
