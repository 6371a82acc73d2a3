/*
 * test_shim.c - the preloaded library in real programs
 *
 * No daemon runs: the test acts as the supervisor, so that it can check each
 * step.  It compares the counts of the board with what the client did.
 */
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "base/util.h"
#include "base/vec.h"
#include "hostile.h"
#include "observe/board.h"
#include "sys/procfs.h"

TestSuite(shim, .timeout = 900);

enum { SPARE = 2 };

struct rig {
	struct world *w;
	struct board *b;
	int listener;
	char shim[600];
	pid_t pids[4];
	bool stop_first;	/* rig_spawn() sets the stop flag first */
	struct board_sample seen;	/* last sample of a check function */
	unsigned slot;		/* slot that it samples */
	uint64_t want;		/* value that it waits for */
};

static struct rig
rig_open(unsigned nslots, unsigned threads)
{
	struct rig r = {.w = world_open()};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	r.b = board_new(nslots, SPARE, threads);
	cr_assert_not_null(r.b);
	r.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(r.listener, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.90s/s.sock", r.w->dir);
	cr_assert_eq(bind(r.listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(r.listener, 64), 0);
	snprintf(r.shim, sizeof(r.shim), "%s/../lib/libfcgipm-shim.so",
		getenv("FCGIPM_BIN"));
	cr_assert_eq(access(r.shim, R_OK), 0, "%s", r.shim);
	return r;
}

static void
rig_close(struct rig *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->pids); i++)
		if (r->pids[i] > 0) {
			kill(-r->pids[i], SIGKILL);
			cr_expect_eq(waitpid(r->pids[i], NULL, 0), r->pids[i]);
		}
	board_free(&r->b);
	close(r->listener);
	unlink(world_path(r->w, "s.sock"));
	world_close(&r->w);
}

/* In the child: sets descriptor 0, the log, and the board as 3 and 4. */
static void
become(struct rig *r, char **argv, char **envp)
{
	int from[] = {r->listener, -1, -1, board_fd(r->b),
		board_eventfd(r->b)};
	int i;

	from[1] = from[2] = open(world_path(r->w, "log"),
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	for (i = 0; i < 5; i++)
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 64);
	for (i = 0; i < 5; i++)
		if (dup2(from[i], i) < 0)
			_exit(126);
	if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		close_range(5, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	execve(argv[0], argv, envp);
	_exit(127);
}

/* Starts argv as the worker of a slot; extra: variables to add. */
static void
rig_spawn_as(struct rig *r, unsigned slot, char **argv, const char *preload,
	const char *const *extra)
{
	struct vec env;

	vec_init(&env);
	for (; extra && *extra; extra++)
		vec_add(&env, *extra);
	vec_add(&env, "PATH=/usr/local/bin:/usr/bin:/bin");
	vec_add(&env, "PHP_FCGI_MAX_REQUESTS=0");
	vec_addf(&env, "FCGIPM_WORKER=%u", slot);
	board_env(&env, 3, r->shim, preload);
	board_reset(r->b, slot, 0);
	if (r->stop_first)
		board_ask_stop(r->b, slot);
	cr_assert_not_null(vec_array(&env));
	r->pids[slot] = fork();
	cr_assert_geq(r->pids[slot], 0);
	if (r->pids[slot] == 0)
		become(r, argv, vec_array(&env));
	board_started(r->b, slot, r->pids[slot]);
	vec_fini(&env);
}

static void
rig_spawn(struct rig *r, unsigned slot, const char *program, const char *arg)
{
	char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)arg,
		NULL};

	rig_spawn_as(r, slot, argv, NULL, NULL);
}

/* Waits until the worker has exited; it must not be killed, and its status must
 * be 0. */
static void
rig_expect_exit(struct rig *r, unsigned slot, const char *why)
{
	int status;

	cr_assert_eq(waitpid(r->pids[slot], &status, 0), r->pids[slot]);
	r->pids[slot] = 0;
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"%s: wait status %#x", why, (unsigned)status);
}

static struct rig *
rig_at(struct rig *r, unsigned slot, uint64_t want)
{
	r->slot = slot;
	r->want = want;
	return r;
}

