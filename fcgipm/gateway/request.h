/*
 * request.h - state machine of one request: from FCGI_BEGIN_REQUEST until it is
 * answered and its program is reaped
 *
 * What is legal in each state; request_check() asserts it at each change of
 * state and at each event:
 *
 *	state	   client  program  claim	timers that may be armed
 *	PARAMS	   yes	   none	    no		none (the connection has one)
 *	QUEUED	   yes	   none	    waits, or	queue
 *				    none while
 *				    starting
 *	RUNNING	   yes/no  runs	    no		watch, silence, terminate
 *	REAPED	   yes	   reaped   no		linger, then silence
 *	OVER	   no	   none,    no		none
 *			   reaped
 *
 * PARAMS -> QUEUED -> RUNNING -> REAPED -> OVER; each state may change to OVER.
 * A request is RUNNING without a client after an error page, while its program
 * is killed, and after the client has left (cgi.on_abort).  The timers:
 *
 *	queue		answers 503 after queue_timeout
 *	watch		watches more of a program that has run for long
 *	silence		enforces cgi.idle_timeout and cgi.client_timeout
 *	terminate	enforces request_terminate_timeout
 *	linger		ends the answer cgi.linger after the program's exit,
 *			if its children hold the output open
 */
#ifndef FCGIPM_GATEWAY_REQUEST_H
#define FCGIPM_GATEWAY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "gateway/answer.h"
#include "gateway/body.h"
#include "gateway/capacity.h"
#include "gateway/script.h"

struct failure;
struct gateway;
struct request_client;
struct writer;

enum request_state {
	REQUEST_PARAMS,		/* parameters are being received */
	REQUEST_QUEUED,		/* waits for a place for its program */
	REQUEST_RUNNING,	/* its program is not reaped */
	REQUEST_REAPED,		/* its answer is still being read or sent */
	REQUEST_OVER,		/* will be freed */
	REQUEST_STATE_MAX
};

/*
 * How much of a running program is watched.  An event costs more than a quick
 * program itself, so such a program is not watched.
 */
enum request_watch {
	WATCH_NOTHING,		/* for 5 ms, if its last run was that quick */
	WATCH_OUTPUT,		/* stdout, until it has run for 100 ms */
	WATCH_ALL		/* also stderr and the client */
};

/* Callbacks of a request to its connection; embedded in the connection. */
struct request_client {
	struct writer *writer;	/* takes the answer */
	/* The request was answered and has detached from the connection;
	 * stdin_ended: the peer has sent all of it. */
	void (*on_answered)(struct request_client *client, bool stdin_ended);
	/* The events to watch the connection for may have changed. */
	void (*on_change)(struct request_client *client);
	/* The answer is incomplete: close the connection, which calls
	 * request_lost(). */
	void (*close)(struct request_client *client);
};

struct request {
	struct gateway *gw;
	struct request_client *client;	/* NULL once answered or lost */
	struct capacity_claim claim;	/* to a place for its program */
	struct buf params;	/* as received */
	struct body body;	/* to the program */
	struct answer answer;	/* from the program */
	struct script script;	/* the program */
	uint16_t id, role;
	uint8_t state;		/* enum request_state */
	uint8_t watch;		/* enum request_watch */
	uint8_t program_key;	/* index of gw->brief */
	int64_t started_ms;	/* when its program was started */
	int64_t moved_ms;	/* when the peer last sent or took a byte */
	struct loop_timer queue_timer;
	struct loop_timer watch_timer;
	struct loop_timer silence_timer;
	struct loop_timer terminate_timer;
	struct loop_timer linger_timer;
	struct loop_task free_task;
};

/* The following are called by gateway/conn.  Each may end the request; then
 * client->on_answered() was called. */

/* Returns NULL without memory. */
struct request *request_begin(struct gateway *gw,
	struct request_client *client, uint16_t id, uint16_t role);
/* Content of the request's records, and the ends of the two streams. */
void request_params(struct request *r, const uint8_t *p, size_t len);
void request_params_end(struct request *r);
void request_stdin(struct request *r, const uint8_t *p, size_t len);
void request_stdin_end(struct request *r);
/* FCGI_ABORT_REQUEST. */
void request_abort(struct request *r);
/* The peer sent or took some bytes. */
void request_peer_moved(struct request *r);
/* The peer took what waited: reads the program's output again. */
void request_resume(struct request *r);
/* The connection is closed. */
void request_lost(struct request *r);
/* Are its parameters incomplete? */
bool request_is_beginning(const struct request *r);
/* Is there body that its program has not taken?  Then do not read the peer. */
bool request_is_full(const struct request *r);
/* Is it complete, and has its program started so recently that the peer need
 * not be watched? */
bool request_is_quiet(const struct request *r);
/* Does its program run, and may it get more body? */
bool request_is_uploading(const struct request *r);
/* Does it wait for bytes of the peer, not of the program? */
bool request_is_receiving(const struct request *r);

/* Shared by request.c and request_run.c; not for other files. */
void request_init_timers(struct request *r);
void request_stop_timers(struct request *r);
/* Starts its program; a place has been taken for it. */
void request_start(struct request *r);
/* Its program was reaped. */
void request_program_ended(struct request *r);
/* Asserts the table above. */
void request_check(const struct request *r);
/* The only function that changes r->state. */
void request_set_state(struct request *r, enum request_state to);
/* Logs why, kills the program and answers with an error page. */
void request_fail(struct request *r, const struct failure *why);
/* Reads what the program has written, then calls request_check_end(). */
void request_read_output(struct request *r, uint32_t events);
/* Ends the answer once the program is reaped and its output is complete. */
void request_check_end(struct request *r);
/* Frees the request: neither program nor client is left. */
void request_end(struct request *r);

#endif
