/*
 * problem.h - errors and warnings, collected
 */
#ifndef FCGIPM_CONF_PROBLEM_H
#define FCGIPM_CONF_PROBLEM_H

struct conf_problems;

void problem_error(struct conf_problems *ps, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void problem_warning(struct conf_problems *ps, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
