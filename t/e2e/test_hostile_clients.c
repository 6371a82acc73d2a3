/*
 * test_hostile_clients.c - clients that leave after any byte, that are slow,
 * that never read, and that send records of unknown requests
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "hostile.h"

/* Forks a process that attacks while the test continues and that must not use
 * assertions; returns 0 in it. */
static pid_t
fork_attacker(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(3);
	return pid;
}

static int
compare_ms(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sends valid requests one after the other until the attacker exits, and
 * asserts its exit status 0. */
static void
serve_meanwhile(struct target *t, pid_t attacker, const char *what,
	long *ret_most_kib)
{
	static int64_t took[200000], calm[200000];
	size_t n = 0, p99;
	pid_t ended;
	int status;

	while ((ended = waitpid(attacker, &status, WNOHANG)) == 0) {
		int64_t begin = world_now_ms(), calm_begin = hostile_calm_ms();
		struct answer a = hostile_call(t, "");
		long kib = hostile_rss_kib(t);

		answer_expect(a, "served\n");
		if (n < ARRAY_SIZE(took)) {
			calm[n] = hostile_calm_ms() - calm_begin;
			took[n++] = world_now_ms() - begin;
		}
		if (ret_most_kib && kib > *ret_most_kib)
			*ret_most_kib = kib;
		hostile_pause(3);
	}
	cr_assert_eq(ended, attacker);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"%s: wait status of the attacker: %x", what, (unsigned)status);
	cr_assert_gt(n, 0);
	qsort(took, n, sizeof(took[0]), compare_ms);
	qsort(calm, n, sizeof(calm[0]), compare_ms);
	p99 = n - 1 - n / 100;
	hostile_figure("%s: %zu valid requests, p99 %lld ms, slowest %lld ms",
		what, n, (long long)took[p99], (long long)took[n - 1]);
	cr_expect_lt(calm[p99], 1000, "%s: p99 %lld ms", what,
		(long long)calm[p99]);
}

/* Sends parts of a request of 700 bytes, whose program runs until killed. */
static void
leave_inside_request(struct target *t, const char *address, size_t step)
{
	char query[700] = "stay=0", what[64];
	uint8_t bytes[800];
	int64_t slowest = 0, took;
	size_t len, cut;

	memset(query + 6, '&', sizeof(query) - 6);
	len = hostile_request(bytes, sizeof(bytes), "stay=0", 0, "body");
	/* The length of a value of more than 127 bytes has four bytes. */
	query[6 + 700 - len - 3] = '\0';
	len = hostile_request(bytes, sizeof(bytes), query, 0, "body");
	cr_assert_eq(len, 700);
	/* The parameters end at byte 680, where the program starts. */
	for (cut = 0; cut <= len; cut += cut < 660 ? step : 1) {
		int fd = client_connect(t->w, address);
		long before = hostile_starts(t);

		client_send(fd, bytes, cut);
		/* Every other client leaves before its program starts. */
		while (cut >= 680 && cut % 2 && hostile_starts(t) == before)
			hostile_pause(1);
		close(fd);
		snprintf(what, sizeof(what), "closed after byte %zu", cut);
		took = hostile_programs_gone(t, what);
		slowest = took > slowest ? took : slowest;
	}
	hostile_unharmed(t, "clients that leave inside their request");
	hostile_figure("a client leaves inside its request: its program lives "
		"for at most %lld ms", (long long)slowest);
}

/* Clients that leave after each byte of a response. */
static void
leave_inside_answer(struct target *t, const char *address, size_t step)
{
	/* A record's header, 28 bytes of header lines, 4096 of body. */
	const size_t whole = 8 + 28 + 4096;
	int64_t slowest = 0, took;
	char what[64], *answer = malloc(whole);
	size_t cut;

	cr_assert_not_null(answer);
	for (cut = 0; cut <= whole; cut += step) {
		int fd = hostile_begin(t, address, "stay=4096");

		client_read_bytes(fd, answer, cut);
		close(fd);
		snprintf(what, sizeof(what), "closed after byte %zu", cut);
		took = hostile_programs_gone(t, what);
		slowest = took > slowest ? took : slowest;
	}
	free(answer);
	hostile_unharmed(t, "clients that leave inside their response");
	hostile_figure("a client leaves inside its response: its program lives "
		"for at most %lld ms", (long long)slowest);
}

