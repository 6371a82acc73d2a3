/*
 * conn.c - one connection of a web server; see conn.h
 *
 * Made by gateway/server.  Here are the socket, its two directions and its end;
 * what a record means is decided in conn_records.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/capacity.h"
#include "gateway/conn.h"
#include "gateway/gateway.h"

#define READ_BYTES (64 * 1024)
/* Less of a record is not worth a system call of its own. */
#define SPLICE_MIN (16 * 1024)
/* Reads an event may cost before other connections have their turn. */
#define READS_A_TURN 16
/*
 * How long, and how far, a peer is listened to after its answer.  A busy nginx
 * pushes megabytes before it looks for one, and makes a closed connection a
 * 502 of its own.
 */
#define DISCARD_MS 2000
#define DISCARD_BYTES (64 * 1024 * 1024)
/* How long a new connection may take to send something when we leave. */
#define DRAIN_MS 1000
/* A connection that says nothing for so long may be closed for another. */
#define UNUSED_MS 1000

static void flush_out(struct conn *c);

static void
run_free(struct loop_task *task)
{
	free(container_of(task, struct conn, free_task));
}

static struct loop *
loop_of(const struct conn *c)
{
	return c->set->gw->loop;
}

static const struct conf_pool *
keys_of(const struct conn *c)
{
	return c->set->gw->opts->pool;
}

void
conn_close(struct conn *c)
{
	struct request *r = c->req;

	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	c->req = NULL;
	loop_del(loop_of(c), &c->io);
	writer_fini(&c->writer);
	fd_close(&c->fd);
	loop_timer_stop(loop_of(c), &c->timer);
	buf_fini(&c->gather);
	LIST_REMOVE(c, link);
	if (r)
		request_lost(r);
	/* The callers still read c->state. */
	loop_defer(loop_of(c), &c->free_task);
	capacity_lose_conn(c->set->gw->capacity);
}

static void
set_timer(struct conn *c, int64_t ms)
{
	if (ms > 0)
		loop_timer_set(loop_of(c), &c->timer,
			loop_now(loop_of(c)) + ms);
	else
		loop_timer_stop(loop_of(c), &c->timer);
}

/* What to watch for now. */
static uint32_t
wanted_events(const struct conn *c)
{
	uint32_t events = 0;

	if (!c->half_closed) {
		events = LOOP_PEER_CLOSED;
		if (!c->req || !request_is_full(c->req))
			events |= LOOP_READ;
	}
	return c->writer.blocked ? events | LOOP_WRITE : events;
}

static void
watch_conn(struct conn *c)
{
	int err;

	if (c->io.fd >= 0)
		err = loop_mod(loop_of(c), &c->io, wanted_events(c));
	else
		err = loop_add(loop_of(c), &c->io, c->fd, wanted_events(c));
	if (err < 0) {
		log_error("epoll_ctl: %s", strerror(errno));
		conn_close(c);
	}
}

/*
 * What to watch for may have changed.
 *
 * While a request that came whole runs its program the peer has nothing to
 * say but that it left.  Most programs end sooner than that matters, so a
 * connection not watched yet stays so while request_is_quiet().
 */
static void
update_conn(struct conn *c)
{
	if (c->state == CONN_CLOSED || c->feeding)
		return;
	writer_hold_less(&c->writer);
	if (c->io.fd >= 0 || c->writer.blocked || !c->req ||
		!request_is_quiet(c->req))
		watch_conn(c);
}

/* All is taken: now the peer may go. */
static void
finish_conn(struct conn *c)
{
	if (c->input_ended || c->half_closed ||
		shutdown(c->fd, SHUT_WR) < 0) {
		conn_close(c);
		return;
	}
	/*
	 * Closing with unread bytes would reset the connection and the peer
	 * might lose the answer with it.
	 */
	c->state = CONN_DISCARDING;
	set_timer(c, DISCARD_MS);
	update_conn(c);
}

/* How long it may be before the peer moves, where no request minds that. */
static void
guard_idle(struct conn *c)
{
	bool moves = c->writer.blocked || !fcgi_reader_at_rest(&c->reader);

	if (moves)
		set_timer(c, keys_of(c)->cgi_client_timeout_ms);
	else
		set_timer(c, c->set->draining ? DRAIN_MS : 0);
}

static struct conn *
conn_of(const struct writer *w)
{
	return container_of(w, struct conn, writer);
}

static void
on_blocked(struct writer *w)
{
	struct conn *c = conn_of(w);

	if (!c->req && (c->state == CONN_OPEN || c->state == CONN_ENDING))
		guard_idle(c);
	update_conn(c);
}

static void
on_failed(struct writer *w)
{
	conn_close(conn_of(w));
}

