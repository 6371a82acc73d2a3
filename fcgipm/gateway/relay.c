/*
 * relay.c - a connection accepted by mistake goes on to a worker; see relay.h
 *
 * Called by gateway/refuser, for one connection of an order at most, and
 * seldom.  Nothing is read from the client before the pool has been connected
 * to, so that until then he can still be refused.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/util.h"
#include "gateway/apology.h"
#include "gateway/relay.h"

#define RETRY_MS 10
#define CHUNK_BYTES 16384

/* One side: what it has sent and the other has not taken yet. */
struct side {
	struct relay *relay;
	struct loop_io io;
	int fd;
	size_t at, len;		/* of bytes */
	bool ended;		/* it sends no more */
	bool told;		/* which the other has been told */
	uint8_t bytes[CHUNK_BYTES];
};

struct relay {
	struct relays *all;
	struct loop_timer retry;
	int64_t overdue_ms;
	bool through;		/* the pool is connected to */
	struct side client, worker;
};

static struct side *
other(struct side *s)
{
	struct relay *r = s->relay;

	return s == &r->client ? &r->worker : &r->client;
}

static void
end(struct relay *r)
{
	loop_timer_stop(r->all->loop, &r->retry);
	loop_del(r->all->loop, &r->client.io);
	loop_del(r->all->loop, &r->worker.io);
	fd_close(&r->client.fd);
	fd_close(&r->worker.fd);
	r->all->open--;
	free(r);
}

/* As much as goes, from s to the other; -1 when the way is broken. */
static int
move(struct side *s)
{
	struct side *to = other(s);
	ssize_t n;

	if (s->len == 0 && !s->ended) {
		n = recv(s->fd, s->bytes, sizeof(s->bytes), 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		s->ended = n == 0;
		s->at = 0;
		s->len = (size_t)n;
	}
	if (s->len > 0) {
		n = send(to->fd, s->bytes + s->at, s->len, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		s->at += (size_t)n;
		s->len -= (size_t)n;
	}
	if (s->len == 0 && s->ended && !s->told) {
		s->told = true;
		(void)shutdown(to->fd, SHUT_WR);
	}
	return 0;
}

/* A side with nothing to be done is not watched: its hang-up, always told,
 * would be told for ever. */
static int
watch(struct side *s)
{
	struct loop *loop = s->relay->all->loop;
	uint32_t events = (s->len == 0 && !s->ended ? LOOP_READ : 0) |
		(other(s)->len > 0 ? LOOP_WRITE : 0);

	if (events == 0) {
		loop_del(loop, &s->io);
		return 0;
	}
	return s->io.fd >= 0 ? loop_mod(loop, &s->io, events) :
			       loop_add(loop, &s->io, s->fd, events);
}

static void
step(struct relay *r)
{
	if (move(&r->client) < 0 || move(&r->worker) < 0 ||
		(r->client.told && r->worker.told) ||
		watch(&r->client) < 0 || watch(&r->worker) < 0)
		end(r);
}

/* -- getting through ------------------------------------------------------- */

/* Not yet: the queue is full, or it may not be connected to.  Whoever waits
 * here for as long as he would have there is refused as he would be. */
static void
try_later(struct relay *r)
{
	int64_t now = loop_now(r->all->loop);
	int fd = r->client.fd;

	loop_del(r->all->loop, &r->worker.io);
	fd_close(&r->worker.fd);
	if (now < r->overdue_ms) {
		loop_timer_set(r->all->loop, &r->retry,
			MIN(now + RETRY_MS, r->overdue_ms));
		return;
	}
	r->client.fd = -1;
	apology_make(r->all->apologies, fd);
	end(r);
}

static void
try(struct relay *r)
{
	r->worker.fd = addr_connect(r->all->to, SOCK_NONBLOCK);
	if (r->worker.fd < 0 ||
		loop_add(r->all->loop, &r->worker.io, r->worker.fd,
			LOOP_WRITE) < 0) {
		try_later(r);
		return;
	}
	loop_timer_set(r->all->loop, &r->retry, r->overdue_ms);
}

/* Runs out only before the pool is connected to. */
static void
on_retry(struct loop_timer *t)
{
	struct relay *r = container_of(t, struct relay, retry);

	if (r->worker.fd >= 0)
		try_later(r);
	else
		try(r);
}

static void
on_event(struct loop_io *io, uint32_t events)
{
	struct side *s = container_of(io, struct side, io);
	struct relay *r = s->relay;
	int err = 0;
	socklen_t len = sizeof(err);
	(void)events;

	if (!r->through) {
		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ||
			err != 0) {
			try_later(r);
			return;
		}
		r->through = true;
		loop_timer_stop(r->all->loop, &r->retry);
	}
	step(r);
}

static void
side_init(struct side *s, struct relay *r, int fd)
{
	s->relay = r;
	s->fd = fd;
	s->io = (struct loop_io){.on_event = on_event, .fd = -1};
	s->at = s->len = 0;
	s->ended = s->told = false;
}

void
relay_begin(struct relays *all, int fd, int64_t overdue_ms)
{
	struct relay *r = malloc(sizeof(*r));

	if (!r) {
		fd_close(&fd);
		return;
	}
	r->all = all;
	r->retry = (struct loop_timer){.on_timer = on_retry};
	r->overdue_ms = overdue_ms;
	r->through = false;
	side_init(&r->client, r, fd);
	side_init(&r->worker, r, -1);
	all->open++;
	try(r);
}
