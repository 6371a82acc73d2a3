/*
 * test_hostile_records.c - records that are cut, that lie about their length,
 * of every type, in every order
 *
 * Bytes are typed from the FastCGI Specification 1.0; sections in comments.
 */
#include "hostile.h"

enum { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, GET_VALUES = 9,
	KEEP_CONN = 1 };

static const uint8_t begin_body[8] = {0, 1};

/* A connection that has served a request already, or a fresh one. */
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

/* Section 3.3: eight bytes make a header. */
Test(hostile_records, a_header_that_is_cut_short, .timeout = 900)
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
	hostile_unharmed(&t, "cut headers and a close");
	for (i = 0; i < 8 * copies; i++) {
		fds[i] = connect_used(&t, i / 8 % 2);
		client_send(fds[i], header, i % 8);
	}
	hostile_serves(&t, "cut headers that stall");
	for (i = 0; i < 8 * copies; i++) {
		/* One that has begun nothing may stay, until we go. */
		if (i % 8 > 0)
			cr_expect_eq(hostile_closed(fds[i], 2000, "a stall"),
				0);
		close(fds[i]);
	}
	hostile_end(&t, "cut headers");
}

/* 64 lengths: small ones, those around powers of two, the largest. */
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

/* A request in which this record is to come, and the record's header, which
 * says len. */
static int
begin_lie(struct target *t, size_t liar, size_t len)
{
	int type = liars[liar].type, fd = client_connect(t->w, "www.sock");
	const uint8_t head[8] = {1, (uint8_t)type, 0, (uint8_t)liars[liar].id,
		(uint8_t)(len >> 8), (uint8_t)len, 0, 0};

	if (type == PARAMS || type == STDIN)
		client_record(fd, BEGIN, 1, begin_body, 8, 0);
	if (type == STDIN) {
		client_record(fd, PARAMS, 1, "\16\5CONTENT_LENGTH70000", 21, 0);
		client_record(fd, PARAMS, 1, NULL, 0, 0);
	}
	client_send(fd, head, 8);
	return fd;
}

/* Section 3.3: contentLength is a promise, kept by nobody here. */
Test(hostile_records, a_length_that_is_a_lie, .timeout = 900)
{
	static const uint8_t zeros[65535 + 3];
	struct target t = hostile_start("cgi.client_timeout = 300ms\n"
		"pm.max_children = 100\n");
	size_t lengths[64], liar, i;
	int fds[64];

	cr_assert_eq(make_lengths(lengths), 64);
	for (liar = 0; liar < sizeof(liars) / sizeof(liars[0]); liar++) {
		/* One byte less, and gone. */
		for (i = 1; i < 64; i++) {
			int fd = begin_lie(&t, liar, lengths[i]);

			client_send(fd, zeros, lengths[i] - 1);
			close(fd);
		}
		/* One byte less, and silent. */
		for (i = 1; i < 64; i++) {
			fds[i] = begin_lie(&t, liar, lengths[i]);
			client_send(fds[i], zeros, lengths[i] - 1);
		}
		hostile_serves(&t, "lies that stall");
		for (i = 1; i < 64; i++) {
			(void)hostile_closed(fds[i], 2000, "less than said");
			close(fds[i]);
		}
		/* Three bytes more: no record begins with 0 (version). */
		for (i = 0; i < 64; i++) {
			int fd = begin_lie(&t, liar, lengths[i]);

			(void)!send(fd, zeros, lengths[i] + 3, MSG_NOSIGNAL);
			(void)hostile_closed(fd, 2000, "more than said");
			close(fd);
		}
		hostile_unharmed(&t, "lies");
	}
	hostile_end(&t, "lies");
}

/* A record of this type between two requests: what comes back, then whether
 * the next request is served. */
static void
try_type_alone(struct target *t, int type, int id)
{
	int fd = client_connect(t->w, "www.sock");
	uint8_t unknown[16] = {1, 11, 0, 0, 0, 8, 0, 0, (uint8_t)type};
	uint8_t bytes[300];
	struct answer a;

	client_record(fd, type, id, begin_body, 8, (unsigned)type % 256);
	if (type == BEGIN && id != 0) {
		/* It is one: ended, so that there is an answer to wait for. */
		client_record(fd, ABORT, id, NULL, 0, 0);
		a = client_read(fd);
		cr_expect(a.ended, "BEGIN with id %d", id);
		close(fd);
		return;
	}
	if (type == BEGIN) {
		cr_expect_eq(hostile_closed(fd, 2000, "BEGIN with id 0"), 0);
		close(fd);
		return;
	}
	/* Sections 4.1 and 4.2; what has an id that nobody began is nothing
	 * at all (3.3). */
	if (id == 0 && type == GET_VALUES)
		client_expect_bytes(fd, "\1\12\0\0\0\0\0\0", 8);
	else if (id == 0)
		client_expect_bytes(fd, unknown, 16);
	client_send(fd, bytes,
		hostile_request(bytes, sizeof(bytes), "", 0, ""));
	a = client_read(fd);
	cr_expect(a.ended && strstr(a.out, "served\n"), "type %d, id %d: %s",
		type, id, a.out);
	close(fd);
}

