/*
 * body.h - the body of a request, on its way to the program
 *
 * Embedded in the request and written by body.c alone.  What the program's
 * pipe does not take waits here, and the connection is not read meanwhile.
 *
 *	kind	   left	       pending		what happens to more bytes
 *	NONE	   0	       empty once it runs	dropped
 *	LENGTH	   > 0 or 0    see below	the first `left` pass
 *	STREAM	   0	       see below	all pass, up to cgi.max_body
 *
 * Before the program runs all bytes are pending.  While it runs, pending or
 * full means that its pipe is watched (script.in_io); neither is left once
 * its input is closed.
 */
#ifndef FCGIPM_GATEWAY_BODY_H
#define FCGIPM_GATEWAY_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct cgi_params;
struct failure;
struct gateway;
struct script;

struct body {
	struct gateway *gw;
	struct script *script;	/* the program that gets it */
	struct buf pending;	/* what the program did not take yet */
	uint64_t left;		/* bytes the program may still get */
	uint64_t seen;		/* of a stream */
	int64_t moved_ms;	/* when the program last took a byte */
	uint8_t kind;		/* enum cgi_body */
	bool ended;		/* no more comes */
	bool stdin_ended;	/* the peer said so; an authorizer's need not */
	bool full;		/* could not be spliced for want of room */
	bool grown;		/* its pipe holds 1 MiB */
};

void body_init(struct body *b, struct gateway *gw, struct script *script);
void body_fini(struct body *b);

/*
 * body_decide - how much of it the program gets
 *
 * role		enum fcgi_role
 * returns	0; -1 with why when that is too much, or not a number
 */
int body_decide(struct body *b, const struct cgi_params *params, unsigned role,
	struct failure *why);

/* More of it came before the program runs; 0, or -1 without memory. */
int body_keep(struct body *b, const uint8_t *p, size_t len);

/* The program runs, it gets what was kept; -1 as body_take(). */
int body_start(struct body *b, struct failure *why);

/*
 * body_take - more of it for the running program
 *
 * Never more than CONTENT_LENGTH.
 *
 * returns	0; -1 with why when it is longer than cgi.max_body
 */
int body_take(struct body *b, const uint8_t *p, size_t len,
	struct failure *why);

/* No more of it will come: the peer said so, or none is wanted. */
void body_end(struct body *b);
void body_want_none(struct body *b);

/* The program can take more: script.in_io can be written to. */
void body_flush(struct body *b);

bool body_may_splice(const struct body *b);
/*
 * body_splice - body from a socket to the program, without a copy
 *
 * fd		the next len bytes of it are body
 * returns	bytes moved; 0 at the end of the stream; -1 with errno: EAGAIN
 *		nothing can be moved now, EINVAL it must be read instead
 */
ssize_t body_splice(struct body *b, int fd, size_t len);

/* The program has not taken all that came. */
bool body_is_full(const struct body *b);

/* The program takes no more, or there is no more. */
void body_close(struct body *b);

#endif
