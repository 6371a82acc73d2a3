/*
 * emit.h - writes JSON into a buf, one value at a time
 *
 * No tree is built: each value is written at once, so a thousand objects need
 * only the memory of their text.  Commas are added automatically.  JSON is
 * parsed with jansson.
 */
#ifndef FCGIPM_BASE_EMIT_H
#define FCGIPM_BASE_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct emit {
	struct buf *out;	/* borrowed */
	bool failed;		/* the buf is full, or no memory; sticky */
	bool comma;		/* the next value needs a comma before it */
};

/* Begins an object with '{' or an array with '[', and ends it. */
void emit_begin(struct emit *e, char bracket);
void emit_end(struct emit *e, char bracket);

/* The name of the next value of an object; must need no escaping. */
void emit_name(struct emit *e, const char *name);

void emit_number(struct emit *e, int64_t n);
void emit_null(struct emit *e);

/*
 * emit_text - writes a string of any bytes
 *
 * Characters that are not printable are escaped (base/escape), so the output is
 * safe for a terminal.  Each byte that is not UTF-8 becomes U+FFFD.
 */
void emit_text(struct emit *e, const char *p, size_t len);

/* emit_name() and emit_text(). */
void emit_member(struct emit *e, const char *name, const char *text);

#endif