static bool
is_uploading(const struct writer *w)
{
	const struct conn *c = conn_of(w);

	return c->req && request_is_uploading(c->req);
}

/* The beginning of an answer waits while the peer still sends its body. */
static void
on_held(struct writer *w)
{
	struct conn *c = conn_of(w);
	int64_t until_ms = c->input_ms + WRITER_UPLOAD_HOLD_MS;

	if (!w->answering && is_uploading(w) &&
		loop_now(loop_of(c)) < until_ms)
		writer_hold_until(w, until_ms);
	else
		flush_out(c);
}

void
conn_end_request(struct conn *c, bool input_ended)
{
	const struct capacity *cap = c->set->gw->capacity;

	if (c->state == CONN_CLOSED)
		return;
	c->req = NULL;
	c->served = true;
	/* It may have stopped taking the answer before that was complete. */
	set_timer(c, c->writer.blocked ? keys_of(c)->cgi_client_timeout_ms : 0);
	/* Body that still comes is for an id that is not active: dropped. */
	if (c->keep && !c->set->draining && cap->conns < cap->max_conns) {
		update_conn(c);
		return;
	}
	c->state = CONN_ENDING;
	c->input_ended = input_ended;
	flush_out(c);
}

static void
on_answered(struct request_client *client, bool stdin_ended)
{
	conn_end_request(container_of(client, struct conn, client),
		stdin_ended);
}

static void
on_change(struct request_client *client)
{
	update_conn(container_of(client, struct conn, client));
}

static void
on_cut_short(struct request_client *client)
{
	conn_close(container_of(client, struct conn, client));
}

/* Writes what waits; at its end goes on with what waited for that. */
static void
flush_out(struct conn *c)
{
	bool done = writer_flush(&c->writer);

	if (c->state == CONN_CLOSED)
		return;
	if (c->writer.flushed && c->req)
		request_peer_moved(c->req);
	if (!done) {
		/* Each byte taken gives the peer its time again. */
		if (c->writer.flushed && !c->req)
			set_timer(c, keys_of(c)->cgi_client_timeout_ms);
		writer_set_blocked(&c->writer, true);
		return;
	}
	if (c->state == CONN_ENDING) {
		finish_conn(c);
		return;
	}
	writer_set_blocked(&c->writer, false);
	if (c->state == CONN_OPEN && c->req)
		request_resume(c->req);
}

static void
on_timer(struct loop_timer *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);

	if (c->writer.blocked && !c->req)
		log_warning("a client's connection is closed: it did not take "
			"its answer for cgi.client_timeout");
	else if (c->state == CONN_OPEN && !c->set->draining)
		log_warning("a client's connection is closed: it began a "
			"request and sent nothing for cgi.client_timeout");
	conn_close(c);
}

/* The peer sends no more: it may still read, or not. */
static void
on_end_of_input(struct conn *c)
{
	/*
	 * On TCP the end of the stream is all that is ever heard of a client
	 * that has gone; a unix socket tells that by a hangup.
	 */
	if (c->tcp || c->state == CONN_DISCARDING ||
		(c->state == CONN_OPEN &&
			(!c->req || request_is_receiving(c->req)))) {
		if (c->state == CONN_OPEN && !fcgi_reader_at_rest(&c->reader))
			log_warning("a client closed its connection inside a "
				"record");
		conn_close(c);
		return;
	}
	c->half_closed = true;
	c->keep = false;
	update_conn(c);
}

/* A request that is being received must go on coming. */
static void
guard_input(struct conn *c)
{
	bool wanted = c->req ? request_is_beginning(c->req) :
			       !fcgi_reader_at_rest(&c->reader);

	if (c->state != CONN_OPEN)
		return;
	if (wanted)
		set_timer(c, keys_of(c)->cgi_client_timeout_ms);
	else if (c->req || !(c->writer.blocked || c->set->draining))
		set_timer(c, 0);
}

/*
 * The rest of a large record of body, from socket to pipe.
 *
 * returns	what read(2) would; -1 with EINVAL: it is to be read
 */
static ssize_t
splice_input(struct conn *c)
{
	ssize_t n;

	if (c->reader.content_left < SPLICE_MIN || !conn_is_active(c) ||
		c->reader.header.type != FCGI_STDIN ||
		!body_may_splice(&c->req->body)) {
		errno = EINVAL;
		return -1;
	}
	n = body_splice(&c->req->body, c->fd, c->reader.content_left);
	if (n > 0)
		fcgi_reader_skip(&c->reader, (size_t)n);
	return n;
}

/* How much to read: behind a large record no more than the next header, so
 * that what follows it can be spliced. */
