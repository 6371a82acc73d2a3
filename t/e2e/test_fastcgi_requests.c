/*
 * test_fastcgi_requests.c - tests FastCGI 1.0, sections 3.3, 5.2 to 5.5 and
 * 6.2: the streams of a request, its end and its abort; see t/conformance.md
 */
#include "hostile.h"
#include "responder.h"

/* Sends BEGIN and parameters; returns the PID of the program once it runs. */
static pid_t
begin(struct world *w, int fd, const char *how)
{
	unlink(world_path(w, "pid"));
	client_begin(fd, 1, KEEP_CONN,
		(const char *[]){own_text("QUERY_STRING=%s", how),
			"CONTENT_LENGTH=8", NULL});
	return world_read_pid(world_path(w, "pid"));
}

/* Reads an answer and writes the types of its records as letters to story; a
 * small letter is an empty record. */
static void
read_types(int fd, char *story, size_t max)
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
	static const char *const queries[] = {"QUERY_STRING=",
		"QUERY_STRING=none", "QUERY_STRING=err"};
	struct world *w = responder_start("");
	char story[64], *end;

	for (size_t i = 0; i < 3; i++) {
		int fd = client_connect(w, "www.sock");

		client_ask(fd, 0, (const char *[]){queries[i], NULL});
		read_types(fd, story, sizeof(story));
		close(fd);
		if (i < 2) {
			cr_expect_str_eq(story, "Oo.");
			continue;
		}
		/* The order of the two streams is not defined. */
		end = strchr(story, 0) - 3;
		cr_expect(strchr(story, 'E') && strchr(story, 'O'));
		cr_expect_eq(story + strspn(story, "OE"), end, "%s", story);
		cr_expect_eq(strspn(end, "oe"), 2, "%s", story);
	}
}

Test(fastcgi, standard_error_is_a_stream_of_its_own, .timeout = 60)
{
	struct answer a = client_script(responder_start(""), "www.sock", NULL,
		"err");

	answer_expect(a, "\r\n\r\none\ntwo\n");
	cr_expect_str_eq(a.err, "before\nbetween");
}

/* Before the end of FCGI_PARAMS, nothing is answered and no program runs. */
Test(fastcgi, no_program_runs_before_its_parameters_end, .timeout = 60)
{
	struct world *w = responder_start("");
	int fd = client_connect(w, "www.sock");

	client_record(fd, BEGIN, 1, (const uint8_t[8]){0, RESPONDER}, 8, 0);
	client_record(fd, PARAMS, 1, "\4\3WORDran", 9, 0);
	/* A body that arrives too early does not start it either. */
	client_record(fd, STDIN, 1, NULL, 0, 0);
	client_record(fd, GET_VALUES, 0, NULL, 0, 0);
	client_expect_bytes(fd, "\1\12\0\0\0\0\0\0", 8);
	cr_expect_neq(access(world_path(w, "pid"), F_OK), 0, "it ran");
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	answer_expect(client_read(fd), "\r\n\r\nran");
}

Test(fastcgi, a_body_shorter_than_content_length_ends_early, .timeout = 60)
{
	int fd = client_connect(responder_start(""), "www.sock");

	client_begin(fd, 1, 0, (const char *[]){"CONTENT_LENGTH=1000", NULL});
	client_body(fd, "1234");
	answer_expect(client_read(fd), "[1234]\n");
}

/* The second input stream, of a role that is not supported, is ignored at any
 * position and with any size. */
Test(fastcgi, fcgi_data_is_skipped, .timeout = 60)
{
	static uint8_t data[65535];
	int fd = client_connect(responder_start(""), "www.sock");

	memset(data, 5, sizeof(data));
	client_record(fd, BEGIN, 1, (const uint8_t[8]){0, RESPONDER}, 8, 0);
	client_record(fd, DATA, 1, data, sizeof(data), 255);
	client_record(fd, PARAMS, 1, "\4\4WORDmine", 10, 0);
	client_record(fd, DATA, 1, data, 9, 0);
	client_record(fd, PARAMS, 1, "\16\1CONTENT_LENGTH4", 17, 0);
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, DATA, 1, data, 1, 7);
	client_record(fd, STDIN, 1, "bo", 2, 0);
	client_record(fd, DATA, 1, data, sizeof(data), 0);
	client_record(fd, DATA, 1, NULL, 0, 0);
	client_body(fd, "dy");
	answer_expect(client_read(fd), "\r\n\r\nmine[body]\n");
}

