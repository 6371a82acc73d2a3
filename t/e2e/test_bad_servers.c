/*
 * test_bad_servers.c - fcgipmctl ends in time, with the right exit status,
 * whatever the server sends
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "world.h"

TestSuite(bad_servers, .timeout = 60);

/* What a server does with a connection after it has sent its bytes. */
enum ending {
	CLOSES,
	GOES_SILENT,		/* until the client closes */
	GOES_ON			/* sends the same bytes every 5 ms */
};

struct server {
	int fd;			/* listening socket */
	bool reads;		/* reads the request first */
	const void *bytes;
	size_t len;
	enum ending ending;
};

static void
send_bytes(int fd, const struct server *s)
{
	size_t done = 0;
	ssize_t n = 1;

	for (; done < s->len && n > 0; done += n > 0 ? (size_t)n : 0)
		n = send(fd, (const char *)s->bytes + done, s->len - done,
			MSG_NOSIGNAL);
}

static void *
serve_once(void *arg)
{
	const struct server *s = arg;
	struct pollfd p = {.events = POLLRDHUP};
	char request[4096];

	p.fd = accept(s->fd, NULL, NULL);
	if (p.fd < 0)
		return NULL;
	if (s->reads)
		(void)!read(p.fd, request, sizeof(request));
	send_bytes(p.fd, s);
	while (s->ending != CLOSES && poll(&p, 1,
		s->ending == GOES_ON ? 5 : 20000) == 0 &&
		s->ending == GOES_ON)
		send_bytes(p.fd, s);
	close(p.fd);
	return NULL;
}

static int
listen_at(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(fd, 4), 0);
	return fd;
}

/* Runs fcgipmctl against server s; returns its output. */
static char *
run_against(struct world *w, struct server s, const char *const *argv, int want,
	const char *why)
{
	char *path = world_path(w, "bad.sock"), *out;
	pthread_t thread;
	int code;

	s.fd = listen_at(path);
	cr_assert_eq(pthread_create(&thread, NULL, serve_once, &s), 0);
	code = world_run(w, argv, &out);
	cr_expect_eq(code, want, "%s: exit status %d, not %d: %.300s", why,
		code, want, out);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	close(s.fd);
	cr_assert_eq(unlink(path), 0);
	return out;
}

/* -- records --------------------------------------------------------------- */

/* One record of request id; returns its length. */
static size_t
put_record(uint8_t *to, int type, int id, const void *p, size_t len)
{
	to[0] = 1;
	to[1] = (uint8_t)type;
	to[2] = 0;
	to[3] = (uint8_t)id;
	to[4] = (uint8_t)(len >> 8);
	to[5] = (uint8_t)len;
	to[6] = to[7] = 0;
	memcpy(to + 8, p, len);
	return 8 + len;
}

/* STDOUT with this text, and END_REQUEST with this protocol status. */
static size_t
put_answer(uint8_t *to, const char *text, int protocol_status)
{
	uint8_t end[8] = {0, 0, 0, 0, (uint8_t)protocol_status};
	size_t n = put_record(to, 6, 1, text, strlen(text));

	return n + put_record(to + n, 3, 1, end, sizeof(end));
}

/* -- call ------------------------------------------------------------------ */

static void
expect_call(struct world *w, struct server s, int code, const char *want,
	const char *why)
{
	char *path = world_path(w, "bad.sock"), *out;
	const char *argv[] = {"fcgipmctl", "call", path, "-T", "0.3", "/x", NULL};

	out = run_against(w, s, argv, code, why);
	cr_expect(strstr(out, want), "%s: no \"%s\": %.300s", why, want, out);
}

Test(bad_servers, call_exit_status_of_complete_answers)
{
	static const struct {
		const char *text;
		int protocol_status, code;
		const char *want, *why;
	} rows[] = {
		{"Content-Type: a/b\r\n\r\nbody", 0, 0, "body", "200"},
		{"Status: 302 Found\r\nLocation: /\r\n\r\n", 0, 0, "", "302"},
		{"Status: 404 No\r\n\r\ngone", 0, 4, "gone", "404"},
		{"Status: 503 No\r\n\r\nbusy", 0, 5, "busy", "503"},
		{"no header\n", 0, 1, "no CGI header", "no header"},
		{"no header\n", 0, 1, "no header\n", "output is printed"},
		{"Content-Type: a/b\r\n", 0, 1, "no CGI header",
			"an incomplete header"},
		{"", 0, 1, "no CGI header", "an empty answer"},
		{"Status: 200 OK\r\n\r\n", 2, 1, "(protocol)", "overloaded"},
	};
	struct world *w = world_open();
	uint8_t bytes[300];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server s = {.reads = true, .bytes = bytes,
			.ending = GOES_SILENT};

		s.len = put_answer(bytes, rows[i].text,
			rows[i].protocol_status);
		expect_call(w, s, rows[i].code, rows[i].want, rows[i].why);
	}
}

