/*
 * emit.c - writes JSON into a buf; see emit.h
 *
 * Called by base/log for JSON lines, master/status and master/commands for
 * answers on the control socket.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/emit.h"
#include "base/escape.h"

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

/* An escape of JSON; above U+FFFF a surrogate pair (RFC 8259, section 7). */
static void
put_escape(struct emit *e, uint32_t code)
{
	char text[16];
	int n;

	if (code == '"' || code == '\\')
		n = snprintf(text, sizeof(text), "\\%c", (char)code);
	else if (code < 0x10000)
		n = snprintf(text, sizeof(text), "\\u%04x", code);
	else
		n = snprintf(text, sizeof(text), "\\u%04x\\u%04x",
			0xd800 + ((code - 0x10000) >> 10),
			0xdc00 + ((code - 0x10000) & 0x3ff));
	put(e, text, (size_t)n);
}

void
emit_text(struct emit *e, const char *text, size_t len)
{
	uint32_t code;
	size_t n;

	separate(e);
	put(e, "\"", 1);
	for (; len > 0; text += n, len -= n) {
		n = escape_decode(text, len, &code);
		if (n == 0) {
			n = 1;
			put_escape(e, 0xfffd);
		} else if (code == '"' || code == '\\' ||
			!escape_is_printable(code)) {
			put_escape(e, code);
		} else {
			put(e, text, n);
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
