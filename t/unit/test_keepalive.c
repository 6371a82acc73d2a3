/*
 * test_keepalive.c - when workers with idle keep-alive connections are counted
 *
 * The workers have no processes: the test writes their slots of the board.
 */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/keepalive.h"
#include "pool/members.h"
#include "slots.h"

#define WORKERS 2
#define SECOND 1000
/* Milliseconds of CLOCK_MONOTONIC, in the past of any machine. */
#define KEPT_SINCE 2000
#define NOW (KEPT_SINCE + 2 * SECOND)

static struct loop *loop;
static struct sockdiag diag = {.fd = -1};
static struct conf_pool conf = {.name = (char *)"www",
	.mode = CONF_MODE_PREFORK, .threads = 1};
static const struct worker_ops no_ops;
static struct members ms;
static struct keepalive keep;

static void
be(unsigned i, enum worker_state state)
{
	ms.counts.of[ms.v[i].worker.state]--;
	ms.counts.of[state]++;
	ms.v[i].worker.state = state;
}

/* Writes a worker's slot: its one connection is in this state. */
static void
set_worker(unsigned i, enum fcgipm_state state, int64_t since_ms)
{
	be(i, WORKER_UP);
	board_started(ms.board, i, getpid());
	(void)slots_serve(ms.board, i, getpid(), state, since_ms);
}

static void
set_up(void)
{
	loop = loop_new();
	cr_assert_not_null(loop);
	cr_assert_eq(kernel_init(&ms.kernel, &diag, NULL, 0, getuid(),
		getgid()), 0);
	ms.board = board_new(WORKERS, 1, 1);
	cr_assert_not_null(ms.board);
	members_open(&ms, loop, &conf, WORKERS, &no_ops, NULL);
	set_worker(0, FCGIPM_KEPT, KEPT_SINCE);
	set_worker(1, FCGIPM_BUSY, KEPT_SINCE);
	keepalive_init(&keep, &ms, false);
}

static void
tear_down(void)
{
	unsigned i;

	for (i = 0; i < WORKERS; i++)
		be(i, WORKER_DEAD);
	members_close(&ms);
	loop_free(&loop);
}

TestSuite(keepalive, .init = set_up, .fini = tear_down, .timeout = 10);

static void
expect(unsigned kept, uint64_t times)
{
	cr_expect_eq(keep.kept, kept, "%u kept", keep.kept);
	cr_expect_eq(keep.times, times, "%llu times",
		(unsigned long long)keep.times);
}

Test(keepalive, workers_are_inspected_after_a_second_with_a_queue)
{
	keepalive_note(&keep, 1, NOW);
	keepalive_note(&keep, 1, NOW + SECOND - 1);
	expect(0, 0);
	keepalive_note(&keep, 1, NOW + SECOND);
	expect(1, 1);
}

Test(keepalive, an_empty_queue_restarts_the_second)
{
	keepalive_note(&keep, 1, NOW);
	keepalive_note(&keep, 0, NOW + 10);
	keepalive_note(&keep, 1, NOW + 20);
	keepalive_note(&keep, 1, NOW + SECOND + 19);
	expect(0, 0);
	keepalive_note(&keep, 1, NOW + SECOND + 20);
	expect(1, 1);
}

Test(keepalive, workers_are_inspected_once_a_second)
{
	keepalive_note(&keep, 1, NOW);
	keepalive_note(&keep, 1, NOW + SECOND);
	set_worker(1, FCGIPM_KEPT, KEPT_SINCE);
	keepalive_note(&keep, 1, NOW + 2 * SECOND - 1);
	expect(1, 1);
	keepalive_note(&keep, 1, NOW + 2 * SECOND);
	expect(2, 1);
}

