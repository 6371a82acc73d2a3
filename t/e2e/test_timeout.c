/*
 * test_timeout.c - requests that take too long are told of and ended, and
 * nobody else is harmed
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostile.h"
#include "world.h"

enum { STDIN = 5, END_REQUEST = 3, KEEP = 1 };

struct kind {
	const char *handler, *keys;
	const char *script;	/* NULL = the handler itself */
	const char *const *ways;	/* not to end, NULL at the end */
	bool kernel;		/* nothing is preloaded, or can be */
	bool crowded;		/* a process has several requests */
};

struct story {
	const struct kind *kind;
	struct world *w;
	int fd;			/* of the client whose request never ends */
	int busy;		/* one request after the other comes over it,
				 * -1 = none */
};

/* A request for /WAY?token=secret; NULL is one that is answered. */
static void
begin(const struct kind *k, int fd, int flags, const char *way)
{
	char file[400], query[100], uri[100];
	const char *const params[] = {file, query, uri, "REQUEST_METHOD=GET",
		"GATEWAY_INTERFACE=CGI/1.1", "SCRIPT_NAME=/late",
		"REDIRECT_STATUS=200", NULL};

	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s",
		k->script ? k->script : k->handler);
	snprintf(query, sizeof(query), "QUERY_STRING=%s", way ? way : "");
	snprintf(uri, sizeof(uri), "REQUEST_URI=/%s?token=secret",
		way ? way : "");
	client_begin(fd, 1, flags, params);
	client_record(fd, STDIN, 1, NULL, 0, 0);
}

/* The pid in an answer over this connection. */
static long
read_pid(int fd)
{
	struct record r;
	const char *at;
	long pid = -1;

	do {
		client_read_record(fd, &r);
		at = strstr((const char *)r.content, "pid: ");
		if (r.type == 6 && at)
			pid = strtol(at + 5, NULL, 10);
	} while (r.type != END_REQUEST);
	cr_expect_gt(pid, 0);
	return pid;
}

static long
ask(const struct kind *k, struct world *w)
{
	int fd = client_connect(w, "www.sock");
	long pid;

	begin(k, fd, 0, NULL);
	pid = read_pid(fd);
	close(fd);
	return pid;
}

/* Others are served meanwhile. */
static bool
is_cut(void *arg)
{
	struct story *s = arg;
	char block[65536];
	ssize_t n;
	int i;

	if (!s->kind->crowded)
		(void)ask(s->kind, s->w);
	for (i = 0; s->busy >= 0 && i < 20; i++) {
		begin(s->kind, s->busy, KEEP, NULL);
		(void)read_pid(s->busy);
	}
	do
		n = recv(s->fd, block, sizeof(block), MSG_DONTWAIT);
	while (n > 0);
	return n == 0 || errno == ECONNRESET;
}

static struct world *
start(const struct kind *k, unsigned workers, const char *keys)
{
	struct world *w = world_open();
	char ini[1500];

	snprintf(ini, sizeof(ini), "[fcgipm]\nlog_level = debug\n"
		"[www]\nlisten = @DIR@/www.sock\n"
		"handler = %s\npm.max_children = %u\n%s%s%s", k->handler,
		workers, k->kernel ? "observe = kernel\n" : "", k->keys, keys);
	world_start(w, ini);
	return w;
}

/* In what `fcgipmctl status` says. */
__attribute__((format(printf, 2, 3)))
static void
expect_status(struct world *w, const char *fmt, ...)
{
	const char *argv[] = {"fcgipmctl", "status", "-s",
		world_path(w, "run/control.sock"), NULL};
	char want[100], *out;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	cr_assert_eq(world_run(w, argv, &out), 0, "%s", out);
	cr_expect(strstr(out, want), "no \"%s\" in %s", want, out);
	free(out);
}

