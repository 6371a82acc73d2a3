/*
 * test_fastcgi_records.c - FastCGI 1.0, sections 3 and 4: valid and invalid
 * records, name-value pairs and management records; see t/conformance.md
 *
 * Bytes are typed from the specification.  The client's padding looks like
 * FCGI_ABORT_REQUEST records: if the gateway parsed it, the request would end.
 */
#include "hostile.h"

/* Prints its parameter WORD and its body. */
static const char echo[] = "#!/bin/sh\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\n%s:' \"$WORD\"\n"
	"exec cat\n";

static const uint8_t responder[8] = {0, 1};

static struct world *
start(const char *script)
{
	return world_start_script(script, "pm.max_children = 7\n");
}

/* The body of the response. */
static const char *
document(const struct answer *a)
{
	const char *end = strstr(a->out, "\r\n\r\n");

	cr_assert(a->ended && end, "no response: %s", a->out);
	return end + 4;
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

/* Sends these parameters and this body in records of one size. */
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

/* One parameter is nearly as long as all parameters may be together. */
Test(fastcgi, records_of_any_size_give_the_same_answer, .timeout = 60)
{
	static const size_t sizes[] = {1, 7, 8191, 65535};
	enum { WORD = 100000, BODY = 70000, PAIRS = 12 + WORD + 21 };
	static char params[PAIRS + 1], want[WORD + 1 + BODY];
	struct world *w = start(echo);

	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (char)('!' + i * 31 % 90);
	want[WORD] = ':';
	/* 100000 is 0x186a0; both lengths in four bytes. */
	memcpy(params, "\200\0\0\4\200\1\206\240WORD", 12);
	memcpy(params + 12, want, WORD);
	memcpy(params + 12 + WORD, "\16\5CONTENT_LENGTH70000", 21);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct answer a = in_records_of(w, sizes[i], params, PAIRS,
			want + WORD + 1, BODY);

		cr_expect_eq(strlen(document(&a)), sizeof(want),
			"records of %zu", sizes[i]);
		cr_expect_eq(memcmp(document(&a), want, sizeof(want)), 0,
			"records of %zu", sizes[i]);
	}
}

/* A complete request: begin, parameters in records that cut a pair, padding of
 * several lengths, five bytes of body. */
static const char whole[] =
	"\1\1\0\1\0\10\0\0" "\0\1\0\0\0\0\0\0"
	"\1\4\0\1\0\7\3\0" "\4\3WORDa" "\0\0\0"
	"\1\4\0\1\0\24\0\0" "bc" "\16\1CONTENT_LENGTH5" "\1"
	"\1\4\0\1\0\2\1\0" "\0X" "\0"
	"\1\4\0\1\0\0\0\0"
	"\1\5\0\1\0\2\7\0" "he" "\0\0\0\0\0\0\0"
	"\1\5\0\1\0\3\0\0" "llo"
	"\1\5\0\1\0\0\5\0" "\0\0\0\0\0";
enum { WHOLE = sizeof(whole) - 1 };

Test(fastcgi, any_split_of_the_bytes_is_the_same_request, .timeout = 60)
{
	struct world *w = start(echo);
	size_t cut, i;
	int fd;

	for (cut = 0; cut < WHOLE; cut++) {
		fd = client_connect(w, "www.sock");
		client_send(fd, whole, cut);
		client_send(fd, whole + cut, WHOLE - cut);
		answer_expect(client_read(fd), "abc:hello");
		close(fd);
	}
	fd = client_connect(w, "www.sock");
	for (i = 0; i < WHOLE; i++)
		client_send(fd, whole + i, 1);
	answer_expect(client_read(fd), "abc:hello");
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
	/* 127 is the longest length in one byte, 128 the shortest in four. */
	static const char longer[] = "#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
		"env | sed -n 's/^\\(NNN*\\)=\\(VV*\\)$/\\1 \\2/p' |\n"
		"while read -r n v; do echo \"${#n} ${#v}\"; done | sort\n";
	static const size_t lengths[] = {127, 128};
	struct world *w = start(echo);
	struct answer a;
	size_t i, j, n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		a = in_records_of(w, 65535, rows[i].bytes, rows[i].len, "", 0);
		cr_expect_str_eq(document(&a), "ab:", "%s", rows[i].why);
	}
	world_script(w, "script", longer);
	for (i = 0; i < 4; i++) {
		const size_t len[2] = {lengths[i / 2], lengths[i % 2]};
		char pair[300];

		for (n = j = 0; j < 2; j++) {
			if (len[j] > 127) {
				memcpy(pair + n, "\200\0\0", 3);
				n += 3;
			}
			pair[n++] = (char)len[j];
		}
		memset(pair + n, 'N', len[0]);
		memset(pair + n + len[0], 'V', len[1]);
		a = in_records_of(w, 65535, pair, n + len[0] + len[1], "", 0);
		cr_expect_str_eq(document(&a),
			own_text("%zu %zu\n", len[0], len[1]));
	}
}

