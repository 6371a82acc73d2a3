/*
 * forward.c - relays a client to a worker; see forward.h
 *
 * Called by overload/refuser, rarely: for at most one connected client of each
 * order, and for clients that have disconnected.  Nothing is read from the
 * client before the connection to the pool is established, so that until then
 * it can still be answered with 503.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "overload/forward.h"
#include "overload/reject.h"

/* Time until a connection is asked for again, doubling: the queue may be
 * full. */
#define MIN_PAUSE_MS 10
#define MAX_PAUSE_MS 1000
#define CHUNK_BYTES 16384

/* One side: its socket, and what was read from it and not yet written to the
 * other. */
struct side {
	struct forward *forward;
	struct loop_io io;
	int fd;
	size_t at, len;		/* of bytes */
	bool eof;		/* read from it */
	bool eof_sent;		/* to the other side */
	uint8_t bytes[CHUNK_BYTES];
};

struct forward {
	struct forward_set *all;
	TAILQ_ENTRY(forward) link;	/* of waiting */
	bool waiting;		/* for a connection from the supervisor */
	bool connected;		/* that connection is established */
	struct loop_timer overdue_timer;	/* runs until it is */
	struct side client, worker;
};

static struct side *
other_side(struct side *s)
{
	struct forward *f = s->forward;

	return s == &f->client ? &f->worker : &f->client;
}

static void
stop_waiting(struct forward *f)
{
	if (!f->waiting)
		return;
	f->waiting = false;
	TAILQ_REMOVE(&f->all->waiting, f, link);
	f->all->nwaiting--;
}

static void
end(struct forward *f)
{
	struct forward_set *all = f->all;

	stop_waiting(f);
	loop_timer_stop(all->loop, &f->overdue_timer);
	loop_del(all->loop, &f->client.io);
	loop_del(all->loop, &f->worker.io);
	fd_close(&f->client.fd);
	fd_close(&f->worker.fd);
	all->open--;
	free(f);
	all->on_end(all);
}

/* Reads once from s, if all that was read before is written, and writes once to
 * the other side; -1 when one of the connections is broken. */
static int
copy_bytes(struct side *s)
{
	struct side *to = other_side(s);
	ssize_t n;

	if (s->len == 0 && !s->eof) {
		n = recv(s->fd, s->bytes, sizeof(s->bytes), 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		s->eof = n == 0;
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
	if (s->len == 0 && s->eof && !s->eof_sent) {
		s->eof_sent = true;
		(void)shutdown(to->fd, SHUT_WR);
	}
	return 0;
}

/* A side that is neither read nor written is not watched: epoll(7) would report
 * its hang-up continually. */
static int
watch_side(struct side *s)
{
	struct loop *loop = s->forward->all->loop;
	uint32_t events = (s->len == 0 && !s->eof ? LOOP_READ : 0) |
		(other_side(s)->len > 0 ? LOOP_WRITE : 0);

	if (events == 0) {
		loop_del(loop, &s->io);
		return 0;
	}
	return s->io.fd >= 0 ? loop_mod(loop, &s->io, events) :
			       loop_add(loop, &s->io, s->fd, events);
}

static void
copy_both(struct forward *f)
{
	if (copy_bytes(&f->client) < 0 || copy_bytes(&f->worker) < 0 ||
		(f->client.eof_sent && f->worker.eof_sent) ||
		watch_side(&f->client) < 0 || watch_side(&f->worker) < 0)
		end(f);
}

/* -- before the connection is established ---------------------------------- */

/* The client has waited here for as long as it would have in the queue. */
static void
reject_client(struct forward *f)
{
	int fd = f->client.fd;

	f->client.fd = -1;
	reject_make(f->all->rejects, fd);
	end(f);
}

static void
on_overdue(struct loop_timer *t)
{
	reject_client(container_of(t, struct forward, overdue_timer));
}

/* The connection failed: the client waits until it is overdue. */
static void
close_worker(struct forward *f)
{
	loop_del(f->all->loop, &f->worker.io);
	fd_close(&f->worker.fd);
}

static void
on_event(struct loop_io *io, uint32_t events)
{
	struct side *s = container_of(io, struct side, io);
	struct forward *f = s->forward;
	int err = 0;
	socklen_t len = sizeof(err);
	(void)events;

	if (!f->connected) {
		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ||
			err != 0) {
			close_worker(f);
			return;
		}
		f->connected = true;
		loop_timer_stop(f->all->loop, &f->overdue_timer);
	}
	copy_both(f);
}

static void
side_init(struct side *s, struct forward *f, int fd)
{
	s->forward = f;
	s->fd = fd;
	s->io = (struct loop_io){.on_event = on_event, .fd = -1};
	s->at = s->len = 0;
	s->eof = s->eof_sent = false;
}

void
forward_begin(struct forward_set *all, int fd, int64_t overdue_ms)
{
	struct forward *f = malloc(sizeof(*f));

	if (!f) {
		fd_close(&fd);
		return;
	}
	f->all = all;
	f->overdue_timer = (struct loop_timer){.on_timer = on_overdue};
	f->connected = false;
	side_init(&f->client, f, fd);
	side_init(&f->worker, f, -1);
	all->open++;
	f->waiting = true;
	TAILQ_INSERT_TAIL(&all->waiting, f, link);
	all->nwaiting++;
	all->pause_ms = MIN_PAUSE_MS;
	loop_timer_set(all->loop, &f->overdue_timer, overdue_ms);
}

void
forward_ask(struct forward_set *all)
{
	if (all->nwaiting == 0)
		return;
	all->on_want(all);
	loop_timer_set(all->loop, &all->ask_timer, now_ms() + all->pause_ms);
	all->pause_ms = MIN(all->pause_ms * 2, (int64_t)MAX_PAUSE_MS);
}

static void
on_ask(struct loop_timer *t)
{
	forward_ask(container_of(t, struct forward_set, ask_timer));
}

void
forward_connected(struct forward_set *all, int fd)
{
	struct forward *f = TAILQ_FIRST(&all->waiting);

	if (!f) {
		fd_close(&fd);
		return;
	}
	stop_waiting(f);
	if (all->nwaiting == 0)
		loop_timer_stop(all->loop, &all->ask_timer);
	f->worker.fd = fd;
	if (loop_add(all->loop, &f->worker.io, fd, LOOP_WRITE) < 0)
		close_worker(f);
}

void
forward_give_up(struct forward_set *all)
{
	struct forward *f, *next;

	loop_timer_stop(all->loop, &all->ask_timer);
	for (f = TAILQ_FIRST(&all->waiting); f; f = next) {
		next = TAILQ_NEXT(f, link);
		reject_client(f);
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
