/*
 * test_policy_due.c - tests how the policy replaces workers that are due to
 * retire
 */
#include <limits.h>

#include "views.h"

Test(policy, a_due_worker_retires_when_its_replacement_is_ready)
{
	struct policy_memory m = begun(view(0, 4, 0, 4));
	struct policy_view v = view(0, 4, 0, 4);
	struct policy_decision d;

	v.limits.max_retiring = 1;
	v.due = 3;
	d = decide(&m, v);
	cr_expect_eq(d.start, 1);
	cr_expect_eq(d.in_advance, 1);
	cr_expect_eq(d.retire_due, 0);
	v.starting = 1;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.retire_due, 0);
	v.starting = 0;
	v.up = 5;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.retire_due, 1);
	v.up = 4;
	v.due = 2;
	v.retiring = v.retiring_due = 1;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0, "one at a time");
	cr_expect_eq(d.retire_due, 0);
	v.retiring = v.retiring_due = 0;
	cr_expect_eq(decide(&m, v).in_advance, 1, "for the next due worker");
}

Test(policy, max_retiring_replaces_several_at_once)
{
	struct policy_memory m = begun(view(0, 4, 0, 4));
	struct policy_view v = view(0, 4, 0, 4);
	struct policy_decision d;

	v.limits.max_retiring = 3;
	v.due = 4;
	cr_expect_eq(decide(&m, v).in_advance, 3);
	v.starting = 1;
	v.up = 6;
	d = decide(&m, v);
	cr_expect_eq(d.retire_due, 2, "two are up, one is starting");
	cr_expect_eq(d.start, 0);
	v.up = 4;
	v.due = 1;
	cr_expect_eq(decide(&m, v).start, 0, "one replacement for one worker");
	v = dynamic(0, 1, 20, 0, 9);
	v.limits.max_retiring = 3;
	v.due = 1;
	cr_expect_eq(decide(&m, v).start, 0, "also in a full pool");
}

Test(policy, a_due_worker_stays_while_replacements_fail)
{
	struct policy_memory m = begun(view(0, 4, 0, 4));
	struct policy_view v = view(0, 4, 0, 4);
	struct policy_decision d;

	v.limits.max_retiring = 1;
	v.due = 1;
	cr_expect_eq(decide(&m, v).in_advance, 1);
	policy_note_bad_start(&m, 0);
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.again_ms, 100);
	cr_expect_eq(d.retire_due, 0);
	v.room = 0;
	cr_expect_eq(decide(&m, v).retire_due, 0);
}

Test(policy, a_replacement_whose_due_worker_died_is_surplus)
{
	struct policy_memory m = begun(view(0, 4, 0, 4));
	struct policy_view v = view(0, 4, 0, 5);

	v.limits.max_retiring = 1;
	cr_expect_eq(decide(&m, v).retire, 1);
	v.due = 1;
	cr_expect_eq(decide(&m, v).retire, 0, "its due worker is still up");
}

Test(policy, deaths_are_replaced_while_a_due_worker_is_still_retiring)
{
	struct policy_memory m = begun(view(0, 4, 0, 4));
	struct policy_view v = view(0, 4, 0, 3);

	v.limits.max_retiring = 1;
	v.retiring = v.retiring_due = 1;
	cr_expect_eq(decide(&m, v).start, 1);
	v.retiring_due = 0;
	cr_expect_eq(decide(&m, v).start, 0,
		"a worker that retires for another reason counts");
}

Test(policy, without_room_the_due_worker_retires_first)
{
	struct policy_memory m = begun(view(0, 4, 0, 4));
	struct policy_view v = view(0, 4, 0, 4);
	struct policy_decision d;

	v.limits.max_retiring = 2;
	v.due = 4;
	v.room = 0;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.retire_due, 1, "one at a time");
	cr_expect(d.at_room);
	v.up = 3;
	v.starting = 1;
	cr_expect_eq(decide(&m, v).retire_due, 0, "when all are up");
	v.starting = 0;
	v.up = 3;
	v.due = 3;
	v.retiring = v.retiring_due = 1;
	cr_expect_eq(decide(&m, v).retire_due, 0);
}

Test(policy, a_spare_worker_replaces_a_due_one)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_view v = dynamic(0, 0, 9, 3, 0);
	struct policy_decision d;

	v.due = 1;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.retire_due, 1);
	v.idle = 2;
	d = decide(&m, v);
	cr_expect_eq(d.in_advance, 1, "no worker is spare");
	cr_expect_eq(d.retire_due, 0);
	v.starting = 1;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.retire_due, 0, "not up yet");
}

Test(policy, a_due_worker_of_a_full_pool_is_replaced_above_max_children)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_view v = dynamic(0, 0, 20, 0, 9);
	struct policy_decision d;

	v.due = 2;
	d = decide(&m, v);
	cr_expect_eq(d.start, 1);
	cr_expect_eq(d.in_advance, 1);
	v.starting = 1;
	cr_expect_eq(decide(&m, v).start, 0);
	v.starting = 0;
	v.up = 21;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.retire_due, 1);
}

Test(policy, a_due_worker_is_replaced_with_unknown_idle_too)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_view v = dynamic(0, 0, 7, -1, 0);
	struct policy_decision d;

	decide(&m, v);
	v.due = 1;
	cr_expect_eq(decide(&m, v).in_advance, 1);
	v.starting = 1;
	d = decide(&m, v);
	cr_expect_eq(d.start + d.retire_due, 0);
	v.starting = 0;
	v.up = 8;
	cr_expect_eq(decide(&m, v).retire_due, 1);
	v.up = 7;
	v.due = 0;
	v.retiring = v.retiring_due = 1;
	d = decide(&m, v);
	cr_expect_eq(d.start + d.retire, 0);
	v.retiring = v.retiring_due = 0;
	d = decide(&m, v);
	cr_expect_eq(d.start + d.retire, 0, "as many as before");
	/* The pool grows. */
	v.due = 1;
	v.queue = 1;
	d = decide(&m, v);
	cr_expect_eq(d.start, 2);
	cr_expect_eq(d.in_advance, 1);
	v.queue = 0;
	v.up = 9;
	cr_expect_eq(decide(&m, v).retire_due, 1);
	v.up = 8;
	cr_expect_eq(decide(&m, v).retire_due, 0, "eight are needed now");
}

Test(policy, an_idle_due_worker_of_an_ondemand_pool_retires_without_replacement)
{
	struct policy_memory m = {0};
	struct policy_view v = ondemand(0, 0, 2, 1, 0);
	struct policy_decision d;

	v.due = 1;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.retire_due, 1);
}

Test(policy, contradictory_values_of_a_hostile_child_are_corrected)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_view v = dynamic(0, 0, 9, INT_MAX, 0);
	struct policy_decision d;

	v.idle_long = v.due = UINT_MAX;
	v.limits.max_retiring = 3;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.retire_due, 3);
	v.up = 3;
	cr_expect_eq(decide(&m, v).retire_due, 1, "only three can be idle");
	v = view(1000, 2, 0, 2);
	v.limits.max_retiring = 9;
	v.due = 9;
	cr_expect_eq(decide(&m, v).in_advance, 2, "only two can be due");
	v = dynamic(1000, 0, 9, INT_MIN, UINT_MAX);
	cr_expect_eq(decide(&m, v).start, 1, "idle unknown, many waiting");
}
