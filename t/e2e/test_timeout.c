/*
 * test_timeout.c - requests that take too long are ended, and nobody else is
 * harmed
 */
#include <sys/ioctl.h>

#include "hostile.h"
#include "late.h"

/* One connection is kept all the time, for longer than any request may take:
 * now without a request, now with one after the other.  One worker is left to
 * serve others. */
static void
end_all(const struct late_kind *k)
{
	size_t i;
	struct world *w = late_start(k, 3,
		"request_terminate_timeout = 500ms\n");
	int kept = -1;
	struct late_story s = {.kind = k, .w = w, .busy = -1};
	char line[100];
	long pid = 0;

	if (!k->crowded) {
		kept = client_connect(w, "www.sock");
		late_begin(k, kept, KEEP_CONN, NULL);
		pid = late_read_pid(kept);
	}
	for (i = 0; k->ways[i]; i++) {
		s.fd = client_connect(w, "www.sock");
		if (k->kernel)
			late_be_known(k, w, s.fd);
		late_begin(k, s.fd, 0, k->ways[i]);
		s.busy = i % 2 ? kept : -1;
		world_until(late_is_cut, &s, k->ways[i]);
		close(s.fd);
		if (k->kernel)
			snprintf(line, sizeof(line), ": a request has taken");
		else
			snprintf(line, sizeof(line), ": GET /%s has taken ",
				k->ways[i]);
		world_expect_lines(w, line, k->kernel ? i + 1 : 1);
		world_expect_lines(w, " left: timeout", i + 1);
	}
	if (kept >= 0) {
		late_begin(k, kept, KEEP_CONN, NULL);
		cr_expect_eq(late_read_pid(kept), pid, "it kept its worker");
		close(kept);
	}
	cr_expect_eq(world_log_count(w, "the worker is killed"), i);
	late_expect_status(w, "www: processes ended: %zu timeout\n", i);
	cr_expect(!world_log_has(w, "died"));
	cr_expect(!world_log_has(w, "secret"), "no query in the log");
	world_close_changed(&w);
}

static const char *const c_ways[] = {"sleep", "spin", "stop", "stream",
	"child", NULL};
static const char *const script_ways[] = {"sleep", "spin", "stop", "stream",
	NULL};
/* In the long run all of them. */
static const char *const few_ways[] = {"sleep", "stop", NULL};

Test(timeout, c, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = "",
		.ways = c_ways};

	end_all(&k);
}

Test(timeout, c_static, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late_static"),
		.keys = "", .ways = c_ways, .kernel = true};

	end_all(&k);
}

Test(timeout, c_threads, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"),
		.keys = "handler_args = 2\nthreads = 2\n",
		.ways = hostile_size(0, 1) ? c_ways : few_ways,
		.crowded = true};

	end_all(&k);
}

Test(timeout, perl, .timeout = 60)
{
	struct late_kind k = {.handler = world_child("late.pl"), .keys = "",
		.ways = script_ways};

	end_all(&k);
	k.kernel = true;
	k.ways = hostile_size(0, 1) ? script_ways : few_ways;
	end_all(&k);
}

Test(timeout, php, .timeout = 60)
{
	struct late_kind k = {.handler = "/usr/bin/php-cgi",
		.keys = "env[PHP_FCGI_MAX_REQUESTS] = 0\n",
		.script = world_child("late.php"), .ways = script_ways};

	end_all(&k);
	k.kernel = true;
	k.ways = hostile_size(0, 1) ? script_ways : few_ways;
	end_all(&k);
}

/* php-cgi with children of its own: one of them hangs, by itself or with a
 * program that it has started and that has its connection too.  The other one
 * and their parent stay. */
static void
end_one_of_a_family(bool kernel, const char *way)
{
	struct late_kind k = {.handler = "/usr/bin/php-cgi",
		.keys = "env[PHP_FCGI_CHILDREN] = 2\n",
		.script = world_child("late.php"), .kernel = kernel};
	struct world *w = late_start(&k, 1,
		"request_terminate_timeout = 500ms\n");
	struct late_story s = {.kind = &k, .w = w, .busy = -1};
	pid_t before[4], after[4];
	char request[40];

	cr_assert_eq(world_children(w->pid, before, 4), 1);
	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, way);
	world_until(late_is_cut, &s, way);
	close(s.fd);
	world_expect_lines(w, ": the child is killed", 1);
	snprintf(request, sizeof(request), "GET /%s", way);
	world_expect_lines(w, kernel ? "a request" : request, 1);
	(void)late_ask(&k, w);
	cr_assert_eq(world_children(w->pid, after, 4), 1);
	cr_expect_eq(before[0], after[0], "the parent stayed");
	late_expect_status(w, "www: processes ended: 1 timeout\n");
	late_end_world(&w);
}

