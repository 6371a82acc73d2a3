/*
 * say.c - text for a terminal; see say.h
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/say.h"

char *
say_escaped(const char *text)
{
	char *out = mem_calloc(strlen(text) + 1, 4), *to = out;

	for (; *text; text++) {
		if (*text >= 0x20 && *text < 0x7f)
			*to++ = *text;
		else
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
	}
	return out;
}

void
say(FILE *out, const char *fmt, ...)
{
	size_t lines = 0, len = strlen(fmt);
	char *text = NULL, *clean;
	va_list ap;
	int n;

	while (lines < len && fmt[len - 1 - lines] == '\n')
		lines++;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	text[(size_t)n - lines] = '\0';
	clean = say_escaped(text);
	fputs(clean, out);
	fputs(fmt + len - lines, out);
	free(clean);
	free(text);
}
