/*
 * test_fcgi.c - record parser and encoder; bytes typed from FastCGI 1.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "proto/fcgi.h"

/* Bytes of a literal, without its NUL. */
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static void
expect_bytes(const uint8_t *got, size_t got_len, const uint8_t *want,
	size_t want_len, const char *why)
{
	cr_expect_eq(got_len, want_len, "%s: %zu bytes, not %zu", why, got_len,
		want_len);
	cr_expect(got_len == want_len && memcmp(got, want, want_len) == 0,
		"%s: the bytes differ", why);
}

Test(fcgi, decodes_headers_of_section_3_3)
{
	static const struct {
		const char *why;
		const char *bytes;
		struct fcgi_header want;
	} rows[] = {
		{"begin, id 1, 8 bytes", "\1\1\0\1\0\10\0\0", {1, 1, 8, 0}},
		{"id is big endian", "\1\4\1\2\0\0\0\0", {4, 0x102, 0, 0}},
		{"length is big endian", "\1\5\0\1\1\2\0\0", {5, 1, 0x102, 0}},
		{"the largest of each", "\1\377\377\377\377\377\377\377",
			{255, 65535, 65535, 255}},
		{"reserved byte is ignored", "\1\6\0\1\0\0\7\252",
			{6, 1, 0, 7}},
	};
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const uint8_t *p = (const uint8_t *)rows[i].bytes;
		struct fcgi_header h = {0};

		for (len = 0; len < 8; len++)
			cr_expect_eq(fcgi_parse_header(p, len, &h), 0,
				"%s: %zu bytes are too few", rows[i].why, len);
		cr_expect_eq(h.type, 0, "%s: written too early", rows[i].why);
		cr_assert_eq(fcgi_parse_header(p, 8, &h), 8);
		cr_expect(h.type == rows[i].want.type &&
				h.id == rows[i].want.id &&
				h.content_len == rows[i].want.content_len &&
				h.padding_len == rows[i].want.padding_len,
			"%s", rows[i].why);
	}
}

Test(fcgi, refuses_other_versions_by_their_first_byte)
{
	struct fcgi_header h;
	int v;

	for (v = 0; v < 256; v++) {
		uint8_t p[8] = {(uint8_t)v, 1};

		cr_expect_eq(fcgi_parse_header(p, 1, &h), v == 1 ? 0 : -EPROTO);
		cr_expect_eq(fcgi_parse_header(p, 8, &h), v == 1 ? 8 : -EPROTO);
	}
}

Test(fcgi, encodes_headers_and_bodies)
{
	const struct fcgi_begin begin = {FCGI_RESPONDER, FCGI_KEEP_CONN};
	const struct fcgi_end end = {0x01020304, FCGI_OVERLOADED};
	struct fcgi_begin got_begin;
	struct fcgi_end got_end;
	uint8_t p[8];

	fcgi_put_header(p, FCGI_STDOUT, 0x102, 0x304, 5);
	expect_bytes(p, 8, BYTES("\1\6\1\2\3\4\5\0"), "3.3 header");
	fcgi_put_begin(p, &begin);
	expect_bytes(p, 8, BYTES("\0\1\1\0\0\0\0\0"), "5.1 begin");
	fcgi_put_end(p, &end);
	expect_bytes(p, 8, BYTES("\1\2\3\4\2\0\0\0"), "5.5 end");
	fcgi_put_unknown_type(p, 200);
	expect_bytes(p, 8, BYTES("\310\0\0\0\0\0\0\0"), "4.2 unknown type");
	fcgi_parse_begin((const uint8_t *)"\0\3\1\0\0\0\0\0", &got_begin);
	cr_expect_eq(got_begin.role, FCGI_FILTER);
	cr_expect_eq(got_begin.flags, 1);
	fcgi_parse_end((const uint8_t *)"\0\0\0\211\1\0\0\0", &got_end);
	cr_expect_eq(got_end.app_status, 137);
	cr_expect_eq(got_end.protocol_status, FCGI_CANT_MPX_CONN);
}

Test(fcgi, pads_to_eight)
{
	size_t len;

	for (len = 0; len < 100; len++) {
		cr_expect_lt(fcgi_padding(len), 8);
		cr_expect_eq((len + fcgi_padding(len)) % 8, 0);
	}
}