static bool
is_attached(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen);
}

static bool
has_state(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen) &&
		r->seen.state == r->want;
}

static bool
has_accepting(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen) &&
		r->seen.accepting == r->want;
}

static bool
has_accepted(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen) &&
		r->seen.accepted >= r->want;
}

static bool
has_running(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen) &&
		r->seen.running == r->want;
}

static bool
has_idle(void *arg)
{
	struct rig *r = arg;

	return board_idle(r->b) == r->want;
}

/* Sums of all slots. */
static struct board_sample
sum_of(const struct rig *r)
{
	struct board_sample all = {0}, one;
	unsigned i;

	for (i = 0; i < board_slots(r->b); i++) {
		if (!board_read(r->b, i, &one))
			continue;
		all.requests += one.requests;
		all.accepted += one.accepted;
		all.bytes_in += one.bytes_in;
		all.bytes_out += one.bytes_out;
		all.open += one.open;
		all.running += one.running;
		all.incomplete |= one.incomplete;
	}
	return all;
}

static bool
has_counted(void *arg)
{
	struct rig *r = arg;

	r->seen = sum_of(r);
	return r->seen.requests == r->want && r->seen.open == 0;
}

/* -- the client ---------------------------------------------------------- */

/* Reads up to END_REQUEST; returns the bytes.  *ret_pid: the pid that the
 * answer contains. */
static size_t
read_answer(int fd, pid_t *ret_pid)
{
	static uint8_t p[1 << 17];
	size_t len = 0, at = 0, size;
	const char *text;
	ssize_t n;

	for (;;) {
		while (len - at >= 8) {
			size = 8 + (size_t)(p[at + 4] << 8 | p[at + 5]) +
				p[at + 6];
			if (len - at < size)
				break;
			at += size;
			if (p[at - size + 1] == END)
				goto ended;
		}
		cr_assert_lt(len, sizeof(p) - 1);
		n = recv(fd, p + len, sizeof(p) - 1 - len, 0);
		cr_assert_gt(n, 0, "no answer after %zu bytes: %s", len,
			n < 0 ? strerror(errno) : "closed");
		len += (size_t)n;
	}
ended:
	cr_assert_eq(at, len, "bytes after the answer");
	p[len] = '\0';
	text = memmem(p, len, "pid: ", 5);
	if (ret_pid)
		*ret_pid = text ? (pid_t)strtol(text + 5, NULL, 10) : 0;
	return len;
}

static const char *const params[] = {"REQUEST_METHOD=POST",
	"SCRIPT_NAME=/script", "REQUEST_URI=/uri?x=y", "CONTENT_LENGTH=5",
	"CONTENT_TYPE=text/plain", "REDIRECT_STATUS=200",
	"SERVER_PROTOCOL=HTTP/1.1", "QUERY_STRING=x=y",
	"HTTP_X_LONG=0123456789012345678901234567890123456789012345678901234567"
	"890123456789012345678901234567890123456789012345678901234567890123456"
	"789012345678901234567890123456789", NULL};

struct asked {
	uint64_t in, out;	/* bytes that the worker reads and writes */
};

