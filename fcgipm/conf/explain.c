/*
 * explain.c - composes the message for a value that is not accepted; see
 * explain.h
 *
 * Called by conf/load.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/address.h"
#include "conf/amount.h"
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

/* -- quotes ---------------------------------------------------------------- */

/* The bytes of a quote at p, also of a typographic one; 0 = there is none. */
static size_t
quote_length(const char *p)
{
	if (*p == '"' || *p == '\'')
		return 1;
	/* U+2018, U+2019, U+201C, U+201D */
	if (strncmp(p, "\xe2\x80", 2) == 0 && p[2] &&
		strchr("\x98\x99\x9c\x9d", p[2]))
		return 3;
	return 0;
}

/* The value without its quotes; NULL = it is not in quotes. */
static char *
unquote(const char *value)
{
	size_t len = strlen(value), first = quote_length(value), last;
	char *out, *to;
	const char *p;

	if (first == 0 || len < 2 * first)
		return NULL;
	last = quote_length(value + len - first);
	if (last != first || (first == 1 && value[0] != value[len - 1]))
		return NULL;
	out = to = mem_strdup(value);
	/* Addresses of a list may each have quotes. */
	for (p = value; *p;)
		if (quote_length(p) == first && (first == 3 || *p == *value))
			p += first;
		else
			*to++ = *p++;
	*to = '\0';
	return out;
}

/* -- kinds of values ------------------------------------------------------- */

