/*
 * conn.h - one connection of a FastCGI client, that is, of a web server
 *
 * Reads records, passes their content to the request, and sends its answer
 * through a writer.  One request is active at a time; with FCGI_KEEP_CONN
 * others may follow.
 *
 *	state	    request  watched for
 *	OPEN	    yes/no   the events of wanted_events()
 *	ENDING	    no	     writing, until the writer is empty
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
	CONN_ENDING,		/* the last answer is being sent */
	CONN_DISCARDING,	/* it is sent; what the peer still sends is read
				 * and dropped, so that it reads the answer */
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
	int fd;			/* equal to io.fd while it is watched */
	struct request *req;	/* the active one, NULL = none */
	struct request_client client;	/* callbacks of the request */
	struct fcgi_reader reader;
	struct writer writer;
	struct buf gather;	/* content of a record that must be complete */
	struct loop_timer timer;	/* closes it unless the peer moves */
	struct loop_task free_task;
	int64_t input_ms;	/* when the peer last sent a byte */
	size_t discarded;	/* bytes */
	uint8_t state;		/* enum conn_state */
	bool tcp;
	bool keep;		/* FCGI_KEEP_CONN of the active request */
	bool half_closed;	/* the peer has ended its side */
	bool input_ended;	/* CONN_ENDING: nothing is left to discard */
	bool served;		/* a request was answered here */
	bool feeding;		/* conn_feed() is running */
};

/* Takes fd, and reads it at once. */
void conn_open(struct conn_set *set, int fd, bool tcp);

/* Closes the connection that has been idle longest: a keep-alive connection, or
 * one that has sent nothing.  Returns false when there is none. */
bool conn_close_idle(struct conn_set *set);

/* Closes each connection when it has no request, or no longer has one. */
void conn_drain_all(struct conn_set *set);

/* Shared by conn.c and conn_records.c; not for other files. */

/* Largest content of a record that is gathered: FCGI_GET_VALUES. */
#define CONN_GATHER_MAX 1024

/* Interprets received bytes; c->state says if they ended the connection. */
void conn_feed(struct conn *c, const uint8_t *p, size_t len);
/* Does the current record belong to the active request? */
bool conn_is_active(const struct conn *c);
/* The active request was answered or refused; input_ended: the peer has sent
 * all of it. */
void conn_end_request(struct conn *c, bool input_ended);
/* Closes it now and calls request_lost() for an active request. */
void conn_close(struct conn *c);

#endif