/* Sends count requests, each on a connection of its own, or all on one. */
static struct asked
ask(struct rig *r, unsigned count, int flags, const char *const *with)
{
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), flags,
		with, "hello", 5);
	struct asked a = {0};
	int fd = -1;
	unsigned i;

	for (i = 0; i < count; i++) {
		if (fd < 0)
			fd = client_connect(r->w, "s.sock");
		client_send(fd, request, len);
		a.in += len;
		a.out += read_answer(fd, NULL);
		if (!(flags & KEEP_CONN)) {
			/* The worker closes first. */
			cr_assert_eq(client_drain(fd), 0);
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return a;
}

/* -- programs ------------------------------------------------------------ */

struct program {
	const char *name;
	const char *(*path)(void);
	const char *arg;
	bool no_bytes;		/* it does not read all that is sent */
	bool no_keep;		/* it has no keep-alive connections */
};

static const char *
path_hello(void)
{
	return world_handler("hello");
}

static const char *
path_perl(void)
{
	return world_handler("hello.pl");
}

static const char *
path_php(void)
{
	return "/usr/bin/php-cgi";
}

static const char *
path_python(void)
{
	return world_child("fcgi.py");
}

static const char *
path_fortified(void)
{
	return world_child("fortified");
}

static const struct program programs[] = {
	{"libfcgi", path_hello, NULL, false, false},
	{"Perl", path_perl, NULL, false, false},
	{"php-cgi", path_php, NULL, false, false},
	{"Python", path_python, "recv", false, false},
	/* All calls that read. */
	{"Python, read", path_python, "read", false, false},
	{"Python, readv", path_python, "readv", false, false},
	{"Python, recvfrom", path_python, "recvfrom", false, false},
	{"Python, recvmsg", path_python, "recvmsg", false, false},
	{"Python, byte by byte", path_python, "bytes", false, false},
	{"fortified", path_fortified, NULL, false, true},
};

/* params, and SCRIPT_FILENAME of the sample PHP page. */
static const char *const *
params_for(struct rig *r)
{
	static const char *with[ARRAY_SIZE(params) + 1];
	static char script[700];

	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s",
		world_handler("hello.php"));
	(void)r;
	memcpy(with, params, sizeof(params));
	with[ARRAY_SIZE(params) - 1] = script;
	with[ARRAY_SIZE(params)] = NULL;
	return with;
}

static void
count_program(const struct program *p, int flags, unsigned count)
{
	struct rig r = rig_open(2, 1);
	struct asked a;
	unsigned i;

	for (i = 0; i < 2; i++)
		rig_spawn(&r, i, p->path(), p->arg);
	for (i = 0; i < 2; i++)
		world_until(is_attached, rig_at(&r, i, 0), p->name);
	a = ask(&r, count, flags, params_for(&r));
	world_until(has_counted, rig_at(&r, 0, count), p->name);
	cr_expect_eq(r.seen.accepted, flags & KEEP_CONN ? 1 : count, "%s: %lu",
		p->name, (unsigned long)r.seen.accepted);
	cr_expect_eq(r.seen.bytes_in, a.in, "%s: read %lu, sent %lu", p->name,
		(unsigned long)r.seen.bytes_in, (unsigned long)a.in);
	cr_expect_eq(r.seen.bytes_out, a.out, "%s: wrote %lu, got %lu",
		p->name, (unsigned long)r.seen.bytes_out,
		(unsigned long)a.out);
	cr_expect_not(r.seen.incomplete, "%s", p->name);
	world_until(has_idle, rig_at(&r, 0, 2), "both are idle");
	for (i = 0; i < 2; i++) {
		board_read(r.b, i, &r.seen);
		cr_expect_eq(r.seen.pid, r.pids[i]);
		cr_expect(r.seen.ours);
		cr_expect_eq(r.seen.state, FCGIPM_FREE);
		if (r.seen.requests == 0)
			continue;
		cr_expect_str_eq(r.seen.method, "POST");
		cr_expect_str_eq(r.seen.uri, "/uri?x=y");
		cr_expect_eq(r.seen.start_ms, 0);
	}
	rig_close(&r);
}

/* The first four get many requests: 10^4 together, or 4 x 10^5. */
static void
count_programs(int flags)
{
	unsigned often = (unsigned)hostile_size(1250, 50000);

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (!(flags & KEEP_CONN) || !programs[i].no_keep)
			count_program(&programs[i], flags,
				i < 4 ? often : 20);
	hostile_figure("shim: %u requests each, %s: counted exactly", often,
		flags & KEEP_CONN ? "keep-alive" : "one a connection");
}

Test(shim, counts_each_request)
{
	count_programs(0);
}

Test(shim, counts_each_request_of_keep_alive_connections)
{
	count_programs(KEEP_CONN);
}

/* The program closes by a direct system call, as libuv does. */
Test(shim, an_answered_connection_counts_as_closed)
{
	static const int flags[] = {0, KEEP_CONN};
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, path_python(), "syscall");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		ask(&r, 5, flags[i], params);
		world_until(has_counted, rig_at(&r, 0, 5 * (i + 1)), "count");
		world_until(has_idle, rig_at(&r, 0, 1), "idle");
	}
	cr_expect_not(sum_of(&r).incomplete);
	rig_close(&r);
}

