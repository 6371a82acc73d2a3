/*
 * test_status_figures.c - tests the figures of pools in fcgipmctl status
 */
#include "status.h"

TestSuite(status, .timeout = 60);

Test(status, ended_workers_are_counted_by_cause)
{
	struct world *w = world_open();
	int i;

	world_start(w, POOL("requests") "handler = @BIN@/handlers/hello\n"
		"pm.max_children = 1\npm.max_requests = 2\n"
		POOL("exit") "handler = @T@/children/exit_after\n"
		"handler_args = 1\npm.max_children = 1\n"
		POOL("crash") "handler = @BIN@/handlers/hello\n"
		"pm.max_children = 1\n"
		POOL("idle") "handler = @BIN@/handlers/hello\n"
		"pm = ondemand\npm.process_idle_timeout = 100ms\n"
		"pm.max_children = 1\n"
		POOL("memory") "handler = @BIN@/handlers/hello.pl\n"
		"pm.max_children = 1\npm.max_memory = 1M\n");
	status_expect(w, "memory", "ended processes.memory", ">0");
	for (i = 0; i < 2; i++)
		(void)client_script(w, "requests.sock", NULL, NULL);
	status_expect(w, "requests", "ended processes.requests", "1");
	status_expect(w, "requests", "requests", "2");
	for (i = 0; i < 2; i++) {
		(void)client_script(w, i ? "idle.sock" :
				"exit.sock", NULL, NULL);
	}
	status_expect(w, "exit", "ended processes.exit", "1");
	status_expect(w, "idle", "ended processes.idle", "1");
	status_expect(w, "idle", "total processes", "0");
	cr_assert_eq(kill((pid_t)status_number(w, "crash", "processes.0.pid"),
		SIGKILL), 0);
	status_expect(w, "crash", "ended processes.crash", "1");
	status_expect(w, "crash", "ended processes.exit", "0");
	world_expect_deaths(w);
	world_close_changed(&w);
}

/* The worker forks one process after the other; each answers one request. */
Test(status, requests_of_forked_children_stay_counted)
{
	struct world *w = world_open();
	int i;

	world_script(w, "again",
		"#!/bin/sh\nwhile :; do '@T@/children/exit_after' 1; done\n");
	world_start(w, POOL("www") "handler = @DIR@/again\n" ONE);
	for (i = 0; i < 3; i++)
		(void)client_script(w, "www.sock", NULL, NULL);
	status_expect(w, "www", "requests", "3");
	status_expect(w, "www", "processes.0.requests", "3");
	cr_assert_eq(kill(-(pid_t)status_number(w, "www", "processes.0.pid"),
		SIGKILL), 0);
	status_expect(w, "www", "ended processes.crash", "1");
	status_expect(w, "www", "idle processes", "1");
	cr_expect_eq(status_number(w, "www", "requests"), 3);
	cr_expect_geq(status_number(w, "www", "accepted conn"), 3);
	(void)client_script(w, "www.sock", NULL, NULL);
	status_expect(w, "www", "requests", "4");
	status_expect(w, "www", "processes.0.requests", "1");
	world_expect_deaths(w);
	world_close_changed(&w);
}

/* Even when a worker writes random values to the board. */
Test(status, counters_never_fall)
{
	struct world *w = world_open();
	int64_t accepted = 0, requests = 0, n;
	int i;

	world_start(w, POOL("www") "handler = @T@/children/spoil\n" ONE);
	for (i = 0; i < 10; i++) {
		(void)client_script(w, "www.sock", NULL, "random=1");
		n = status_number(w, "www", "accepted conn");
		cr_expect_geq(n, accepted);
		accepted = n;
		n = status_number(w, "www", "requests");
		cr_expect_geq(n, requests);
		requests = n;
	}
	world_close_changed(&w);
}

static void
leave_queue(struct world *w, const int *fds)
{
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	status_expect(w, "www", "listen queue", "0");
}

/* One client is served, and two wait. */
static void
fill_queue(struct world *w, int *fds)
{
	/* libfcgi would close a connection on which it receives nothing. */
	fds[0] = client_connect(w, "www.sock");
	client_begin(fds[0], 1, 0, (const char *[]){"CONTENT_LENGTH=1", NULL});
	status_expect(w, "www", "listen queue", "0");
	fds[1] = client_connect(w, "www.sock");
	fds[2] = client_connect(w, "www.sock");
	status_expect(w, "www", "listen queue", "2");
}

