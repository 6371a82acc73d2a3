/*
 * test_fastcgi_records.c - FastCGI 1.0, sections 3 to 5.3: records, pairs,
 * management, streams; see t/conformance.md
 *
 * The client's padding looks like FCGI_ABORT_REQUEST records: to take any of
 * it for a record ends the request.
 */
#include "world.h"

enum { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7,
	DATA = 8, GET_VALUES = 9, GET_VALUES_RESULT = 10, UNKNOWN_TYPE = 11,
	KEEP_CONN = 1 };

/* Answers with its parameter WORD and its body. */
static const char echo[] = "#!/bin/sh\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\n%s:' \"$WORD\"\n"
	"exec cat\n";

static const uint8_t responder[8] = {0, 1};

static struct world *
start(const char *script)
{
	return world_start_script(script, "pm.max_children = 7\n");
}

/* What follows the header in the answer. */
static const char *
document(const struct answer *a)
{
	const char *end = strstr(a->out, "\r\n\r\n");

	cr_assert(a->ended && end, "no answer: %s", a->out);
	return end + 4;
}

static void
expect_served(int fd, const char *word)
{
	char param[64], want[64];
	struct answer a;

	snprintf(param, sizeof(param), "WORD=%s", word);
	snprintf(want, sizeof(want), "%s:", word);
	a = client_get(fd, KEEP_CONN, (const char *[]){param, NULL});
	cr_expect_str_eq(document(&a), want);
}

Test(fastcgi, padding_of_every_length_is_skipped, .timeout = 60)
{
	static const char pairs[] = "\4\6WORDpadded" "\16\3CONTENT_LENGTH256";
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock");
	char want[7 + 256 + 1] = "padded:";
	struct answer a;
	unsigned i;

	client_record(fd, BEGIN, 1, responder, 8, 77);
	for (i = 0; i < sizeof(pairs) - 1; i++)
		client_record(fd, PARAMS, 1, pairs + i, 1, 255 - i);
	client_record(fd, PARAMS, 1, NULL, 0, 3);
	for (i = 0; i < 256; i++) {
		want[7 + i] = (char)('a' + i % 26);
		client_record(fd, STDIN, 1, want + 7 + i, 1, i);
	}
	client_record(fd, STDIN, 1, NULL, 0, 255);
	a = client_read(fd);
	cr_expect_str_eq(document(&a), want);
}

Test(fastcgi, the_largest_record_may_be_padded, .timeout = 60)
{
	static char body[3 * 65535];
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock"), i;
	struct answer a;

	client_begin(fd, 1, 0, (const char *[]){"WORD=large",
				       "CONTENT_LENGTH=196605", NULL});
	memset(body, 'B', sizeof(body));
	for (i = 0; i < 3; i++) {
		memcpy(body + i * 65535, "[part", 5);
		client_record(fd, STDIN, 1, body + i * 65535, 65535, 255);
	}
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect_eq(strlen(document(&a)), 6 + sizeof(body));
	cr_expect_eq(memcmp(document(&a) + 6, body, sizeof(body)), 0);
}

/* The same bytes, in records of one size. */
static struct answer
in_records_of(const struct world *w, size_t size, const char *params,
	size_t params_len, const char *body, size_t body_len)
{
	int fd = client_connect(w, "www.sock");
	struct answer a;
	size_t at;

	client_record(fd, BEGIN, 1, responder, 8, 0);
	for (at = 0; at < params_len; at += size)
		client_record(fd, PARAMS, 1, params + at,
			params_len - at < size ? params_len - at : size, 0);
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	for (at = 0; at < body_len; at += size)
		client_record(fd, STDIN, 1, body + at,
			body_len - at < size ? body_len - at : size, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	close(fd);
	return a;
}

Test(fastcgi, records_of_any_size_give_the_same_answer, .timeout = 60)
{
	static const size_t sizes[] = {1, 7, 8191, 65535};
	enum { WORD = 66000, BODY = 70000, PAIRS = 9 + WORD + 22 };
	struct world *w = start(echo);
	char *params = malloc(PAIRS), *want = malloc(WORD + 1 + BODY);
	size_t i;

	cr_assert(params && want);
	for (i = 0; i < WORD + 1 + BODY; i++)
		want[i] = (char)('!' + i * 31 % 90);
	want[WORD] = ':';
	/* 66000 is 0x101d0. */
	memcpy(params, "\4\200\1\1\320WORD", 9);
	memcpy(params + 9, want, WORD);
	memcpy(params + 9 + WORD, "\16\5CONTENT_LENGTH70000", 21);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct answer a = in_records_of(w, sizes[i], params,
			9 + WORD + 21, want + WORD + 1, BODY);

		cr_expect_eq(strlen(document(&a)), WORD + 1 + BODY,
			"records of %zu", sizes[i]);
		cr_expect_eq(memcmp(document(&a), want, WORD + 1 + BODY), 0,
			"records of %zu", sizes[i]);
	}
	free(params);
	free(want);
}