Test(hostile_clients, clients_may_leave_after_each_byte_of_a_request,
	.timeout = 900)
{
	struct target t = hostile_start("");

	leave_inside_request(&t, "www.sock", hostile_size(13, 1));
	leave_inside_request(&t, t.w->tcp, hostile_size(17, 1));
	hostile_end(&t, "clients that leave");
}

Test(hostile_clients, clients_may_leave_after_each_byte_of_a_response,
	.timeout = 900)
{
	struct target t = hostile_start("");

	leave_inside_answer(&t, "www.sock", hostile_size(59, 1));
	leave_inside_answer(&t, t.w->tcp, hostile_size(97, 3));
	hostile_end(&t, "clients that leave");
}

/* Sends one byte per 200 ms on each connection, rounds times, and exits. */
static void
drip(const int *fds, size_t n, const uint8_t *bytes, size_t rounds)
{
	size_t round, i;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < n; i++) {
			if (send(fds[i], bytes + round, 1, MSG_NOSIGNAL) != 1)
				_exit(1);
			/* Twenty pauses per round spread the load evenly. */
			if (i * 20 / n != (i + 1) * 20 / n)
				hostile_pause(10);
		}
	}
	_exit(0);
}

Test(hostile_clients, slow_senders_do_not_delay_other_clients, .timeout = 900)
{
	struct target t = hostile_start("");
	size_t n = hostile_size(200, 2000), rounds = hostile_size(12, 300), i;
	uint8_t bytes[800];
	char query[600];
	struct rlimit lim;
	pid_t attacker;
	int *fds = calloc(n, sizeof(*fds));

	cr_assert_not_null(fds);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	lim.rlim_cur = lim.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	cr_assert_geq(lim.rlim_cur, n + 100, "the hard limit of descriptors "
		"is too low for this test: ulimit -n");
	/* The request is longer than what is sent of it. */
	memset(query, 'q', sizeof(query));
	query[400] = '\0';
	cr_assert_gt(hostile_request(bytes, sizeof(bytes), query, 0, ""),
		rounds);
	for (i = 0; i < n; i++)
		fds[i] = client_connect(t.w, "www.sock");
	attacker = fork_attacker();
	if (attacker == 0)
		drip(fds, n, bytes, rounds);
	for (i = 0; i < n; i++)
		close(fds[i]);
	serve_meanwhile(&t, attacker, "slow senders", NULL);
	free(fds);
	hostile_end(&t, "slow senders");
}

/* Waits until the gateway uses no CPU time. */
static void
settle(struct target *t)
{
	int64_t until = world_now_ms() + 20000, before;

	do {
		before = hostile_cpu_ms(t);
		hostile_pause(200);
		cr_assert_lt(world_now_ms(), until, "the gateway stays busy");
	} while (hostile_cpu_ms(t) > before);
}

/* Unread output is kept by the program, not by the gateway. */
Test(hostile_clients, clients_that_never_read_use_bounded_memory,
	.timeout = 900)
{
	struct target t = hostile_start("pm.max_children = 220\n");
	size_t n = hostile_size(30, 200), i;
	struct pollfd p = {.events = POLLIN};
	int fds[200];
	long more;

	for (i = 0; i < n; i++)
		fds[i] = hostile_begin(&t, "www.sock", "big=67108864");
	for (i = 0; i < n; i++) {
		p.fd = fds[i];
		cr_assert_eq(poll(&p, 1, 20000), 1, "reader %zu", i);
	}
	hostile_serves(&t, "readers that never read");
	settle(&t);
	hostile_serves(&t, "readers that never read");
	more = hostile_rss_kib(&t) - t.rss_kib;
	hostile_figure("%zu clients that never read: %ld KiB of the gateway's "
		"memory", n, more);
	cr_expect_leq(more, 64 * (long)n, "%ld KiB for %zu", more, n);
	cr_expect_eq(world_children(t.gateway, NULL, 0), n,
		"programs do not wait");
	for (i = 0; i < n; i++)
		close(fds[i]);
	hostile_end(&t, "readers that never read");
}

