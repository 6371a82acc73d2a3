/*
 * test_lines.c - tests base/lines: splitting a byte stream into lines
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/lines.h"

static char seen[400];	/* "[line]" for each call back */

static void
on_line(struct lines *l, const char *text, size_t len)
{
	size_t have = strlen(seen);
	(void)l;

	snprintf(seen + have, sizeof(seen) - have, "[%.*s]", (int)len, text);
}

static void
start(struct lines *l, size_t max)
{
	seen[0] = '\0';
	lines_init(l, max, on_line);
}

Test(lines, are_whole_for_any_pieces_of_input)
{
	static const char text[] = "one\n\ntwo\0three\r\nfour\n\n\nrest";
	const size_t len = sizeof(text) - 1;
	struct lines l;
	size_t cut, i;

	for (cut = 0; cut <= len; cut++) {
		start(&l, 100);
		lines_feed(&l, text, cut);
		lines_feed(&l, text + cut, len - cut);
		cr_expect_str_eq(seen, "[one][two.three\r][four]", "cut at %zu",
			cut);
		lines_end(&l);
		cr_expect_str_eq(seen, "[one][two.three\r][four][rest]");
		lines_end(&l);
		cr_expect_str_eq(seen, "[one][two.three\r][four][rest]");
		lines_fini(&l);
	}
	start(&l, 100);
	for (i = 0; i < len; i++)
		lines_feed(&l, text + i, 1);
	cr_expect_str_eq(seen, "[one][two.three\r][four]", "byte by byte");
	lines_fini(&l);
	cr_expect_str_eq(seen, "[one][two.three\r][four]", "dropped");
}

Test(lines, longer_ones_are_split)
{
	struct lines l;

	start(&l, 8);
	lines_feed(&l, "12345", 5);
	lines_feed(&l, "678", 3);
	cr_expect_str_eq(seen, "");
	lines_feed(&l, "9abc\nd\n", 7);
	cr_expect_str_eq(seen, "[12345678][9abc][d]");
	lines_fini(&l);
}
