/*
 * explain.h - composes the message for a value that is not accepted
 *
 * Used by conf/load only.
 */
#ifndef FCGIPM_CONF_EXPLAIN_H
#define FCGIPM_CONF_EXPLAIN_H

struct conf_problems;
struct problem_place;
struct table_row;

/*
 * explain_value - adds an error: what to write, the range, the value, a hint
 *
 * why		from table_set(), what to write instead
 */
void explain_value(struct conf_problems *ps, const struct problem_place *at,
	const struct table_row *row, const char *value, const char *why);

#endif