/* -- states -------------------------------------------------------------- */

Test(shim, reports_the_state_of_a_connection)
{
	struct rig r = rig_open(1, 1);
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), KEEP_CONN, params,
		"hello", 5);
	int fd;

	rig_spawn(&r, 0, path_python(), "recv");
	world_until(is_attached, rig_at(&r, 0, 0), "attached");
	cr_expect_eq(r.seen.state, FCGIPM_FREE);
	cr_expect_gt(r.seen.since_ms, 0);
	world_until(has_accepting, rig_at(&r, 0, 1), "in accept()");
	fd = client_connect(r.w, "s.sock");
	world_until(has_state, rig_at(&r, 0, FCGIPM_READING), "accepted");
	cr_expect_eq(r.seen.accepting, 0);
	cr_expect_eq(r.seen.start_ms, 0, "no request yet");
	cr_expect_gt(r.seen.since_ms, 0);
	cr_expect_eq(board_idle(r.b), 0);
	client_send(fd, request, 17);
	world_until(has_running, rig_at(&r, 0, 1), "a request begins");
	cr_expect_eq(r.seen.state, FCGIPM_READING);
	/* All but the record that ends STDIN. */
	client_send(fd, request + 17, len - 17 - 8);
	world_until(has_state, rig_at(&r, 0, FCGIPM_BUSY), "parameters");
	cr_expect_str_eq(r.seen.method, "POST");
	cr_expect_str_eq(r.seen.uri, "/uri?x=y");
	cr_expect_gt(r.seen.start_ms, 0);
	cr_expect_eq(r.seen.requests, 0);
	client_send(fd, request + len - 8, 8);
	read_answer(fd, NULL);
	world_until(has_state, rig_at(&r, 0, FCGIPM_KEPT), "keep-alive");
	cr_expect_eq(r.seen.start_ms, 0, "no request runs");
	cr_expect_eq(r.seen.requests, 1);
	cr_expect_gt(r.seen.since_ms, 0);
	cr_expect_eq(board_idle(r.b), 0, "but the thread is taken");
	close(fd);
	world_until(has_state, rig_at(&r, 0, FCGIPM_FREE), "closed");
	world_until(has_idle, rig_at(&r, 0, 1), "idle");
	rig_close(&r);
}

static const struct {
	const char *why, *params[5], *method, *uri;
} uris[] = {
	{"SCRIPT_NAME", {"REQUEST_METHOD=GET", "SCRIPT_NAME=/s"}, "GET", "/s"},
	{"REQUEST_URI last", {"SCRIPT_NAME=/s", "REQUEST_URI=/u"}, "", "/u"},
	{"REQUEST_URI first", {"REQUEST_URI=/u", "SCRIPT_NAME=/s"}, "", "/u"},
	{"similar names", {"XREQUEST_URI=/a", "REQUEST_URIX=/b",
		"SCRIPT_NAMES=/c", "REQUEST_METHODS=X"}, "", ""},
	{"empty", {"REQUEST_METHOD=", "REQUEST_URI="}, "", ""},
};

Test(shim, finds_method_and_uri)
{
	struct rig r = rig_open(1, 1);
	const char *with[7];
	size_t i, n;

	rig_spawn(&r, 0, path_python(), "bytes");
	for (i = 0; i < ARRAY_SIZE(uris); i++) {
		memcpy(with, uris[i].params, sizeof(uris[i].params));
		for (n = 0; n < 5 && with[n]; n++)
			;
		with[n] = "CONTENT_LENGTH=5";
		with[n + 1] = NULL;
		ask(&r, 1, 0, with);
		world_until(has_counted, rig_at(&r, 0, i + 1), uris[i].why);
		board_read(r.b, 0, &r.seen);
		cr_expect_str_eq(r.seen.method, uris[i].method, "%s: %s",
			uris[i].why, r.seen.method);
		cr_expect_str_eq(r.seen.uri, uris[i].uri, "%s: %s",
			uris[i].why, r.seen.uri);
	}
	rig_close(&r);
}

