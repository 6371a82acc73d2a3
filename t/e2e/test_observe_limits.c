/*
 * test_observe_limits.c - samples of workers that are large, that change while
 * they are read, and that only the prober may read
 */
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "rights.h"
#include "stage.h"

TestSuite(observe_limits, .timeout = 60);

/* -- limits of one sample ------------------------------------------------- */

/* Also known for a worker whose state is unknown. */
static bool
is_accepting(void *arg)
{
	return stage_look(arg)->accepting > 0;
}

/* The limits are 1024 sockets and 64 processes. */
static const struct {
	const char *why;
	int sockets, children;
	bool known;
} limits[] = {
	{"the maximum, with the listening socket", 1023, 0, true},
	{"one more", 1024, 0, false},
	{"many more", 1100, 0, false},
	{"a worker and its child together", 512, 1, true},
	{"one more of each", 513, 1, false},
	{"1100 in four processes", 275, 3, false},
	{"64 processes", 1, 63, true},
	{"65 processes", 0, 64, false},
	{"more than their list can have", 0, 150, false},
};

static bool
is_allowed(void *arg)
{
	return stage_look(arg)->err != EACCES;
}

/* A prober that was too slow on a busy machine is asked again after a pause. */
static const struct kernel_sample *
take_sample(struct stage *s)
{
	if (stage_look(s)->err == EACCES)
		stage_until(s, is_allowed, "the prober answers");
	return &s->worker.sample;
}

static void
check_limits(struct stage *s, size_t i)
{
	const struct kernel_sample *n = take_sample(s);

	if (limits[i].known) {
		cr_expect_eq(n->state, KERNEL_IDLE, "%s: %s", limits[i].why,
			stage_describe(s));
		cr_expect_not(n->may_hold, "%s", limits[i].why);
		cr_expect_eq(n->connections, 0, "%s", limits[i].why);
		cr_expect_eq(n->processes, 1U + (unsigned)limits[i].children,
			"%s", limits[i].why);
		return;
	}
	cr_expect_eq(n->state, KERNEL_UNKNOWN, "%s: %s", limits[i].why,
		stage_describe(s));
	cr_expect_eq(n->err, E2BIG, "%s: %s", limits[i].why, stage_describe(s));
	cr_expect(n->may_hold, "%s", limits[i].why);
	cr_expect_eq(n->connections, -1, "%s", limits[i].why);
	cr_expect(n->waits, "%s", limits[i].why);
}

static void
check_limit(size_t i, bool by_prober)
{
	char sockets[16], children[16];
	struct stage s;

	snprintf(sockets, sizeof(sockets), "%d", limits[i].sockets);
	snprintf(children, sizeof(children), "%d", limits[i].children);
	stage_open(&s, "sock");
	stage_start_child(&s, "many_sockets", sockets, children);
	stage_until(&s, is_accepting, "accepting");
	/* Twice, since the second sample uses what the first one found. */
	check_limits(&s, i);
	check_limits(&s, i);
	if (by_prober)
		cr_expect(s.worker.sample.by_prober, "%s", limits[i].why);
	stage_close(&s);
}

Test(observe_limits, a_worker_beyond_the_limits_is_unknown)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 1200)
		cr_skip_test("needs 1200 descriptors (ulimit -H -n)");
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		check_limit(i, false);
}

Test(observe_limits, the_prober_has_the_same_limits)
{
	world_need_root();
	give_up_ptrace();
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		check_limit(i, true);
}

/* -- races ---------------------------------------------------------------- */

/* A sample reads the directories task and fd of the worker, then task again for
 * its children, then the same of each child.  act is called in between. */
static struct {
	void (*act)(void *arg);		/* NULL = none */
	void *arg;
	int turn;	/* number of the directory, from 1 */
	bool at_end;	/* after it was read, otherwise before */
	/* State: */
	int turns;
	char name[16];
} between;

/* Replaces the function of the C library in this program: calls act at a
 * certain moment of a sample. */
ssize_t
getdents64(int fd, void *p, size_t size)
{
	void (*act)(void *) = between.act;
	char link[64], path[64];
	const char *name;
	ssize_t n = 0;

	if (act) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = '\0';
		name = strrchr(path, '/') ? strrchr(path, '/') + 1 : "";
		between.turns += strcmp(between.name, name) != 0;
		snprintf(between.name, sizeof(between.name), "%s", name);
	}
	if (act && !between.at_end && between.turns == between.turn) {
		between.act = NULL;
		act(between.arg);
	}
	n = syscall(SYS_getdents64, fd, p, size);
	if (act && between.at_end && n == 0 && between.turns == between.turn) {
		between.act = NULL;
		act(between.arg);
	}
	return n;
}

/* Takes one sample, without open descriptors, and calls act during it. */
static const struct kernel_sample *
look_while(struct stage *s, int turn, bool at_end, void (*act)(void *arg))
{
	kernel_worker_close(&s->worker);
	between.turns = 0;
	between.name[0] = '\0';
	between.turn = turn;
	between.at_end = at_end;
	between.arg = s;
	between.act = act;
	(void)stage_look(s);
	cr_assert_null(between.act, "act was not called");
	return &s->worker.sample;
}

