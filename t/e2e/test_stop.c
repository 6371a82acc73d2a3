/*
 * test_stop.c - stopping: what was accepted is finished, then all leave
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

static const char *const slow[] = {"QUERY_STRING=ms=700", NULL};

/* Requests under way and waiting in the queue when the signal comes. */
static void
check_graceful(const char *mode, const char *listen, const char *address,
	int signo)
{
	struct world *w = world_open();
	char ini[600];
	int fds[4], i;

	snprintf(ini, sizeof(ini),
		"[www]\n"
		"mode = %s\n"
		"listen = %s\n"
		"handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 2\n", mode, listen);
	world_start(w, ini);
	for (i = 0; i < 4; i++) {
		fds[i] = client_connect(w, address);
		client_begin(fds[i], 1, 0, slow);
		client_record(fds[i], 5, 1, NULL, 0, 0);
	}
	cr_assert_eq(kill(w->pid, signo), 0);
	for (i = 0; i < 4; i++) {
		struct answer a = client_read(fds[i]);

		answer_expect(&a, "slept: 700 ms");
		cr_expect(a.ended, "request %d of %s on %s", i, mode, listen);
		answer_free(&a);
		close(fds[i]);
	}
	cr_expect_eq(world_wait(w), 0);
	world_close(&w);
}

Test(stop, term_finishes_what_prefork_workers_have, .timeout = 60)
{
	check_graceful("prefork", "@DIR@/www.sock", "www.sock", SIGTERM);
}

Test(stop, int_finishes_what_the_gateway_has, .timeout = 60)
{
	check_graceful("cgi", "@DIR@/www.sock", "www.sock", SIGINT);
}

Test(stop, quit_finishes_a_tcp_queue_too, .timeout = 60)
{
	check_graceful("prefork", "127.0.0.1:18311", "127.0.0.1:18311",
		SIGQUIT);
}

Test(stop, a_tcp_gateway_finishes_too, .timeout = 60)
{
	check_graceful("cgi", "127.0.0.1:18312", "127.0.0.1:18312", SIGTERM);
}

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

Test(stop, a_second_signal_ends_it_at_once, .timeout = 60)
{
	struct world *w = world_open();
	const char *const forever[] = {"QUERY_STRING=ms=60000", NULL};
	double begin;
	int fd;

	world_start(w,
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 1\n");
	fd = client_connect(w, "www.sock");
	client_begin(fd, 1, 0, forever);
	client_record(fd, 5, 1, NULL, 0, 0);
	begin = now_s();
	cr_assert_eq(kill(w->pid, SIGTERM), 0);
	world_expect_log(w, "stopping");
	cr_assert_eq(kill(w->pid, SIGTERM), 0);
	cr_expect_eq(world_wait(w), 0);
	cr_expect_lt(now_s() - begin, 15, "not after stop_timeout");
	close(fd);
	world_close(&w);
}

Test(stop, stop_timeout_ends_a_request_that_does_not_end, .timeout = 60)
{
	struct world *w = world_open();
	const char *const forever[] = {"QUERY_STRING=ms=60000", NULL};
	struct answer a;
	int fd;

	world_start(w,
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 1\n"
		"stop_timeout = 300ms\n");
	fd = client_connect(w, "www.sock");
	client_begin(fd, 1, 0, forever);
	client_record(fd, 5, 1, NULL, 0, 0);
	world_stop(w);
	cr_expect(world_log_has(w, "1 worker still busy after stop_timeout"));
	a = client_read(fd);
	cr_expect_not(a.ended);
	answer_free(&a);
	close(fd);
	world_close(&w);
}

Test(stop, new_clients_are_refused_while_it_stops, .timeout = 60)
{
	struct world *w = world_open();
	struct answer a;
	int fd;

	world_start(w,
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 1\n");
	fd = client_connect(w, "www.sock");
	client_begin(fd, 1, 0, slow);
	client_record(fd, 5, 1, NULL, 0, 0);
	cr_assert_eq(kill(w->pid, SIGTERM), 0);
	world_expect_log(w, "stopping");
	cr_expect_neq(access(world_path(w, "www.sock"), F_OK), 0,
		"the path goes first");
	a = client_read(fd);
	answer_expect(&a, "slept");
	answer_free(&a);
	close(fd);
	cr_expect_eq(world_wait(w), 0);
	world_close(&w);
}

Test(stop, signals_of_later_releases_are_told_and_ignored, .timeout = 60)
{
	static const int ignored[] = {SIGHUP, SIGUSR2, SIGTTIN, SIGTTOU};
	static const char *const names[] = {"SIGHUP", "SIGUSR2", "SIGTTIN",
		"SIGTTOU"};
	struct world *w = world_open();
	struct answer a;
	char want[64];
	size_t i;

	world_start(w,
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n");
	for (i = 0; i < 4; i++) {
		cr_assert_eq(kill(w->pid, ignored[i]), 0);
		snprintf(want, sizeof(want), "%s from process %d: ignored",
			names[i], (int)getpid());
		world_expect_log(w, want);
	}
	a = client_script(w, "www.sock", NULL, NULL);
	answer_expect(&a, "Hello");
	answer_free(&a);
	world_close(&w);
}
