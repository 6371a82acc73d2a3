/*
 * test_idle.c - idle processes sleep: there is no periodic timer
 */
#include <time.h>

#include "world.h"

#define REST_S 3

/* A fixed time is needed here: nothing may happen during it. */
static void
watch_rest(struct world *w, const char *when)
{
	struct timespec rest = {REST_S, 0};
	long before[16], supervisor, calls;
	pid_t children[16];
	size_t n, i;
	char *log;

	n = world_children(w->pid, children, 16);
	cr_assert_gt(n, 0);
	supervisor = world_sleeps(w->pid);
	for (i = 0; i < n; i++)
		before[i] = world_sleeps(children[i]);
	cr_assert_eq(nanosleep(&rest, NULL), 0);
	calls = world_sleeps(w->pid) - supervisor;
	log = world_log(w);
	cr_expect_eq(calls, 0, "%s: the supervisor woke up %ld times\n%s",
		when, calls, log);
	for (i = 0; i < n; i++)
		cr_expect_eq(world_sleeps(children[i]), before[i],
			"%s: worker %zu woke up", when, i);
}

struct settled {
	pid_t pid;
	long sleeps;
	int64_t since_ms;
};

/* No wake-up for half a second: all pending work is done. */
static bool
is_settled(void *arg)
{
	struct settled *s = arg;
	long now = world_sleeps(s->pid);

	if (now != s->sleeps) {
		s->sleeps = now;
		s->since_ms = world_now_ms();
	}
	return world_now_ms() - s->since_ms > 500;
}

static void
settle(struct world *w)
{
	struct settled s = {.pid = w->pid, .sleeps = -1};
	pid_t children[16];
	size_t n = world_children(w->pid, children, 16), i;

	world_until(is_settled, &s, "the supervisor is idle");
	for (i = 0; i < n; i++) {
		s = (struct settled){.pid = children[i], .sleeps = -1};
		world_until(is_settled, &s, "a worker is idle");
	}
}

static void
check_idle(const char *ini, const char *script)
{
	struct world *w = world_open();
	int i;

	world_start(w, ini);
	settle(w);
	watch_rest(w, "before any request");
	for (i = 0; i < 5; i++) {
		answer_expect(client_script(w, "www.sock", script, NULL),
			"Content");
	}
	settle(w);
	watch_rest(w, "after five requests");
	/* A dynamic pool may keep one worker more than it started with. */
	w->changed = strstr(ini, "pm = dynamic") != NULL;
	world_close(&w);
}

Test(idle, prefork_pools_and_their_supervisor_sleep, .timeout = 60)
{
	check_idle("[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n"
		"pm.max_children = 4\n", NULL);
}

Test(idle, a_gateway_and_its_supervisor_sleep, .timeout = 60)
{
	check_idle("[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"docroot = /\n", world_handler("hello"));
}

#define DYNAMIC                                                               \
	"[www]\n"                                                             \
	"listen = @DIR@/www.sock\n"                                           \
	"handler = @BIN@/handlers/hello\n"                                    \
	"pm = dynamic\n"                                                      \
	"pm.max_children = 8\n"                                               \
	"pm.start_servers = 2\n"                                              \
	"pm.min_spare_servers = 2\n"                                          \
	"pm.max_spare_servers = 4\n"

/* No polling: workers wake the supervisor by the board's eventfd. */
Test(idle, a_dynamic_pool_with_a_board_sleeps, .timeout = 60)
{
	check_idle(DYNAMIC, NULL);
}

static void
expect_few_calls(struct world *w)
{
	const int requests = 2000;
	long before, calls;
	int i;

	settle(w);
	before = world_sleeps(w->pid);
	for (i = 0; i < requests; i++) {
		answer_expect(client_script(w, "www.sock", NULL, NULL),
			"Hello");
	}
	calls = world_sleeps(w->pid) - before;
	cr_expect_lt(calls, requests / 4, "%ld", calls);
}

/* During each request, fewer workers are idle than pm.min_spare_servers. */
Test(idle, each_request_does_not_wake_a_dynamic_pool, .timeout = 120)
{
	struct world *w = world_open();

	world_start(w, DYNAMIC);
	expect_few_calls(w);
	world_close_changed(&w);
}

/* With queue_timeout, the queue is sampled while clients may be in it. */
#define QUEUE_TIMEOUT                                                         \
	"[www]\n"                                                             \
	"listen = @DIR@/www.sock\n"                                           \
	"handler = @BIN@/handlers/hello\n"                                    \
	"queue_timeout = 40s\n"

Test(idle, a_pool_with_queue_timeout_sleeps, .timeout = 60)
{
	check_idle(QUEUE_TIMEOUT, NULL);
}

/* The supervisor wakes up when a client arrives, and once more 250 ms later.
 * Sometimes the kernel wakes it although a worker was faster. */
Test(idle, each_request_does_not_wake_a_pool_with_queue_timeout, .timeout = 120)
{
	struct world *w = world_open();

	world_start(w, QUEUE_TIMEOUT);
	expect_few_calls(w);
}

/* The supervisor needs no system call for a request: it does not wake up. */
Test(idle, requests_do_not_wake_the_supervisor, .timeout = 60)
{
	struct world *w = world_serve(
		"handler = @BIN@/handlers/hello\n"
		"[cgi]\n"
		"mode = cgi\n"
		"listen = @DIR@/cgi.sock\n"
		"handler = @BIN@/handlers/hello\n");
	long before;
	int i;

	settle(w);
	before = world_sleeps(w->pid);
	for (i = 0; i < 200; i++) {
		answer_expect(client_script(w, i % 4 ? "www.sock" : "cgi.sock",
				NULL, NULL),
			"Hello");
	}
	cr_expect_eq(world_sleeps(w->pid), before);
}
