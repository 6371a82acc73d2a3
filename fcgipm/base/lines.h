/*
 * lines.h - splits a byte stream into lines and calls back for each one
 */
#ifndef FCGIPM_BASE_LINES_H
#define FCGIPM_BASE_LINES_H

#include <stddef.h>

#include "base/buf.h"

struct lines {
	/* One line, or a piece of a line that is too long; without its end and
	 * never empty.  NUL bytes were replaced by dots. */
	void (*on_line)(struct lines *l, const char *text, size_t len);
	struct buf part;	/* a line without its end so far */
};

/* Lines longer than max bytes are split. */
void lines_init(struct lines *l, size_t max,
	void (*on_line)(struct lines *l, const char *text, size_t len));
/* Drops an unfinished line. */
void lines_fini(struct lines *l);

/* Adds bytes of the stream. */
void lines_feed(struct lines *l, const char *p, size_t len);
/* The stream has ended: calls back for an unfinished line. */
void lines_end(struct lines *l);

#endif
