/*
 * test_refuser_forward.c - tests clients that the refuser forwards to a worker,
 * because they are not overdue
 */
#include "hostile.h"
#include "refusal.h"

/* A worker accepted the clients of the order before the refuser did. */
Test(refuser, a_client_that_is_not_overdue_is_forwarded, .timeout = 30)
{
	static const char bytes[] = "whatever it sends, records or not";
	struct refusal s = refusal_open(false, "1h");
	int old = refusal_ask(&s), young[2], i;
	uint32_t ino = refusal_inode(old);
	struct refuser_report r;

	refusal_serve(&s, 8, "served");
	close(old);
	for (i = 0; i < 2; i++)
		young[i] = client_connect(s.w, s.address);
	r = refusal_order(&s, (uint32_t[]){ino, 1, 2}, 3);
	cr_expect_eq(r.refused, 0);
	cr_expect_eq(r.forwarded, 1, "all after it are even younger");
	/* It asks until a connection arrives. */
	refusal_expect_want(&s, 1);
	refusal_expect_want(&s, 1);
	refusal_connect(&s);
	for (i = 0; i < 2; i++)
		client_send(young[i], bytes, sizeof(bytes));
	for (i = 0; i < 2; i++)
		refusal_serve(&s, sizeof(bytes), "here you are");
	for (i = 0; i < 2; i++) {
		client_expect_bytes(young[i], "here you are", 12);
		cr_expect_eq(client_drain(young[i]), 0, "no end of file");
		close(young[i]);
	}
	refusal_close(&s);
}

/* It does not wake up while a worker serves the forwarded client, and exits
 * after that. */