Test(shim, a_client_that_disconnects_early_is_not_counted)
{
	struct rig r = rig_open(1, 1);
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), 0, params,
		"hello", 5), cut;
	uint64_t accepted = 0;
	int fd;

	rig_spawn(&r, 0, path_python(), "recv");
	for (cut = 0; cut < len; cut += 1 + len / 40) {
		fd = client_connect(r.w, "s.sock");
		client_send(fd, request, cut);
		shutdown(fd, SHUT_WR);
		client_drain(fd);
		close(fd);
		accepted++;
	}
	ask(&r, 1, 0, params);
	world_until(has_counted, rig_at(&r, 0, 1), "the complete request");
	cr_expect_eq(r.seen.accepted, accepted + 1);
	cr_expect_not(r.seen.incomplete);
	rig_close(&r);
}

/* What is not FastCGI is not counted, and marks the slot as incomplete. */
Test(shim, other_protocols_mark_the_slot_incomplete)
{
	struct rig r = rig_open(1, 1);
	int fd;

	rig_spawn(&r, 0, path_python(), "recv");
	fd = client_connect(r.w, "s.sock");
	client_send(fd, "GET / HTTP/1.0\r\n\r\n", 18);
	shutdown(fd, SHUT_WR);
	client_drain(fd);
	close(fd);
	world_until(has_idle, rig_at(&r, 0, 1), "idle");
	cr_expect(sum_of(&r).incomplete);
	cr_expect_eq(sum_of(&r).requests, 0);
	rig_close(&r);
}

/* -- processes and threads ----------------------------------------------- */

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
	world_until(has_idle, rig_at(&r, 0, 3), "three free threads");
	world_until(has_accepting, rig_at(&r, 0, 3), "all accept");
	for (i = 0; i < 3; i++) {
		fds[i] = client_connect(r.w, "s.sock");
		client_send(fds[i], request, len);
		world_until(has_running, rig_at(&r, 0, i + 1), "running");
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
			ask(&r, each, 0, params);
			_exit(0);
		}
	}
	for (i = 0; i < 3; i++) {
		cr_assert_eq(waitpid(clients[i], &status, 0), clients[i]);
		cr_expect_eq(status, 0);
	}
	world_until(has_counted, rig_at(&r, 0, (uint64_t)each * 3), "count");
	world_until(has_idle, rig_at(&r, 0, 3), "idle");
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
	char *argv[] = {(char *)(uintptr_t)path_php(), NULL};
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
	ask(&r, 100, 0, params_for(&r));
	world_until(has_counted, rig_at(&r, 0, 100), "spare slots count");
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
	ask(&r, 20, 0, params_for(&r));
	world_until(has_counted, rig_at(&r, 0, 120), "counts continue");
	world_until(has_idle, rig_at(&r, 0, 2), "both are idle again");
	rig_close(&r);
}

/* A process for each connection: what it reads and writes is not seen. */
Test(shim, connections_passed_to_children_mark_the_slot_incomplete)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, path_python(), "fork");
	ask(&r, 3, 0, params);
	world_until(has_idle, rig_at(&r, 0, 1), "idle");
	cr_expect(sum_of(&r).incomplete);
	cr_expect_eq(sum_of(&r).accepted, 3);
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
		ask(&r, 3, 0, params);
		world_until(has_counted, rig_at(&r, 0, 3), texts[i]);
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
	ask(&r, 3, 0, params);
	world_until(has_counted, rig_at(&r, 0, 3), "counted");
	cr_expect_not(board_read(r.b, 0, &r.seen));
	cr_expect(board_read(r.b, 1, &r.seen));
	rig_close(&r);
}

/* -- where it does nothing ----------------------------------------------- */

Test(shim, static_programs_do_not_report)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, world_child("bare_static"), NULL);
	ask(&r, 5, 0, params);
	cr_expect_not(board_read(r.b, 0, &r.seen));
	cr_expect_eq(board_idle(r.b), 0);
	rig_close(&r);
}

