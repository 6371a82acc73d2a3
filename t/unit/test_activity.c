/*
 * test_activity.c - decides a worker's state, one row for each combination of
 * what the board and the kernel show
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "observe/activity.h"
#include "observe/board.h"
#include "observe/kernel.h"

/* -- what the board may show ----------------------------------------------- */

#define SLOT(...) {.attached = true, .ours = true, __VA_ARGS__}

static const struct board_sample empty = {.owner = -1};
static const struct board_sample foreign = {.attached = true,
	.accepting = 1, .since_ms = 50};
static const struct board_sample incomplete =
	SLOT(.incomplete = true, .accepting = 1);
static const struct board_sample accepts =
	SLOT(.accepting = 1, .since_ms = 50);
static const struct board_sample accepts_2 =
	SLOT(.accepting = 2, .since_ms = 50);
static const struct board_sample works_on = SLOT(.since_ms = 50);
static const struct board_sample reading = SLOT(.open = 1, .running = 1,
	.state = FCGIPM_READING, .start_ms = 60, .since_ms = 50);
static const struct board_sample running = SLOT(.open = 1, .running = 1,
	.state = FCGIPM_BUSY, .start_ms = 60);
static const struct board_sample unnamed = SLOT(.open = 1, .since_ms = 50);
static const struct board_sample closing = SLOT(.open = 1,
	.state = FCGIPM_CLOSING, .since_ms = 70);
static const struct board_sample kept = SLOT(.open = 1, .state = FCGIPM_KEPT,
	.since_ms = 70);
/* Of four threads one runs, one accepts, two are unknown. */
static const struct board_sample one_of_4 = SLOT(.open = 1, .running = 1,
	.accepting = 1, .state = FCGIPM_BUSY, .start_ms = 60);
static const struct board_sample two_of_4 = SLOT(.open = 2, .running = 2,
	.accepting = 2, .state = FCGIPM_BUSY, .start_ms = 60);
static const struct board_sample five_of_4 = SLOT(.open = 5, .running = 5,
	.state = FCGIPM_BUSY, .start_ms = 60);
static const struct board_sample handler_idle =
	SLOT(.handler = true, .since_ms = 50);
static const struct board_sample handler_5_of_4 = SLOT(.handler = true,
	.open = 5, .running = 5, .state = FCGIPM_BUSY, .start_ms = 60);
static const struct board_sample handler_accepts =
	SLOT(.handler = true, .accepting = 1, .since_ms = 50);
static const struct board_sample handler_runs = SLOT(.handler = true,
	.open = 1, .running = 1, .state = FCGIPM_BUSY, .start_ms = 60);

/* -- what the kernel may show ---------------------------------------------- */

#define SEEN(state_, ...) {.state = KERNEL_##state_, .since_ms = 20,           \
	.reason = "what was seen", __VA_ARGS__}

static const struct kernel_sample k_accepts = SEEN(IDLE, .connections = -1,
	.may_hold = true, .tasks = 1, .accepting = 1);
static const struct kernel_sample k_idle = SEEN(IDLE, .tasks = 1,
	.accepting = 1);
static const struct kernel_sample k_polls = SEEN(IDLE, .tasks = 1,
	.polling = 1);
static const struct kernel_sample k_doubt = SEEN(IDLE, .tasks = 1,
	.accepting = 1, .may_hold = true, .err = EACCES);
static const struct kernel_sample k_idle_unseen = SEEN(IDLE, .tasks = 4,
	.err = EACCES);
static const struct kernel_sample k_holds = SEEN(BUSY, .tasks = 1,
	.connections = 1, .may_hold = true, .oldest_since_ms = 10);
static const struct kernel_sample k_reads = SEEN(BUSY, .tasks = 1,
	.connections = 1, .may_hold = true, .oldest_since_ms = 10,
	.reading = true);
static const struct kernel_sample k_works = SEEN(BUSY, .tasks = 1);
static const struct kernel_sample k_unknown = SEEN(UNKNOWN, .connections = -1,
	.may_hold = true, .err = EACCES);
static const struct kernel_sample k_accepts_unseen = SEEN(UNKNOWN,
	.connections = -1, .may_hold = true, .tasks = 4, .accepting = 1,
	.err = EACCES);