Test(fastcgi, reserved_bytes_mean_nothing, .timeout = 60)
{
	/* Header byte 7, body bytes 3 to 7, and all flags except the lowest. */
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
	cr_expect_eq(client_drain(fd), 0, "not closed without FCGI_KEEP_CONN");
}

Test(fastcgi, a_request_may_have_any_id, .timeout = 60)
{
	static const int ids[] = {1, 2, 255, 256, 32768, 65535, 1};
	static struct record r;
	struct world *w = start(echo);
	int fd = client_connect(w, "www.sock");

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		client_begin(fd, ids[i], KEEP_CONN,
			(const char *[]){"WORD=any", NULL});
		client_record(fd, STDIN, ids[i], NULL, 0, 0);
		do {
			client_read_record(fd, &r);
			cr_expect_eq(r.id, ids[i], "%d for %d", r.id, ids[i]);
		} while (r.type != END);
	}
}

/* Expects the result of one query and nothing before it: pairs of 18, 16 and 17
 * bytes in any order. */
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

Test(fastcgi, get_values_is_answered_at_any_time, .timeout = 60)
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

/* -- truncated and false records, every type, every order ------------------ */

/* A connection, used: after one request has been served on it. */
static int
connect_used(struct target *t, bool used)
{
	int fd = client_connect(t->w, "www.sock");
	uint8_t bytes[300];

	if (!used)
		return fd;
	client_send(fd, bytes,
		hostile_request(bytes, sizeof(bytes), "", KEEP_CONN, ""));
	answer_expect(client_read(fd), "served\n");
	return fd;
}

/* Section 3.3: a header has eight bytes. */
Test(fastcgi, a_truncated_header_harms_nothing, .timeout = 900)
{
	static const char header[8] = {1, 1, 0, 1, 0, 8, 0, 0};
	struct target t = hostile_start("cgi.client_timeout = 300ms\n");
	size_t copies = hostile_size(4, 64), len, i;
	int fds[8 * 64];

	for (len = 0; len < 8; len++) {
		for (i = 0; i < copies; i++) {
			int fd = connect_used(&t, i % 2);

			client_send(fd, header, len);
			close(fd);
		}
	}
	hostile_unharmed(&t, "truncated headers, then a close");
	for (i = 0; i < 8 * copies; i++) {
		fds[i] = connect_used(&t, i / 8 % 2);
		client_send(fds[i], header, i % 8);
	}
	hostile_serves(&t, "truncated headers, then silence");
	for (i = 0; i < 8 * copies; i++) {
		/* A connection that has sent nothing stays open. */
		if (i % 8 > 0)
			cr_expect_eq(hostile_closed(fds[i], 2000, "silence"),
				0);
		close(fds[i]);
	}
	world_expect_log(t.w, "client: stopped sending for ");
	world_expect_log(t.w, " s (cgi.client_timeout); connection closed");
	hostile_end(&t, "truncated headers");
}

/* 64 lengths: small ones, those around powers of two, the largest ones. */
static size_t
make_lengths(size_t lengths[64])
{
	size_t n = 0, i, bit;

	for (i = 0; i < 15; i++)
		lengths[n++] = i;
	for (bit = 16; bit < 65536; bit *= 2)
		for (i = 0; i < 3; i++)
			lengths[n++] = bit - 1 + i;
	for (i = 65523; i < 65536; i++)
		lengths[n++] = i;
	return n;
}

static const struct {
	int type, id;
} liars[] = {{BEGIN, 1}, {PARAMS, 1}, {STDIN, 1}, {GET_VALUES, 0}};

/* Begins a request in which this record is valid, and sends the record's header
 * with the content length len. */