/* By the status, of a pool that had some. */
static long
slow_requests(struct world *w)
{
	char *argv[] = {"fcgipmctl", "status", "-s",
		strdup(world_path(w, "run/control.sock")), NULL}, *out, *at;
	long n;

	cr_assert_eq(world_run(w, argv, &out), 0, "%s", out);
	at = strstr(out, " requests took longer");
	cr_assert_not_null(at, "%s", out);
	while (at > out && at[-1] != ' ')
		at--;
	n = strtol(at, NULL, 10);
	free(argv[3]);
	free(out);
	return n;
}

/* By what the kernel shows, requests of a connection are known apart once its
 * worker has been seen to wait for one.  Until then whatever sleeps, or is put
 * off its processor, may be at the next one. */
static void
be_known(const struct kind *k, struct world *w, int fd)
{
	char line[100];

	begin(k, fd, KEEP, NULL);
	snprintf(line, sizeof(line), ": worker %ld reads from its clients by "
		"read(2)\n", read_pid(fd));
	world_expect_lines(w, line, 1);
}

/* One connection is kept all the time, for longer than any request may take:
 * now without a request, now with one after the other.  One worker is left to
 * serve others. */
static void
end_all(const struct kind *k)
{
	struct world *w = start(k, 3, "request_terminate_timeout = 500ms\n");
	int kept = -1;
	struct story s = {.kind = k, .w = w, .busy = -1};
	char line[100];
	size_t i;
	long pid = 0;

	if (!k->crowded) {
		kept = client_connect(w, "www.sock");
		begin(k, kept, KEEP, NULL);
		pid = read_pid(kept);
	}
	for (i = 0; k->ways[i]; i++) {
		s.fd = client_connect(w, "www.sock");
		if (k->kernel)
			be_known(k, w, s.fd);
		begin(k, s.fd, 0, k->ways[i]);
		s.busy = i % 2 ? kept : -1;
		world_until(is_cut, &s, k->ways[i]);
		close(s.fd);
		if (k->kernel)
			snprintf(line, sizeof(line), ": a request has taken");
		else
			snprintf(line, sizeof(line), ": GET /%s has taken ",
				k->ways[i]);
		world_expect_lines(w, line, k->kernel ? i + 1 : 1);
		world_expect_lines(w, " left: timeout", i + 1);
	}
	if (kept >= 0) {
		begin(k, kept, KEEP, NULL);
		cr_expect_eq(read_pid(kept), pid, "it kept its worker");
		close(kept);
	}
	cr_expect_eq(world_log_count(w, "the worker is killed"), i);
	expect_status(w, "www: processes ended: %zu timeout\n", i);
	cr_expect(!world_log_has(w, "died"));
	cr_expect(!world_log_has(w, "secret"), "no query in the log");
	world_close_changed(&w);
}

/* Not for all workers is a stop without a hurry. */
static void
end_world(struct world **w)
{
	world_signal(*w, SIGTERM);
	world_expect_lines(*w, ": stopping\n", 1);
	world_signal(*w, SIGTERM);
	cr_expect_eq(world_wait(*w), 0);
	world_close(w);
}

static const char *const c_ways[] = {"sleep", "spin", "stop", "stream",
	"child", NULL};
static const char *const script_ways[] = {"sleep", "spin", "stop", "stream",
	NULL};
/* In the long run all of them. */
static const char *const few_ways[] = {"sleep", "stop", NULL};

Test(timeout, c, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late"), .keys = "",
		.ways = c_ways};

	end_all(&k);
}

Test(timeout, c_static, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late_static"),
		.keys = "", .ways = c_ways, .kernel = true};

	end_all(&k);
}

Test(timeout, c_threads, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late"),
		.keys = "handler_args = 2\nthreads = 2\n",
		.ways = hostile_size(0, 1) ? c_ways : few_ways,
		.crowded = true};

	end_all(&k);
}

Test(timeout, perl, .timeout = 60)
{
	struct kind k = {.handler = world_child("late.pl"), .keys = "",
		.ways = script_ways};

	end_all(&k);
	k.kernel = true;
	k.ways = hostile_size(0, 1) ? script_ways : few_ways;
	end_all(&k);
}