/* One whole request: begin, two parameters in two records that cut a pair,
 * padding of every kind, five bytes of body. */
static const char whole[] =
	"\1\1\0\1\0\10\0\0" "\0\1\0\0\0\0\0\0"
	"\1\4\0\1\0\7\3\0" "\4\3WORDa" "\0\0\0"
	"\1\4\0\1\0\24\0\0" "bc" "\16\1CONTENT_LENGTH5" "\1"
	"\1\4\0\1\0\2\1\0" "\0X" "\0"
	"\1\4\0\1\0\0\0\0"
	"\1\5\0\1\0\2\7\0" "he" "\0\0\0\0\0\0\0"
	"\1\5\0\1\0\3\0\0" "llo"
	"\1\5\0\1\0\0\5\0" "\0\0\0\0\0";

Test(fastcgi, any_split_of_the_bytes_is_the_same_request, .timeout = 60)
{
	struct world *w = start(echo);
	size_t len = sizeof(whole) - 1, cut, i;
	struct answer a;
	int fd;

	for (cut = 0; cut < len; cut++) {
		fd = client_connect(w, "www.sock");
		client_send(fd, whole, cut);
		client_send(fd, whole + cut, len - cut);
		a = client_read(fd);
		cr_assert(a.ended && strstr(a.out, "abc:hello"),
			"cut at %zu: %s", cut, a.out);
		close(fd);
	}
	fd = client_connect(w, "www.sock");
	for (i = 0; i < len; i++)
		client_send(fd, whole + i, 1);
	answer_expect(client_read(fd), "abc:hello");
}

Test(fastcgi, a_value_may_be_as_long_as_the_parameters, .timeout = 60)
{
	enum { WORD = 100000 };
	struct world *w = start(echo);
	static char params[12 + WORD], want[WORD + 2];
	struct answer a;

	/* 100000 is 0x186a0; both lengths in four bytes. */
	memcpy(params, "\200\0\0\4\200\1\206\240WORD", 12);
	memset(params + 12, 'w', WORD);
	memcpy(want, params + 12, WORD);
	want[WORD] = ':';
	a = in_records_of(w, 50000, params, sizeof(params), "", 0);
	cr_expect_str_eq(document(&a), want);
}