Test(bad_servers, call_exit_status_of_broken_answers)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct world *w = world_open();
	uint8_t bytes[300];
	struct server s = {.reads = true, .bytes = bytes};
	size_t whole = put_answer(bytes, "Content-Type: a/b\r\n\r\nx", 0);

	s.len = whole - 1;
	expect_call(w, s, 1, "no complete response (truncated)", "truncated");
	s.len = 4;
	expect_call(w, s, 1, "(truncated)", "truncated in a record header");
	s.len = 0;
	expect_call(w, s, 1, "(truncated)", "closed after the request");
	s.reads = false;
	expect_call(w, s, 1, "no complete response (",
		"closed before the request");
	s.reads = true;
	s.ending = GOES_SILENT;
	expect_call(w, s, 3, "(timeout)", "silent");
	s.len = whole - 1;
	expect_call(w, s, 3, "(timeout)", "silent in the middle");
	s.ending = GOES_ON;
	s.len = put_record(bytes, 6, 1, "Content-Type: a/b\r\n\r\n", 21);
	expect_call(w, s, 3, "(timeout)", "endless");
	s.bytes = http;
	s.len = strlen(http);
	s.ending = GOES_SILENT;
	expect_call(w, s, 1, "(protocol)", "not FastCGI");
}

/* The kernel completes the connection, but no process accepts it. */
Test(bad_servers, a_server_that_does_not_accept_is_a_timeout)
{
	struct world *w = world_open();
	char *path = world_path(w, "bad.sock"), *out;
	int fd = listen_at(path);
	const char *call[] = {"fcgipmctl", "call", path, "-T", "0.2", "/x", NULL};
	const char *ping[] = {"fcgipmctl", "ping", path, "-T", "0.2", NULL};

	cr_expect_eq(world_run(w, call, &out), 3, "%s", out);
	cr_expect_eq(world_run(w, ping, &out), 3, "%s", out);
	close(fd);
	cr_expect_eq(world_run(w, call, &out), 2, "%s", out);
	cr_expect(strstr(out, "Connection refused"), "%s", out);
	cr_expect_eq(world_run(w, ping, &out), 2, "%s", out);
	cr_assert_eq(unlink(path), 0);
}

/* -- bench ----------------------------------------------------------------- */

/* Answers one request for each connection and closes it, although it was asked
 * to keep it. */
static void *
serve_and_close(void *arg)
{
	const struct server *s = arg;
	char request[4096];
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		if (read(fd, request, sizeof(request)) > 0)
			send_bytes(fd, s);
		close(fd);
	}
	return NULL;
}

/* A server may close a keep-alive connection at any time (FastCGI 1.0, section
 * 3.5). */
Test(bad_servers, bench_repeats_a_request_on_a_closed_keep_alive_connection)
{
	struct world *w = world_open();
	char *path = world_path(w, "bad.sock"), *out;
	const char *argv[] = {"fcgipmctl", "bench", path, "-k", "-n", "20",
		"-T", "5", NULL};
	uint8_t bytes[300];
	struct server s = {.fd = listen_at(path), .bytes = bytes};
	pthread_t thread;

	s.len = put_answer(bytes, "Content-Type: a/b\r\n\r\nx", 0);
	cr_assert_eq(pthread_create(&thread, NULL, serve_and_close, &s), 0);
	cr_expect_eq(world_run(w, argv, &out), 0, "%s", out);
	cr_expect(strstr(out, "2xx 20\n"), "%s", out);
	cr_expect(strstr(out, "errors: 0\n"), "%s", out);
	cr_assert_eq(shutdown(s.fd, SHUT_RDWR), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	close(s.fd);
	cr_assert_eq(unlink(path), 0);
}

static double
number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	cr_assert_not_null(at, "no %s in %s", name, text);
	return strtod(at + strlen(name), NULL);
}

Test(bad_servers, bench_does_not_spin_without_a_server)
{
	struct world *w = world_open();
	char *path = world_path(w, "none.sock"), *out;
	const char *argv[] = {"fcgipmctl", "bench", path, "-d", "0.3", "-j",
		NULL};
	double seconds;

	cr_expect_eq(world_run(w, argv, &out), 1, "%s", out);
	seconds = number_after(out, "\"seconds\": ");
	cr_expect(seconds >= 0.29 && seconds < 2.5, "%s", out);
	/* One attempt every 10 ms. */
	cr_expect_leq(number_after(out, "\"requests\": "),
		seconds * 100 + 2, "%s", out);
}

/* -- ping ------------------------------------------------------------------ */

/* NAME = VALUE pairs of 100 bytes each, as many as fit. */
static size_t
put_values(uint8_t *to, size_t len)
{
	size_t i, n = len / 100;

	for (i = 0; i < n; i++, to += 100) {
		to[0] = 8;
		to[1] = 90;
		memcpy(to + 2, "NAME0000", 8);
		to[8] += (uint8_t)(i / 10 % 10);
		to[9] += (uint8_t)(i % 10);
		memset(to + 10, 'v', 90);
	}
	return n * 100;
}

