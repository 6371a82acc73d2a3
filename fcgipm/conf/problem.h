/*
 * problem.h - errors and warnings, collected
 */
#ifndef FCGIPM_CONF_PROBLEM_H
#define FCGIPM_CONF_PROBLEM_H

struct conf_origin;
struct conf_problems;

/* "file:line: [www] key", or "option: [www] key". */
struct problem_place {
	char text[512];
};

struct problem_place problem_at(const struct conf_origin *origin,
	const char *section, const char *key);

void problem_error(struct conf_problems *ps, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void problem_warning(struct conf_problems *ps, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