Test(timeout, php, .timeout = 60)
{
	struct kind k = {.handler = "/usr/bin/php-cgi",
		.keys = "env[PHP_FCGI_MAX_REQUESTS] = 0\n",
		.script = world_child("late.php"), .ways = script_ways};

	end_all(&k);
	k.kernel = true;
	k.ways = hostile_size(0, 1) ? script_ways : few_ways;
	end_all(&k);
}

/* php-cgi with children of its own: one of them hangs, by itself or with a
 * program that it has started and that has its connection too.  The other one
 * and their parent stay. */
static void
end_one_of_a_family(bool kernel, const char *way)
{
	struct kind k = {.handler = "/usr/bin/php-cgi",
		.keys = "env[PHP_FCGI_CHILDREN] = 2\n",
		.script = world_child("late.php"), .kernel = kernel};
	struct world *w = start(&k, 1, "request_terminate_timeout = 500ms\n");
	struct story s = {.kind = &k, .w = w, .busy = -1};
	pid_t before[4], after[4];

	cr_assert_eq(world_children(w->pid, before, 4), 1);
	s.fd = client_connect(w, "www.sock");
	begin(&k, s.fd, 0, way);
	world_until(is_cut, &s, way);
	close(s.fd);
	world_expect_lines(w, ": the child is killed", 1);
	(void)ask(&k, w);
	cr_assert_eq(world_children(w->pid, after, 4), 1);
	cr_expect_eq(before[0], after[0], "the parent stayed");
	expect_status(w, "www: processes ended: 1 timeout\n");
	end_world(&w);
}

Test(timeout, one_of_a_family, .timeout = 60)
{
	end_one_of_a_family(false, "sleep");
	end_one_of_a_family(true, "sleep");
}

Test(timeout, one_of_a_family_with_what_it_started, .timeout = 60)
{
	end_one_of_a_family(false, "program");
	end_one_of_a_family(true, "program");
}

/* More children than the board has slots for: one that has none is ended by
 * what the kernel shows. */
Test(timeout, all_of_a_large_family, .timeout = 60)
{
	struct kind k = {.handler = "/usr/bin/php-cgi",
		.keys = "env[PHP_FCGI_CHILDREN] = 9\n",
		.script = world_child("late.php"), .crowded = true};
	struct world *w = start(&k, 1, "request_terminate_timeout = 500ms\n");
	struct story s[9];
	size_t i;

	for (i = 0; i < 9; i++) {
		s[i] = (struct story){.kind = &k, .w = w, .busy = -1,
			.fd = client_connect(w, "www.sock")};
		begin(&k, s[i].fd, 0, "sleep");
	}
	for (i = 0; i < 9; i++) {
		world_until(is_cut, &s[i], "a child without a slot");
		close(s[i].fd);
	}
	world_expect_lines(w, ": the child is killed", 9);
	end_world(&w);
}

/* A shell that waits for its handler goes with it. */
Test(timeout, below_a_shell, .timeout = 60)
{
	struct world *w = world_open();
	const char *script = world_script(w, "late.sh",
		"#!/bin/sh\n@T@/children/late\nexit $?\n");
	const struct kind k = {.handler = script, .keys = ""};
	struct story s = {.kind = &k, .w = w, .busy = -1};
	char ini[600];

	snprintf(ini, sizeof(ini), "[fcgipm]\nlog_level = debug\n"
		"[www]\nlisten = @DIR@/www.sock\nhandler = %s\n"
		"pm.max_children = 2\nrequest_terminate_timeout = 500ms\n",
		script);
	world_start(w, ini);
	s.fd = client_connect(w, "www.sock");
	begin(&k, s.fd, 0, "sleep");
	world_until(is_cut, &s, "sleep");
	close(s.fd);
	world_expect_lines(w, ": the worker is killed", 1);
	world_expect_lines(w, " left: timeout", 1);
	(void)ask(&k, w);
	cr_expect(!world_log_has(w, "died"));
	world_close_changed(&w);
}

