/*
 * test_shim_processes.c - tests the preloaded library in workers with several
 * threads and processes, and where it does nothing
 */
#include <sys/wait.h>
#include <time.h>

#include "hostile.h"
#include "rig.h"

TestSuite(shim, .timeout = 900);

Test(shim, counts_threads)
{
	struct rig r = rig_open(1, 3);
	const char *const threads[] = {"FCGIPM_THREADS=3", NULL};
	const char *const slow[] = {"QUERY_STRING=ms=60000",
		"REQUEST_URI=/slow", NULL};
	char *argv[] = {(char *)(uintptr_t)world_handler("threads"), NULL};
	uint8_t request[512];
	size_t len = client_put_request(request, sizeof(request), 0, slow,
		NULL, 0);
	unsigned i;
	int fds[3];

	rig_spawn_as(&r, 0, argv, NULL, threads);
	world_until(rig_has_idle, rig_at(&r, 0, 3), "three free threads");
	world_until(rig_has_accepting, rig_at(&r, 0, 3), "all accept");
	for (i = 0; i < 3; i++) {
		fds[i] = client_connect(r.w, "s.sock");
		client_send(fds[i], request, len);
		world_until(rig_has_running, rig_at(&r, 0, i + 1), "running");
		cr_expect_eq(r.seen.open, i + 1);
		cr_expect_eq(board_idle(r.b), 2 - i);
		cr_expect_eq(r.seen.accepting, 2 - i);
	}
	cr_expect_str_eq(r.seen.uri, "/slow");
	rig_close(&r);
}

/* Many requests by three threads at once: no count is lost. */
Test(shim, counts_of_threads_are_exact)
{
	struct rig r = rig_open(1, 3);
	const char *const threads[] = {"FCGIPM_THREADS=3", NULL};
	char *argv[] = {(char *)(uintptr_t)world_handler("threads"), NULL};
	const unsigned each = (unsigned)hostile_size(1000, 20000);
	pid_t clients[3];
	int i, status;

	rig_spawn_as(&r, 0, argv, NULL, threads);
	for (i = 0; i < 3; i++) {
		clients[i] = fork();
		cr_assert_geq(clients[i], 0);
		if (clients[i] == 0) {
			rig_ask(&r, each, 0, rig_params);
			_exit(0);
		}
	}
	for (i = 0; i < 3; i++) {
		cr_assert_eq(waitpid(clients[i], &status, 0), clients[i]);
		cr_expect_eq(status, 0);
	}
	world_until(rig_has_counted, rig_at(&r, 0, (uint64_t)each * 3),
		"count");
	world_until(rig_has_idle, rig_at(&r, 0, 3), "idle");
	rig_close(&r);
}

static bool
spare_is_attached(void *arg)
{
	struct rig *r = arg;
	struct board_sample a, b;

	return board_read(r->b, 1, &a) && board_read(r->b, 2, &b);
}

/* php-cgi with children: the worker itself never accepts. */
Test(shim, forked_children_claim_spare_slots)
{
	struct rig r = rig_open(1, 1);
	const char *const children[] = {"PHP_FCGI_CHILDREN=2", NULL};
	char *argv[] = {(char *)(uintptr_t)rig_php(), NULL};
	struct board_sample seen;
	unsigned i, dead;

	rig_spawn_as(&r, 0, argv, NULL, children);
	world_until(spare_is_attached, &r, "both children");
	cr_expect_not(board_read(r.b, 0, &seen));
	for (i = 1; i < 3; i++) {
		board_read(r.b, i, &seen);
		cr_expect_neq(seen.pid, r.pids[0]);
		cr_expect_eq(seen.owner, 0);
		cr_expect_not(seen.ours);
	}
	rig_ask(&r, 100, 0, rig_script_params());
	world_until(rig_has_counted, rig_at(&r, 0, 100), "spare slots count");
	cr_expect_eq(board_idle(r.b), 2);
	/* When one dies, its successor claims the slot, and the counts
	 * continue. */
	board_read(r.b, 1, &seen);
	dead = (unsigned)seen.pid;
	cr_assert_eq(kill(seen.pid, SIGKILL), 0);
	for (i = 0; i < 2000; i++) {
		board_read(r.b, 1, &seen);
		if (seen.attached && (unsigned)seen.pid != dead)
			break;
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	}
	cr_expect(seen.attached && (unsigned)seen.pid != dead);
	rig_ask(&r, 20, 0, rig_script_params());
	world_until(rig_has_counted, rig_at(&r, 0, 120), "counts continue");
	world_until(rig_has_idle, rig_at(&r, 0, 2), "both are idle again");
	rig_close(&r);
}

/* A process for each connection: what it reads and writes is not seen. */
Test(shim, connections_passed_to_children_mark_the_slot_incomplete)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, rig_python(), "fork");
	rig_ask(&r, 3, 0, rig_params);
	world_until(rig_has_idle, rig_at(&r, 0, 1), "idle");
	cr_expect(rig_sum(&r).incomplete);
	cr_expect_eq(rig_sum(&r).accepted, 3);
	rig_close(&r);
}

Test(shim, works_through_wrapper_scripts)
{
	static const char *const texts[] = {
		"#!/bin/sh\nexec @BIN@/handlers/hello\n",
		"#!/bin/sh\n: | cat\nexec env perl @BIN@/handlers/hello.pl\n",
		"#!/bin/bash\nexec env A=B nice -n 1 @BIN@/handlers/hello\n",
	};
	struct rig r = rig_open(1, 1);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		rig_spawn(&r, 0, world_script(r.w, "wrapper", texts[i]), NULL);
		rig_ask(&r, 3, 0, rig_params);
		world_until(rig_has_counted, rig_at(&r, 0, 3), texts[i]);
		board_read(r.b, 0, &r.seen);
		cr_expect(r.seen.ours, "%s", texts[i]);
		kill(-r.pids[0], SIGKILL);
		cr_assert_eq(waitpid(r.pids[0], NULL, 0), r.pids[0]);
	}
	r.pids[0] = 0;
	rig_close(&r);
}

