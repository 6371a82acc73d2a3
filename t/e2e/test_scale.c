/*
 * test_scale.c - how the number of workers follows the load and the limits
 */
#include <time.h>

#include "world.h"

#define ENOUGH 64

static long
ask_pid(struct world *w)
{
	struct answer a = client_script(w, "www.sock", NULL, NULL);
	long pid = answer_number(&a, "pid");

	return pid;
}

/* The result is the same whether the shim or the kernel reports. */
static const char *const tiers[] = {"", "observe = kernel\n"};

#define ON_DEMAND                                                             \
	"[www]\n"                                                             \
	"listen = @DIR@/www.sock\n"                                           \
	"handler = @BIN@/handlers/whoami\n"                                   \
	"pm = ondemand\n"                                                     \
	"pm.max_children = 3\n"                                               \
	"pm.process_idle_timeout = 1500ms\n"

/* A worker that stays for the next client.  On a busy machine another one may
 * be started before it accepts again. */
static long
ask_twice(struct world *w)
{
	long pid = ask_pid(w), again = ask_pid(w);
	int i;

	for (i = 0; i < 20 && again != pid; i++) {
		pid = again;
		again = ask_pid(w);
	}
	cr_expect_eq(again, pid, "the same worker again");
	return again;
}

static void
check_on_demand(struct world *w)
{
	long pid;

	world_expect_workers(w, 0, 0, "no worker without load");
	pid = ask_twice(w);
	world_expect_workers(w, 0, 0, "it is retired when no client comes");
	cr_expect_neq(ask_pid(w), pid, "and another worker serves");
	world_close(&w);
}

Test(scale, ondemand_has_no_worker_without_load, .timeout = 60)
{
	struct world *w = world_open();

	world_start(w, ON_DEMAND);
	check_on_demand(w);
}

Test(scale, ondemand_has_no_worker_without_load_by_the_kernel, .timeout = 60)
{
	struct world *w = world_open();

	world_start(w, ON_DEMAND "observe = kernel\n");
	check_on_demand(w);
}

/* As in a sandbox that allows only the usual socket families. */
Test(scale, ondemand_has_no_worker_without_load_without_netlink, .timeout = 60)
{
	struct world *w = world_open();

	world_start_without(w, "netlink", "EAFNOSUPPORT", ON_DEMAND);
	check_on_demand(w);
}

/* Opens connections that are served until they are closed. */
static void
occupy(struct world *w, int *fds, size_t n)
{
	static const char *const params[] = {"QUERY_STRING=seconds=100", NULL};

	for (size_t i = 0; i < n; i++) {
		fds[i] = client_connect(w, "www.sock");
		client_begin(fds[i], 1, 0, params);
	}
}

static void
leave(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

Test(scale, spare_workers_follow_the_load, .timeout = 120)
{
	int fds[6];

	for (size_t i = 0; i < 2; i++) {
		struct world *w = world_open();

		world_start(w, own_text("[www]\n"
			"listen = @DIR@/www.sock\n"
			"handler = @BIN@/handlers/upload\n"
			"pm = dynamic\n"
			"pm.max_children = 8\n"
			"pm.start_servers = 2\n"
			"pm.min_spare_servers = 2\n"
			"pm.max_spare_servers = 3\n%s", tiers[i]));
		world_expect_workers(w, 2, 2, "start_servers");
		occupy(w, fds, 4);
		world_expect_workers(w, 6, 7,
			"four busy and two spare workers");
		occupy(w, fds + 4, 2);
		world_expect_workers(w, 8, 8, "no more than max_children");
		leave(fds, 6);
		world_expect_workers(w, 2, 3, "the surplus is retired");
		cr_expect(!world_log_has(w, "died"));
		world_close_changed(&w);
	}
}

struct event {
	double at;		/* seconds since 1970 */
	long pid;
};

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	/* The log has milliseconds. */
	return (double)ts.tv_sec + (double)(ts.tv_nsec / 1000000) / 1000;
}

/* When a line of the log was written. */
static double
time_of(const char *line)
{
	struct tm tm = {0};
	int ms = 0, zone = 0;
	const char *rest = strptime(line, "%Y-%m-%dT%H:%M:%S", &tm);

	cr_assert(rest && sscanf(rest, ".%3d%5d", &ms, &zone) == 2, "%s",
		line);
	return (double)timegm(&tm) + (double)ms / 1000 -
		(zone / 100 * 3600 + zone % 100 * 60);
}