Test(fcgi, decodes_pairs_of_section_3_4)
{
	static const struct {
		const char *why;
		const char *bytes;
		size_t len;
		const char *name, *value;
	} rows[] = {
		{"1 byte lengths", "\1\2ABC", 5, "A", "BC"},
		{"both empty", "\0\0", 2, "", ""},
		{"empty value", "\3\0FOO", 5, "FOO", ""},
		{"empty name", "\0\3BAR", 5, "", "BAR"},
		{"4 byte value length", "\1\200\0\0\2ABC", 8, "A", "BC"},
		{"4 byte name length", "\200\0\0\2\1ABC", 8, "AB", "C"},
		{"both of 4 bytes", "\200\0\0\1\200\0\0\1AB", 10, "A", "B"},
	};
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const uint8_t *p = (const uint8_t *)rows[i].bytes;
		struct fcgi_pair pair = {0};

		for (len = 0; len < rows[i].len; len++)
			cr_expect_eq(fcgi_parse_pair(p, len, 100, &pair), 0,
				"%s: cut at %zu", rows[i].why, len);
		cr_expect_null(pair.name, "%s", rows[i].why);
		cr_assert_eq(fcgi_parse_pair(p, rows[i].len, 100, &pair),
			(int)rows[i].len, "%s", rows[i].why);
		expect_bytes(pair.name, pair.name_len,
			(const uint8_t *)rows[i].name, strlen(rows[i].name),
			rows[i].why);
		expect_bytes(pair.value, pair.value_len,
			(const uint8_t *)rows[i].value, strlen(rows[i].value),
			rows[i].why);
	}
}

Test(fcgi, refuses_long_pairs_by_their_lengths_alone)
{
	static const struct {
		const char *why;
		const char *bytes;
		size_t len, max;
		int want;
	} rows[] = {
		{"name of 2^31-1", "\377\377\377\377", 4, 1000, -EMSGSIZE},
		{"value of 2^31-1", "\1\377\377\377\377", 5, 1000, -EMSGSIZE},
		{"both, whose sum would wrap 32 bits",
			"\377\377\377\377\377\377\377\377", 8, 1000,
			-EMSGSIZE},
		{"value of 2^31-1 and the largest max",
			"\377\377\377\377\377\377\377\377", 8, SIZE_MAX, 0},
		{"name of max bytes", "\5\0ABCDE", 7, 5, 7},
		{"name longer than max", "\6\0ABCDEF", 8, 5, -EMSGSIZE},
		{"sum of max bytes", "\2\3ABCDE", 7, 5, 7},
		{"sum longer than max", "\2\4ABCDEF", 8, 5, -EMSGSIZE},
	};
	struct fcgi_pair pair;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(fcgi_parse_pair((const uint8_t *)rows[i].bytes,
				     rows[i].len, rows[i].max, &pair),
			rows[i].want, "%s", rows[i].why);
}

Test(fcgi, encodes_pairs)
{
	char text[130];
	uint8_t p[300];

	memset(text, 'v', sizeof(text));
	expect_bytes(p, (size_t)(fcgi_put_pair(p, "A", 1, "BC", 2) - p),
		BYTES("\1\2ABC"), "short");
	expect_bytes(p, (size_t)(fcgi_put_pair(p, "A", 1, NULL, 0) - p),
		BYTES("\1\0A"), "empty value");
	cr_expect_eq(fcgi_put_pair(p, "A", 1, text, 127) - p, 1 + 1 + 1 + 127);
	cr_expect_eq(p[1], 127, "127 fits one byte");
	cr_expect_eq(fcgi_put_pair(p, "A", 1, text, 128) - p, 1 + 4 + 1 + 128);
	expect_bytes(p, 7, BYTES("\1\200\0\0\200Av"), "128 needs four");
	cr_expect_eq(fcgi_pair_size(1, 127), 130);
	cr_expect_eq(fcgi_pair_size(128, 128), 4 + 4 + 256);
	cr_expect_eq(fcgi_pair_size(0x80000000, 0), 0, "above 2^31-1");
}

