/*
 * test_refuser.c - fcgipm-cgi --refuse, with this test as its supervisor and
 * as the pool's worker: what it does when it gets another connection than the
 * one that was to be refused
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/fd.h"
#include "hostile.h"
#include "overload/protocol.h"
#include "sys/sockdiag.h"
#include "world.h"

struct stage {
	struct world *w;
	const char *address;	/* for a client of ours */
	int listener;
	int channel;
	pid_t pid;		/* the refuser */
};

static void
exec_refuser(const struct stage *s, const char *timeout, int channel)
{
	char path[400], key[64];
	char *const env[] = {NULL};

	snprintf(path, sizeof(path), "%s/fcgipm-cgi", getenv("FCGIPM_BIN"));
	snprintf(key, sizeof(key), "queue_timeout=%s", timeout);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(s->listener, 0) < 0)
		_exit(126);
	if (channel == REFUSER_FD ?
			fcntl(channel, F_SETFD, 0) < 0 :
			dup2(channel, REFUSER_FD) < 0)
		_exit(126);
	execve(path, (char *const *)(const char *[]){"fcgipm-cgi", "-P", "www",
		"--refuse", "-o", key, NULL}, env);
	_exit(127);
}

static struct stage
stage_open(bool tcp, const char *timeout)
{
	struct stage s = {.w = world_open()};
	struct addr addr;
	const char *why;
	char text[400];
	int pair[2];

	s.address = tcp ? s.w->tcp : "www.sock";
	snprintf(text, sizeof(text), "%s",
		tcp ? s.address : world_path(s.w, s.address));
	cr_assert_eq(addr_parse(text, &addr, &why), 0);
	s.listener = socket(addr.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(s.listener, (struct sockaddr *)&addr.sa, addr.len),
		0, "%s: %s", text, strerror(errno));
	cr_assert_eq(listen(s.listener, 64), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		pair), 0);
	s.channel = pair[0];
	s.pid = fork();
	cr_assert_geq(s.pid, 0);
	if (s.pid == 0)
		exec_refuser(&s, timeout, pair[1]);
	close(pair[1]);
	return s;
}

/* It leaves by itself when the channel is closed. */
static void
stage_close(struct stage *s)
{
	int status;

	if (s->channel >= 0)
		close(s->channel);
	cr_assert_eq(waitpid(s->pid, &status, 0), s->pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"status %x", (unsigned)status);
	close(s->listener);
	if (s->address[0] == 'w')
		cr_expect_eq(unlink(world_path(s->w, s->address)), 0);
	world_close(&s->w);
}

static uint32_t
inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

/* A client who has sent his whole request. */
static int
ask(const struct stage *s)
{
	static const char *const params[] = {"REQUEST_METHOD=GET", NULL};
	int fd = client_connect(s->w, s->address);

	client_ask(fd, 0, params);
	return fd;
}

/* It wants so many connections. */
static void
expect_want(struct stage *s, unsigned n)
{
	struct refuser_want want = {0};

	cr_assert_eq(recv(s->channel, &want, sizeof(want), 0),
		(ssize_t)sizeof(want));
	cr_expect_eq(want.n, n);
}

/* It gets one. */
static void
connect_for(struct stage *s)
{
	int fd = client_connect(s->w, s->address);

	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(fd_send(s->channel, "", 1, fd), 0);
	close(fd);
}

/* Orders the refusal of these, in this order, 0 = who has left; at another
 * listener, unless that is -1. */
static struct refuser_report
order_at(struct stage *s, int listener, const uint32_t *inos, size_t n)
{
	struct refuser_order o = {.n = (uint32_t)n};
	struct refuser_report r = {0};

	memcpy(o.inos, inos, n * sizeof(*inos));
	cr_assert_eq(fd_send(s->channel, &o, sizeof(o), listener), 0);
	cr_assert_eq(recv(s->channel, &r, sizeof(r), 0), (ssize_t)sizeof(r),
		"no report");
	return r;
}

static struct refuser_report
order(struct stage *s, const uint32_t *inos, size_t n)
{
	return order_at(s, -1, inos, n);
}

/* Waits until a TCP connection in the queue has this age. */
static void
until_old(const struct stage *s, int64_t age_ms)
{
	struct sockdiag_listener l;
	struct sockdiag_waiting seen = {0};
	struct sockdiag diag;

	cr_assert_eq(sockdiag_open(&diag), 0);
	cr_assert_eq(sockdiag_listener_init(&l, s->listener), 0);
	while (seen.old == 0)
		cr_assert_eq(sockdiag_tcp_waiting(&diag, &l, age_ms, &seen),
			0);
	sockdiag_close(&diag);
}

static void
expect_refused(int fd)
{
	struct answer a = client_read(fd);

	answer_expect(a, "Status: 503 Service Unavailable\r\n");
	answer_expect(a, "Content-Type: text/plain\r\n");
	answer_expect(a, "Retry-After: ");
	cr_expect(a.ended);
	cr_expect_eq(a.protocol_status, 0, "nginx would say 502");
	cr_expect_eq(client_drain(fd), 0, "and closed");
	close(fd);
}

