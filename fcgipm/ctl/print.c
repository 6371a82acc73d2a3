/*
 * print.c - prints untrusted text, escaped; see print.h
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "ctl/print.h"

void
print_escaped(FILE *out, const char *fmt, ...)
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
	clean = escape_text(text);
	fputs(clean ? clean : "out of memory", out);
	fputs(fmt + len - lines, out);
	free(clean);
	free(text);
}