Test(fastcgi, records_of_other_requests_are_dropped, .timeout = 60)
{
	int fd = client_connect(responder_start(""), "www.sock");
	static const char blob[60000];

	client_record(fd, ABORT, 9, NULL, 0, 0);
	client_record(fd, STDIN, 1, "early", 5, 0);
	client_record(fd, PARAMS, 1, "\4\5WORDearly", 11, 0);
	client_begin(fd, 1, 0, (const char *[]){"WORD=mine",
				       "CONTENT_LENGTH=4", NULL});
	/* More than any buffer holds: it is skipped, not kept. */
	for (int i = 0; i < 100; i++)
		client_record(fd, STDIN, 7, blob, sizeof(blob), 0);
	client_record(fd, PARAMS, 7, "\4\4WORDevil", 10, 0);
	client_record(fd, ABORT, 7, NULL, 0, 0);
	client_record(fd, DATA, 1, "FCGI_DATA", 9, 0);
	client_record(fd, STDOUT, 1, "FCGI_STDOUT", 11, 0);
	client_body(fd, "body");
	answer_expect(client_read(fd), "\r\n\r\nmine[body]\n");
}

/* The records to combine. */
static const struct {
	const char *bytes;
	size_t len;
} kinds[6] = {
	{"\1\1\0\1\0\10\0\0" "\0\1\0\0\0\0\0\0", 16},	/* BEGIN */
	{"\1\4\0\1\0\21\0\0" "\16\1CONTENT_LENGTH3", 25}, /* parameters */
	{"\1\4\0\1\0\0\0\0", 8},			/* their end */
	{"\1\5\0\1\0\3\0\0" "abc", 11},			/* body */
	{"\1\5\0\1\0\0\0\0", 8},			/* its end */
	{"\1\2\0\1\0\0\0\0", 8},			/* ABORT */
};