/* The same in the middle of a request with id 1. */
static void
try_type_inside(struct target *t, int type, int id)
{
	int fd = client_connect(t->w, "www.sock");
	uint8_t unknown[16] = {1, 11, 0, 0, 0, 8, 0, 0, (uint8_t)type};
	uint8_t cant_mpx[16] = {1, 3, (uint8_t)(id >> 8), (uint8_t)id, 0, 8, 0,
		0, 0, 0, 0, 0, 1};
	/* Its content is a parameter that holds a NUL, and half of one. */
	const char *want = id == 1 && type == PARAMS ? "Status: 400" :
		id == 1 && type == ABORT	     ? "" :
						       "served\n";
	struct answer a;

	client_record(fd, BEGIN, 1, begin_body, 8, 0);
	client_record(fd, PARAMS, 1, "\1\1AB", 4, 0);
	client_record(fd, type, id, begin_body, 8, (unsigned)type % 256);
	if (type == BEGIN && id < 2) {
		cr_expect_eq(hostile_closed(fd, 2000, "a second BEGIN"), 0);
		close(fd);
		return;
	}
	if (id == 0 && type == GET_VALUES)
		client_expect_bytes(fd, "\1\12\0\0\0\0\0\0", 8);
	else if (id == 0)
		client_expect_bytes(fd, unknown, 16);
	else if (type == BEGIN)
		client_expect_bytes(fd, cant_mpx, 16);
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect(a.ended && strstr(a.out, want),
		"type %d, id %d inside: %s", type, id, a.out);
	close(fd);
}

Test(hostile_records, every_type_with_every_kind_of_id, .timeout = 900)
{
	static const int ids[] = {0, 1, 2, 65535};
	struct target t = hostile_start("");
	int step = (int)hostile_size(3, 1), type;
	size_t i;

	for (i = 0; i < 4; i++) {
		/* The known ones all, of the others some. */
		for (type = 0; type < 256; type += type < 15 ? 1 : step) {
			try_type_alone(&t, type, ids[i]);
			try_type_inside(&t, type, ids[i]);
		}
	}
	hostile_end(&t, "all types");
}

/* The records that orders are made of. */
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

/* Sends the order with this number, its records the digits of base six. */
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
	/* Without its end this one's program might count for the next. */
	(void)hostile_programs_gone(t, name);
	cr_expect_leq(hostile_starts(t) - before, 1,
		"%s starts %ld programs", name, hostile_starts(t) - before);
}

Test(hostile_records, all_orders_of_six_kinds, .timeout = 600)
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

/* What ends a connection: sent to a fresh one, which must be closed without
 * an answer, told, and hurt nobody. */
Test(hostile_records, what_is_no_fastcgi_is_closed_and_told, .timeout = 60)
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
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = client_connect(t.w, "www.sock");

		client_send(fd, rows[i].bytes, rows[i].len);
		cr_expect_eq(client_drain(fd), 0, "%s", rows[i].why);
		close(fd);
		world_expect_log(t.w, rows[i].log);
		hostile_serves(&t, rows[i].why);
	}
	hostile_end(&t, "no FastCGI");
}

Test(hostile_records, a_request_cut_off_anywhere_costs_nothing, .timeout = 60)
{
	struct target t = hostile_start("");
	uint8_t whole[300];
	size_t len = hostile_request(whole, sizeof(whole), "", 0, "hello"), cut;
	int fd;

	for (cut = 0; cut < len; cut++) {
		fd = client_connect(t.w, "www.sock");
		client_send(fd, whole, cut);
		close(fd);
		fd = client_connect(t.w, "www.sock");
		client_send(fd, whole, cut);
		cr_assert_eq(shutdown(fd, SHUT_WR), 0);
		(void)client_drain(fd);
		close(fd);
	}
	hostile_end(&t, "cut requests");
}

/* Bytes of no meaning at all, some behind a good beginning. */
Test(hostile_records, random_bytes_end_nothing, .timeout = 120)
{
	unsigned short seed[3] = {5, 7, 11};
	struct target t = hostile_start("cgi.client_timeout = 1s\n");
	uint8_t whole[300];
	size_t size = hostile_request(whole, sizeof(whole), "", 0, "hello");
	int round;

	for (round = 0; round < 1500; round++) {
		uint8_t bytes[sizeof(whole) + 64];
		size_t len = (size_t)nrand48(seed) % sizeof(bytes), i;
		size_t good = (size_t)nrand48(seed) % size;
		int fd = client_connect(t.w, "www.sock");

		for (i = 0; i < len; i++)
			bytes[i] = i < good ? whole[i] :
					      (uint8_t)nrand48(seed);
		/* Or one byte of a whole request is another. */
		if (round % 2) {
			len = size;
			memcpy(bytes, whole, len);
			bytes[(size_t)nrand48(seed) % len] =
				(uint8_t)nrand48(seed);
		}
		/* It may be closed while we write. */
		(void)!send(fd, bytes, len, MSG_NOSIGNAL);
		if (round % 3)
			shutdown(fd, SHUT_WR);
		/* Without, FCGI_KEEP_CONN may be what we made of a byte. */
		if (round % 3 && round % 10 == 1)
			(void)client_drain(fd);
		close(fd);
	}
	hostile_end(&t, "random bytes");
}
