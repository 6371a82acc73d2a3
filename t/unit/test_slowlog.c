/*
 * test_slowlog.c - the entries of the slow log, and their limit
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "descriptors.h"
#include "observe/prober.h"
#include "timeout/slowlog.h"

static struct loop *loop;
static struct prober prober;
static struct slowlog *slowlog;
static char dir[] = "/tmp/fcgipm-slowlog-XXXXXX", path[100];
static pid_t target;

static struct slowlog *
open_path(void)
{
	return slowlog_open(path, "www", loop, &prober, geteuid(), getegid());
}

static void
set_up(void)
{
	loop = loop_new();
	cr_assert_not_null(loop);
	prober_init(&prober, geteuid(), getegid());
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/slow", dir);
	target = fork();
	if (target == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	slowlog = open_path();
	cr_assert_not_null(slowlog);
}

/* Closes it, which kills its tool.  Called by the tests, since failures in
 * tear_down() are ignored. */
static void
close_slowlog(void)
{
	slowlog_close(&slowlog);
	prober_fini(&prober);
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	target = 0;
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a tool is left");
	cr_expect_eq(errno, ECHILD);
}

static void
tear_down(void)
{
	slowlog_close(&slowlog);
	prober_fini(&prober);
	if (target > 0) {
		kill(target, SIGKILL);
		waitpid(target, NULL, 0);
	}
	unlink(path);
	rmdir(dir);
	loop_free(&loop);
}

TestSuite(slowlog, .init = set_up, .fini = tear_down, .timeout = 20);

static const char *
read_file(const char *name)
{
	static char text[100000];
	FILE *f = fopen(name, "re");

	cr_assert_not_null(f, "%s", strerror(errno));
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static size_t
count(const char *text, const char *want)
{
	size_t n = 0;

	for (; (text = strstr(text, want)) != NULL; text++)
		n++;
	return n;
}

/* As timeout/watchdog does. */
static void
add(const char *method, const char *uri)
{
	const struct slowlog_entry e = {getsid(0), target, method, uri,
		"answering", 1250};

	if (slowlog_has_room(slowlog))
		slowlog_add(slowlog, &e);
}

Test(slowlog, requests_beyond_five_a_second_are_counted)
{
	int i;

	for (i = 0; i < 8; i++)
		add("GET", "/");
	close_slowlog();
	cr_expect_eq(count(read_file(path), "request: GET /\n"), 5);
	cr_expect_eq(count(read_file(path), "] pool www: 3 more slow requests "
		"within 1 s have no entry\n\n"), 1);
}

static bool
has_tool(void)
{
	return access("/usr/bin/eu-stack", X_OK) == 0 ||
		access("/usr/bin/gdb", X_OK) == 0;
}

static void
on_later(struct loop_timer *timer)
{
	int i;
	(void)timer;

	for (i = 0; i < 6; i++)
		(void)slowlog_has_room(slowlog);
}

static void
end_loop(struct loop_timer *timer)
{
	(void)timer;
	loop_quit(loop);
}

/* A second begins with its first entry. */
Test(slowlog, each_second_has_room_for_five_entries)
{
	struct loop_timer later = {.on_timer = on_later},
		end = {.on_timer = end_loop};
	int i;

	cr_expect(slowlog_has_room(slowlog));
	loop_timer_set(loop, &later, loop_now(loop) + 600);
	loop_timer_set(loop, &end, loop_now(loop) + 1010);
	cr_assert_eq(loop_run(loop), 0);
	cr_expect_eq(count(read_file(path), ": 2 more slow requests "), 1);
	for (i = 0; i < 5; i++)
		cr_expect(slowlog_has_room(slowlog), "%d", i);
	cr_expect(!slowlog_has_room(slowlog));
	close_slowlog();
	cr_expect_eq(count(read_file(path), ": 1 more slow requests "), 1);
	cr_expect_eq(count(read_file(path), "more slow"), 2);
}

/* Only one stack is taken at a time, but each entry is complete. */
Test(slowlog, each_entry_has_its_own_request)
{
	const char *text, *first, *second;

	add("GET", "/first?a=\x01\"");
	add("", "");
	close_slowlog();
	text = read_file(path);
	second = strstr(text, "request: ? (not reported by the worker)\n");
	first = strstr(text, "request: GET /first?a=\\x01");
	cr_assert_not_null(second, "%s", text);
	cr_assert_not_null(first, "%s", text);
	cr_expect_eq(count(text, "running for: 1.2 s, answering\n"), 2);
	cr_expect_eq(count(text, "\n\n"), 2);
	cr_expect_eq(count(text, ", child "), 2);
	if (!has_tool())
		cr_skip_test("neither eu-stack nor gdb is installed");
	cr_expect_lt(second, first, "it did not wait for a stack");
	cr_expect_not_null(strstr(second, "user stack: not taken: that of "
		"another process was being taken\n\n"));
	cr_expect_not_null(strstr(first,
		"user stack: not taken: the pool was stopped\n\n"));
}

Test(slowlog, reports_the_process_whose_stack_is_taken)
{
	cr_expect(!slowlog_is_tracing(slowlog, target));
	add("GET", "/");
	cr_expect(slowlog_is_tracing(slowlog, target) || !has_tool());
	cr_expect(!slowlog_is_tracing(slowlog, getpid()));
}

Test(slowlog, keeps_its_file_when_reopening_fails)
{
	char old[120];

	snprintf(old, sizeof(old), "%s/old", dir);
	cr_assert_eq(rename(path, old), 0);
	cr_assert_eq(symlink("old", path), 0);
	cr_expect_eq(slowlog_reopen(slowlog), -1);
	cr_expect_eq(errno, ELOOP);
	add("GET", "/kept");
	close_slowlog();
	cr_expect_eq(count(read_file(old), "/kept"), 1);
	cr_expect_eq(unlink(old), 0);
}

Test(slowlog, writes_to_the_new_file_after_reopening)
{
	size_t descriptors = count_descriptors();
	char old[120];

	snprintf(old, sizeof(old), "%s/old", dir);
	cr_assert_eq(rename(path, old), 0);
	cr_expect_eq(slowlog_reopen(slowlog), 0);
	cr_expect_eq(count_descriptors(), descriptors);
	add("GET", "/new");
	close_slowlog();
	cr_expect_eq(count(read_file(path), "/new"), 1);
	cr_expect_str_empty(read_file(old));
	cr_expect_eq(unlink(old), 0);
}

Test(slowlog, appends_to_an_existing_file)
{
	struct stat st;

	slowlog_close(&slowlog);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(truncate(path, 3), 0);
	slowlog = open_path();
	cr_assert_not_null(slowlog);
	add("GET", "/");
	close_slowlog();
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_gt(st.st_size, 100, "after the three bytes");
	cr_expect_eq(count(read_file(path) + 3, "request: GET /\n"), 1);
}
