/*
 * amount.c - reads times and sizes in the words of other daemons; see amount.h
 *
 * Called by conf/explain.  conf/value has the units that are accepted.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/amount.h"

struct words {
	const char *names;	/* each between blanks */
	int64_t factor;
};

static const struct words times[] = {
	{" ms msec msecs milli millis millisecond milliseconds ", 1},
	{" s sec secs second seconds ", 1000},
	{" m min mins minute minutes ", 60000},
	{" h hr hrs hour hours ", 3600000},
	{" d day days ", 86400000},
	{" w week weeks ", INT64_C(7) * 86400000},
};
static const struct words sizes[] = {
	{" b byte bytes ", 1},
	{" k kb ki kib kbyte kbytes kilobyte kilobytes ", 1 << 10},
	{" m mb mi mib mbyte mbytes megabyte megabytes ", 1 << 20},
	{" g gb gi gib gbyte gbytes gigabyte gigabytes ", 1 << 30},
	{" t tb ti tib tbyte tbytes terabyte terabytes ", INT64_C(1) << 40},
};

/* The factor of a word of len letters; 0 = unknown. */
static int64_t
factor_of(const struct words *rows, size_t n, const char *word, size_t len)
{
	char name[20];
	size_t i;

	if (len + 3 > sizeof(name))
		return 0;
	name[0] = ' ';
	for (i = 0; i < len; i++)
		name[1 + i] = (char)tolower((unsigned char)word[i]);
	name[1 + len] = ' ';
	name[2 + len] = '\0';
	for (i = 0; i < n; i++)
		if (strstr(rows[i].names, name))
			return rows[i].factor;
	return 0;
}

/* "1", "1.5": in thousandths. */
static bool
read_number(const char **text, int64_t *ret)
{
	int64_t n = 0, part = 100;
	const char *p = *text;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		n = n * 10 + (*p - '0');
		if (n > INT64_C(1000000000000))
			return false;
	}
	n *= 1000;
	if (*p == '.' && isdigit((unsigned char)p[1]))
		for (p++; isdigit((unsigned char)*p); p++, part /= 10) {
			if (part == 0 && *p != '0')
				return false;
			n += (*p - '0') * part;
		}
	*text = p;
	*ret = n;
	return true;
}

/* plain: the factor of a number without a unit. */
static bool
read_amount(const char *text, const struct words *rows, size_t n,
	int64_t plain, int64_t *ret)
{
	int64_t sum = 0, number, factor;
	size_t len;

	do {
		if (!read_number(&text, &number))
			return false;
		text += strspn(text, " \t");
		for (len = 0; isalpha((unsigned char)text[len]); len++)
			;
		factor = len == 0 ? plain : factor_of(rows, n, text, len);
		if (factor == 0 || (len == 0 && (sum > 0 || *text)))
			return false;
		text += len;
		text += strspn(text, " \t");
		if (__builtin_mul_overflow(number, factor, &number) ||
			__builtin_add_overflow(sum, number, &sum))
			return false;
	} while (*text);
	*ret = sum / 1000;
	return sum % 1000 == 0;
}

bool
amount_read_time(const char *text, int64_t *ret_ms)
{
	return read_amount(text, times, ARRAY_SIZE(times), 1000, ret_ms);
}

bool
amount_read_size(const char *text, int64_t *ret_bytes)
{
	return read_amount(text, sizes, ARRAY_SIZE(sizes), 1, ret_bytes);
}

char *
amount_time(int64_t ms)
{
	static const struct {
		int64_t factor;
		const char *unit;
	} units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}};
	size_t i;

	if (ms == 0)
		return mem_strdup("0");
	/* 24h stays, 8760h is 365d. */
	if (ms % 86400000 == 0 && ms > 86400000)
		return mem_printf("%lldd", (long long)(ms / 86400000));
	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (ms % units[i].factor == 0)
			return mem_printf("%lld%s",
				(long long)(ms / units[i].factor),
				units[i].unit);
	return mem_printf("%lldms", (long long)ms);
}

char *
amount_size(int64_t bytes)
{
	static const char units[] = "GMK";
	int shift = 30;
	size_t i;

	for (i = 0; units[i] && bytes > 0; i++, shift -= 10)
		if (bytes % (INT64_C(1) << shift) == 0)
			return mem_printf("%lld%c", (long long)(bytes >> shift),
				units[i]);
	return mem_printf("%lld", (long long)bytes);
}

bool
amount_is_unlimited(const char *text)
{
	static const char *const names[] = {"none", "never", "unlimited",
		"infinity", "infinite", "inf", "off", "no", "disabled", "max"};
	size_t i;

	if (text[0] == '-' && isdigit((unsigned char)text[1]))
		return true;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(text, names[i]) == 0)
			return true;
	return false;
}
