/*
 * test_observe_waits.c - does a worker with a connection wait for its client,
 * or work for it?
 *
 * By t/children/waits, whose tasks wait as it is told.
 */
#include "stage.h"
#include "sys/procfs.h"

TestSuite(observe_waits, .timeout = 60);

struct row {
	const char *mode;
	unsigned tasks, processes;
	bool reading, counts, waits;
};

static const struct row rows[] = {
	{"sleep", 1, 1, false, false, false},
	{"read", 1, 1, true, true, true},
	{"recv", 1, 1, true, false, true},
	{"poll", 1, 1, false, false, true},
	{"pipe", 1, 1, false, false, false},
	/* Of two that read one descriptor is known: it may be this one. */
	{"read+pipe", 2, 1, false, false, true},
	{"child-pipe", 2, 2, false, false, false},
	{"child-holds", 2, 2, false, false, false},
};

static const struct row *row;

/* Has it come to where it waits?  Its state cannot be asked for alone. */
static bool
is_as_in_row(void *arg)
{
	struct stage *s = arg;
	const struct kernel_sample *n = stage_look(s);

	return n->connections == 1 && n->tasks == row->tasks &&
		n->processes == row->processes && n->accepting == 0 &&
		n->waits == row->waits &&
		(row->tasks > 1 || n->reading == row->reading);
}

static void
open_row(struct stage *s, const struct row *r, int *ret_client)
{
	row = r;
	stage_open(s, "sock");
	stage_start_child(s, "waits", r->mode, NULL);
	*ret_client = client_connect(s->world, s->address);
	stage_until(s, is_as_in_row, r->mode);
}

Test(observe_waits, each_way)
{
	const struct kernel_sample *n;
	struct stage s;
	int c, j;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_row(&s, &rows[i], &c);
		/* And it stays so. */
		for (j = 0; j < 5; j++) {
			n = stage_look(&s);
			cr_expect_eq(n->state, KERNEL_BUSY, "%s: %s",
				row->mode, stage_describe(&s));
			cr_expect_eq(n->connections, 1, "%s: %s", row->mode,
				stage_describe(&s));
			cr_expect_eq(n->waits, row->waits, "%s", row->mode);
			cr_expect_eq(n->oldest_pid, s.pid, "%s", row->mode);
			if (strcmp(row->mode, "read+pipe") == 0)
				continue;
			cr_expect_eq(n->reading, row->reading, "%s",
				row->mode);
			cr_expect_eq(n->reading_counts, row->counts, "%s",
				row->mode);
		}
		close(c);
		stage_close(&s);
	}
}

static bool
may_wait(void *arg)
{
	const struct kernel_sample *n = stage_look(arg);

	return n->state == KERNEL_UNKNOWN && n->may_hold && n->waits;
}

/* Whose its socket is cannot be said: it may be the one that is read. */
Test(observe_waits, who_reads_may_wait_for_a_client_in_doubt)
{
	struct stage s;
	int c, fd;

	open_row(&s, &rows[4], &c);
	cr_assert_str_eq(row->mode, "pipe");
	kernel_worker_fini(&s.worker);
	kernel_worker_init(&s.worker, s.pid);
	fd = s.diag.fd;
	s.diag.fd = -1;
	/* It may not be in read(2) yet. */
	stage_until(&s, may_wait, "in doubt");
	s.diag.fd = fd;
	close(c);
	stage_close(&s);
}

/* The time of a state is that of the first sample in a row with it. */
Test(observe_waits, a_state_has_lasted_since_it_was_first_seen)
{
	const struct kernel_sample *n;
	struct stage s;
	int c;

	stage_open(&s, "sock");
	stage_start_child(&s, "count", NULL, NULL);
	stage_until(&s, stage_is_idle, "idle");
	kernel_worker_fini(&s.worker);
	kernel_worker_init(&s.worker, s.pid);
	n = kernel_inspect(&s.observe, &s.worker, 1000);
	cr_expect_eq(n->since_ms, 1000);
	cr_expect_eq(kernel_inspect(&s.observe, &s.worker, 2000)->since_ms,
		1000);
	cr_expect_eq(kernel_check(&s.observe, &s.worker, 3000)->since_ms,
		1000);
	cr_expect_eq(kernel_check_once(&s.observe, &s.worker, 4000)->since_ms,
		1000);
	c = stage_begin_request(&s, 0);
	do
		n = kernel_inspect(&s.observe, &s.worker, 5000);
	while (n->state == KERNEL_IDLE);
	cr_expect_eq(n->since_ms, 5000, "%s", stage_describe(&s));
	cr_expect_eq(kernel_inspect(&s.observe, &s.worker, 6000)->since_ms,
		5000);
	stage_finish_request(c);
	close(c);
	stage_close(&s);
}

/* A thread that was started while the first one stays in accept(2) is noticed
 * within 16 checks. */
Test(observe_waits, threads_of_an_idle_worker_are_noticed)
{
	struct stage s;
	int i;

	stage_open(&s, "sock");
	stage_start_child(&s, "waits", "sleep", NULL);
	stage_until(&s, stage_is_idle, "idle");
	for (i = 0; i < 5; i++) {
		(void)kernel_check(&s.observe, &s.worker, 1);
		cr_expect_eq(s.worker.sample.state, KERNEL_IDLE);
		cr_expect_eq(s.worker.sample.tasks, 1);
		cr_expect(s.worker.sample.may_hold, "not inspected");
	}
	cr_assert_eq(kill(s.pid, SIGUSR1), 0);
	while (strcmp(world_proc_status(s.pid, "Threads"), "2") != 0 ||
		procfs_look(s.pid) != PROCFS_ACCEPTING)
		;
	for (i = 0; i < 16 && s.worker.sample.tasks < 2; i++)
		(void)kernel_check(&s.observe, &s.worker, 2);
	cr_expect_eq(s.worker.sample.tasks, 2, "%s", stage_describe(&s));
	/* And at once by one that remembers nothing. */
	kernel_worker_fini(&s.worker);
	kernel_worker_init(&s.worker, s.pid);
	cr_expect_eq(kernel_check_once(&s.observe, &s.worker, 3)->tasks, 2,
		"%s", stage_describe(&s));
	cr_expect_eq(s.worker.watch.pid, 0, "nothing stays open");
	stage_close(&s);
}
