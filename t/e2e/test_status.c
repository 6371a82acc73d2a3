/*
 * test_status.c - fcgipmctl status: workers in every state, figures, output
 */
#include <jansson.h>
#include <pthread.h>
#include <sys/un.h>

#include "world.h"

/* Runs fcgipmctl status; returns its output, which the caller frees. */
static char *
ask(struct world *w, const char *options, const char *pool, int want)
{
	const char *argv[] = {"fcgipmctl", "status", "-s",
		world_path(w, "run/control.sock"), options, pool, NULL};
	char *out;
	int code = world_run(w, argv, &out);

	cr_assert_eq(code, want, "exit status %d: %s", code, out);
	return out;
}

/* The object of a pool; the caller calls json_decref(). */
static json_t *
ask_pool(struct world *w, const char *pool)
{
	char *out = ask(w, "-j", pool, 0);
	json_t *all = json_loads(out, 0, NULL), *one;

	cr_assert(all, "not JSON: %s", out);
	one = json_incref(json_array_get(json_object_get(all, "pools"), 0));
	cr_assert_str_eq(json_string_value(json_object_get(one, "pool")),
		pool);
	json_decref(all);
	return one;
}

/* The member "a.b.c" of an object; a number is an index of an array. */
static const json_t *
member(const json_t *at, const char *path)
{
	char name[64];

	while (at && *path) {
		size_t len = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		at = json_is_array(at) ?
			json_array_get(at, (size_t)atoi(name)) :
			json_object_get(at, name);
		path += len + (path[len] == '.');
	}
	return at;
}

/* A value as text: a number, a string, "null", or "?" for other types. */
static void
print(const json_t *v, char *buf, size_t size)
{
	if (json_is_string(v))
		snprintf(buf, size, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(buf, size, "%lld", (long long)json_integer_value(v));
	else
		snprintf(buf, size, "%s", json_is_null(v) ? "null" : "?");
}

struct wish {
	struct world *w;
	const char *pool, *path;
	const char *want;	/* ">0", or the value */
	char got[300];
};

static bool
is_so(void *arg)
{
	struct wish *i = arg;
	json_t *pool = ask_pool(i->w, i->pool);
	const json_t *v = member(pool, i->path);

	print(v, i->got, sizeof(i->got));
	json_decref(pool);
	return strcmp(i->want, ">0") == 0 ? atoll(i->got) > 0 :
					    strcmp(i->got, i->want) == 0;
}

/* Waits until the member at path has this value. */
static void
expect(struct world *w, const char *pool, const char *path, const char *want)
{
	struct wish i = {.w = w, .pool = pool, .path = path, .want = want};

	world_until(is_so, &i, own_text("%s: %s is %s", pool, path, want));
}

/* Expects it to stay for longer than the interval of inspections. */
static void
expect_stays(struct world *w, const char *pool, const char *path,
	const char *want)
{
	struct wish i = {.w = w, .pool = pool, .path = path, .want = want};

	expect(w, pool, path, want);
	world_stays(is_so, &i, own_text("%s: %s is %s", pool, path, want));
}

/* -- tiers ----------------------------------------------------------------- */

TestSuite(status, .timeout = 60);

static void
expect_unknown(struct world *w, const char *pool, const char *tier_reason)
{
	expect(w, pool, "processes.0.state", "Unknown");
	expect(w, pool, "processes.0.tier", "none");
	expect(w, pool, "processes.0.tier reason", tier_reason);
	expect(w, pool, "processes.0.reason",
		"cannot read its sockets: Permission denied");
	expect(w, pool, "unknown processes", "1");
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
#define POOL(name) "[" name "]\nlisten = @DIR@/" name ".sock\n"
#define DYNAMIC "pm = dynamic\npm.max_children = 2\n"
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
		expect(w, rows[i].pool, "processes.0.state", "Idle");
		expect(w, rows[i].pool, "processes.0.tier", rows[i].tier);
		expect(w, rows[i].pool, "processes.0.tier reason",
			rows[i].reason);
	}
	expect(w, "cgi", "mode", "cgi");
	world_close_changed(&w);
}

Test(status, the_kernel_observes_a_go_program)
{
	struct world *w = world_open();

	world_start(w, own_text(POOL("www") DYNAMIC "handler = %s\n",
		world_go(w, "count.go")));
	expect(w, "www", "processes.0.state", "Idle");
	expect(w, "www", "processes.0.tier", "kernel");
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
	expect(w, "www", "processes.0.state", "Unknown");
	expect(w, "www", "processes.0.tier", "none");
	expect(w, "www", "processes.0.reason",
		"cannot read its sockets: Permission denied");
	expect(w, "www", "unknown processes", "1");
	expect(w, "www", "active processes", "0");
	world_close_changed(&w);
}

