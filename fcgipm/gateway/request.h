/*
 * request.h - one request, from FCGI_BEGIN_REQUEST to FCGI_END_REQUEST, and
 * on until its program is reaped
 */
#ifndef FCGIPM_GATEWAY_REQUEST_H
#define FCGIPM_GATEWAY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/lines.h"
#include "base/loop.h"
#include "gateway/script.h"
#include "proto/cgi.h"

struct conn;
struct failure;
struct server;

enum request_state {
	REQUEST_PARAMS,		/* being received */
	REQUEST_QUEUED,		/* waits for a place */
	REQUEST_RUNNING,	/* its program is, or is not reaped */
	REQUEST_OVER		/* no program, no connection: to be freed */
};

struct request {
	struct conn *conn;	/* NULL once answered or lost */
	struct server *srv;
	struct request *next_waiting;	/* in srv's queue */
	struct request *next_program;	/* in srv->programs */
	pid_t program_pid;	/* its number there */
	uint16_t id, role;
	uint8_t state;		/* enum request_state */
	bool input_ended;	/* no more body comes */
	bool stdin_ended;	/* the peer said so; an authorizer's need not */
	bool aborted;		/* FCGI_ABORT_REQUEST came */
	bool out_ended, err_ended;	/* the program closed its pipe */
	bool header_done;	/* of its answer */
	bool header_only;	/* HEAD: the body of its answer is dropped */
	bool leftover;		/* its program is reaped, see server.h */
	bool err_used;		/* FCGI_STDERR was sent */
	bool lingered;		/* enough for children left behind, */
	bool out_grown, in_grown;	/* its pipe holds 1 MiB */
	bool in_full;		/* body could not be spliced for want of room */
	uint32_t out_owed;	/* but for so many bytes they wrote till then */
	uint64_t out_seen;	/* bytes of its output read by copying */
	bool brief;		/* not running for BRIEF_MS yet */
	bool quick;		/* nor for WATCH_AFTER_MS */
	uint8_t program_key;	/* in srv->brief */
	uint8_t body_kind;	/* enum cgi_body */
	uint64_t body_left;	/* bytes the program may still get */
	uint64_t body_seen;
	char *path;		/* of the script, for the log */
	struct buf params;	/* as received */
	struct buf body;	/* what the program did not take yet */
	struct buf head;	/* a header that comes in pieces */
	struct lines err_lines;	/* of the program's stderr, to the log */
	struct cgi_header header;
	struct script script;
	struct loop_timer timer;	/* of inactivity, then of lingering */
	struct loop_task free_task;
	int64_t started_ms;	/* when its program was started */
	int64_t active_ms;	/* when a byte last moved */
};

/* What conn tells.  Each may end the request, and conn->req be NULL then. */
struct request *request_begin(struct conn *c, uint16_t id, uint16_t role);
void request_params(struct request *r, const uint8_t *p, size_t len);
void request_params_end(struct request *r);
void request_stdin(struct request *r, const uint8_t *p, size_t len);
void request_stdin_end(struct request *r);
void request_abort(struct request *r);
/* The peer took what waited: the program's output is read again. */
void request_resume(struct request *r);
/* The connection is gone. */
void request_lost(struct request *r);
/* Has body that its program did not take: read no more from the peer. */
bool request_is_full(const struct request *r);
/* It came whole, and its program has it for a moment: see conn_update(). */
bool request_is_quiet(const struct request *r);
/* Its program runs and may get more body. */
bool request_is_uploading(const struct request *r);
/* Waits for bytes of the peer, not of the program. */
bool request_is_receiving(const struct request *r);

/* What server tells: there is a place now. */
void request_start(struct request *r);

/* All of its answer is read, or all that it is to have. */
bool request_has_output(const struct request *r);

/* What response tells. */
void request_output_ended(struct request *r);
/* Answers with a status page instead, and logs why. */
void request_fail(struct request *r, const struct failure *why);

#endif
