/*
 * lines.h - bytes that come in pieces, told line by line
 */
#ifndef FCGIPM_BASE_LINES_H
#define FCGIPM_BASE_LINES_H

#include <stddef.h>

#include "base/buf.h"

struct lines {
	/* One line, or a piece of one that is too long; without its end, never
	 * empty, and no NUL in it: those became dots. */
	void (*on_line)(struct lines *l, const char *text, size_t len);
	struct buf part;	/* a line whose end has not come yet */
};

/* max is the length of the longest line that is told in one piece. */
void lines_init(struct lines *l, size_t max,
	void (*on_line)(struct lines *l, const char *text, size_t len));
/* What has been told of no more is dropped. */
void lines_fini(struct lines *l);

/* Up to max bytes at once. */
void lines_feed(struct lines *l, const char *p, size_t len);
/* Nothing more comes: what is there of a line is told. */
void lines_end(struct lines *l);

#endif