/* The log lines about workers that contain text, up to max of them. */
static size_t
read_events(struct world *w, const char *text, struct event *ret, size_t max)
{
	char *log = world_log(w), *line = log, *end;
	size_t n = 0;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		if (!strstr(line, text) || n == max)
			continue;
		ret[n].at = time_of(line);
		cr_assert_eq(sscanf(strstr(line, "worker "), "worker %ld",
			&ret[n].pid), 1, "%s", line);
		n++;
	}
	return n;
}

/* As in PHP-FPM: 1, 2, 4 ... workers start in a second when there are too few.
 * The oldest one is retired each second when there are too many. */
Test(scale, the_start_rate_doubles_and_the_oldest_worker_is_retired,
	.timeout = 120)
{
	struct world *w = world_open();
	struct event up[ENOUGH], left[ENOUGH];
	static const size_t most[] = {1, 3, 7};
	size_t ups, lefts, i, second;
	double came, went;
	int fds[7];

	world_start(w, "[fcgipm]\n"
		"log_level = debug\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/upload\n"
		"pm = dynamic\n"
		"pm.max_children = 10\n"
		"pm.start_servers = 1\n"
		"pm.max_spare_servers = 5\n");
	came = now();
	occupy(w, fds, 7);
	world_expect_workers(w, 8, 8, "seven busy workers and one spare");
	went = now();
	leave(fds, 7);
	world_expect_workers(w, 5, 5, "the surplus is retired");
	ups = read_events(w, ": ready, ", up, ENOUGH);
	cr_assert_eq(ups, 8);
	for (i = 1; i < ups; i++) {
		second = (size_t)(up[i].at - came);
		cr_expect(second > 2 || i <= most[second],
			"%zu in second %zu", i, second);
	}
	/* A worker has exited before that is logged. */
	world_expect_lines(w, ": retired: idle", 3);
	lefts = read_events(w, ": retired: idle", left, ENOUGH);
	cr_assert_eq(lefts, 3);
	for (i = 0; i < lefts; i++) {
		/* The third and the fourth started together. */
		cr_expect(left[i].pid == up[i].pid ||
				(i == 2 && left[i].pid == up[3].pid),
			"the oldest is retired first");
		cr_expect_geq(left[i].at - went, (double)(i + 1));
	}
	world_close_changed(&w);
}

/* Retired workers do not count as idle. */
Test(scale, a_pool_that_shrank_grows_again, .timeout = 120)
{
	struct world *w = world_serve(
		"handler = @BIN@/handlers/upload\n"
		"pm = dynamic\n"
		"pm.max_children = 8\n"
		"pm.min_spare_servers = 2\n"
		"pm.max_spare_servers = 2\n");
	int fds[5];

	occupy(w, fds, 5);
	world_expect_workers(w, 7, 7, "five busy workers and two spare");
	leave(fds, 5);
	world_expect_workers(w, 2, 2, "two spare workers");
	occupy(w, fds, 5);
	world_expect_workers(w, 7, 7, "as many as before");
	leave(fds, 5);
	world_close_changed(&w);
}

/* It has answered, but does not accept yet. */
Test(scale, a_worker_that_works_on_after_its_answer_is_not_spare, .timeout = 60)
{
	struct world *w = world_open();
	int fd;

	world_script(w, "worker.pl", "#!/usr/bin/perl\n"
		"use FCGI;\n"
		"my $r = FCGI::Request();\n"
		"while ($r->Accept() >= 0) {\n"
		"	1 while read STDIN, my $some, 4096;\n"
		"	print \"Content-Type: text/plain\\n\\ndone\\n\";\n"
		"	$r->Finish();\n"
		"	sleep 100 if $ENV{QUERY_STRING} eq 'behind';\n"
		"}\n");
	world_start_www(w, "handler = @DIR@/worker.pl\n"
		"stop_timeout = 1s\n"
		"pm = dynamic\n"
		"pm.max_children = 8\n"
		"pm.start_servers = 2\n"
		"pm.max_spare_servers = 2\n");
	answer_expect(client_script(w, "www.sock", NULL, "behind"), "done");
	occupy(w, &fd, 1);
	world_expect_workers(w, 3, 3,
		"one works on, one is busy, one is idle");
	close(fd);
	world_close_changed(&w);
}

struct change {
	struct world *w;
	long pid;
	unsigned requests;
};

static bool
is_another(void *arg)
{
	struct change *c = arg;

	c->requests++;
	return ask_pid(c->w) != c->pid;
}

