/*
 * test_timeout.c - request_terminate_timeout ends requests that take too long,
 * and no other request or process
 */
#include <sys/ioctl.h>

#include "hostile.h"
#include "late.h"

/* One keep-alive connection stays open for longer than a request may take: at
 * times idle, at times with one request after the other.  One worker remains
 * free to serve other clients. */
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
			snprintf(line, sizeof(line), ": a request timed out ");
		else
			snprintf(line, sizeof(line), ": GET /%s timed out ",
				k->ways[i]);
		world_expect_lines(w, line, k->kernel ? i + 1 : 1);
		world_expect_lines(w, ": retired: timeout", i + 1);
	}
	if (kept >= 0) {
		late_begin(k, kept, KEEP_CONN, NULL);
		cr_expect_eq(late_read_pid(kept), pid, "another worker");
		close(kept);
	}
	cr_expect_eq(world_log_count(w, "; killed the worker"), i);
	late_expect_status(w, "www: processes ended: %zu timeout\n", i);
	cr_expect(!world_log_has(w, "died"));
	cr_expect(!world_log_has(w, "secret"), "a query in the log");
	world_close_changed(&w);
}

static const char *const c_ways[] = {"sleep", "spin", "stop", "stream",
	"child", NULL};
static const char *const script_ways[] = {"sleep", "spin", "stop", "stream",
	NULL};
/* The long run uses all of script_ways instead. */
static const char *const few_ways[] = {"sleep", "stop", NULL};

Test(timeout, ends_late_requests_of_a_c_program, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = "",
		.ways = c_ways};

	end_all(&k);
}

Test(timeout, ends_late_requests_of_a_static_program, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late_static"),
		.keys = "", .ways = c_ways, .kernel = true};

	end_all(&k);
}

Test(timeout, ends_late_requests_of_a_program_with_threads, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"),
		.keys = "handler_args = 2\nthreads = 2\n",
		.ways = hostile_size(0, 1) ? c_ways : few_ways,
		.crowded = true};

	end_all(&k);
}

Test(timeout, ends_late_requests_of_perl, .timeout = 60)
{
	struct late_kind k = {.handler = world_child("late.pl"), .keys = "",
		.ways = script_ways};

	end_all(&k);
	k.kernel = true;
	k.ways = hostile_size(0, 1) ? script_ways : few_ways;
	end_all(&k);
}

Test(timeout, ends_late_requests_of_php, .timeout = 60)
{
	struct late_kind k = {.handler = "/usr/bin/php-cgi",
		.keys = "env[PHP_FCGI_MAX_REQUESTS] = 0\n",
		.script = world_child("late.php"), .ways = script_ways};

	end_all(&k);
	k.kernel = true;
	k.ways = hostile_size(0, 1) ? script_ways : few_ways;
	end_all(&k);
}

/* php-cgi with two child processes: one of them hangs, alone or together with a
 * program that it has started and that has inherited its connection.  The other
 * child and their parent are not killed. */
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
	world_expect_lines(w, "; killed its child ", 1);
	snprintf(request, sizeof(request), "GET /%s", way);
	world_expect_lines(w, kernel ? "a request" : request, 1);
	(void)late_ask(&k, w);
	cr_assert_eq(world_children(w->pid, after, 4), 1);
	cr_expect_eq(before[0], after[0], "the parent was replaced");
	late_expect_status(w, "www: processes ended: 1 timeout\n");
	late_end_world(&w);
}

Test(timeout, one_child_of_a_worker_is_killed_alone, .timeout = 60)
{
	end_one_of_a_family(false, "sleep");
	end_one_of_a_family(true, "sleep");
}

Test(timeout, a_child_is_killed_with_the_program_it_started, .timeout = 60)
{
	end_one_of_a_family(false, "program");
	end_one_of_a_family(true, "program");
}

/* Its slot is marked incomplete, so the kernel is inspected. */
Test(timeout, a_worker_with_an_incomplete_slot_is_timed_by_the_kernel,
	.timeout = 60)
{
	const struct late_kind k = {.handler = world_child("spoil"),
		.keys = ""};
	struct world *w = late_start(&k, 1,
		"request_terminate_timeout = 500ms\n");
	int fd = client_connect(w, "www.sock");

	late_begin(&k, fd, 0, "hide");
	world_expect_lines(w, ": a request timed out ", 1);
	world_expect_lines(w, ": retired: timeout", 1);
	close(fd);
	world_close_changed(&w);
}

