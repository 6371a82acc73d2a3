/*
 * request.h - one request, from FCGI_BEGIN_REQUEST to FCGI_END_REQUEST, and
 * on until its program is reaped
 *
 * What is legal in each state; request.c asserts it whenever a state begins
 * or an event comes in:
 *
 *	state	   client  program  claim	timers that may be armed
 *	PARAMS	   yes	   none	    no		none: the connection's own
 *	QUEUED	   yes	   none	    waits, or	queue
 *				    none at the
 *				    moment of
 *				    its start
 *	RUNNING	   yes/no  runs	    no		watch, silence, terminate
 *	REAPED	   yes	   reaped   no		linger, then silence
 *	OVER	   no	   none,    no		none
 *			   reaped
 *
 * PARAMS -> QUEUED -> RUNNING -> REAPED -> OVER; each may go to OVER at once.
 * RUNNING without a client: it was answered with an error page and its program
 * is being ended, or the client is gone (cgi.on_abort).
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
	REQUEST_PARAMS,		/* being received */
	REQUEST_QUEUED,		/* waits for a place */
	REQUEST_RUNNING,	/* its program is not reaped */
	REQUEST_REAPED,		/* its answer is still read or taken */
	REQUEST_OVER,		/* to be freed */
	REQUEST_STATE_MAX
};

/*
 * How much of a running program is watched.  Each event costs more than all
 * that a quick program does, so one that is over soon is left alone.
 */
enum request_watch {
	WATCH_NOTHING,		/* for 5 ms, if it was over by then last time */
	WATCH_OUTPUT,		/* its stdout, until it has run for 100 ms */
	WATCH_ALL		/* stderr and the client too */
};

/* What a request says to its connection; embedded in that. */
struct request_client {
	struct writer *writer;	/* takes the answer */
	/* The request, which is the connection's no more, was answered;
	 * stdin_ended: the peer has nothing left to send for it. */
	void (*on_answered)(struct request_client *client, bool stdin_ended);
	/* What the connection is watched for may have changed. */
	void (*on_change)(struct request_client *client);
	/* The answer is cut short: close it; request_lost() follows. */
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
	uint8_t program_key;	/* in gw->brief */
	int64_t started_ms;	/* when its program was started */
	int64_t moved_ms;	/* when the peer last sent or took a byte */
	struct loop_timer queue_timer;	/* queue_timeout */
	struct loop_timer watch_timer;	/* to the next enum request_watch */
	struct loop_timer silence_timer;	/* cgi.idle_timeout,
						 * cgi.client_timeout */
	struct loop_timer terminate_timer;	/* request_terminate_timeout */
	struct loop_timer linger_timer;	/* cgi.linger, of children that hold
					 * the output of a reaped program */
	struct loop_task free_task;
};

/* What conn calls.  Each may end the request: then client->on_answered() was
 * called.  NULL without memory. */
struct request *request_begin(struct gateway *gw,
	struct request_client *client, uint16_t id, uint16_t role);
void request_params(struct request *r, const uint8_t *p, size_t len);
void request_params_end(struct request *r);
void request_stdin(struct request *r, const uint8_t *p, size_t len);
void request_stdin_end(struct request *r);
void request_abort(struct request *r);
/* The peer sent or took some bytes. */
void request_peer_moved(struct request *r);
/* The peer took what waited: the program's output is read again. */
void request_resume(struct request *r);
/* The connection is gone. */
void request_lost(struct request *r);
/* Its parameters are still to come. */
bool request_is_beginning(const struct request *r);
/* Has body that its program did not take: read no more from the peer. */
bool request_is_full(const struct request *r);
/* It came whole, and its program has it for a moment: the peer has nothing to
 * say, and is not watched. */
bool request_is_quiet(const struct request *r);
/* Its program runs and may get more body. */
bool request_is_uploading(const struct request *r);
/* Waits for bytes of the peer, not of the program. */
bool request_is_receiving(const struct request *r);

/* What request.c and request_run.c need of each other; for no other file. */
void request_init_timers(struct request *r);
void request_stop_timers(struct request *r);
/* It has a place: runs its program. */
void request_start(struct request *r);
void request_program_ended(struct request *r);
/* Asserts the table above. */
void request_check(const struct request *r);
/* The only function that changes r->state. */
void request_set_state(struct request *r, enum request_state to);
/* Answers with a status page instead, and logs why. */
void request_fail(struct request *r, const struct failure *why);
/* Reads what the program has written, then as request_check_end(). */
void request_read_output(struct request *r, uint32_t events);
/* END_REQUEST, once the program is reaped and its output is complete. */
void request_check_end(struct request *r);
/* Neither program nor client is left. */
void request_end(struct request *r);

#endif
