/*
 * test_emit.c - tests base/emit: the output is JSON for any bytes
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/emit.h"

static void
expect_text(const char *bytes, size_t len, const char *want, const char *why)
{
	struct buf b;
	struct emit e = {.out = &b};

	buf_init(&b, 1 << 20);
	emit_text(&e, bytes, len);
	cr_expect(!e.failed);
	cr_expect(b.len == strlen(want) &&
			memcmp(buf_data(&b), want, b.len) == 0,
		"%s: %.*s", why, (int)b.len, (char *)buf_data(&b));
	buf_fini(&b);
}

Test(emit, text_of_any_bytes_is_a_valid_string)
{
	static const struct {
		const char *bytes;
		const char *want;
		const char *why;
	} rows[] = {
		{"", "\"\"", "nothing"},
		{"/a?b=c", "\"/a?b=c\"", "unchanged"},
		{"a\"b\\c", "\"a\\\"b\\\\c\"", "quote and backslash"},
		{"a\nb\x1b[1m", "\"a\\u000ab\\u001b[1m\"", "control"},
		{"\x7f", "\"\\u007f\"", "DEL"},
		{"\xc2\x9b" "1m", "\"\\u009b1m\"", "CSI of C1"},
		{"\xc2\xa0", "\"\xc2\xa0\"", "the first after C1"},
		{"\xc3\xa9", "\"\xc3\xa9\"", "two bytes"},
		{"\xe2\x82\xac", "\"\xe2\x82\xac\"", "three"},
		{"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", "four"},
		{"\xe2\x80\xae", "\"\\u202e\"", "right to left"},
		{"\xf3\xa0\x81\x81", "\"\\udb40\\udc41\"", "a tag, in two"},
		{"\xff", "\"\\ufffd\"", "not a byte of UTF-8"},
		{"\x80", "\"\\ufffd\"", "a continuation alone"},
		{"\xc0\xaf", "\"\\ufffd\\ufffd\"", "a slash in two bytes"},
		{"\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\"", "in three"},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "a surrogate"},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"",
			"past the last"},
		{"\xe2\x82", "\"\\ufffd\\ufffd\"", "cut"},
		{"\xe2\x82z", "\"\\ufffd\\ufffdz\"", "cut by another"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_text(rows[i].bytes, strlen(rows[i].bytes), rows[i].want,
			rows[i].why);
	expect_text("a\0b", 3, "\"a\\u0000b\"", "a NUL");
}

Test(emit, commas_are_written_between_values)
{
	static const char want[] = "{\"a\":[1,-2,[],null],\"b\":{},"
		"\"c\":\"x\"}";
	struct buf b;
	struct emit e = {.out = &b};

	buf_init(&b, 1000);
	emit_begin(&e, '{');
	emit_name(&e, "a");
	emit_begin(&e, '[');
	emit_number(&e, 1);
	emit_number(&e, -2);
	emit_begin(&e, '[');
	emit_end(&e, ']');
	emit_null(&e);
	emit_end(&e, ']');
	emit_name(&e, "b");
	emit_begin(&e, '{');
	emit_end(&e, '}');
	emit_name(&e, "c");
	emit_text(&e, "x", 1);
	emit_end(&e, '}');
	cr_expect(!e.failed);
	cr_expect(b.len == strlen(want) &&
		memcmp(buf_data(&b), want, b.len) == 0, "%.*s", (int)b.len,
		(char *)buf_data(&b));
	buf_fini(&b);
}

/* Checked with jansson. */
Test(emit, any_bytes_are_read_back)
{
	unsigned seed = 1;
	char bytes[64];
	int i, k;

	for (i = 0; i < 20000; i++) {
		size_t len = (size_t)(rand_r(&seed) % (int)sizeof(bytes));
		struct buf b;
		struct emit e = {.out = &b};
		json_t *read;

		for (k = 0; k < (int)len; k++)
			bytes[k] = (char)(rand_r(&seed) >> 7);
		buf_init(&b, 1000);
		emit_text(&e, bytes, len);
		read = json_loadb((char *)buf_data(&b), b.len,
			JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		cr_assert(json_is_string(read), "%.*s", (int)b.len,
			(char *)buf_data(&b));
		json_decref(read);
		buf_fini(&b);
	}
}

Test(emit, fails_above_the_maximum_of_its_buffer)
{
	struct buf b;
	struct emit e = {.out = &b};

	buf_init(&b, 8);
	emit_text(&e, "0123456789", 10);
	cr_expect(e.failed);
	cr_expect_leq(b.len, 8);
	buf_fini(&b);
}