/* The clock runs while a body is awaited: its worker can do nothing else. */
Test(timeout, a_client_that_stalls, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late"), .keys = ""};
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"REQUEST_URI=/stalls", "CONTENT_LENGTH=10", NULL};
	struct world *w = start(&k, 2, "request_terminate_timeout = 500ms\n");
	struct story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	client_begin(s.fd, 1, 0, params);
	world_until(is_cut, &s, "a body that never comes");
	close(s.fd);
	world_expect_lines(w, ": POST /stalls has taken ", 1);
	world_close_changed(&w);
}

/* By recv(2), which the kernel does not count, over a connection that is kept
 * and never rests: each request is short, all of them are long. */
Test(timeout, one_who_is_busy_lives, .timeout = 60)
{
	const struct kind k = {.handler = world_child("busy.py"), .keys = "",
		.kernel = true};
	struct world *w = start(&k, 1, "request_terminate_timeout = 500ms\n");
	int fd = client_connect(w, "www.sock"), i;
	struct record r;

	for (i = 0; i < 8; i++) {
		begin(&k, fd, KEEP, NULL);
		do
			client_read_record(fd, &r);
		while (r.type != END_REQUEST);
	}
	close(fd);
	cr_expect_eq(world_log_count(w, "has taken "), 0);
	world_close_changed(&w);
}

/* Nothing tells when a static program began: it is looked at early, however
 * long a request may take. */
struct looks {
	pid_t pid;
	long sleeps;
};

static bool
is_looked_at(void *arg)
{
	const struct looks *l = arg;

	return world_sleeps(l->pid) >= l->sleeps + 10;
}

Test(timeout, looks_early_at_who_tells_nothing, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late_static"),
		.keys = ""};
	struct world *w = start(&k, 1, "request_terminate_timeout = 1h\n");
	struct looks l;

	l = (struct looks){w->pid, world_sleeps(w->pid)};
	world_until(is_looked_at, &l, "it wakes up to look");
	world_close_changed(&w);
}

/* Workers that come up all the time do not put off the next check. */
Test(timeout, among_workers_that_come_and_go, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late"), .keys = ""};
	struct world *w = start(&k, 2, "pm.max_requests = 1\n"
		"request_terminate_timeout = 800ms\n");
	struct story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	begin(&k, s.fd, 0, "sleep");
	world_until(is_cut, &s, "others live for one request");
	close(s.fd);
	world_expect_lines(w, ": GET /sleep has taken ", 1);
	cr_expect_gt(world_log_count(w, " left: requests"), 4);
	world_close_changed(&w);
}

/* A worker that is to leave is in no hurry, but its request is. */
Test(timeout, one_that_is_to_leave, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late"), .keys = ""};
	struct world *w = start(&k, 1, "pm.max_age = 300ms\n"
		"request_terminate_timeout = 2s\n");
	struct story s = {.kind = &k, .w = w, .busy = -1};
	int64_t begun_ms = world_now_ms();

	s.fd = client_connect(w, "www.sock");
	begin(&k, s.fd, 0, "sleep");
	world_until(is_cut, &s, "its replacement serves others");
	cr_expect_geq(world_now_ms() - begun_ms, 2000);
	close(s.fd);
	world_expect_lines(w, ": GET /sleep has taken 2.", 1);
	world_expect_lines(w, ": the worker is killed", 1);
	cr_expect(!world_log_has(w, "died"));
	world_close_changed(&w);
}

/* As long as there are no workers nothing is checked. */
struct rest {
	pid_t pid;
	long sleeps;
	int64_t since_ms;
};

static bool
has_rested(void *arg)
{
	struct rest *r = arg;
	long now = world_sleeps(r->pid);

	if (now != r->sleeps) {
		r->sleeps = now;
		r->since_ms = world_now_ms();
	}
	return world_now_ms() - r->since_ms > 1500;
}

