/*
 * test_policy.c - tests how the policy fills a pool and replaces dead workers
 *
 * Spare workers are in test_policy_spare.c, recycled ones in
 * test_policy_due.c, random histories in test_policy_random.c.
 */
#include "views.h"

Test(policy, fills_a_new_pool_at_once)
{
	struct policy_memory m = {0};
	struct policy_decision d = decide(&m, view(5000, 1000, 0, 0));

	cr_expect_eq(d.start, 1000, "no rate limits the first fill");
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

Test(policy, backs_off_doubling_up_to_eight_seconds)
{
	static const int64_t want[] = {100, 200, 400, 800, 1600, 3200, 6400,
		8000, 8000, 8000};
	struct policy_memory m = {0};
	int64_t now = 1000;
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		cr_expect_eq(policy_note_bad_start(&m, now), want[i],
			"pause %zu", i);
		now += want[i];
	}
}

Test(policy, deaths_during_a_back_off_do_not_lengthen_it)
{
	struct policy_memory m = {0};
	int i;

	for (i = 0; i < 8; i++)
		cr_expect_eq(policy_note_bad_start(&m, 1000 + i), 100 - i,
			"death %d returns the rest of the pause", i);
	cr_expect_eq(m.bad_starts, 1);
}

Test(policy, starts_one_worker_after_a_back_off_and_all_when_it_is_ready)
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
	cr_expect_eq(d.start, 0, "wait until it is ready or dead");
	cr_expect_eq(d.again_ms, 0);
	policy_note_up(&m);
	cr_expect_eq(decide(&m, view(200, 8, 0, 1)).start, 7);
}

Test(policy, a_valid_start_ends_the_back_off)
{
	struct policy_memory m = {0};

	policy_note_bad_start(&m, 0);
	policy_note_bad_start(&m, 100);
	policy_note_up(&m);
	cr_expect_eq(policy_note_bad_start(&m, 1000), 100);
}

static int64_t
end(struct policy_memory *m, int64_t now_ms, bool was_up, bool failed,
	int64_t lived_ms)
{
	return policy_note_end(m, now_ms, &(struct policy_end){
		.was_up = was_up, .failed = failed, .lived_ms = lived_ms});
}

Test(policy, an_end_is_judged_by_status_lifetime_and_readiness)
{
	static const struct {
		struct policy_end end;
		bool begun;
		int64_t pause;
		unsigned row;
		const char *why;
	} rows[] = {
		{{5, false, true, false}, true, 100, 1, "no program"},
		{{5, false, false, false}, false, 100, 1, "a CGI program"},
		{{5, false, false, false}, true, 0, 1, "it may have served"},
		{{5, true, false, false}, true, 0, 0, "recycling"},
		{{5, true, true, false}, true, 0, 1, "a crash of one"},
		{{5, true, true, true}, true, 0, 0, "a crash after work"},
		{{999, true, true, false}, true, 0, 1, "1 ms below a life"},
		{{1000, true, true, false}, true, 0, 0, "a whole life"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_memory m = {.begun = rows[i].begun};

		cr_expect_eq(policy_note_end(&m, 10, &rows[i].end),
			rows[i].pause, "%s", rows[i].why);
		cr_expect_eq(m.short_lives, rows[i].row, "%s", rows[i].why);
	}
}

Test(policy, ten_short_lives_in_a_row_cause_no_back_off)
{
	struct policy_memory m = {.begun = true};
	int i;

	for (i = 0; i < 10; i++)
		cr_expect_eq(end(&m, i, i % 2, i % 2, 5), 0, "life %d", i);
	cr_expect_eq(end(&m, 10, true, true, 5), 100);
	cr_expect_eq(end(&m, 110, true, true, 1000), 0, "a worker that lived");
	for (i = 0; i < 10; i++)
		cr_expect_eq(end(&m, i, true, true, 5), 0, "life %d", i);
	cr_expect_eq(end(&m, 10, true, true, 5), 100);
}

Test(policy, crashes_after_readiness_back_off_up_to_three_seconds)
{
	static const int64_t want[] = {100, 200, 400, 800, 1600, 3000, 3000};
	struct policy_memory m = {.begun = true, .short_lives = 10};
	int64_t now = 0;
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		cr_expect_eq(end(&m, now, true, true, 5), want[i], "%zu", i);
		now += want[i];
		policy_note_up(&m);
	}
	cr_expect_eq(end(&m, now, false, true, 5), 8000,
		"a worker that is never ready serves no client");
}

Test(policy, on_trial_one_worker_must_live_on_before_others_start)
{
	struct policy_memory m = {0};
	struct policy_view v = view(0, 8, 0, 0);
	struct policy_decision d;
	int i;

	decide(&m, v);
	for (i = 0; i < 11; i++)
		end(&m, 10 + i, true, true, 5);
	v = view(120, 8, 0, 0);
	cr_expect_eq(decide(&m, v).start, 1);
	policy_note_up(&m);
	v = view(125, 8, 0, 1);
	v.settles_ms = 1120;
	d = decide(&m, v);
	cr_expect_eq(d.start, 0, "readiness alone is not enough");
	cr_expect_eq(d.again_ms, 1120);
	v = view(1120, 8, 0, 1);
	v.settled_ms = 1120;
	cr_expect_eq(decide(&m, v).start, 7);
}

Test(policy, a_worker_that_settled_earlier_does_not_end_a_trial)
{
	struct policy_memory m = {.begun = true};
	struct policy_view v = view(5000, 8, 0, 7);
	int i;

	v.settled_ms = 1000;
	for (i = 0; i < 10; i++) {
		cr_expect_eq(end(&m, 5000 + i, true, true, 5), 0);
		decide(&m, v);
	}
	cr_expect_eq(end(&m, 5010, true, true, 5), 100);
	v.settled_ms = 5001;
	v.now_ms = 5011;
	cr_expect_eq(decide(&m, v).start, 1, "one of them has lived on");
	cr_expect_eq(m.bad_starts, 0);
}

Test(policy, process_max_is_a_limit_that_is_checked_again)
{
	struct policy_memory m = {0};
	struct policy_view v = view(0, 8, 0, 0);
	struct policy_decision d;

	v.room = 3;
	d = decide(&m, v);
	cr_expect_eq(d.start, 3);
	cr_expect(d.at_room);
	cr_expect_eq(d.again_ms, 1000);
	v = view(1000, 8, 0, 3);
	v.room = 5;
	d = decide(&m, v);
	cr_expect_eq(d.start, 5, "still the first fill");
	cr_expect_not(d.at_room);
	v = view(1000, 8, 0, 7);
	v.room = 0;
	policy_note_bad_start(&m, 0);
	d = decide(&m, v);
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.again_ms, 2000, "after a bad start too");
}
