/*
 * escape.c - escapes untrusted text for terminals, logs and JSON; see escape.h
 *
 * Called by base/log for lines, base/emit for JSON, conf/problem for messages
 * of -t, and fcgipmctl for what it prints.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/util.h"

/* Escaped in addition to the control characters of ASCII. */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{0x7f, 0x9f},		/* DEL, C1 */
	{0x061c, 0x061c},	/* bidirectional: Arabic letter mark, */
	{0x200e, 0x200f},	/* left-to-right and right-to-left marks, */
	{0x2028, 0x2029},	/* (line and paragraph separator) */
	{0x202a, 0x202e},	/* embeddings and overrides, */
	{0x2066, 0x2069},	/* isolates */
	{0xfeff, 0xfeff},	/* byte order mark */
	{0xfffe, 0xffff},	/* noncharacters */
	{0xe0000, 0xe007f},	/* tags, which are invisible */
};

size_t
escape_decode(const char *text, size_t len, uint32_t *ret_code)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	uint32_t code;
	size_t n, i;

	if (p[0] < 0x80) {
		*ret_code = p[0];
		return 1;
	}
	n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 :
		p[0] >= 0xe0 && p[0] <= 0xef ? 3 :
		p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
	if (n == 0 || n > len)
		return 0;
	/* No overlong forms, no surrogates, nothing above U+10FFFF. */
	low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
	high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
	if (p[1] < low || p[1] > high)
		return 0;
	code = p[0] & (0x7fU >> n);
	for (i = 1; i < n; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
		code = code << 6 | (p[i] & 0x3fU);
	}
	*ret_code = code;
	return n;
}

bool
escape_is_printable(uint32_t code)
{
	size_t i;

	if (code < 0x20)
		return false;
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return true;
}

char *
escape_text(const char *text)
{
	size_t left = strlen(text), n;
	char *out = malloc(left * 4 + 1), *to = out;
	uint32_t code;
	bool shown;

	if (!out)
		return NULL;
	for (; left > 0; left -= n) {
		n = escape_decode(text, left, &code);
		shown = n > 0 && (code == '\t' || escape_is_printable(code));
		n = MAX(n, (size_t)1);
		if (shown) {
			memcpy(to, text, n);
			to += n;
			text += n;
			continue;
		}
		for (const char *end = text + n; text < end; text++)
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
	}
	*to = '\0';
	return out;
}
