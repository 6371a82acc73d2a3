/*
 * answer.h - what a program writes becomes FCGI_STDOUT and FCGI_STDERR
 *
 * Embedded in the request and written by answer.c alone.
 *
 *	header	before	to == NULL	muted		header_only
 *	SCAN	kept	dropped		dropped		kept
 *	DONE	sent	dropped		dropped		dropped
 *
 * What is kept leaves as a whole when the header is complete.  After out_ended
 * nothing more comes; the answer has also ended when `owed` is 0.
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
	struct writer *to;	/* NULL: there is no client any more */
	struct cgi_header header;
	struct buf head;	/* a header that comes in pieces */
	struct lines err_lines;	/* of the program's stderr, to the log */
	uint64_t seen;		/* bytes read by copying */
	int64_t owed;		/* no more of it is read than so many bytes, -1
				 * = all */
	int64_t moved_ms;	/* when the program last wrote */
	uint16_t id;		/* of the request */
	bool out_ended, err_ended;	/* the program closed its pipe */
	bool header_only;	/* HEAD: the body is dropped */
	bool muted;		/* FCGI_ABORT_REQUEST came: all is dropped */
	bool err_used;		/* FCGI_STDERR was sent */
	bool grown;		/* its pipe holds 1 MiB */
};

enum answer_news {
	ANSWER_MORE,		/* it goes on, by an event */
	ANSWER_COMPLETE,	/* all of it is read, or all that it is to be */
	ANSWER_FAILED		/* its header is wrong, see answer_why() */
};

void answer_init(struct answer *a, struct gateway *gw, struct script *script,
	uint16_t id, struct writer *to);
void answer_fini(struct answer *a);

/* The answer to HEAD has no body. */
void answer_drop_body(struct answer *a);
/* The program may write a status line (RFC 3875, section 5). */
void answer_allow_nph(struct answer *a);

/* There is no client any more; what comes is read and dropped. */
void answer_detach(struct answer *a);
/* Nothing more of it is sent but its end. */
void answer_mute(struct answer *a);

/* The program's output, or its stderr, can be read; of the latter, whether
 * there may be more. */
enum answer_news answer_read_out(struct answer *a, uint32_t events);
bool answer_read_err(struct answer *a);
/* What stands in the stderr pipe at the program's end, then that end. */
void answer_read_last_words(struct answer *a);
void answer_end_log(struct answer *a);

/* Nothing more is read than what is in the pipe by now: children that the
 * program left behind may write indefinitely. */
void answer_limit(struct answer *a);

/* Some of it has left, or is to leave as it is. */
bool answer_header_is_done(const struct answer *a);
bool answer_is_complete(const struct answer *a);
/* Why there is none, after ANSWER_FAILED. */
const char *answer_why(const struct answer *a);

/* Its output is watched; both streams are. */
void answer_watch_out(struct answer *a);
void answer_watch(struct answer *a);

/* A short page that names status and number; answer_end() follows. */
void answer_send_page(struct answer *a, const struct failure *why);

/* The end of both streams and FCGI_END_REQUEST, with what is still held. */
void answer_end(struct answer *a, uint32_t app_status);

/* FCGI_END_REQUEST alone, for a request that never began. */
size_t answer_put_end(uint8_t *p, uint16_t id, uint32_t app_status,
	uint8_t protocol_status);

#endif
