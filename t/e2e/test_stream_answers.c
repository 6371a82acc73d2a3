/*
 * test_stream_answers.c - responses above 256 KiB, complete and cut
 *
 * They are spliced from pipe to socket, so a record whose content is still in
 * the pipe delays everything after it.
 */
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "stream.h"

#define LARGE ((size_t)20 * 1024 * 1024)

static void
expect_answer(int fd, size_t len)
{
	struct answer a = client_read(fd);

	stream_expect(&a, len);
	cr_expect_eq(a.app_status, 0);
	answer_free(&a);
}

/* Records of stderr are between those of stdout, and the end is last. */
Test(stream_answers, stderr_is_sent_between_records, .timeout = 100)
{
	struct target t = stream_start("");
	const struct client_pace paces[] = {{.record = 65535},
		{.record = 65535, .recv_max = 50000}};
	char line[64], *at;
	struct answer a;
	size_t i, pos;
	int fd;

	for (i = 0; i < 2; i++) {
		fd = stream_get(&t, "noisy=20971520");
		a = client_converse(fd, NULL, 0, &paces[i]);
		stream_expect(&a, LARGE);
		for (at = a.err, pos = 0; pos < LARGE; pos += 65536) {
			snprintf(line, sizeof(line), "at %zu\n", pos);
			cr_assert_eq(strncmp(at, line, strlen(line)), 0,
				"not %s, but %.20s", line, at);
			at += strlen(line);
		}
		cr_expect_str_eq(at, "the end\n");
		cr_expect_eq(recv(fd, line, 1, 0), 0, "bytes after the end");
		answer_free(&a);
		close(fd);
	}
	hostile_end(&t, "stderr between records");
}

/* 150 ms: longer than all stages of watching and than cgi.linger in these
 * tests.  The result must not depend on it. */
static void
let_time_pass(void)
{
	const struct timespec ts = {0, 150000000};

	nanosleep(&ts, NULL);
}

