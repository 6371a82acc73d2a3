/*
 * test_lines.c - bytes that come in pieces become lines
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/lines.h"

static char told[400];

static void
on_line(struct lines *l, const char *text, size_t len)
{
	size_t have = strlen(told);
	(void)l;

	snprintf(told + have, sizeof(told) - have, "[%.*s]", (int)len, text);
}

static void
start(struct lines *l, size_t max)
{
	told[0] = '\0';
	lines_init(l, max, on_line);
}

Test(lines, are_whole_however_they_come)
{
	static const char text[] = "one\n\ntwo\0three\r\nfour\n\n\nrest";
	const size_t len = sizeof(text) - 1;
	struct lines l;
	size_t cut, i;

	for (cut = 0; cut <= len; cut++) {
		start(&l, 100);
		lines_feed(&l, text, cut);
		lines_feed(&l, text + cut, len - cut);
		cr_expect_str_eq(told, "[one][two.three\r][four]", "cut at %zu",
			cut);
		lines_end(&l);
		cr_expect_str_eq(told, "[one][two.three\r][four][rest]");
		lines_end(&l);
		cr_expect_str_eq(told, "[one][two.three\r][four][rest]");
		lines_fini(&l);
	}
	start(&l, 100);
	for (i = 0; i < len; i++)
		lines_feed(&l, text + i, 1);
	cr_expect_str_eq(told, "[one][two.three\r][four]", "byte by byte");
	lines_fini(&l);
	cr_expect_str_eq(told, "[one][two.three\r][four]", "dropped");
}

Test(lines, longer_ones_are_told_in_pieces)
{
	struct lines l;

	start(&l, 8);
	lines_feed(&l, "12345", 5);
	lines_feed(&l, "678", 3);
	cr_expect_str_eq(told, "");
	lines_feed(&l, "9abc\nd\n", 7);
	cr_expect_str_eq(told, "[12345678][9abc][d]");
	lines_fini(&l);
}