Test(keepalive, a_connection_idle_for_less_than_a_second_does_not_count)
{
	keepalive_note(&keep, 1, NOW - SECOND);
	set_worker(0, FCGIPM_KEPT, NOW - SECOND + 1);
	keepalive_note(&keep, 1, NOW);
	expect(0, 0);
	set_worker(0, FCGIPM_KEPT, NOW);
	keepalive_note(&keep, 1, NOW + SECOND);
	expect(1, 1);
}

Test(keepalive, only_workers_that_are_up_count)
{
	be(0, WORKER_RETIRING);
	keepalive_note(&keep, 1, NOW);
	keepalive_note(&keep, 1, NOW + SECOND);
	expect(0, 0);
}

Test(keepalive, workers_without_a_free_thread_are_counted_as_busy)
{
	keepalive_note(&keep, 1, NOW);
	cr_expect_eq(keep.busy, 0, "not inspected yet");
	keepalive_note(&keep, 1, NOW + SECOND);
	cr_expect_eq(keep.busy, WORKERS);
	be(0, WORKER_RETIRING);
	keepalive_note(&keep, 1, NOW + 2 * SECOND);
	cr_expect_eq(keep.busy, WORKERS - 1);
	keepalive_note(&keep, 0, NOW + 2 * SECOND + 1);
	cr_expect_eq(keep.busy, 0);
}

Test(keepalive, an_occurrence_is_counted_when_it_begins)
{
	keepalive_note(&keep, 1, NOW);
	keepalive_note(&keep, 1, NOW + SECOND);
	keepalive_note(&keep, 1, NOW + 2 * SECOND);
	expect(1, 1);
	keepalive_note(&keep, 0, NOW + 2 * SECOND + 1);
	expect(0, 1);
	keepalive_note(&keep, 1, NOW + 3 * SECOND);
	keepalive_note(&keep, 1, NOW + 4 * SECOND);
	expect(1, 2);
}

Test(keepalive, an_occurrence_is_logged_once_a_minute)
{
	int64_t now = NOW;

	keepalive_note(&keep, 1, now);
	keepalive_note(&keep, 1, now += SECOND);
	cr_expect_eq(keep.unlogged, 0, "the first occurrence is logged");
	keepalive_note(&keep, 0, now);
	keepalive_note(&keep, 1, now);
	keepalive_note(&keep, 1, now += SECOND);
	expect(1, 2);
	cr_expect_eq(keep.unlogged, 1, "the second is logged later");
	keepalive_note(&keep, 1, NOW + 60 * SECOND);
	cr_expect_eq(keep.unlogged, 1);
	keepalive_note(&keep, 1, NOW + 61 * SECOND);
	cr_expect_eq(keep.unlogged, 0);
	expect(1, 2);
}

/* Simulates an observation with open descriptors. */
static void
be_open(void)
{
	ms.v[0].observation.watch =
		(struct watch){.pid = getpid(), .taskfd = -1, .fdfd = -1};
}

static bool
is_open(void)
{
	return ms.v[0].observation.watch.pid != 0;
}

Test(keepalive, a_pool_without_a_timer_closes_the_descriptors_of_an_inspection)
{
	keepalive_init(&keep, &ms, true);
	keepalive_note(&keep, 1, NOW);
	be_open();
	keepalive_note(&keep, 0, NOW + 1);
	cr_expect(is_open(), "no worker was inspected");
	keepalive_note(&keep, 1, NOW);
	keepalive_note(&keep, 1, NOW + SECOND);
	be_open();
	keepalive_note(&keep, 0, NOW + SECOND + 1);
	cr_expect_not(is_open());
	be_open();
	keepalive_note(&keep, 0, NOW + SECOND + 2);
	cr_expect(is_open(), "only once");
}

Test(keepalive, a_pool_that_is_inspected_regularly_keeps_them)
{
	keepalive_note(&keep, 1, NOW);
	keepalive_note(&keep, 1, NOW + SECOND);
	be_open();
	keepalive_note(&keep, 0, NOW + SECOND + 1);
	cr_expect(is_open());
}