/* Sends len records; the digits of number to base six say which. */
static void
try_order(struct target *t, size_t number, size_t len)
{
	int fd = client_connect(t->w, "www.sock");
	long before = hostile_starts(t);
	uint8_t bytes[200];
	size_t have = 0, i;
	char name[64] = "order ";

	for (i = 0; i < len; i++, number /= 6) {
		size_t kind = number % 6;

		memcpy(bytes + have, kinds[kind].bytes, kinds[kind].len);
		have += kinds[kind].len;
		name[6 + i] = "BPpSsA"[kind];
	}
	(void)!send(fd, bytes, have, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	(void)hostile_closed(fd, 2000, name);
	close(fd);
	/* Otherwise its program might count for the next order. */
	(void)hostile_programs_gone(t, name);
	cr_expect_leq(hostile_starts(t) - before, 1,
		"%s starts %ld programs", name, hostile_starts(t) - before);
}

Test(fastcgi, records_may_come_in_any_order, .timeout = 600)
{
	struct target t = hostile_start("");
	size_t longest = hostile_size(4, 5), len, count = 6, tried = 0, i;
	int64_t begin, slowest = 0;

	for (len = 1; len <= longest; len++, count *= 6) {
		for (i = 0; i < count; i++, tried++) {
			begin = world_now_ms();
			try_order(&t, i, len);
			begin = world_now_ms() - begin;
			slowest = begin > slowest ? begin : slowest;
		}
	}
	cr_assert_eq(tried, hostile_size(1554, 9330));
	cr_expect_gt(hostile_starts(&t), 2, "some of them are requests");
	hostile_figure("%zu orders of records, the slowest took %lld ms",
		tried, (long long)slowest);
	hostile_end(&t, "all orders");
}

/*
 * Aborts the request on fd and expects its end within a second, without an
 * error page; pid is its program, 0 = none was started.
 */
static void
abort_it(int fd, pid_t pid, const char *why)
{
	int64_t begun = world_now_ms();
	struct answer a;

	client_record(fd, ABORT, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect(a.ended, "%s", why);
	cr_expect_lt(world_now_ms() - begun, 1000, "%s", why);
	cr_expect_eq(a.protocol_status, 0, "%s: FCGI_REQUEST_COMPLETE", why);
	cr_expect_eq(a.app_status, pid ? 128 + SIGKILL : 0, "%s: %u", why,
		a.app_status);
	cr_expect_not(strstr(a.out, "Status:"), "%s: %s", why, a.out);
	if (pid)
		world_until_gone(pid);
}

/* The phases: before the end of FCGI_PARAMS (no program), then with this part
 * of the eight bytes of body sent, or after this output of the program. */
Test(fastcgi, an_abort_ends_a_request_in_each_phase, .timeout = 60)
{
	static const struct {
		const char *why, *how, *body, *output;
	} rows[] = {
		{"before the parameters end", NULL, NULL, NULL},
		{"before the body", "read", "", NULL},
		{"in the middle of the body", "read", "half", NULL},
		{"while the program is silent", "silent", "12345678", NULL},
		{"while it ignores TERM", "ignore", "12345678", NULL},
		{"in the middle of the output", "write", "12345678", "\r\n\r\n"},
		{"after its output", "closed", "12345678", "out\n"},
	};
	static struct record r;
	struct world *w = responder_start("");
	int fd = client_connect(w, "www.sock");
	pid_t pid = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *body = rows[i].body;
		size_t len = body ? strlen(body) : 0;

		if (rows[i].how) {
			pid = begin(w, fd, rows[i].how);
			if (len > 0)
				client_record(fd, STDIN, 1, body, len, 0);
		} else {
			client_record(fd, BEGIN, 1,
				(const uint8_t[8]){0, RESPONDER, KEEP_CONN}, 8, 0);
			client_record(fd, PARAMS, 1, "\14\6QUERY", 7, 0);
		}
		if (len == 8)
			client_record(fd, STDIN, 1, NULL, 0, 0);
		/* Header and body may be in two records. */
		if (rows[i].output)
			do
				client_read_record(fd, &r);
			while (!strstr((char *)r.content, rows[i].output));
		cr_expect(!pid || world_alive(pid), "%s", rows[i].why);
		abort_it(fd, pid, rows[i].why);
		/* The rest of the body is dropped. */
		if (body && len < 8) {
			client_body(fd, "rest");
		}
		if (!pid)
			cr_expect(access(world_path(w, "pid"), F_OK), "it ran");
		responder_expect_served(fd);
	}
}

Test(fastcgi, abort_after_the_end_is_ignored, .timeout = 60)
{
	struct world *w = responder_start("");
	int fd = client_connect(w, "www.sock");

	responder_expect_served(fd);
	client_record(fd, ABORT, 1, NULL, 0, 0);
	responder_expect_served(fd);
}

Test(fastcgi, an_aborted_program_may_finish, .timeout = 60)
{
	struct world *w = responder_start("cgi.on_abort = finish\n");
	int fd = client_connect(w, "www.sock");
	pid_t pid = begin(w, fd, "read");
	struct answer a;

	client_record(fd, STDIN, 1, "half", 4, 0);
	client_record(fd, ABORT, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect(a.ended, "the abort was not answered");
	cr_expect_eq(a.protocol_status, 0);
	cr_expect(world_alive(pid));
	responder_expect_served(fd);
	cr_assert_eq(kill(-pid, SIGKILL), 0);
	world_until_gone(pid);
}

/* A signal is 128 plus its number.  The output is sent whatever the status. */
Test(fastcgi, app_status_is_the_exit_status_or_the_signal, .timeout = 60)
{
	static const unsigned statuses[] = {0, 1, 2, 42, 126, 127, 128, 255};
	static const unsigned signals[] = {SIGHUP, SIGINT, SIGABRT, SIGKILL,
		SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1};
	struct world *w = responder_start("rlimit_core = 0\n");

	for (size_t i = 0; i < ARRAY_SIZE(statuses) + ARRAY_SIZE(signals); i++) {
		bool exits = i < ARRAY_SIZE(statuses);
		unsigned n = exits ? statuses[i] :
				     signals[i - ARRAY_SIZE(statuses)];
		struct answer a = client_script(w, "www.sock", NULL,
			own_text("%s%u", exits ? "exit" : "kill", n));

		answer_expect(a, "\r\n\r\nout\n");
		cr_expect_eq(a.app_status, (exits ? 0 : 128) + n, "%u for %u",
			a.app_status, n);
		cr_expect_eq(a.protocol_status, 0);
	}
}
