/*
 * test_policy.c - how many workers a pool should have
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "pool/policy.h"

static struct policy_view
view(int64_t now_ms, unsigned max, unsigned starting, unsigned up)
{
	return (struct policy_view){.now_ms = now_ms, .max_children = max,
		.starting = starting, .up = up};
}

static struct policy_decision
decide(struct policy_memory *m, struct policy_view v)
{
	return policy_decide(m, &v);
}

Test(policy, fills_a_new_pool_at_once)
{
	struct policy_memory m = {0};
	struct policy_decision d = decide(&m, view(5000, 1000, 0, 0));

	cr_expect_eq(d.start, 1000, "a first fill knows no rate");
	cr_expect_eq(d.again_ms, 0);
}

Test(policy, does_nothing_for_a_full_pool)
{
	struct policy_memory m = {0};
	struct policy_decision d;

	decide(&m, view(0, 4, 0, 0));
	d = decide(&m, view(1, 4, 3, 1));
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.again_ms, 0, "a full pool needs no timer");
}

Test(policy, replaces_a_dead_worker_at_once)
{
	struct policy_memory m = {0};

	decide(&m, view(0, 4, 0, 0));
	policy_note_up(&m);
	cr_expect_eq(decide(&m, view(9000, 4, 0, 3)).start, 1);
}

Test(policy, replaces_at_most_ten_a_second_in_a_small_pool)
{
	struct policy_memory m = {0};
	struct policy_decision d;
	int i;

	decide(&m, view(0, 2, 0, 0));
	for (i = 0; i < 10; i++) {
		d = decide(&m, view(5000 + i, 2, 0, 1));
		cr_expect_eq(d.start, 1, "replacement %d", i);
	}
	d = decide(&m, view(5500, 2, 0, 1));
	cr_expect_eq(d.start, 0, "the eleventh of the second waits");
	cr_expect_eq(d.again_ms, 6000, "until the second is over");
	cr_expect_eq(decide(&m, view(6000, 2, 0, 1)).start, 1);
}

Test(policy, a_larger_pool_may_replace_all_its_workers_in_a_second)
{
	struct policy_memory m = {0};

	decide(&m, view(0, 64, 0, 0));
	cr_expect_eq(decide(&m, view(5000, 64, 0, 0)).start, 64);
	cr_expect_eq(decide(&m, view(5001, 64, 0, 63)).start, 0);
}

Test(policy, backs_off_doubling_up_to_ten_seconds)
{
	static const int64_t want[] = {100, 200, 400, 800, 1600, 3200, 6400,
		10000, 10000, 10000};
	struct policy_memory m = {0};
	int64_t now = 1000;
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		cr_expect_eq(policy_note_bad_start(&m, now), want[i],
			"pause %zu", i);
		now += want[i];
	}
}

Test(policy, deaths_of_one_burst_are_one_failure)
{
	struct policy_memory m = {0};
	int i;

	for (i = 0; i < 8; i++)
		cr_expect_eq(policy_note_bad_start(&m, 1000 + i), 100 - i,
			"death %d tells what is left of the pause", i);
	cr_expect_eq(m.bad_starts, 1);
}

Test(policy, tries_one_worker_after_a_back_off_and_fills_when_it_is_up)
{
	struct policy_memory m = {0};
	struct policy_decision d;

	decide(&m, view(0, 8, 0, 0));
	policy_note_bad_start(&m, 10);
	d = decide(&m, view(10, 8, 0, 0));
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.again_ms, 110, "the back-off's end");
	cr_expect_eq(decide(&m, view(110, 8, 0, 0)).start, 1);
	d = decide(&m, view(111, 8, 1, 0));
	cr_expect_eq(d.start, 0, "its fate decides");
	cr_expect_eq(d.again_ms, 0);
	policy_note_up(&m);
	cr_expect_eq(decide(&m, view(200, 8, 0, 1)).start, 7);
}

Test(policy, a_good_start_forgets_the_bad_ones)
{
	struct policy_memory m = {0};

	policy_note_bad_start(&m, 0);
	policy_note_bad_start(&m, 100);
	policy_note_up(&m);
	cr_expect_eq(policy_note_bad_start(&m, 1000), 100);
}

Test(policy, short_lives_are_tolerated_ten_times_in_a_row)
{
	struct policy_memory m = {0};
	int i;

	for (i = 0; i < 10; i++)
		cr_expect(policy_note_short_life(&m), "life %d", i);
	cr_expect_not(policy_note_short_life(&m));
	policy_note_up(&m);
	cr_expect(policy_note_short_life(&m), "one that stayed is luck again");
}

/* Random histories: never above the maximum, never silent while short. */
Test(policy, holds_its_bounds_in_random_histories)
{
	unsigned short seed[3] = {1, 2, 3};
	int round, step;

	for (round = 0; round < 2000; round++) {
		struct policy_memory m = {0};
		unsigned max = 1 + (unsigned)(nrand48(seed) % 40);
		unsigned starting = 0, up = 0, in_window = 0;
		int64_t now = 0, window = 0;

		for (step = 0; step < 50; step++) {
			struct policy_decision d =
				decide(&m, view(now, max, starting, up));
			long dice = nrand48(seed) % 4;

			cr_assert(starting + up + d.start <= max);
			cr_assert(d.start > 0 || d.again_ms > now ||
					starting + up == max || starting > 0,
				"short, nothing starting and no timer");
			if (now - window >= 1000) {
				window = now;
				in_window = 0;
			}
			in_window += step ? d.start : 0;
			cr_assert(in_window <= 2 * (max > 10 ? max : 10));
			starting += d.start;
			if (dice == 0 && starting > 0) {
				starting--;
				policy_note_bad_start(&m, now);
			} else if (dice == 1 && starting > 0) {
				starting--;
				up++;
				policy_note_up(&m);
			} else if (dice == 2 && up > 0) {
				up--;
			}
			now += nrand48(seed) % 300;
		}
	}
}
