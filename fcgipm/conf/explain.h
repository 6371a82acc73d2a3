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
 * explain_value - adds an error: what is wrong with the value, what to write
 *
 * key		as written, such as cgi.interpreter[.pl]
 * value	expanded, if it can be
 * why		from table_set(), what to write instead: used where nothing
 *		better is known about the value
 */
void explain_value(struct conf_problems *ps, const struct problem_place *at,
	const struct table_row *row, const char *key, const char *value,
	const char *why);

#endif
