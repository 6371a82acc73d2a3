/*
 * emit.h - JSON as it is written, into a buf
 *
 * Nothing is built up: a value goes out when it is named, so a thousand
 * objects cost no memory but their text.  Commas come by themselves.  Reading
 * JSON is jansson's business.
 */
#ifndef FCGIPM_BASE_EMIT_H
#define FCGIPM_BASE_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct emit {
	struct buf *out;	/* borrowed */
	bool failed;		/* it did not fit its cap, or memory; sticky */
	bool comma;		/* something stands before the next value */
};

/* '{' or '[', and its end. */
void emit_begin(struct emit *e, char bracket);
void emit_end(struct emit *e, char bracket);

/* The name of the next value, in an object.  Ours: it needs no escaping. */
void emit_name(struct emit *e, const char *name);

void emit_number(struct emit *e, int64_t n);
void emit_null(struct emit *e);

/*
 * emit_text - a string of any bytes
 *
 * What is not printable is escaped (base/escape), so that a terminal may show
 * it; what is not UTF-8 becomes U+FFFD, a byte at a time.
 */
void emit_text(struct emit *e, const char *p, size_t len);

/* A name and its text. */
void emit_member(struct emit *e, const char *name, const char *text);

#endif
