/*
 * test_status_workers.c - tests fcgipmctl status of workers: tiers and states
 */
#include "status.h"

TestSuite(status, .timeout = 60);

#define DYNAMIC "pm = dynamic\npm.max_children = 2\n"

static void
expect_unknown(struct world *w, const char *pool, const char *tier_reason)
{
	status_expect(w, pool, "processes.0.state", "Unknown");
	status_expect(w, pool, "processes.0.tier", "none");
	status_expect(w, pool, "processes.0.tier reason", tier_reason);
	status_expect(w, pool, "processes.0.reason",
		"cannot read its sockets: Permission denied");
	status_expect(w, pool, "unknown processes", "1");
}

Test(status, each_tier_has_a_reason)
{
	static const struct {
		const char *pool, *tier, *reason;
	} rows[] = {
		{"shim", "shim", "null"},
		{"perl", "shim", "null"},
		{"wrapper", "shim", "null"},
		{"header", "handler", "null"},
		{"static", "kernel",
			"static program: the shim cannot be preloaded"},
		{"plain", "kernel", "not observed: static pool"},
		{"tcp", "kernel", "not observed: static TCP pool"},
		{"kernel", "kernel", "observe = kernel"},
		{"cgi", "kernel", "gateway: the shim is not preloaded"},
		{"polls", "kernel",
			"has not called accept() in the C library"},
	};
	struct world *w = world_open();

	world_script(w, "wrapper",
		"#!/bin/sh\nexec '@BIN@/handlers/hello'\n");
	world_start(w,
		POOL("shim") DYNAMIC "handler = @BIN@/handlers/hello\n"
		POOL("perl") DYNAMIC "handler = @BIN@/handlers/hello.pl\n"
		POOL("wrapper") DYNAMIC "handler = @DIR@/wrapper\n"
		POOL("header") DYNAMIC "handler = @BIN@/handlers/static\n"
		POOL("static") DYNAMIC "handler = @T@/children/echo_static\n"
		POOL("plain") "handler = @BIN@/handlers/hello\n"
			"accelerate = no\n"
		"[tcp]\nlisten = 127.0.0.1:@PORT@\n"
			"handler = @BIN@/handlers/hello\n"
		POOL("kernel") DYNAMIC "observe = kernel\n"
			"handler = @BIN@/handlers/hello\n"
		POOL("cgi") "mode = cgi\nhandler = @BIN@/handlers/hello\n"
		POOL("polls") DYNAMIC
			"handler = @T@/children/count_async.py\n"
			"stop_timeout = 1s\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* A process that has changed its user can be inspected only by
		 * root with all capabilities. */
		if (strcmp(rows[i].pool, "cgi") == 0 && world_is_blind()) {
			expect_unknown(w, "cgi", rows[i].reason);
			continue;
		}
		status_expect(w, rows[i].pool, "processes.0.state", "Idle");
		status_expect(w, rows[i].pool, "processes.0.tier",
			rows[i].tier);
		status_expect(w, rows[i].pool, "processes.0.tier reason",
			rows[i].reason);
	}
	status_expect(w, "cgi", "mode", "cgi");
	world_close_changed(&w);
}

Test(status, the_kernel_observes_a_go_program)
{
	struct world *w = world_open();

	world_start(w, own_text(POOL("www") DYNAMIC "handler = %s\n",
		world_go(w, "count.go")));
	status_expect(w, "www", "processes.0.state", "Idle");
	status_expect(w, "www", "processes.0.tier", "kernel");
	world_close_changed(&w);
}

/* The kernel does not show the sockets of a process whose program file its user
 * cannot read. */
Test(status, an_unobservable_worker_is_unknown_with_a_reason)
{
	struct world *w = world_open();

	world_need_user();
	world_shell(w, "cp @BIN@/handlers/hello hidden\nchmod 111 hidden\n");
	world_start(w, POOL("www") "handler = @DIR@/hidden\n"
		"pm.max_children = 1\naccelerate = no\n");
	status_expect(w, "www", "processes.0.state", "Unknown");
	status_expect(w, "www", "processes.0.tier", "none");
	status_expect(w, "www", "processes.0.reason",
		"cannot read its sockets: Permission denied");
	status_expect(w, "www", "unknown processes", "1");
	status_expect(w, "www", "active processes", "0");
	world_close_changed(&w);
}

