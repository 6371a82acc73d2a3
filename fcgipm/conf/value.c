/*
 * value.c - parses and validates one value according to its key's type; see
 * value.h
 *
 * Called by conf/table.
 */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cidr.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/address.h"
#include "conf/value.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* A bare number is seconds, as in php-fpm.conf. */
static const struct unit times[] = {{"ms", 1}, {"s", 1000}, {"", 1000},
	{"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct unit sizes[] = {{"", 1}, {"b", 1}, {"k", UINT64_C(1) << 10},
	{"kb", UINT64_C(1) << 10}, {"m", UINT64_C(1) << 20},
	{"mb", UINT64_C(1) << 20}, {"g", UINT64_C(1) << 30},
	{"gb", UINT64_C(1) << 30}};

/* A number and a unit; false on anything else and on overflow. */
static bool
parse_units(const char *text, const struct unit *units, size_t n,
	uint64_t *ret)
{
	unsigned long long v;
	char *end;
	size_t i;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno)
		return false;
	end += strspn(end, " \t");
	for (i = 0; i < n; i++)
		if (strcasecmp(end, units[i].name) == 0) {
			uint64_t out;

			if (__builtin_mul_overflow((uint64_t)v,
				    units[i].factor, &out) ||
				out > INT64_MAX)
				return false;
			*ret = out;
			return true;
		}
	return false;
}

static bool
parse_integer(const char *text, int base, long long *ret)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) &&
		!(text[0] == '-' && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	*ret = strtoll(text, &end, base);
	return !errno && *end == '\0';
}

static const char *
parse_bool(bool *at, const char *text)
{
	static const char *const yes[] = {"yes", "on", "true", "1"};
	static const char *const no[] = {"no", "off", "false", "0"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*at = true;
			return NULL;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*at = false;
			return NULL;
		}
	}
	return "write yes or no";
}