Test(timeout, one_of_a_family, .timeout = 60)
{
	end_one_of_a_family(false, "sleep");
	end_one_of_a_family(true, "sleep");
}

Test(timeout, one_of_a_family_with_what_it_started, .timeout = 60)
{
	end_one_of_a_family(false, "program");
	end_one_of_a_family(true, "program");
}

/* A worker whose slot does not tell all is ended by what the kernel shows. */
Test(timeout, one_that_hides, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("spoil"),
		.keys = ""};
	struct world *w = late_start(&k, 1,
		"request_terminate_timeout = 500ms\n");
	int fd = client_connect(w, "www.sock");

	late_begin(&k, fd, 0, "hide");
	world_expect_lines(w, ": a request has taken ", 1);
	world_expect_lines(w, " left: timeout", 1);
	close(fd);
	world_close_changed(&w);
}

/* More children than the board has slots for: one that has none is ended by
 * what the kernel shows. */
Test(timeout, all_of_a_large_family, .timeout = 60)
{
	struct late_kind k = {.handler = "/usr/bin/php-cgi",
		.keys = "env[PHP_FCGI_CHILDREN] = 9\n",
		.script = world_child("late.php"), .crowded = true};
	struct world *w = late_start(&k, 1,
		"request_terminate_timeout = 500ms\n");
	struct late_story s[9];

	for (size_t i = 0; i < 9; i++) {
		s[i] = (struct late_story){.kind = &k, .w = w, .busy = -1,
			.fd = client_connect(w, "www.sock")};
		late_begin(&k, s[i].fd, 0, "sleep");
	}
	for (size_t i = 0; i < 9; i++) {
		world_until(late_is_cut, &s[i], "a child without a slot");
		close(s[i].fd);
	}
	/* Each once, also where it took a while to die. */
	late_expect_status(w, "www: processes ended: 9 timeout\n");
	cr_expect_eq(world_log_count(w, ": the child is killed"), 9);
	late_end_world(&w);
}

/* A shell that waits for its handler goes with it. */
Test(timeout, below_a_shell, .timeout = 60)
{
	struct world *w = world_open();
	const char *script = world_script(w, "late.sh",
		"#!/bin/sh\n@T@/children/late\nexit $?\n");
	const struct late_kind k = {.handler = script, .keys = ""};
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	world_start(w, own_text("[fcgipm]\nlog_level = debug\n"
		"[www]\nlisten = @DIR@/www.sock\nhandler = %s\n"
		"pm.max_children = 2\nrequest_terminate_timeout = 500ms\n",
		script));
	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, "sleep");
	world_until(late_is_cut, &s, "sleep");
	close(s.fd);
	world_expect_lines(w, ": the worker is killed", 1);
	world_expect_lines(w, " left: timeout", 1);
	(void)late_ask(&k, w);
	cr_expect(!world_log_has(w, "died"));
	world_close_changed(&w);
}

/* The clock runs while a body is awaited: its worker can do nothing else. */
Test(timeout, a_client_that_stalls, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"REQUEST_URI=/stalls", "CONTENT_LENGTH=10", NULL};
	struct world *w = late_start(&k, 2,
		"request_terminate_timeout = 500ms\n");
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	client_begin(s.fd, 1, 0, params);
	world_until(late_is_cut, &s, "a body that never comes");
	close(s.fd);
	world_expect_lines(w, ": POST /stalls has taken ", 1);
	world_close_changed(&w);
}

/* Over a connection that is kept and never rests: each request is short, all of
 * them are long. */
static void
be_busy(struct world *w, int fd)
{
	const struct late_kind k = {.handler = ""};
	struct record r;
	int i;

	for (i = 0; i < 8; i++) {
		late_begin(&k, fd, KEEP_CONN, NULL);
		do
			client_read_record(fd, &r);
		while (r.type != END);
	}
	close(fd);
	cr_expect_eq(world_log_count(w, "has taken "), 0);
	world_close_changed(&w);
}

/* By recv(2), which the kernel does not count. */
Test(timeout, one_who_is_busy_lives, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("busy.py"),
		.keys = "", .kernel = true};
	struct world *w = late_start(&k, 1,
		"request_terminate_timeout = 500ms\n");

	be_busy(w, client_connect(w, "www.sock"));
}

