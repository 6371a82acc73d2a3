/*
 * test_stop.c - a stop finishes the requests, then all processes exit
 */
#include "world.h"

static const char *const slow[] = {"QUERY_STRING=ms=700", NULL};

/* Requests are served and queued when the signal comes. */
static void
check_graceful(const char *mode, const char *listen, const char *address,
	int signo)
{
	struct world *w = world_open();
	int fds[4], i;

	address = address ? address : w->tcp;
	world_start(w, own_text("[www]\n"
		"mode = %s\n"
		"listen = %s\n"
		"handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 2\n", mode, listen));
	for (i = 0; i < 4; i++) {
		fds[i] = client_connect(w, address);
		client_ask(fds[i], 0, slow);
	}
	cr_assert_eq(kill(w->pid, signo), 0);
	for (i = 0; i < 4; i++) {
		struct answer a = client_read(fds[i]);

		answer_expect(a, "slept: 700 ms");
		cr_expect(a.ended, "request %d of %s on %s", i, mode, listen);
		close(fds[i]);
	}
	cr_expect_eq(world_wait(w), 0);
	world_close(&w);
}

Test(stop, term_finishes_the_requests_of_prefork_workers, .timeout = 60)
{
	check_graceful("prefork", "@DIR@/www.sock", "www.sock", SIGTERM);
}

Test(stop, int_finishes_the_requests_of_the_gateway, .timeout = 60)
{
	check_graceful("cgi", "@DIR@/www.sock", "www.sock", SIGINT);
}

Test(stop, quit_finishes_a_tcp_queue, .timeout = 60)
{
	check_graceful("prefork", "@PORT@", NULL, SIGQUIT);
}

Test(stop, term_finishes_the_requests_of_a_tcp_gateway, .timeout = 60)
{
	check_graceful("cgi", "@PORT@", NULL, SIGTERM);
}

/* The listener is descriptor 0.  After it was closed, the next descriptor gets
 * this number: here the working directory of the program. */
Test(stop, a_queued_request_runs_in_its_directory, .timeout = 60)
{
	struct world *w = world_open();
	char script[400];
	const char *params[] = {script, NULL};
	int fds[4], i;

	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s",
		world_script(w, "where.sh", "#!/bin/sh\n"
			"sleep 0.3\n"
			"printf 'Content-Type: text/plain\\n\\nin: '\n"
			"pwd\n"));
	world_start(w,
		"[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"docroot = @DIR@\n"
		"pm.max_children = 1\n");
	for (i = 0; i < 4; i++) {
		fds[i] = client_connect(w, "www.sock");
		client_ask(fds[i], 0, params);
	}
	world_signal(w, SIGTERM);
	for (i = 0; i < 4; i++) {
		struct answer a = client_read(fds[i]);

		answer_expect(a, "in: ");
		answer_expect(a, w->dir);
		close(fds[i]);
	}
	cr_expect_eq(world_wait(w), 0);
}

/* A request that would take a minute, begun in a pool of that mode. */
static int
begin_long(struct world *w, const char *mode, const char *keys)
{
	const char *const minute[] = {"QUERY_STRING=ms=60000", NULL};
	int fd;

	world_start(w, own_text("[www]\n"
		"mode = %s\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 1\n%s", mode, keys));
	fd = client_connect(w, "www.sock");
	client_ask(fd, 0, minute);
	return fd;
}

static void
check_second(const char *mode, int second)
{
	struct world *w = world_open();
	int fd = begin_long(w, mode, "");
	int64_t begin;

	world_signal(w, SIGTERM);
	world_expect_log(w, "stopping");
	begin = world_now_ms();
	world_signal(w, second);
	cr_expect_eq(world_wait(w), 0);
	cr_expect_lt(world_now_ms() - begin, 2000, "%s: %d ms", mode,
		(int)(world_now_ms() - begin));
	close(fd);
	world_close(&w);
}

Test(stop, a_second_signal_stops_at_once, .timeout = 60)
{
	check_second("prefork", SIGTERM);
	check_second("cgi", SIGTERM);
	check_second("prefork", SIGINT);
}