/* Sends total bytes of records for requests that have not begun, and exits. */
static void
flood(int fd, size_t total)
{
	static const uint8_t types[] = {2, 4, 5, 6, 8, 12, 255};
	static uint8_t rec[8 + 65535 + 255];
	size_t at = 0, sent = 0, i = 0;

	while (sent < total) {
		const uint8_t head[8] = {1, types[i % 7], (uint8_t)(i % 200),
			7, 255, 255, 255, 0};
		ssize_t n;

		memcpy(rec, head, 8);
		n = send(fd, rec + at, sizeof(rec) - at, MSG_NOSIGNAL);
		if (n <= 0)
			_exit(1);
		sent += (size_t)n;
		at = (at + (size_t)n) % sizeof(rec);
		i += at == 0;
	}
	_exit(0);
}

Test(hostile_clients, records_of_unknown_requests_use_no_memory, .timeout = 900)
{
	static const uint8_t begin_body[8] = {0, 1};
	struct target t = hostile_start("");
	long most = 0;
	pid_t attacker;
	int fd, inside;

	for (inside = 0; inside < 2; inside++) {
		fd = client_connect(t.w, "www.sock");
		/* Between requests, then in the middle of one. */
		if (inside)
			client_record(fd, 1, 1, begin_body, 8, 0);
		attacker = fork_attacker();
		if (attacker == 0)
			flood(fd, hostile_size(64 << 20, 1 << 30));
		close(fd);
		serve_meanwhile(&t, attacker, "a flood of records", &most);
	}
	hostile_figure("a flood of records: %ld KiB more", most - t.rss_kib);
	cr_expect_lt(most - t.rss_kib, 1024, "%ld KiB more",
		most - t.rss_kib);
	hostile_end(&t, "a flood of records");
}

/* A request that is answered before its body arrives. */
static int
begin_answered(struct target *t)
{
	const char *params[] = {"CONTENT_LENGTH=x", NULL};
	int fd = client_connect(t->w, "www.sock");
	struct answer a;

	client_begin(fd, 1, 0, params);
	a = client_read(fd);
	answer_expect(a, "Status: 400");
	cr_assert(a.ended);
	return fd;
}

/* The client may read the response for two seconds, then it is closed. */
Test(hostile_clients, a_silent_client_is_closed_after_an_early_response,
	.timeout = 60)
{
	struct target t = hostile_start("");
	int fd = begin_answered(&t);
	int64_t begin = world_now_ms();

	/* A hangup: it is closed, not just shut down for writing. */
	cr_expect_eq(poll(&(struct pollfd){.fd = fd}, 1, 15000), 1,
		"it stays open");
	cr_expect_geq(world_now_ms() - begin, 1500, "closed too early");
	close(fd);
	hostile_end(&t, "silence after an early response");
}

/* Further input is dropped, up to a limit. */
Test(hostile_clients, input_after_an_early_response_is_limited, .timeout = 60)
{
	static const uint8_t block[65536];
	const size_t most = (size_t)66 * 1024 * 1024;
	struct target t = hostile_start("");
	int fd = begin_answered(&t);
	size_t total = 0;
	ssize_t n;

	while (total < most &&
		(n = send(fd, block, sizeof(block), MSG_NOSIGNAL)) > 0)
		total += (size_t)n;
	cr_expect_lt(total, most, "the input is not limited");
	close(fd);
	hostile_end(&t, "a flood after an early response");
}
