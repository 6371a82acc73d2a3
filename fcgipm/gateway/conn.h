/*
 * conn.h - one connection of a web server
 *
 * It reads records and passes their content to its request, and keeps records
 * the peer does not take yet.  One request is active at a time; FCGI_KEEP_CONN
 * lets another one follow.
 *
 *	state	    request  what is watched
 *	OPEN	    yes/no   all that wanted_events() says
 *	ENDING	    no	     writing: what waits in the writer is taken
 *	DISCARDING  no	     reading
 *	CLOSED	    no	     nothing
 */
#ifndef FCGIPM_GATEWAY_CONN_H
#define FCGIPM_GATEWAY_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/loop.h"
#include "gateway/request.h"
#include "gateway/writer.h"
#include "proto/fcgi.h"

struct gateway;

enum conn_state {
	CONN_OPEN,
	CONN_ENDING,		/* the answer is being taken, nothing follows */
	CONN_DISCARDING,	/* it is taken; reading what the peer still
				 * sends, so that it gets to see the answer */
	CONN_CLOSED
};

/* All connections of the process. */
struct conn_set {
	struct gateway *gw;
	LIST_HEAD(conn_list, conn) list;	/* newest first */
	bool draining;		/* no new requests */
};

struct conn {
	struct conn_set *set;
	LIST_ENTRY(conn) link;	/* in set->list */
	struct loop_io io;
	int fd;			/* io.fd while it is watched */
	struct request *req;	/* the active one, NULL = none */
	struct request_client client;	/* what that one calls */
	struct fcgi_reader reader;
	struct writer writer;
	struct buf gather;	/* content of a record that is wanted whole */
	struct loop_timer timer;	/* the peer must move until then */
	struct loop_task free_task;
	int64_t input_ms;	/* when the peer last sent a byte */
	size_t discarded;	/* bytes */
	uint8_t state;		/* enum conn_state */
	bool tcp;
	bool keep;		/* of the active request */
	bool half_closed;	/* the peer sends no more */
	bool input_ended;	/* CONN_ENDING: nothing is left to discard */
	bool served;		/* a request was answered here */
	bool feeding;		/* what was read is being passed on */
};

/* fd is taken.  Reads at once. */
void conn_open(struct conn_set *set, int fd, bool tcp);

/* Closes the connection that has been idle for longest: kept open for a next
 * request, or never used, so that it is not missed.  False when none is. */
bool conn_close_idle(struct conn_set *set);

/* No more requests after the active ones; closes those without one. */
void conn_drain_all(struct conn_set *set);

/* What conn.c and conn_records.c need of each other; for no other file. */

/* Largest content of a record that is gathered: FCGI_GET_VALUES. */
#define CONN_GATHER_MAX 1024

/* Records as far as they came; c->state says when they ended the connection. */
void conn_feed(struct conn *c, const uint8_t *p, size_t len);
/* Is the current record one of the active request? */
bool conn_is_active(const struct conn *c);
/* The active request was answered, or came to nothing; input_ended: the peer
 * has nothing left to send for it. */
void conn_end_request(struct conn *c, bool input_ended);
/* Ends it now; a request still active is told (request_lost()). */
void conn_close(struct conn *c);

#endif
