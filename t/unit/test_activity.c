/*
 * test_activity.c - what a worker does, one row for each combination of what
 * the board and the kernel say
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "observe/activity.h"
#include "observe/board.h"
#include "observe/kernel.h"

/* -- what the board may say ------------------------------------------------ */

#define SLOT(...) {.attached = true, .ours = true, __VA_ARGS__}

static const struct board_sample empty = {.owner = -1};
static const struct board_sample foreign = {.attached = true,
	.accepting = 1, .since_ms = 50};
static const struct board_sample blind = SLOT(.incomplete = true, .accepting = 1);
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
/* Of four threads one runs; one accepts, two are not seen. */
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
/* Two of them are at work after their answers. */
static const struct kernel_sample k_behind = SEEN(IDLE, .tasks = 4,
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
	{"nothing, once it was ready", NULL, NULL, 1, ACCEPTED,
		ACTIVITY_UNKNOWN, KERNEL, 0, 0, true, "not observed"},
	{"an empty slot", &empty, NULL, 1, STARTS, ACTIVITY_STARTING, KERNEL,
		0, 0, true, NOT_YET},
	{"a slot of somebody else", &foreign, NULL, 1, STARTS,
		ACTIVITY_STARTING, KERNEL, 0, 0, true, NOT_YET},
	{"its children write", &empty, NULL, 1, ACCEPTED | FORKED,
		ACTIVITY_UNKNOWN, SHIM, 0, 0, true, "not observed"},
	{"a slot that does not see all, has accepted", &blind, NULL, 1, STARTS,
		ACTIVITY_UNKNOWN, SHIM, 0, 0, true, "not observed"},

	/* The slot alone. */
	{"accepts", &accepts, NULL, 1, ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 1,
		false, NULL},
	{"accepts, is ready by that", &accepts, NULL, 1, STARTS, ACTIVITY_IDLE,
		SHIM, 50, 1, false, NULL},
	{"two threads accept", &accepts_2, NULL, 2, ACCEPTED, ACTIVITY_IDLE,
		SHIM, 50, 2, false, NULL},
	{"works on, not looked at", &works_on, NULL, 1, ACCEPTED,
		ACTIVITY_FINISHING, SHIM, 50, 0, false, NULL},
	{"reads a request", &reading, NULL, 1, ACCEPTED, ACTIVITY_READING,
		SHIM, 60, 0, true, NULL},
	{"runs a request", &running, NULL, 1, ACCEPTED, ACTIVITY_RUNNING, SHIM,
		60, 0, true, NULL},
	{"a connection without a cell", &unnamed, NULL, 1, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 50, 0, true, NULL},
	{"closes", &closing, NULL, 1, ACCEPTED, ACTIVITY_FINISHING, SHIM, 70,
		0, true, NULL},
	{"keeps a connection", &kept, NULL, 1, ACCEPTED, ACTIVITY_KEPT, SHIM,
		70, 0, true, NULL},
	{"more connections than threads", &five_of_4, NULL, 4, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 60, 0, true, NULL},
	{"two run, two accept", &two_of_4, NULL, 4, ACCEPTED, ACTIVITY_RUNNING,
		SHIM, 60, 2, true, NULL},
	{"a handler at rest", &handler_idle, NULL, 1, ACCEPTED, ACTIVITY_IDLE,
		HANDLER, 50, 1, false, NULL},
	{"a handler that runs one of two", &handler_runs, NULL, 2, ACCEPTED,
		ACTIVITY_RUNNING, HANDLER, 60, 1, true, NULL},

	{"a handler with more connections than threads", &handler_5_of_4, NULL,
		4, ACCEPTED, ACTIVITY_RUNNING, HANDLER, 60, 0, true, NULL},

	/* Both. */
	{"works on, and the kernel says so", &works_on, &k_works, 1, ACCEPTED,
		ACTIVITY_FINISHING, SHIM, 0, 0, false, NULL},
	{"the kernel sees it poll", &works_on, &k_polls, 1,
		ACCEPTED | SAMPLED, ACTIVITY_IDLE, SHIM, 20, 1, false, NULL},
	{"it polls, and has come to accept before", &works_on, &k_polls, 1,
		STARTS, ACTIVITY_IDLE, SHIM, 0, 1, false, NULL},
	{"the same, seen in part by its slot", &blind, &k_polls, 1, STARTS,
		ACTIVITY_IDLE, SHIM, 0, 1, false, NULL},
	{"one runs, the others cannot be seen", &running, &k_unknown, 4,
		ACCEPTED, ACTIVITY_RUNNING, SHIM, 60, 4 - 1, true, NULL},
	{"a connection that ended without the slot", &running, &k_polls, 4,
		ACCEPTED, ACTIVITY_IDLE, SHIM, 0, 4, false, NULL},
	{"unknown since nobody knows when", &works_on, &k_unknown, 1,
		ACCEPTED | SAMPLED, ACTIVITY_UNKNOWN, SHIM, 0, 0, true, REASON},
	{"the kernel may not be asked", &works_on, &k_unknown, 1, ACCEPTED,
		ACTIVITY_UNKNOWN, SHIM, 0, 0, true, REASON},
	{"the slot does not see a connection", &blind, &k_holds, 1, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 10, 0, true, NULL},
	{"the slot of somebody else is not believed", &foreign, &k_holds, 1,
		ACCEPTED, ACTIVITY_RUNNING, KERNEL, 10, 0, true, NULL},
	{"the slot says more than the kernel", &kept, &k_reads, 1, ACCEPTED,
		ACTIVITY_KEPT, SHIM, 70, 0, true, NULL},
	{"one thread accepts, three wait for its lock", &accepts, &k_mutex, 4,
		ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 4, false, NULL},
	{"one runs, one accepts, two wait", &one_of_4, &k_mutex_1, 4, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 60, 3, true, NULL},
	{"a thread that the slot has not counted", &accepts, &k_accepts_2, 2,
		ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 2, false, NULL},
	{"two work on after their answers", &accepts, &k_behind, 4, ACCEPTED,
		ACTIVITY_IDLE, SHIM, 50, 2, false, NULL},
	{"its other threads cannot be seen", &accepts, &k_unknown, 4, ACCEPTED,
		ACTIVITY_IDLE, SHIM, 50, 4, false, NULL},
	{"what its other threads do cannot be seen", &accepts, &k_idle_unseen,
		4, ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 4, false, NULL},
	{"two accept by the slot, and of the others one waits", &accepts_2,
		&k_behind, 4, ACCEPTED, ACTIVITY_IDLE, SHIM, 50, 3, false,
		NULL},
	{"its other threads were not looked at", &accepts, NULL, 4, ACCEPTED,
		ACTIVITY_IDLE, SHIM, 50, 4, false, NULL},
	{"one runs, the others poll", &running, &k_polls_1, 4, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 60, 3, true, NULL},
	{"one runs, the others work on", &running, &k_holds, 4, ACCEPTED,
		ACTIVITY_RUNNING, SHIM, 60, 0, true, NULL},

	/* The kernel alone. */
	{"accepts", NULL, &k_accepts, 1, ACCEPTED | SAMPLED, ACTIVITY_IDLE,
		KERNEL, 20, 1, true, NULL},
	{"accepts, is ready by that", NULL, &k_accepts, 1, STARTS,
		ACTIVITY_IDLE, KERNEL, 0, 1, true, NULL},
	{"accepts, looked at closely", NULL, &k_idle, 1, ACCEPTED,
		ACTIVITY_IDLE, KERNEL, 0, 1, false, NULL},
	{"accepts, its sockets are in doubt", NULL, &k_doubt, 1, ACCEPTED,
		ACTIVITY_IDLE, KERNEL, 0, 1, true, REASON},
	{"polls before it was ready", NULL, &k_polls, 1, STARTS,
		ACTIVITY_STARTING, KERNEL, 0, 0, false, NOT_YET},
	{"polls", NULL, &k_polls, 1, 0, ACTIVITY_IDLE, KERNEL, 0, 1, false,
		NULL},
	{"holds a connection", NULL, &k_holds, 1, ACCEPTED, ACTIVITY_RUNNING,
		KERNEL, 10, 0, true, NULL},
	{"holds one before it was ready", NULL, &k_holds, 1, STARTS,
		ACTIVITY_RUNNING, KERNEL, 10, 0, true, NULL},
	{"reads from a connection", NULL, &k_reads, 1, ACCEPTED,
		ACTIVITY_READING, KERNEL, 10, 0, true, NULL},
	{"works on after its answer", NULL, &k_works, 1, ACCEPTED,
		ACTIVITY_FINISHING, KERNEL, 0, 0, false, NULL},
	{"has never accepted", NULL, &k_works, 1, 0, ACTIVITY_STARTING,
		KERNEL, 0, 0, false, NOT_YET},
	{"may not be looked at", NULL, &k_unknown, 1, ACCEPTED,
		ACTIVITY_UNKNOWN, NONE, 0, 0, true, REASON},
	{"may not be looked at yet", NULL, &k_unknown, 1, STARTS,
		ACTIVITY_STARTING, NONE, 0, 0, true, NOT_YET},
	{"is seen to accept, its sockets are not", NULL, &k_accepts_unseen, 4,
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

Test(activity, one_row_for_each_combination)
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

Test(activity, the_kernel_is_asked_where_the_slot_leaves_something_open)
{
	static const struct {
		const char *why;
		const struct board_sample *slot;
		unsigned threads;
		bool needed;
	} cases[] = {
		{"no board", NULL, 1, true},
		{"no process yet", &empty, 1, true},
		{"somebody else's", &foreign, 1, true},
		{"unseen connections", &blind, 1, true},
		{"accepts", &accepts, 1, false},
		{"both threads accept", &accepts_2, 2, false},
		{"neither accepts nor serves", &works_on, 1, true},
		{"serves with its one thread", &running, 1, false},
		{"serves with one of two", &running, 2, true},
		{"one accepts, others hide", &accepts, 4, true},
		{"one serves, one accepts, two hide", &one_of_4, 4, true},
		{"two serve, two accept", &two_of_4, 4, false},
		{"all serve", &five_of_4, 4, false},
		{"a handler", &handler_idle, 4, false},
		{"a handler that says that it accepts", &handler_accepts, 4,
			false},
		{"a handler that serves", &handler_runs, 4, false},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(activity_needs_kernel(cases[i].slot,
			cases[i].threads), cases[i].needed, "%s",
			cases[i].why);
}

/* It was ready, or nobody would stop it. */
Test(activity, one_that_is_to_leave_is_judged_by_the_kernel_alone)
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

Test(activity, names_are_those_of_the_status)
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
