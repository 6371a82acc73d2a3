/*
 * test_view.c - which workers count as idle or due, and which retires first
 */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/members.h"
#include "pool/policy.h"
#include "pool/view.h"
#include "slots.h"

/* -- which worker retires -------------------------------------------------- */

/* The selected worker is never the first in the list. */
static struct pool_member
member(enum worker_state state, int64_t start_ms, bool idle, bool due)
{
	return (struct pool_member){
		.worker = {.state = state, .start_ms = start_ms},
		.idle = idle,
		.active = !idle,
		.due = due,
	};
}

#define MEMBERS(v_) {.v = v_, .n = ARRAY_SIZE(v_)}

/* A busy worker retires later anyway, after its request. */
Test(view, of_two_due_workers_the_idle_one_retires_first)
{
	struct pool_member v[] = {
		member(WORKER_UP, 10, false, true),
		member(WORKER_UP, 30, true, true),
		member(WORKER_UP, 20, false, true),
	};
	struct members ms = MEMBERS(v);

	cr_expect_eq(view_pick_due(&ms), &v[1]);
}

Test(view, of_two_idle_due_workers_the_oldest_retires_first)
{
	struct pool_member v[] = {
		member(WORKER_UP, 10, false, true),
		member(WORKER_UP, 30, true, true),
		member(WORKER_UP, 20, true, true),
		member(WORKER_UP, 40, true, true),
	};
	struct members ms = MEMBERS(v);

	cr_expect_eq(view_pick_due(&ms), &v[2]);
}

Test(view, of_two_busy_due_workers_the_oldest_retires_first)
{
	struct pool_member v[] = {
		member(WORKER_UP, 30, false, true),
		member(WORKER_UP, 20, false, true),
		member(WORKER_UP, 10, false, false),
		member(WORKER_UP, 40, false, true),
	};
	struct members ms = MEMBERS(v);

	cr_expect_eq(view_pick_due(&ms), &v[1]);
}

Test(view, only_workers_that_are_up_are_selected)
{
	struct pool_member v[] = {
		member(WORKER_DEAD, 1, true, true),
		member(WORKER_STARTING, 2, true, true),
		member(WORKER_RETIRING, 3, true, true),
		member(WORKER_KILLED, 4, true, true),
		member(WORKER_UP, 5, false, false),
	};
	struct members ms = MEMBERS(v);

	cr_expect_null(view_pick_due(&ms));
	cr_expect_null(view_pick_idle(&ms));
}

Test(view, the_oldest_idle_worker_retires_first)
{
	struct pool_member v[] = {
		member(WORKER_UP, 30, true, false),
		member(WORKER_UP, 10, false, false),
		member(WORKER_UP, 20, true, true),
		member(WORKER_UP, 25, true, false),
	};
	struct members ms = MEMBERS(v);

	cr_expect_eq(view_pick_idle(&ms), &v[2]);
}

/* -- how many are active --------------------------------------------------- */

Test(view, active_workers_are_up_and_not_idle)
{
	struct pool_member v[] = {
		member(WORKER_UP, 1, false, false),
		member(WORKER_UP, 2, true, false),
		member(WORKER_UP, 3, false, true),
		member(WORKER_STARTING, 4, false, false),
		member(WORKER_RETIRING, 5, false, false),
		member(WORKER_KILLED, 6, false, false),
		member(WORKER_DEAD, 7, false, false),
		/* Up by timeout, and never seen to accept. */
		{.worker = {.state = WORKER_UP}},
	};
	struct members ms = MEMBERS(v);

	cr_expect_eq(view_active(&ms), 2);
}

/* -- settled workers ------------------------------------------------------- */

#define NOW 10000
#define LIFE POLICY_LIFE_MS

Test(view, settled_ms_is_of_the_youngest_worker_that_has_settled)
{
	struct pool_member v[] = {
		member(WORKER_UP, 100, true, false),
		member(WORKER_UP, 300, true, false),
		member(WORKER_UP, 200, true, false),
		member(WORKER_STARTING, 400, true, false),
	};
	struct members ms = MEMBERS(v);
	struct policy_view view = {.now_ms = NOW};

	view_settled(&ms, &view);
	cr_expect_eq(view.settled_ms, 300 + LIFE);
	cr_expect_eq(view.settles_ms, 0, "all have settled");
}

