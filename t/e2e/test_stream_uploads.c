/*
 * test_stream_uploads.c - request bodies above 256 KiB, byte by byte
 *
 * They are spliced from socket to pipe while there are large pipes left, which
 * must not change what the program reads.
 */
#include "stream.h"

static void
settle(void *arg)
{
	stream_settle(arg);
}

static void
expect_echo(struct target *t, bool tcp, size_t len,
	const struct client_pace *pace)
{
	uint8_t *body = stream_pattern(len);
	int fd = stream_begin(t, tcp ? t->w->tcp : "www.sock", 0, "echo", len);
	struct answer a;

	a = client_converse(fd, body, len, pace);
	stream_expect(&a, len);
	answer_free(&a);
	close(fd);
	free(body);
}

Test(stream_uploads, records_of_all_sizes_are_passed_unchanged, .timeout = 200)
{
	static const size_t sizes[] = {1000, 16384, 32768, 65535, 0};
	static const unsigned paddings[] = {0, 7, 255};
	struct target t = stream_start("");

	for (size_t i = 0; i < 30; i++) {
		struct client_pace pace = {.record = sizes[i / 2 % 5],
			.padding = paddings[i / 10]};

		expect_echo(&t, i % 2, 5 * STREAM_MIB, &pace);
	}
	hostile_end(&t, "uploads");
}

Test(stream_uploads, clients_may_send_and_read_at_any_pace, .timeout = 200)
{
	struct target t = stream_start("");
	const struct client_pace paces[] = {
		/* The gateway handles each call before the next one. */
		{.record = 65535, .padding = 7, .recv_max = 65536,
			.on_turn = settle, .arg = &t},
		{.record = 65535, .padding = 7, .send_max = 40000,
			.on_turn = settle, .arg = &t},
		/* In small pieces. */
		{.record = 32768, .padding = 255, .recv_max = 1000},
		{.record = 32768, .padding = 255, .send_max = 1000},
		{.record = 65535, .send_max = 16383, .recv_max = 4095},
	};

	for (size_t i = 0; i < 10; i++)
		expect_echo(&t, i % 2, i / 2 < 2 ? 5 * STREAM_MIB :
			STREAM_MIB, &paces[i / 2]);
	hostile_end(&t, "uploads at all paces");
}

/* Sends a body of len bytes with CONTENT_LENGTH length. */
static struct answer
upload(struct target *t, const char *query, size_t length, size_t len,
	const struct client_pace *pace)
{
	uint8_t *body = stream_pattern(len);
	int fd = stream_begin(t, "www.sock", 0, query, length);
	struct answer a = client_converse(fd, body, len, pace);

	close(fd);
	free(body);
	return a;
}

/* Writes the records of a body to to; returns their length. */
static size_t
put_body(uint8_t *to, const uint8_t *body, size_t len)
{
	const size_t most = 65528;
	size_t at = 0, n = 0, part;

	do {
		part = len - at < most ? len - at : most;
		memcpy(to + n, (const uint8_t[8]){1, STDIN, 0, 1,
			(uint8_t)(part >> 8), (uint8_t)part}, 8);
		memcpy(to + n + 8, body + at, part);
		n += 8 + part;
		at += part;
	} while (part > 0);
	return n;
}

