/*
 * conn.c - one connection of a web server; see conn.h
 *
 * Made by gateway/server.  What a record means is decided here, what a
 * request does with its content in gateway/request.
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
#include "gateway/body.h"
#include "gateway/conn.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/response.h"
#include "gateway/server.h"

#define READ_BYTES (64 * 1024)
/* Less of a record is not worth a system call of its own. */
#define SPLICE_MIN (16 * 1024)
/* Reads an event may cost before other connections have their turn. */
#define READS_A_TURN 16
/* Largest content of a record that is gathered: FCGI_GET_VALUES. */
#define GATHER_MAX 1024
/* What response.c sends while nothing waits, and END_REQUEST behind it. */
#define OUT_MAX (160 * 1024)
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

void
conn_close(struct conn *c)
{
	struct loop *loop = c->srv->loop;
	struct request *r = c->req;

	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	c->req = NULL;
	loop_del(loop, &c->io);
	fd_close(&c->fd);
	loop_timer_stop(loop, &c->timer);
	loop_timer_stop(loop, &c->hold_timer);
	buf_fini(&c->out);
	buf_fini(&c->gather);
	c->srv->nconns--;
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (r)
		request_lost(r);
	/* Whoever called us still looks at c->state. */
	loop_defer(loop, &c->free_task);
	server_something_ended(c->srv);
}

static void
set_timer(struct conn *c, int64_t ms)
{
	if (ms > 0)
		loop_timer_set(c->srv->loop, &c->timer,
			loop_now(c->srv->loop) + ms);
	else
		loop_timer_stop(c->srv->loop, &c->timer);
}

/* What to watch for now. */
static uint32_t
wanted(const struct conn *c)
{
	uint32_t events = 0;

	if (!c->half_closed) {
		events = LOOP_PEER_CLOSED;
		if (!c->req || !request_is_full(c->req))
			events |= LOOP_READ;
	}
	return c->blocked ? events | LOOP_WRITE : events;
}

static void
watch(struct conn *c)
{
	int err;

	if (c->io.fd >= 0)
		err = loop_mod(c->srv->loop, &c->io, wanted(c));
	else
		err = loop_add(c->srv->loop, &c->io, c->fd, wanted(c));
	if (err < 0) {
		log_error("epoll_ctl: %s", strerror(errno));
		conn_close(c);
	}
}

void
conn_update(struct conn *c)
{
	if (c->state == CONN_CLOSED || c->feeding)
		return;
	conn_hold_less(c);
	if (c->io.fd >= 0 || c->blocked || !c->req ||
		!request_is_quiet(c->req))
		watch(c);
}

/* All is taken: now the peer may go. */
static void
finish(struct conn *c)
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
	conn_update(c);
}

/* How long it may be before the peer moves, where no request minds that. */
static void
guard_idle(struct conn *c)
{
	bool moves = c->blocked || !fcgi_reader_at_rest(&c->reader);

	if (moves)
		set_timer(c, c->srv->opts->pool->cgi_client_timeout_ms);
	else
		set_timer(c, c->srv->draining ? DRAIN_MS : 0);
}

void
conn_set_blocked(struct conn *c, bool blocked)
{
	if (c->blocked == blocked)
		return;
	c->blocked = blocked;
	if (!c->req && (c->state == CONN_OPEN || c->state == CONN_ENDING))
		guard_idle(c);
	conn_update(c);
}

void
conn_request_ended(struct conn *c, bool input_ended)
{
	if (c->state == CONN_CLOSED)
		return;
	c->req = NULL;
	c->served = true;
	/* It may have stopped taking the answer before that was complete. */
	set_timer(c, c->blocked ? c->srv->opts->pool->cgi_client_timeout_ms :
				  0);
	/* Body that still comes is for an id that is not active: dropped. */
	if (c->keep && !c->srv->draining &&
		c->srv->nconns < c->srv->max_conns) {
		conn_update(c);
		return;
	}
	c->state = CONN_ENDING;
	c->input_ended = input_ended;
	flush_out(c);
}

/* Writes what waits; at its end goes on with what waited for that. */
static void
flush_out(struct conn *c)
{
	bool done = conn_flush(c);

	if (c->state == CONN_CLOSED)
		return;
	if (c->flushed && c->req)
		c->req->active_ms = loop_now(c->srv->loop);
	if (!done) {
		/* Each byte taken gives the peer its time again. */
		if (c->flushed && !c->req)
			set_timer(c, c->srv->opts->pool->cgi_client_timeout_ms);
		conn_set_blocked(c, true);
		return;
	}
	if (c->state == CONN_ENDING) {
		finish(c);
		return;
	}
	conn_set_blocked(c, false);
	if (c->state == CONN_OPEN && c->req)
		request_resume(c->req);
}

