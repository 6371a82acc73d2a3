/*
 * test_loop.c - tests base/loop: descriptors, timers, signals and children
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"

static struct loop *loop;

static void
setup(void)
{
	loop = loop_new();
	cr_assert_not_null(loop);
}

static void
teardown(void)
{
	loop_free(&loop);
	cr_expect_null(loop);
	loop_free(&loop);
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 20);

/* A pipe and a watcher of its reading end that counts its events. */
struct watched {
	struct loop_io io;
	int fds[2];
	int calls;
	uint32_t events;	/* of the last call */
	struct watched *kill;	/* removed by the callback */
	int quit_at;		/* leave the loop at this many calls */
};

static void
watched_on_event(struct loop_io *io, uint32_t events)
{
	struct watched *w = container_of(io, struct watched, io);
	char c[16];

	w->calls++;
	w->events = events;
	if (events & LOOP_READ)
		(void)!read(w->fds[0], c, sizeof(c));
	if (w->kill)
		loop_del(loop, &w->kill->io);
	if (w->calls == w->quit_at)
		loop_quit(loop);
}

static void
watched_open(struct watched *w, int quit_at)
{
	*w = (struct watched){.io = {.fd = -1, .on_event = watched_on_event},
		.quit_at = quit_at};
	cr_assert_eq(pipe2(w->fds, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(loop_add(loop, &w->io, w->fds[0], LOOP_READ), 0);
}

static void
poke(struct watched *w)
{
	cr_assert_eq(write(w->fds[1], "x", 1), 1);
}

Test(loop, reports_a_readable_descriptor)
{
	struct watched w;

	watched_open(&w, 1);
	poke(&w);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(w.calls, 1);
	cr_expect_eq(w.events, (uint32_t)LOOP_READ);
}

Test(loop, reports_a_hangup_that_was_not_asked_for)
{
	struct watched w;

	watched_open(&w, 1);
	cr_assert_eq(loop_mod(loop, &w.io, 0), 0);
	close(w.fds[1]);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(w.events, (uint32_t)LOOP_HANGUP);
}

Test(loop, adding_a_file_that_cannot_be_watched_is_an_error)
{
	struct loop_io io = {.fd = -1, .on_event = watched_on_event};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	errno = 0;
	cr_expect_eq(loop_add(loop, &io, fd, LOOP_READ), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_eq(io.fd, -1);
	loop_del(loop, &io);
	close(fd);
}

/* Both are readable in one turn.  The first one called removes the other, whose
 * event was already read from the kernel. */
Test(loop, a_removed_watcher_gets_no_further_event)
{
	struct watched a, b;

	watched_open(&a, 1);
	watched_open(&b, 1);
	a.kill = &b;
	b.kill = &a;
	poke(&a);
	poke(&b);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(a.calls + b.calls, 1);
	cr_expect((a.io.fd < 0) != (b.io.fd < 0), "one is still watched");
}

Test(loop, a_watcher_may_remove_itself)
{
	struct watched a, b;

	watched_open(&a, 0);
	watched_open(&b, 2);
	a.kill = &a;
	poke(&a);
	poke(&b);
	poke(&b);
	while (b.calls < 1) {
		b.quit_at = 1;
		cr_expect_eq(loop_run(loop), 0);
	}
	cr_expect_eq(a.calls, 1);
	loop_del(loop, &a.io);
}

struct timed {
	struct loop_timer timer;
	int64_t at;		/* when it ran; 0 = never */
	int order;
	int calls;
	int64_t again_ms;	/* arm it again this much later, once */
	struct timed *stop;	/* stopped by the callback */
	bool quit;
};

static int timed_order;

static void
timed_on_timer(struct loop_timer *t)
{
	struct timed *d = container_of(t, struct timed, timer);

	d->at = loop_now(loop);
	d->order = ++timed_order;
	d->calls++;
	cr_expect_eq(t->place, 0, "no longer armed");
	if (d->again_ms) {
		loop_timer_set(loop, t, loop_now(loop) + d->again_ms);
		d->again_ms = 0;
		return;
	}
	if (d->stop)
		loop_timer_stop(loop, &d->stop->timer);
	if (d->quit)
		loop_quit(loop);
}

static void
arm(struct timed *d, int64_t after_ms)
{
	d->timer.on_timer = timed_on_timer;
	loop_timer_set(loop, &d->timer, loop_now(loop) + after_ms);
}

Test(loop, a_timer_never_runs_early)
{
	struct timed d = {.quit = true};

	arm(&d, 30);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_geq(now_ms(), d.timer.at_ms);
	cr_expect_geq(d.at, d.timer.at_ms);
	cr_expect_eq(d.calls, 1);
}

Test(loop, timers_run_in_order_of_their_deadlines)
{
	static struct timed d[300];
	unsigned short seed[3] = {4, 5, 6};
	struct timed last = {.quit = true};
	int64_t now = loop_now(loop);
	size_t i, j, n = ARRAY_SIZE(d);

	/* Deadlines of the past: one turn runs them all. */
	for (i = 0; i < n; i++)
		arm(&d[i], -1000 - nrand48(seed) % 500);
	/* Moved forwards and backwards, and some taken out of the middle. */
	for (i = 0; i < n; i += 3)
		arm(&d[i], -1000 - nrand48(seed) % 500);
	for (i = 1; i < n; i += 7)
		loop_timer_stop(loop, &d[i].timer);
	arm(&last, 0);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_geq(last.at, now);
	for (i = 0; i < n; i++) {
		cr_expect_eq(d[i].calls, i % 7 == 1 ? 0 : 1, "timer %zu", i);
		for (j = 0; j < n; j++)
			if (d[i].calls && d[j].calls &&
				d[i].timer.at_ms < d[j].timer.at_ms)
				cr_assert_lt(d[i].order, d[j].order);
	}
}

Test(loop, a_timer_may_arm_itself_and_stop_another)
{
	struct timed victim = {0}, d = {.again_ms = 1, .quit = true,
		.stop = &victim};

	arm(&d, -5);
	arm(&victim, 60000);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(d.calls, 2);
	cr_expect_eq(victim.calls, 0);
	cr_expect_eq(victim.timer.place, 0);
	loop_timer_stop(loop, &victim.timer);
}

/* A timer in the past that arms itself in the past must not starve
 * descriptors: both are called. */
Test(loop, descriptors_are_served_between_timers)
{
	struct timed d = {.again_ms = 1};
	struct watched w;

	watched_open(&w, 1);
	arm(&d, 0);
	poke(&w);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(w.calls, 1);
	loop_timer_stop(loop, &d.timer);
}

struct deferred {
	struct loop_task task;
	int calls;
	struct deferred *next;	/* queued by run() */
	bool quit;
};

static void
deferred_run(struct loop_task *t)
{
	struct deferred *d = container_of(t, struct deferred, task);

	d->calls++;
	if (d->next)
		loop_defer(loop, &d->next->task);
	if (d->quit)
		loop_quit(loop);
}

Test(loop, a_task_queued_several_times_runs_once)
{
	struct deferred b = {.task = {.run = deferred_run}, .quit = true};
	struct deferred a = {.task = {.run = deferred_run}, .next = &b};

	loop_defer(loop, &a.task);
	loop_defer(loop, &a.task);
	loop_defer(loop, &a.task);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(a.calls, 1);
	cr_expect_eq(b.calls, 1, "a task queued by a task runs too");
	loop_defer(loop, &a.task);
	cr_expect(a.task.queued, "it may be queued again");
}

/* An owner that frees itself in its own callback. */
struct mortal {
	struct watched w;
	struct loop_task task;
	int *freed;
};

static void
mortal_run(struct loop_task *t)
{
	struct mortal *m = container_of(t, struct mortal, task);

	(*m->freed)++;
	close(m->w.fds[0]);
	close(m->w.fds[1]);
	free(m);
	loop_quit(loop);
}

static void
mortal_on_event(struct loop_io *io, uint32_t events)
{
	struct mortal *m = container_of(io, struct mortal, w.io);
	(void)events;

	loop_del(loop, io);
	loop_defer(loop, &m->task);
	loop_defer(loop, &m->task);
}

Test(loop, an_owner_can_free_itself_in_a_deferred_task)
{
	struct mortal *m = calloc(1, sizeof(*m));
	int freed = 0;

	cr_assert_not_null(m);
	watched_open(&m->w, 0);
	m->w.io.on_event = mortal_on_event;
	m->task.run = mortal_run;
	m->freed = &freed;
	poke(&m->w);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(freed, 1);
}

struct child {
	struct loop_child child;
	int pidfd;
	int calls, code, status;
};

static void
child_on_exit(struct loop_child *c, int code, int status)
{
	struct child *d = container_of(c, struct child, child);

	d->calls++;
	d->code = code;
	d->status = status;
	loop_child_del(loop, c);
	close(d->pidfd);
	loop_quit(loop);
}

static void
child_start(struct child *d, int exit_code, int signo)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (signo)
			kill(getpid(), signo);
		_exit(exit_code);
	}
	*d = (struct child){.child = {.on_exit = child_on_exit}};
	d->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	cr_assert_geq(d->pidfd, 0);
	cr_assert_eq(loop_child_add(loop, &d->child, d->pidfd), 0);
}

Test(loop, reports_the_exit_status_of_a_child_and_reaps_it)
{
	struct child d;

	child_start(&d, 7, 0);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(d.calls, 1);
	cr_expect_eq(d.code, CLD_EXITED);
	cr_expect_eq(d.status, 7);
	errno = 0;
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_expect_eq(errno, ECHILD, "no zombie is left");
}

Test(loop, reports_the_signal_that_killed_a_child)
{
	struct child d;

	child_start(&d, 0, SIGKILL);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(d.code, CLD_KILLED);
	cr_expect_eq(d.status, SIGKILL);
}

struct received {
	struct loop_signals sigs;
	int got[NSIG];
	int total, quit_at;
	pid_t sender;
};

static void
received_on_signal(struct loop_signals *s, int signo, pid_t sender)
{
	struct received *h = container_of(s, struct received, sigs);

	h->got[signo]++;
	h->sender = sender;
	if (++h->total == h->quit_at)
		loop_quit(loop);
}

Test(loop, reports_signals_and_their_senders)
{
	struct received h = {.sigs = {.io = {.fd = -1},
				  .on_signal = received_on_signal},
		.quit_at = 2};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	cr_assert_eq(loop_signals_add(loop, &h.sigs, &set), 0);
	cr_assert_eq(kill(getpid(), SIGHUP), 0);
	cr_assert_eq(kill(getpid(), SIGUSR2), 0);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(h.got[SIGHUP], 1);
	cr_expect_eq(h.got[SIGUSR2], 1);
	cr_expect_eq(h.sender, getpid());
	loop_signals_del(loop, &h.sigs);
	cr_expect_eq(h.sigs.io.fd, -1);
	loop_signals_del(loop, &h.sigs);
}

Test(loop, its_descriptors_are_close_on_exec)
{
	struct received h = {.sigs = {.io = {.fd = -1},
				  .on_signal = received_on_signal}};
	sigset_t set;
	int fd, open_fds = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	cr_assert_eq(loop_signals_add(loop, &h.sigs, &set), 0);
	for (fd = 3; fd < 256; fd++) {
		char path[64], name[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof(name) - 1) < 0 ||
			strncmp(name, "anon_inode:", 11) != 0)
			continue;
		open_fds++;
		cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC, "%s", name);
	}
	cr_expect_geq(open_fds, 2);
	loop_signals_del(loop, &h.sigs);
}