static bool
is_in_accept(void *arg)
{
	return procfs_sample(((struct rig *)arg)->pids[0]) == PROCFS_ACCEPTING;
}

Test(shim, a_handler_may_report_for_itself)
{
	static const char *const names[] = {"static", "cpu"};
	const char *const quick[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/own",
		"QUERY_STRING=ms=1", NULL};
	struct rig r = rig_open(1, 1);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		rig_spawn(&r, 0, world_handler(names[i]), NULL);
		world_until(is_attached, rig_at(&r, 0, 0), names[i]);
		cr_expect(r.seen.handler);
		world_until(has_idle, rig_at(&r, 0, 1), names[i]);
		ask(&r, 20, 0, quick);
		world_until(has_counted, rig_at(&r, 0, 20), names[i]);
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepted, 20);
		cr_expect_str_eq(r.seen.method, "GET");
		cr_expect_str_eq(r.seen.uri, "/own");
		world_until(is_in_accept, &r, "in accept");
			/* The next request is its last one. */
		board_ask_stop(r.b, 0);
		ask(&r, 1, 0, quick);
		rig_expect_exit(&r, 0, names[i]);
	}
	rig_close(&r);
}

static const char *const other_boards[] = {"", "3", "0:4", "1:4", "99:100",
	"4:3", "nonsense"};

Test(shim, does_nothing_without_a_valid_board)
{
	struct rig r = rig_open(1, 1);
	char *argv[] = {(char *)(uintptr_t)path_hello(), NULL};
	const char *extra[2] = {NULL, NULL};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(other_boards); i++) {
		/* getenv(3) finds the first variable with a name. */
		snprintf(text, sizeof(text), "FCGIPM_BOARD=%s",
			other_boards[i]);
		extra[0] = text;
		rig_spawn_as(&r, 0, argv, NULL, extra);
		ask(&r, 3, 0, params);
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
	size_t len = client_put_request(request, sizeof(request), 0, params,
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

	program[0] = path_python();
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

/* -- events and the stop flag -------------------------------------------- */

Test(shim, reports_when_the_last_idle_worker_accepts)
{
	struct rig r = rig_open(2, 1);
	unsigned i;
	int fds[2];

	for (i = 0; i < 2; i++)
		rig_spawn(&r, i, path_hello(), NULL);
	world_until(has_idle, rig_at(&r, 0, 2), "both are idle");
	board_arm(r.b, 0);
	fds[0] = client_connect(r.w, "s.sock");
	world_until(has_idle, rig_at(&r, 0, 1), "one is idle");
	cr_expect_not(board_read_event(r.b));
	fds[1] = client_connect(r.w, "s.sock");
	world_until(has_idle, rig_at(&r, 0, 0), "none is idle");
	for (i = 0; i < 2000 && !board_read_event(r.b); i++)
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	cr_expect_lt(i, 2000, "no event");
	close(fds[0]);
	close(fds[1]);
	rig_close(&r);
}

/* The flag is set while the worker sleeps in accept(2).  It answers the request
 * that wakes it and exits; the next client in the queue waits for its
 * successor. */
Test(shim, a_worker_with_the_stop_flag_exits_after_its_request)
{
	struct rig r = rig_open(1, 1);
	uint8_t request[4096];
	size_t len, i;
	int queued;

	len = client_put_request(request, sizeof(request), 0, params_for(&r),
		"hello", 5);
	for (i = 0; i < 4; i++) {
		rig_spawn(&r, 0, programs[i].path(), programs[i].arg);
		/* Earlier it might see the flag before its first accept. */
		world_until(has_accepting, rig_at(&r, 0, 1), programs[i].name);
		board_ask_stop(r.b, 0);
		ask(&r, 1, 0, params_for(&r));
		queued = client_connect(r.w, "s.sock");
		client_send(queued, request, len);
		rig_expect_exit(&r, 0, programs[i].name);
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepted, 1, "%s", programs[i].name);
		rig_spawn(&r, 0, programs[i].path(), programs[i].arg);
		cr_expect_gt(read_answer(queued, NULL), 0);
		close(queued);
		kill(r.pids[0], SIGKILL);
		cr_assert_eq(waitpid(r.pids[0], NULL, 0), r.pids[0]);
	}
	r.pids[0] = 0;
	rig_close(&r);
}

/* The thread that answers exits, and ends the others by its own means. */
Test(shim, threads_exit_together_after_the_stop_flag)
{
	struct rig r = rig_open(1, 3);
	const char *const threads[] = {"FCGIPM_THREADS=3", NULL};
	char *argv[] = {(char *)(uintptr_t)world_handler("threads"), NULL};

	rig_spawn_as(&r, 0, argv, NULL, threads);
	world_until(has_accepting, rig_at(&r, 0, 3), "all accept");
	board_ask_stop(r.b, 0);
	ask(&r, 1, 0, params);
	rig_expect_exit(&r, 0, "threads");
	rig_close(&r);
}

/* With the flag set before its first accept(2), it accepts nothing. */
Test(shim, a_worker_started_with_the_stop_flag_never_accepts)
{
	struct rig r = rig_open(1, 1);
	int queued = client_connect(r.w, "s.sock");

	r.stop_first = true;
	for (size_t i = 0; i < 4; i++) {
		rig_spawn(&r, 0, programs[i].path(), programs[i].arg);
		rig_expect_exit(&r, 0, programs[i].name);
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepted, 0, "%s", programs[i].name);
	}
	close(queued);
	rig_close(&r);
}