Test(timeout, rests_without_workers, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late"), .keys = ""};
	struct world *w = start(&k, 2, "pm = ondemand\n"
		"pm.process_idle_timeout = 100ms\n"
		"request_terminate_timeout = 500ms\n");
	struct rest r = {.pid = w->pid, .sleeps = -1};
	struct story s = {.kind = &k, .w = w, .busy = -1};

	(void)ask(&k, w);
	world_expect_workers(w, 0, 0, "the idle one leaves");
	world_until(has_rested, &r, "the supervisor sleeps on");
	s.fd = client_connect(w, "www.sock");
	begin(&k, s.fd, 0, "sleep");
	world_until(is_cut, &s, "the next worker is checked again");
	close(s.fd);
	world_close_changed(&w);
}

/* Of the only worker of a pool. */
static long
pid_of(struct world *w, const char *address, const char *query)
{
	struct answer a = client_script(w, address, NULL, query);
	long pid = answer_number(&a, "pid");

	answer_free(&a);
	return pid;
}

/* A number that the liar answers. */
static long
ask_liar(struct world *w, const char *query, const char *label)
{
	struct answer a = client_script(w, "liar.sock", NULL, query);
	long n = answer_number(&a, label);

	answer_free(&a);
	return n;
}

static bool
is_read(void *arg)
{
	int unread = 1;

	return ioctl(*(int *)arg, TIOCOUTQ, &unread) == 0 && unread == 0;
}

/* A connection that the liar waits for more from, which is no reason to end
 * it: its clock, where the kernel is asked, does not run. */
static int
occupy_liar(struct world *w)
{
	static const uint8_t begin_request[8] = {0, 1};
	int fd = client_connect(w, "liar.sock");

	client_record(fd, 1, 1, begin_request, sizeof(begin_request), 0);
	world_until(is_read, &fd, "the liar reads");
	return fd;
}

/* In its own pool the liar says of this process that its request is late. */
static void
lie(struct world *w, long pid)
{
	char query[40];

	snprintf(query, sizeof(query), "late=%ld", pid);
	cr_assert_gt(ask_liar(w, query, "pid"), 0);
}

/* For as long as it takes www to find its nth late one, which is twice the
 * limit of the liar's pool. */
static void
wait_for_www(struct world *w, size_t nth)
{
	const struct kind k = {.handler = world_child("late"), .keys = ""};
	struct story s = {.kind = &k, .w = w, .busy = -1};

	s.fd = client_connect(w, "www.sock");
	begin(&k, s.fd, 0, "sleep");
	world_until(is_cut, &s, "sleep");
	close(s.fd);
	world_expect_lines(w, " left: timeout", nth);
}

/* A worker may say on the board of any process that its request is late: none
 * is ended by that, neither where the worker is a single process nor where it
 * has children, of which only one would be killed. */
Test(timeout, a_liar_ends_nobody, .timeout = 60)
{
	struct world *w = world_open();
	long victims[3], liar;
	size_t nth = 0, i;
	int turn, fd;

	world_start(w, "[fcgipm]\nlog_level = debug\n"
		"[liar]\nlisten = @DIR@/liar.sock\npm.max_children = 1\n"
		"handler = @T@/children/spoil\nthreads = 2\n"
		"request_terminate_timeout = 400ms\n"
		"[other]\nlisten = @DIR@/other.sock\npm.max_children = 1\n"
		"handler = @T@/children/late\n"
		"[www]\nlisten = @DIR@/www.sock\npm.max_children = 2\n"
		"handler = @T@/children/late\n"
		"request_terminate_timeout = 800ms\n");
	liar = ask_liar(w, "", "pid");
	victims[0] = pid_of(w, "other.sock", NULL);
	victims[1] = w->pid;
	/* That is dead already. */
	victims[2] = ask_liar(w, "zombie", "child");
	for (turn = 0; turn < 2; turn++) {
		for (i = 0; i < 3; i++) {
			lie(w, victims[i]);
			fd = occupy_liar(w);
			wait_for_www(w, ++nth);
			cr_expect(i == 2 || world_alive((pid_t)victims[i]),
				"%zu", i);
			cr_expect(world_alive((pid_t)liar), "%zu", i);
			close(fd);
		}
		(void)ask_liar(w, "fork=2", "pid");
	}
	/* Itself, but it has no connection. */
	lie(w, liar);
	wait_for_www(w, ++nth);
	cr_expect_eq(world_log_count(w, "has taken "), nth, "all of www");
	cr_expect_eq(ask_liar(w, "", "pid"), liar);
	/* With one it is ended, and once, though all its places are late. */
	lie(w, liar);
	fd = occupy_liar(w);
	world_until_gone((pid_t)liar);
	close(fd);
	cr_expect_neq(ask_liar(w, "", "pid"), liar);
	world_expect_lines(w, ": the worker is killed", nth + 1);
	cr_expect_eq(world_log_count(w, "has taken "), nth + 1);
	expect_status(w, "liar: processes ended: 1 timeout\n");
	world_close_changed(&w);
}