/* What counts is what the child has read and how often it slept: its parent
 * sleeps all the time. */
Test(timeout, a_child_that_is_busy_lives, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("busy.py"),
		.keys = "handler_args = child\n", .kernel = true};
	struct world *w = late_start(&k, 1,
		"request_terminate_timeout = 500ms\n");
	int fd = client_connect(w, "www.sock");

	world_expect_lines(w, " reads from its clients by read(2)\n", 1);
	be_busy(w, fd);
}

/* Nothing tells when a static program began: it is looked at early, however
 * long a request may take. */
struct looks {
	pid_t pid;
	long sleeps;
};

static bool
is_looked_at(void *arg)
{
	const struct looks *l = arg;

	return world_sleeps(l->pid) >= l->sleeps + 10;
}

Test(timeout, looks_early_at_who_tells_nothing, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late_static"),
		.keys = ""};
	struct world *w = late_start(&k, 1, "request_terminate_timeout = 1h\n");
	struct looks l;

	l = (struct looks){w->pid, world_sleeps(w->pid)};
	world_until(is_looked_at, &l, "it wakes up to look");
	world_close_changed(&w);
}

/* Workers that come up all the time do not put off the next check. */
Test(timeout, among_workers_that_come_and_go, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	/* Longer than a pool may go without a start: ten are allowed in each
	 * second. */
	struct world *w = late_start(&k, 2, "pm.max_requests = 1\n"
		"request_terminate_timeout = 2s\n");
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, "sleep");
	world_until(late_is_cut, &s, "others live for one request");
	close(s.fd);
	world_expect_lines(w, ": GET /sleep has taken ", 1);
	cr_expect_gt(world_log_count(w, " left: requests"), 4);
	world_close_changed(&w);
}

/* A worker that is to leave is in no hurry, but its request is. */
Test(timeout, one_that_is_to_leave, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	struct world *w = late_start(&k, 1, "pm.max_age = 300ms\n"
		"request_terminate_timeout = 2s\n");
	struct late_story s = {.kind = &k, .w = w, .busy = -1};
	int64_t begun_ms = world_now_ms();

	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, "sleep");
	world_until(late_is_cut, &s, "its replacement serves others");
	cr_expect_geq(world_now_ms() - begun_ms, 2000);
	close(s.fd);
	world_expect_lines(w, ": GET /sleep has taken 2.", 1);
	world_expect_lines(w, ": the worker is killed", 1);
	cr_expect(!world_log_has(w, "died"));
	world_close_changed(&w);
}

/* As long as there are no workers nothing is checked. */
struct rest {
	pid_t pid;
	long sleeps;
	int64_t since_ms;
};

static bool
has_rested(void *arg)
{
	struct rest *r = arg;
	long now = world_sleeps(r->pid);

	if (now != r->sleeps) {
		r->sleeps = now;
		r->since_ms = world_now_ms();
	}
	return world_now_ms() - r->since_ms > 1500;
}

Test(timeout, rests_without_workers, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	struct world *w = late_start(&k, 2, "pm = ondemand\n"
		"pm.process_idle_timeout = 100ms\n"
		"request_terminate_timeout = 500ms\n");
	struct rest r = {.pid = w->pid, .sleeps = -1};
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	(void)late_ask(&k, w);
	world_expect_workers(w, 0, 0, "the idle one leaves");
	world_until(has_rested, &r, "the supervisor sleeps on");
	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, "sleep");
	world_until(late_is_cut, &s, "the next worker is checked again");
	close(s.fd);
	world_close_changed(&w);
}

/* A pool of a liar, one whose requests are ended later, and one of another
 * victim. */
static void
start_liar(struct world *w)
{
	world_start(w, "[fcgipm]\nlog_level = debug\n"
		"[liar]\nlisten = @DIR@/liar.sock\npm.max_children = 1\n"
		"handler = @T@/children/spoil\nthreads = 2\n"
		"request_terminate_timeout = 400ms\n"
		"[other]\nlisten = @DIR@/other.sock\npm.max_children = 1\n"
		"handler = @T@/children/late\n"
		"[www]\nlisten = @DIR@/www.sock\npm.max_children = 2\n"
		"handler = @T@/children/late\n"
		"request_terminate_timeout = 800ms\n");
}

