/*
 * forward.c - a connection accepted by mistake goes on to a worker; see forward.h
 *
 * Called by overload/refuser, for one connection of an order at most and those
 * who have left, and seldom.  Nothing is read from the client before the pool
 * has been connected to, so that until then he can still be refused.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "overload/reject.h"
#include "overload/forward.h"

/* Between two questions for a connection, doubling; the queue may be full. */
#define FIRST_PAUSE_MS 10
#define LAST_PAUSE_MS 1000
#define CHUNK_BYTES 16384

/* One side: what it has sent and the other has not taken yet. */
struct side {
	struct forward *forward;
	struct loop_io io;
	int fd;
	size_t at, len;		/* of bytes */
	bool ended;		/* it sends no more */
	bool told;		/* which the other has been told */
	uint8_t bytes[CHUNK_BYTES];
};

struct forward {
	struct forward_set *all;
	TAILQ_ENTRY(forward) link;	/* while it waits */
	bool waits;
	struct loop_timer overdue_timer;	/* until it is through */
	bool through;		/* the pool is connected to */
	struct side client, worker;
};

static struct side *
other(struct side *s)
{
	struct forward *r = s->forward;

	return s == &r->client ? &r->worker : &r->client;
}

static void
stop_waiting(struct forward *r)
{
	if (!r->waits)
		return;
	r->waits = false;
	TAILQ_REMOVE(&r->all->waiting, r, link);
	r->all->nwaiting--;
}

static void
end(struct forward *r)
{
	struct forward_set *all = r->all;

	stop_waiting(r);
	loop_timer_stop(all->loop, &r->overdue_timer);
	loop_del(all->loop, &r->client.io);
	loop_del(all->loop, &r->worker.io);
	fd_close(&r->client.fd);
	fd_close(&r->worker.fd);
	all->open--;
	free(r);
	all->on_end(all);
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
	struct loop *loop = s->forward->all->loop;
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
step(struct forward *r)
{
	if (move(&r->client) < 0 || move(&r->worker) < 0 ||
		(r->client.told && r->worker.told) ||
		watch(&r->client) < 0 || watch(&r->worker) < 0)
		end(r);
}

/* -- getting through ------------------------------------------------------- */

/* Whoever has waited here for as long as he would have there is refused as he
 * would be. */
static void
refuse(struct forward *r)
{
	int fd = r->client.fd;

	r->client.fd = -1;
	reject_make(r->all->rejects, fd);
	end(r);
}

static void
on_overdue(struct loop_timer *t)
{
	refuse(container_of(t, struct forward, overdue_timer));
}

/* Not this way: he waits until he is overdue. */
static void
lose_worker(struct forward *r)
{
	loop_del(r->all->loop, &r->worker.io);
	fd_close(&r->worker.fd);
}

static void
on_event(struct loop_io *io, uint32_t events)
{
	struct side *s = container_of(io, struct side, io);
	struct forward *r = s->forward;
	int err = 0;
	socklen_t len = sizeof(err);
	(void)events;

	if (!r->through) {
		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ||
			err != 0) {
			lose_worker(r);
			return;
		}
		r->through = true;
		loop_timer_stop(r->all->loop, &r->overdue_timer);
	}
	step(r);
}

static void
side_init(struct side *s, struct forward *r, int fd)
{
	s->forward = r;
	s->fd = fd;
	s->io = (struct loop_io){.on_event = on_event, .fd = -1};
	s->at = s->len = 0;
	s->ended = s->told = false;
}

void
forward_begin(struct forward_set *all, int fd, int64_t overdue_ms)
{
	struct forward *r = malloc(sizeof(*r));

	if (!r) {
		fd_close(&fd);
		return;
	}
	r->all = all;
	r->overdue_timer = (struct loop_timer){.on_timer = on_overdue};
	r->through = false;
	side_init(&r->client, r, fd);
	side_init(&r->worker, r, -1);
	all->open++;
	r->waits = true;
	TAILQ_INSERT_TAIL(&all->waiting, r, link);
	all->nwaiting++;
	all->pause_ms = FIRST_PAUSE_MS;
	loop_timer_set(all->loop, &r->overdue_timer, overdue_ms);
}

void
forward_ask(struct forward_set *all)
{
	if (all->nwaiting == 0)
		return;
	all->on_want(all);
	loop_timer_set(all->loop, &all->ask_timer, now_ms() + all->pause_ms);
	all->pause_ms = MIN(all->pause_ms * 2, (int64_t)LAST_PAUSE_MS);
}

static void
on_ask(struct loop_timer *t)
{
	forward_ask(container_of(t, struct forward_set, ask_timer));
}

void
forward_connected(struct forward_set *all, int fd)
{
	struct forward *r = TAILQ_FIRST(&all->waiting);

	if (!r) {
		fd_close(&fd);
		return;
	}
	stop_waiting(r);
	if (all->nwaiting == 0)
		loop_timer_stop(all->loop, &all->ask_timer);
	r->worker.fd = fd;
	if (loop_add(all->loop, &r->worker.io, fd, LOOP_WRITE) < 0)
		lose_worker(r);
}

void
forward_give_up(struct forward_set *all)
{
	struct forward *r, *next;

	loop_timer_stop(all->loop, &all->ask_timer);
	for (r = TAILQ_FIRST(&all->waiting); r; r = next) {
		next = TAILQ_NEXT(r, link);
		refuse(r);
	}
}

void
forward_init(struct forward_set *all, struct loop *loop,
	struct reject_set *rejects, void (*on_want)(struct forward_set *all),
	void (*on_end)(struct forward_set *all))
{
	*all = (struct forward_set){.loop = loop,
		.rejects = rejects,
		.ask_timer = {.on_timer = on_ask},
		.on_want = on_want,
		.on_end = on_end};
	TAILQ_INIT(&all->waiting);
}
