/*
 * test_members.c - the worker slots of a pool, and the number of workers in
 * each state
 *
 * Workers are started as in a pool, with a program that only sleeps.  The loop
 * does not run; the test calls its callbacks.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/members.h"
#include "slots.h"

#define SLOTS 3

static struct loop *loop;
static struct sockdiag diag = {.fd = -1};
static struct conf_pool conf = {.name = (char *)"www",
	.mode = CONF_MODE_PREFORK, .threads = 1};
static struct members ms;

static bool
is_up(struct worker *w, bool unseen)
{
	(void)w;
	(void)unseen;
	return true;
}

static void
on_up(struct worker *w)
{
	(void)w;
}

static void
on_dead(struct worker *w, enum worker_state before, const char *story,
	bool failed)
{
	(void)w;
	(void)before;
	(void)story;
	(void)failed;
}

static const struct worker_ops ops = {
	.is_up = is_up, .on_up = on_up, .on_dead = on_dead};

static void
set_up(void)
{
	loop = loop_new();
	cr_assert_not_null(loop);
	cr_assert_eq(kernel_init(&ms.kernel, &diag, NULL, 0, getuid(),
		getgid()), 0);
	ms.board = board_new(SLOTS, 1, 1);
	cr_assert_not_null(ms.board);
	members_open(&ms, loop, &conf, SLOTS, &ops, NULL);
}

static void
tear_down(void)
{
	members_close(&ms);
	loop_free(&loop);
}

TestSuite(members, .init = set_up, .fini = tear_down, .timeout = 30);

static void
start(struct pool_member *m)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	static char *const env[] = {NULL};
	static const int fds[] = {0, 1, 2};
	static const struct spawn_spec spec = {.path = "/bin/sleep",
		.execfd = -1, .argv = (char *const *)argv, .envp = env,
		.fds = fds, .nfds = 3, .cwd = "/", .cwdfd = -1,
		.new_session = true, .lasting = true};

	members_prepare(&ms, m);
	cr_assert_eq(worker_start(&m->worker, &spec), 0);
	members_begin(&ms, m, 77);
}

static void
become_up(struct pool_member *m)
{
	struct worker *w = &m->worker;

	if (w->state == WORKER_DEAD)
		start(m);
	while (!worker_has_executed(w))
		usleep(1000);
	w->ready_timer.on_timer(&w->ready_timer);
	cr_assert_eq(w->state, WORKER_UP);
}

static void
die(struct pool_member *m)
{
	struct worker *w = &m->worker;
	siginfo_t si;

	worker_kill(w);
	cr_assert_eq(waitid(P_PIDFD, (id_t)w->pidfd, &si, WEXITED), 0);
	w->child.on_exit(&w->child, si.si_code, si.si_status);
	cr_assert_eq(w->state, WORKER_DEAD);
	members_end(&ms, m);
}

static void
expect_counts(unsigned starting, unsigned up, unsigned retiring)
{
	cr_expect_eq(members_starting(&ms), starting);
	cr_expect_eq(members_up(&ms), up);
	cr_expect_eq(members_retiring(&ms), retiring);
	cr_expect_eq(members_alive(&ms), starting + up + retiring);
	cr_expect_eq(ms.counts.of[WORKER_DEAD],
		SLOTS - starting - up - retiring);
}

/* -- counts ---------------------------------------------------------------- */

Test(members, a_worker_is_counted_in_one_state_at_a_time)
{
	expect_counts(0, 0, 0);
	start(&ms.v[1]);
	expect_counts(1, 0, 0);
	become_up(&ms.v[1]);
	expect_counts(0, 1, 0);
	become_up(&ms.v[0]);
	expect_counts(0, 2, 0);
	worker_expect_exit(&ms.v[1].worker);
	expect_counts(0, 1, 1);
	worker_kill(&ms.v[0].worker);
	expect_counts(0, 0, 2);
	die(&ms.v[1]);
	expect_counts(0, 0, 1);
	die(&ms.v[0]);
	expect_counts(0, 0, 0);
}

