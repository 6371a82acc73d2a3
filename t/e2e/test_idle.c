/*
 * test_idle.c - who has nothing to do sleeps, and nothing ticks
 */
#include <time.h>

#include "world.h"

#define WATCHED_S 3

/* The whole point is that this much time goes by. */
static void
watch_rest(struct world *w, const char *when)
{
	struct timespec rest = {WATCHED_S, 0};
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

/* No wake-up for half a second: what there was to do is done. */
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

	world_until(is_settled, &s, "the supervisor comes to rest");
	for (i = 0; i < n; i++) {
		s = (struct settled){.pid = children[i], .sleeps = -1};
		world_until(is_settled, &s, "a worker comes to rest");
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
	/* A dynamic pool may rest with one worker more than it began with. */
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

/* Nobody looks whether there is more to do: the workers would tell. */
Test(idle, a_dynamic_pool_that_tells_sleeps, .timeout = 60)
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

/* Each request leaves fewer idle than there should be, for a moment. */
Test(idle, a_dynamic_pool_is_not_called_for_each_request, .timeout = 120)
{
	struct world *w = world_open();

	world_start(w, DYNAMIC);
	expect_few_calls(w);
	world_close_changed(&w);
}

/* Its queue is looked at while somebody may be in it. */
#define MINDED                                                                \
	"[www]\n"                                                             \
	"listen = @DIR@/www.sock\n"                                           \
	"handler = @BIN@/handlers/hello\n"                                    \
	"queue_timeout = 40s\n"

Test(idle, a_pool_whose_queue_is_minded_sleeps, .timeout = 60)
{
	check_idle(MINDED, NULL);
}

/* Once when somebody comes, and once 250 ms later; and now and then for
 * nothing, by the kernel, when a worker was faster. */
Test(idle, a_minded_pool_is_not_called_for_each_request, .timeout = 120)
{
	struct world *w = world_open();

	world_start(w, MINDED);
	expect_few_calls(w);
}

/* 0 system calls of the supervisor per request: it never wakes up. */
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