static int
begin_lie(struct target *t, size_t liar, size_t len)
{
	int type = liars[liar].type, fd = client_connect(t->w, "www.sock");
	const uint8_t head[8] = {1, (uint8_t)type, 0, (uint8_t)liars[liar].id,
		(uint8_t)(len >> 8), (uint8_t)len, 0, 0};

	if (type == PARAMS || type == STDIN)
		client_record(fd, BEGIN, 1, responder, 8, 0);
	if (type == STDIN) {
		client_record(fd, PARAMS, 1, "\16\5CONTENT_LENGTH70000", 21, 0);
		client_record(fd, PARAMS, 1, NULL, 0, 0);
	}
	client_send(fd, head, 8);
	return fd;
}

/* Section 3.3: contentLength differs from the bytes that follow. */
Test(fastcgi, a_false_content_length_harms_nothing, .timeout = 900)
{
	static const uint8_t zeros[65535 + 3];
	struct target t = hostile_start("cgi.client_timeout = 300ms\n"
		"pm.max_children = 100\n");
	size_t lengths[64], liar, i;
	int fds[64];

	cr_assert_eq(make_lengths(lengths), 64);
	for (liar = 0; liar < ARRAY_SIZE(liars); liar++) {
		/* One byte less, then a close. */
		for (i = 1; i < 64; i++) {
			int fd = begin_lie(&t, liar, lengths[i]);

			client_send(fd, zeros, lengths[i] - 1);
			close(fd);
		}
		/* One byte less, then silence. */
		for (i = 1; i < 64; i++) {
			fds[i] = begin_lie(&t, liar, lengths[i]);
			client_send(fds[i], zeros, lengths[i] - 1);
		}
		hostile_serves(&t, "too few bytes, then silence");
		for (i = 1; i < 64; i++) {
			(void)hostile_closed(fds[i], 2000, "too few bytes");
			close(fds[i]);
		}
		/* Three bytes more: version 0, which is invalid. */
		for (i = 0; i < 64; i++) {
			int fd = begin_lie(&t, liar, lengths[i]);

			(void)!send(fd, zeros, lengths[i] + 3, MSG_NOSIGNAL);
			(void)hostile_closed(fd, 2000, "too many bytes");
			close(fd);
		}
		hostile_unharmed(&t, "false lengths");
	}
	hostile_end(&t, "false lengths");
}

/* Sections 3.3, 4.1 and 4.2: only management records are answered. */
static void
expect_notice(int fd, int type, int id)
{
	const uint8_t unknown[16] = {1, 11, 0, 0, 0, 8, 0, 0, (uint8_t)type};

	if (id == 0 && type == GET_VALUES)
		client_expect_bytes(fd, "\1\12\0\0\0\0\0\0", 8);
	else if (id == 0)
		client_expect_bytes(fd, unknown, 16);
}

/* Sends a record of this type between two requests and checks the reply and
 * that the next request is served. */
static void
try_type_alone(struct target *t, int type, int id)
{
	int fd = client_connect(t->w, "www.sock");
	uint8_t bytes[300];
	struct answer a;

	client_record(fd, type, id, responder, type < 12 ? 8 : (size_t)type % 9,
		(unsigned)type);
	if (type == BEGIN) {
		/* A request has begun: abort it, so that it is answered. */
		if (id == 0) {
			cr_expect_eq(hostile_closed(fd, 2000, "id 0"), 0);
		} else {
			client_record(fd, ABORT, id, NULL, 0, 0);
			cr_expect(client_read(fd).ended, "BEGIN with id %d", id);
		}
		close(fd);
		return;
	}
	expect_notice(fd, type, id);
	client_send(fd, bytes,
		hostile_request(bytes, sizeof(bytes), "", 0, ""));
	a = client_read(fd);
	cr_expect(a.ended && strstr(a.out, "served\n"), "type %d, id %d: %s",
		type, id, a.out);
	close(fd);
}

/* The same in the middle of a request with ID 1. */
static void
try_type_inside(struct target *t, int type, int id)
{
	int fd = client_connect(t->w, "www.sock");
	uint8_t cant_mpx[16] = {1, 3, (uint8_t)(id >> 8), (uint8_t)id, 0, 8, 0,
		0, 0, 0, 0, 0, 1};
	/* As parameters, the content has a NUL and half of a pair. */
	const char *want = id == 1 && type == PARAMS ? "Status: 400" :
		id == 1 && type == ABORT	     ? "" :
						       "served\n";
	struct answer a;

	client_record(fd, BEGIN, 1, responder, 8, 0);
	client_record(fd, PARAMS, 1, "\1\1AB", 4, 0);
	client_record(fd, type, id, responder, 8, (unsigned)type);
	if (type == BEGIN && id < 2) {
		cr_expect_eq(hostile_closed(fd, 2000, "a second BEGIN"), 0);
		close(fd);
		return;
	}
	expect_notice(fd, type, id);
	if (type == BEGIN)
		client_expect_bytes(fd, cant_mpx, 16);
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect(a.ended && strstr(a.out, want),
		"type %d, id %d inside: %s", type, id, a.out);
	close(fd);
}