Test(bad_servers, ping_survives_any_answer)
{
	static const size_t sizes[] = {0, 100, 1000, 1100, 2048, 65535};
	struct world *w = world_open();
	char *path = world_path(w, "bad.sock"), *out;
	const char *argv[] = {"fcgipmctl", "ping", path, "-T", "5", NULL};
	uint8_t *bytes = malloc(70000), *content = calloc(1, 65536);

	cr_assert(bytes && content);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct server s = {.reads = true, .bytes = bytes,
			.ending = GOES_SILENT};

		(void)put_values(content, sizes[i]);
		s.len = put_record(bytes, 10, 0, content, sizes[i]);
		out = run_against(w, s, argv, 0, "ping");
		cr_expect(strstr(out, " answered in "), "%zu: %s", sizes[i],
			out);
		if (sizes[i] > 0)
			cr_expect(strstr(out, "NAME0000 = vvv"), "%zu: %s",
				sizes[i], out);
	}
	free(content);
	free(bytes);
}

Test(bad_servers, ping_escapes_control_characters_of_a_server)
{
	struct world *w = world_open();
	char *path = world_path(w, "bad.sock"), *out;
	const char *argv[] = {"fcgipmctl", "ping", path, "-T", "5", NULL};
	uint8_t bytes[64];
	struct server s = {.reads = true, .bytes = bytes};

	s.len = put_record(bytes, 10, 0, "\4\3N\x1b[2a\rb", 9);
	out = run_against(w, s, argv, 0, "ping");
	cr_expect(strstr(out, "N\\x1b[2 = a\\x0db\n"), "%s", out);
	/* UNKNOWN_TYPE instead of values. */
	s.len = put_record(bytes, 11, 0, "\11\0\0\0\0\0\0\0", 8);
	out = run_against(w, s, argv, 1, "an unknown type");
	cr_expect(strstr(out, "does not answer FCGI_GET_VALUES"), "%s", out);
}

/* -- status ---------------------------------------------------------------- */

static void
expect_status(struct world *w, const char *text, enum ending ending, int code,
	const char *want)
{
	char *path = world_path(w, "bad.sock"), *out;
	const char *argv[] = {"fcgipmctl", "status", "-s", path, "-T", "0.3", NULL};
	struct server s = {.reads = true, .bytes = text, .len = strlen(text),
		.ending = ending};

	out = run_against(w, s, argv, code, text);
	cr_expect(strstr(out, want), "\"%s\": no \"%s\": %.300s", text, want,
		out);
}

Test(bad_servers, status_exit_status_of_broken_supervisors)
{
	struct world *w = world_open();

	expect_status(w, "{\"version\":\"1\",\"pools\":[]}\n", CLOSES, 0,
		"fcgipm 1");
	expect_status(w, "", CLOSES, 1, "no complete response");
	expect_status(w, "{\"version\":\"1\"", CLOSES, 1,
		"no complete response");
	expect_status(w, "[]\n", CLOSES, 1, "is not a JSON object");
	expect_status(w, "HTTP/1.1 400 Bad Request\r\n", CLOSES, 1,
		"is not a JSON object");
	expect_status(w, "", GOES_SILENT, 3, "no response within 0.3 s");
	expect_status(w, "{\"version\":", GOES_SILENT, 3, "no response within");
	/* Bytes keep arriving, but the line does not end in time. */
	expect_status(w, " ", GOES_ON, 3, "no response within 0.3 s");
	expect_status(w, "{\"error\":\"no\"}\n", CLOSES, 4, "fcgipmctl: no");
}

Test(bad_servers, status_times_out_on_a_stopped_supervisor)
{
	struct world *w = world_open();
	char *path = world_path(w, "run/control.sock"), *out;
	const char *argv[] = {"fcgipmctl", "status", "-s", path, "-T", "0.3", NULL};
	int64_t begin;
	int fds[80];
	size_t i;

	world_start_www(w, "handler = @BIN@/handlers/hello\n");
	world_signal(w, SIGSTOP);
	begin = world_now_ms();
	cr_expect_eq(world_run(w, argv, &out), 3, "%s", out);
	cr_expect(strstr(out, "no response within 0.3 s"), "%s", out);
	/* More connections than the listen queue holds. */
	for (i = 0; i < 80; i++) {
		struct sockaddr_un un = {.sun_family = AF_UNIX};

		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", path);
		(void)!connect(fds[i], (struct sockaddr *)&un, sizeof(un));
	}
	cr_expect_eq(world_run(w, argv, &out), 3, "%s", out);
	cr_expect(strstr(out, "no response within 0.3 s"), "%s", out);
	cr_expect_lt(world_now_ms() - begin, 10000);
	for (i = 0; i < 80; i++)
		close(fds[i]);
	world_signal(w, SIGCONT);
	argv[5] = "20";
	cr_expect_eq(world_run(w, argv, &out), 0, "%s", out);
	world_close_changed(&w);
}