/* Four threads: one accepts, the others wait for its lock. */
static const struct kernel_sample k_mutex = SEEN(IDLE, .tasks = 4,
	.accepting = 1, .locking = 3);
static const struct kernel_sample k_mutex_1 = SEEN(BUSY, .tasks = 4,
	.connections = 1, .may_hold = true, .oldest_since_ms = 10,
	.accepting = 1, .locking = 2);
static const struct kernel_sample k_accepts_2 = SEEN(IDLE, .tasks = 2,
	.accepting = 2);
/* Two of them work after their answers. */
static const struct kernel_sample k_one_waits = SEEN(IDLE, .tasks = 4,
	.accepting = 1, .locking = 1);
static const struct kernel_sample k_5_polls = SEEN(BUSY, .tasks = 6,
	.connections = 5, .may_hold = true, .oldest_since_ms = 10,
	.polling = 1);
static const struct kernel_sample k_polls_1 = SEEN(BUSY, .tasks = 4,
	.connections = 1, .may_hold = true, .oldest_since_ms = 10,
	.polling = 1);
static const struct kernel_sample k_all_4 = SEEN(BUSY, .tasks = 4,
	.connections = 4, .may_hold = true, .oldest_since_ms = 10);

/* -- combinations ---------------------------------------------------------- */

enum { STARTS = 1, ACCEPTED = 2, SAMPLED = 4, FORKED = 8 };
#define REASON "what was seen"
#define NOT_YET "has not accepted a connection yet"