/* An idle pool keeps one spare worker and starts no more. */
Test(status, a_worker_that_reports_by_fcgipm_handler_h_is_idle)
{
	struct world *w = world_open();
	json_t *pool;
	pid_t pid;

	world_start(w, POOL("www") "pm = dynamic\npm.max_children = 4\n"
		"pm.max_spare_servers = 1\n"
		"handler = @BIN@/handlers/static\n");
	expect(w, "www", "processes.0.tier", "handler");
	pool = ask_pool(w, "www");
	pid = (pid_t)json_integer_value(member(pool, "processes.0.pid"));
	json_decref(pool);
	/* The idle workers are counted before a replacement starts. */
	cr_assert_eq(kill(pid, SIGKILL), 0);
	expect(w, "www", "ended processes.crash", "1");
	expect(w, "www", "idle processes", "1");
	expect(w, "www", "total processes", "1");
	expect(w, "www", "max children reached", "0");
	world_expect_deaths(w);
	world_close_changed(&w);
}

/* -- states ---------------------------------------------------------------- */

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
	expect(w, "www", "processes.0.state", "Idle");
	fd = client_connect(w, "www.sock");
	expect(w, "www", "processes.0.state", accepted);
	expect(w, "www", "active processes", "1");
	expect(w, "www", "processes.0.connections", "1");
	client_begin(fd, 1, 1, params);
	expect(w, "www", "processes.0.state", begun);
	if (counted) {
		expect(w, "www", "processes.0.request uri", "/a/b?c=d");
		expect(w, "www", "processes.0.request method", "POST");
		expect(w, "www", "processes.0.request duration", ">0");
	}
	client_body(fd, "abc");
	answer_expect(client_read(fd), "bytes: 3");
	expect(w, "www", "processes.0.state", kept);
	expect(w, "www", "processes.0.requests", counted ? "1" : "null");
	close(fd);
	expect(w, "www", "processes.0.state", "Idle");
	expect(w, "www", "accepted conn", counted ? "1" : "null");
	expect(w, "www", "requests", counted ? "1" : "null");
	world_close_changed(&w);
}

#define ONE "pm = dynamic\npm.max_children = 1\n"

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
	expect(w, "slow", "processes.0.state", "Starting");
	expect(w, "slow", "last failure", "exit status 3");
	expect(w, "slow", "bad starts", ">0");
	expect(w, "slow", "next start ms", ">0");
	expect(w, "slow", "ended processes.crash", ">0");
	/* It is still the first worker: its client is connected. */
	expect(w, "www", "retiring processes", "1");
	expect(w, "www", "processes.0.state", "Retiring");
	expect(w, "www", "processes.0.reason", "age");
	expect(w, "www", "processes.0.request uri", "/x");
	expect(w, "www", "processes.1.state", "Idle");
	close(fd);
	expect(w, "www", "ended processes.age", ">0");
	world_close_changed(&w);
}

/* -- figures --------------------------------------------------------------- */

Test(status, ended_workers_are_counted_by_cause)
{
	struct world *w = world_open();
	json_t *pool;
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
	expect(w, "memory", "ended processes.memory", ">0");
	for (i = 0; i < 2; i++)
		(void)client_script(w, "requests.sock", NULL, NULL);
	expect(w, "requests", "ended processes.requests", "1");
	expect(w, "requests", "requests", "2");
	for (i = 0; i < 2; i++) {
		(void)client_script(w, i ? "idle.sock" :
				"exit.sock", NULL, NULL);
	}
	expect(w, "exit", "ended processes.exit", "1");
	expect(w, "idle", "ended processes.idle", "1");
	expect(w, "idle", "total processes", "0");
	pool = ask_pool(w, "crash");
	cr_assert_eq(kill((pid_t)json_integer_value(member(pool,
			"processes.0.pid")), SIGKILL), 0);
	json_decref(pool);
	expect(w, "crash", "ended processes.crash", "1");
	expect(w, "crash", "ended processes.exit", "0");
	world_expect_deaths(w);
	world_close_changed(&w);
}