Test(fcgi, answers_get_values)
{
	const struct fcgi_values v = {32, 64, false};
	uint8_t p[FCGI_VALUES_MAX];
	size_t n;

	n = fcgi_answer_values(p, BYTES("\16\0FCGI_MAX_CONNS"), &v);
	expect_bytes(p, n, BYTES("\1\12\0\0\0\22\6\0\16\2FCGI_MAX_CONNS32"
				 "\0\0\0\0\0\0"), "one");
	n = fcgi_answer_values(p, BYTES("\15\0FCGI_MAX_REQS\1\0X"
					"\17\0FCGI_MPXS_CONNS"), &v);
	expect_bytes(p, n, BYTES("\1\12\0\0\0\43\5\0\15\2FCGI_MAX_REQS64"
				 "\17\1FCGI_MPXS_CONNS0\0\0\0\0\0"),
		"two known and one unknown");
	n = fcgi_answer_values(p, BYTES("\1\0X"), &v);
	expect_bytes(p, n, BYTES("\1\12\0\0\0\0\0\0"), "none known");
	n = fcgi_answer_values(p, BYTES("\16\0FCGI_MAX_CONNS"
					"\16\0FCGI_MAX_CONNS\377"), &v);
	expect_bytes(p, n, BYTES("\1\12\0\0\0\22\6\0\16\2FCGI_MAX_CONNS32"
				 "\0\0\0\0\0\0"), "twice, then invalid");
}

Test(fcgi, largest_answer_to_get_values_fits)
{
	const struct fcgi_values v = {4294967295U, 4294967295U, true};
	uint8_t p[FCGI_VALUES_MAX];

	cr_expect_leq(fcgi_answer_values(p,
			      BYTES("\16\0FCGI_MAX_CONNS\15\0FCGI_MAX_REQS"
				    "\17\0FCGI_MPXS_CONNS"), &v),
		sizeof(p));
}

/* Two records, padded and not, and an empty one. */
static const char stream[] =
	"\1\1\0\1\0\10\0\0" "\0\1\1\0\0\0\0\0"
	"\1\5\0\1\0\3\5\0" "abc" "XXXXX"
	"\1\5\0\1\0\0\0\0"
	"\1\4\0\1\0\0\3\0" "YYY";
static const char want_events[] =
	"[1:1\\0\\1\\1\\0\\0\\0\\0\\0][5:1abc][5:1][4:1]";

/* Appends the events of len bytes at p to out, in the form of want_events. */
static void
put_events(struct fcgi_reader *r, const uint8_t *p, size_t len, char *out,
	size_t size)
{
	struct fcgi_chunk chunk;
	size_t at = strlen(out), i;
	int ev;

	while ((ev = fcgi_reader_next(r, &p, &len, &chunk)) > 0) {
		if (ev == FCGI_EVENT_HEADER)
			at += (size_t)snprintf(out + at, size - at, "[%u:%u",
				r->header.type, r->header.id);
		if (ev == FCGI_EVENT_END)
			at += (size_t)snprintf(out + at, size - at, "]");
		if (ev == FCGI_EVENT_CONTENT)
			cr_expect_gt(chunk.len, 0, "an empty chunk");
		for (i = 0; ev == FCGI_EVENT_CONTENT && i < chunk.len; i++)
			at += (size_t)snprintf(out + at, size - at,
				chunk.p[i] < ' ' ? "\\%u" : "%c", chunk.p[i]);
	}
	cr_expect_eq(ev, FCGI_EVENT_MORE);
	cr_expect_eq(len, 0, "%zu bytes not used", len);
}

Test(fcgi, reader_returns_the_same_events_for_any_pieces)
{
	const uint8_t *p = (const uint8_t *)stream;
	const size_t len = sizeof(stream) - 1;
	struct fcgi_reader r;
	char out[256] = "";
	size_t cut;

	fcgi_reader_init(&r);
	put_events(&r, p, len, out, sizeof(out));
	cr_expect_str_eq(out, want_events, "whole");
	cr_expect(fcgi_reader_at_rest(&r));
	out[0] = '\0';
	for (cut = 0; cut < len; cut++)
		put_events(&r, p + cut, 1, out, sizeof(out));
	cr_expect_str_eq(out, want_events, "byte by byte");
	for (cut = 1; cut < len; cut++) {
		out[0] = '\0';
		put_events(&r, p, cut, out, sizeof(out));
		cr_expect_eq(fcgi_reader_at_rest(&r),
			cut == 16 || cut == 32 || cut == 40, "cut at %zu", cut);
		put_events(&r, p + cut, len - cut, out, sizeof(out));
		cr_expect_str_eq(out, want_events, "cut at %zu", cut);
	}
}

