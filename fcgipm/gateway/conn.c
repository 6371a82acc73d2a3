/*
 * conn.c - reads, writes and closes one client connection; see conn.h
 *
 * Called by gateway/server, which accepts connections, and by gateway/request
 * through struct request_client.  conn_records.c interprets the records.
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
#include "gateway/peer.h"

#define READ_BYTES (64 * 1024)
/* A smaller rest of a record is copied: splice(2) would cost more. */
#define SPLICE_MIN (16 * 1024)
/* Reads per event, so that other connections get their turn. */
#define READS_A_TURN 16
/*
 * For how long, and how many bytes, a peer is read after its answer.  A busy
 * nginx sends megabytes of body before it reads an answer, and answers 502
 * when the connection is closed before that.
 */
#define DISCARD_MS 2000
#define DISCARD_BYTES (64 * 1024 * 1024)
/* How long a connection without a request may stay on shutdown. */
#define DRAIN_MS 1000
/* After this time without a byte it may be closed in favour of another one. */
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

/* The events to watch for now. */
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
		const char *error = strerror(errno);

		/* Action: Free memory, or raise fs.epoll.max_user_watches. */
		log_error("client%s: epoll_ctl: %s; connection closed",
			peer_text(c->fd), error);
		conn_close(c);
	}
}

/*
 * Watches for the events of wanted_events(), which may have changed.
 *
 * While the program of a complete request runs, the only possible event is that
 * the peer leaves.  Most programs exit before that matters, so a connection
 * that is not watched yet stays unwatched while request_is_quiet().
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

/* The last answer has been sent. */
static void
finish_conn(struct conn *c)
{
	if (c->input_ended || c->half_closed ||
		shutdown(c->fd, SHUT_WR) < 0) {
		conn_close(c);
		return;
	}
	/*
	 * Closing a socket with unread bytes resets the connection, and the
	 * peer might lose the answer.
	 */
	c->state = CONN_DISCARDING;
	set_timer(c, DISCARD_MS);
	update_conn(c);
}

/* Sets the timer for a peer without an active request. */
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

/* Holds the beginning of an answer while the peer still sends its body. */
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
	/* The peer may have stopped reading before the answer was complete. */
	set_timer(c, c->writer.blocked ? keys_of(c)->cgi_client_timeout_ms : 0);
	/* Further body has an id that is not active, so it is dropped. */
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

/* Writes what waits; when all is written, resumes the request or finishes. */
static void
flush_out(struct conn *c)
{
	bool done = writer_flush(&c->writer);

	if (c->state == CONN_CLOSED)
		return;
	if (c->writer.flushed && c->req)
		request_peer_moved(c->req);
	if (!done) {
		/* Each byte that the peer reads restarts its timeout. */
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
	double limit_s = (double)keys_of(c)->cgi_client_timeout_ms / 1000;
	bool blocked = c->writer.blocked && !c->req;

	if (blocked || (c->state == CONN_OPEN && !c->set->draining))
		/* Action: "Reading": the HTTP client is slow and the web server
		 * does not buffer the response. Let it buffer responses, or
		 * raise cgi.client_timeout. "Sending": the request is
		 * incomplete. Check that what connects is a web server. */
		log_warning("client%s: stopped %s for %g s "
			"(cgi.client_timeout); connection closed",
			peer_text(c->fd), blocked ? "reading" : "sending",
			limit_s);
	conn_close(c);
}

/* The peer has ended its side of the connection; it may still read. */
static void
on_end_of_input(struct conn *c)
{
	/*
	 * On TCP the end of the stream is the only sign that a client is gone;
	 * a unix socket reports a hangup.
	 */
	if (c->tcp || c->state == CONN_DISCARDING ||
		(c->state == CONN_OPEN &&
			(!c->req || request_is_receiving(c->req)))) {
		if (c->state == CONN_OPEN && !fcgi_reader_at_rest(&c->reader))
			/* Action: The web server was stopped or gave up. Check
			 * its error log. */
			log_warning("client%s: it closed the connection in the "
				"middle of a record", peer_text(c->fd));
		conn_close(c);
		return;
	}
	c->half_closed = true;
	c->keep = false;
	update_conn(c);
}

/* Sets the timer while a request or record is incomplete. */
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
 * Moves the rest of a large record of body from socket to pipe.
 *
 * returns	as read(2); -1 with EINVAL: it must be read
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

/* How much to read: after a large record only the next header, so that the
 * content after that can be spliced. */
static size_t
read_size(const struct conn *c)
{
	if (c->reader.header.content_len >= SPLICE_MIN && c->req &&
		body_may_splice(&c->req->body))
		return MIN(fcgi_reader_to_header(&c->reader),
			(size_t)READ_BYTES);
	return READ_BYTES;
}

/* Reads or splices once; true when there are likely to be more bytes. */
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
		/* Unread body precedes the end of the stream.  On TCP that end
		 * alone means that the client is gone. */
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
		/* Action: Free memory, or raise the memory limit of the
		 * service (MemoryMax=). */
		log_error("client%s: fcgipm-cgi has no memory for its "
			"connection; connection closed",
			peer_text(fd));
		fd_close(&fd);
		return;
	}
	init_conn(c, set, fd, tcp);
	LIST_INSERT_HEAD(&set->list, c, link);
	capacity_add_conn(set->gw->capacity);
	/* Web servers send the request right after connect(2). */
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
	if (c->writer.blocked)	/* guard_idle() has set its timer */
		c->state = CONN_ENDING;
	else if (c->served && fcgi_reader_at_rest(&c->reader))
		conn_close(c);
	else	/* just accepted: its request must be on the way */
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