static int64_t
number(struct world *w, const char *path)
{
	json_t *pool = ask_pool(w, "www");
	const json_t *v = member(pool, path);
	int64_t n;

	cr_assert(json_is_integer(v), "%s is not a number", path);
	n = json_integer_value(v);
	json_decref(pool);
	return n;
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
	expect(w, "www", "requests", "3");
	expect(w, "www", "processes.0.requests", "3");
	cr_assert_eq(kill(-(pid_t)number(w, "processes.0.pid"), SIGKILL), 0);
	expect(w, "www", "ended processes.crash", "1");
	expect(w, "www", "idle processes", "1");
	cr_expect_eq(number(w, "requests"), 3);
	cr_expect_geq(number(w, "accepted conn"), 3);
	(void)client_script(w, "www.sock", NULL, NULL);
	expect(w, "www", "requests", "4");
	expect(w, "www", "processes.0.requests", "1");
	world_expect_deaths(w);
	world_close_changed(&w);
}

/* Even after a second, when the pool counts it as ready. */
Test(status, a_program_that_never_accepts_is_starting)
{
	struct world *w = world_open();

	world_start(w, POOL("www") ONE "handler = /bin/sleep\n"
		"handler_args = 60\n"
		"stop_timeout = 100ms\n");
	expect(w, "www", "processes.0.reason",
		"has not accepted a connection yet");
	expect(w, "www", "processes.0.state", "Starting");
	expect(w, "www", "starting processes", "1");
	expect(w, "www", "active processes", "0");
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
		n = number(w, "accepted conn");
		cr_expect_geq(n, accepted);
		accepted = n;
		n = number(w, "requests");
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
	expect(w, "www", "listen queue", "0");
}

/* One client is served, and two wait. */
static void
fill_queue(struct world *w, int *fds)
{
	/* libfcgi would close a connection on which it receives nothing. */
	fds[0] = client_connect(w, "www.sock");
	client_begin(fds[0], 1, 0, (const char *[]){"CONTENT_LENGTH=1", NULL});
	expect(w, "www", "listen queue", "0");
	fds[1] = client_connect(w, "www.sock");
	fds[2] = client_connect(w, "www.sock");
	expect(w, "www", "listen queue", "2");
}

Test(status, waiting_clients_are_counted)
{
	struct world *w = world_open();
	int fds[3];

	world_start(w, POOL("www") "handler = @BIN@/handlers/upload\n"
		"listen.backlog = 77\n" ONE);
	expect(w, "www", "listen queue len", "77");
	fill_queue(w, fds);
	expect_stays(w, "www", "max children reached", "1");
	leave_queue(w, fds);
	expect(w, "www", "max listen queue", ">0");
	expect(w, "www", "max active processes", "1");
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
	expect(w, "www", "max listen queue", "2");
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
	expect_stays(w, "www", "max children reached", "1");
	leave_queue(w, fds);
	expect_stays(w, "www", "max children reached", "1");
	fill_queue(w, fds);
	expect_stays(w, "www", "max children reached", "2");
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
	expect(w, "www", "max active processes", "1");
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
	expect(w, "www", "kept processes", "1");
	other = client_connect(w, "www.sock");
	expect(w, "www", "listen queue", "1");
	out = ask(w, "-m", "www", 0);
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
	expect(w, "www", "refused conn", "0");
	fd = client_connect(w, "www.sock");
	expect(w, "www", "active processes", "1");
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Status: 503");
	expect(w, "www", "refused conn", "1");
	close(fd);
	world_close_changed(&w);
}

/* -- output ---------------------------------------------------------------- */

Test(status, control_characters_of_a_client_are_escaped)
{
	static const char uri[] = "/\x1b[2J\xff\xc2\x9b\"\\\n\xe2\x82\xac";
	char param[64];
	const char *const params[] = {"REQUEST_METHOD=GET", param, NULL};
	struct world *w = world_open();
	char *out;

	snprintf(param, sizeof(param), "REQUEST_URI=%s", uri);
	world_start(w, POOL("www") "handler = @BIN@/handlers/hello\n" ONE);
	(void)client_call(w, "www.sock", params, NULL, 0);
	expect(w, "www", "processes.0.request uri",
		"/\x1b[2J\xef\xbf\xbd\xc2\x9b\"\\\n\xe2\x82\xac");
	out = ask(w, "-j", "www", 0);
	cr_expect(strstr(out, "/\\u001B[2J\\uFFFD\\u009B\\\"\\\\\\n"),
		"%s", out);
	cr_expect_null(strpbrk(out, "\x1b\xff"), "%s", out);
	out = ask(w, "-m", "www", 0);
	cr_expect(strstr(out, "GET /\\x1b[2J\xef\xbf\xbd\\xc2\\x9b\"\\\\x0a"
		"\xe2\x82\xac\n"), "%s", out);
	world_close_changed(&w);
}

/* Another process that listens at the path of the control socket. */
struct fake {
	int fd;
	const char *answer;
};