/* The records of stream end at 16, 32, 40 and 51. */
Test(fcgi, reader_counts_the_bytes_up_to_the_next_header)
{
	static const struct {
		size_t fed, want;
		const char *why;
	} rows[] = {
		{0, 8, "the first header"},
		{3, 5, "the rest of a header"},
		{7, 1, "its last byte"},
		{8, 8 + 8, "content and a header"},
		{15, 1 + 8, "the last byte of content"},
		{16, 8, "between two records"},
		{24, 3 + 5 + 8, "content, padding and a header"},
		{26, 1 + 5 + 8, "inside content"},
		{27, 5 + 8, "padding"},
		{31, 1 + 8, "the last byte of padding"},
		{40, 8, "after an empty record"},
		{48, 3 + 8, "padding alone"},
	};
	struct fcgi_reader r;
	char out[256];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fcgi_reader_init(&r);
		out[0] = '\0';
		put_events(&r, (const uint8_t *)stream, rows[i].fed, out,
			sizeof(out));
		cr_expect_eq(fcgi_reader_to_header(&r), rows[i].want, "%s: %zu",
			rows[i].why, fcgi_reader_to_header(&r));
	}
}

Test(fcgi, reader_counts_the_bytes_of_the_longest_record)
{
	static const uint8_t head[8] = {1, 5, 0, 1, 255, 255, 255, 0};
	struct fcgi_reader r;
	char out[32] = "";

	fcgi_reader_init(&r);
	put_events(&r, head, 8, out, sizeof(out));
	cr_expect_eq(fcgi_reader_to_header(&r), 65535 + 255 + 8);
	fcgi_reader_skip(&r, 65535);
	cr_expect_eq(fcgi_reader_to_header(&r), 255 + 8);
	cr_expect(!fcgi_reader_at_rest(&r));
}

/* Skipped content is missing from the events, nothing else. */
Test(fcgi, reader_continues_after_skipped_content)
{
	static const char *const want[] = {"[5:1abc][5:1][4:1]",
		"[5:1bc][5:1][4:1]", "[5:1c][5:1][4:1]", "[5:1][5:1][4:1]"};
	const uint8_t *p = (const uint8_t *)stream + 16;
	struct fcgi_reader r;
	char out[256];
	size_t n;

	for (n = 0; n <= 3; n++) {
		fcgi_reader_init(&r);
		out[0] = '\0';
		put_events(&r, p, 8, out, sizeof(out));
		fcgi_reader_skip(&r, n);
		put_events(&r, p + 8 + n, sizeof(stream) - 1 - 16 - 8 - n, out,
			sizeof(out));
		cr_expect_str_eq(out, want[n], "%zu: %s", n, out);
		cr_expect(fcgi_reader_at_rest(&r));
	}
	/* Skips twice, with a byte read in between. */
	fcgi_reader_init(&r);
	out[0] = '\0';
	put_events(&r, p, 8, out, sizeof(out));
	fcgi_reader_skip(&r, 1);
	put_events(&r, p + 9, 1, out, sizeof(out));
	fcgi_reader_skip(&r, 1);
	put_events(&r, p + 11, 5, out, sizeof(out));
	cr_expect_str_eq(out, "[5:1b]");
	cr_expect(fcgi_reader_at_rest(&r));
}

Test(fcgi, skipping_beyond_a_record_aborts, .signal = SIGABRT)
{
	struct fcgi_reader r;
	char out[32] = "";

	fcgi_reader_init(&r);
	put_events(&r, (const uint8_t *)stream + 16, 8, out, sizeof(out));
	fcgi_reader_skip(&r, 4);
}

Test(fcgi, reader_fails_at_another_version)
{
	const uint8_t *p = (const uint8_t *)"\1\5\0\1\0\0\0\0\2";
	size_t len = 9;
	struct fcgi_chunk chunk;
	struct fcgi_reader r;

	fcgi_reader_init(&r);
	cr_expect_eq(fcgi_reader_next(&r, &p, &len, &chunk),
		FCGI_EVENT_HEADER);
	cr_expect_eq(fcgi_reader_next(&r, &p, &len, &chunk), FCGI_EVENT_END);
	cr_expect_eq(fcgi_reader_next(&r, &p, &len, &chunk), -EPROTO);
}