/* -- the slow log ---------------------------------------------------------- */

struct text {
	const char *path, *want;
	size_t times;
};

static char *
read_text(const char *path)
{
	static char text[100000];
	FILE *f = fopen(path, "re");

	text[0] = '\0';
	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
	}
	return text;
}

static size_t
count_text(const char *at, const char *want)
{
	size_t n;

	for (n = 0; (at = strstr(at, want)) != NULL; n++)
		at++;
	return n;
}

static bool
has_text(void *arg)
{
	const struct text *t = arg;

	return count_text(read_text(t->path), t->want) >= t->times;
}

static void
expect_text(const char *path, const char *want, size_t times)
{
	struct text t = {path, want, times};

	world_until(has_text, &t, want);
}

/* A request that hangs, until its entry is there. */
static int
be_slow(const struct kind *k, struct world *w, const char *path, size_t nth)
{
	int fd = client_connect(w, "www.sock");

	begin(k, fd, 0, "sleep");
	expect_text(path, "user stack: ", nth);
	return fd;
}

/* The program has its symbols, and whoever may look at it may look at this. */
static void
expect_stack(const char *path)
{
	const char *text = read_text(path);

	if (access("/usr/bin/eu-stack", X_OK) < 0 &&
		access("/usr/bin/gdb", X_OK) < 0)
		expect_text(path, "user stack: neither eu-stack nor gdb is "
			"installed\n", 1);
	else if (strstr(text, "ot permitted"))
		printf("# no stack: %s", strstr(text, "user stack: "));
	else
		cr_expect(strstr(text, "sleeps_for_ever") != NULL, "%s",
			text);
}

static void
log_slow(const struct kind *k, const char *request)
{
	struct world *w = start(k, 2, "request_slowlog_timeout = 200ms\n"
		"slowlog = @DIR@/slow\n");
	const char *path = world_path(w, "slow"), *old = world_path(w, "old");
	struct stat st;
	int first, second;

	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600, "it has queries in it");
	first = be_slow(k, w, path, 1);
	expect_text(path, request, 1);
	expect_text(path, "system call: clock_nanosleep(0x0", 1);
	/* That takes two rights, which nobody has both of here. */
	if (world_is_blind())
		expect_text(path, "kernel stack: Permission denied\n", 1);
	expect_stack(path);
	cr_expect(!world_log_has(w, "secret"), "no query in the log");
	/* As logrotate(8) does. */
	cr_assert_eq(rename(path, old), 0);
	world_signal(w, SIGUSR1);
	world_expect_lines(w, "log opened again", 1);
	second = be_slow(k, w, path, 1);
	world_expect_lines(w, "(request_slowlog_timeout)", 2);
	cr_expect_null(strstr(strstr(read_text(old), "request: ") + 1,
		"request: "), "each is told once");
	expect_status(w, "www: 2 requests took longer");
	close(first);
	close(second);
	end_world(&w);
}

Test(timeout, tells_of_slow_requests, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late"), .keys = ""};

	log_slow(&k, "request: GET /sleep?token=secret\n");
}

