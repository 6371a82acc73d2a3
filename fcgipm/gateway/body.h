/*
 * body.h - passes the body of a request to the program's standard input
 *
 * Embedded in the request; only body.c writes it.  Nothing is spooled to disk.
 * While the program's pipe is full, at most one read of the connection
 * (64 KiB) is kept, and the connection is not read.
 *
 *	kind	   meaning			bytes that arrive
 *	NONE	   no body is wanted		are dropped
 *	LENGTH	   CONTENT_LENGTH is known	the next `left` pass, then
 *						all are dropped
 *	STREAM	   the length is not known	pass until the peer ends it or
 *						cgi.max_body is exceeded
 *
 * Before the program runs, bytes of each kind are kept in `pending`.  While it
 * runs, script.in_io watches its pipe whenever `pending` is not empty or `full`
 * is set; both are cleared when the pipe is closed.
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
	struct script *script;	/* the program that reads it */
	struct buf pending;	/* bytes that the pipe did not take yet */
	uint64_t left;		/* LENGTH: bytes the program may still get */
	uint64_t seen;		/* STREAM: bytes received */
	int64_t moved_ms;	/* when the program last took a byte */
	uint8_t kind;		/* enum cgi_body */
	bool ended;		/* no more bytes are expected */
	bool stdin_ended;	/* the peer sent the end of FCGI_STDIN, which an
				 * authorizer's request may lack */
	bool full;		/* the pipe had no room for a splice */
	bool grown;		/* its pipe holds 1 MiB */
};

void body_init(struct body *b, struct gateway *gw, struct script *script);
void body_fini(struct body *b);

/*
 * body_decide - set kind and left from the parameters
 *
 * role		enum fcgi_role
 * returns	0; -1 with why when CONTENT_LENGTH is invalid or too large
 */
int body_decide(struct body *b, const struct cgi_params *params, unsigned role,
	struct failure *why);

/* Keeps bytes that arrived before the program runs; 0, or -1 without memory. */
int body_keep(struct body *b, const uint8_t *p, size_t len);

/* The program runs: passes what was kept; -1 as body_take(). */
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

/* The peer sent the end of the body. */
void body_end(struct body *b);
/* No body is wanted, whether the peer ends it or not. */
void body_want_none(struct body *b);

/* script.in_io is writable: passes what is pending. */
void body_flush(struct body *b);

bool body_may_splice(const struct body *b);
/*
 * body_splice - move body from a socket to the program without a copy
 *
 * fd		the next len bytes of it are body
 * returns	bytes moved; 0 at the end of the stream; -1 with errno: EAGAIN
 *		nothing can be moved now, EINVAL it must be read instead
 */
ssize_t body_splice(struct body *b, int fd, size_t len);

/* Are there bytes that the program has not taken? */
bool body_is_full(const struct body *b);

/* Closes the program's input and drops what is pending. */
void body_close(struct body *b);

#endif