Test(status, waiting_clients_are_counted)
{
	struct world *w = world_open();
	int fds[3];

	world_start(w, POOL("www") "handler = @BIN@/handlers/upload\n"
		"listen.backlog = 77\n" ONE);
	status_expect(w, "www", "listen queue len", "77");
	fill_queue(w, fds);
	status_expect_stays(w, "www", "max children reached", "1");
	leave_queue(w, fds);
	status_expect(w, "www", "max listen queue", ">0");
	status_expect(w, "www", "max active processes", "1");
	world_close_changed(&w);
}

/* The supervisor reads the listen queue of this pool only for a status. */
Test(status, waiting_clients_of_a_static_pool_are_counted)
{
	struct world *w = world_open();
	int fds[3];

	world_start(w, POOL("www") "handler = @BIN@/handlers/upload\n"
		"pm.max_children = 1\n");
	fill_queue(w, fds);
	leave_queue(w, fds);
	status_expect(w, "www", "max listen queue", "2");
	world_close_changed(&w);
}

/* This pool is inspected every second. */
Test(status, a_pool_that_stays_full_is_counted_once)
{
	struct world *w = world_open();
	int fds[3];

	world_start(w, POOL("www") "handler = @BIN@/handlers/upload\n"
		"observe = kernel\n" ONE);
	fill_queue(w, fds);
	status_expect_stays(w, "www", "max children reached", "1");
	leave_queue(w, fds);
	status_expect_stays(w, "www", "max children reached", "1");
	fill_queue(w, fds);
	status_expect_stays(w, "www", "max children reached", "2");
	leave_queue(w, fds);
	world_signal(w, SIGTERM);
	cr_expect_eq(world_wait(w), 0);
	/* The warning is logged once a minute. */
	cr_expect_eq(world_log_count(w, "(threads = 1) is reached and"), 1);
	cr_expect(!world_log_has(w, "last line repeated"));
}

/* No status is requested while the workers are active.  The pool is sampled at
 * inspections, so the connection stays open until one has happened. */
Test(status, the_highest_number_of_active_workers_is_known)
{
	struct world *w = world_open();
	int fd;

	world_start(w, POOL("www") "handler = @BIN@/handlers/upload\n"
		"pm = dynamic\npm.max_children = 4\n");
	fd = client_connect(w, "www.sock");
	client_begin(fd, 1, 0, (const char *[]){"CONTENT_LENGTH=1", NULL});
	world_keeps_workers(w, 2, "one busy and one spare worker");
	close(fd);
	status_expect(w, "www", "max active processes", "1");
	world_close_changed(&w);
}

Test(status, idle_keep_alive_connections_that_block_clients_are_reported)
{
	static const char *const params[] = {"REQUEST_URI=/x", NULL};
	struct world *w = world_open();
	char *out;
	int fd, other;

	world_start(w, POOL("www") "handler = @BIN@/handlers/hello\n" ONE);
	fd = client_connect(w, "www.sock");
	client_ask(fd, 1, params);
	(void)client_read(fd);
	status_expect(w, "www", "kept processes", "1");
	other = client_connect(w, "www.sock");
	status_expect(w, "www", "listen queue", "1");
	out = status_ask(w, "-m", "www", 0);
	cr_expect(strstr(out, "www: idle keep-alive connections occupy "
		"1 worker while 1 client waits; in nginx lower"), "%s", out);
	close(other);
	close(fd);
	world_close_changed(&w);
}

Test(status, clients_answered_503_are_counted)
{
	struct world *w = world_open();
	int fd;

	world_start(w, POOL("www") "handler = @BIN@/handlers/upload\n"
		"queue_timeout = 200ms\n" ONE);
	status_expect(w, "www", "refused conn", "0");
	fd = client_connect(w, "www.sock");
	status_expect(w, "www", "active processes", "1");
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Status: 503");
	status_expect(w, "www", "refused conn", "1");
	close(fd);
	world_close_changed(&w);
}
