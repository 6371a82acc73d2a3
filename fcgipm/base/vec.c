/*
 * vec.c - builds argv and envp arrays; see vec.h
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

void
vec_init(struct vec *v)
{
	*v = (struct vec){0};
}

void
vec_fini(struct vec *v)
{
	free(v->text);
	free(v->ptrs);
	vec_init(v);
}

void
vec_clear(struct vec *v)
{
	v->len = 0;
	v->n = 0;
	v->failed = false;
}

/* Makes room for len more bytes; NULL, and sets failed, without memory. */
static char *
room(struct vec *v, size_t len)
{
	size_t size = v->size ? v->size : 512;
	char *p;

	if (v->failed)
		return NULL;
	while (size - v->len < len) {
		if (size > SIZE_MAX / 2) {
			v->failed = true;
			return NULL;
		}
		size *= 2;
	}
	if (size != v->size) {
		p = realloc(v->text, size);
		if (!p) {
			v->failed = true;
			return NULL;
		}
		v->text = p;
		v->size = size;
	}
	return v->text + v->len;
}

void
vec_add(struct vec *v, const char *s)
{
	size_t len = strlen(s) + 1;
	char *p = room(v, len);

	if (!p)
		return;
	memcpy(p, s, len);
	v->len += len;
	v->n++;
}

void
vec_addf(struct vec *v, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		v->failed = true;
		return;
	}
	vec_add(v, text);
	free(text);
}

void
vec_add_pair(struct vec *v, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	char *p;

	if (name_len > SIZE_MAX / 4 || value_len > SIZE_MAX / 4) {
		v->failed = true;
		return;
	}
	p = room(v, name_len + value_len + 2);
	if (!p)
		return;
	memcpy(p, name, name_len);
	p[name_len] = '=';
	if (value_len)
		memcpy(p + name_len + 1, value, value_len);
	p[name_len + 1 + value_len] = '\0';
	v->len += name_len + value_len + 2;
	v->n++;
}

char **
vec_array(struct vec *v)
{
	char **p, *at = v->text;
	size_t i;

	if (v->failed)
		return NULL;
	p = reallocarray(v->ptrs, v->n + 1, sizeof(*p));
	if (!p) {
		v->failed = true;
		return NULL;
	}
	v->ptrs = p;
	for (i = 0; i < v->n; i++) {
		p[i] = at;
		at += strlen(at) + 1;
	}
	p[v->n] = NULL;
	return p;
}
