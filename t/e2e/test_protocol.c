/*
 * test_protocol.c - records as no web server sends them: byte by byte, cut
 * off, mixed, broken.  No byte of a client may end the gateway or keep the
 * next request from being served.
 *
 * Bytes are typed from the FastCGI Specification 1.0; sections in comments.
 */
#include "world.h"

enum { BEGIN = 1, ABORT = 2, PARAMS = 4, STDIN = 5, KEEP_CONN = 1 };

/* Answers with its parameter WORD and its body. */
static const char script[] = "#!/bin/sh\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
	"echo \"$FCGI_ROLE[$WORD][$(cat)]\"\n";

static struct world *
start(const char *keys)
{
	return world_start_script(script, keys);
}

static void
expect_served(struct world *w, const char *after)
{
	struct answer a = client_call(w, "www.sock",
		(const char *[]){"WORD=next", NULL}, "b", 1);

	cr_expect(a.ended && strstr(a.out, "[next][b]\n"), "after %s: %s",
		after, a.out);
}

#define EXPECT_BYTES(fd, text) client_expect_bytes(fd, text, sizeof(text) - 1)
#define SEND(fd, text) client_send(fd, text, sizeof(text) - 1)

Test(protocol, get_values_is_answered, .timeout = 60)
{
	struct world *w = start("pm.max_children = 7\n");
	uint8_t got[51];
	int fd = client_connect(w, "www.sock");

	/* Section 4.1; asked in another order, with a name nobody knows. */
	SEND(fd, "\1\11\0\0\0\66\2\0"
		"\17\0FCGI_MPXS_CONNS"
		"\3\1WHOx"
		"\15\0FCGI_MAX_REQS"
		"\16\0FCGI_MAX_CONNS"
		"\0\0");
	/* 18, 16 and 17 bytes, in whatever order. */
	EXPECT_BYTES(fd, "\1\12\0\0\0\63\5\0");
	client_read_bytes(fd, got, 51);
	cr_expect(memmem(got, 51, "\17\1FCGI_MPXS_CONNS0", 18));
	cr_expect(memmem(got, 51, "\15\1FCGI_MAX_REQS7", 16));
	cr_expect(memmem(got, 51, "\16\1FCGI_MAX_CONNS7", 17));
	close(fd);
	expect_served(w, "GET_VALUES");
}

Test(protocol, an_unknown_management_record_is_told_so, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	/* Section 4.2 */
	SEND(fd, "\1\52\0\0\0\3\5\0abc\0\0\0\0\0");
	EXPECT_BYTES(fd, "\1\13\0\0\0\10\0\0" "\52\0\0\0\0\0\0\0");
	/* The connection is as good as before. */
	client_ask(fd, 0, (const char *[]){"WORD=after", NULL});
	{
		answer_expect(client_read(fd), "[after][]");
	}
}

Test(protocol, an_unknown_role_is_told_so, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	/* Section 5.5: FCGI_UNKNOWN_ROLE is 3; a filter is role 3 too. */
	client_begin_role(fd, 0x0102, 3, 0, (const char *[]){NULL});
	EXPECT_BYTES(fd, "\1\3\1\2\0\10\0\0" "\0\0\0\0\3\0\0\0");
	close(fd);
	fd = client_connect(w, "www.sock");
	client_begin_role(fd, 1, 0xffff, KEEP_CONN, (const char *[]){NULL});
	EXPECT_BYTES(fd, "\1\3\0\1\0\10\0\0" "\0\0\0\0\3\0\0\0");
	client_ask(fd, 0, (const char *[]){"WORD=kept", NULL});
	{
		answer_expect(client_read(fd), "[kept][]");
	}
}

Test(protocol, an_authorizer_gets_its_role_and_no_body, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	client_begin_role(fd, 1, 2, 0,
		(const char *[]){"WORD=a", "CONTENT_LENGTH=5", NULL});
	answer_expect(client_read(fd), "AUTHORIZER[a][]");
}

