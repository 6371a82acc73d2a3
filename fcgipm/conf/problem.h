/*
 * problem.h - collects configuration errors and warnings, to report them all
 * at once in the order of the lines
 *
 * Used by the files of conf/; other directories add problems with
 * conf_problem_add().
 */
#ifndef FCGIPM_CONF_PROBLEM_H
#define FCGIPM_CONF_PROBLEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct conf_origin;
struct conf_problems;

/* What a problem is about, and its position among all lines read. */
struct problem_place {
	char text[512];	/* "file:line: [www] key", or "option: [www] key" */
	size_t position;	/* bytes of "file:line" in it */
	unsigned order;	/* of struct conf_origin */
};

/* section and key may be NULL: then the text does not have them. */
struct problem_place problem_at(const struct conf_origin *origin,
	const char *section, const char *key);

void problem_add(struct conf_problems *ps, bool warning,
	const struct problem_place *at, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));
void problem_error(struct conf_problems *ps, const struct problem_place *at,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void problem_warning(struct conf_problems *ps, const struct problem_place *at,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* By line; problems of one line stay in the order they were added in. */
void problem_sort(struct conf_problems *ps);

#endif