Test(fastcgi, every_type_is_handled_with_every_kind_of_id, .timeout = 900)
{
	static const int ids[] = {0, 1, 2, 65535};
	struct target t = hostile_start("");
	int step = (int)hostile_size(3, 1), type;
	size_t i;

	for (i = 0; i < 4; i++) {
		/* With an unknown ID, only some of the unknown types. */
		for (type = 0; type < 256;
			type += i < 2 || type < 15 ? 1 : step) {
			try_type_alone(&t, type, ids[i]);
			try_type_inside(&t, type, ids[i]);
		}
	}
	hostile_end(&t, "all types");
}

/* Each must close the connection without an answer, be logged, and not affect
 * other clients. */
Test(fastcgi, protocol_errors_are_logged_and_close_the_connection,
	.timeout = 60)
{
	static const struct {
		const char *why, *bytes;
		size_t len;
		const char *log;
	} rows[] = {
		{"another version", "\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 16,
			"wrong version byte"},
		{"version 0", "\0\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 16,
			"wrong version byte"},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27,
			"wrong version byte"},
		{"BEGIN with id 0", "\1\1\0\0\0\10\0\0\0\1\0\0\0\0\0\0", 16,
			"FCGI_BEGIN_REQUEST with id 0"},
		{"a short BEGIN", "\1\1\0\1\0\3\0\0\0\1\0", 11,
			"FCGI_BEGIN_REQUEST is shorter than 8 bytes"},
		{"an empty BEGIN", "\1\1\0\1\0\0\0\0", 8,
			"FCGI_BEGIN_REQUEST is shorter than 8 bytes"},
		{"the same BEGIN twice", "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
			"\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 32,
			"is active already"},
	};
	struct target t = hostile_start("");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = client_connect(t.w, "www.sock");

		client_send(fd, rows[i].bytes, rows[i].len);
		cr_expect_eq(client_drain(fd), 0, "%s", rows[i].why);
		close(fd);
		world_expect_log(t.w, rows[i].log);
		hostile_serves(&t, rows[i].why);
	}
	hostile_end(&t, "protocol errors");
}

Test(fastcgi, a_request_may_be_cut_off_anywhere, .timeout = 60)
{
	struct target t = hostile_start("");

	for (size_t i = 0; i < 2 * WHOLE; i++) {
		int fd = client_connect(t.w, "www.sock");

		client_send(fd, whole, i / 2);
		if (i % 2) {
			cr_assert_eq(shutdown(fd, SHUT_WR), 0);
			(void)client_drain(fd);
		}
		close(fd);
	}
	hostile_end(&t, "truncated requests");
}

/* Random bytes, some after a valid beginning. */
Test(fastcgi, random_bytes_do_not_stop_the_gateway, .timeout = 120)
{
	unsigned short seed[3] = {5, 7, 11};
	struct target t = hostile_start("cgi.client_timeout = 1s\n");
	int round;

	for (round = 0; round < 1500; round++) {
		char bytes[WHOLE + 64];
		size_t len = (size_t)nrand48(seed) % sizeof(bytes), i;
		size_t valid = (size_t)nrand48(seed) % WHOLE;
		int fd = client_connect(t.w, "www.sock");

		for (i = 0; i < len; i++)
			bytes[i] = i < valid ? whole[i] : (char)nrand48(seed);
		/* Or one byte of a complete request is changed. */
		if (round % 2) {
			memcpy(bytes, whole, len = WHOLE);
			bytes[(size_t)nrand48(seed) % len] =
				(char)nrand48(seed);
		}
		/* The gateway may close it while we write. */
		(void)!send(fd, bytes, len, MSG_NOSIGNAL);
		if (round % 3)
			shutdown(fd, SHUT_WR);
		/* Otherwise a random byte may have set FCGI_KEEP_CONN. */
		if (round % 3 && round % 10 == 1)
			(void)client_drain(fd);
		close(fd);
	}
	hostile_end(&t, "random bytes");
}
