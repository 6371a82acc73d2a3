/*
 * conn.h - one connection of a web server
 *
 * It reads records and hands their content to its request, and keeps records
 * the peer does not take yet.  One request is active at a time; FCGI_KEEP_CONN
 * lets another one follow.
 */
#ifndef FCGIPM_GATEWAY_CONN_H
#define FCGIPM_GATEWAY_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "proto/fcgi.h"

struct request;
struct server;

enum conn_state {
	CONN_OPEN,
	CONN_ENDING,		/* the answer is being taken, nothing follows */
	CONN_DISCARDING,	/* it is taken; reading what the peer still
				 * sends, so that it gets to see the answer */
	CONN_CLOSED
};

struct conn {
	struct loop_io io;
	int fd;			/* io.fd while it is watched */
	struct server *srv;
	struct request *req;	/* the active one, NULL = none */
	struct fcgi_reader reader;
	struct buf out;		/* records not yet taken by the peer */
	struct buf gather;	/* content of a record that is wanted whole */
	struct loop_timer hold_timer;	/* small output waits for more */
	struct loop_timer timer;	/* the peer must move until then */
	struct loop_task free_task;
	struct conn *next, **prev;	/* in srv->conns */
	int pipefd;		/* content of a record is still in there, */
	size_t pipe_left;	/* so many bytes, */
	size_t before_pipe;	/* behind so many of out, */
	bool pipe_more;		/* and more output comes right behind */
	int64_t input_ms;	/* when the peer last sent a byte */
	size_t discarded;	/* bytes */
	uint8_t state;		/* enum conn_state */
	bool tcp;
	bool keep;		/* of the active request */
	bool answering;		/* some of the active one's answer has left */
	bool half_closed;	/* the peer sends no more */
	bool blocked;		/* the peer takes no more, see out */
	bool input_ended;	/* CONN_ENDING: nothing is left to discard */
	bool served;		/* a request was answered here */
	bool flushed;		/* the last conn_flush() moved something */
	bool feeding;		/* what was read is being told */
};

/* fd is taken.  Reads at once. */
void conn_open(struct server *srv, int fd, bool tcp);

/*
 * conn_send - records to the peer
 *
 * hold		they may wait some milliseconds for what comes behind them
 */
void conn_send(struct conn *c, const void *p, size_t len, bool hold);

/* Can a record's content go by conn_splice(), right now? */
bool conn_may_splice(const struct conn *c);

/*
 * conn_splice - a record whose content is taken from a pipe
 *
 * head		its header
 * fd		a pipe that holds len bytes, for none but us to read; it stays
 *		open, and nobody reads it, while conn_waiting()
 * more		there is more to be sent already: a TCP segment may wait for it
 */
void conn_splice(struct conn *c, const uint8_t head[FCGI_HEADER_LEN], int fd,
	size_t len, bool more);

/* Kept open for a next request, or never used: nobody misses it. */
bool conn_is_idle(const struct conn *c);

/* Bytes that wait to be taken, held ones too. */
size_t conn_waiting(const struct conn *c);

/* The request, which is not ours any more, was answered: c->req becomes NULL.
 * input_ended tells that the peer has nothing left to send for it. */
void conn_request_ended(struct conn *c, bool input_ended);

/*
 * conn_update - what to watch for may have changed
 *
 * While a request that came whole runs its program the peer has nothing to
 * say but that it left.  Most programs are quicker than that matters, so a
 * connection not watched yet stays so while request_is_quiet().
 */
void conn_update(struct conn *c);

/* Ends it now; a request still active is told (request_lost()). */
void conn_close(struct conn *c);

/* What conn.c needs of conn_output.c: writes what waits; true when that was
 * all.  Then about the answer's beginning: it need not be held as long as
 * before, and: has it been held long enough? */
bool conn_flush(struct conn *c);
void conn_hold_less(struct conn *c);
bool conn_held_enough(struct conn *c);
/* And the other way round: the peer's socket is full, or not any more. */
void conn_set_blocked(struct conn *c, bool blocked);

/* No more requests after the active one; closes it when none is. */
void conn_drain(struct conn *c);

#endif
