/*
 * test_refuser_reject.c - tests clients that the refuser answers with 503 while
 * they still send, and many of them
 */
#include "hostile.h"
#include "refusal.h"

/* Most of the body has not been sent when the client is refused. */
Test(refuser, a_client_that_is_still_sending_gets_its_answer, .timeout = 30)
{
	static const char *const params[] = {"REQUEST_METHOD=POST", NULL};
	static const uint8_t part[30000];
	int tcp, i;

	for (tcp = 0; tcp < 2; tcp++) {
		struct refusal s = refusal_open(tcp, "10ms");
		int fd = client_connect(s.w, s.address);
		uint32_t ino = refusal_inode(fd);
		struct refuser_report r;

		client_begin(fd, 1, 0, params);
		client_record(fd, 5, 1, part, sizeof(part), 3);
		if (tcp)
			refusal_until_old(&s, 20);
		r = refusal_order(&s, &ino, 1);
		cr_expect_eq(r.refused, 1);
		for (i = 0; i < 20; i++)
			client_record(fd, 5, 1, part, sizeof(part), 0);
		client_record(fd, 5, 1, NULL, 0, 0);
		refusal_expect_503(fd);
		refusal_close(&s);
	}
}

/* It sends for longer than the timeout between two reads, and reads the answer
 * after that. */
Test(refuser, a_slow_client_may_send_all_of_its_request, .timeout = 30)
{
	static const char *const params[] = {"REQUEST_METHOD=POST", NULL};
	struct refusal s = refusal_open(false, "1h");
	int fd = client_connect(s.w, s.address), i;
	uint32_t ino = refusal_inode(fd);

	client_begin(fd, 1, 0, params);
	cr_expect_eq(refusal_order(&s, &ino, 1).refused, 1);
	for (i = 0; i < 25; i++) {
		client_record(fd, 5, 1, "piece", 5, 0);
		hostile_pause(100);
	}
	client_record(fd, 5, 1, NULL, 0, 0);
	refusal_expect_503(fd);
	refusal_close(&s);
}

/* They send nothing or invalid records, and do not delay other clients. */
Test(refuser, clients_without_a_request_are_closed, .timeout = 30)
{
	struct refusal s = refusal_open(false, "10ms");
	int mute = client_connect(s.w, s.address);
	int begun = client_connect(s.w, s.address);
	int silly = client_connect(s.w, s.address);
	int good = refusal_ask(&s);
	struct refuser_report r;
	struct pollfd p = {0};	/* for its hang-up */

	client_send(silly, "GET / HTTP/1.0\r\n\r\n", 18);
	client_begin(begun, 1, 0, (const char *const[]){NULL});
	r = refusal_order(&s, (uint32_t[]){refusal_inode(mute),
		refusal_inode(begun), refusal_inode(silly),
		refusal_inode(good)}, 4);
	cr_expect_eq(r.refused, 4);
	refusal_expect_503(good);
	cr_expect_eq(client_drain(silly), 0);
	cr_expect_eq(client_drain(mute), 0);
	/* This client has its answer, but does not finish its request. */
	p.fd = begun;
	cr_expect_eq(poll(&p, 1, 10000), 1, "not closed");
	close(begun);
	close(mute);
	close(silly);
	refusal_close(&s);
}

/* Is the other end still open?  Sends a byte to it. */
static bool
can_send(int fd)
{
	return send(fd, "x", 1, MSG_NOSIGNAL) == 1;
}

/* The client has not finished its request.  It gets the complete answer with
 * the end of file, but the connection is not closed, which could destroy the
 * answer. */
