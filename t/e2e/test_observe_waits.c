/*
 * test_observe_waits.c - a worker with a connection waits for its client, or
 * works
 *
 * The worker is t/children/waits, whose argument says how its tasks wait.
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
	/* Of two tasks that read, one descriptor is known: it may be that of
	 * the pipe. */
	{"read+pipe", 2, 1, false, false, true},
	{"child-pipe", 2, 2, false, false, false},
	{"child-holds", 2, 2, false, false, false},
};

static const struct row *row;

/* Does it wait as intended by now? */
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

Test(observe_waits, waiting_for_a_client_differs_from_working)
{
	const struct kernel_sample *n;
	struct stage s;
	int c, j;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_row(&s, &rows[i], &c);
		/* The result does not change. */
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

/* The origin of its socket is unknown: it may be the one that is read. */
Test(observe_waits, a_worker_with_an_unknown_socket_may_wait_for_a_client)
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
	stage_until(&s, may_wait, "unknown");
	s.diag.fd = fd;
	close(c);
	stage_close(&s);
}

/* The first of the consecutive samples in a state. */
Test(observe_waits, a_state_lasts_since_its_first_sample)
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

/* The first thread stays in accept(2). */
Test(observe_waits, a_new_thread_of_an_idle_worker_is_noticed_within_16_checks)
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
		procfs_sample(s.pid) != PROCFS_ACCEPTING)
		;
	for (i = 0; i < 16 && s.worker.sample.tasks < 2; i++)
		(void)kernel_check(&s.observe, &s.worker, 2);
	cr_expect_eq(s.worker.sample.tasks, 2, "%s", stage_describe(&s));
	/* And by the first check of a new observer. */
	kernel_worker_fini(&s.worker);
	kernel_worker_init(&s.worker, s.pid);
	cr_expect_eq(kernel_check_once(&s.observe, &s.worker, 3)->tasks, 2,
		"%s", stage_describe(&s));
	cr_expect_eq(s.worker.watch.pid, 0, "descriptors stay open");
	stage_close(&s);
}
