/*
 * lines.c - splits a byte stream into lines; see lines.h
 *
 * Called by worker/output for output of workers, and by gateway/answer for
 * stderr of programs.
 */
#include <string.h>

#include "base/lines.h"

void
lines_init(struct lines *l, size_t max,
	void (*on_line)(struct lines *l, const char *text, size_t len))
{
	*l = (struct lines){.on_line = on_line};
	buf_init(&l->part, max);
}

void
lines_fini(struct lines *l)
{
	buf_fini(&l->part);
}

void
lines_end(struct lines *l)
{
	size_t len = l->part.len;
	char *text, *nul;

	if (len == 0)
		return;
	text = (char *)buf_data(&l->part);
	/* A string would end there. */
	while ((nul = memchr(text, '\0', len)) != NULL)
		*nul = '.';
	l->on_line(l, text, len);
	buf_fini(&l->part);
}

void
lines_feed(struct lines *l, const char *p, size_t len)
{
	const char *end;
	size_t n;

	while (len > 0) {
		end = memchr(p, '\n', len);
		n = end ? (size_t)(end - p) : len;
		if (buf_add(&l->part, p, n) < 0) {
			/* Too long: the first piece is a line. */
			lines_end(l);
			(void)buf_add(&l->part, p, n);
		}
		if (end)
			lines_end(l);
		n += end != NULL;
		p += n;
		len -= n;
	}
}