/* A number that the liar answers. */
static long
ask_liar(struct world *w, const char *query, const char *label)
{
	struct answer a = client_script(w, "liar.sock", NULL, query);
	long n = answer_number(&a, label);

	return n;
}

static bool
is_read(void *arg)
{
	int unread = 1;

	return ioctl(*(int *)arg, TIOCOUTQ, &unread) == 0 && unread == 0;
}

/* A connection that the liar waits for more from, which is no reason to end
 * it: its clock, where the kernel is asked, does not run. */
static int
occupy_liar(struct world *w)
{
	static const uint8_t begin_request[8] = {0, 1};
	int fd = client_connect(w, "liar.sock");

	client_record(fd, 1, 1, begin_request, sizeof(begin_request), 0);
	world_until(is_read, &fd, "the liar reads");
	return fd;
}

/* In its own pool the liar says of this process that its request is late. */
static void
lie(struct world *w, long pid)
{
	cr_assert_gt(ask_liar(w, own_text("late=%ld", pid), "pid"), 0);
}

/* For as long as it takes www to find its nth late one, which is twice the
 * limit of the liar's pool. */
static void
wait_for_www(struct world *w, size_t nth)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, "sleep");
	world_until(late_is_cut, &s, "sleep");
	close(s.fd);
	world_expect_lines(w, " left: timeout", nth);
}

/* A worker may say on the board of any process that its request is late: none
 * is ended by that, neither where the worker is a single process nor where it
 * has children, of which only one would be killed. */
Test(timeout, a_liar_ends_nobody, .timeout = 60)
{
	struct world *w = world_open();
	long victims[3], liar;
	size_t nth = 0, i;
	int turn, fd;

	start_liar(w);
	liar = ask_liar(w, "", "pid");
	victims[0] = late_pid_of(w, "other.sock", NULL);
	victims[1] = w->pid;
	/* That is dead already. */
	victims[2] = ask_liar(w, "zombie", "child");
	for (turn = 0; turn < 2; turn++) {
		for (i = 0; i < 3; i++) {
			lie(w, victims[i]);
			fd = occupy_liar(w);
			wait_for_www(w, ++nth);
			cr_expect(i == 2 || world_alive((pid_t)victims[i]),
				"%zu", i);
			cr_expect(world_alive((pid_t)liar), "%zu", i);
			close(fd);
		}
		(void)ask_liar(w, "fork=2", "pid");
	}
	/* Itself, but it has no connection. */
	lie(w, liar);
	wait_for_www(w, ++nth);
	cr_expect_eq(world_log_count(w, "has taken "), nth, "all of www");
	cr_expect_eq(ask_liar(w, "", "pid"), liar);
	/* With one it is ended, and once, though all its places are late. */
	lie(w, liar);
	fd = occupy_liar(w);
	world_until_gone((pid_t)liar);
	close(fd);
	world_expect_lines(w, ": the worker is killed", nth + 1);
	cr_expect_eq(world_log_count(w, "has taken "), nth + 1);
	late_expect_status(w, "liar: processes ended: 1 timeout\n");
	world_close_changed(&w);
}

/* One that names another process is no less late itself. */
Test(timeout, a_liar_is_ended, .timeout = 60)
{
	const struct late_kind k = {.handler = ""};
	struct world *w = world_open();
	long liar;
	int fd;

	start_liar(w);
	liar = ask_liar(w, "", "pid");
	/* It was believed until now. */
	wait_for_www(w, 1);
	lie(w, late_pid_of(w, "other.sock", NULL));
	fd = client_connect(w, "liar.sock");
	late_begin(&k, fd, 0, "hide");
	world_until_gone((pid_t)liar);
	close(fd);
	world_expect_lines(w, ": the worker is killed", 2);
	world_close_changed(&w);
}

static bool
has_woken_up_often(void *arg)
{
	const struct looks *l = arg;

	return world_sleeps(l->pid) >= l->sleeps + 5;
}

/* A worker whose board and kernel contradict each other is checked once a
 * second, not every five: it may have a request soon. */
Test(timeout, a_liar_is_checked_again, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("spoil"),
		.keys = ""};
	struct world *w = late_start(&k, 1, "request_terminate_timeout = 5s\n");
	struct looks l = {.pid = w->pid};

	(void)late_pid_of(w, "www.sock", own_text("late=%ld",
		late_pid_of(w, "www.sock", NULL)));
	l.sleeps = world_sleeps(w->pid);
	world_until(has_woken_up_often, &l, "it wakes up to check");
	world_close_changed(&w);
}