Test(protocol, a_second_request_on_a_connection_is_refused, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	client_begin(fd, 1, 0, (const char *[]){"WORD=first",
				       "CONTENT_LENGTH=3", NULL});
	client_begin(fd, 2, 0, (const char *[]){"WORD=second", NULL});
	/* FCGI_CANT_MPX_CONN is 1. */
	EXPECT_BYTES(fd, "\1\3\0\2\0\10\0\0" "\0\0\0\0\1\0\0\0");
	client_record(fd, STDIN, 2, "xxx", 3, 0);
	client_record(fd, STDIN, 2, NULL, 0, 0);
	client_record(fd, STDIN, 1, "abc", 3, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	answer_expect(client_read(fd), "[first][abc]");
}

Test(protocol, records_of_other_requests_are_dropped, .timeout = 60)
{
	struct world *w = start("");
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
	answer_expect(client_read(fd), "[mine][body]");
}

Test(protocol, a_kept_connection_serves_many_requests, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock"), i;

	for (i = 1; i <= 60; i++) {
		char word[32], want[40];

		snprintf(word, sizeof(word), "WORD=nr%d", i);
		snprintf(want, sizeof(want), "[nr%d][%c]", i, 'a' + i % 26);
		client_begin(fd, 1, i < 60 ? KEEP_CONN : 0,
			(const char *[]){word, "CONTENT_LENGTH=1", NULL});
		client_record(fd, STDIN, 1, &"abcdefghijklmnopqrstuvwxyz"
			[i % 26], 1, (unsigned)i);
		client_record(fd, STDIN, 1, NULL, 0, 0);
		answer_expect(client_read(fd), want);
	}
	cr_expect_eq(client_drain(fd), 0, "without the flag it is closed");
}

/* A refused one keeps its connection as well, body unread or not. */
Test(protocol, a_refused_request_keeps_its_connection, .timeout = 60)
{
	struct world *w = start("cgi.max_body = 3\n");
	int fd = client_connect(w, "www.sock"), i;

	for (i = 0; i < 5; i++) {
		client_begin(fd, 1, KEEP_CONN,
			(const char *[]){"CONTENT_LENGTH=5", NULL});
		client_record(fd, STDIN, 1, "12345", 5, 3);
		client_record(fd, STDIN, 1, NULL, 0, 0);
		answer_expect(client_read(fd), "Status: 413");
		client_begin(fd, 1, KEEP_CONN,
			(const char *[]){"WORD=good", NULL});
		client_record(fd, STDIN, 1, NULL, 0, 0);
		answer_expect(client_read(fd), "[good][]");
	}
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

Test(protocol, any_split_of_the_bytes_is_the_same_request, .timeout = 60)
{
	struct world *w = start("");
	size_t len = sizeof(whole) - 1, cut, i;
	struct answer a;
	int fd;

	for (cut = 0; cut < len; cut++) {
		fd = client_connect(w, "www.sock");
		client_send(fd, whole, cut);
		client_send(fd, whole + cut, len - cut);
		a = client_read(fd);
		cr_assert(a.ended && strstr(a.out, "[abc][hello]"),
			"cut at %zu: %s", cut, a.out);
		close(fd);
	}
	fd = client_connect(w, "www.sock");
	for (i = 0; i < len; i++)
		client_send(fd, whole + i, 1);
	answer_expect(client_read(fd), "[abc][hello]");
}

Test(protocol, a_request_cut_off_anywhere_costs_nothing, .timeout = 60)
{
	struct world *w = start("");
	size_t len = sizeof(whole) - 1, cut, before;
	pid_t gateway;
	int fd;

	expect_served(w, "start");
	cr_assert_eq(world_children(w->pid, &gateway, 1), 1);
	before = world_fd_count(gateway);
	for (cut = 0; cut < len; cut++) {
		fd = client_connect(w, "www.sock");
		client_send(fd, whole, cut);
		close(fd);
		fd = client_connect(w, "www.sock");
		client_send(fd, whole, cut);
		cr_assert_eq(shutdown(fd, SHUT_WR), 0);
		(void)client_drain(fd);
		close(fd);
	}
	expect_served(w, "cut requests");
	while (world_fd_count(gateway) > before)
		expect_served(w, "cut requests");
}

Test(protocol, largest_padding_and_smallest_records, .timeout = 60)
{
	struct world *w = start("");
	static const char pairs[] = "\4\4WORDword" "\16\1CONTENT_LENGTH9";
	static const uint8_t begin[8] = {0, 1};
	int fd = client_connect(w, "www.sock");
	size_t i;

	client_record(fd, BEGIN, 1, begin, 8, 255);
	for (i = 0; i < sizeof(pairs) - 1; i++)
		client_record(fd, PARAMS, 1, pairs + i, 1, 255);
	client_record(fd, PARAMS, 1, NULL, 0, 255);
	for (i = 0; i < 9; i++)
		client_record(fd, STDIN, 1, &"123456789"[i], 1, 255);
	client_record(fd, STDIN, 1, NULL, 0, 255);
	answer_expect(client_read(fd), "[word][123456789]");
}

Test(protocol, a_long_value_needs_four_bytes_of_length, .timeout = 60)
{
	struct world *w = start("");
	char *word = calloc(1, 100010);
	static uint8_t rec[50000];
	static const uint8_t begin[8] = {0, 1};
	int fd = client_connect(w, "www.sock");
	struct answer a;

	cr_assert_not_null(word);
	/* 100000 is 0x186a0; both lengths in four bytes (section 3.4). */
	memcpy(word, "\200\0\0\4\200\1\206\240WORD", 12);
	memset(word + 12, 'w', 99998);
	client_record(fd, BEGIN, 1, begin, 8, 0);
	client_record(fd, PARAMS, 1, word, 50000, 0);
	client_record(fd, PARAMS, 1, word + 50000, 50000, 0);
	memset(rec, 'w', 12);
	client_record(fd, PARAMS, 1, rec, 12, 0);
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	answer_expect(a, "wwww][]");
	cr_expect_eq(strspn(strchr(a.out, '['), "[w"), 100001);
	free(word);
}

/* What ends a connection: sent to a fresh one, which must be closed without
 * an answer, told, and hurt nobody. */
Test(protocol, what_is_no_fastcgi_is_closed_and_told, .timeout = 60)
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
	struct world *w = start("");
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = client_connect(w, "www.sock");

		client_send(fd, rows[i].bytes, rows[i].len);
		cr_expect_eq(client_drain(fd), 0, "%s", rows[i].why);
		close(fd);
		world_expect_log(w, rows[i].log);
		expect_served(w, rows[i].why);
	}
}