Test(refuser, sleeps_while_a_forwarded_client_is_served, .timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	int young = refusal_ask(&s), fd;
	struct refuser_report r = refusal_order(&s, (uint32_t[]){1}, 1);
	char before[64];
	struct pollfd p = {.fd = s.channel, .events = POLLIN};

	cr_expect_eq(r.forwarded, 1);
	refusal_expect_want(&s, 1);
	refusal_connect(&s);
	fd = accept(s.listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	hostile_pause(REFUSER_IDLE_MS + 200);
	snprintf(before, sizeof(before), "%s",
		world_proc_status(s.pid, "voluntary_ctxt_switches"));
	hostile_pause(300);
	cr_expect_str_eq(world_proc_status(s.pid, "voluntary_ctxt_switches"),
		before, "it wakes up periodically");
	cr_expect_eq(*world_proc_status(s.pid, "State"), 'S', "it is running");
	cr_expect_eq(poll(&p, 1, 0), 0, "it has exited");
	close(fd);
	close(young);
	cr_expect_eq(recv(s.channel, before, 1, 0), 0, "it does not exit");
	refusal_close(&s);
}

/* No connection for the client can arrive. */
Test(refuser, a_client_that_waits_when_the_channel_closes_is_refused,
	.timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	int fd = refusal_ask(&s);
	struct refuser_report r = refusal_order(&s, (uint32_t[]){1}, 1);

	cr_expect_eq(r.forwarded, 1);
	close(s.channel);
	s.channel = -1;
	refusal_expect_503(fd);
	refusal_close(&s);
}

/* No connection arrives: the client waits, and is refused when it is
 * overdue. */
Test(refuser, a_client_that_cannot_be_forwarded_is_refused_when_overdue,
	.timeout = 30)
{
	struct refusal s = refusal_open(false, "300ms");
	int64_t start = world_now_ms();
	int fd = refusal_ask(&s);
	struct refuser_report r = refusal_order(&s, (uint32_t[]){1}, 1);

	cr_expect_eq(r.forwarded, 1);
	refusal_expect_503(fd);
	cr_expect_geq(world_now_ms() - start, 300);
	refusal_close(&s);
}

/* queue_timeout does not apply after the connection to the worker is
 * established.  The end of the request does not end the answer. */
Test(refuser, a_forwarded_client_is_served_without_a_time_limit, .timeout = 30)
{
	struct refusal s = refusal_open(false, "200ms");
	int young = client_connect(s.w, s.address), fd;
	char byte;

	cr_expect_eq(refusal_order(&s, (uint32_t[]){1}, 1).forwarded, 1);
	refusal_expect_want(&s, 1);
	refusal_connect(&s);
	client_send(young, "request", 7);
	cr_assert_eq(shutdown(young, SHUT_WR), 0);
	fd = accept(s.listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	client_expect_bytes(fd, "request", 7);
	cr_expect_eq(read(fd, &byte, 1), 0, "no end of file");
	hostile_pause(500);
	client_send(fd, "answer", 6);
	close(fd);
	client_expect_bytes(young, "answer", 6);
	cr_expect_eq(client_drain(young), 0);
	close(young);
	refusal_close(&s);
}

static uint8_t
pattern(size_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

/* Sends what the socket accepts now of the bytes from *at to LARGE. */
#define LARGE (8UL * 1024 * 1024)
static bool
send_pattern(int fd, size_t *at)
{
	uint8_t bytes[50000];
	size_t n = LARGE - *at < sizeof(bytes) ? LARGE - *at : sizeof(bytes);
	ssize_t sent;

	for (size_t i = 0; i < n; i++)
		bytes[i] = pattern(*at + i);
	sent = send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		*at += (size_t)sent;
	return sent > 0;
}

/* The worker reads late, in pieces of an odd size. */
Test(refuser, many_bytes_are_forwarded_unchanged, .timeout = 60)
{
	struct refusal s = refusal_open(true, "1h");
	int young = client_connect(s.w, s.address), fd;
	size_t sent = 0, got = 0, i, wrong = 0;
	struct pollfd p;
	uint8_t bytes[9973];
	ssize_t n;

	cr_expect_eq(refusal_order(&s, (uint32_t[]){1}, 1).forwarded, 1);
	refusal_expect_want(&s, 1);
	refusal_connect(&s);
	fd = accept(s.listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	p = (struct pollfd){fd, POLLIN, 0};
	while (got < LARGE) {
		/* As much as the sockets can hold. */
		while (send_pattern(young, &sent))
			;
		cr_assert_eq(poll(&p, 1, 10000), 1, "after %zu", got);
		n = read(fd, bytes, sizeof(bytes));
		cr_assert_gt(n, 0);
		for (i = 0; i < (size_t)n; i++)
			wrong += bytes[i] != pattern(got + i);
		got += (size_t)n;
	}
	cr_expect_eq(wrong, 0);
	close(fd);
	close(young);
	refusal_close(&s);
}

/* The wait of a forwarded client counts from its connection, not from the time
 * at which the refuser accepted it. */
Test(refuser, the_wait_of_a_tcp_client_begins_with_its_connection,
	.timeout = 30)
{
	struct refusal s = refusal_open(true, "1600ms");
	int fd = refusal_ask(&s);
	int64_t since;

	refusal_until_old(&s, 800);
	since = world_now_ms();
	cr_expect_eq(refusal_order(&s, (uint32_t[]){0}, 1).forwarded, 1);
	refusal_expect_503(fd);
	cr_expect_lt(world_now_ms() - since, 1500);
	refusal_close(&s);
}

/* 10, 20, 40, 80 and 160 ms after the previous request. */
Test(refuser, the_time_between_requests_for_a_connection_doubles,
	.timeout = 30)
{
	struct refusal s = refusal_open(false, "1h");
	int fd = refusal_ask(&s), i;
	int64_t since;

	cr_expect_eq(refusal_order(&s, (uint32_t[]){1}, 1).forwarded, 1);
	refusal_expect_want(&s, 1);
	since = world_now_ms();
	for (i = 0; i < 5; i++)
		refusal_expect_want(&s, 1);
	cr_expect_geq(world_now_ms() - since, 300);
	refusal_connect(&s);
	refusal_serve(&s, 8, "");
	close(fd);
	refusal_close(&s);
}
