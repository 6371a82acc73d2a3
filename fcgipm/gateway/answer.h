/*
 * answer.h - reads a program's output and sends it as FCGI_STDOUT and
 * FCGI_STDERR records
 *
 * It parses the CGI header (proto/cgi_header) and logs standard error, line by
 * line.  Embedded in the request; only answer.c writes it.  What happens to
 * bytes of standard output:
 *
 *	header.done	normally	to == NULL, muted	header_only
 *	false		kept		dropped			kept
 *	true		sent		dropped			dropped
 *
 * to == NULL means that there is no client any more, muted that it has aborted
 * the request, header_only that the request is HEAD.  Kept bytes are sent
 * together when the header is complete.  The output is complete when the
 * program has closed its pipe (out_ended), or when `owed`, the number of bytes
 * that are still read after its exit, has reached 0.
 */
#ifndef FCGIPM_GATEWAY_ANSWER_H
#define FCGIPM_GATEWAY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/lines.h"
#include "proto/cgi.h"

struct failure;
struct gateway;
struct script;
struct writer;

struct answer {
	struct gateway *gw;
	struct script *script;	/* the program that writes it */
	struct writer *to;	/* the client's; NULL: it is gone */
	struct cgi_header header;
	struct buf head;	/* a header that arrives in pieces */
	struct lines err_lines;	/* of the program's stderr, to the log */
	uint64_t seen;		/* bytes read by copying */
	int64_t owed;		/* bytes that are still read, -1 = no limit */
	int64_t moved_ms;	/* when the program last wrote */
	uint16_t id;		/* of the request */
	bool out_ended, err_ended;	/* the program closed its pipe */
	bool header_only;	/* HEAD: the body is dropped */
	bool muted;		/* FCGI_ABORT_REQUEST: all output is dropped */
	bool err_used;		/* FCGI_STDERR was sent */
	bool grown;		/* its pipe holds 1 MiB */
};

enum answer_news {
	ANSWER_MORE,		/* an event continues it */
	ANSWER_COMPLETE,	/* all output is read, or `owed` bytes of it */
	ANSWER_FAILED		/* its header is invalid, see answer_why() */
};

void answer_init(struct answer *a, struct gateway *gw, struct script *script,
	uint16_t id, struct writer *to);
void answer_fini(struct answer *a);

/* Drops the body: the request is HEAD. */
void answer_drop_body(struct answer *a);
/* The program may write a status line (RFC 3875, section 5). */
void answer_allow_nph(struct answer *a);

/* The client is gone: output is read and dropped. */
void answer_detach(struct answer *a);
/* The client aborted: only the end of the request is still sent. */
void answer_mute(struct answer *a);

/* The program's stdout is readable; events of loop.h. */
enum answer_news answer_read_out(struct answer *a, uint32_t events);
/* The program's stderr is readable; returns whether there may be more. */
bool answer_read_err(struct answer *a);
/* The program has exited: reads what its stderr pipe still holds. */
void answer_drain_stderr(struct answer *a);
/* Logs a last line of stderr that has no line end. */
void answer_end_log(struct answer *a);

/* Limits what is read to the bytes that are in the pipe now: children that the
 * program left running may write indefinitely. */
void answer_limit(struct answer *a);

/* Is the header complete, so that it has been sent or will be? */
bool answer_header_is_done(const struct answer *a);
bool answer_is_complete(const struct answer *a);
/* What is wrong with the header, after ANSWER_FAILED. */
const char *answer_why(const struct answer *a);

/* Watches stdout. */
void answer_watch_out(struct answer *a);
/* Watches stdout and stderr. */
void answer_watch(struct answer *a);

/* Sends the error page with status and request ID; call answer_end() next. */
void answer_send_page(struct answer *a, const struct failure *why);

/* Sends the end of both streams, FCGI_END_REQUEST and what is held. */
void answer_end(struct answer *a, uint32_t app_status);

/* Writes only FCGI_END_REQUEST to p, for a request that was refused. */
size_t answer_put_end(uint8_t *p, uint16_t id, uint32_t app_status,
	uint8_t protocol_status);

#endif