static void
check_timeout(const char *mode)
{
	struct world *w = world_open();
	int fd = begin_long(w, mode, "stop_timeout = 300ms\n");
	int64_t begin = world_now_ms();
	struct answer a;

	world_stop_busy(w);
	cr_expect_geq(world_now_ms() - begin, 300, "%s gets stop_timeout",
		mode);
	cr_expect_lt(world_now_ms() - begin, 5000, "%s is ended then", mode);
	cr_expect(world_log_has(w,
		"1 worker is still busy after 0.3 s (stop_timeout)"));
	a = client_read(fd);
	cr_expect_not(a.ended);
	close(fd);
	world_close(&w);
}

Test(stop, stop_timeout_ends_a_request_that_does_not_end, .timeout = 60)
{
	check_timeout("prefork");
	check_timeout("cgi");
}

/* nginx keeps connections open; an idle one must not delay the stop. */
Test(stop, an_idle_keep_alive_connection_does_not_delay_the_gateway,
	.timeout = 60)
{
	struct world *w = world_open();
	int64_t begin;
	int fd;

	world_start(w,
		"[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n");
	fd = client_connect(w, "www.sock");
	client_ask(fd, 1, (const char *[]){"SCRIPT_NAME=/x", NULL});
	answer_expect(client_read(fd), "Hello");
	begin = world_now_ms();
	world_stop_busy(w);
	cr_expect_lt(world_now_ms() - begin, 5000);
	cr_expect_eq(client_drain(fd), 0);
}

/* It polls, and has sockets that are not connections of clients. */
Test(stop, a_worker_with_its_own_sockets_does_not_delay_a_stop, .timeout = 60)
{
	struct world *w = world_serve(
		"handler = @T@/children/count_async.py\n"
		"stop_timeout = 60s\n");

	cr_expect(client_script(w, "www.sock", NULL, NULL).ended);
	world_stop(w);
}

/* The pool has never served. */
Test(stop, a_pool_in_back_off_does_not_delay_a_stop, .timeout = 60)
{
	struct world *w = world_open();
	int64_t begin;

	world_launch(w,
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @T@/children/die_at_start\n");
	world_expect_log(w, "next start in 0.8 s");
	begin = world_now_ms();
	world_stop(w);
	cr_expect_lt(world_now_ms() - begin, 500);
}

Test(stop, a_stop_during_the_start_works, .timeout = 60)
{
	struct world *w = world_open();
	int64_t begin;
	int i, fd;

	for (i = 0; i < 20; i++) {
		world_launch(w,
			"[pre]\n"
			"listen = @DIR@/pre.sock\n"
			"handler = @BIN@/handlers/hello\n"
			"[cgi]\n"
			"mode = cgi\n"
			"listen = @DIR@/cgi.sock\n"
			"handler = @BIN@/handlers/hello\n");
		/* Signals are handled before the first socket exists. */
		while ((fd = client_try(w, "pre.sock")) < 0)
			;
		close(fd);
		begin = world_now_ms();
		world_stop(w);
		cr_expect_lt(world_now_ms() - begin, 3000);
	}
}

Test(stop, new_clients_are_refused_while_it_stops, .timeout = 60)
{
	struct world *w = world_serve(
		"handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 1\n");
	int fd;

	fd = client_connect(w, "www.sock");
	client_ask(fd, 0, slow);
	cr_assert_eq(kill(w->pid, SIGTERM), 0);
	world_expect_log(w, "stopping");
	cr_expect_neq(access(world_path(w, "www.sock"), F_OK), 0,
		"the path is removed first");
	answer_expect(client_read(fd), "slept");
	close(fd);
	cr_expect_eq(world_wait(w), 0);
}

Test(stop, unused_signals_are_logged_and_ignored, .timeout = 60)
{
	static const int ignored[] = {SIGHUP, SIGUSR2, SIGTTIN, SIGTTOU};
	static const char *const names[] = {"SIGHUP", "SIGUSR2", "SIGTTIN",
		"SIGTTOU"};
	struct world *w = world_serve(
		"handler = @BIN@/handlers/hello\n");

	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(kill(w->pid, ignored[i]), 0);
		world_expect_log(w, own_text("%s from PID %d: ignored",
			names[i], (int)getpid()));
	}
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
}