Test(fastcgi, pairs_come_in_all_four_encodings, .timeout = 60)
{
	static const struct {
		const char *why, *bytes;
		size_t len;
	} rows[] = {
		{"1 and 1", "\4\2WORDab", 8},
		{"1 and 4", "\4\200\0\0\2WORDab", 11},
		{"4 and 1", "\200\0\0\4\2WORDab", 11},
		{"4 and 4", "\200\0\0\4\200\0\0\2WORDab", 14},
	};
	/* 128 and 127: the shortest that needs four bytes, and the longest
	 * that does not. */
	static const char longer[] = "#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
		"env | sed -n 's/^\\(NNN*\\)=\\(VV*\\)$/\\1 \\2/p' |\n"
		"while read -r n v; do echo \"${#n} ${#v}\"; done | sort\n";
	static const size_t lengths[] = {127, 128};
	struct world *w = start(echo);
	struct answer a;
	size_t i, j, n;
	int fd;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fd = client_connect(w, "www.sock");
		client_record(fd, BEGIN, 1, responder, 8, 0);
		client_record(fd, PARAMS, 1, rows[i].bytes, rows[i].len, 0);
		client_record(fd, PARAMS, 1, NULL, 0, 0);
		client_record(fd, STDIN, 1, NULL, 0, 0);
		a = client_read(fd);
		cr_expect_str_eq(document(&a), "ab:", "%s", rows[i].why);
		close(fd);
	}
	world_script(w, "script", longer);
	for (i = 0; i < 2; i++) {
		for (j = 0; j < 2; j++) {
			char pair[300], want[32];

			n = 0;
			if (lengths[i] > 127)
				memcpy(pair, "\200\0\0", n = 3);
			pair[n++] = (char)lengths[i];
			if (lengths[j] > 127) {
				memcpy(pair + n, "\200\0\0", 3);
				n += 3;
			}
			pair[n++] = (char)lengths[j];
			memset(pair + n, 'N', lengths[i]);
			n += lengths[i];
			memset(pair + n, 'V', lengths[j]);
			n += lengths[j];
			fd = client_connect(w, "www.sock");
			client_record(fd, BEGIN, 1, responder, 8, 0);
			client_record(fd, PARAMS, 1, pair, n, 0);
			client_record(fd, PARAMS, 1, NULL, 0, 0);
			client_record(fd, STDIN, 1, NULL, 0, 0);
			a = client_read(fd);
			snprintf(want, sizeof(want), "%zu %zu\n", lengths[i],
				lengths[j]);
			cr_expect_str_eq(document(&a), want);
			close(fd);
		}
	}
}

Test(fastcgi, reserved_bytes_mean_nothing, .timeout = 60)
{
	/* Header byte 7, body bytes 3 to 7, and all flags but the lowest. */
	static const char bytes[] =
		"\1\1\0\1\0\10\0\377" "\0\1\376\377\377\377\377\377"
		"\1\4\0\1\0\10\0\252" "\4\2WORDab"
		"\1\4\0\1\0\0\0\1"
		"\1\5\0\1\0\0\0\200";
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock");
	struct answer a;

	client_send(fd, bytes, sizeof(bytes) - 1);
	a = client_read(fd);
	cr_expect_str_eq(document(&a), "ab:");
	cr_expect_eq(client_drain(fd), 0, "it is closed: no FCGI_KEEP_CONN");
}

Test(fastcgi, a_request_may_have_any_id, .timeout = 60)
{
	static const int ids[] = {1, 2, 255, 256, 32768, 65535, 1};
	static struct record r;
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock");
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		client_begin(fd, ids[i], KEEP_CONN,
			(const char *[]){"WORD=any", NULL});
		client_record(fd, STDIN, ids[i], NULL, 0, 0);
		do {
			client_read_record(fd, &r);
			cr_expect_eq(r.id, ids[i], "%d for %d", r.id, ids[i]);
		} while (r.type != END);
	}
}

