/*
 * test_refuser.c - tests which clients fcgipm-cgi --refuse (the refuser)
 * refuses, and when it exits
 *
 * Clients that it forwards are in test_refuser_forward.c, those that it refuses
 * in test_refuser_reject.c.
 */
#include <sys/un.h>

#include "base/fd.h"
#include "hostile.h"
#include "refusal.h"

static bool
queue_is_empty(const struct refusal *s)
{
	struct pollfd p = {.fd = s->listener, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

Test(refuser, only_the_ordered_clients_are_refused, .timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	int c[4], i;
	struct refuser_report r;

	for (i = 0; i < 4; i++)
		c[i] = refusal_ask(&s);
	r = refusal_order(&s, (uint32_t[]){refusal_inode(c[0]),
		refusal_inode(c[1])}, 2);
	cr_expect_eq(r.refused, 2);
	cr_expect_eq(r.forwarded, 0);
	refusal_expect_503(c[0]);
	refusal_expect_503(c[1]);
	for (i = 2; i < 4; i++) {
		refusal_serve(&s, 8, "mine");
		client_expect_bytes(c[i], "mine", 4);
		close(c[i]);
	}
	cr_expect(queue_is_empty(&s));
	refusal_close(&s);
}

Test(refuser, the_age_of_a_tcp_client_decides, .timeout = 30)
{
	struct refusal s = refusal_open(true, "1h");
	int young = client_connect(s.w, s.address);
	struct refuser_report r = refusal_order(&s, (uint32_t[]){0, 0}, 2);

	cr_expect_eq(r.refused, 0);
	cr_expect_eq(r.forwarded, 1);
	refusal_expect_want(&s, 1);
	refusal_connect(&s);
	client_send(young, "12345678", 8);
	refusal_serve(&s, 8, "mine");
	client_expect_bytes(young, "mine", 4);
	close(young);
	refusal_close(&s);
	s = refusal_open(true, "10ms");
	young = refusal_ask(&s);
	refusal_until_old(&s, 20);
	r = refusal_order(&s, (uint32_t[]){0}, 1);
	cr_expect_eq(r.refused, 1);
	refusal_expect_503(young);
	refusal_close(&s);
}

/* A disconnected client was overdue if a client after it is. */
Test(refuser, disconnected_clients_do_not_end_an_order, .timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	int c[4], i;
	uint32_t inos[3];
	struct refuser_report r;

	for (i = 0; i < 4; i++)
		c[i] = refusal_ask(&s);
	for (i = 0; i < 3; i++)
		inos[i] = refusal_inode(c[i]);
	close(c[1]);
	inos[1] = 0;
	r = refusal_order(&s, inos, 3);
	cr_expect_eq(r.refused, 3);
	cr_expect_eq(r.forwarded, 0);
	refusal_expect_503(c[0]);
	refusal_expect_503(c[2]);
	/* Its age is unknown, so its request goes to a worker. */
	close(c[3]);
	r = refusal_order(&s, (uint32_t[]){inos[2]}, 1);
	cr_expect_eq(r.refused, 0);
	cr_expect_eq(r.forwarded, 1);
	refusal_expect_want(&s, 1);
	refusal_connect(&s);
	refusal_serve(&s, 8, "");
	refusal_close(&s);
}

/* The listening socket it had was shut down. */
Test(refuser, uses_the_listening_socket_sent_with_an_order, .timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	uint32_t ino;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s",
		world_path(s.w, "other.sock"));
	cr_assert_eq(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(shutdown(s.listener, SHUT_RDWR), 0);
	fd = client_connect(s.w, "other.sock");
	client_ask(fd, 0, (const char *const[]){NULL});
	ino = refusal_inode(fd);
	cr_expect_eq(refusal_order_at(&s, listener, &ino, 1).refused, 1);
	refusal_expect_503(fd);
	close(listener);
	cr_expect_eq(unlink(un.sun_path), 0);
	refusal_close(&s);
}

/* Workers have accepted all clients of the order. */
Test(refuser, reports_immediately_when_the_queue_is_empty, .timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	struct refuser_report r = refusal_order(&s, (uint32_t[]){1, 2, 3}, 3);

	cr_expect_eq(r.refused + r.forwarded, 0);
	refusal_close(&s);
}

Test(refuser, exits_without_orders_or_after_an_invalid_message, .timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	char byte;

	cr_expect_eq(recv(s.channel, &byte, 1, 0), 0);
	refusal_close(&s);
	s = refusal_open(false, "1h");
	cr_assert_eq(send(s.channel, "x", 1, 0), 1);
	cr_expect_leq(recv(s.channel, &byte, 1, 0), 0);
	refusal_close(&s);
}

/* The library makes accept(2) slow, so that a worker accepts between the
 * refuser's poll(2) and accept(2).  The refuser must not wait there for the
 * next client. */
Test(refuser, is_not_blocked_when_a_worker_accepts_first, .timeout = 60)
{
	struct refusal s = refusal_open_with(false, "1h",
		world_child("slow_accept.so"));
	struct refuser_order o = {.n = 1};
	struct refuser_report r = {0};
	int fd, got, won = 0;

	/* The worker is first in most turns, but not in all. */
	while (won < 5) {
		fd = client_connect(s.w, s.address);
		o.inos[0] = refusal_inode(fd);
		cr_assert_eq(fd_send(s.channel, &o, sizeof(o), -1), 0);
		hostile_pause(1);
		cr_assert_eq(fcntl(s.listener, F_SETFL, O_NONBLOCK), 0);
		got = accept(s.listener, NULL, NULL);
		cr_assert_eq(fcntl(s.listener, F_SETFL, 0), 0);
		cr_assert_eq(recv(s.channel, &r, sizeof(r), 0),
			(ssize_t)sizeof(r), "no report");
		cr_expect_eq(r.refused, got < 0);
		won += got >= 0;
		close(got);
		close(fd);
	}
	refusal_close(&s);
}

/* For longer than it waits for one order. */
Test(refuser, does_not_exit_while_orders_arrive, .timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	int i;

	for (i = 0; i < 6; i++) {
		hostile_pause(REFUSER_IDLE_MS / 4);
		cr_expect_eq(refusal_order(&s, (uint32_t[]){1}, 1).refused, 0);
	}
	refusal_close(&s);
}