static const struct row {
	const char *why;
	const struct board_sample *slot;
	const struct kernel_sample *kernel;
	unsigned threads;
	unsigned flags;
	enum activity_state state;
	enum activity_tier tier;
	int64_t since_ms;
	unsigned free_places;
	bool may_hold;
	const char *reason;
} rows[] = {
#define NONE ACTIVITY_TIER_NONE
#define KERNEL ACTIVITY_TIER_KERNEL
#define HANDLER ACTIVITY_TIER_HANDLER
#define SHIM ACTIVITY_TIER_SHIM
	/* Nothing was observed. */
	{"nothing, before it was ready", NULL, NULL, 1, STARTS,
		ACTIVITY_STARTING, KERNEL, 0, 0, true, NOT_YET},
	{"nothing, after it was ready", NULL, NULL, 1, ACCEPTED,
		ACTIVITY_UNKNOWN, KERNEL, 0, 0, true, "not observed"},
	{"an empty slot", &empty, NULL, 1, STARTS, ACTIVITY_STARTING, KERNEL,
		0, 0, true, NOT_YET},
	{"a slot of another process", &foreign, NULL, 1, STARTS,
		ACTIVITY_STARTING, KERNEL, 0, 0, true, NOT_YET},
	{"its child processes have slots", &empty, NULL, 1, ACCEPTED | FORKED,
		ACTIVITY_UNKNOWN, SHIM, 0, 0, true, "not observed"},
	{"an incomplete slot, has accepted", &incomplete, NULL, 1, STARTS,
		ACTIVITY_UNKNOWN, SHIM, 0, 0, true, "not observed"},

	/* The slot alone. */
	{"accepts", &accepts, NULL, 1, ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 1,
		false, NULL},
	{"accepts, so it is ready", &accepts, NULL, 1, STARTS, ACTIVITY_IDLE,
		SHIM, 50, 1, false, NULL},
	{"two threads accept", &accepts_2, NULL, 2, ACCEPTED, ACTIVITY_IDLE,
		SHIM, 50, 2, false, NULL},
	{"works on, not inspected", &works_on, NULL, 1, ACCEPTED,
		ACTIVITY_FINISHING, SHIM, 50, 0, false, NULL},
	{"reads a request", &reading, NULL, 1, ACCEPTED, ACTIVITY_READING,
		SHIM, 60, 0, true, NULL},
	{"runs a request", &running, NULL, 1, ACCEPTED, ACTIVITY_RUNNING, SHIM,
		60, 0, true, NULL},
	{"a connection without a cell", &unnamed, NULL, 1, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 50, 0, true, NULL},
	{"closes", &closing, NULL, 1, ACCEPTED, ACTIVITY_FINISHING, SHIM, 70,
		0, true, NULL},
	{"has an idle connection", &kept, NULL, 1, ACCEPTED, ACTIVITY_KEPT,
		SHIM, 70, 0, true, NULL},
	{"more connections than threads", &five_of_4, NULL, 4, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 60, 0, true, NULL},
	{"two run, two accept", &two_of_4, NULL, 4, ACCEPTED, ACTIVITY_RUNNING,
		SHIM, 60, 2, true, NULL},
	{"an idle handler", &handler_idle, NULL, 1, ACCEPTED, ACTIVITY_IDLE,
		HANDLER, 50, 1, false, NULL},
	{"a handler that runs one of two", &handler_runs, NULL, 2, ACCEPTED,
		ACTIVITY_RUNNING, HANDLER, 60, 1, true, NULL},

	{"a handler with more connections than threads", &handler_5_of_4, NULL,
		4, ACCEPTED, ACTIVITY_RUNNING, HANDLER, 60, 0, true, NULL},

	/* Both. */
	{"works on, the kernel shows the same", &works_on, &k_works, 1,
		ACCEPTED, ACTIVITY_FINISHING, SHIM, 0, 0, false, NULL},
	{"the kernel shows that it polls", &works_on, &k_polls, 1,
		ACCEPTED | SAMPLED, ACTIVITY_IDLE, SHIM, 20, 1, false, NULL},
	{"it polls, and has called accept before", &works_on, &k_polls, 1,
		STARTS, ACTIVITY_IDLE, SHIM, 0, 1, false, NULL},
	{"the same with an incomplete slot", &incomplete, &k_polls, 1, STARTS,
		ACTIVITY_IDLE, SHIM, 0, 1, false, NULL},
	{"one runs, the others are unknown", &running, &k_unknown, 4,
		ACCEPTED, ACTIVITY_RUNNING, SHIM, 60, 4 - 1, true, NULL},
	{"the end of a connection was not reported", &running, &k_polls, 4,
		ACCEPTED, ACTIVITY_IDLE, SHIM, 0, 4, false, NULL},
	{"unknown, so the time is unknown", &works_on, &k_unknown, 1,
		ACCEPTED | SAMPLED, ACTIVITY_UNKNOWN, SHIM, 0, 0, true, REASON},
	{"the kernel shows nothing", &works_on, &k_unknown, 1, ACCEPTED,
		ACTIVITY_UNKNOWN, SHIM, 0, 0, true, REASON},
	{"the slot misses a connection", &incomplete, &k_holds, 1, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 10, 0, true, NULL},
	{"the slot of another process is not used", &foreign, &k_holds, 1,
		ACCEPTED, ACTIVITY_RUNNING, KERNEL, 10, 0, true, NULL},
	{"the slot shows more than the kernel", &kept, &k_reads, 1, ACCEPTED,
		ACTIVITY_KEPT, SHIM, 70, 0, true, NULL},
	{"one thread accepts, three wait for its lock", &accepts, &k_mutex, 4,
		ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 4, false, NULL},
	{"one runs, one accepts, two wait", &one_of_4, &k_mutex_1, 4, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 60, 3, true, NULL},
	{"the slot has not counted a thread", &accepts, &k_accepts_2, 2,
		ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 2, false, NULL},
	{"two work on after their answers", &accepts, &k_one_waits, 4, ACCEPTED,
		ACTIVITY_IDLE, SHIM, 50, 2, false, NULL},
	{"its other threads are unknown", &accepts, &k_unknown, 4, ACCEPTED,
		ACTIVITY_IDLE, SHIM, 50, 4, false, NULL},
	{"the system calls of the others are unknown", &accepts, &k_idle_unseen,
		4, ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 4, false, NULL},
	{"two accept by the slot, one of the others waits", &accepts_2,
		&k_one_waits, 4, ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 3, false,
		NULL},
	{"its other threads were not inspected", &accepts, NULL, 4, ACCEPTED,
		ACTIVITY_IDLE, SHIM, 50, 4, false, NULL},
	{"one runs, the others poll", &running, &k_polls_1, 4, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 60, 3, true, NULL},
	{"one runs, the others work on", &running, &k_holds, 4, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 60, 0, true, NULL},

	/* The kernel alone. */
	{"accepts", NULL, &k_accepts, 1, ACCEPTED | SAMPLED, ACTIVITY_IDLE,
		KERNEL, 20, 1, true, NULL},
	{"accepts, so it is ready", NULL, &k_accepts, 1, STARTS,
		ACTIVITY_IDLE, KERNEL, 0, 1, true, NULL},
	{"accepts, its sockets were read", NULL, &k_idle, 1, ACCEPTED,
		ACTIVITY_IDLE, KERNEL, 0, 1, false, NULL},
	{"accepts, its sockets are unknown", NULL, &k_doubt, 1, ACCEPTED,
		ACTIVITY_IDLE, KERNEL, 0, 1, true, REASON},
	{"polls before it was ready", NULL, &k_polls, 1, STARTS,
		ACTIVITY_STARTING, KERNEL, 0, 0, false, NOT_YET},
	{"polls", NULL, &k_polls, 1, 0, ACTIVITY_IDLE, KERNEL, 0, 1, false,
		NULL},
	{"has a connection", NULL, &k_holds, 1, ACCEPTED, ACTIVITY_RUNNING,
		KERNEL, 10, 0, true, NULL},
	{"has one before it was ready", NULL, &k_holds, 1, STARTS,
		ACTIVITY_RUNNING, KERNEL, 10, 0, true, NULL},
	{"reads from a connection", NULL, &k_reads, 1, ACCEPTED,
		ACTIVITY_READING, KERNEL, 10, 0, true, NULL},
	{"works on after its answer", NULL, &k_works, 1, ACCEPTED,
		ACTIVITY_FINISHING, KERNEL, 0, 0, false, NULL},
	{"has never accepted", NULL, &k_works, 1, 0, ACTIVITY_STARTING,
		KERNEL, 0, 0, false, NOT_YET},
	{"cannot be inspected", NULL, &k_unknown, 1, ACCEPTED,
		ACTIVITY_UNKNOWN, NONE, 0, 0, true, REASON},
	{"cannot be inspected yet", NULL, &k_unknown, 1, STARTS,
		ACTIVITY_STARTING, NONE, 0, 0, true, NOT_YET},
	{"accepts, its sockets cannot be read", NULL, &k_accepts_unseen, 4,
		STARTS, ACTIVITY_UNKNOWN, NONE, 0, 0, true, REASON},
	{"four threads, one lock", NULL, &k_mutex, 4, ACCEPTED, ACTIVITY_IDLE,
		KERNEL, 0, 4, false, NULL},
	{"four threads, one lock, one runs", NULL, &k_mutex_1, 4, ACCEPTED,
		ACTIVITY_RUNNING, KERNEL, 10, 3, true, NULL},
	{"one polls, one runs", NULL, &k_polls_1, 4, ACCEPTED,
		ACTIVITY_RUNNING, KERNEL, 10, 3, true, NULL},
	{"five connections of four threads", NULL, &k_5_polls, 4, ACCEPTED,
		ACTIVITY_RUNNING, KERNEL, 10, 0, true, NULL},
	{"all four run", NULL, &k_all_4, 4, ACCEPTED, ACTIVITY_RUNNING, KERNEL,
		10, 0, true, NULL},
};