/* More child processes than the board has spare slots: those without a slot are
 * timed by the kernel. */
Test(timeout, children_without_a_slot_are_killed_too, .timeout = 60)
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
	/* Each is counted once, even if it took a while to die. */
	late_expect_status(w, "www: processes ended: 9 timeout\n");
	cr_expect_eq(world_log_count(w, "; killed its child "), 9);
	late_end_world(&w);
}

/* The shell waits for the handler. */
Test(timeout, a_shell_is_killed_with_the_handler_it_started, .timeout = 60)
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
	world_expect_lines(w, "; killed the worker and its child ", 1);
	world_expect_lines(w, ": retired: timeout", 1);
	(void)late_ask(&k, w);
	cr_expect(!world_log_has(w, "died"));
	world_close_changed(&w);
}

/* The clock runs while the worker waits for the body: it can do nothing else
 * meanwhile. */
Test(timeout, a_request_whose_body_never_arrives_is_ended, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"REQUEST_URI=/stalls", "CONTENT_LENGTH=10", NULL};
	struct world *w = late_start(&k, 2,
		"request_terminate_timeout = 500ms\n");
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	client_begin(s.fd, 1, 0, params);
	world_until(late_is_cut, &s, "a body that never arrives");
	close(s.fd);
	world_expect_lines(w, ": POST /stalls timed out ", 1);
	world_close_changed(&w);
}

/* A keep-alive connection that is never idle: each request is shorter than the
 * timeout, all of them together take longer. */
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
	cr_expect_eq(world_log_count(w, " timed out "), 0);
	world_close_changed(&w);
}

/* It reads with recv(2), which the kernel does not count. */
Test(timeout, a_busy_worker_is_not_killed, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("busy.py"),
		.keys = "", .kernel = true};
	struct world *w = late_start(&k, 1,
		"request_terminate_timeout = 500ms\n");

	be_busy(w, client_connect(w, "www.sock"));
}

/* The child's reads and sleeps count: its parent sleeps all the time. */
Test(timeout, a_busy_child_is_not_killed, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("busy.py"),
		.keys = "handler_args = child\n", .kernel = true};
	struct world *w = late_start(&k, 1,
		"request_terminate_timeout = 500ms\n");
	int fd = client_connect(w, "www.sock");

	world_expect_lines(w, ": reads requests with read(2)\n", 1);
	be_busy(w, fd);
}

/* The supervisor and how often it had slept at first. */
struct wakeups {
	pid_t pid;
	long sleeps;
};

static bool
has_checked_ten_times(void *arg)
{
	const struct wakeups *l = arg;

	return world_sleeps(l->pid) >= l->sleeps + 10;
}

/* A static program does not report when a request begins, so it is checked
 * soon, even if requests may take long. */
Test(timeout, a_worker_that_reports_nothing_is_checked_early, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late_static"),
		.keys = ""};
	struct world *w = late_start(&k, 1, "request_terminate_timeout = 1h\n");
	struct wakeups l;

	l = (struct wakeups){w->pid, world_sleeps(w->pid)};
	world_until(has_checked_ten_times, &l, "it wakes up to check");
	world_close_changed(&w);
}

/* Workers that start all the time do not postpone the next check. */
Test(timeout, a_late_request_is_ended_while_workers_are_recycled,
	.timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	/* The timeout is longer than any pause between starts: ten are allowed
	 * in each second. */
	struct world *w = late_start(&k, 2, "pm.max_requests = 1\n"
		"request_terminate_timeout = 2s\n");
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, "sleep");
	world_until(late_is_cut, &s, "others serve one request each");
	close(s.fd);
	world_expect_lines(w, ": GET /sleep timed out ", 1);
	cr_expect_gt(world_log_count(w, ": retired: requests"), 4);
	world_close_changed(&w);
}

/* A retiring worker may finish its request, but not exceed the timeout. */
Test(timeout, a_late_request_of_a_retiring_worker_is_ended, .timeout = 60)
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
	world_expect_lines(w, ": GET /sleep timed out after 2.", 1);
	world_expect_lines(w, "; killed the worker", 1);
	cr_expect(!world_log_has(w, "died"));
	world_close_changed(&w);
}

/* How long the supervisor has not woken up. */
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

