/*
 * test_refuser.c - fcgipm-cgi --refuse (the refuser), with the test as its
 * supervisor and as the pool's worker
 */
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/addr.h"
#include "base/fd.h"
#include "hostile.h"
#include "overload/protocol.h"
#include "sys/sockdiag.h"

struct stage {
	struct world *w;
	const char *address;	/* where the test's clients connect */
	int listener;
	int channel;
	pid_t pid;		/* the refuser */
};

static void
exec_refuser(const struct stage *s, const char *timeout, const char *preload,
	int channel)
{
	char path[400], key[64], variable[400];
	/* A sanitizer must otherwise be loaded first. */
	char asan[] = "ASAN_OPTIONS=verify_asan_link_order=0";
	char *const env[] = {asan, preload ? variable : NULL, NULL};

	snprintf(path, sizeof(path), "%s/fcgipm-cgi", getenv("FCGIPM_BIN"));
	snprintf(key, sizeof(key), "queue_timeout=%s", timeout);
	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s",
		preload ? preload : "");
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

/* preload	a library for the refuser, or NULL */
static struct stage
stage_open_with(bool tcp, const char *timeout, const char *preload)
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
		exec_refuser(&s, timeout, preload, pair[1]);
	close(pair[1]);
	return s;
}

static struct stage
stage_open(bool tcp, const char *timeout)
{
	return stage_open_with(tcp, timeout, NULL);
}

/* It exits when the channel is closed. */
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

/* A client that has sent its whole request. */
static int
ask(const struct stage *s)
{
	static const char *const params[] = {"REQUEST_METHOD=GET", NULL};
	int fd = client_connect(s->w, s->address);

	client_ask(fd, 0, params);
	return fd;
}

/* Expects that the refuser asks for n connections. */
static void
expect_want(struct stage *s, unsigned n)
{
	struct refuser_want want = {0};

	cr_assert_eq(recv(s->channel, &want, sizeof(want), 0),
		(ssize_t)sizeof(want));
	cr_expect_eq(want.n, n);
}

/* Passes a connection to the refuser. */
static void
send_connection(struct stage *s)
{
	int fd = client_connect(s->w, s->address);

	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(fd_send(s->channel, "", 1, fd), 0);
	close(fd);
}

/* Orders a 503 for these clients, in this order, 0 = disconnected; on another
 * listening socket, unless that is -1. */
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
	cr_expect_eq(a.protocol_status, 0, "nginx would answer 502");
	cr_expect_eq(client_drain(fd), 0, "not closed");
	close(fd);
}