Test(timeout, tells_of_slow_requests_unseen, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late_static"),
		.keys = "", .kernel = true};

	log_slow(&k, "request: ? (what it is cannot be seen)\n");
}

static bool
is_old(void *arg)
{
	return world_now_ms() >= *(const int64_t *)arg;
}

/* Several at once, in threads of several workers; each is looked at again
 * several times. */
Test(timeout, tells_once_of_each_slow_request, .timeout = 60)
{
	const struct kind k = {.handler = world_child("late"),
		.keys = "handler_args = 2\nthreads = 2\n"};
	struct world *w = start(&k, 2, "request_slowlog_timeout = 200ms\n"
		"request_terminate_timeout = 2s\n"
		"slowlog = @DIR@/slow\n");
	int64_t later_ms;
	int fds[4], i;

	for (i = 0; i < 4; i++) {
		fds[i] = client_connect(w, "www.sock");
		begin(&k, fds[i], 0, "sleep");
	}
	expect_text(world_path(w, "slow"), "user stack: ", 4);
	later_ms = world_now_ms() + 1000;
	world_until(is_old, &later_ms, "five checks more");
	cr_expect_eq(count_text(read_text(world_path(w, "slow")),
		"request: GET /sleep?"), 4);
	expect_status(w, "www: %zu requests took longer", 4);
	for (i = 0; i < 4; i++)
		close(fds[i]);
	end_world(&w);
}

/* A worker that makes slow requests up, of itself and of whomever it likes,
 * fills no disk, and has nobody else looked at. */
Test(timeout, tells_of_a_few_requests_of_a_liar, .timeout = 60)
{
	struct world *w = world_open();
	const char *path = world_path(w, "slow"), *at;
	char query[40], child[40];
	int64_t begun_ms, seconds;
	int fd, entries = 0;
	long victim;

	world_start(w, "[liar]\nlisten = @DIR@/liar.sock\n"
		"handler = @T@/children/spoil\npm.max_children = 1\n"
		"threads = 8\nrequest_slowlog_timeout = 200ms\n"
		"slowlog = @DIR@/slow\n"
		"[other]\nlisten = @DIR@/other.sock\n"
		"handler = @T@/children/late\npm.max_children = 1\n");
	victim = pid_of(w, "other.sock", NULL);
	snprintf(query, sizeof(query), "QUERY_STRING=flip=%ld", victim);
	snprintf(child, sizeof(child), "child %ld\n", victim);
	begun_ms = world_now_ms();
	fd = client_connect(w, "liar.sock");
	client_begin(fd, 1, 0, (const char *const[]){query, NULL});
	client_record(fd, STDIN, 1, NULL, 0, 0);
	expect_text(path, " more slow requests within a second\n", 3);
	cr_expect_geq(world_log_count(w, " more slow requests (request_"), 3);
	for (at = read_text(path); (at = strstr(at, "request: ")); at++)
		entries++;
	/* In the status all of them are counted. */
	cr_expect_geq(slow_requests(w), 3 * 5 + 3);
	seconds = (world_now_ms() - begun_ms) / 1000;
	/* Five in each that has begun, and a clock that is read late. */
	cr_expect(entries > 0 && entries <= 5 * (seconds + 2),
		"%d entries in %d s", entries, (int)seconds);
	cr_expect_null(strstr(read_text(path), child), "another's stack");
	close(fd);
	end_world(&w);
}

/* Whoever may write in its folder could have us append to any file. */
Test(timeout, writes_through_no_link, .timeout = 60)
{
	struct world *w = world_open();

	world_shell(w, "touch other; ln -s other slow");
	cr_expect_neq(world_refused(w, "[www]\nlisten = @DIR@/www.sock\n"
		"handler = @T@/children/late\nrequest_slowlog_timeout = 1\n"
		"slowlog = @DIR@/slow\n"), 0);
	cr_expect(world_log_has(w,
		"/slow: it is a link; name the file itself"));
	world_close(&w);
}