/* An idle pool keeps one spare worker and starts no more. */
Test(status, a_worker_that_reports_by_fcgipm_handler_h_is_idle)
{
	struct world *w = world_open();
	pid_t pid;

	world_start(w, POOL("www") "pm = dynamic\npm.max_children = 4\n"
		"pm.max_spare_servers = 1\n"
		"handler = @BIN@/handlers/static\n");
	status_expect(w, "www", "processes.0.tier", "handler");
	pid = (pid_t)status_number(w, "www", "processes.0.pid");
	/* The idle workers are counted before a replacement starts. */
	cr_assert_eq(kill(pid, SIGKILL), 0);
	status_expect(w, "www", "ended processes.crash", "1");
	status_expect(w, "www", "idle processes", "1");
	status_expect(w, "www", "total processes", "1");
	status_expect(w, "www", "max children reached", "0");
	world_expect_deaths(w);
	world_close_changed(&w);
}

/* Checks the state of one worker at each step of a request.  counted: the board
 * reports its requests. */
static void
expect_states(const char *keys, const char *accepted, const char *begun,
	const char *kept, bool counted)
{
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"REQUEST_URI=/a/b?c=d", "CONTENT_LENGTH=3", NULL};
	struct world *w = world_open();
	int fd;

	world_start(w, own_text(POOL("www") "%s"
		"handler = @BIN@/handlers/upload\n", keys));
	status_expect(w, "www", "processes.0.state", "Idle");
	fd = client_connect(w, "www.sock");
	status_expect(w, "www", "processes.0.state", accepted);
	status_expect(w, "www", "active processes", "1");
	status_expect(w, "www", "processes.0.connections", "1");
	client_begin(fd, 1, 1, params);
	status_expect(w, "www", "processes.0.state", begun);
	if (counted) {
		status_expect(w, "www", "processes.0.request uri", "/a/b?c=d");
		status_expect(w, "www", "processes.0.request method", "POST");
		status_expect(w, "www", "processes.0.request duration", ">0");
	}
	client_body(fd, "abc");
	answer_expect(client_read(fd), "bytes: 3");
	status_expect(w, "www", "processes.0.state", kept);
	status_expect(w, "www", "processes.0.requests", counted ? "1" : "null");
	close(fd);
	status_expect(w, "www", "processes.0.state", "Idle");
	status_expect(w, "www", "accepted conn", counted ? "1" : "null");
	status_expect(w, "www", "requests", counted ? "1" : "null");
	world_close_changed(&w);
}

Test(status, states_by_the_shim)
{
	expect_states(ONE, "Reading", "Running", "Kept", true);
}

/* libfcgi polls before its first read(2), and blocks in read(2) after that. */
Test(status, states_by_the_kernel)
{
	expect_states(ONE "observe = kernel\n", "Running", "Reading",
		"Reading", false);
}

/* The supervisor inspects the workers of this pool only for a status. */
Test(status, states_of_a_static_pool)
{
	expect_states("pm.max_children = 1\naccelerate = no\n", "Running",
		"Reading", "Reading", false);
}

Test(status, a_worker_that_is_starting_and_one_that_is_retiring)
{
	static const char *const params[] = {"REQUEST_URI=/x", NULL};
	struct world *w = world_open();
	int fd;

	world_script(w, "slow", "#!/bin/sh\nsleep 0.3\nexit 3\n");
	world_launch(w, POOL("slow") "handler = @DIR@/slow\n"
		"pm.max_children = 1\n"
		POOL("www") "handler = @BIN@/handlers/upload\n"
		"pm.max_children = 1\npm.max_age = 1\n");
	world_expect_log(w, "pool www: listening");
	fd = client_connect(w, "www.sock");
	client_begin(fd, 1, 0, params);
	status_expect(w, "slow", "processes.0.state", "Starting");
	status_expect(w, "slow", "last failure", "exit status 3");
	status_expect(w, "slow", "bad starts", ">0");
	status_expect(w, "slow", "next start ms", ">0");
	status_expect(w, "slow", "ended processes.crash", ">0");
	/* It is still the first worker: its client is connected. */
	status_expect(w, "www", "retiring processes", "1");
	status_expect(w, "www", "processes.0.state", "Retiring");
	status_expect(w, "www", "processes.0.reason", "age");
	status_expect(w, "www", "processes.0.request uri", "/x");
	status_expect(w, "www", "processes.1.state", "Idle");
	close(fd);
	status_expect(w, "www", "ended processes.age", ">0");
	world_close_changed(&w);
}

/* Even after a second, when the pool counts it as ready. */
Test(status, a_program_that_never_accepts_is_starting)
{
	struct world *w = world_open();

	world_start(w, POOL("www") ONE "handler = /bin/sleep\n"
		"handler_args = 60\n"
		"stop_timeout = 100ms\n");
	status_expect(w, "www", "processes.0.reason",
		"has not accepted a connection yet");
	status_expect(w, "www", "processes.0.state", "Starting");
	status_expect(w, "www", "starting processes", "1");
	status_expect(w, "www", "active processes", "0");
	world_close_changed(&w);
}