/* The shell keeps running: its child is not the process that was started. */
Test(shim, the_child_of_a_forking_wrapper_claims_a_spare_slot)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, world_script(r.w, "wrapper",
			"#!/bin/sh\n@BIN@/handlers/hello\nexit $?\n"), NULL);
	rig_ask(&r, 3, 0, rig_params);
	world_until(rig_has_counted, rig_at(&r, 0, 3), "counted");
	cr_expect_not(board_read(r.b, 0, &r.seen));
	cr_expect(board_read(r.b, 1, &r.seen));
	rig_close(&r);
}

Test(shim, static_programs_do_not_report)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, world_child("bare_static"), NULL);
	rig_ask(&r, 5, 0, rig_params);
	cr_expect_not(board_read(r.b, 0, &r.seen));
	cr_expect_eq(board_idle(r.b), 0);
	rig_close(&r);
}

Test(shim, a_handler_may_report_for_itself)
{
	static const char *const names[] = {"static", "cpu"};
	const char *const quick[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/own",
		"QUERY_STRING=ms=1", NULL};
	struct rig r = rig_open(1, 1);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		rig_spawn(&r, 0, world_handler(names[i]), NULL);
		world_until(rig_is_attached, rig_at(&r, 0, 0), names[i]);
		cr_expect(r.seen.handler);
		world_until(rig_has_idle, rig_at(&r, 0, 1), names[i]);
		rig_ask(&r, 20, 0, quick);
		world_until(rig_has_counted, rig_at(&r, 0, 20), names[i]);
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepted, 20);
		cr_expect_str_eq(r.seen.method, "GET");
		cr_expect_str_eq(r.seen.uri, "/own");
		world_until(rig_is_in_accept, &r, "in accept");
			/* The next request is its last one. */
		board_ask_stop(r.b, 0);
		rig_ask(&r, 1, 0, quick);
		rig_expect_exit(&r, 0, names[i]);
	}
	rig_close(&r);
}

static const char *const other_boards[] = {"", "3", "0:4", "1:4", "99:100",
	"4:3", "nonsense"};

Test(shim, does_nothing_without_a_valid_board)
{
	struct rig r = rig_open(1, 1);
	char *argv[] = {(char *)(uintptr_t)rig_hello(), NULL};
	const char *extra[2] = {NULL, NULL};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(other_boards); i++) {
		/* getenv(3) finds the first variable with a name. */
		snprintf(text, sizeof(text), "FCGIPM_BOARD=%s",
			other_boards[i]);
		extra[0] = text;
		rig_spawn_as(&r, 0, argv, NULL, extra);
		rig_ask(&r, 3, 0, rig_params);
		cr_expect_not(board_read(r.b, 0, &r.seen), "%s", text);
		kill(r.pids[0], SIGKILL);
		cr_assert_eq(waitpid(r.pids[0], NULL, 0), r.pids[0]);
	}
	r.pids[0] = 0;
	cr_expect_not(world_log_has(r.w, "cannot be preloaded"));
	rig_close(&r);
}

/* The output of env(1) and of "ls -l /proc/self/fd", run by a worker. */
static char *
ask_env(struct rig *r)
{
	struct answer a;
	uint8_t request[1024];
	size_t len = client_put_request(request, sizeof(request), 0, rig_params,
		"hello", 5);
	int fd = client_connect(r->w, "s.sock");
	char *text;

	client_send(fd, request, len);
	a = client_read(fd);
	close(fd);
	text = strdup(a.out);
	cr_assert_not_null(text);
	return text;
}

Test(shim, programs_that_a_worker_executes_do_not_get_the_board)
{
	static const char perl[] = "#!/usr/bin/perl\n"
		"use FCGI;\n"
		"my $r = FCGI::Request();\n"
		"while ($r->Accept() >= 0) {\n"
		"    print \"Content-Type: text/plain\\r\\n\\r\\n\",\n"
		"        `env; ls -l /proc/self/fd`;\n"
		"}\n";
	struct rig r = rig_open(1, 1);
	const char *program[2];
	char *argv[3] = {NULL, (char *)(uintptr_t)"env", NULL}, *text;
	int i;

	program[0] = rig_python();
	program[1] = world_script(r.w, "env.pl", perl);
	for (i = 0; i < 2; i++) {
		argv[0] = (char *)(uintptr_t)program[i];
		/* An entry of the administrator; libc is loaded anyway. */
		rig_spawn_as(&r, 0, argv, "libc.so.6", NULL);
		text = ask_env(&r);
		cr_expect(strstr(text, "0 -> socket:"), "%s", text);
		cr_expect_not(strstr(text, "FCGIPM_BOARD"), "%s", text);
		cr_expect_not(strstr(text, "libfcgipm-shim"), "%s", text);
		/* With Perl, the environment is that of the request. */
		if (i == 0)
			cr_expect(strstr(text, "LD_PRELOAD=libc.so.6"), "%s",
				text);
		cr_expect_not(strstr(text, "fcgipm-board"), "%s", text);
		cr_expect_not(strstr(text, "eventfd"), "%s", text);
		free(text);
		kill(r.pids[0], SIGKILL);
		cr_assert_eq(waitpid(r.pids[0], NULL, 0), r.pids[0]);
	}
	r.pids[0] = 0;
	rig_close(&r);
}
