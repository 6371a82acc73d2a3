/*
 * test_slowlog.c - each slow request gets one entry in the slow log, at most
 * five a second
 */
#include "late.h"

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

/* Begins a request that hangs, and waits for its entry. */
static int
be_slow(const struct late_kind *k, struct world *w, const char *path,
	size_t nth)
{
	int fd = client_connect(w, "www.sock");

	late_begin(k, fd, 0, "sleep");
	expect_text(path, "user stack: ", nth);
	return fd;
}

/* The program has symbols; a tool that may trace it shows their names. */
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
log_slow(const struct late_kind *k, const char *request)
{
	struct world *w = late_start(k, 2, "request_slowlog_timeout = 200ms\n"
		"slowlog = @DIR@/slow\n");
	const char *path = world_path(w, "slow"), *old = world_path(w, "old");
	struct stat st;
	int first, second;

	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600, "others could read queries");
	first = be_slow(k, w, path, 1);
	expect_text(path, request, 1);
	expect_text(path, "system call: clock_nanosleep(0x0", 1);
	/* A kernel stack takes two rights, and no process here has both. */
	if (world_is_blind())
		expect_text(path, "kernel stack: Permission denied\n", 1);
	expect_stack(path);
	cr_expect(!world_log_has(w, "secret"), "a query in the log");
	/* As by logrotate(8). */
	cr_assert_eq(rename(path, old), 0);
	world_signal(w, SIGUSR1);
	world_expect_lines(w, "log: reopened", 1);
	second = be_slow(k, w, path, 1);
	world_expect_lines(w, "(request_slowlog_timeout)", 2);
	cr_expect_null(strstr(strstr(read_text(old), "request: ") + 1,
		"request: "), "logged twice");
	late_expect_status(w, "www: 2 requests took longer");
	close(first);
	close(second);
	late_end_world(&w);
}

Test(slowlog, a_slow_request_is_logged_with_its_uri, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};

	log_slow(&k, "request: GET /sleep?token=secret\n");
}

Test(slowlog, a_slow_request_the_worker_does_not_report_is_logged,
	.timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late_static"),
		.keys = "", .kernel = true};

	log_slow(&k, "request: ? (not reported by the worker)\n");
}

/* Returns the number in the status of the pool that had slow requests. */
static long
slow_requests(struct world *w)
{
	const char *argv[] = {"fcgipmctl", "status", "-s",
		world_path(w, "run/control.sock"), NULL};
	char *out, *at;
	long n;

	cr_assert_eq(world_run(w, argv, &out), 0, "%s", out);
	at = strstr(out, " requests took longer");
	cr_assert_not_null(at, "%s", out);
	while (at > out && at[-1] != ' ')
		at--;
	n = strtol(at, NULL, 10);
	return n;
}

static bool
is_old(void *arg)
{
	return world_now_ms() >= *(const int64_t *)arg;
}

/* Several at the same time, in threads of several workers; each is checked
 * several times. */
Test(slowlog, each_slow_request_is_logged_once, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"),
		.keys = "handler_args = 2\nthreads = 2\n"};
	struct world *w = late_start(&k, 2, "request_slowlog_timeout = 200ms\n"
		"request_terminate_timeout = 2s\n"
		"slowlog = @DIR@/slow\n");
	int64_t later_ms;
	int fds[4], i;

	for (i = 0; i < 4; i++) {
		fds[i] = client_connect(w, "www.sock");
		late_begin(&k, fds[i], 0, "sleep");
	}
	expect_text(world_path(w, "slow"), "user stack: ", 4);
	later_ms = world_now_ms() + 1000;
	world_until(is_old, &later_ms, "five more checks");
	cr_expect_eq(count_text(read_text(world_path(w, "slow")),
		"request: GET /sleep?"), 4);
	late_expect_status(w, "www: 4 requests took longer");
	for (i = 0; i < 4; i++)
		close(fds[i]);
	late_end_world(&w);
}

/* A worker that writes false slow requests on its board, of itself and of other
 * processes, cannot fill the disk and gets no stack of another process. */
Test(slowlog, false_slow_requests_are_limited_to_five_a_second, .timeout = 60)
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
	victim = late_pid_of(w, "other.sock", NULL);
	snprintf(query, sizeof(query), "QUERY_STRING=flip=%ld", victim);
	snprintf(child, sizeof(child), "child %ld\n", victim);
	begun_ms = world_now_ms();
	fd = client_connect(w, "liar.sock");
	client_begin(fd, 1, 0, (const char *const[]){query, NULL});
	client_record(fd, STDIN, 1, NULL, 0, 0);
	expect_text(path, " more slow requests within 1 s have no entry\n", 3);
	cr_expect_geq(world_log_count(w, " more slow requests within 1 s have "
		"no entry (limit: 5 a second)\n"), 3);
	for (at = read_text(path); (at = strstr(at, "request: ")); at++)
		entries++;
	/* The status counts all of them. */
	cr_expect_geq(slow_requests(w), 3 * 5 + 3);
	seconds = (world_now_ms() - begun_ms) / 1000;
	/* Five in each second that has begun; the clock is read late. */
	cr_expect(entries > 0 && entries <= 5 * (seconds + 2),
		"%d entries in %d s", entries, (int)seconds);
	cr_expect_null(strstr(read_text(path), child),
		"the stack of another process");
	close(fd);
	late_end_world(&w);
}

/* A user that may write to its directory could otherwise make the supervisor
 * append to any file. */
Test(slowlog, a_symbolic_link_is_refused, .timeout = 60)
{
	struct world *w = world_open();

	world_shell(w, "touch other; ln -s other slow");
	cr_expect_neq(world_refused(w, "[www]\nlisten = @DIR@/www.sock\n"
		"handler = @T@/children/late\nrequest_slowlog_timeout = 1\n"
		"slowlog = @DIR@/slow\n"), 0);
	cr_expect(world_log_has(w,
		"/slow: is a symbolic link; name the file itself"));
}