static void
on_hold_timer(struct loop_timer *timer)
{
	struct conn *c = container_of(timer, struct conn, hold_timer);

	if (conn_held_enough(c))
		flush_out(c);
}

static void
on_timer(struct loop_timer *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);

	if (c->blocked && !c->req)
		log_warning("a client's connection is closed: it did not take "
			"its answer for cgi.client_timeout");
	else if (c->state == CONN_OPEN && !c->srv->draining)
		log_warning("a client's connection is closed: it began a "
			"request and sent nothing for cgi.client_timeout");
	conn_close(c);
}

static void
protocol_error(struct conn *c, const char *what)
{
	log_warning("a client's connection is closed: %s", what);
	conn_close(c);
}

static void
begin(struct conn *c)
{
	const struct fcgi_header *h = &c->reader.header;
	uint8_t end[FCGI_HEADER_LEN + FCGI_BODY_LEN];
	struct fcgi_begin b;

	if (c->gather.len < FCGI_BODY_LEN) {
		protocol_error(c, "FCGI_BEGIN_REQUEST is shorter than 8 bytes");
		return;
	}
	fcgi_parse_begin(buf_data(&c->gather), &b);
	if (c->req && c->req->id == h->id) {
		protocol_error(c, "FCGI_BEGIN_REQUEST for a request that is "
			"active already");
		return;
	}
	if (c->req) {
		conn_send(c, end, response_put_end(end, h->id, 0,
			FCGI_CANT_MPX_CONN), false);
		return;
	}
	c->keep = b.flags & FCGI_KEEP_CONN;
	c->answering = false;
	if (b.role != FCGI_RESPONDER && b.role != FCGI_AUTHORIZER) {
		conn_send(c, end, response_put_end(end, h->id, 0,
			FCGI_UNKNOWN_ROLE), false);
		conn_request_ended(c, false);
		return;
	}
	c->req = request_begin(c, h->id, b.role);
	if (!c->req) {
		log_error("no memory for a request");
		conn_send(c, end, response_put_end(end, h->id, 0,
			FCGI_OVERLOADED), false);
		conn_request_ended(c, false);
	}
}

static void
answer_management(struct conn *c)
{
	const struct gateway_opts *opts = c->srv->opts;
	const struct fcgi_values values = {
		.max_conns = opts->pool->max_children,
		.max_reqs = opts->pool->max_children,
		.mpxs_conns = false,
	};
	uint8_t rec[FCGI_VALUES_MAX];
	size_t len;

	if (c->reader.header.type == FCGI_GET_VALUES) {
		len = fcgi_answer_values(rec,
			c->gather.len ? buf_data(&c->gather) : rec,
			c->gather.len, &values);
	} else {
		fcgi_put_header(rec, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID,
			FCGI_BODY_LEN, 0);
		fcgi_put_unknown_type(rec + FCGI_HEADER_LEN,
			c->reader.header.type);
		len = FCGI_HEADER_LEN + FCGI_BODY_LEN;
	}
	conn_send(c, rec, len, false);
}

/* Is the current record one of the active request? */
static bool
is_ours(const struct conn *c)
{
	return c->req && c->reader.header.id == c->req->id;
}

static bool
is_management(const struct conn *c)
{
	return c->reader.header.id == FCGI_NULL_REQUEST_ID;
}

static void
on_content(struct conn *c, const struct fcgi_chunk *chunk)
{
	unsigned type = c->reader.header.type;

	if (type == FCGI_BEGIN_REQUEST || is_management(c)) {
		/* More than fits is not looked at. */
		size_t n = MIN(chunk->len, GATHER_MAX - c->gather.len);

		if (buf_add(&c->gather, chunk->p, n) < 0)
			conn_close(c);
	} else if (is_ours(c) && type == FCGI_PARAMS) {
		request_params(c->req, chunk->p, chunk->len);
	} else if (is_ours(c) && type == FCGI_STDIN) {
		request_stdin(c->req, chunk->p, chunk->len);
	}
}