Test(activity, board_and_kernel_decide_together)
{
	const struct row *r;

	for (r = rows; r < rows + sizeof(rows) / sizeof(rows[0]); r++) {
		const struct activity_input in = {
			.slot = r->slot,
			.kernel = r->kernel,
			.threads = r->threads,
			.descendants = r->flags & FORKED ? 1 : 0,
			.is_starting = r->flags & STARTS,
			.has_accepted = r->flags & ACCEPTED,
			.is_sampled = r->flags & SAMPLED,
		};
		struct activity a = activity_of(&in);

		cr_expect_eq(a.state, r->state, "%s: is %s, not %s", r->why,
			activity_state_name(a.state),
			activity_state_name(r->state));
		cr_expect_eq(a.tier, r->tier, "%s: tier %s", r->why,
			activity_tier_name(a.tier));
		cr_expect_eq(a.since_ms, r->since_ms, "%s: since %lld", r->why,
			(long long)a.since_ms);
		cr_expect_eq(a.free_places, r->free_places, "%s: %u free",
			r->why, a.free_places);
		cr_expect_eq(a.may_hold, r->may_hold, "%s: may_hold", r->why);
		cr_expect_eq(!a.reason, !r->reason, "%s: reason", r->why);
		if (a.reason && r->reason)
			cr_expect_str_eq(a.reason, r->reason, "%s", r->why);
	}
}