static void *
answer_once(void *arg)
{
	const struct fake *f = arg;
	char request[200];
	int fd = accept(f->fd, NULL, NULL);

	if (fd >= 0 && read(fd, request, sizeof(request)) > 0)
		(void)!write(fd, f->answer, strlen(f->answer));
	close(fd);
	return NULL;
}

/* The output of fcgipmctl status for this answer; the caller frees it. */
static char *
ask_fake(struct world *w, const char *answer, int want)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct fake f = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		answer};
	pthread_t thread;
	char *out;

	snprintf(un.sun_path, sizeof(un.sun_path), "%.100s",
		world_path(w, "run/control.sock"));
	(void)mkdir(world_path(w, "run"), 0700);
	cr_assert_eq(bind(f.fd, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(f.fd, 1), 0);
	cr_assert_eq(pthread_create(&thread, NULL, answer_once, &f), 0);
	out = ask(w, "-m", NULL, want);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	close(f.fd);
	cr_assert_eq(unlink(un.sun_path), 0);
	return out;
}

Test(status, control_characters_of_a_false_supervisor_are_escaped)
{
#define EVIL "\\u001b[2J\\u009b\\u000d"
#define MOST "9223372036854775807"
	static const struct {
		const char *answer, *want;
		int code;
	} rows[] = {
		{"{\"error\":\"" EVIL "\",\"pools\":[\"" EVIL "\",1]}\n",
			"\\x1b[2J\\xc2\\x9b\\x0d; pools: \\x1b", 4},
		{"{\"version\":\"" EVIL "\",\"start since\":" MOST
			",\"pools\":[{\"pool\":\"" EVIL "\","
			"\"bad starts\":" MOST ",\"last failure\":\"" EVIL "\","
			"\"ended processes\":{\"" EVIL "\":" MOST "},"
			"\"processes\":[{\"pid\":-1,"
			"\"since ms\":" MOST ",\"state\":\"" EVIL "\"}]}]}\n",
			" in a row (\\x1b[2J\\xc2\\x9b\\x0d)", 0},
	};
	struct world *w = world_open();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *out = ask_fake(w, rows[i].answer, rows[i].code);

		cr_expect(strstr(out, rows[i].want), "%zu: %s", i, out);
		cr_expect_null(strpbrk(out, "\x1b\x9b\r"), "%zu: %s", i, out);
	}
}

Test(status, columns_fit_their_content)
{
	struct world *w = world_open();
	char *out;

	world_start(w, POOL("www") "handler = @BIN@/handlers/hello\n" ONE
		POOL("slow") "handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 2\naccelerate = no\n");
	out = ask(w, "-m", NULL, 0);
	cr_expect(strstr(out, "fcgipm "), "%s", out);
	cr_expect(strstr(out, "\nPOOL  MANAGER  IDLE"), "%s", out);
	cr_expect(strstr(out, "\nwww   dynamic     1       0"), "%s", out);
	cr_expect(strstr(out, "\nslow  static      2       0"), "%s", out);
	cr_expect(strstr(out, "MEMORY  TIER    REQUEST\n"), "%s", out);
	cr_expect(strstr(out, "kernel  (not observed: static pool)\n"),
		"%s", out);
	world_close_changed(&w);
}

Test(status, errors_say_what_to_do)
{
	struct world *w = world_open();
	char *none = world_path(w, "none"), *out;
	const char *ini = world_write(w, "none.ini",
		"[fcgipm]\ncontrol = none\n");

	world_start(w, POOL("www") "handler = @BIN@/handlers/hello\n" ONE);
	out = ask(w, "-j", "nobody", 4);
	cr_expect(strstr(out, "no such pool; pools: www"), "%s", out);
#define RUN(want, text, ...)                                                  \
	do {                                                                  \
		const char *argv[] = {"fcgipmctl", "status", __VA_ARGS__, NULL};    \
		int code = world_run(w, argv, &out);                          \
		cr_expect_eq(code, want, "exit status %d: %s", code, out);    \
		cr_expect(strstr(out, text), "no \"%s\": %s", text, out);     \
	} while (0)
	RUN(2, "no fcgipm is listening there", "-s", none);
	RUN(2, "No such file", "-c", none);
	RUN(2, "contains control = none", "-c", ini);
	RUN(64, "status: unknown option -x", "-x");
	RUN(64, "unexpected argument \"two\"", "one", "two");
	RUN(64, "no such pool: \\xff is not UTF-8", "\xff");
	RUN(0, "www", "www");
	world_stop(w);
	RUN(2, "No such file", "www");
	/* Without a supervisor of its own, a user asks root's. */
	if (geteuid() != 0)
		RUN(2, "fcgipmctl: /run/fcgipm/control.sock: ", "www");
}
