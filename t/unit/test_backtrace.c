/*
 * test_backtrace.c - the output of the tool that takes a stack, and tools that
 * misbehave
 *
 * Scripts replace the tool and get its arguments: $4 is the process.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"
#include "sys/procfs.h"
#include "timeout/backtrace.h"

static struct loop *loop;
static struct backtrace b;
static char dir[] = "/tmp/fcgipm-backtrace-XXXXXX", path[100];
static char *text;		/* what on_done() was given */
static unsigned calls;		/* of it */
static pid_t target;

static void
on_done(struct backtrace *bt, const char *got)
{
	cr_expect_eq(bt, &b);
	cr_expect(!backtrace_runs(bt), "the next one could not be started");
	calls++;
	free(text);
	text = strdup(got);
	loop_quit(loop);
}

static void
set_up(void)
{
	loop = loop_new();
	cr_assert_not_null(loop);
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chmod(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/tool", dir);
	target = fork();
	if (target == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	backtrace_init(&b, loop, geteuid(), getegid(), on_done);
	b.tool = path;
	b.is_gdb = false;
}

static void
tear_down(void)
{
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	unlink(path);
	rmdir(dir);
	loop_free(&loop);
	free(text);
}

TestSuite(backtrace, .init = set_up, .fini = tear_down, .timeout = 20);

/* Starts the tool in a new loop, since a loop that was quit cannot run
 * again. */
static void
start(void)
{
	const char *why;

	loop_free(&loop);
	loop = b.loop = loop_new();
	cr_assert_not_null(loop);
	why = backtrace_start(&b, target, getsid(0));
	cr_assert_null(why, "%s", why);
	cr_assert(backtrace_runs(&b));
}

static void
start_tool(const char *script)
{
	FILE *f = fopen(path, "we");

	cr_assert_not_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", script);
	cr_assert_eq(fclose(f), 0);
	cr_assert_eq(chmod(path, 0755), 0);
	start();
}

/* Runs the script as the tool and returns the result. */
static const char *
run_tool(const char *script)
{
	size_t descriptors = count_descriptors();
	unsigned before = calls;

	start_tool(script);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(calls, before + 1);
	cr_expect_eq(count_descriptors(), descriptors);
	return text;
}

static void
expect_why(const char *script, const char *why)
{
	char want[200];

	snprintf(want, sizeof(want), "%s: %s", path, why);
	cr_expect_str_eq(run_tool(script), want);
}

static void
wait_for_state(pid_t pid, const char *states)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	while (!strchr(states, procfs_state(pid)))
		nanosleep(&moment, NULL);
}

Test(backtrace, keeps_frames_and_their_threads)
{
	cr_expect_str_eq(run_tool("echo \"PID $4 - process\"\n"
		"echo 'TID 5:'\necho '#0  a'\necho warning >&2\n"
		"echo 'Thread 1 (LWP 5):'\necho '#1  b'\necho 'the end'"),
		"TID 5:\n#0  a\nThread 1 (LWP 5):\n#1  b\n");
	cr_expect_str_eq(run_tool("echo \"#$3 $4\" | sed s/$4/pid/"),
		"#-p pid\n", "has lines of the previous stack");
}

Test(backtrace, without_frames_reports_the_last_line_of_the_tool)
{
	expect_why("echo first\necho\necho 'last words'\necho",
		"last words");
	expect_why("echo 'TID 5:'\necho 'not permitted'", "not permitted");
	expect_why("exit 1", "no output");
}

Test(backtrace, reports_that_the_tool_cannot_be_executed)
{
	b.tool = "/nonexistent/tool";
	start();
	cr_assert_eq(loop_run(loop), 0);
	cr_expect_str_eq(text,
		"/nonexistent/tool: exec: No such file or directory");
	/* The next result does not contain it. */
	b.tool = path;
	cr_expect_str_eq(run_tool("echo '#0  a'"), "#0  a\n");
}

Test(backtrace, accepts_any_bytes_up_to_64_KiB)
{
	cr_expect_str_eq(run_tool("printf '#0  a\\000b\\n'"), "#0  a.b\n");
	run_tool("i=0; while [ $i -lt 20000 ]; do echo '#0  0123456789'; "
		"i=$((i + 1)); done");
	cr_expect_eq(strlen(text), 65535);
}

Test(backtrace, kills_a_tool_after_ten_seconds)
{
	char script[200], name[120];
	pid_t child = 0;
	FILE *f;

	snprintf(name, sizeof(name), "%s/child", dir);
	snprintf(script, sizeof(script), "sleep 1000 & echo $! >%s; wait",
		name);
	start_tool(script);
	cr_expect_eq(b.timer.at_ms - loop_now(loop), 10000);
	while (child == 0) {
		f = fopen(name, "re");
		if (f && fscanf(f, "%d", &child) != 1)
			child = 0;
		if (f)
			fclose(f);
	}
	unlink(name);
	b.timer.on_timer(&b.timer);
	cr_assert_eq(loop_run(loop), 0);
	cr_expect_not_null(strstr(text, ": no result after 10 s"), "%s", text);
	wait_for_state(child, "ZX");
	cr_expect(!b.timer.place);
	cr_expect_str_eq(run_tool("exit 1") + strlen(path),
		": no output", "the next tool was timed out");
}

/* The tool may have exited before its output is read. */
Test(backtrace, reads_the_rest_of_the_output_after_the_exit)
{
	start_tool("i=0; while [ $i -lt 2500 ]; do echo '#0  0123456789'; "
		"i=$((i + 1)); done");
	wait_for_state(b.pid, "Z");
	cr_assert_eq(loop_run(loop), 0);
	cr_expect_eq(strlen(text), 2500 * strlen("#0  0123456789\n"));
}

Test(backtrace, a_tool_that_crashes_writes_no_core_file)
{
	cr_expect_str_eq(run_tool("echo \"#$(ulimit -c) $(ulimit -Hc)\""),
		"#0 0\n");
}

/* The tool stops the process, and is killed while it traces it. */
Test(backtrace, leaves_no_process_stopped)
{
	(void)run_tool("kill -STOP $4\n"
		"until grep -q '^State:.T' /proc/$4/status; do :; done\n"
		"kill -KILL $$");
	wait_for_state(target, "S");
	start_tool("echo '#0  a'; kill -STOP $4; exec sleep 1000");
	wait_for_state(target, "T");
	b.out.on_event(&b.out, LOOP_READ);
	cr_expect_gt(b.text.len, 0);
	backtrace_fini(&b);
	cr_expect(!backtrace_runs(&b));
	cr_expect_null(b.text.mem, "the buffer was not freed");
	wait_for_state(target, "S");
	cr_expect_eq(calls, 1, "called after backtrace_fini()");
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), 0, "the tool is not reaped");
}

/* Otherwise it would be resumed afterwards. */
Test(backtrace, takes_no_stack_of_a_stopped_process)
{
	cr_assert_eq(kill(target, SIGSTOP), 0);
	wait_for_state(target, "T");
	cr_expect_str_eq(backtrace_start(&b, target, getsid(0)),
		"the process is stopped");
	cr_expect(!backtrace_runs(&b));
}

Test(backtrace, runs_the_tool_as_the_workers_user)
{
	if (geteuid() != 0)
		cr_skip_test("not root");
	backtrace_init(&b, loop, 65534, 65533, on_done);
	b.tool = path;
	b.is_gdb = false;
	cr_expect_str_eq(run_tool("echo \"#$(id -u) $(id -g) $(id -G)\"\n"
		"grep -E '^(Groups|NoNewPrivs):' /proc/self/status | "
		"sed 's/^/#/'"),
		"#65534 65533 65533\n#Groups:\t65533 \n#NoNewPrivs:\t1\n");
}