Test(fastcgi, an_unknown_application_record_is_ignored, .timeout = 60)
{
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock"), type;
	struct answer a;

	client_begin(fd, 1, 0, (const char *[]){"WORD=mine",
				       "CONTENT_LENGTH=4", NULL});
	for (type = 12; type < 256; type++)
		client_record(fd, type, 1, "what", 4, (unsigned)type);
	client_record(fd, STDIN, 1, "body", 4, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect_str_eq(document(&a), "mine:body");
}

/* The answer to one query, and nothing before it: 18, 16 and 17 bytes, in
 * whatever order. */
static void
ask_values(int fd, const char *when)
{
	static const char query[] = "\17\0FCGI_MPXS_CONNS" "\3\1WHOx"
		"\16\0FCGI_MAX_CONNS" "\15\0FCGI_MAX_REQS";
	static struct record r;

	client_record(fd, GET_VALUES, 0, query, sizeof(query) - 1, 5);
	client_read_record(fd, &r);
	cr_assert_eq(r.type, GET_VALUES_RESULT, "%s: %d", when, r.type);
	cr_expect_eq(r.id, 0, "%s", when);
	cr_expect_eq(r.len, 51, "%s: %zu bytes", when, r.len);
	cr_expect(memmem(r.content, r.len, "\17\1FCGI_MPXS_CONNS0", 18), "%s",
		when);
	cr_expect(memmem(r.content, r.len, "\16\1FCGI_MAX_CONNS7", 17), "%s",
		when);
	cr_expect(memmem(r.content, r.len, "\15\1FCGI_MAX_REQS7", 16), "%s",
		when);
}

Test(fastcgi, get_values_before_during_and_after_a_request, .timeout = 60)
{
	static const char waits[] = "#!/bin/sh\n"
		"read -r word\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\n%s:' \"$word\"\n";
	struct world *w = start(waits);
	int fd = client_connect(w, "www.sock"), round;
	struct answer a;

	ask_values(fd, "before");
	for (round = 0; round < 3; round++) {
		client_record(fd, BEGIN, 1,
			(const uint8_t[8]){0, 1, KEEP_CONN}, 8, 0);
		ask_values(fd, "before the parameters");
		client_record(fd, PARAMS, 1, "\16\1CONTENT_LE", 12, 0);
		ask_values(fd, "inside a parameter");
		client_record(fd, PARAMS, 1, "NGTH5", 5, 0);
		client_record(fd, PARAMS, 1, NULL, 0, 0);
		ask_values(fd, "before the body");
		client_record(fd, STDIN, 1, "wo", 2, 0);
		ask_values(fd, "inside the body");
		client_record(fd, STDIN, 1, "rd\n", 3, 0);
		client_record(fd, STDIN, 1, NULL, 0, 0);
		a = client_read(fd);
		cr_expect_str_eq(document(&a), "word:");
		ask_values(fd, "after");
	}
}

Test(fastcgi, every_unknown_management_type_is_told, .timeout = 60)
{
	static struct record r;
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock"), type;

	for (type = 12; type < 256; type++) {
		uint8_t want[8] = {(uint8_t)type};

		client_record(fd, type, 0, "????????", (size_t)type % 9,
			(unsigned)type);
		client_read_record(fd, &r);
		cr_expect_eq(r.type, UNKNOWN_TYPE, "%d to %d", r.type, type);
		cr_expect_eq(r.id, 0);
		cr_expect_eq(r.len, 8);
		cr_expect_eq(memcmp(r.content, want, 8), 0, "%d", type);
	}
	expect_served(fd, "after");
}

/* A second input stream, for a role we do not play: as if it were not there,
 * wherever it comes and however large it is. */
Test(fastcgi, data_is_skipped, .timeout = 60)
{
	static uint8_t data[65535];
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock");
	struct answer a;

	memset(data, 5, sizeof(data));
	client_record(fd, BEGIN, 1, responder, 8, 0);
	client_record(fd, DATA, 1, data, sizeof(data), 255);
	client_record(fd, PARAMS, 1, "\4\4WORDmine", 10, 0);
	client_record(fd, DATA, 1, data, 9, 0);
	client_record(fd, PARAMS, 1, "\16\1CONTENT_LENGTH4", 17, 0);
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, DATA, 1, data, 1, 7);
	client_record(fd, STDIN, 1, "bo", 2, 0);
	client_record(fd, DATA, 1, data, sizeof(data), 0);
	client_record(fd, DATA, 1, NULL, 0, 0);
	client_record(fd, STDIN, 1, "dy", 2, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect_str_eq(document(&a), "mine:body");
}

/* Reads an answer, telling which types came as letters; a small letter is an
 * empty record. */
static void
tell(int fd, char *story, size_t max)
{
	static struct record r;
	size_t n = 0;
	char c;

	do {
		client_read_record(fd, &r);
		cr_assert_eq(r.id, 1);
		cr_assert(r.type == STDOUT || r.type == STDERR ||
			r.type == END, "type %d", r.type);
		c = (char)(r.len ? "OE." : "oe.")[r.type == END ? 2 :
			r.type - STDOUT];
		/* A stream may be cut anywhere. */
		if ((n == 0 || story[n - 1] != c) && n < max - 1)
			story[n++] = c;
	} while (r.type != END);
	story[n] = '\0';
}

Test(fastcgi, streams_end_with_an_empty_record, .timeout = 60)
{
	struct world *w = start("#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
		"case $QUERY_STRING in\n"
		"out) echo something ;;\n"
		"err) echo something; echo told >&2 ;;\n"
		"esac\n");
	static const char *const queries[] = {"QUERY_STRING=out",
		"QUERY_STRING=none", "QUERY_STRING=err"};
	char story[64];
	size_t i;

	for (i = 0; i < 3; i++) {
		int fd = client_connect(w, "www.sock");

		client_ask(fd, 0, (const char *[]){queries[i], NULL});
		tell(fd, story, sizeof(story));
		if (i < 2) {
			cr_expect_str_eq(story, "Oo.");
		} else {
			/* In which order the streams come is nobody's. */
			cr_expect(strchr(story, 'E') && strchr(story, 'O'));
			cr_expect_eq(strspn(story, "OE"),
				strlen(story) - 3, "%s", story);
			cr_expect_eq(strspn(story + strlen(story) - 3, "oe"),
				2, "%s", story);
		}
		close(fd);
	}
}

Test(fastcgi, standard_error_is_a_stream_of_its_own, .timeout = 60)
{
	struct world *w = start("#!/bin/sh\n"
		"echo before >&2\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\none\\n'\n"
		"printf 'between' >&2\n"
		"echo two\n");
	int fd = client_connect(w, "www.sock");
	struct answer a;

	a = client_get(fd, 0, (const char *[]){"X=y", NULL});
	cr_expect_str_eq(document(&a), "one\ntwo\n");
	cr_expect_str_eq(a.err, "before\nbetween");
}

/* FCGI_PARAMS first: nothing is answered, and no program runs, before. */
Test(fastcgi, no_program_runs_before_its_parameters_end, .timeout = 60)
{
	struct world *w = start("#!/bin/sh\n"
		"echo >>@DIR@/ran\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\nran\\n'\n");
	int fd = client_connect(w, "www.sock");
	struct answer a;

	client_record(fd, BEGIN, 1, responder, 8, 0);
	client_record(fd, PARAMS, 1, "\1\1AB", 4, 0);
	/* Body that comes too early starts nothing either. */
	client_record(fd, STDIN, 1, NULL, 0, 0);
	ask_values(fd, "all of it was read");
	cr_expect_neq(access(world_path(w, "ran"), F_OK), 0, "it ran");
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect_str_eq(document(&a), "ran\n");
}

Test(fastcgi, a_body_that_falls_short_ends_early, .timeout = 60)
{
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock");
	struct answer a;

	client_begin(fd, 1, 0, (const char *[]){"WORD=short",
				       "CONTENT_LENGTH=1000", NULL});
	client_record(fd, STDIN, 1, "1234", 4, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect_str_eq(document(&a), "short:1234");
}

Test(fastcgi, records_of_other_requests_are_dropped, .timeout = 60)
{
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock");
	static const char blob[60000];
	int i;

	client_record(fd, ABORT, 9, NULL, 0, 0);
	client_record(fd, STDIN, 1, "early", 5, 0);
	client_record(fd, PARAMS, 1, "\4\5WORDearly", 11, 0);
	client_begin(fd, 1, 0, (const char *[]){"WORD=mine",
				       "CONTENT_LENGTH=4", NULL});
	/* More than any buffer holds: not kept, only skipped. */
	for (i = 0; i < 100; i++)
		client_record(fd, STDIN, 7, blob, sizeof(blob), 0);
	client_record(fd, PARAMS, 7, "\4\4WORDevil", 10, 0);
	client_record(fd, ABORT, 7, NULL, 0, 0);
	client_record(fd, 8, 1, "FCGI_DATA", 9, 0);
	client_record(fd, 6, 1, "FCGI_STDOUT", 11, 0);
	client_record(fd, STDIN, 1, "body", 4, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	answer_expect(client_read(fd), "\r\n\r\nmine:body");
}
