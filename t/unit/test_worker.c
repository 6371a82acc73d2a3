/*
 * test_worker.c - when a worker is ready, and how its end is reported
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "hold.h"
#include "worker/worker.h"

static struct loop *loop;
static struct worker worker;
static int holder = -1;
static unsigned ups, deaths;

static bool
is_up(struct worker *w, bool unseen)
{
	(void)w;
	(void)unseen;
	return false;
}

/* Checks repeatedly whether the pipe is closed. */
static void
on_tick(struct loop_timer *t)
{
	if (worker.execfd >= 0) {
		loop_timer_set(loop, t, loop_now(loop) + 10);
		return;
	}
	cr_expect_not(worker.ready_timer.place, "no further check");
	worker_kill(&worker);
}

static struct loop_timer tick = {.on_timer = on_tick};

/* It counts as up after a timeout; then it may go on. */
static void
on_up(struct worker *w)
{
	struct seccomp_notif held = {0};
	struct seccomp_notif_resp go = {
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	cr_expect_geq(w->execfd, 0);
	cr_assert_eq(ioctl(holder, SECCOMP_IOCTL_NOTIF_RECV, &held), 0);
	go.id = held.id;
	cr_assert_eq(ioctl(holder, SECCOMP_IOCTL_NOTIF_SEND, &go), 0);
	loop_timer_set(loop, &tick, loop_now(loop) + 10);
	ups++;
}

static void
on_dead(struct worker *w, enum worker_state before, const char *story,
	bool failed)
{
	(void)w;
	(void)before;
	(void)story;
	(void)failed;
	deaths++;
	loop_quit(loop);
}

static const struct worker_ops ops = {
	.is_up = is_up, .on_up = on_up, .on_dead = on_dead};

/* Held in chdir(2), as if a file server did not answer. */
Test(worker, a_worker_that_executes_late_leaves_no_pipe_open, .timeout = 30)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	char *const env[] = {NULL};
	const int fds[] = {0, 1, 2};
	const struct spawn_spec spec = {.path = "/bin/sleep", .execfd = -1,
		.argv = (char *const *)argv, .envp = env, .fds = fds, .nfds = 3,
		.cwd = "/",
		.cwdfd = -1, .new_session = true, .lasting = true};

	holder = hold_call(SYS_chdir);
	loop = loop_new();
	worker_init(&worker, loop, "www", 0, false, &ops, NULL);
	cr_assert_eq(worker_start(&worker, &spec), 0);
	cr_assert_eq(loop_run(loop), 0);
	cr_expect_eq(ups, 1);
	cr_expect_eq(deaths, 1);
	loop_free(&loop);
}

/* -- without the loop: the test calls its callbacks ------------------------ */

static struct {
	unsigned times;
	enum worker_state before;
	char story[160];
	bool failed;
} end;

static bool ready;

static bool
is_ready(struct worker *w, bool unseen)
{
	(void)w;
	(void)unseen;
	return ready;
}

static void
note_up(struct worker *w)
{
	cr_expect_eq(w->state, WORKER_UP);
	ups++;
}

static void
note_end(struct worker *w, enum worker_state before, const char *story,
	bool failed)
{
	cr_expect_eq(w->state, WORKER_DEAD);
	end.times++;
	end.before = before;
	end.failed = failed;
	snprintf(end.story, sizeof(end.story), "%s", story);
}

static const struct worker_ops quiet = {
	.is_up = is_ready, .on_up = note_up, .on_dead = note_end};

static void
set_up(void)
{
	loop = loop_new();
	worker_init(&worker, loop, "www", 0, false, &quiet, NULL);
}

static void
tear_down(void)
{
	loop_free(&loop);
}

static int extra = -1;	/* the worker has it as descriptor 3 */

/* Runs this script if path is a shell; another path fails. */
static void
start(const char *path, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	char *const env[] = {NULL};
	const int fds[] = {0, 1, 2, extra};
	const struct spawn_spec spec = {.path = path, .execfd = -1,
		.argv = (char *const *)argv, .envp = env, .fds = fds,
		.nfds = extra < 0 ? 3 : 4, .cwd = "/", .cwdfd = -1,
		.new_session = true};

	cr_assert_eq(worker_start(&worker, &spec), 0);
	cr_expect_eq(worker.state, WORKER_STARTING);
	while (!worker_has_executed(&worker))
		usleep(1000);
}

static void
check(void)
{
	worker.ready_timer.on_timer(&worker.ready_timer);
}

static void
wait_end(void)
{
	siginfo_t si;

	cr_assert_eq(waitid(P_PIDFD, (id_t)worker.pidfd, &si, WEXITED), 0);
	worker.child.on_exit(&worker.child, si.si_code, si.si_status);
	cr_expect_eq(end.times, 1);
	cr_expect_eq(worker.pidfd, -1);
	cr_expect_eq(worker.execfd, -1);
	cr_expect_not(worker.ready_timer.place);
}

static void
expect_end(enum worker_state before, const char *story, bool failed,
	bool by_signal)
{
	wait_end();
	cr_expect_eq(end.before, before);
	cr_expect_str_eq(end.story, story);
	cr_expect_eq(end.failed, failed);
	cr_expect_eq(worker.by_signal, by_signal);
}