/* Written by another function than the one that changes states. */
#if CHECKED_BUILD
Test(members, a_wrong_count_aborts, .signal = SIGABRT)
{
	become_up(&ms.v[0]);
	ms.counts.of[WORKER_STARTING]++;
	worker_kill(&ms.v[0].worker);
}

Test(members, a_state_that_was_not_counted_aborts, .signal = SIGABRT)
{
	become_up(&ms.v[0]);
	ms.v[1].worker.state = WORKER_RETIRING;
	worker_kill(&ms.v[0].worker);
}
#endif

Test(members, a_worker_that_was_never_counted_aborts, .signal = SIGABRT)
{
	ms.v[0].worker.state = WORKER_UP;
	worker_expect_exit(&ms.v[0].worker);
}

Test(members, a_worker_that_joins_twice_aborts, .signal = SIGABRT)
{
	worker_join(&ms.v[0].worker, &ms.counts);
}

/* Its replacement starts before the worker has exited, or after it. */
Test(members, workers_that_are_recycled_are_counted)
{
	static const struct {
		enum retire_cause cause;
		unsigned replaced;
	} cases[] = {
		{RETIRE_IDLE, 0}, {RETIRE_REQUESTS, 1}, {RETIRE_AGE, 1},
		{RETIRE_MEMORY, 1}, {RETIRE_TIMEOUT, 0}, {RETIRE_RELOAD, 1},
		{RETIRE_OPERATOR, 1}, {RETIRE_LISTENER, 1},
	};
	struct pool_member *m = &ms.v[0];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		become_up(m);
		retire_at_once(&m->retire, cases[i].cause);
		cr_expect_eq(ms.replaced, cases[i].replaced, "%s",
			retire_cause_name(cases[i].cause));
		retire_end(&m->retire);
		cr_expect_eq(ms.replaced, 0);
		die(m);
	}
}

/* -- slots ----------------------------------------------------------------- */

Test(members, a_slot_is_free_before_its_worker_starts_and_after_it_died)
{
	cr_expect_eq(members_find_free(&ms, ms.v), &ms.v[0]);
	start(&ms.v[0]);
	cr_expect_eq(members_find_free(&ms, ms.v), &ms.v[1]);
	start(&ms.v[1]);
	start(&ms.v[2]);
	cr_expect_null(members_find_free(&ms, ms.v));
	die(&ms.v[1]);
	cr_expect_eq(members_find_free(&ms, ms.v), &ms.v[1]);
	cr_expect_null(members_find_free(&ms, &ms.v[2]));
	die(&ms.v[0]);
	die(&ms.v[2]);
}

Test(members, a_new_worker_has_no_state_of_the_previous_one)
{
	struct pool_member *m = &ms.v[0];

	become_up(m);
	m->idle = m->due = true;
	m->weigh_ms = 1;
	m->observation.accepted = true;
	die(m);
	start(m);
	cr_expect_not(m->idle);
	cr_expect_not(m->due);
	cr_expect_eq(m->weigh_ms, 0);
	cr_expect_not(m->observation.accepted);
	cr_expect_eq(m->observation.pid, m->worker.pid);
	cr_expect_eq(m->listener, 77);
	die(m);
}

Test(members, ending_a_live_worker_aborts, .signal = SIGABRT)
{
	start(&ms.v[0]);
	members_end(&ms, &ms.v[0]);
}

Test(members, beginning_a_dead_worker_aborts, .signal = SIGABRT)
{
	members_begin(&ms, &ms.v[0], 77);
}

Test(members, closing_a_pool_with_a_live_worker_aborts, .signal = SIGABRT)
{
	start(&ms.v[0]);
	members_close(&ms);
}

/* -- the board ------------------------------------------------------------- */

