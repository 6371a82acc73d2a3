/*
 * test_escape.c - tests base/escape: any bytes become printable text
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

Test(escape, printable_text_stays_other_bytes_become_hexadecimal)
{
	static const struct {
		const char *text, *want, *why;
	} rows[] = {
		{"", "", "nothing"},
		{"/a?b=c\\x", "/a?b=c\\x", "ASCII, a backslash too"},
		{"a\tb", "a\tb", "a tab"},
		{"a\nb\r\x1b[1m", "a\\x0ab\\x0d\\x1b[1m", "controls"},
		{" ~\x7f", " ~\\x7f", "DEL, and both ends of ASCII"},
		{"\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f",
			"C1, all of their bytes"},
		{"\xc2\xa0", "\xc2\xa0", "the first after C1"},
		{"\xd1\x8f\xe2\x82\xac\xf0\x9f\x98\x80",
			"\xd1\x8f\xe2\x82\xac\xf0\x9f\x98\x80",
			"two, three and four bytes"},
		{"\xd8\x9b\xd8\x9c\xd8\x9d", "\xd8\x9b\\xd8\\x9c\xd8\x9d",
			"U+061C between its neighbours"},
		{"\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90",
			"\xe2\x80\x8d\\xe2\\x80\\x8e\\xe2\\x80\\x8f"
			"\xe2\x80\x90", "U+200D to U+2010"},
		{"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf",
			"\xe2\x80\xa7\\xe2\\x80\\xa8\\xe2\\x80\\xae"
			"\xe2\x80\xaf", "U+2027, U+2028, U+202E, U+202F"},
		{"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
			"\xe2\x81\xa5\\xe2\\x81\\xa6\\xe2\\x81\\xa9"
			"\xe2\x81\xaa", "U+2065, isolates, U+206A"},
		{"\xef\xbb\xbf", "\\xef\\xbb\\xbf", "byte order mark"},
		{"\xef\xbf\xbd\xef\xbf\xbe", "\xef\xbf\xbd\\xef\\xbf\\xbe",
			"U+FFFD, and a noncharacter"},
		{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81", "a tag"},
		{"\xffz", "\\xffz", "not a byte of UTF-8"},
		{"\x80", "\\x80", "a continuation alone"},
		{"\xc0\xaf", "\\xc0\\xaf", "a slash in two bytes"},
		{"\xc1\xbf", "\\xc1\\xbf", "DEL in two bytes"},
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf", "two bytes in three"},
		{"\xe0\xa0\x80", "\xe0\xa0\x80", "the first of three"},
		{"\xed\x9f\xbf", "\xed\x9f\xbf", "before the surrogates"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80", "a surrogate"},
		{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf", "three in four"},
		{"\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd", "nearly the last"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "past the last"},
		{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80", "far past it"},
		{"\xe2\x82", "\\xe2\\x82", "cut by the end"},
		{"\xe2\x82z", "\\xe2\\x82z", "cut by another"},
		{"\xf0\x9f\x98z", "\\xf0\\x9f\\x98z", "four, cut"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *out = escape_text(rows[i].text);

		cr_expect_str_eq(out, rows[i].want, "%s: %s", rows[i].why, out);
		free(out);
	}
}

/* Each code of one to four bytes, against the definition of UTF-8. */
Test(escape, every_character_is_decoded)
{
	uint32_t code, got;
	char text[4];
	size_t n;

	for (code = 0; code <= 0x10ffff; code++) {
		if (code >= 0xd800 && code <= 0xdfff)
			continue;
		n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		text[0] = (char)(n == 1 ? code :
			(0xf00 >> n & 0xff) | code >> 6 * (n - 1));
		for (size_t i = 1; i < n; i++)
			text[i] = (char)(0x80 |
				(code >> 6 * (n - 1 - i) & 0x3f));
		cr_assert_eq(escape_decode(text, n, &got), n, "U+%04x", code);
		cr_assert_eq(got, code);
		if (n > 1)
			cr_assert_eq(escape_decode(text, n - 1, &got), 0,
				"U+%04x, cut", code);
	}
}
