/*
 * test_respawn.c - workers that die are replaced; programs that cannot start
 */
#include <sys/resource.h>

#include "world.h"

struct death {
	pid_t parent, old;
	size_t want;
};

/* Are there as many children as wanted, without the old one? */
static bool
is_replaced(void *arg)
{
	struct death *d = arg;
	pid_t now[16];
	size_t n = world_children(d->parent, now, 16), i;

	for (i = 0; i < n; i++)
		if (now[i] == d->old)
			return false;
	return n == d->want;
}

/* Kills one of n workers. */
static void
kill_one(const char *ini, size_t n)
{
	struct world *w = world_open();
	pid_t before[4];
	struct death d;

	world_start(w, ini);
	cr_assert_eq(world_children(w->pid, before, 4), n);
	d = (struct death){.parent = w->pid, .old = before[0], .want = n};
	cr_assert_eq(kill(before[0], SIGKILL), 0);
	world_until(is_replaced, &d, "it is replaced");
	world_expect_log(w, "s: killed by signal 9 (SIGKILL)");
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
	world_expect_deaths(w);
	world_close(&w);
}

Test(respawn, a_killed_worker_is_replaced, .timeout = 60)
{
	kill_one("[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n"
		"pm.max_children = 2\n", 2);
}

/* It does not wait for the next inspection of the pool. */
Test(respawn, a_killed_worker_is_replaced_before_the_next_inspection,
	.timeout = 60)
{
	kill_one("[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n"
		"pm.max_children = 2\n"
		"pm.max_age = 1h\n", 2);
}

Test(respawn, a_killed_gateway_is_replaced, .timeout = 60)
{
	kill_one("[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n", 1);
}

/* There is no event when the supervisor may open files again. */
Test(respawn, a_worker_that_cannot_be_started_is_retried, .timeout = 60)
{
	struct world *w = world_serve("handler = @BIN@/handlers/hello\n"
		"pm.max_children = 1\n");
	struct rlimit before, none;
	pid_t pid;

	cr_assert_eq(world_children(w->pid, &pid, 1), 1);
	cr_assert_eq(prlimit(w->pid, RLIMIT_NOFILE, NULL, &before), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	cr_assert_eq(prlimit(w->pid, RLIMIT_NOFILE, &none, NULL), 0);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	world_expect_log(w, "cannot start a worker: Too many open files; "
		"next start in 0.1 s");
	world_expect_log(w, "next start in 0.2 s");
	cr_assert_eq(prlimit(w->pid, RLIMIT_NOFILE, &before, NULL), 0);
	world_expect_workers(w, 1, 1, "it is started");
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
	world_expect_deaths(w);
}

Test(respawn, exit_status_0_after_requests_is_not_an_error, .timeout = 60)
{
	struct world *w = world_serve(
		"handler = @T@/children/exit_after\n"
		"handler_args = 3\n"
		"pm.max_children = 2\n");
	int i;

	for (i = 0; i < 15; i++) {
		answer_expect(client_script(w, "www.sock", NULL, NULL),
			"pid: ");
	}
	cr_expect_not(world_log_has(w, "error:"));
	cr_expect_not(world_log_has(w, "died"));
}

Test(respawn, a_bad_pool_backs_off_and_disturbs_no_other, .timeout = 60)
{
	struct world *w = world_open();

	world_launch(w,
		"[bad]\n"
		"listen = @DIR@/bad.sock\n"
		"handler = @T@/children/die_at_start\n"
		"[good]\n"
		"listen = @DIR@/good.sock\n"
		"handler = @BIN@/handlers/hello\n");
	world_expect_log(w, "pool good: listening");
	world_expect_log(w, "exited before accepting a connection: "
		"exit status 3; next start in 0.1 s");
	world_expect_log(w, "next start in 0.4 s");
	answer_expect(client_script(w, "good.sock", NULL, NULL), "Hello");
	cr_expect_not(world_log_has(w, "ready: 2"),
		"not every pool is ready");
}

Test(respawn, a_fixed_program_is_started, .timeout = 60)
{
	struct world *w = world_open();
	const char *bad, *good;

	world_write(w, "handler", "#!/bin/sh\nexit 5\n");
	cr_assert_eq(chmod(world_path(w, "handler"), 0755), 0);
	world_launch(w,
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @DIR@/handler\n");
	world_expect_log(w, "exited before accepting a connection: "
		"exit status 5");
	world_write(w, "new", "#!/bin/sh\nexec @BIN@/handlers/hello\n");
	bad = world_path(w, "handler");
	good = world_path(w, "new");
	cr_assert_eq(chmod(good, 0755), 0);
	cr_assert_eq(rename(good, bad), 0);
	world_expect_log(w, "ready: 1 pool, 4 workers");
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
}

Test(respawn, a_missing_interpreter_is_named, .timeout = 60)
{
	struct world *w = world_open();

	world_write(w, "handler", "#!/no/such/interpreter\n");
	cr_assert_eq(chmod(world_path(w, "handler"), 0755), 0);
	world_launch(w,
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @DIR@/handler\n");
	world_expect_log(w, "/handler: its interpreter "
		"/no/such/interpreter does not exist; install it or change "
		"the #! line; next start in");
}

static bool
has_all_100(void *arg)
{
	const struct world *w = arg;

	return world_children(w->pid, NULL, 0) == 100;
}

Test(respawn, a_large_pool_survives_the_loss_of_a_third, .timeout = 60)
{
	struct world *w = world_serve(
		"handler = @BIN@/handlers/hello\n"
		"pm.max_children = 100\n");
	pid_t workers[100];

	cr_assert_eq(world_children(w->pid, workers, 100), 100);
	for (size_t i = 0; i < 100; i += 3)
		cr_assert_eq(kill(workers[i], SIGKILL), 0);
	for (size_t i = 0; i < 100; i += 3)
		world_until_gone(workers[i]);
	world_until(has_all_100, w, "all are replaced");
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
	world_expect_deaths(w);
}
