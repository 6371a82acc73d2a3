/*
 * explain.c - composes the message for a value that is not accepted; see
 * explain.h
 *
 * Called by conf/load.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/explain.h"
#include "conf/problem.h"
#include "conf/row.h"

/* Does the value have what other daemons read as a comment? */
static bool
has_comment(const char *value)
{
	const char *p = value;

	while ((p = strpbrk(p, ";#")) != NULL) {
		if (p > value && (p[-1] == ' ' || p[-1] == '\t'))
			return true;
		p++;
	}
	return false;
}

/* What an error says after a value that is not accepted. */
static const char *
hint_of_value(const struct table_row *row, const char *value, const char *why)
{
	size_t len = strlen(value);

	/* The reason already says it. */
	if (strstr(why, "without"))
		return "";
	if (has_comment(value))
		return "; a comment needs a line of its own";
	if (len > 1 && (value[0] == '"' || value[0] == '\'') &&
		value[len - 1] == value[0] && row->type != TABLE_ARGS)
		return "; values have no quotes";
	if (len > 1 && value[len - 1] == ';')
		return "; a line does not end in \";\"";
	if (strchr(value, '$') && !strstr(value, "${"))
		return "; a variable is written ${NAME}";
	if (strcmp(row->key.name, "mode") == 0)
		return "; prefork runs a FastCGI program, cgi a program for "
		       "each request";
	return "";
}

/* The range of a number as the file has it; "" for any. */
static const char *
range_of(const struct table_row *row, char *buf, size_t size)
{
	buf[0] = '\0';
	if (row->type == TABLE_OCTAL)
		snprintf(buf, size, " (0 to 0%llo)", (long long)row->max);
	else if (row->type == TABLE_TIME)
		snprintf(buf, size, " (at most %lldh)",
			(long long)row->max / 3600000);
	else if (row->max > 0)
		snprintf(buf, size, " (%lld to %lld)", (long long)row->min,
			(long long)row->max);
	return buf;
}

/* "prefork | cgi" as "prefork or cgi". */
static char *
choice_of(const struct table_row *row)
{
	char *text = mem_strdup(""), *more;
	size_t i;

	for (i = 0; row->words[i]; i++) {
		more = mem_printf("%s%s%s", text,
			i == 0 ? "" : row->words[i + 1] ? ", " : " or ",
			row->words[i]);
		free(text);
		text = more;
	}
	return text;
}

void
explain_value(struct conf_problems *ps, const struct problem_place *at,
	const struct table_row *row, const char *value, const char *why)
{
	const char *hint = hint_of_value(row, value, why);
	char range[64], *choice;

	if (row->type == TABLE_WORD) {
		choice = choice_of(row);
		problem_error(ps, at, "write %s, not \"%.64s\"%s", choice,
			value, hint);
		free(choice);
	} else if (strstr(why, "between the brackets")) {
		/* The error is in the key. */
		problem_error(ps, at, "%s", why);
	} else {
		problem_error(ps, at, "%s%s, not \"%.64s\"%s", why,
			range_of(row, range, sizeof(range)), value, hint);
	}
}
