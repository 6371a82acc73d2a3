/*
 * problem.c - collects configuration errors and warnings; see problem.h and
 * conf.h
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/problem.h"

void
problem_add(struct conf_problems *ps, bool warning,
	const struct problem_place *at, const char *fmt, va_list ap)
{
	char *what, *text;

	if (vasprintf(&what, fmt, ap) < 0)
		what = mem_strdup(fmt);
	text = mem_printf("%s: %s", at->text, what);
	free(what);
	ps->v = mem_realloc(ps->v, ps->n + 1, sizeof(*ps->v));
	ps->v[ps->n] = (struct conf_problem){
		.warning = warning,
		.text = text,
		.position = at->position,
		.order = at->order,
		.number = ps->n,
	};
	ps->n++;
	ps->nerrors += !warning;
}

struct problem_place
problem_at(const struct conf_origin *o, const char *section, const char *key)
{
	struct problem_place at = {.order = o->order};
	size_t n = 0;

	/* What does not fit is cut: paths may have 4096 bytes. */
#define PUT(...)                                                               \
	n += (size_t)snprintf(at.text + n, sizeof(at.text) - n, __VA_ARGS__);  \
	n = n < sizeof(at.text) ? n : sizeof(at.text) - 1
	if (o->file && o->line > 0) {
		PUT("%s:%u", o->file, o->line);
	} else if (o->file) {
		PUT("%s", o->file);
	}
	at.position = n;
	if (section) {
		PUT("%s[%s]", n > 0 ? ": " : "", section);
	}
	if (key) {
		PUT("%s%s", section ? " " : n > 0 ? ": " : "", key);
	}
#undef PUT
	return at;
}

void
problem_error(struct conf_problems *ps, const struct problem_place *at,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	problem_add(ps, false, at, fmt, ap);
	va_end(ap);
}

void
problem_warning(struct conf_problems *ps, const struct problem_place *at,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	problem_add(ps, true, at, fmt, ap);
	va_end(ap);
}

static int
compare(const void *a, const void *b)
{
	const struct conf_problem *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

void
problem_sort(struct conf_problems *ps)
{
	if (ps->n > 1)
		qsort(ps->v, ps->n, sizeof(*ps->v), compare);
}

static void
print(const struct conf_problems *ps, const char *prefix, FILE *out)
{
	char *line, *clean;
	size_t i;

	for (i = 0; i < ps->n; i++) {
		const struct conf_problem *p = &ps->v[i];
		size_t n = p->position;

		/* As compilers do: editors go to "file:line: error: ". */
		line = mem_printf("%.*s%s%s: %s", (int)n, p->text,
			n > 0 ? ": " : "", p->warning ? "warning" : "error",
			p->text + (n > 0 ? n + strlen(": ") : 0));
		/* Keys and values may have control characters. */
		clean = escape_text(line);
		fprintf(out, "%s%s\n", prefix,
			clean ? clean : "out of memory");
		free(clean);
		free(line);
	}
}

void
conf_problems_print(const struct conf_problems *ps, FILE *out)
{
	print(ps, "", out);
}

void
conf_problems_comment(const struct conf_problems *ps, FILE *out)
{
	print(ps, "; ", out);
}

void
conf_problems_free(struct conf_problems *ps)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		free(ps->v[i].text);
	free(ps->v);
	*ps = (struct conf_problems){0};
}