/* As a worker: accepts the next client, reads len bytes and answers. */
static void
serve_next(struct stage *s, size_t len, const char *reply)
{
	struct pollfd p = {.fd = s->listener, .events = POLLIN};
	uint8_t bytes[256];
	int fd;

	cr_assert_gt(poll(&p, 1, 10000), 0, "no client was forwarded");
	fd = accept(s->listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	cr_assert_leq(len, sizeof(bytes));
	client_read_bytes(fd, bytes, len);
	client_send(fd, reply, strlen(reply));
	close(fd);
}

static bool
queue_is_empty(const struct stage *s)
{
	struct pollfd p = {.fd = s->listener, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

Test(refuser, only_the_ordered_clients_are_refused, .timeout = 30)
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
	cr_expect(queue_is_empty(&s));
	stage_close(&s);
}

/* A worker accepted the clients of the order before the refuser did. */
Test(refuser, a_client_that_is_not_overdue_is_forwarded, .timeout = 30)
{
	static const char bytes[] = "whatever it sends, records or not";
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
	cr_expect_eq(r.forwarded, 1, "all after it are even younger");
	/* It asks until a connection arrives. */
	expect_want(&s, 1);
	expect_want(&s, 1);
	send_connection(&s);
	for (i = 0; i < 2; i++)
		client_send(young[i], bytes, sizeof(bytes));
	for (i = 0; i < 2; i++)
		serve_next(&s, sizeof(bytes), "here you are");
	for (i = 0; i < 2; i++) {
		client_expect_bytes(young[i], "here you are", 12);
		cr_expect_eq(client_drain(young[i]), 0, "no end of file");
		close(young[i]);
	}
	stage_close(&s);
}

Test(refuser, the_age_of_a_tcp_client_decides, .timeout = 30)
{
	struct stage s = stage_open(true, "1h");
	int young = client_connect(s.w, s.address);
	struct refuser_report r = order(&s, (uint32_t[]){0, 0}, 2);

	cr_expect_eq(r.refused, 0);
	cr_expect_eq(r.forwarded, 1);
	expect_want(&s, 1);
	send_connection(&s);
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

/* A disconnected client was overdue if a client after it is. */
Test(refuser, disconnected_clients_do_not_end_an_order, .timeout = 30)
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
	/* Its age is unknown, so its request goes to a worker. */
	close(c[3]);
	r = order(&s, (uint32_t[]){inos[2]}, 1);
	cr_expect_eq(r.refused, 0);
	cr_expect_eq(r.forwarded, 1);
	expect_want(&s, 1);
	send_connection(&s);
	serve_next(&s, 8, "");
	stage_close(&s);
}

/* It does not wake up while a worker serves the forwarded client, and exits
 * after that. */
Test(refuser, sleeps_while_a_forwarded_client_is_served, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	int young = ask(&s), fd;
	struct refuser_report r = order(&s, (uint32_t[]){1}, 1);
	char before[64];
	struct pollfd p = {.fd = s.channel, .events = POLLIN};

	cr_expect_eq(r.forwarded, 1);
	expect_want(&s, 1);
	send_connection(&s);
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
	stage_close(&s);
}

/* No connection for the client can arrive. */
Test(refuser, a_client_that_waits_when_the_channel_closes_is_refused,
	.timeout = 30)
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

/* The listening socket it had was shut down. */
Test(refuser, uses_the_listening_socket_sent_with_an_order, .timeout = 30)
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

/* No connection arrives: the client waits, and is refused when it is
 * overdue. */
Test(refuser, a_client_that_cannot_be_forwarded_is_refused_when_overdue,
	.timeout = 30)
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

/* Workers have accepted all clients of the order. */
Test(refuser, reports_immediately_when_the_queue_is_empty, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	struct refuser_report r = order(&s, (uint32_t[]){1, 2, 3}, 3);

	cr_expect_eq(r.refused + r.forwarded, 0);
	stage_close(&s);
}

/* Most of the body has not been sent when the client is refused. */
Test(refuser, a_client_that_is_still_sending_gets_its_answer, .timeout = 30)
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

/* It sends for longer than the timeout between two reads, and reads the answer
 * after that. */
Test(refuser, a_slow_client_may_send_all_of_its_request, .timeout = 30)
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

/* They send nothing or invalid records, and do not delay other clients. */
Test(refuser, clients_without_a_request_are_closed, .timeout = 30)
{
	struct stage s = stage_open(false, "10ms");
	int mute = client_connect(s.w, s.address);
	int begun = client_connect(s.w, s.address);
	int silly = client_connect(s.w, s.address);
	int good = ask(&s);
	struct refuser_report r;
	struct pollfd p = {0};	/* for its hang-up */

	client_send(silly, "GET / HTTP/1.0\r\n\r\n", 18);
	client_begin(begun, 1, 0, (const char *const[]){NULL});
	r = order(&s, (uint32_t[]){inode(mute), inode(begun), inode(silly),
		inode(good)}, 4);
	cr_expect_eq(r.refused, 4);
	expect_refused(good);
	cr_expect_eq(client_drain(silly), 0);
	cr_expect_eq(client_drain(mute), 0);
	/* This client has its answer, but does not finish its request. */
	p.fd = begun;
	cr_expect_eq(poll(&p, 1, 10000), 1, "not closed");
	close(begun);
	close(mute);
	close(silly);
	stage_close(&s);
}

Test(refuser, exits_without_orders_or_after_an_invalid_message, .timeout = 30)
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

/* Is the other end still open?  Sends a byte to it. */
static bool
can_send(int fd)
{
	return send(fd, "x", 1, MSG_NOSIGNAL) == 1;
}

/* The library makes accept(2) slow, so that a worker accepts between the
 * refuser's poll(2) and accept(2).  The refuser must not wait there for the
 * next client. */
Test(refuser, is_not_blocked_when_a_worker_accepts_first, .timeout = 60)
{
	struct stage s = stage_open_with(false, "1h",
		world_child("slow_accept.so"));
	struct refuser_order o = {.n = 1};
	struct refuser_report r = {0};
	int fd, got, won = 0;

	/* The worker is first in most turns, but not in all. */
	while (won < 5) {
		fd = client_connect(s.w, s.address);
		o.inos[0] = inode(fd);
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
	stage_close(&s);
}

/* For longer than it waits for one order. */
Test(refuser, does_not_exit_while_orders_arrive, .timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	int i;

	for (i = 0; i < 6; i++) {
		hostile_pause(REFUSER_IDLE_MS / 4);
		cr_expect_eq(order(&s, (uint32_t[]){1}, 1).refused, 0);
	}
	stage_close(&s);
}

/* queue_timeout does not apply after the connection to the worker is
 * established.  The end of the request does not end the answer. */
Test(refuser, a_forwarded_client_is_served_without_a_time_limit, .timeout = 30)
{
	struct stage s = stage_open(false, "200ms");
	int young = client_connect(s.w, s.address), fd;
	char byte;

	cr_expect_eq(order(&s, (uint32_t[]){1}, 1).forwarded, 1);
	expect_want(&s, 1);
	send_connection(&s);
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
	stage_close(&s);
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
	struct stage s = stage_open(true, "1h");
	int young = client_connect(s.w, s.address), fd;
	size_t sent = 0, got = 0, i, wrong = 0;
	struct pollfd p;
	uint8_t bytes[9973];
	ssize_t n;

	cr_expect_eq(order(&s, (uint32_t[]){1}, 1).forwarded, 1);
	expect_want(&s, 1);
	send_connection(&s);
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
	stage_close(&s);
}

/* The wait of a forwarded client counts from its connection, not from the time
 * at which the refuser accepted it. */
Test(refuser, the_wait_of_a_tcp_client_begins_with_its_connection,
	.timeout = 30)
{
	struct stage s = stage_open(true, "1600ms");
	int fd = ask(&s);
	int64_t since;

	until_old(&s, 800);
	since = world_now_ms();
	cr_expect_eq(order(&s, (uint32_t[]){0}, 1).forwarded, 1);
	expect_refused(fd);
	cr_expect_lt(world_now_ms() - since, 1500);
	stage_close(&s);
}

/* 10, 20, 40, 80 and 160 ms after the previous request. */
Test(refuser, the_time_between_requests_for_a_connection_doubles,
	.timeout = 30)
{
	struct stage s = stage_open(false, "1h");
	int fd = ask(&s), i;
	int64_t since;

	cr_expect_eq(order(&s, (uint32_t[]){1}, 1).forwarded, 1);
	expect_want(&s, 1);
	since = world_now_ms();
	for (i = 0; i < 5; i++)
		expect_want(&s, 1);
	cr_expect_geq(world_now_ms() - since, 300);
	send_connection(&s);
	serve_next(&s, 8, "");
	close(fd);
	stage_close(&s);
}

/* The client has not finished its request.  It gets the complete answer with
 * the end of file, but the connection is not closed, which could destroy the
 * answer. */
Test(refuser, the_answer_does_not_wait_for_the_end_of_the_request,
	.timeout = 30)
{
	static const char *const params[] = {"REQUEST_METHOD=POST", NULL};
	struct stage s = stage_open(false, "1h");
	int fd = client_connect(s.w, s.address);
	uint32_t ino = inode(fd);
	struct answer a;

	client_begin(fd, 1, 0, params);
	/* The end of another request. */
	client_record(fd, 5, 2, NULL, 0, 0);
	cr_expect_eq(order(&s, &ino, 1).refused, 1);
	a = client_read(fd);
	answer_expect(a, "Status: 503 Service Unavailable\r\n");
	cr_expect(a.ended);
	cr_expect_eq(client_drain(fd), 0, "no end of file");
	cr_expect(can_send(fd), "closed");
	close(fd);
	stage_close(&s);
}

/* After 64 MiB, and what a socket can hold. */
Test(refuser, a_client_that_keeps_sending_is_closed, .timeout = 60)
{
	static const uint8_t part[65528];
	uint8_t wire[8 + sizeof(part)] = {1, 5, 0, 1, 0xff, 0xf8};
	const size_t limit = 64UL * 1024 * 1024;
	struct stage s = stage_open(false, "1h");
	int fd = client_connect(s.w, s.address);
	uint32_t ino = inode(fd);
	size_t sent = 0;
	ssize_t n = 0;

	client_begin(fd, 1, 0, (const char *const[]){NULL});
	cr_expect_eq(order(&s, &ino, 1).refused, 1);
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
	stage_close(&s);
}

enum { CROWD = 500, ONCE = 50 };

/* Has n clients refused that have, or have not, begun a request. */
static void
refuse_some(struct stage *s, bool begun, int *fds, int n)
{
	uint32_t inos[ONCE];
	int i, k;

	for (i = 0; i < n; i += ONCE) {
		for (k = 0; k < ONCE; k++) {
			fds[i + k] = client_connect(s->w, s->address);
			if (begun)
				client_begin(fds[i + k], 1, 0,
					(const char *const[]){NULL});
			inos[k] = inode(fds[i + k]);
		}
		cr_assert_eq(order(s, inos, ONCE).refused, ONCE);
	}
}

/* The client that was answered first is closed to make room. */
Test(refuser, five_hundred_answered_clients_do_not_delay_others, .timeout = 60)
{
	struct stage s = stage_open(false, "1h");
	int fds[CROWD], last, i;
	uint32_t ino;

	/* Clients that have disconnected meanwhile do not count. */
	refuse_some(&s, true, fds, ONCE);
	for (i = 0; i < ONCE; i++)
		close(fds[i]);
	refuse_some(&s, true, fds, CROWD);
	last = ask(&s);
	ino = inode(last);
	cr_expect_eq(order(&s, &ino, 1).refused, 1);
	expect_refused(last);
	cr_expect_not(can_send(fds[0]), "the first one is not closed");
	for (i = 0; i < CROWD; i++)
		close(fds[i]);
	stage_close(&s);
}

/* Clients that send nothing are closed after two seconds. */
Test(refuser, five_hundred_silent_clients_keep_others_in_the_queue,
	.timeout = 60)
{
	struct stage s = stage_open(false, "1h");
	int64_t since = world_now_ms();
	int fds[CROWD], last, i;
	uint32_t ino;
	unsigned refused;

	refuse_some(&s, false, fds, CROWD);
	last = ask(&s);
	ino = inode(last);
	refused = order(&s, &ino, 1).refused;
	if (world_now_ms() - since < 2000)
		cr_expect_eq(refused, 0);
	while (refused == 0) {
		hostile_pause(100);
		refused = order(&s, &ino, 1).refused;
	}
	expect_refused(last);
	for (i = 0; i < CROWD; i++)
		close(fds[i]);
	stage_close(&s);
}