const char *
conf_web_user(void)
{
	static const char *const names[] = {"www-data", "nginx", "http",
		"apache"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (getpwnam(names[i]))
			return names[i];
	return names[0];
}

/* "user:group" in a key for one of them. */
static char *
explain_pair(const struct table_row *row, const char *value)
{
	const char *dot = strchr(row->key.name, '.');
	const char *colon = strchr(value, ':');
	/* user and group, or listen.owner and listen.group */
	int n = dot ? (int)(dot + 1 - row->key.name) : 0;
	const char *owner = n > 0 ? "owner" : "user";
	int len = (int)(colon - value);

	if (len > 0 && colon[1])
		return mem_printf("write %.*s%s = %.*s and %.*sgroup = %s, not "
			"\"%s\"", n, row->key.name, owner, len, value, n,
			row->key.name, colon + 1, value);
	if (len > 0)
		return mem_printf("write %.*s%s = %.*s, not \"%s\"", n,
			row->key.name, owner, len, value, value);
	return mem_printf("write %.*sgroup = %s, not \"%s\"", n, row->key.name,
		colon + 1, value);
}

static char *
explain_name(const struct table_row *row, const char *value)
{
	bool user = row->type == TABLE_USER;
	const char *kind = user ? "user" : "group";
	const char *quote = strpbrk(value, " \t") ? "\"" : "";
	const char *what = strncmp(row->key.name, "listen.", 7) == 0 ?
		(user ? "the user of the web server" :
			"a group of the web server's user") :
		(user ? "an existing user" : "an existing group");

	if (!*value)
		return mem_printf("write %s, such as %s", what,
			conf_web_user());
	if (strchr(value, ':'))
		return explain_pair(row, value);
	return mem_printf("there is no %s %s%s%s; write %s, such as %s", kind,
		quote, value, quote, what, conf_web_user());
}

static bool
is_number(const char *text)
{
	size_t sign = text[0] == '-';

	return text[sign] && text[sign + strspn(text + sign, "0123456789")] ==
		'\0';
}

/* A number outside of its range; NULL = it is not a number. */
static char *
explain_number(const struct table_row *row, const char *value)
{
	if (!is_number(value) || row->max == 0 ||
		(row->type == TABLE_OCTAL && strpbrk(value, "89")))
		return NULL;
	if (row->type == TABLE_OCTAL)
		return mem_printf("%s is out of range; write 0 to 0%llo", value,
			(long long)row->max);
	return mem_printf("%s is out of range; write %lld to %lld", value,
		(long long)row->min, (long long)row->max);
}

/* Does 0 mean that there is no limit? */
static bool
is_without_limit(const struct table_row *row)
{
	return strcmp(row->key.dflt, "0") == 0 ||
		strcmp(row->key.name, "cgi.client_timeout") == 0 ||
		strcmp(row->key.name, "cgi.idle_timeout") == 0;
}

static char *
explain_amount(const struct table_row *row, const char *value)
{
	bool time = row->type == TABLE_TIME, known;
	char *(*print)(int64_t) = time ? amount_time : amount_size;
	const char *kind = time ? "time" : "size";
	char *max = row->max > 0 ? print(row->max) : NULL;
	char *min = row->min > 0 ? print(row->min) : NULL;
	char *meant = NULL, *message;
	int64_t v;

	known = time ? amount_read_time(value, &v) :
		amount_read_size(value, &v);
	if (known)
		meant = print(v);
	if (known && row->max > 0 && (v > row->max || v < row->min))
		message = mem_printf("%s is out of range; write %s%s%s", value,
			min ? min : "at most", min ? " to " : " ", max);
	else if (known)
		message = mem_printf("\"%s\" is not a %s; write %s", value,
			kind, meant);
	else if (is_without_limit(row) && amount_is_unlimited(value))
		message = mem_printf("\"%s\" is not a %s; write 0 for no "
			"limit, or a %s such as %s", value, kind, kind,
			time ? "30s" : "64M");
	else
		message = mem_printf("\"%s\" is not a %s; write one such as "
			"%s%s%s%s", value, kind, time ? "500ms, 30s or 5m" :
				"65536, 64K or 10M",
			max ? " (at most " : "", max ? max : "",
			max ? ")" : "");
	free(meant);
	free(max);
	free(min);
	return message;
}

static char *
explain_limit(const struct table_row *row, const char *value)
{
	bool size = strcmp(row->key.type, "size") == 0;
	bool time = strcmp(row->key.name, "rlimit_cpu") == 0;
	const char *kind = size ? "size" : "number";
	char *meant, *message;
	int64_t v;

	if (amount_is_unlimited(value))
		return mem_printf("\"%s\" is not a %s; write unlimited for no "
			"limit", value, kind);
	if (time && amount_read_time(value, &v))
		return mem_printf("\"%s\" is not a number; write the seconds, "
			"%lld", value, (long long)v / 1000);
	if (time || !amount_read_size(value, &v))
		return mem_printf("\"%s\" is not a %s; write one such as %s, "
			"or unlimited", value, kind, size ? "64M" : time ?
				"60" : "1024");
	meant = size ? amount_size(v) : mem_printf("%lld", (long long)v);
	message = mem_printf("\"%s\" is not a %s; write %s", value, kind,
		meant);
	free(meant);
	return message;
}

/* The first wrong address of a list. */
static char *
explain_listen(const char *value)
{
	char *copy = mem_strdup(value), *rest = copy, *one, *message = NULL;
	size_t len;

	while (!message && (one = strsep(&rest, ",")) != NULL) {
		one += strspn(one, " \t");
		len = strlen(one);
		while (len > 0 && strchr(" \t", one[len - 1]))
			one[--len] = '\0';
		message = len > 0 ? address_explain(one) : NULL;
	}
	free(copy);
	return message;
}

/* The message for a value of this type; NULL = the general one. */
static char *
explain_type(const struct table_row *row, const char *value)
{
	switch (row->type) {
	case TABLE_UINT:
	case TABLE_INT:
	case TABLE_OCTAL:
		return explain_number(row, value);
	case TABLE_TIME:
	case TABLE_SIZE:
		return explain_amount(row, value);
	case TABLE_LIMIT:
		return explain_limit(row, value);
	case TABLE_USER:
	case TABLE_GROUP:
		return explain_name(row, value);
	case TABLE_LISTEN:
		return explain_listen(value);
	default:
		return NULL;
	}
}

void
explain_value(struct conf_problems *ps, const struct problem_place *at,
	const struct table_row *row, const char *key, const char *value,
	const char *why)
{
	const char *hint = hint_of_value(row, value, why);
	char range[64], *choice, *text;

	if (strstr(why, "between the brackets")) {
		/* The error is in the key. */
		problem_error(ps, at, "%s", why);
		return;
	}
	text = row->type == TABLE_ARGS ? NULL : unquote(value);
	if (text) {
		problem_error(ps, at, "remove the quotes: %s = %.200s", key,
			text);
		free(text);
		return;
	}
	text = *hint ? NULL : explain_type(row, value);
	if (text) {
		problem_error(ps, at, "%.500s", text);
	} else if (row->type == TABLE_WORD) {
		choice = choice_of(row);
		problem_error(ps, at, "write %s, not \"%.64s\"%s", choice,
			value, hint);
		free(choice);
	} else {
		problem_error(ps, at, "%s%s, not \"%.64s\"%s", why,
			range_of(row, range, sizeof(range)), value, hint);
	}
	free(text);
}