Test(view, settles_ms_is_of_the_oldest_worker_that_has_not)
{
	struct pool_member v[] = {
		member(WORKER_UP, NOW - 300, true, false),
		member(WORKER_UP, NOW - 500, true, false),
		member(WORKER_UP, NOW - 400, true, false),
		member(WORKER_RETIRING, NOW - 600, true, false),
	};
	struct members ms = MEMBERS(v);
	struct policy_view view = {.now_ms = NOW};

	view_settled(&ms, &view);
	cr_expect_eq(view.settled_ms, 0, "no worker has settled");
	cr_expect_eq(view.settles_ms, NOW - 500 + LIFE);
}

Test(view, a_worker_settles_at_its_last_millisecond)
{
	struct pool_member v[] = {
		member(WORKER_UP, NOW - LIFE, true, false),
		member(WORKER_UP, NOW - LIFE + 1, true, false),
	};
	struct members ms = MEMBERS(v);
	struct policy_view view = {.now_ms = NOW};

	view_settled(&ms, &view);
	cr_expect_eq(view.settled_ms, NOW);
	cr_expect_eq(view.settles_ms, NOW + 1);
}

/* -- view_take; the test writes the slots ---------------------------------- */

#define WORKERS 3
#define MINUTE 60000

static struct loop *loop;
static struct sockdiag diag = {.fd = -1};
static struct conf_pool conf;
static const struct worker_ops no_ops;
static struct members pool;

/* No process, only the counts. */
static void
be(unsigned i, enum worker_state state)
{
	pool.counts.of[pool.v[i].worker.state]--;
	pool.counts.of[state]++;
	pool.v[i].worker.state = state;
}

static void
set_up(void)
{
	unsigned i;

	conf = (struct conf_pool){.name = (char *)"www", .threads = 1,
		.mode = CONF_MODE_PREFORK, .pm = CONF_PM_ONDEMAND,
		.process_idle_timeout_ms = 5000};
	loop = loop_new();
	cr_assert_not_null(loop);
	cr_assert_eq(kernel_init(&pool.kernel, &diag, NULL, 0, getuid(),
		getgid()), 0);
	pool.board = board_new(WORKERS, 1, 1);
	cr_assert_not_null(pool.board);
	members_open(&pool, loop, &conf, WORKERS, &no_ops, NULL);
	for (i = 0; i < WORKERS; i++)
		board_started(pool.board, i, getpid());
}

static void
tear_down(void)
{
	unsigned i;

	for (i = 0; i < WORKERS; i++)
		be(i, WORKER_DEAD);
	members_close(&pool);
	loop_free(&loop);
}

TestSuite(view_take, .init = set_up, .fini = tear_down, .timeout = 10);

/* A worker that is up, and idle since then by its slot; since >= 1. */
static struct fcgipm_slot *
be_idle(unsigned i, int64_t since_ms)
{
	struct fcgipm_slot *s = slots_accept(pool.board, i, getpid());

	s->since = (uint64_t)since_ms * 1000000;
	be(i, WORKER_UP);
	pool.v[i].worker.start_ms = 1;
	return s;
}

static void
be_busy(unsigned i)
{
	(void)be_idle(i, 1);
	(void)slots_serve(pool.board, i, getpid(), FCGIPM_BUSY, 1);
}

/* Its slot is empty, and the kernel has no such process. */
static void
be_unseen(unsigned i)
{
	be(i, WORKER_UP);
	pool.v[i].worker.was_ready = true;
	kernel_worker_init(&pool.v[i].observation, 1 << 30);
}

static struct policy_view
take(int64_t now_ms, int64_t *ret_again_ms)
{
	struct policy_view v = {.now_ms = now_ms};

	*ret_again_ms = view_take(&pool, -1, &v);
	return v;
}

Test(view_take, idle_workers_and_the_next_idle_timeout_are_counted)
{
	struct policy_view v;
	int64_t again_ms;

	be_idle(0, 3000);
	be_idle(1, 2000);
	be_idle(2, 4000);
	v = take(6999, &again_ms);
	cr_expect_eq(v.idle, 3);
	cr_expect_eq(v.idle_long, 0);
	cr_expect_eq(v.idle_long_next_ms, 7000,
		"the worker that is idle longest");
	v = take(7000, &again_ms);
	cr_expect_eq(v.idle_long, 1);
	cr_expect_eq(v.idle_long_next_ms, 8000);
	cr_expect_eq(view_active(&pool), 0);
	v = take(9000, &again_ms);
	cr_expect_eq(v.idle_long, 3);
	cr_expect_eq(v.idle_long_next_ms, 0);
}