Test(scale, a_worker_is_replaced_after_its_requests, .timeout = 60)
{
	struct world *w = world_open();
	struct change c = {.w = w};

	world_start_www(w, "handler = @BIN@/handlers/whoami\n"
		"pm.max_children = 1\n"
		"pm.max_requests = 3\n");
	c.pid = ask_pid(w);
	world_until(is_another, &c, "another worker answers");
	cr_expect_geq(c.requests, 3, "not before the third request: %u",
		c.requests);
	world_expect_workers(w, 1, 1, "one worker again");
	cr_expect(!world_log_has(w, "died"));
}

/* It has no connection, so no request is lost when it is killed. */
Test(scale, a_worker_that_ignores_signals_is_replaced_too, .timeout = 60)
{
	struct world *w = world_open();
	struct change c = {.w = w};

	world_script(w, "worker.pl", "#!/usr/bin/perl\n"
		"use FCGI;\n"
		"$SIG{TERM} = 'IGNORE';\n"
		"my $r = FCGI::Request();\n"
		"while ($r->Accept() >= 0) {\n"
		"	print \"Content-Type: text/plain\\n\\npid: $$\\n\";\n"
		"}\n");
	world_start_www(w, "handler = @DIR@/worker.pl\n"
		"stop_timeout = 1s\n"
		"pm.max_children = 1\n"
		"pm.max_age = 1s\n"
		"observe = kernel\n");
	c.pid = ask_pid(w);
	world_until(is_another, &c, "another worker answers");
	world_until_gone((pid_t)c.pid);
	cr_expect(!world_log_has(w, "died"));
	world_close_changed(&w);
}

/* Logged once until it is no longer reached. */
static bool
is_at_room(void *w)
{
	return world_log_count(w, "process.max = 3 is reached by all pools "
		"together; raise it") == 1;
}

Test(scale, process_max_limits_all_pools_together, .timeout = 60)
{
	struct world *w = world_open();
	int fds[4];

	world_start(w, "[fcgipm]\n"
		"process.max = 3\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/upload\n"
		"pm = ondemand\n"
		"pm.max_children = 8\n"
		"[other]\n"
		"listen = @DIR@/other.sock\n"
		"handler = @BIN@/handlers/whoami\n"
		"pm.max_children = 1\n");
	occupy(w, fds, 4);
	world_expect_workers(w, 3, 3,
		"one worker of one pool, two of the other");
	/* The next decision finds it still reached. */
	world_expect_log(w, "pool www: no further worker is started");
	world_expect_workers(w, 3, 3, "and no more workers");
	world_stays(is_at_room, w, "it is logged once");
	world_stays(is_at_room, w, "it is still logged once");
	world_signal(w, SIGTERM);
	world_expect_log(w, "stopping");
	/* A repeated line is counted.  While the workers accept their clients
	 * the limit may be reached, not reached, and reached again. */
	cr_expect(!world_log_has(w, "last line repeated") ||
		world_log_has(w, "last line repeated 1 times"));
	leave(fds, 4);
	cr_expect_eq(world_wait(w), 0);
}

#define REACHED "pool www: pm.max_children = 2 (threads = 1) is reached"

static void
expect_reached(const char *keys, bool notice)
{
	struct world *w = world_serve(own_text(
		"handler = @BIN@/handlers/upload\n"
		"pm.max_children = 2\n%s", keys));
	int fds[3];

	/* The second client finds an idle worker, and does not wait. */
	occupy(w, fds, 1);
	if (notice)
		world_expect_workers(w, 2, 2, "one busy and one spare worker");
	occupy(w, fds + 1, 1);
	if (notice)
		world_expect_log(w, REACHED "; no client waits");
	occupy(w, fds + 2, 1);
	/* An ondemand pool may reach it before its workers have accepted. */
	world_expect_log(w, REACHED " and ");
	cr_expect(world_log_has(w, "clients wait; raise ") ||
		world_log_has(w, "client waits; raise "));
	cr_expect_eq(world_log_count(w, REACHED), notice ? 2 : 1);
	leave(fds, 3);
	world_close_changed(&w);
}

Test(scale, max_children_is_a_warning_only_while_clients_wait, .timeout = 60)
{
	expect_reached("pm = dynamic\npm.max_spare_servers = 2\n", true);
	expect_reached("pm = dynamic\npm.max_spare_servers = 2\n"
		"observe = kernel\n", true);
	expect_reached("pm = ondemand\n", false);
}

/* The supervisor reads the queue of a static pool only for queue_timeout. */
Test(scale, a_static_pool_with_queue_timeout_warns_of_max_children,
	.timeout = 60)
{
	expect_reached("queue_timeout = 1h\n", false);
	expect_reached("queue_timeout = 1h\nobserve = kernel\n", false);
}
