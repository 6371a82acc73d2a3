/*
 * problem.c - errors and warnings, collected; see problem.h and conf.h
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/problem.h"

__attribute__((format(printf, 3, 0)))
static void
add(struct conf_problems *ps, bool warning, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		text = mem_strdup(fmt);
	ps->v = mem_realloc(ps->v, ps->n + 1, sizeof(*ps->v));
	ps->v[ps->n++] = (struct conf_problem){
		.warning = warning,
		.text = text,
	};
	ps->nerrors += !warning;
}

struct problem_place
problem_at(const struct conf_origin *o, const char *section, const char *key)
{
	struct problem_place at;

	if (!o->file)
		snprintf(at.text, sizeof(at.text), "[%s] %s", section, key);
	else if (o->line == 0)
		snprintf(at.text, sizeof(at.text), "%s: [%s] %s", o->file,
			section, key);
	else
		snprintf(at.text, sizeof(at.text), "%s:%u: [%s] %s", o->file,
			o->line, section, key);
	return at;
}

void
problem_error(struct conf_problems *ps, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(ps, false, fmt, ap);
	va_end(ap);
}

void
problem_warning(struct conf_problems *ps, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(ps, true, fmt, ap);
	va_end(ap);
}

void
conf_problems_print(const struct conf_problems *ps, FILE *out)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		fprintf(out, "%s%s\n", ps->v[i].warning ? "warning: " : "",
			ps->v[i].text);
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
