/*
 * test_death.c - after the supervisor was killed no process is left, and a
 * restart serves
 */
#include <sys/wait.h>

#include "world.h"

static const char ini[] =
	"[pre]\n"
	"listen = @DIR@/pre.sock\n"
	"handler = @BIN@/handlers/sleep\n"
	"[cgi]\n"
	"mode = cgi\n"
	"listen = @DIR@/cgi.sock\n"
	"docroot = @T@/children\n";

static bool
has_no_children(void *arg)
{
	const struct world *w = arg;
	pid_t left[8];

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	/* The test harness has one child. */
	return world_children(getpid(), left, 8) == 1 && left[0] == w->guard;
}

Test(death, kill_9_leaves_no_process_and_a_restart_serves, .timeout = 60)
{
	struct world *w = world_open();
	const char *params[] = {"QUERY_STRING=family", NULL, NULL, NULL};
	char file[600], pidfile[600];
	pid_t program;
	int64_t begin;
	int cgi, pre;

	world_start(w, ini);
	/* Programs in the middle of a request, one with a child. */
	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s",
		world_child("misbehave.sh"));
	snprintf(pidfile, sizeof(pidfile), "HTTP_X_PIDFILE=%s",
		world_path(w, "pid"));
	params[1] = file;
	params[2] = pidfile;
	cgi = client_connect(w, "cgi.sock");
	client_begin(cgi, 1, 0, params);
	program = world_read_pid(world_path(w, "pid"));
	cr_assert(world_alive(program));
	pre = client_connect(w, "pre.sock");
	client_ask(pre, 0, (const char *[]){"QUERY_STRING=ms=60000",
					NULL});

	begin = world_now_ms();
	world_signal(w, SIGKILL);
	cr_expect_eq(world_wait(w), 128 + SIGKILL);
	world_until(has_no_children, w, "the orphans die");
	cr_expect_lt(world_now_ms() - begin, 1000);
	cr_expect_not(world_alive(program));
	close(cgi);
	close(pre);

	/* Its sockets are stale now, and are replaced. */
	begin = world_now_ms();
	world_start(w, ini);
	answer_expect(client_script(w, "pre.sock", NULL, "ms=1"),
		"slept: 1 ms");
	answer_expect(client_script(w, "cgi.sock", world_child("fdlist"), NULL),
		"fd: 2");
	cr_expect_lt(world_now_ms() - begin, 2000);
}

static bool
has_a_child(void *arg)
{
	const struct world *w = arg;

	return world_all_children(w->pid, NULL, 0) > 0;
}

/* The kernel signals the parent's death only after the child has asked. */
Test(death, a_worker_that_asks_too_late_exits_too, .timeout = 60)
{
	struct world *w = world_open();

	world_hold_races("clone=300");
	world_launch(w, ini);
	world_until(has_a_child, w, "a worker is being started");
	world_signal(w, SIGKILL);
	cr_expect_eq(world_wait(w), 128 + SIGKILL);
	world_until(has_no_children, w, "the orphan exits");
	/* A killed supervisor leaves its sockets. */
	world_shell(w, "rm -f @DIR@/*.sock @DIR@/run/*.sock");
}
