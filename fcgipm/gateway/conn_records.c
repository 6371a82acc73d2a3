/*
 * conn_records.c - dispatches each received record by its type; see conn.h
 *
 * The second half of conn.c, which reads the bytes.  Content of a request goes
 * to gateway/request; management records are answered here.
 */
#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/conn.h"
#include "gateway/gateway.h"
#include "gateway/peer.h"

static void
protocol_error(struct conn *c, const char *what)
{
	/* Action: The client violated the FastCGI protocol. Check that what
	 * connects to this address is the FastCGI module of a web server, such
	 * as fastcgi_pass of nginx, and not an HTTP client. */
	log_warning("client%s: %s; connection closed", peer_text(c->fd), what);
	conn_close(c);
}

static void
begin_request(struct conn *c)
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
		protocol_error(c, "FCGI_BEGIN_REQUEST with an id that "
			"is active already");
		return;
	}
	if (c->req) {
		writer_send(&c->writer, end, answer_put_end(end, h->id, 0,
			FCGI_CANT_MPX_CONN), false);
		return;
	}
	c->keep = b.flags & FCGI_KEEP_CONN;
	writer_begin_request(&c->writer);
	if (b.role != FCGI_RESPONDER && b.role != FCGI_AUTHORIZER) {
		writer_send(&c->writer, end, answer_put_end(end, h->id, 0,
			FCGI_UNKNOWN_ROLE), false);
		conn_end_request(c, false);
		return;
	}
	c->req = request_begin(c->set->gw, &c->client, h->id, b.role);
	if (!c->req) {
		/* Action: Free memory, or raise the memory limit of the
		 * service (MemoryMax=). */
		log_error("client%s: fcgipm-cgi has no memory for its "
			"request; request refused",
			peer_text(c->fd));
		writer_send(&c->writer, end, answer_put_end(end, h->id, 0,
			FCGI_OVERLOADED), false);
		conn_end_request(c, false);
	}
}

static void
answer_management(struct conn *c)
{
		const struct fcgi_values values = {
		.max_conns = c->set->gw->opts->pool->max_children,
		.max_reqs = c->set->gw->opts->pool->max_children,
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
	writer_send(&c->writer, rec, len, false);
}

bool
conn_is_active(const struct conn *c)
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
		/* Content beyond the limit is dropped. */
		size_t n = MIN(chunk->len, CONN_GATHER_MAX - c->gather.len);

		if (buf_add(&c->gather, chunk->p, n) < 0)
			conn_close(c);
	} else if (conn_is_active(c) && type == FCGI_PARAMS) {
		request_params(c->req, chunk->p, chunk->len);
	} else if (conn_is_active(c) && type == FCGI_STDIN) {
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
		begin_request(c);
		buf_fini(&c->gather);
		break;
	case FCGI_PARAMS:
		if (conn_is_active(c) && empty)
			request_params_end(c->req);
		break;
	case FCGI_STDIN:
		if (conn_is_active(c) && empty)
			request_stdin_end(c->req);
		break;
	case FCGI_ABORT_REQUEST:
		if (conn_is_active(c))
			request_abort(c->req);
		break;
	default:
		break;
	}
}

void
conn_feed(struct conn *c, const uint8_t *p, size_t len)
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
			protocol_error(c, "not FastCGI version 1: wrong "
				"version byte");
	}
	c->feeding = false;
}
