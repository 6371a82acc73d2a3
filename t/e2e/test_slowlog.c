/*
 * test_slowlog.c - slow requests are logged, once, and not too many of them
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

/* A request that hangs, until its entry is there. */
static int
be_slow(const struct late_kind *k, struct world *w, const char *path,
	size_t nth)
{
	int fd = client_connect(w, "www.sock");

	late_begin(k, fd, 0, "sleep");
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
log_slow(const struct late_kind *k, const char *request)
{
	struct world *w = late_start(k, 2, "request_slowlog_timeout = 200ms\n"
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
	late_expect_status(w, "www: 2 requests took longer");
	close(first);
	close(second);
	late_end_world(&w);
}

Test(slowlog, tells_of_slow_requests, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late"), .keys = ""};

	log_slow(&k, "request: GET /sleep?token=secret\n");
}

Test(slowlog, tells_of_slow_requests_unseen, .timeout = 60)
{
	const struct late_kind k = {.handler = world_child("late_static"),
		.keys = "", .kernel = true};

	log_slow(&k, "request: ? (what it is cannot be seen)\n");
}

/* By the status, of a pool that had some. */
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

/* Several at once, in threads of several workers; each is looked at again
 * several times. */
Test(slowlog, tells_once_of_each_slow_request, .timeout = 60)
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
	world_until(is_old, &later_ms, "five checks more");
	cr_expect_eq(count_text(read_text(world_path(w, "slow")),
		"request: GET /sleep?"), 4);
	late_expect_status(w, "www: 4 requests took longer");
	for (i = 0; i < 4; i++)
		close(fds[i]);
	late_end_world(&w);
}

/* A worker that makes slow requests up, of itself and of whomever it likes,
 * fills no disk, and has nobody else looked at. */
Test(slowlog, tells_of_a_few_requests_of_a_liar, .timeout = 60)
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
	late_end_world(&w);
}

/* Whoever may write in its folder could have us append to any file. */
Test(slowlog, writes_through_no_link, .timeout = 60)
{
	struct world *w = world_open();

	world_shell(w, "touch other; ln -s other slow");
	cr_expect_neq(world_refused(w, "[www]\nlisten = @DIR@/www.sock\n"
		"handler = @T@/children/late\nrequest_slowlog_timeout = 1\n"
		"slowlog = @DIR@/slow\n"), 0);
	cr_expect(world_log_has(w,
		"/slow: it is a link; name the file itself"));
}