static void
connect_now(void *arg)
{
	struct stage *s = arg;
	int64_t end = world_now_ms() + 20000;
	size_t before = world_fd_count(s->pid);

	s->client = stage_begin_request(s, 0);
	while (world_fd_count(s->pid) == before)
		cr_assert_lt(world_now_ms(), end, "it does not accept");
}

Test(observe_limits, a_connection_accepted_during_a_sample_is_seen)
{
	struct stage s;
	int i;

	stage_open(&s, "sock");
	stage_start_child(&s, "count", NULL, NULL);
	for (i = 0; i < 5; i++) {
		stage_until(&s, stage_is_idle, "idle");
		/* Between reading the tasks and the sockets. */
		(void)look_while(&s, 2, false, connect_now);
		cr_expect_eq(s.worker.sample.connections, 1, "%s", stage_describe(&s));
		cr_expect(s.worker.sample.may_hold, "%s", stage_describe(&s));
		cr_expect_eq(s.worker.sample.state, KERNEL_BUSY, "%s",
			stage_describe(&s));
		stage_finish_request(s.client);
		close(s.client);
	}
	stage_close(&s);
}

static void
end_child(void *arg)
{
	struct stage *s = arg;
	pid_t pid;

	cr_assert_eq(world_children(s->pid, &pid, 1), 1);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	world_until_gone(pid);
}

/* Its parent reaps it immediately. */
Test(observe_limits, a_child_that_exits_during_a_sample_has_no_connections)
{
	const struct kernel_sample *n;
	struct stage s;

	stage_open(&s, "sock");
	stage_start_child(&s, "many_sockets", "1", "1");
	stage_until(&s, is_accepting, "accepting");
	cr_assert_eq(s.worker.sample.processes, 2);
	n = look_while(&s, 3, true, end_child);
	cr_expect_eq(n->processes, 2, "it was not listed");
	cr_expect_eq(n->state, KERNEL_IDLE, "%s", stage_describe(&s));
	cr_expect_eq(n->err, 0, "%s", stage_describe(&s));
	cr_expect_not(n->may_hold);
	cr_expect_eq(stage_look(&s)->processes, 1, "%s", stage_describe(&s));
	stage_close(&s);
}

/* -- the prober ----------------------------------------------------------- */

Test(observe_limits, a_prober_that_does_not_answer_is_killed)
{
	struct stage s;
	pid_t prober;
	int64_t start;

	world_need_root();
	stage_open(&s, "sock");
	give_up_ptrace();
	stage_start_child(&s, "count", NULL, NULL);
	stage_until(&s, stage_is_idle, "idle");
	prober = s.observe.prober.pid;
	cr_assert_gt(prober, 0);
	cr_expect_str_eq(world_proc_status(prober, "Name"), "fcgipm-prober");
	cr_expect_eq(atoi(world_proc_status(prober, "Uid")), NOBODY);
	cr_expect_eq(world_fd_count(prober), 1,
		"more than its end of the socket pair");
	cr_assert_eq(kill(prober, SIGSTOP), 0);
	start = world_now_ms();
	cr_expect_eq(stage_look(&s)->state, KERNEL_UNKNOWN, "%s",
		stage_describe(&s));
	cr_expect(s.worker.sample.may_hold);
	cr_expect_eq(stage_look(&s)->state, KERNEL_UNKNOWN, "%s",
		stage_describe(&s));
	/* It took 100 ms once, not for each question. */
	cr_expect_lt(world_now_ms() - start, 5000);
	cr_expect_eq(s.observe.prober.pid, 0);
	world_until_gone(prober);
	cr_expect_gt(s.observe.prober.not_before_ms, world_now_ms() + 1000);
	/* After the pause. */
	s.observe.prober.not_before_ms = 0;
	stage_until(&s, stage_is_idle, "idle, read by a new prober");
	cr_expect_neq(s.observe.prober.pid, prober);
	stage_close(&s);
}

static void
prober_ends(bool stopped)
{
	struct stage s;
	pid_t supervisor, prober = 0;
	int fds[2];

	world_need_root();
	stage_open(&s, "sock");
	give_up_ptrace();
	stage_start_child(&s, "count", NULL, NULL);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	supervisor = fork();
	cr_assert_geq(supervisor, 0);
	if (supervisor == 0) {
		/* No prober is needed before the worker runs as nobody. */
		while (s.observe.prober.pid == 0)
			(void)stage_look(&s);
		(void)!write(fds[1], &s.observe.prober.pid, sizeof(pid_t));
		for (;;)
			pause();
	}
	cr_assert_eq(read(fds[0], &prober, sizeof(prober)),
		(ssize_t)sizeof(prober));
	cr_assert_gt(prober, 0);
	cr_assert(world_alive(prober));
	/* A stopped prober does not notice the end of the socket pair. */
	if (stopped)
		cr_assert_eq(kill(prober, SIGSTOP), 0);
	cr_assert_eq(kill(supervisor, SIGKILL), 0);
	cr_assert_eq(waitpid(supervisor, NULL, 0), supervisor);
	world_until_gone(prober);
	close(fds[0]);
	close(fds[1]);
	stage_close(&s);
}

Test(observe_limits, a_prober_exits_with_its_supervisor)
{
	prober_ends(false);
}

Test(observe_limits, a_stopped_prober_is_killed_with_its_supervisor)
{
	prober_ends(true);
}