Test(view_take, a_busy_worker_is_not_idle_and_is_inspected_again)
{
	struct policy_view v;
	int64_t again_ms;

	be_busy(0);
	be_idle(1, 2000);
	v = take(3000, &again_ms);
	cr_expect_eq(v.idle, 1);
	cr_expect(pool.board_complete);
	cr_expect_eq(again_ms, 8000, "it cannot be idle for too long earlier");
	cr_expect_eq(view_active(&pool), 1);
	conf.pm = CONF_PM_DYNAMIC;
	(void)take(3000, &again_ms);
	cr_expect_eq(again_ms, 0, "the board wakes the pool");
}

Test(view_take, with_one_unknown_worker_idle_is_unknown)
{
	struct policy_view v;
	int64_t again_ms;

	be_unseen(0);
	be_idle(1, 2000);
	v = take(3000, &again_ms);
	cr_expect_eq(v.idle, POLICY_IDLE_UNKNOWN);
	cr_expect_not(pool.board_complete);
	cr_expect_eq(again_ms, 4000, "there is no event for it");
}

Test(view_take, without_workers_nothing_is_inspected_again)
{
	struct policy_view v;
	int64_t again_ms;

	v = take(3000, &again_ms);
	cr_expect_eq(v.idle, 0);
	cr_expect_eq(again_ms, 0);
}

/* -- recycling ------------------------------------------------------------- */

static void
expect_due(unsigned i, bool due, enum retire_cause cause)
{
	cr_expect_eq(pool.v[i].due, due, "worker %u", i);
	if (due)
		cr_expect_eq(pool.v[i].cause, cause, "worker %u: %s", i,
			retire_cause_name(pool.v[i].cause));
}

Test(view_take, a_worker_is_due_after_its_last_request)
{
	struct policy_view v;
	int64_t again_ms;

	conf.pm = CONF_PM_STATIC;
	conf.max_requests = 5;
	be_idle(0, 1)->requests = 4;
	be_idle(1, 1)->requests = 5;
	v = take(3000, &again_ms);
	cr_expect_eq(v.due, 1);
	cr_expect_eq(v.idle, POLICY_IDLE_UNKNOWN,
		"not counted in a static pool");
	expect_due(0, false, RETIRE_REQUESTS);
	expect_due(1, true, RETIRE_REQUESTS);
	cr_expect_eq(again_ms, 0);
}

Test(view_take, a_worker_is_due_at_its_age)
{
	struct policy_view v;
	int64_t again_ms;

	conf.pm = CONF_PM_STATIC;
	conf.max_age_ms = MINUTE;
	be_idle(0, 1);
	be_idle(1, 1);
	be_idle(2, 1);
	pool.v[0].worker.start_ms = 2000;
	pool.v[1].worker.start_ms = 1000;
	pool.v[2].worker.start_ms = 3000;
	v = take(1000 + MINUTE - 1, &again_ms);
	cr_expect_eq(v.due, 0);
	cr_expect_eq(again_ms, 1000 + MINUTE, "the oldest becomes due first");
	v = take(1000 + MINUTE, &again_ms);
	cr_expect_eq(v.due, 1);
	expect_due(1, true, RETIRE_AGE);
	cr_expect_eq(again_ms, 2000 + MINUTE);
	v = take(2000 + MINUTE, &again_ms);
	cr_expect_eq(v.due, 2, "the first is still due");
}

/* This process uses more than a byte and less than a quarter of all memory. */
Test(view_take, memory_is_measured_every_ten_seconds)
{
	struct policy_view v;
	int64_t again_ms;

	conf.pm = CONF_PM_STATIC;
	conf.max_memory_bytes = UINT64_MAX / 4;
	be_idle(0, 1);
	pool.v[0].worker.pid = getpid();
	v = take(3000, &again_ms);
	cr_expect_eq(v.due, 0);
	cr_expect_eq(again_ms, 13000);
	conf.max_memory_bytes = 1;
	v = take(12999, &again_ms);
	cr_expect_eq(v.due, 0, "not yet");
	cr_expect_eq(again_ms, 13000);
	v = take(13000, &again_ms);
	cr_expect_eq(v.due, 1);
	expect_due(0, true, RETIRE_MEMORY);
	pool.v[0].worker.pid = 0;
}

Test(view_take, a_starting_or_retiring_worker_is_not_due)
{
	struct policy_view v;
	int64_t again_ms;

	conf.max_requests = 5;
	be_idle(0, 1)->requests = 5;
	be_idle(1, 1)->requests = 5;
	be(0, WORKER_STARTING);
	be(1, WORKER_RETIRING);
	v = take(3000, &again_ms);
	cr_expect_eq(v.due, 0);
	cr_expect_eq(v.idle, 0);
}
