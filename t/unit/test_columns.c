/*
 * test_columns.c - ctl/columns: tables with fitted column widths
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/columns.h"

static const char *const titles[] = {"NAME", " N", "REST"};

static void
expect_table(const char *const *cells, size_t n, size_t width,
	const char *want)
{
	struct columns c = {.n = 3, .titles = titles};
	char *text = NULL;
	size_t size = 0, i;
	FILE *f = open_memstream(&text, &size);

	cr_assert_not_null(f);
	for (i = 0; i < n; i++)
		columns_add(&c, cells[i]);
	columns_print(&c, width, f);
	cr_assert_eq(fclose(f), 0);
	cr_expect_str_eq(text, want, "%s", text);
	free(text);
	columns_fini(&c);
}

Test(columns, numbers_are_right_aligned)
{
	static const char *const cells[] = {"a", "1", "x y", "long name",
		"12345", ""};

	expect_table(cells, 6, 0,
		"NAME           N  REST\n"
		"a              1  x y\n"
		"long name  12345  -\n");
}

Test(columns, an_empty_table_has_titles)
{
	expect_table(NULL, 0, 0, "NAME  N  REST\n");
}

Test(columns, a_line_longer_than_the_width_is_cut)
{
	static const char *const cells[] = {"a", "1", "0123456789", "b", "2",
		"0123"};

	expect_table(cells, 6, 13,
		"NAME  N  REST\n"
		"a     1  0...\n"
		"b     2  0123\n");
}

Test(columns, control_characters_are_escaped)
{
	static const char *const cells[] = {"\x1b[2J", "\n", "\xc2\x9b\x7f\\"};

	expect_table(cells, 3, 0,
		"NAME        N  REST\n"
		"\\x1b[2J  \\x0a  \\xc2\\x9b\\x7f\\\n");
}

Test(columns, widths_count_characters_not_bytes)
{
	static const char *const cells[] = {"\xd1\x8f\xd1\x8f", "1",
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
		"abcdef", "\xd1\x8f", "a\tb"};

	expect_table(cells, 6, 0,
		"NAME    N  REST\n"
		"\xd1\x8f\xd1\x8f      1  \xe2\x82\xac\xe2\x82\xac"
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\n"
		"abcdef  \xd1\x8f  a b\n");
	expect_table(cells, 6, 15,
		"NAME    N  REST\n"
		"\xd1\x8f\xd1\x8f      1  \xe2\x82\xac...\n"
		"abcdef  \xd1\x8f  a b\n");
}