/* Parameters, typed as content of one record; answered with a status. */
Test(protocol, broken_parameters_get_a_status, .timeout = 60)
{
	static const struct {
		const char *why, *bytes;
		size_t len;
		const char *status;
	} rows[] = {
		{"NUL in a value", "\4\3WORDa\0b", 9, "400"},
		{"NUL in a name", "\4\1W\0RDx", 7, "400"},
		{"a pair cut inside its value", "\4\11WORDabc", 9, "400"},
		{"a pair cut inside its lengths", "\4", 1, "400"},
		{"a pair cut inside a long length", "\4\200\0", 3, "400"},
		{"a name of 2^31 - 1", "\377\377\377\377\1ab", 7, "400"},
		{"a value of 2^31 - 1", "\4\377\377\377\377WORD", 9, "400"},
		{"both of 2^31 - 1", "\377\377\377\377\377\377\377\377x", 9,
			"400"},
		{"a name of 2^24", "\201\0\0\0\1ab", 7, "400"},
	};
	static const uint8_t begin[8] = {0, 1};
	struct world *w = start("");
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = client_connect(w, "www.sock");
		char want[32];
		struct answer a;

		client_record(fd, BEGIN, 1, begin, 8, 0);
		client_record(fd, PARAMS, 1, rows[i].bytes, rows[i].len, 0);
		client_record(fd, PARAMS, 1, NULL, 0, 0);
		client_record(fd, STDIN, 1, NULL, 0, 0);
		a = client_read(fd);
		snprintf(want, sizeof(want), "Status: %s ", rows[i].status);
		cr_expect(a.ended && strstr(a.out, want), "%s: %s",
			rows[i].why, a.out);
		close(fd);
		snprintf(want, sizeof(want), ": %s: ", rows[i].status);
		world_expect_log(w, want);
		expect_served(w, rows[i].why);
	}
}

Test(protocol, too_many_parameters_are_431, .timeout = 60)
{
	static const uint8_t begin[8] = {0, 1};
	static char blob[65000];
	struct world *w = start("");
	int fd = client_connect(w, "www.sock"), i;

	client_record(fd, BEGIN, 1, begin, 8, 0);
	for (i = 0; i < 1001; i++) {
		char pair[16];
		int n = snprintf(pair, sizeof(pair), "\5\1N%04dv", i);

		client_record(fd, PARAMS, 1, pair, (size_t)n, 0);
	}
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	answer_expect(client_read(fd), "Status: 431");
	close(fd);
	world_expect_log(w, "431: more than 1000 parameters");
	/* And too many bytes, whatever they mean. */
	fd = client_connect(w, "www.sock");
	memset(blob, 1, sizeof(blob));
	client_record(fd, BEGIN, 1, begin, 8, 0);
	for (i = 0; i < 5; i++)
		client_record(fd, PARAMS, 1, blob, sizeof(blob), 0);
	answer_expect(client_read(fd), "Status: 431");
	close(fd);
	world_expect_log(w, "431: more than 256 KiB of parameters");
	expect_served(w, "431");
}

/* Bytes of no meaning at all, some behind a good beginning. */
Test(protocol, random_bytes_end_nothing, .timeout = 120)
{
	unsigned short seed[3] = {5, 7, 11};
	struct world *w = start("cgi.client_timeout = 1s\n");
	pid_t gateway, now;
	int round;

	cr_assert_eq(world_children(w->pid, &gateway, 1), 1);
	for (round = 0; round < 1500; round++) {
		uint8_t bytes[sizeof(whole) + 64];
		size_t len = (size_t)nrand48(seed) % sizeof(bytes), i;
		size_t good = (size_t)nrand48(seed) % sizeof(whole);
		int fd = client_connect(w, "www.sock");

		for (i = 0; i < len; i++)
			bytes[i] = i < good ? (uint8_t)whole[i] :
					      (uint8_t)nrand48(seed);
		/* Or one byte of a whole request is another. */
		if (round % 2) {
			len = sizeof(whole) - 1;
			memcpy(bytes, whole, len);
			bytes[(size_t)nrand48(seed) % len] =
				(uint8_t)nrand48(seed);
		}
		/* It may be closed while we write. */
		(void)!send(fd, bytes, len, MSG_NOSIGNAL);
		if (round % 3)
			shutdown(fd, SHUT_WR);
		if (round % 10 == 1)
			(void)client_drain(fd);
		close(fd);
	}
	expect_served(w, "random bytes");
	cr_assert_eq(world_children(w->pid, &now, 1), 1);
	cr_expect_eq(now, gateway, "the same process");
}
