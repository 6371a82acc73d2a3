/*
 * test_records.c - the shim's parser of FastCGI records
 *
 * Bytes are typed by hand from FastCGI 1.0, section 3.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/util.h"
#include "shim/records.h"

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define BEGIN_KEEP "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
#define BEGIN_FILTER "\1\1\0\1\0\10\0\0\0\3\0\0\0\0\0\0"
#define BEGIN_ODD "\1\1\0\1\0\10\0\0\0\1\376\377\377\377\377\377"
/* REQUEST_METHOD=PUT, REQUEST_URI=/u with a long length, and padding. */
#define PAIRS                                                                  \
	"\1\4\0\1\0\45\3\0\16\3REQUEST_METHODPUT"                              \
	"\13\200\0\0\2REQUEST_URI/u\0\0\0"
#define PARAMS PAIRS "\1\4\0\1\0\0\0\0"
#define BODY "\1\5\0\1\0\4\2\0bodyxx"
#define STDIN_END "\1\5\0\1\0\0\0\0"
#define ABORT "\1\2\0\1\0\0\0\0"

#define TEXT(s) (const uint8_t *)(s), sizeof(s) - 1

/* Passes p in pieces of at most step bytes; returns the events in order. */
static void
take(struct intake *in, const uint8_t *p, size_t n, size_t step, char *events)
{
	enum records_event event;
	size_t at = 0, part, got;

	while (at < n) {
		part = n - at < step ? n - at : step;
		got = intake_take(in, p + at, part, &event);
		cr_assert(got > 0 && got <= part);
		cr_assert(event != RECORDS_NOTHING || got == part);
		at += got;
		if (event != RECORDS_NOTHING)
			*events++ = "?BKEL"[event];
	}
	*events = '\0';
}

Test(records, parses_a_request_in_any_pieces)
{
	static const uint8_t p[] = BEGIN_ODD PARAMS BODY STDIN_END;
	const size_t n = sizeof(p) - 1;
	size_t step;

	for (step = 1; step <= n; step++) {
		struct intake in = {0};
		char events[64];

		take(&in, p, n, step, events);
		cr_expect_str_eq(events, "BK", "in steps of %zu", step);
		cr_expect_eq(in.params.method_len, 3);
		cr_expect_eq(memcmp(in.params.method, "PUT", 3), 0);
		cr_expect_eq(in.params.uri_len, 2);
		cr_expect_eq(memcmp(in.params.uri, "/u", 2), 0);
		cr_expect(intake_is_over(&in), "in steps of %zu", step);
	}
	for (step = 0; step < n; step++) {
		struct intake in = {0};
		char events[64];

		take(&in, p, step, n, events);
		cr_expect_not(intake_is_over(&in), "after %zu bytes", step);
	}
}

Test(records, a_request_is_over_only_if_it_is_plain)
{
	static const struct {
		const char *why;
		const uint8_t *p;
		size_t n;
		bool over;
	} rows[] = {
		{"plain", TEXT(BEGIN PARAMS STDIN_END), true},
		{"flags and reserved bytes that mean nothing",
			TEXT(BEGIN_ODD PARAMS STDIN_END), true},
		{"no parameters", TEXT(BEGIN "\1\4\0\1\0\0\0\0" STDIN_END),
			true},
		{"padding at the end", TEXT(BEGIN PARAMS
			"\1\5\0\1\0\0\2\0xx"), true},
		{"incomplete padding", TEXT(BEGIN PARAMS
			"\1\5\0\1\0\0\2\0x"), false},
		{"keep-alive", TEXT(BEGIN_KEEP PARAMS STDIN_END), false},
		{"a filter has FCGI_DATA to come",
			TEXT(BEGIN_FILTER PARAMS STDIN_END), false},
		{"aborted", TEXT(BEGIN PARAMS ABORT STDIN_END), false},
		{"aborted after its end", TEXT(BEGIN PARAMS STDIN_END ABORT),
			false},
		{"a part of another header", TEXT(BEGIN PARAMS STDIN_END "\1"),
			false},
		{"two requests", TEXT(BEGIN PARAMS STDIN_END BEGIN PARAMS
			STDIN_END), false},
		{"end of another id", TEXT(BEGIN PARAMS "\1\5\0\2\0\0\0\0"),
			false},
		{"ended twice", TEXT(BEGIN PARAMS STDIN_END STDIN_END),
			false},
		{"parameters of another id", TEXT(BEGIN
			"\1\4\0\2\0\0\0\0" STDIN_END), false},
		{"FCGI_GET_VALUES first", TEXT("\1\11\0\0\0\0\0\0" BEGIN PARAMS
			STDIN_END), false},
		{"a body only", TEXT(STDIN_END), false},
		{"nothing", TEXT(""), false},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct intake in = {0};
		char events[64];

		take(&in, rows[i].p, rows[i].n, 7, events);
		cr_expect_eq(intake_is_over(&in), rows[i].over, "%s",
			rows[i].why);
	}
}