/* A program that polls would call accept(2) again and again. */
Test(shim, a_polling_program_ignores_the_stop_flag, .timeout = 60)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, path_python(), "poll");
	ask(&r, 2, 0, params);
	board_ask_stop(r.b, 0);
	ask(&r, 5, 0, params);
	world_until(has_counted, rig_at(&r, 0, 7), "all are served");
	rig_close(&r);
}

/* -- unusual calls ------------------------------------------------------- */

struct way {
	const char *name;
	unsigned asked, accepted, requests;
	int flags;
	bool incomplete;
	bool half_closed;	/* the client shuts down its side */
};

/* Sends as many requests as the row says, whatever the answer. */
static size_t
ask_way(struct rig *r, const struct way *w)
{
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), w->flags,
		params, "hello", 5);
	unsigned i;
	int fd = -1;

	for (i = 0; i < w->asked; i++) {
		if (fd < 0)
			fd = client_connect(r->w, "s.sock");
		client_send(fd, request, len);
		if (w->half_closed)
			shutdown(fd, SHUT_WR);
		if (w->requests > 0 || w->flags & KEEP_CONN)
			(void)read_answer(fd, NULL);
		if (w->flags & KEEP_CONN)
			continue;
		close(fd);
		fd = -1;
	}
	if (fd >= 0)
		close(fd);
	return len;
}

Test(shim, unusual_calls_are_counted_or_mark_the_slot_incomplete, .timeout = 60)
{
	static const struct way ways[] = {
		{"plain", 3, 3, 3, 0, false, false},
		{"errno", 3, 3, 3, 0, false, false},
		{"peek", 3, 3, 3, 0, false, false},
		{"eof", 3, 3, 3, 0, false, true},
		{"vfork", 3, 3, 3, 0, false, false},
		{"unseen", 3, 3, 3, 0, true, false},
		{"twice", 3, 1, 0, KEEP_CONN, true, false},
		{"quiet", 3, 3, 0, 0, true, false},
		{"other", 3, 3, 3, 0, false, false},
	};
	struct rig r = rig_open(1, 1);
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct way *w = &ways[i];

		rig_spawn(&r, 0, world_child("calls"), w->name);
		len = ask_way(&r, w);
		world_until(has_accepted, rig_at(&r, 0, w->accepted), w->name);
		world_until(has_accepting, rig_at(&r, 0, 1), w->name);
		/* The last one counts as open until its descriptor number is
		 * returned by accept(2) again. */
		if (strcmp(w->name, "unseen") != 0)
			world_until(has_counted, rig_at(&r, 0, w->requests),
				w->name);
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepted, w->accepted, "%s: %lu", w->name,
			(unsigned long)r.seen.accepted);
		cr_expect_eq(r.seen.requests, w->requests, "%s: %lu", w->name,
			(unsigned long)r.seen.requests);
		cr_expect_eq(r.seen.incomplete, w->incomplete, "%s", w->name);
		if (!w->incomplete)
			cr_expect_eq(r.seen.bytes_in, len * w->asked,
				"%s: %lu", w->name,
				(unsigned long)r.seen.bytes_in);
		cr_expect_eq(kill(r.pids[0], SIGKILL), 0);
		cr_assert_eq(waitpid(r.pids[0], NULL, 0), r.pids[0]);
		r.pids[0] = 0;
	}
	rig_close(&r);
}