TestSuite(worker_end, .init = set_up, .fini = tear_down, .timeout = 30);

Test(worker_end, exit_status_0_is_not_a_failure)
{
	start("/bin/sh", "exit 0");
	expect_end(WORKER_STARTING, "exit status 0", false, false);
}

Test(worker_end, any_other_exit_status_is_a_failure)
{
	start("/bin/sh", "exit 3");
	expect_end(WORKER_STARTING, "exit status 3", true, false);
}

Test(worker_end, a_signal_is_a_failure)
{
	start("/bin/sh", "kill -TERM $$");
	expect_end(WORKER_STARTING, "killed by signal 15 (SIGTERM)", true,
		true);
}

Test(worker_end, a_missing_program_is_reported_with_its_step)
{
	start("/nowhere/sh", "");
	expect_end(WORKER_STARTING, "exec: No such file or directory", true,
		false);
}

Test(worker_end, a_killed_worker_is_reported_with_its_signal)
{
	start("/bin/sh", "sleep 1000");
	worker_kill(&worker);
	cr_expect_eq(worker.state, WORKER_KILLED);
	worker_retire(&worker, SIGCONT);
	cr_expect_eq(worker.state, WORKER_KILLED);
	expect_end(WORKER_KILLED, "killed by signal 9 (SIGKILL)", true, true);
	worker_kill(&worker);
	cr_expect_eq(worker.state, WORKER_DEAD);
}

/* The pipe is closed once the last process that writes to it has ended. */
Test(worker_end, the_children_of_a_killed_worker_are_killed_too)
{
	struct pollfd p = {.events = POLLIN};
	int fds[2];
	char c;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	extra = fds[1];
	start("/bin/sh", "sleep 1000 & echo >&3; wait");
	cr_assert_eq(read(fds[0], &c, 1), 1);
	worker_kill(&worker);
	expect_end(WORKER_KILLED, "killed by signal 9 (SIGKILL)", true, true);
	close(fds[1]);
	p.fd = fds[0];
	cr_assert_eq(poll(&p, 1, 10000), 1);
	cr_expect_eq(read(fds[0], &c, 1), 0);
	close(fds[0]);
}

Test(worker_end, a_starting_worker_can_be_retired)
{
	start("/bin/sh", "exec sleep 1000");
	worker_retire(&worker, SIGTERM);
	cr_expect_eq(worker.state, WORKER_RETIRING);
	expect_end(WORKER_RETIRING, "killed by signal 15 (SIGTERM)", true,
		true);
}

Test(worker_end, a_worker_that_is_expected_to_exit_gets_no_signal)
{
	start("/bin/sh", "sleep 0.1; exit 0");
	worker_expect_exit(&worker);
	cr_expect_eq(worker.state, WORKER_RETIRING);
	expect_end(WORKER_RETIRING, "exit status 0", false, false);
}

/* -- readiness ------------------------------------------------------------- */

TestSuite(worker_ready, .init = set_up, .fini = tear_down, .timeout = 30);

static void
end_worker(void)
{
	worker_kill(&worker);
	wait_end();
}

Test(worker_ready, it_is_up_when_its_owner_knows_that_it_accepts)
{
	start("/bin/sh", "exec sleep 1000");
	check();
	cr_expect_eq(worker.state, WORKER_STARTING);
	cr_expect(worker.ready_timer.place, "checked again");
	ready = true;
	check();
	cr_expect_eq(worker.state, WORKER_UP);
	cr_expect(worker.was_ready);
	cr_expect_eq(ups, 1);
	cr_expect_not(worker.ready_timer.place, "not checked again");
	end_worker();
}

Test(worker_ready, it_counts_as_up_after_a_second)
{
	start("/bin/sh", "exec sleep 1000");
	worker.start_ms = loop_now(loop) - 999;
	check();
	cr_expect_eq(worker.state, WORKER_STARTING);
	worker.pause_ms = 100;
	check();
	cr_expect_eq(worker.ready_timer.at_ms, worker.start_ms + 1000);
	worker.start_ms = loop_now(loop) - 1000;
	check();
	cr_expect_eq(worker.state, WORKER_UP);
	cr_expect_not(worker.was_ready);
	end_worker();
}

Test(worker_ready, the_pause_between_two_checks_doubles_up_to_100_ms)
{
	static const int64_t pauses[] = {2, 4, 8, 16, 32, 64, 100, 100};
	size_t i;

	start("/bin/sh", "exec sleep 1000");
	worker.start_ms = loop_now(loop);
	for (i = 0; i < ARRAY_SIZE(pauses); i++) {
		check();
		cr_expect_eq(worker.ready_timer.at_ms - loop_now(loop),
			pauses[i], "pause %zu", i);
	}
	end_worker();
}

Test(worker_ready, a_new_worker_has_no_state_of_the_previous_one)
{
	start("/nowhere/sh", "");
	wait_end();
	end.times = 0;
	ready = true;
	worker.was_ready = true;
	start("/bin/sh", "exec sleep 1000");
	cr_expect_not(worker.was_ready);
	cr_expect_eq(worker.error.step[0], '\0');
	end_worker();
}