static void
on_record_end(struct conn *c)
{
	bool empty = c->reader.header.content_len == 0;

	if (is_management(c)) {
		if (c->reader.header.type == FCGI_BEGIN_REQUEST)
			protocol_error(c, "FCGI_BEGIN_REQUEST with id 0");
		else
			answer_management(c);
		buf_fini(&c->gather);
		return;
	}
	switch (c->reader.header.type) {
	case FCGI_BEGIN_REQUEST:
		begin(c);
		buf_fini(&c->gather);
		break;
	case FCGI_PARAMS:
		if (is_ours(c) && empty)
			request_params_end(c->req);
		break;
	case FCGI_STDIN:
		if (is_ours(c) && empty)
			request_stdin_end(c->req);
		break;
	case FCGI_ABORT_REQUEST:
		if (is_ours(c))
			request_abort(c->req);
		break;
	default:
		break;
	}
}

/* Records as far as they came; c->state tells when it ended the connection. */
static void
feed(struct conn *c, const uint8_t *p, size_t len)
{
	struct fcgi_chunk chunk;
	int ev;

	c->feeding = true;
	while (c->state == CONN_OPEN) {
		ev = fcgi_reader_next(&c->reader, &p, &len, &chunk);
		if (ev == FCGI_EVENT_CONTENT)
			on_content(c, &chunk);
		else if (ev == FCGI_EVENT_END)
			on_record_end(c);
		else if (ev == FCGI_EVENT_MORE)
			break;
		else if (ev < 0)
			protocol_error(c, "it does not speak FastCGI 1 (wrong "
				"version byte)");
	}
	c->feeding = false;
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
	conn_update(c);
}

/* A request that is being received must go on coming. */
static void
guard_input(struct conn *c)
{
	bool wanted = c->req ? c->req->state == REQUEST_PARAMS :
			       !fcgi_reader_at_rest(&c->reader);

	if (c->state != CONN_OPEN)
		return;
	if (wanted)
		set_timer(c, c->srv->opts->pool->cgi_client_timeout_ms);
	else if (c->req || !(c->blocked || c->srv->draining))
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

	if (c->reader.content_left < SPLICE_MIN || !is_ours(c) ||
		c->reader.header.type != FCGI_STDIN ||
		!body_may_splice(c->req)) {
		errno = EINVAL;
		return -1;
	}
	n = body_splice(c->req, c->fd, c->reader.content_left);
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
		body_may_splice(c->req))
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
		conn_update(c);
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
	c->input_ms = loop_now(c->srv->loop);
	if (c->req)
		c->req->active_ms = c->input_ms;
	if (!spliced)
		feed(c, block, (size_t)n);
	guard_input(c);
	conn_update(c);
	return c->state == CONN_OPEN && c->req && body_may_splice(c->req);
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
		if (c->tcp || loop_mod(c->srv->loop, io,
				      io->events &
					      ~(uint32_t)LOOP_PEER_CLOSED) < 0)
			conn_close(c);
	}
}

void
conn_open(struct server *srv, int fd, bool tcp)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		log_error("no memory for a connection");
		fd_close(&fd);
		return;
	}
	c->srv = srv;
	c->tcp = tcp;
	c->fd = fd;
	c->io.on_event = on_event;
	c->io.fd = -1;
	c->timer.on_timer = on_timer;
	c->hold_timer.on_timer = on_hold_timer;
	c->free_task.run = run_free;
	fcgi_reader_init(&c->reader);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->gather, GATHER_MAX);
	c->input_ms = loop_now(srv->loop);
	c->next = srv->conns;
	c->prev = &srv->conns;
	if (c->next)
		c->next->prev = &c->next;
	srv->conns = c;
	srv->nconns++;
	srv->peak_conns = MAX(srv->peak_conns, srv->nconns);
	/* Web servers write the request right behind connect(2). */
	read_input(c);
	if (c->io.fd < 0)
		conn_update(c);
}

bool
conn_is_idle(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->req &&
		fcgi_reader_at_rest(&c->reader) && c->out.len == 0 &&
		(c->served ||
			loop_now(c->srv->loop) - c->input_ms > UNUSED_MS);
}

void
conn_drain(struct conn *c)
{
	if (c->req || c->state != CONN_OPEN)
		return;
	if (c->blocked)		/* guard_idle() sees to its end */
		c->state = CONN_ENDING;
	else if (c->served && fcgi_reader_at_rest(&c->reader))
		conn_close(c);
	else	/* it was queued, its request must be on the way */
		set_timer(c, DRAIN_MS);
}