/* The thread is not free before it accepts again. */
Test(shim, work_after_an_answer_occupies_the_thread, .timeout = 60)
{
	struct rig r = rig_open(1, 1);
	unsigned i;

	rig_spawn(&r, 0, world_child("calls"), "work");
	world_until(has_idle, rig_at(&r, 0, 1), "idle");
	for (i = 1; i <= 3; i++) {
		ask(&r, 1, 0, params);
		world_until(has_counted, rig_at(&r, 0, i), "answered");
		cr_expect_eq(board_idle(r.b), 0, "the thread is at work");
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepting, 0);
		cr_assert_eq(kill(r.pids[0], SIGUSR1), 0);
		world_until(has_idle, rig_at(&r, 0, 1), "idle again");
	}
	rig_close(&r);
}

static bool
spare_is_free(void *arg)
{
	struct rig *r = arg;

	return !board_read(r->b, 1, &r->seen);
}

/* The process releases it; the supervisor has not checked the process yet. */
Test(shim, a_spare_slot_is_released_at_exit, .timeout = 60)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, world_child("calls"), "child");
	world_until(is_attached, rig_at(&r, 1, 0), "its child");
	ask(&r, 1, 0, params);
	world_until(spare_is_free, &r, "released");
	cr_expect_eq(r.seen.requests, 1);
	cr_expect_eq(board_idle(r.b), 0);
	rig_close(&r);
}

Test(shim, a_signal_during_accept_applies_the_stop_flag, .timeout = 60)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, world_child("calls"), "eintr");
	world_until(has_accepting, rig_at(&r, 0, 1), "accepting");
	world_until(is_in_accept, &r, "in accept");
	board_ask_stop(r.b, 0);
	cr_assert_eq(kill(r.pids[0], SIGUSR1), 0);
	rig_expect_exit(&r, 0, "EINVAL");
	rig_close(&r);
}

static bool
is_gone_or_waits(void *arg)
{
	struct rig *r = arg;

	/* One thread reads, one is in nanosleep(2) repeatedly. */
	return waitpid(r->pids[0], NULL, WNOHANG) != 0 ||
		(board_read(r->b, 0, &r->seen) && r->seen.requests == 1 &&
			r->seen.open == 1 && r->seen.accepting == 0);
}

/* The return of main() would end the other threads. */
Test(shim, the_stop_flag_waits_for_requests_of_other_threads,
	.timeout = 60)
{
	const struct timespec pause = {0, 100000000};
	struct rig r = rig_open(1, 2);
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), 0, params,
		"hello", 5);
	int slow = client_connect(r.w, "s.sock");

	client_send(slow, request, len - 8);
	rig_spawn(&r, 0, world_child("calls"), "main");
	world_until(has_accepting, rig_at(&r, 0, 1), "main() accepts");
	board_read(r.b, 0, &r.seen);
	while (r.seen.open != 1)
		board_read(r.b, 0, &r.seen);
	board_ask_stop(r.b, 0);
	ask(&r, 1, 0, params);
	world_until(is_gone_or_waits, rig_at(&r, 0, 0), "accepts again");
	/* Time in which it must not exit. */
	nanosleep(&pause, NULL);
	cr_expect_eq(waitpid(r.pids[0], NULL, WNOHANG), 0, "it has exited");
	client_send(slow, request + len - 8, 8);
	cr_expect_gt(read_answer(slow, NULL), 0);
	close(slow);
	rig_expect_exit(&r, 0, "after the request");
	rig_close(&r);
}