Test(members, the_slot_of_a_dead_worker_is_empty)
{
	struct pool_member *m = &ms.v[1];
	struct board_sample slot;

	cr_expect_not(members_read_slot(&ms, m, &slot));
	cr_expect_eq(slot.owner, -1);
	start(m);
	(void)slots_accept(ms.board, m->worker.slot, m->worker.pid);
	cr_expect(members_read_slot(&ms, m, &slot));
	cr_expect(slot.ours);
	cr_expect_eq(slot.accepting, 1);
	cr_expect_eq(board_idle(ms.board), 1);
	die(m);
	cr_expect_not(members_read_slot(&ms, m, &slot));
	cr_expect_eq(board_idle(ms.board), 0, "no thread of a dead worker");
}

Test(members, a_slot_written_by_another_process_is_detected)
{
	struct pool_member *m = &ms.v[0];
	struct board_sample slot;

	start(m);
	(void)slots_accept(ms.board, m->worker.slot, getpid());
	cr_expect(members_read_slot(&ms, m, &slot));
	cr_expect_not(slot.ours);
	die(m);
}

/* -- activity -------------------------------------------------------------- */

static enum activity_state
state_of(struct pool_member *m, enum members_inspection how)
{
	struct board_sample slot;

	(void)members_read_slot(&ms, m, &slot);
	return members_activity(&ms, m, &slot, 0, how, now_ms()).state;
}

/* It sleeps and does not accept: it is starting unless it has accepted
 * before. */
Test(members, a_worker_that_has_accepted_before_is_not_starting)
{
	struct pool_member *m = &ms.v[0];

	become_up(m);
	m->worker.was_ready = false;
	cr_expect_eq(state_of(m, MEMBERS_INSPECT), ACTIVITY_STARTING);
	m->worker.was_ready = true;
	cr_expect_eq(state_of(m, MEMBERS_INSPECT), ACTIVITY_FINISHING);
	m->worker.was_ready = false;
	m->observation.accepted = true;
	cr_expect_eq(state_of(m, MEMBERS_INSPECT), ACTIVITY_FINISHING);
	m->observation.accepted = false;
	slots_accept(ms.board, 0, m->worker.pid)->accepting = 0;
	cr_expect_eq(state_of(m, MEMBERS_INSPECT), ACTIVITY_FINISHING);
	die(m);
}

Test(members, the_kernel_is_asked_if_wanted_and_needed)
{
	struct pool_member *m = &ms.v[0];
	struct fcgipm_slot *slot;

	become_up(m);
	m->worker.was_ready = true;
	cr_expect_eq(state_of(m, MEMBERS_BOARD_ONLY), ACTIVITY_UNKNOWN);
	cr_expect_eq(m->observation.sample.tasks, 0, "not asked");
	cr_expect_eq(state_of(m, MEMBERS_CHECK_ONCE), ACTIVITY_FINISHING);
	cr_expect_eq(m->observation.sample.tasks, 1);
	cr_expect_eq(m->observation.watch.pid, 0, "no descriptor stays open");
	cr_expect_eq(state_of(m, MEMBERS_CHECK), ACTIVITY_FINISHING);
	cr_expect_eq(m->observation.watch.pid, m->worker.pid);
	m->observation.sample.tasks = 0;
	slot = slots_accept(ms.board, 0, m->worker.pid);
	cr_expect_eq(state_of(m, MEMBERS_INSPECT), ACTIVITY_IDLE);
	cr_expect_eq(m->observation.sample.tasks, 0, "the slot shows it");
	cr_expect_eq(m->observation.watch.pid, 0, "no descriptor stays open");
	slot->accepting = 0;
	cr_expect_eq(state_of(m, MEMBERS_INSPECT), ACTIVITY_FINISHING);
	cr_expect_eq(m->observation.sample.tasks, 1);
	die(m);
}

Test(members, rest_closes_the_descriptors)
{
	struct pool_member *m = &ms.v[0];

	become_up(m);
	m->worker.was_ready = true;
	cr_expect_eq(state_of(m, MEMBERS_INSPECT), ACTIVITY_FINISHING);
	cr_expect_neq(m->observation.watch.pid, 0);
	members_rest(&ms);
	cr_expect_eq(m->observation.watch.pid, 0);
	die(m);
}
