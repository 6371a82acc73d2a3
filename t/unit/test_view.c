/*
 * test_view.c - which worker leaves first, and how many are active or have
 * lived long enough
 */
#include <criterion/criterion.h>

#include "base/util.h"
#include "pool/members.h"
#include "pool/policy.h"
#include "pool/view.h"

/* -- which one ------------------------------------------------------------- */

/* The chosen one is never the first in the list. */
static struct pool_member
member(enum worker_state state, int64_t start_ms, bool idle, bool due)
{
	return (struct pool_member){
		.worker = {.state = state, .start_ms = start_ms},
		.idle = idle,
		.due = due,
	};
}

#define MEMBERS(v_) {.v = v_, .n = ARRAY_SIZE(v_)}

/* A busy worker leaves later anyway: when its request has ended. */
Test(view, of_two_that_are_due_the_idle_one_goes_first)
{
	struct pool_member v[] = {
		member(WORKER_UP, 10, false, true),
		member(WORKER_UP, 30, true, true),
		member(WORKER_UP, 20, false, true),
	};
	struct members ms = MEMBERS(v);

	cr_expect_eq(view_pick_due(&ms), &v[1]);
}

Test(view, of_two_idle_ones_that_are_due_the_oldest_goes_first)
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

Test(view, of_two_busy_ones_that_are_due_the_oldest_goes_first)
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

Test(view, only_workers_that_are_up_leave)
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

Test(view, the_oldest_idle_one_goes_first)
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

/* -- how many -------------------------------------------------------------- */

Test(view, active_is_up_and_not_idle)
{
	struct pool_member v[] = {
		member(WORKER_UP, 1, false, false),
		member(WORKER_UP, 2, true, false),
		member(WORKER_UP, 3, false, true),
		member(WORKER_STARTING, 4, false, false),
		member(WORKER_RETIRING, 5, false, false),
		member(WORKER_KILLED, 6, false, false),
		member(WORKER_DEAD, 7, false, false),
	};
	struct members ms = MEMBERS(v);

	cr_expect_eq(view_active(&ms), 2);
}

/* -- since when ------------------------------------------------------------ */

#define NOW 10000
#define LIFE POLICY_LIFE_MS

Test(view, the_youngest_that_has_lived_for_a_life_says_when_it_had)
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
	cr_expect_eq(view.settles_ms, 0, "none is left that will");
}

Test(view, the_next_that_will_have_is_the_oldest_of_the_young)
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
	cr_expect_eq(view.settled_ms, 0, "none has lived for so long");
	cr_expect_eq(view.settles_ms, NOW - 500 + LIFE);
}

Test(view, a_life_is_full_at_its_last_millisecond)
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