/* Sends as many bytes of wire as the connection takes now. */
static void
send_some(int fd, const uint8_t *wire, size_t len, size_t *at)
{
	ssize_t n;

	while (*at < len && (n = send(fd, wire + *at, len - *at,
				     MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		*at += (size_t)n;
	cr_assert(*at == len || errno == EAGAIN, "%s", strerror(errno));
}

/*
 * There are at most 32 large pipes, which count against a limit of the user.
 * Other bodies are copied, and no request waits for another one.
 */
Test(stream_uploads, more_uploads_than_large_pipes_are_served, .timeout = 100)
{
	const size_t n = hostile_size(80, 200);
	struct target t = stream_start("pm.max_children = 200\n");
	uint8_t *body = stream_pattern(STREAM_MIB);
	uint8_t *wire = malloc(STREAM_MIB + 4096);
	struct pollfd fds[200];
	size_t at[200] = {0}, len, left, i;
	char gate[201] = {0};
	struct answer a;

	cr_assert_not_null(wire);
	len = put_body(wire, body, STREAM_MIB);
	for (i = 0; i < n; i++) {
		fds[i].fd = stream_begin(&t, "www.sock", 0, "gated",
			STREAM_MIB);
		fds[i].events = POLLOUT;
		send_some(fds[i].fd, wire, len, &at[i]);
		gate[i] = '.';
	}
	stream_settle(&t);
	stream_open_gate(&t, gate);
	do {
		cr_assert_gt(poll(fds, n, 20000), 0, "nothing moves");
		for (i = 0, left = 0; i < n; i++) {
			send_some(fds[i].fd, wire, len, &at[i]);
			fds[i].events = at[i] < len ? POLLOUT : 0;
			left += len - at[i];
		}
	} while (left > 0);
	for (i = 0; i < n; i++) {
		a = client_read(fds[i].fd);
		answer_expect(a, "\r\n\r\nread: 1048576\nwrong: 0\n");
		answer_free(&a);
		close(fds[i].fd);
	}
	free(wire);
	free(body);
	hostile_end(&t, "uploads at once");
}

/* Excess bytes are dropped, also within a record; a body that is too short just
 * ends. */
Test(stream_uploads, a_wrong_content_length_harms_nothing, .timeout = 100)
{
	static const size_t lengths[][2] = {{1000000, 3000000},
		{655350, 655351}, {1048576, 1048576 + 65535},
		{3000000, 1000000}, {655351, 655350}, {400000, 1}};
	struct target t = stream_start("");

	for (size_t i = 0; i < 12; i++) {
		const struct client_pace pace = {
			.record = i % 2 ? 0 : 65535, .padding = 7};
		size_t length = lengths[i / 2][0], len = lengths[i / 2][1];
		struct answer a = upload(&t, "count", length, len, &pace);

		answer_expect(a, own_text("\r\n\r\nread: %zu\nwrong: 0\n",
			len < length ? len : length));
		answer_free(&a);
	}
	hostile_end(&t, "wrong lengths");
}

static void
send_body(int fd, size_t len)
{
	uint8_t *body = stream_pattern(len);
	size_t at, n;

	for (at = 0; at < len; at += n) {
		n = len - at < 65535 ? len - at : 65535;
		client_record(fd, STDIN, 1, body + at, n, 0);
	}
	client_record(fd, STDIN, 1, NULL, 0, 0);
	free(body);
}

/* A client that sends the whole body before it reads is served. */
Test(stream_uploads, a_program_may_close_its_input_early, .timeout = 60)
{
	struct target t = stream_start("");
	int fd = stream_begin(&t, "www.sock", 0, "early=1048576",
		5 * STREAM_MIB);
	struct answer a;

	send_body(fd, 5 * STREAM_MIB);
	stream_open_gate(&t, ".");
	a = client_read(fd);
	answer_expect(a, "\r\n\r\nread: 1048576\nwrong: 0\n");
	answer_free(&a);
	close(fd);
	hostile_end(&t, "input closed early");
}

/* Fills all buffers on the way to a program that does not read; returns the
 * number of bytes sent of the last record, which has 65543. */
static size_t
fill(struct target *t, int fd)
{
	static const uint8_t head[8] = {1, STDIN, 0, 1, 0xff, 0xff};
	static uint8_t record[8 + 65535];
	bool settled = false;
	size_t at = 0;
	ssize_t n;

	memcpy(record, head, 8);
	for (;;) {
		n = send(fd, record + at, sizeof(record) - at,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && settled)
			return at;
		settled = n < 0;
		if (settled)
			stream_settle(t);
		else
			at = (at + (size_t)n) % sizeof(record);
	}
}

/*
 * Both directions are full when the program exits: it has not read the body,
 * and the client sends the whole body before it reads the response.
 */
Test(stream_uploads, a_program_may_exit_without_reading_its_body, .timeout = 60)
{
	struct target t = stream_start("");
	uint8_t *rest = calloc(1, 5 * STREAM_MIB);
	struct answer a;
	size_t at;
	int fd;

	cr_assert_not_null(rest);
	fd = stream_begin(&t, "www.sock", 0, "full=200000", 50 * STREAM_MIB);
	at = fill(&t, fd);
	stream_open_gate(&t, ".");
	(void)hostile_programs_gone(&t, "a response before the body");
	client_send(fd, rest, at ? 65535 + 8 - at : 0);
	for (at = 0; at < 5 * STREAM_MIB; at += 65535)
		client_record(fd, STDIN, 1, rest, 65535, 0);
	a = client_read(fd);
	stream_expect(&a, 200000);
	answer_free(&a);
	close(fd);
	free(rest);
	hostile_end(&t, "a body that is not read");
}

static int
begin_unread(struct target *t)
{
	int fd = stream_begin(t, "www.sock", 0, "deaf", 50 * STREAM_MIB);

	(void)fill(t, fd);
	return fd;
}

Test(stream_uploads, a_program_that_never_reads_is_killed, .timeout = 100)
{
	struct target t = stream_start("cgi.idle_timeout = 300ms\n");
	struct answer a;
	int fd;

	fd = begin_unread(&t);
	close(fd);
	(void)hostile_programs_gone(&t, "a client that left");
	hostile_unharmed(&t, "a client that left");
	fd = begin_unread(&t);
	a = client_read(fd);
	answer_expect(a, "Status: 504");
	answer_free(&a);
	close(fd);
	hostile_end(&t, "programs that do not read");
}

/* The program has read a part of the body. */
Test(stream_uploads, a_client_that_stops_sending_is_closed, .timeout = 60)
{
	static const uint8_t head[8] = {1, STDIN, 0, 1, 0xff, 0xff};
	struct target t = stream_start("cgi.client_timeout = 300ms\n");
	uint8_t *body = stream_pattern(30000);
	int fd = stream_begin(&t, "www.sock", 0, "count", 5 * STREAM_MIB);
	int i;

	for (i = 0; i < 10; i++)
		client_record(fd, STDIN, 1, body, 30000, 0);
	client_send(fd, head, 8);
	client_send(fd, body, 20000);
	(void)hostile_closed(fd, 10000, "a client that stopped sending");
	world_expect_log(t.w, "the client stopped sending for 0.3 s "
		"(cgi.client_timeout); connection closed");
	close(fd);
	free(body);
	hostile_end(&t, "a client that stopped sending");
}

/* The stream ends in the middle of a record that is spliced. */
Test(stream_uploads, a_client_may_leave_inside_a_record, .timeout = 60)
{
	static const uint8_t head[8] = {1, STDIN, 0, 1, 0xff, 0xff};
	struct target t = stream_start("");
	uint8_t *body = stream_pattern(65535);
	int fd, i;

	for (i = 0; i < 20; i++) {
		fd = stream_begin(&t, i % 2 ? t.w->tcp : "www.sock", 0,
			i / 2 % 2 ? "count" : "deaf", 5 * STREAM_MIB);
		client_record(fd, STDIN, 1, body, 65535, 0);
		client_send(fd, head, 8);
		client_send(fd, body, (size_t)i * 3000);
		if (i % 3 == 0)
			stream_settle(&t);
		if (i / 4 % 2)
			shutdown(fd, SHUT_WR);
		close(fd);
		(void)hostile_programs_gone(&t, "a client that left");
	}
	free(body);
	hostile_end(&t, "clients that left inside a record");
}

/* splice(2) stops at an out-of-band byte: the gateway must not spin. */
Test(stream_uploads, out_of_band_bytes_do_no_harm, .timeout = 60)
{
	static const uint8_t head[8] = {1, STDIN, 0, 1, 0xff, 0xff};
	struct target t = stream_start("cgi.client_timeout = 500ms\n");
	uint8_t *body = stream_pattern(65535);
	int64_t cpu;
	int fd, i;

	for (i = 0; i < 2; i++) {
		fd = stream_begin(&t, i ? t.w->tcp : "www.sock", 0, "count",
			5 * STREAM_MIB);
		client_send(fd, head, 8);
		client_send(fd, body, 20000);
		stream_settle(&t);
		cpu = hostile_cpu_ms(&t);
		/* It fails on a socket without out-of-band bytes. */
		(void)send(fd, "!", 1, MSG_OOB | MSG_NOSIGNAL);
		client_send(fd, body, 20000);
		(void)hostile_closed(fd, 10000, "out-of-band bytes");
		cr_expect_lt(hostile_cpu_ms(&t) - cpu, 100,
			"%lld ms of CPU time",
			(long long)(hostile_cpu_ms(&t) - cpu));
		close(fd);
	}
	free(body);
	hostile_end(&t, "out-of-band bytes");
}

/* Sends a body of 13 bytes in a second; returns the milliseconds from its end
 * until the program's header arrives. */
static int64_t
time_the_beginning(struct target *t)
{
	static struct record rec;
	int fd = stream_begin(t, "www.sock", 0, "held", 13), i;
	bool early = false;
	int64_t begin;

	for (i = 0; i < 12; i++) {
		client_record(fd, STDIN, 1, "x", 1, 0);
		/* The header is held for a second; we may be late. */
		early |= poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1,
			100) != 0;
	}
	client_body(fd, "x");
	begin = world_now_ms();
	client_read_record(fd, &rec);
	cr_expect_eq(rec.type, 6);
	begin = world_now_ms() - begin;
	stream_open_gate(t, ".");
	client_drain(fd);
	close(fd);
	return early ? INT64_MAX : begin;
}

/*
 * nginx stops sending a body when it reads the beginning of the response.  So
 * that is held until the body ends, and then sent although the program runs.
 */
Test(stream_uploads, the_response_is_held_until_the_body_ends, .timeout = 60)
{
	struct target t = stream_start("");
	int64_t best = INT64_MAX, took;
	int i;

	/* Each one may be late on a busy machine. */
	for (i = 0; i < 4 && best >= 400; i++) {
		took = time_the_beginning(&t);
		best = took < best ? took : best;
	}
	cr_expect_lt(best, 400);
	hostile_end(&t, "a response that is held");
}
