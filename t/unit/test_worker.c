/*
 * test_worker.c - a worker that takes its time
 */
#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
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

/* Looks again and again whether the pipe is closed. */
static void
on_tick(struct loop_timer *t)
{
	if (worker.execfd >= 0) {
		loop_timer_set(loop, t, loop_now(loop) + 10);
		return;
	}
	cr_expect_not(worker.ready_timer.place, "nobody looks any more");
	worker_kill(&worker);
}

static struct loop_timer tick = {.on_timer = on_tick};

/* It counts as up at some time, and is let go then. */
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

/* Held in chdir(2), as by a file server that does not answer. */
Test(worker, one_that_executes_late_leaves_no_pipe, .timeout = 30)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	char *const env[] = {NULL};
	const int fds[] = {0, 1, 2};
	const struct spawn_spec spec = {.path = "/bin/sleep", .execfd = -1,
		.argv = (char *const *)argv, .envp = env, .fds = fds, .nfds = 3, .cwd = "/",
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