static const char *
parse_signal(unsigned *at, const char *text)
{
	long long n;
	int signo;

	if (parse_integer(text, 10, &n)) {
		if (n < 1 || n >= NSIG)
			return "write a signal's name, such as TERM";
		*at = (unsigned)n;
		return NULL;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (signo = 1; signo < NSIG; signo++) {
		const char *name = sigabbrev_np(signo);

		if (name && strcasecmp(name, text) == 0) {
			*at = (unsigned)signo;
			return NULL;
		}
	}
	return "write a signal's name, such as TERM";
}

static const char *
parse_limit(struct conf_limit *at, const char *text,
	const struct table_row *row)
{
	bool size = strcmp(row->key.type, "size") == 0;
	uint64_t v;

	if (strcasecmp(text, "system") == 0) {
		*at = (struct conf_limit){0};
		return NULL;
	}
	if (strcasecmp(text, "unlimited") == 0)
		v = CONF_UNLIMITED;
	/* rlimit_cpu = 10m would be ten million seconds, not ten minutes */
	else if (!parse_units(text, sizes, size ? ARRAY_SIZE(sizes) : 1, &v))
		return size ? "write a size, such as 64M, or unlimited" :
			      "write a whole number, or unlimited";
	*at = (struct conf_limit){.set = true, .value = v};
	return NULL;
}

/* Does it begin with a quote, or with a typographic one? */
static bool
is_quote(const char *text)
{
	return text[0] == '"' || text[0] == '\'' ||
		strncmp(text, "\xe2\x80\x9c", 3) == 0 ||
		strncmp(text, "\xe2\x80\x98", 3) == 0;
}

static const char *
parse_path(char **at, const char *text, const char *dir)
{
	if (text[0] == '\0')
		return "write a path";
	if (is_quote(text))
		return "write the path without quotes";
	if (text[0] == '~')
		return "write the whole path: \"~\" is not replaced";
	if (text[0] == '/')
		*at = mem_strdup(text);
	else
		*at = mem_printf("%s%s%s", dir,
			dir[strlen(dir) - 1] == '/' ? "" : "/", text);
	return NULL;
}

/* A number; 2^32-1 means "unchanged" to chown(2) and setresuid(2). */
static bool
is_id(const char *text)
{
	long long n;

	return parse_integer(text, 10, &n) && n >= 0 && n < UINT32_MAX;
}

static const char *
parse_cidrs(char **at, const char *text)
{
	const char *list = text, *why = NULL;
	struct cidr c;
	int got, n = 0;

	while ((got = cidr_next(&list, &c, &why)) == 1)
		n++;
	if (got < 0)
		return why;
	if (n == 0)
		return "write an address or a network, such as 127.0.0.1";
	*at = mem_strdup(text);
	return NULL;
}

/* One word of the line, with quotes and backslashes removed as in sh(1). */
static const char *
next_word(const char **text, char *word)
{
	char quote = '\0';
	const char *p = *text;

	for (; *p && (quote || !isblank((unsigned char)*p)); p++) {
		if (quote == '\0' && (*p == '"' || *p == '\''))
			quote = *p;
		else if (*p == quote)
			quote = '\0';
		else if (*p == '\\' && quote != '\'' && p[1])
			*word++ = *++p;
		else
			*word++ = *p;
	}
	*word = '\0';
	*text = p;
	return quote ? "close the quote" : NULL;
}

static const char *
parse_args(struct conf_list *at, const char *text)
{
	char *word = mem_strdup(text);
	const char *why = NULL;
	struct conf_list list = {0};
	size_t i;

	while (!why && *(text += strspn(text, " \t"))) {
		why = next_word(&text, word);
		list.v = mem_realloc(list.v, list.n + 2, sizeof(char *));
		list.v[list.n++] = mem_strdup(word);
		list.v[list.n] = NULL;
	}
	free(word);
	if (!why) {
		*at = list;
		return NULL;
	}
	for (i = 0; i < list.n; i++)
		free(list.v[i]);
	free(list.v);
	return why;
}

static const char *
parse_word(unsigned *at, const char *text, const struct table_row *row)
{
	unsigned i;

	for (i = 0; row->words[i]; i++)
		if (strcasecmp(row->words[i], text) == 0) {
			*at = i;
			return NULL;
		}
	/* The type is the list of words. */
	return row->key.type;
}

static bool
is_word(const struct table_row *row, const char *text)
{
	unsigned i;

	for (i = 0; row->words[i]; i++)
		if (strcmp(row->words[i], text) == 0)
			return true;
	return false;
}

/* Whole numbers of all kinds, with the row's range. */
static const char *
parse_number(const struct table_row *row, void *at, const char *text)
{
	int base = row->type == TABLE_OCTAL ? 8 : 10;
	long long n;

	if (!parse_integer(text, base, &n))
		return row->type == TABLE_OCTAL ? "write an octal number" :
						  "write a whole number";
	if (n < row->min || n > row->max)
		return "out of range";
	if (row->type == TABLE_INT)
		*(int *)at = (int)n;
	else
		*(unsigned *)at = (unsigned)n;
	return NULL;
}

static const char *
parse_amount(const struct table_row *row, void *at, const char *text)
{
	bool time = row->type == TABLE_TIME;
	uint64_t v;

	if (!parse_units(text, time ? times : sizes,
		    time ? ARRAY_SIZE(times) : ARRAY_SIZE(sizes), &v))
		return time ? "write a time, such as 500ms, 30s or 5m" :
			      "write a size, such as 65536, 64K or 10M";
	if (row->max > 0 && ((int64_t)v < row->min || (int64_t)v > row->max))
		return "out of range";
	if (time)
		*(int64_t *)at = (int64_t)v;
	else
		*(uint64_t *)at = v;
	return NULL;
}

const char *
value_parse(const struct table_row *row, void *at, const char *text,
	const char *dir)
{
	switch (row->type) {
	case TABLE_BOOL:
		return parse_bool(at, text);
	case TABLE_WORD:
		return parse_word(at, text, row);
	case TABLE_UINT:
	case TABLE_INT:
	case TABLE_OCTAL:
		return parse_number(row, at, text);
	case TABLE_TIME:
	case TABLE_SIZE:
		return parse_amount(row, at, text);
	case TABLE_LIMIT:
		return parse_limit(at, text, row);
	case TABLE_SIGNAL:
		return parse_signal(at, text);
	case TABLE_PATH:
	case TABLE_PROGRAMS:	/* one of them */
		return parse_path(at, text, dir);
	case TABLE_PLACE:
		if (!is_word(row, text))
			return parse_path(at, text, dir);
		*(char **)at = mem_strdup(text);
		return NULL;
	case TABLE_USER:
		if (!getpwnam(text) && !is_id(text))
			return is_quote(text) ?
				"write the name without quotes" :
				"write an existing user";
		*(char **)at = mem_strdup(text);
		return NULL;
	case TABLE_GROUP:
		if (!getgrnam(text) && !is_id(text))
			return is_quote(text) ?
				"write the name without quotes" :
				"write an existing group";
		*(char **)at = mem_strdup(text);
		return NULL;
	case TABLE_NAMES:
		*(char **)at = mem_strdup(text);
		return NULL;
	case TABLE_CIDRS:
		return parse_cidrs(at, text);
	case TABLE_ARGS:
		return parse_args(at, text);
	case TABLE_LISTEN:
	case TABLE_ENV:
		break;
	}
	BUG("a type that value_parse() does not know");
}

const char *
value_parse_listen(const char *text, struct addr **addrs, size_t *n)
{
	char *copy = mem_strdup(text), *rest = copy, *one, *end, *message;
	struct addr *list = NULL;
	const char *why = NULL;
	size_t count = 0;

	while (!why && (one = strsep(&rest, ",")) != NULL) {
		one += strspn(one, " \t");
		end = one + strlen(one);
		while (end > one && isblank((unsigned char)end[-1]))
			*--end = '\0';
		if (!*one) {
			why = *text ? "write an address between the commas" :
				"write an address, such as "
				"/run/fcgipm/%n.sock";
			break;
		}
		if (is_quote(one)) {
			why = "write the address without quotes";
			break;
		}
		/* conf/explain has the message. */
		message = address_explain(one);
		free(message);
		if (message) {
			why = "write a path, host:port or a port";
			break;
		}
		list = mem_realloc(list, count + 1, sizeof(*list));
		if (addr_parse(one, &list[count], &why) == 0)
			count++;
	}
	free(copy);
	if (why) {
		free(list);
		return why;
	}
	free(*addrs);
	*addrs = list;
	*n = count;
	return NULL;
}

/* "${VAR}" or "${VAR:-default}", *text after "${"; NULL and *ret_why. */
static const char *
expand_variable(const char **text, size_t *ret_len, const char **ret_why)
{
	const char *end = strchr(*text, '}'), *dflt, *value;
	char name[256];
	size_t len;

	if (!end) {
		*ret_why = "close the ${ with a }";
		return NULL;
	}
	dflt = memmem(*text, (size_t)(end - *text), ":-", 2);
	len = (size_t)((dflt ? dflt : end) - *text);
	if (len == 0 || len >= sizeof(name)) {
		*ret_why = "write a variable's name between ${ and }";
		return NULL;
	}
	memcpy(name, *text, len);
	name[len] = '\0';
	*text = end + 1;
	value = getenv(name);
	if (value && (*value || !dflt)) {
		*ret_len = strlen(value);
		return value;
	}
	if (!dflt) {
		*ret_why = "its variable is not set; set it, or write "
			   "${NAME:-default}";
		return NULL;
	}
	*ret_len = (size_t)(end - dflt - 2);
	return dflt + 2;
}

char *
value_expand(const char *text, const char *pool, const char **ret_why)
{
	struct buf out;
	char *result = NULL;

	buf_init(&out, 1 << 20);
	while (*text) {
		const char *piece = text;
		size_t len = strcspn(text, "$%");

		text += len;
		if (len == 0 && text[0] == '$' && text[1] == '{') {
			text += 2;
			piece = expand_variable(&text, &len, ret_why);
			if (!piece)
				goto out;
		} else if (len == 0 && text[0] == '%' && text[1] == 'n') {
			piece = pool ? pool : "fcgipm";
			len = strlen(piece);
			text += 2;
		} else if (len == 0 && text[0] == '%' && text[1] &&
			strchr("%$", text[1])) {
			piece = text + 1;
			len = 1;
			text += 2;
		} else if (len == 0) {
			len = 1;
			text++;
		}
		if (buf_add(&out, piece, len) < 0) {
			*ret_why = "shorten it: it expands to more than 1 MiB";
			goto out;
		}
	}
	result = out.len ? mem_strndup((char *)buf_data(&out), out.len) :
			   mem_strdup("");
out:
	buf_fini(&out);
	return result;
}