Test(records, an_answer_is_over_after_its_last_byte)
{
	static const uint8_t p[] = "\1\6\0\1\0\2\6\0okxxxxxx"
		"\1\6\0\1\0\0\0\0" "\1\3\0\1\0\10\1\0\0\0\0\0\0\0\0\0x";
	const size_t n = sizeof(p) - 1;
	struct records out = {0};
	enum records_event event;
	size_t i, ends = 0;

	for (i = 0; i < n; i++) {
		cr_expect_not(outflow_is_over(&out), "after %zu bytes", i);
		cr_expect_eq(outflow_take(&out, p + i, 1, &event), 1);
		ends += event == RECORDS_END;
	}
	cr_expect_eq(ends, 1);
	cr_expect(outflow_is_over(&out));
	outflow_take(&out, p, 1, &event);
	cr_expect_not(outflow_is_over(&out), "more bytes follow");
}

/* A name that arrives in pieces is collected; a long one must not overflow. */
Test(records, long_names_are_not_collected)
{
	static const char name[] = "HTTP_X_0123456789_0123456789";
	const size_t n = sizeof(name) - 1;
	uint8_t pair[64], p[128];
	size_t len, at, step;

	for (len = 1; len <= n; len++)
		for (step = 1; step <= 40; step++) {
			struct intake in = {0};
			char events[64];

			pair[0] = (uint8_t)len;
			pair[1] = 1;
			for (at = 0; at < len; at++)
				pair[2 + at] = (uint8_t)name[at];
			pair[2 + len] = 'v';
			memcpy(p, BEGIN PAIRS, sizeof(BEGIN PAIRS) - 1);
			at = sizeof(BEGIN PAIRS) - 1;
			memcpy(p + at, "\1\4\0\1\0\0\0\0", 8);
			p[at + 5] = (uint8_t)(3 + len);
			memcpy(p + at + 8, pair, 3 + len);
			take(&in, p, at + 11 + len, step, events);
			cr_expect_str_eq(events, "B");
			cr_expect_eq(in.params.method_len, 3);
			cr_expect_eq(memcmp(in.params.method, "PUT", 3), 0,
				"%zu in steps of %zu", len, step);
			cr_expect_eq(memcmp(in.params.uri, "/u", 2), 0);
		}
}

/* A request whose pairs have long lengths: each value is n times one byte. */
static size_t
long_request(uint8_t *p, size_t n)
{
	static const struct {
		const char *name;
		char byte;
	} pairs[] = {{"REQUEST_URI", 'u'}, {"REQUEST_METHOD", 'm'},
		{"SCRIPT_NAME", 's'}, {"OTHER", 'o'}};
	uint8_t *start = p;
	size_t i, len, content;

	memcpy(p, BEGIN, sizeof(BEGIN) - 1);
	p += sizeof(BEGIN) - 1;
	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		len = strlen(pairs[i].name);
		content = 5 + len + n;
		memcpy(p, "\1\4\0\1", 4);
		p[4] = (uint8_t)(content >> 8);
		p[5] = (uint8_t)content;
		p[6] = p[7] = 0;
		p[8] = (uint8_t)len;
		p[9] = (uint8_t)(0x80 | n >> 24);
		p[10] = (uint8_t)(n >> 16);
		p[11] = (uint8_t)(n >> 8);
		p[12] = (uint8_t)n;
		memcpy(p + 13, pairs[i].name, len);
		memset(p + 13 + len, pairs[i].byte, n);
		p += 8 + content;
	}
	memcpy(p, "\1\4\0\1\0\0\0\0", 8);
	return (size_t)(p + 8 - start);
}

static bool
is_all(const void *p, uint8_t byte, size_t n)
{
	const uint8_t *at = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (at[i] != byte)
			return false;
	return true;
}

/* The rest of a long value must not overwrite what follows its field: in a
 * worker, the next connection. */
Test(records, long_values_are_cut_to_their_fields)
{
	static const size_t lengths[] = {FCGIPM_METHOD_BYTES - 1,
		FCGIPM_METHOD_BYTES, FCGIPM_METHOD_BYTES + 1,
		FCGIPM_URI_BYTES - 1, FCGIPM_URI_BYTES, FCGIPM_URI_BYTES + 1,
		3000, 60000};
	static const size_t steps[] = {1, 7, 200, 256, 300, 1000000};
	static uint8_t bytes[260000];
	static struct {
		struct intake in;
		uint8_t after[70000];
	} box;
	size_t i, j, n;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (j = 0; j < ARRAY_SIZE(steps); j++) {
			const struct params *p = &box.in.params;
			char events[64];

			memset(&box, 0, sizeof(box));
			memset(box.after, 0xa5, sizeof(box.after));
			n = long_request(bytes, lengths[i]);
			take(&box.in, bytes, n, steps[j], events);
			cr_expect_str_eq(events, "BK");
			cr_expect_eq(p->method_len,
				MIN(lengths[i], FCGIPM_METHOD_BYTES));
			cr_expect_eq(p->uri_len,
				MIN(lengths[i], FCGIPM_URI_BYTES));
			cr_expect(is_all(p->method, 'm', p->method_len));
			cr_expect(is_all(p->uri, 'u', p->uri_len));
			cr_expect(is_all(box.after, 0xa5, sizeof(box.after)),
				"%zu in steps of %zu", lengths[i], steps[j]);
		}
}

Test(records, other_protocols_are_reported_once)
{
	struct intake in = {0};
	char events[64];

	take(&in, TEXT("GET / HTTP/1.0\r\n\r\n"), 5, events);
	cr_expect_str_eq(events, "L");
	cr_expect_not(intake_is_over(&in));
}