Test(refuser, the_answer_does_not_wait_for_the_end_of_the_request,
	.timeout = 30)
{
	static const char *const params[] = {"REQUEST_METHOD=POST", NULL};
	struct refusal s = refusal_open(false, "1h");
	int fd = client_connect(s.w, s.address);
	uint32_t ino = refusal_inode(fd);
	struct answer a;

	client_begin(fd, 1, 0, params);
	/* The end of another request. */
	client_record(fd, 5, 2, NULL, 0, 0);
	cr_expect_eq(refusal_order(&s, &ino, 1).refused, 1);
	a = client_read(fd);
	answer_expect(a, "Status: 503 Service Unavailable\r\n");
	cr_expect(a.ended);
	cr_expect_eq(client_drain(fd), 0, "no end of file");
	cr_expect(can_send(fd), "closed");
	close(fd);
	refusal_close(&s);
}

/* After 64 MiB, and what a socket can hold. */
Test(refuser, a_client_that_keeps_sending_is_closed, .timeout = 60)
{
	static const uint8_t part[65528];
	uint8_t wire[8 + sizeof(part)] = {1, 5, 0, 1, 0xff, 0xf8};
	const size_t limit = 64UL * 1024 * 1024;
	struct refusal s = refusal_open(false, "1h");
	int fd = client_connect(s.w, s.address);
	uint32_t ino = refusal_inode(fd);
	size_t sent = 0;
	ssize_t n = 0;

	client_begin(fd, 1, 0, (const char *const[]){NULL});
	cr_expect_eq(refusal_order(&s, &ino, 1).refused, 1);
	while (sent < limit + 4 * 1024 * 1024) {
		n = send(fd, wire + sent % sizeof(wire),
			sizeof(wire) - sent % sizeof(wire), MSG_NOSIGNAL);
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	cr_expect_lt(n, 0, "still open after %zu bytes", sent);
	cr_expect_geq(sent, limit);
	close(fd);
	refusal_close(&s);
}

enum { CROWD = 500, ONCE = 50 };

/* Has n clients refused that have, or have not, begun a request. */
static void
refuse_some(struct refusal *s, bool begun, int *fds, int n)
{
	uint32_t inos[ONCE];
	int i, k;

	for (i = 0; i < n; i += ONCE) {
		for (k = 0; k < ONCE; k++) {
			fds[i + k] = client_connect(s->w, s->address);
			if (begun)
				client_begin(fds[i + k], 1, 0,
					(const char *const[]){NULL});
			inos[k] = refusal_inode(fds[i + k]);
		}
		cr_assert_eq(refusal_order(s, inos, ONCE).refused, ONCE);
	}
}

/* The client that was answered first is closed to make room. */
Test(refuser, five_hundred_answered_clients_do_not_delay_others, .timeout = 60)
{
	struct refusal s = refusal_open(false, "1h");
	int fds[CROWD], last, i;
	uint32_t ino;

	/* Clients that have disconnected meanwhile do not count. */
	refuse_some(&s, true, fds, ONCE);
	for (i = 0; i < ONCE; i++)
		close(fds[i]);
	refuse_some(&s, true, fds, CROWD);
	last = refusal_ask(&s);
	ino = refusal_inode(last);
	cr_expect_eq(refusal_order(&s, &ino, 1).refused, 1);
	refusal_expect_503(last);
	cr_expect_not(can_send(fds[0]), "the first one is not closed");
	for (i = 0; i < CROWD; i++)
		close(fds[i]);
	refusal_close(&s);
}

/* Clients that send nothing are closed after two seconds. */
Test(refuser, five_hundred_silent_clients_keep_others_in_the_queue,
	.timeout = 60)
{
	struct refusal s = refusal_open(false, "1h");
	int64_t since = world_now_ms();
	int fds[CROWD], last, i;
	uint32_t ino;
	unsigned refused;

	refuse_some(&s, false, fds, CROWD);
	last = refusal_ask(&s);
	ino = refusal_inode(last);
	refused = refusal_order(&s, &ino, 1).refused;
	if (world_now_ms() - since < 2000)
		cr_expect_eq(refused, 0);
	while (refused == 0) {
		hostile_pause(100);
		refused = refusal_order(&s, &ino, 1).refused;
	}
	refusal_expect_503(last);
	for (i = 0; i < CROWD; i++)
		close(fds[i]);
	refusal_close(&s);
}
