/*
 * emit.c - JSON as it is written; see emit.h
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/emit.h"

static void
put(struct emit *e, const char *p, size_t len)
{
	if (!e->failed && buf_add(e->out, p, len) < 0)
		e->failed = true;
}

static void
separate(struct emit *e)
{
	if (e->comma)
		put(e, ",", 1);
	e->comma = true;
}

void
emit_begin(struct emit *e, char bracket)
{
	separate(e);
	put(e, &bracket, 1);
	e->comma = false;
}

void
emit_end(struct emit *e, char bracket)
{
	put(e, &bracket, 1);
	e->comma = true;
}

void
emit_name(struct emit *e, const char *name)
{
	separate(e);
	put(e, "\"", 1);
	put(e, name, strlen(name));
	put(e, "\":", 2);
	e->comma = false;
}

void
emit_number(struct emit *e, int64_t n)
{
	char text[24];

	separate(e);
	put(e, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, n));
}

void
emit_null(struct emit *e)
{
	separate(e);
	put(e, "null", 4);
}

/*
 * The character that p begins with (RFC 3629, section 4).
 *
 * returns	its bytes; 0 when it is none
 */
static size_t
character(const unsigned char *p, size_t len)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n, i;

	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 :
		p[0] >= 0xe0 && p[0] <= 0xef ? 3 :
		p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
	if (n == 0 || n > len)
		return 0;
	/* Not longer than need be, no surrogates, nothing past U+10FFFF. */
	low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
	high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
	if (p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

void
emit_text(struct emit *e, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	char escape[8];
	size_t n;

	separate(e);
	put(e, "\"", 1);
	for (; len > 0; p += n, len -= n) {
		n = character(p, len);
		if (n == 0) {
			n = 1;
			put(e, "\\ufffd", 6);
		} else if (p[0] == '"' || p[0] == '\\') {
			put(e, "\\", 1);
			put(e, (const char *)p, 1);
		} else if (p[0] < 0x20 || p[0] == 0x7f ||
			(p[0] == 0xc2 && p[1] <= 0x9f)) {
			put(e, escape, (size_t)snprintf(escape, sizeof(escape),
				"\\u%04x", p[n - 1]));
		} else {
			put(e, (const char *)p, n);
		}
	}
	put(e, "\"", 1);
}

void
emit_member(struct emit *e, const char *name, const char *text)
{
	emit_name(e, name);
	emit_text(e, text, strlen(text));
}
