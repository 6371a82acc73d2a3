/*
 * mem.c - allocates memory at startup; see mem.h
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"

static void *
check(void *p)
{
	if (!p) {
		fputs("fcgipm: out of memory\n", stderr);
		exit(EXIT_SYSTEM);
	}
	return p;
}

void *
mem_calloc(size_t n, size_t size)
{
	return check(calloc(n ? n : 1, size ? size : 1));
}

void *
mem_realloc(void *p, size_t n, size_t size)
{
	return check(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *
mem_strdup(const char *s)
{
	return check(strdup(s));
}

char *
mem_strndup(const char *s, size_t len)
{
	return check(strndup(s, len));
}

char *
mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return check(text);
}