Test(activity, the_kernel_is_needed_where_the_slot_is_not_sufficient)
{
	static const struct {
		const char *why;
		const struct board_sample *slot;
		unsigned threads;
		bool needed;
	} cases[] = {
		{"no board", NULL, 1, true},
		{"no process yet", &empty, 1, true},
		{"another process", &foreign, 1, true},
		{"missing connections", &incomplete, 1, true},
		{"accepts", &accepts, 1, false},
		{"both threads accept", &accepts_2, 2, false},
		{"neither accepts nor serves", &works_on, 1, true},
		{"serves with its one thread", &running, 1, false},
		{"serves with one of two", &running, 2, true},
		{"one accepts, the others are unknown", &accepts, 4, true},
		{"one serves, one accepts, two are unknown", &one_of_4, 4,
			true},
		{"two serve, two accept", &two_of_4, 4, false},
		{"all serve", &five_of_4, 4, false},
		{"a handler", &handler_idle, 4, false},
		{"a handler that reports accepting", &handler_accepts, 4,
			false},
		{"a handler that serves", &handler_runs, 4, false},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(activity_needs_kernel(cases[i].slot,
			cases[i].threads), cases[i].needed, "%s",
			cases[i].why);
}

/* Only workers that were ready are retired. */
Test(activity, a_worker_to_retire_is_judged_by_the_kernel_alone)
{
	struct activity a = activity_by_kernel(&k_works, 1);

	cr_expect_eq(a.state, ACTIVITY_FINISHING);
	cr_expect_eq(a.tier, ACTIVITY_TIER_KERNEL);
	cr_expect_not(a.may_hold);
	a = activity_by_kernel(&k_doubt, 1);
	cr_expect_eq(a.state, ACTIVITY_IDLE);
	cr_expect(a.may_hold);
	a = activity_by_kernel(&k_mutex_1, 4);
	cr_expect_eq(a.state, ACTIVITY_RUNNING);
	cr_expect_eq(a.free_places, 3);
}

/* These reasons say what the error number says. */
Test(activity, an_error_number_is_left_out_where_the_reason_says_it)
{
	static const struct {
		int err, shown;
	} cases[] = {{EACCES, EACCES}, {E2BIG, 0}, {ESRCH, 0}, {0, 0}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kernel_sample k = k_unknown;

		k.err = cases[i].err;
		cr_expect_eq(activity_by_kernel(&k, 1).err, cases[i].shown,
			"%d", cases[i].err);
	}
}

Test(activity, state_and_tier_names)
{
	cr_expect_str_eq(activity_state_name(ACTIVITY_UNKNOWN), "Unknown");
	cr_expect_str_eq(activity_state_name(ACTIVITY_STARTING), "Starting");
	cr_expect_str_eq(activity_state_name(ACTIVITY_IDLE), "Idle");
	cr_expect_str_eq(activity_state_name(ACTIVITY_READING), "Reading");
	cr_expect_str_eq(activity_state_name(ACTIVITY_RUNNING), "Running");
	cr_expect_str_eq(activity_state_name(ACTIVITY_KEPT), "Kept");
	cr_expect_str_eq(activity_state_name(ACTIVITY_FINISHING), "Finishing");
	cr_expect_str_eq(activity_tier_name(ACTIVITY_TIER_NONE), "none");
	cr_expect_str_eq(activity_tier_name(ACTIVITY_TIER_KERNEL), "kernel");
	cr_expect_str_eq(activity_tier_name(ACTIVITY_TIER_HANDLER), "handler");
	cr_expect_str_eq(activity_tier_name(ACTIVITY_TIER_SHIM), "shim");
}
