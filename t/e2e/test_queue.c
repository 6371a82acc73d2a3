/*
 * test_queue.c - requests that wait for a program to exit, programs that run
 * too long, and idle keep-alive connections
 */
#include "world.h"

/* Responds when the file QUERY_STRING exists in its directory. */
static const char waiter[] =
	"#!/bin/sh\n"
	"echo $$ >>started\n"
	"printf 'Content-Type: text/plain\\n\\n'\n"
	"while [ -n \"$QUERY_STRING\" ] && [ ! -e \"$QUERY_STRING\" ]; do\n"
	"	sleep 0.02\n"
	"done\n"
	"echo served\n";

static int
begin(struct world *w, const char *query, int flags)
{
	char text[64];
	const char *const params[] = {"REQUEST_METHOD=GET", text, NULL};
	int fd = client_connect(w, "www.sock");

	snprintf(text, sizeof(text), "QUERY_STRING=%s", query);
	client_ask(fd, flags, params);
	return fd;
}

static size_t
count_lines(const struct world *w, const char *name)
{
	FILE *f = fopen(world_path(w, name), "r");
	size_t n = 0;
	int c;

	if (!f)
		return 0;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static bool
one_started(void *arg)
{
	return count_lines(arg, "started") == 1;
}

static void
expect_served(int fd)
{
	struct answer a = client_read(fd);

	answer_expect(a, "served\n");
	cr_expect(a.ended);
	close(fd);
}

Test(queue, a_client_that_waits_too_long_gets_503, .timeout = 30)
{
	struct world *w = world_start_script(waiter,
		"pm.max_children = 1\nqueue_timeout = 1500ms\n");
	int first = begin(w, "go", 0), late[20];

	world_until(one_started, w, "the first program");
	for (size_t i = 0; i < 20; i++)
		late[i] = begin(w, "", 0);
	for (size_t i = 0; i < 20; i++)
		client_expect_503(late[i], "Retry-After: 2\r\n");
	cr_expect_eq(count_lines(w, "started"), 1,
		"a program was started after 503");
	world_expect_log(w, "503: waited longer than queue_timeout (1500 ms) "
		"for one of 1 programs to end; raise pm.max_children");
	world_write(w, "go", "");
	expect_served(first);
	expect_served(begin(w, "", 0));
}

Test(queue, a_request_that_starts_in_time_is_served, .timeout = 30)
{
	struct world *w = world_start_script(waiter,
		"pm.max_children = 1\nqueue_timeout = 20s\n");
	int first = begin(w, "go", 0), later[5];

	world_until(one_started, w, "the first program");
	for (size_t i = 0; i < 5; i++)
		later[i] = begin(w, "", 0);
	world_write(w, "go", "");
	expect_served(first);
	for (size_t i = 0; i < 5; i++)
		expect_served(later[i]);
}

Test(queue, without_queue_timeout_a_request_waits, .timeout = 30)
{
	struct world *w = world_start_script(waiter, "pm.max_children = 1\n");
	int first = begin(w, "go", 0), second;

	world_until(one_started, w, "the first program");
	second = begin(w, "", 0);
	world_write(w, "go", "");
	expect_served(first);
	expect_served(second);
}

Test(queue, a_client_that_leaves_the_queue_starts_no_program, .timeout = 30)
{
	struct world *w = world_start_script(waiter,
		"pm.max_children = 1\nqueue_timeout = 20s\n");
	int first = begin(w, "go", 0), gone, last;

	world_until(one_started, w, "the first program");
	gone = begin(w, "", 0);
	last = begin(w, "", 0);
	close(gone);
	world_write(w, "go", "");
	expect_served(first);
	expect_served(last);
	cr_expect_eq(count_lines(w, "started"), 2);
}

/* It is busy all the time, so cgi.idle_timeout would not end it. */
static const char busy[] =
	"#!/bin/sh\n"
	"echo $$ >pid.new && mv pid.new pid\n"
	"[ \"$QUERY_STRING\" != ignore ] || trap '' TERM\n"
	"case $QUERY_STRING in\n"
	"stop) kill -STOP $$ ;;\n"
	"talk) printf 'Content-Type: text/plain\\n\\n'\n"
	"	while :; do echo line; sleep 0.05; done ;;\n"
	"*) while :; do sleep 0.05; done ;;\n"
	"esac\n";

static void
expect_ended(const char *query, bool answered)
{
	struct world *w = world_start_script(busy,
		"request_terminate_timeout = 500ms\n");
	int fd = begin(w, query, 0);
	pid_t pid = world_read_pid(world_path(w, "pid"));

	if (answered) {
		answer_expect(client_read(fd),
			"Status: 504 Gateway Timeout\r\n");
	} else {
		/* It began, so only END_REQUEST is missing. */
		cr_expect_gt(client_drain(fd), 0);
	}
	close(fd);
	world_until_gone(pid);
	world_expect_log(w, "504: timed out after 0.5 s "
		"(request_terminate_timeout); killed; raise it if");
	world_close(&w);
}

Test(queue, a_program_that_runs_too_long_is_killed, .timeout = 30)
{
	expect_ended("", true);
}

Test(queue, a_late_program_that_ignores_term_is_killed, .timeout = 30)
{
	expect_ended("ignore", true);
}

Test(queue, a_late_program_that_is_stopped_is_killed, .timeout = 30)
{
	expect_ended("stop", true);
}

Test(queue, a_response_that_runs_too_long_is_cut, .timeout = 30)
{
	expect_ended("talk", false);
}

/* When descriptors run out. */
Test(queue, idle_connections_are_closed_for_new_ones, .timeout = 60)
{
	struct world *w = world_open();
	const char *argv[] = {"fcgipm-cgi", "-l", world_path(w, "www.sock"),
		"-j", "2", world_script(w, "script", waiter), NULL};
	const char *limited[] = {"/usr/bin/prlimit", "--nofile=48",
		world_handler("../fcgipm-cgi"), argv[1], argv[2],
		argv[3], argv[4], argv[5], NULL};
	int kept[64];
	size_t i, n = 64;
	char c;

	world_launch_argv(w, limited);
	world_expect_log(w, "ready: ");
	/* Each has FCGI_KEEP_CONN; all are answered. */
	for (i = 0; i < n; i++) {
		struct answer a;

		kept[i] = begin(w, "", 1);
		a = client_read(kept[i]);
		answer_expect(a, "served\n");
		cr_expect(a.ended);
	}
	/* The one that was idle longest was closed, not the last one. */
	cr_expect_eq(recv(kept[0], &c, 1, MSG_DONTWAIT), 0);
	cr_expect_eq(recv(kept[n - 1], &c, 1, MSG_DONTWAIT), -1);
}