/* The test is a worker: takes the next one, who must have sent this much, and
 * answers with this. */
static void
serve_next(struct stage *s, size_t len, const char *reply)
{
	struct pollfd p = {.fd = s->listener, .events = POLLIN};
	uint8_t bytes[256];
	int fd;

	cr_assert_gt(poll(&p, 1, 10000), 0, "nobody was passed on");
	fd = accept(s->listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	cr_assert_leq(len, sizeof(bytes));
	client_read_bytes(fd, bytes, len);
	client_send(fd, reply, strlen(reply));
	close(fd);
}

static bool
nobody_waits(const struct stage *s)
{
	struct pollfd p = {.fd = s->listener, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

Test(refuser, refuses_what_is_ordered_and_no_more, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	int c[4], i;
	struct refuser_report r;

	for (i = 0; i < 4; i++)
		c[i] = ask(&s);
	r = order(&s, (uint32_t[]){inode(c[0]), inode(c[1])}, 2);
	cr_expect_eq(r.refused, 2);
	cr_expect_eq(r.forwarded, 0);
	expect_refused(c[0]);
	expect_refused(c[1]);
	for (i = 2; i < 4; i++) {
		serve_next(&s, 8, "mine");
		client_expect_bytes(c[i], "mine", 4);
		close(c[i]);
	}
	cr_expect(nobody_waits(&s));
	stage_close(&s);
}

/* A worker took those of the order before the refuser came to it. */
Test(refuser, a_young_one_is_passed_on_unchanged, .timeout = 30)
{
	static const char bytes[] = "whatever he says, records or not";
	struct stage s = stage_open(false, "1h");
	int old = ask(&s), young[2], i;
	uint32_t ino = inode(old);
	struct refuser_report r;

	serve_next(&s, 8, "served");
	close(old);
	for (i = 0; i < 2; i++)
		young[i] = client_connect(s.w, s.address);
	r = order(&s, (uint32_t[]){ino, 1, 2}, 3);
	cr_expect_eq(r.refused, 0);
	cr_expect_eq(r.forwarded, 1, "behind him all are younger still");
	/* It asks until it gets one. */
	expect_want(&s, 1);
	expect_want(&s, 1);
	connect_for(&s);
	for (i = 0; i < 2; i++)
		client_send(young[i], bytes, sizeof(bytes));
	for (i = 0; i < 2; i++)
		serve_next(&s, sizeof(bytes), "here you are");
	for (i = 0; i < 2; i++) {
		client_expect_bytes(young[i], "here you are", 12);
		cr_expect_eq(client_drain(young[i]), 0, "and the end");
		close(young[i]);
	}
	stage_close(&s);
}

Test(refuser, tcp_connections_know_their_age, .timeout = 30)
{
	struct stage s = stage_open(true, "1h");
	int young = client_connect(s.w, s.address);
	struct refuser_report r = order(&s, (uint32_t[]){0, 0}, 2);

	cr_expect_eq(r.refused, 0);
	cr_expect_eq(r.forwarded, 1);
	expect_want(&s, 1);
	connect_for(&s);
	client_send(young, "12345678", 8);
	serve_next(&s, 8, "mine");
	client_expect_bytes(young, "mine", 4);
	close(young);
	stage_close(&s);
	s = stage_open(true, "10ms");
	young = ask(&s);
	until_old(&s, 20);
	r = order(&s, (uint32_t[]){0}, 1);
	cr_expect_eq(r.refused, 1);
	expect_refused(young);
	stage_close(&s);
}

/* Who has left was overdue when somebody behind him is. */
Test(refuser, whoever_left_is_no_obstacle, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	int c[4], i;
	uint32_t inos[3];
	struct refuser_report r;

	for (i = 0; i < 4; i++)
		c[i] = ask(&s);
	for (i = 0; i < 3; i++)
		inos[i] = inode(c[i]);
	close(c[1]);
	inos[1] = 0;
	r = order(&s, inos, 3);
	cr_expect_eq(r.refused, 3);
	cr_expect_eq(r.forwarded, 0);
	expect_refused(c[0]);
	expect_refused(c[2]);
	/* Nobody tells his age, so his request goes its way. */
	close(c[3]);
	r = order(&s, (uint32_t[]){inos[2]}, 1);
	cr_expect_eq(r.refused, 0);
	cr_expect_eq(r.forwarded, 1);
	expect_want(&s, 1);
	connect_for(&s);
	serve_next(&s, 8, "");
	stage_close(&s);
}

/* While a worker has him it waits for that alone, and leaves with him. */
Test(refuser, sleeps_while_a_young_one_is_served, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	int young = ask(&s), fd;
	struct refuser_report r = order(&s, (uint32_t[]){1}, 1);
	char before[64];
	struct pollfd p = {.fd = s.channel, .events = POLLIN};

	cr_expect_eq(r.forwarded, 1);
	expect_want(&s, 1);
	connect_for(&s);
	fd = accept(s.listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	hostile_pause(REFUSER_IDLE_MS + 200);
	snprintf(before, sizeof(before), "%s",
		world_proc_status(s.pid, "voluntary_ctxt_switches"));
	hostile_pause(300);
	cr_expect_str_eq(world_proc_status(s.pid, "voluntary_ctxt_switches"),
		before, "it ticks");
	cr_expect_eq(poll(&p, 1, 0), 0, "it is there");
	close(fd);
	close(young);
	cr_expect_eq(recv(s.channel, before, 1, 0), 0, "it leaves");
	stage_close(&s);
}

/* Nobody will connect for him any more. */
Test(refuser, who_waits_when_it_ends_is_refused, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	int fd = ask(&s);
	struct refuser_report r = order(&s, (uint32_t[]){1}, 1);

	cr_expect_eq(r.forwarded, 1);
	close(s.channel);
	s.channel = -1;
	expect_refused(fd);
	stage_close(&s);
}

/* The one it had was shut. */
Test(refuser, takes_another_listener, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
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
	ino = inode(fd);
	cr_expect_eq(order_at(&s, listener, &ino, 1).refused, 1);
	expect_refused(fd);
	close(listener);
	cr_expect_eq(unlink(un.sun_path), 0);
	stage_close(&s);
}

/* Without a way back he waits, and is refused when he is overdue. */
Test(refuser, where_nothing_can_be_passed_on, .timeout = 30)
{
	struct stage s = stage_open(false, "300ms");
	int64_t start = world_now_ms();
	int fd = ask(&s);
	struct refuser_report r = order(&s, (uint32_t[]){1}, 1);

	cr_expect_eq(r.forwarded, 1);
	expect_refused(fd);
	cr_expect_geq(world_now_ms() - start, 300);
	stage_close(&s);
}

/* Between its look and accept() a worker was faster, and nobody is left: it
 * must not wait there for somebody. */
Test(refuser, an_empty_queue_does_not_hold_it, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	struct refuser_report r = order(&s, (uint32_t[]){1, 2, 3}, 3);

	cr_expect_eq(r.refused + r.forwarded, 0);
	stage_close(&s);
}

/* A body of which the most is still to come. */
Test(refuser, who_is_still_sending_gets_his_answer, .timeout = 30)
{
	static const char *const params[] = {"REQUEST_METHOD=POST", NULL};
	static const uint8_t part[30000];
	int tcp, i;

	for (tcp = 0; tcp < 2; tcp++) {
		struct stage s = stage_open(tcp, "10ms");
		int fd = client_connect(s.w, s.address);
		uint32_t ino = inode(fd);
		struct refuser_report r;

		client_begin(fd, 1, 0, params);
		client_record(fd, 5, 1, part, sizeof(part), 3);
		if (tcp)
			until_old(&s, 20);
		r = order(&s, &ino, 1);
		cr_expect_eq(r.refused, 1);
		for (i = 0; i < 20; i++)
			client_record(fd, 5, 1, part, sizeof(part), 0);
		client_record(fd, 5, 1, NULL, 0, 0);
		expect_refused(fd);
		stage_close(&s);
	}
}

/* He pushes for longer than anybody would wait for a word of him, before he
 * looks for an answer. */
Test(refuser, who_sends_slowly_is_heard_out, .timeout = 30)
{
	static const char *const params[] = {"REQUEST_METHOD=POST", NULL};
	struct stage s = stage_open(false, "1h");
	int fd = client_connect(s.w, s.address), i;
	uint32_t ino = inode(fd);

	client_begin(fd, 1, 0, params);
	cr_expect_eq(order(&s, &ino, 1).refused, 1);
	for (i = 0; i < 25; i++) {
		client_record(fd, 5, 1, "piece", 5, 0);
		hostile_pause(100);
	}
	client_record(fd, 5, 1, NULL, 0, 0);
	expect_refused(fd);
	stage_close(&s);
}

/* He says nothing, or nonsense; he is closed on, and others are not kept. */
Test(refuser, who_makes_no_request_is_left, .timeout = 30)
{
	struct stage s = stage_open(false, "10ms");
	int mute = client_connect(s.w, s.address);
	int silly = client_connect(s.w, s.address);
	int good = ask(&s);
	struct refuser_report r;

	client_send(silly, "GET / HTTP/1.0\r\n\r\n", 18);
	r = order(&s, (uint32_t[]){inode(mute), inode(silly), inode(good)},
		3);
	cr_expect_eq(r.refused, 3);
	expect_refused(good);
	cr_expect_eq(client_drain(silly), 0);
	cr_expect_eq(client_drain(mute), 0);
	close(mute);
	close(silly);
	stage_close(&s);
}

/* Not told anything, it leaves; nor does it take a lie for an order. */
Test(refuser, leaves_when_there_is_nothing_to_do, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	char byte;

	cr_expect_eq(recv(s.channel, &byte, 1, 0), 0);
	stage_close(&s);
	s = stage_open(false, "1h");
	cr_assert_eq(send(s.channel, "x", 1, 0), 1);
	cr_expect_leq(recv(s.channel, &byte, 1, 0), 0);
	stage_close(&s);
}