/* Begins a large response and waits until it is blocked. */
static int
begin_blocked(struct target *t, const char *query, int flags)
{
	int fd = stream_begin(t, "www.sock", flags, query, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	client_record(fd, STDIN, 1, NULL, 0, 0);
	cr_assert_gt(poll(&p, 1, 20000), 0);
	stream_settle(t);
	return fd;
}

/* Is the process in write(2)?  Also true when /proc does not say. */
static bool
writes(pid_t pid)
{
	long number = world_call_of(pid);

	return number == SYS_write || number == -1;
}

/*
 * Waits until the program has exited or waits for its client in write(2).  How
 * much the gateway reads while a client reads nothing depends on the load of
 * the machine.
 */
static void
await_programs(struct target *t)
{
	int64_t end = world_now_ms() + 1000;
	pid_t pid;

	while (world_children(t->gateway, &pid, 1) > 0 &&
		world_now_ms() < end)
		hostile_pause(1);
	cr_expect(world_children(t->gateway, &pid, 1) == 0 || writes(pid),
		"a program neither exits nor writes");
}

/* Reads records until the end of the request. */
static void
read_to_end(int fd)
{
	static struct record rec;

	do
		client_read_record(fd, &rec);
	while (rec.type != END);
	cr_expect_eq(rec.id, 1);
}

Test(stream_answers, a_client_that_does_not_read_may_abort, .timeout = 100)
{
	static const char *const how[] = {"cgi.on_abort = kill\n",
		"cgi.on_abort = finish\n"};
	size_t i, keep;

	for (i = 0; i < 2; i++) {
		struct target t = stream_start(how[i]);

		for (keep = 0; keep < 2; keep++) {
			int fd = begin_blocked(&t, "big=20971520", (int)keep);

			client_record(fd, ABORT, 1, NULL, 0, 0);
			stream_settle(&t);
			read_to_end(fd);
			(void)hostile_programs_gone(&t, "an abort");
			if (keep) {
				client_ask(fd, 0, (const char *[]){
					"QUERY_STRING=big=1000000", NULL});
				expect_answer(fd, 1000000);
			}
			close(fd);
		}
		hostile_end(&t, how[i]);
	}
}

/* Output and stderr that blocked the program are read and dropped, right after
 * its start and later. */
Test(stream_answers, output_is_drained_after_an_abort, .timeout = 60)
{
	static const char *const queries[] = {"loud=2000000", "big=2000000",
		"noisy=2000000"};
	struct target t = stream_start("cgi.on_abort = finish\n"
		"cgi.idle_timeout = 0\ncgi.client_timeout = 0\n");
	int fd, i;

	for (i = 0; i < 6; i++) {
		fd = begin_blocked(&t, queries[i / 2], KEEP_CONN);
		if (i % 2)
			let_time_pass();
		stream_settle(&t);
		client_record(fd, ABORT, 1, NULL, 0, 0);
		stream_settle(&t);
		read_to_end(fd);
		(void)hostile_programs_gone(&t, queries[i / 2]);
		close(fd);
	}
	hostile_end(&t, "an abort");
}

Test(stream_answers, a_client_may_leave_without_reading, .timeout = 100)
{
	static const char *const how[] = {"cgi.on_abort = kill\n",
		"cgi.on_abort = finish\n"};
	size_t i, j;

	for (i = 0; i < 2; i++) {
		struct target t = stream_start(how[i]);

		for (j = 0; j < 3; j++) {
			int fd = begin_blocked(&t, "big=20971520", 0);
			char block[30000];

			client_read_bytes(fd, block, j * 10000);
			close(fd);
			(void)hostile_programs_gone(&t, how[i]);
		}
		hostile_end(&t, how[i]);
	}
}

struct reader {
	int fd;
	size_t len;		/* of the answer */
	bool keep;
};

/* Has the gateway closed it?  A keep-alive connection may also have its whole
 * answer in the socket. */
static bool
is_released(void *arg)
{
	struct reader *r = arg;
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	int ready = 0;

	cr_assert_geq(poll(&p, 1, 0), 0);
	cr_assert_eq(ioctl(r->fd, FIONREAD, &ready), 0);
	return p.revents & POLLHUP || (r->keep && (size_t)ready >= r->len);
}

/* The program has exited and its pipe is empty: only the connection holds what
 * the socket does not take. */
Test(stream_answers, a_client_that_never_reads_the_end_is_closed,
	.timeout = 100)
{
	struct target t = stream_start("cgi.client_timeout = 500ms\n"
		"cgi.linger = 100ms\n");
	struct reader r[20];
	size_t i, keep;

	for (keep = 0; keep < 2; keep++) {
		for (i = 0; i < 20; i++) {
			r[i].len = (i + 1) * 16 * 1024;
			r[i].keep = keep;
			r[i].fd = stream_begin(&t, "www.sock", (int)keep,
				own_text("big=%zu", r[i].len), 0);
			client_record(r[i].fd, STDIN, 1, NULL, 0, 0);
		}
		for (i = 0; i < 20; i++)
			world_until(is_released, &r[i], "the close of a client "
				"that does not read");
		for (i = 0; i < 20; i++)
			close(r[i].fd);
		hostile_unharmed(&t, "clients that never read the end");
	}
	world_expect_log(t.w, "client: stopped reading for ");
	world_expect_log(t.w, " s (cgi.client_timeout); connection closed");
	hostile_end(&t, "clients that never read the end");
}

/* Only the connection holds the end of each response. */
Test(stream_answers, a_shutdown_truncates_no_response, .timeout = 60)
{
	struct target t = stream_start("cgi.linger = 100ms\n");
	struct reader r[20];

	for (size_t i = 0; i < 20; i++) {
		r[i].len = (i + 1) * 16 * 1024;
		r[i].fd = stream_begin(&t, "www.sock", KEEP_CONN,
			own_text("big=%zu", r[i].len), 0);
		client_record(r[i].fd, STDIN, 1, NULL, 0, 0);
	}
	stream_settle(&t);
	let_time_pass();
	stream_settle(&t);
	world_signal(t.w, SIGTERM);
	r[0].keep = false;
	world_until(is_released, &r[0], "the close of an idle connection");
	for (size_t i = 0; i < 20; i++) {
		expect_answer(r[i].fd, r[i].len);
		close(r[i].fd);
	}
	cr_expect_eq(world_wait(t.w), 0);
	world_close(&t.w);
}

Test(stream_answers, large_responses_follow_on_one_connection, .timeout = 60)
{
	struct target t = stream_start("");
	uint8_t *body = stream_pattern(3 * STREAM_MIB);
	const struct client_pace pace = {.record = 0, .padding = 7};
	int fd = client_connect(t.w, "www.sock"), i;
	struct answer a;

	for (i = 0; i < 12; i++) {
		const char *params[] = {"QUERY_STRING=echo",
			"CONTENT_LENGTH=3145728", NULL};
		const char *get[] = {"QUERY_STRING=noisy=3145728", NULL};

		client_begin(fd, 1, KEEP_CONN, i % 2 ? params : get);
		a = client_converse(fd, i % 2 ? body : (uint8_t *)"",
			i % 2 ? 3 * STREAM_MIB : 0, &pace);
		stream_expect(&a, 3 * STREAM_MIB);
		answer_free(&a);
	}
	close(fd);
	free(body);
	hostile_end(&t, "requests on one connection");
}

/* The result of FCGI_GET_VALUES is sent after the record, not inside it. */
Test(stream_answers, get_values_is_answered_while_a_response_is_blocked,
	.timeout = 60)
{
	static const char query[] = "\17\0FCGI_MPXS_CONNS";
	struct target t = stream_start("");
	int fd = begin_blocked(&t, "big=20971520", 0);
	uint8_t *want = stream_pattern(LARGE);
	size_t header = strlen("Content-Type: text/plain\r\n\r\n"), at = 0, n;
	static struct record rec;
	unsigned values = 0, refused = 0;

	client_record(fd, GET_VALUES, 0, query, sizeof(query) - 1, 7);
	client_begin(fd, 2, 0, (const char *[]){"QUERY_STRING=", NULL});
	stream_settle(&t);
	for (;;) {
		client_read_record(fd, &rec);
		values += rec.type == GET_VALUES_RESULT;
		/* FCGI_CANT_MPX_CONN is 1. */
		refused += rec.type == END && rec.id == 2 &&
			rec.content[4] == 1;
		if (rec.type == END && rec.id == 1)
			break;
		if (rec.type != STDOUT || rec.len == 0)
			continue;
		n = rec.len < header ? rec.len : header;
		header -= n;
		cr_assert_leq(at + rec.len - n, LARGE);
		cr_assert_eq(memcmp(rec.content + n, want + at, rec.len - n),
			0, "other bytes after %zu", at);
		at += rec.len - n;
	}
	cr_expect_eq(at, LARGE);
	cr_expect_eq(values, 1);
	cr_expect_eq(refused, 1);
	close(fd);
	free(want);
	hostile_end(&t, "management records");
}

/*
 * The program has exited, the end of its output is still in its pipe, and its
 * client is slow: the response must be complete, with a background child and
 * without.
 */
Test(stream_answers, a_slow_client_gets_all_after_the_program_exits,
	.timeout = 60)
{
	static const char *const queries[] = {"big=1000000", "left=1000000",
		"big=300000", "left=300000"};
	struct target t = stream_start("cgi.linger = 50ms\n");
	int fd;

	for (size_t i = 0; i < 4; i++) {
		fd = begin_blocked(&t, queries[i], 0);
		if (i < 2)
			await_programs(&t);
		else
			(void)hostile_programs_gone(&t, queries[i]);
		let_time_pass();
		expect_answer(fd, i < 2 ? 1000000 : 300000);
		close(fd);
		if (i % 2)
			stream_open_gate(&t, ".");
	}
	hostile_end(&t, "a slow client");
}

/* The same when part of a record is still in the pipe after cgi.linger: the
 * gateway must not wait for that part twice. */
Test(stream_answers, a_client_may_pause_inside_a_spliced_record,
	.timeout = 100)
{
	static struct record rec;
	struct target t = stream_start("cgi.linger = 50ms\n");
	size_t part, got;
	int fd;

	for (part = 4; part < 16; part += 3) {
		fd = begin_blocked(&t, "left=1400000", 0);
		for (got = 0; got < part * 65536; got += rec.len)
			client_read_record(fd, &rec);
		await_programs(&t);
		let_time_pass();
		stream_settle(&t);
		do {
			client_read_record(fd, &rec);
			got += rec.type == STDOUT ? rec.len : 0;
		} while (rec.type != END);
		cr_expect_eq(got, 28 + 1400000, "%zu bytes", got);
		close(fd);
		stream_open_gate(&t, ".");
	}
	hostile_end(&t, "a client that pauses");
}

/* The same for a client that never reads, after the program has exited. */
Test(stream_answers, a_client_that_never_reads_is_closed, .timeout = 60)
{
	static const char *const queries[] = {"big=1000000", "left=1000000",
		"big=300000", "left=300000"};
	struct target t = stream_start("cgi.linger = 50ms\n"
		"cgi.client_timeout = 300ms\n");

	for (size_t i = 0; i < 4; i++) {
		int fd = begin_blocked(&t, queries[i], 0);
		struct pollfd p = {.fd = fd};

		cr_expect_eq(poll(&p, 1, 10000), 1, "%s: it is not closed",
			queries[i]);
		close(fd);
		if (i % 2)
			stream_open_gate(&t, ".");
	}
	hostile_end(&t, "a client that never reads");
}

/* Only stderr is left to be sent. */
Test(stream_answers, a_client_that_never_reads_stderr_is_closed, .timeout = 60)
{
	struct target t = stream_start("cgi.client_timeout = 300ms\n");
	int fd = stream_get(&t, "words=240000");

	cr_expect_eq(poll(&(struct pollfd){.fd = fd}, 1, 10000), 1,
		"it is not closed");
	close(fd);
	hostile_end(&t, "unread stderr");
}

/* Reads the bytes of the next event, which may be in two records. */
static void
expect_event(int fd, char letter, size_t len)
{
	static struct record rec;
	char want[] = "event ?\n";
	size_t at, i;

	want[6] = letter;
	for (at = 0; at < len; at += rec.len) {
		client_read_record(fd, &rec);
		cr_assert_eq(rec.type, STDOUT);
		for (i = 0; i < rec.len; i++)
			cr_assert_eq(rec.content[i], want[(at + i) % 8]);
	}
	cr_expect_eq(at, len);
}

/*
 * Each event arrives before the next one is written, whether it is copied or
 * spliced, and whether few or many bytes precede it.
 */
Test(stream_answers, events_arrive_as_they_are_written, .timeout = 60)
{
	static const char *const queries[] = {"events=0", "events=300000",
		"events=900000", "pages=0", "pages=900000"};
	struct target t = stream_start("");
	char letter[2] = "";
	static struct record rec;
	size_t before, i, at;
	int64_t begin, took, quickest;
	int fd;

	for (i = 0; i < 10; i++) {
		const char *query = queries[i / 2];

		before = strlen("Content-Type: text/plain\r\n\r\n") +
			(size_t)atoi(strchr(query, '=') + 1);
		fd = stream_begin(&t, i % 2 ? t.w->tcp : "www.sock", 0, query,
			0);
		client_record(fd, STDIN, 1, NULL, 0, 0);
		for (at = 0; at < before; at += rec.len)
			client_read_record(fd, &rec);
		cr_assert_eq(at, before);
		quickest = INT64_MAX;
		for (letter[0] = 'a'; letter[0] <= 'z'; letter[0]++) {
			begin = world_now_ms();
			stream_open_gate(&t, letter);
			expect_event(fd, letter[0], *query == 'e' ? 8 : 9000);
			took = world_now_ms() - begin;
			quickest = took < quickest ? took : quickest;
		}
		/* TCP would delay an incomplete segment for 200 ms. */
		cr_expect_lt(quickest, 100, "%s: %lld ms", query,
			(long long)quickest);
		stream_open_gate(&t, ".");
		read_to_end(fd);
		close(fd);
	}
	hostile_end(&t, "events");
}

/* Despite FCGI_KEEP_CONN: no further request can arrive. */
Test(stream_answers, a_half_closed_connection_is_closed_after_its_answer,
	.timeout = 60)
{
	struct target t = stream_start("");
	int fd = begin_blocked(&t, "big=20971520", KEEP_CONN);

	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	stream_settle(&t);
	expect_answer(fd, LARGE);
	cr_expect_eq(client_drain(fd), 0, "not closed");
	close(fd);
	hostile_end(&t, "a half closed connection");
}