static size_t
read_size(const struct conn *c)
{
	if (c->reader.header.content_len >= SPLICE_MIN && c->req &&
		body_may_splice(&c->req->body))
		return MIN(fcgi_reader_to_header(&c->reader),
			(size_t)READ_BYTES);
	return READ_BYTES;
}

/* One read, or splice; true when another one is likely to bring more. */
static bool
read_input(struct conn *c)
{
	static uint8_t block[READ_BYTES];
	ssize_t n = splice_input(c);
	bool spliced = n > 0;

	if (n < 0 && errno == EINVAL)
		n = read(c->fd, block, read_size(c));
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		update_conn(c);
		return false;
	}
	if (n < 0) {
		conn_close(c);
		return false;
	}
	if (n == 0) {
		on_end_of_input(c);
		return false;
	}
	if (c->state == CONN_DISCARDING) {
		c->discarded += (size_t)n;
		if (c->discarded > DISCARD_BYTES)
			conn_close(c);
		return false;
	}
	c->input_ms = loop_now(loop_of(c));
	if (c->req)
		request_peer_moved(c->req);
	if (!spliced)
		conn_feed(c, block, (size_t)n);
	guard_input(c);
	update_conn(c);
	return c->state == CONN_OPEN && c->req &&
		body_may_splice(&c->req->body);
}

static void
read_turn(struct conn *c)
{
	int i;

	for (i = 0; i < READS_A_TURN; i++)
		if (!read_input(c))
			break;
}

static void
on_event(struct loop_io *io, uint32_t events)
{
	struct conn *c = container_of(io, struct conn, io);

	if (events & (LOOP_ERROR | LOOP_HANGUP)) {
		conn_close(c);
		return;
	}
	if (events & LOOP_WRITE)
		flush_out(c);
	if (c->state == CONN_CLOSED)
		return;
	if (events & LOOP_READ && io->events & LOOP_READ) {
		read_turn(c);
	} else if (events & LOOP_PEER_CLOSED && !(io->events & LOOP_READ)) {
		/* Unread body is before it; only TCP needs no more to know. */
		if (c->tcp || loop_mod(loop_of(c), io,
				      io->events &
					      ~(uint32_t)LOOP_PEER_CLOSED) < 0)
			conn_close(c);
	}
}

static void
init_conn(struct conn *c, struct conn_set *set, int fd, bool tcp)
{
	static const struct writer_calls calls = {.on_failed = on_failed,
		.on_blocked = on_blocked,
		.on_held = on_held,
		.is_uploading = is_uploading};

	c->set = set;
	c->tcp = tcp;
	c->fd = fd;
	c->io.on_event = on_event;
	c->io.fd = -1;
	c->timer.on_timer = on_timer;
	c->free_task.run = run_free;
	c->client = (struct request_client){.writer = &c->writer,
		.on_answered = on_answered,
		.on_change = on_change,
		.close = on_cut_short};
	fcgi_reader_init(&c->reader);
	writer_init(&c->writer, set->gw->loop, fd, &calls);
	buf_init(&c->gather, CONN_GATHER_MAX);
	c->input_ms = loop_now(set->gw->loop);
}

void
conn_open(struct conn_set *set, int fd, bool tcp)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		log_error("no memory for a connection");
		fd_close(&fd);
		return;
	}
	init_conn(c, set, fd, tcp);
	LIST_INSERT_HEAD(&set->list, c, link);
	capacity_add_conn(set->gw->capacity);
	/* Web servers write the request right after connect(2). */
	read_input(c);
	if (c->io.fd < 0)
		update_conn(c);
}

static bool
is_idle(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->req &&
		fcgi_reader_at_rest(&c->reader) && c->writer.out.len == 0 &&
		(c->served ||
			loop_now(loop_of(c)) - c->input_ms > UNUSED_MS);
}

bool
conn_close_idle(struct conn_set *set)
{
	struct conn *c, *idle = NULL;

	LIST_FOREACH(c, &set->list, link)
		if (is_idle(c) && (!idle || c->input_ms < idle->input_ms))
			idle = c;
	if (idle)
		conn_close(idle);
	return idle != NULL;
}

static void
drain_conn(struct conn *c)
{
	if (c->req || c->state != CONN_OPEN)
		return;
	if (c->writer.blocked)	/* guard_idle() sees to its end */
		c->state = CONN_ENDING;
	else if (c->served && fcgi_reader_at_rest(&c->reader))
		conn_close(c);
	else	/* it was queued, its request must be on the way */
		set_timer(c, DRAIN_MS);
}

void
conn_drain_all(struct conn_set *set)
{
	struct conn *c, *next;

	set->draining = true;
	for (c = LIST_FIRST(&set->list); c; c = next) {
		next = LIST_NEXT(c, link);
		drain_conn(c);
	}
}