Test(timeout, nothing_is_checked_while_there_are_no_workers, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	struct world *w = late_start(&k, 2, "pm = ondemand\n"
		"pm.process_idle_timeout = 100ms\n"
		"request_terminate_timeout = 500ms\n");
	struct rest r = {.pid = w->pid, .sleeps = -1};
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	(void)late_ask(&k, w);
	world_expect_workers(w, 0, 0, "the idle worker retires");
	world_until(has_rested, &r, "the supervisor does not wake up");
	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, "sleep");
	world_until(late_is_cut, &s, "the next worker is checked again");
	close(s.fd);
	world_close_changed(&w);
}

/* Pool liar: its worker writes false data on its board.  Pool www: its requests
 * are ended later.  Pool other: its worker is a possible victim. */
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

/* Returns a number from the liar's answer. */
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

/* Opens a connection on which the liar waits for more bytes.  That does not end
 * it: while it waits, the clock of the kernel tier does not run. */
static int
occupy_liar(struct world *w)
{
	static const uint8_t begin_request[8] = {0, 1};
	int fd = client_connect(w, "liar.sock");

	client_record(fd, 1, 1, begin_request, sizeof(begin_request), 0);
	world_until(is_read, &fd, "the liar reads");
	return fd;
}

/* The liar writes on its board that this process has a late request. */
static void
lie(struct world *w, long pid)
{
	cr_assert_gt(ask_liar(w, own_text("late=%ld", pid), "pid"), 0);
}

/* Waits until the nth late request of www is ended, which takes twice the
 * timeout of the liar's pool. */
static void
wait_for_www(struct world *w, size_t nth)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};
	struct late_story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	late_begin(&k, s.fd, 0, "sleep");
	world_until(late_is_cut, &s, "sleep");
	close(s.fd);
	world_expect_lines(w, ": retired: timeout", nth);
}

/* A worker can write on the board that any process has a late request.  No
 * process is killed because of that: neither if the worker is a single process,
 * nor if it has children, where only one process would be killed. */
Test(timeout, false_data_on_the_board_kills_no_process, .timeout = 60)
{
	struct world *w = world_open();
	long victims[3], liar;
	size_t nth = 0, i;
	int turn, fd;

	start_liar(w);
	liar = ask_liar(w, "", "pid");
	victims[0] = late_pid_of(w, "other.sock", NULL);
	victims[1] = w->pid;
	/* It has already exited. */
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
	/* It names itself, but it has no connection. */
	lie(w, liar);
	wait_for_www(w, ++nth);
	cr_expect_eq(world_log_count(w, " timed out "), nth, "not only www");
	cr_expect_eq(ask_liar(w, "", "pid"), liar);
	/* With a connection it is killed, once, though all its cells are
	 * late. */
	lie(w, liar);
	fd = occupy_liar(w);
	world_until_gone((pid_t)liar);
	close(fd);
	world_expect_lines(w, "; killed the worker", nth + 1);
	cr_expect_eq(world_log_count(w, " timed out "), nth + 1);
	late_expect_status(w, "liar: processes ended: 1 timeout\n");
	world_close_changed(&w);
}

/* It names another process on the board, but its own request is late too. */
Test(timeout, a_worker_with_false_data_is_timed_by_the_kernel, .timeout = 60)
{
	const struct late_kind k = {.handler = ""};
	struct world *w = world_open();
	long liar;
	int fd;

	start_liar(w);
	liar = ask_liar(w, "", "pid");
	/* Until now its board has been used. */
	wait_for_www(w, 1);
	lie(w, late_pid_of(w, "other.sock", NULL));
	fd = client_connect(w, "liar.sock");
	late_begin(&k, fd, 0, "hide");
	world_until_gone((pid_t)liar);
	close(fd);
	world_expect_lines(w, "; killed the worker", 2);
	world_close_changed(&w);
}

static bool
has_woken_up_often(void *arg)
{
	const struct wakeups *l = arg;

	return world_sleeps(l->pid) >= l->sleeps + 5;
}

/* When the board and the kernel contradict each other, the worker is checked
 * every second, not every five seconds: it may get a request soon. */
Test(timeout, a_doubtful_request_is_checked_every_second, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("spoil"),
		.keys = ""};
	struct world *w = late_start(&k, 1, "request_terminate_timeout = 5s\n");
	struct wakeups l = {.pid = w->pid};

	(void)late_pid_of(w, "www.sock", own_text("late=%ld",
		late_pid_of(w, "www.sock", NULL)));
	l.sleeps = world_sleeps(w->pid);
	world_until(has_woken_up_often, &l, "it wakes up to check");
	world_close_changed(&w);
}
