/*
 * test_policy.c - the rules that decide how many workers start and retire
 *
 * Random histories are in test_policy_random.c.
 */
#include <criterion/criterion.h>
#include <limits.h>

#include "pool/policy.h"

static struct policy_view
view(int64_t now_ms, unsigned max, unsigned starting, unsigned up)
{
	return (struct policy_view){.now_ms = now_ms,
		.limits = {.pm = POLICY_STATIC, .max_children = max},
		.starting = starting, .up = up, .idle = POLICY_IDLE_UNKNOWN,
		.room = POLICY_NO_LIMIT};
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

/* Dynamic and ondemand pools. */
static struct policy_view
dynamic(int64_t now_ms, unsigned starting, unsigned up, int idle,
	unsigned queue)
{
	return (struct policy_view){.now_ms = now_ms,
		.limits = {.pm = POLICY_DYNAMIC, .max_children = 20,
			.start_servers = 4, .min_spare = 2, .max_spare = 6,
			.max_spawn_rate = 8, .max_retiring = 1},
		.starting = starting, .up = up, .idle = idle, .queue = queue,
		.room = POLICY_NO_LIMIT};
}

static struct policy_view
ondemand(int64_t now_ms, unsigned starting, unsigned up, int idle,
	unsigned queue)
{
	struct policy_view v = dynamic(now_ms, starting, up, idle, queue);

	v.limits.pm = POLICY_ONDEMAND;
	return v;
}

/* A pool whose first fill is ready. */
static struct policy_memory
begun(struct policy_view v)
{
	struct policy_memory m = {0};
	unsigned fill = policy_fill(&v.limits);

	v.starting = v.up = v.queue = 0;
	v.idle = 0;
	v.now_ms = -10000;
	cr_assert_eq(decide(&m, v).start, fill);
	v.up = fill;
	v.idle = (int)fill;
	cr_assert_eq(decide(&m, v).start, 0);
	return m;
}

Test(policy, dynamic_starts_start_servers_at_once)
{
	struct policy_memory m = {0};
	struct policy_decision d = decide(&m, dynamic(0, 0, 0, 0, 0));

	cr_expect_eq(d.start, 4);
	cr_expect_eq(d.again_ms, 0);
	d = decide(&m, dynamic(1, 3, 1, 1, 0));
	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.again_ms, 0, "a pool at rest needs no timer");
}

Test(policy, dynamic_reaches_start_servers_after_a_bad_start)
{
	struct policy_memory m = {0};

	decide(&m, dynamic(0, 0, 0, 0, 0));
	policy_note_bad_start(&m, 10);
	cr_expect_eq(decide(&m, dynamic(110, 0, 0, 0, 0)).start, 1);
	policy_note_up(&m);
	cr_expect_eq(decide(&m, dynamic(120, 0, 1, 1, 0)).start, 3,
		"not only min_spare");
}

Test(policy, dynamic_does_nothing_between_min_and_max_spare)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	int idle;

	for (idle = 2; idle <= 6; idle++) {
		struct policy_decision d =
			decide(&m, dynamic(idle * 3000, 0, 9, idle, 0));

		cr_expect_eq(d.start, 0, "%d idle", idle);
		cr_expect_eq(d.retire, 0, "%d idle", idle);
	}
}

Test(policy, dynamic_doubles_its_start_rate_each_second)
{
	static const unsigned want[] = {1, 2, 4, 8, 8, 8};
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_decision d;
	struct policy_view v;
	unsigned i;

	for (i = 0; i < 6; i++) {
		v = dynamic(1000 * i, 0, 4, 0, 50);
		v.limits.max_children = 100;
		d = decide(&m, v);
		cr_expect_eq(d.start, want[i], "second %u", i);
		cr_expect_eq(d.again_ms, 1000 * (i + 1));
		v.now_ms += 500;
		cr_expect_eq(decide(&m, v).start, 0, "one rate a second");
	}
	d = decide(&m, dynamic(6000, 0, 9, 2, 0));
	cr_expect_eq(d.start, 0);
	cr_expect_eq(decide(&m, dynamic(7500, 0, 9, 0, 9)).start, 1,
		"after a second without need the rate is 1");
}

Test(policy, dynamic_starts_no_more_than_are_missing)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_view v = dynamic(0, 0, 4, 0, 90);

	v.limits.max_children = 100;
	decide(&m, v);
	v.now_ms = 1000;
	decide(&m, v);
	v.now_ms = 2000;
	v.queue = 0;
	v.idle = 1;
	cr_expect_eq(decide(&m, v).start, 1, "of 4 that the rate allows");
	v.starting = 1;
	cr_expect_eq(decide(&m, v).start, 0, "starting workers count as idle");
}

Test(policy, dynamic_counts_queued_connections)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_decision d = decide(&m, dynamic(0, 0, 9, 3, 1));

	cr_expect_eq(d.start, 0, "two idle workers remain");
	d = decide(&m, dynamic(0, 0, 9, 2, 1));
	cr_expect_eq(d.start, 1);
}

Test(policy, one_worker_is_started_for_as_many_clients_as_it_has_threads)
{
	static const struct {
		enum policy_pm pm;
		unsigned up, starting, queue, want;
		int idle;
		const char *why;
	} rows[] = {
		{POLICY_DYNAMIC, 9, 0, 4, 0, 12, "eight idle threads remain"},
		{POLICY_DYNAMIC, 9, 0, 5, 1, 12, "one thread too few"},
		{POLICY_DYNAMIC, 9, 0, 0, 1, 7, "two threads are free"},
		{POLICY_DYNAMIC, 9, 1, 0, 0, 4, "a starting worker has four"},
		{POLICY_ONDEMAND, 0, 0, 4, 1, 0, "one worker for four clients"},
		{POLICY_ONDEMAND, 1, 0, 3, 0, 3, "three threads are free"},
		{POLICY_ONDEMAND, 1, 0, 4, 1, 3, "three threads, four clients"},
		{POLICY_ONDEMAND, 1, 1, 4, 0, 0, "one starts already"},
		{POLICY_ONDEMAND, 1, 0, 4, 1, -1, "idle is unknown"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
		struct policy_view v = dynamic(0, rows[i].starting, rows[i].up,
			rows[i].idle, rows[i].queue);

		v.limits.pm = rows[i].pm;
		v.limits.threads = 4;
		cr_expect_eq(decide(&m, v).start, rows[i].want, "%s",
			rows[i].why);
	}
}

Test(policy, idle_threads_of_several_workers_add_up_to_a_spare_worker)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_view v = dynamic(0, 0, 12, 27, 0);

	v.limits.threads = 4;
	decide(&m, v);
	v.now_ms = 1000;
	cr_expect_eq(decide(&m, v).retire, 0, "six, and three threads");
	v.idle = 28;
	v.now_ms = 2000;
	decide(&m, v);
	v.now_ms = 3000;
	cr_expect_eq(decide(&m, v).retire, 1);
}

Test(policy, dynamic_stops_at_max_children_and_reports_it)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_decision d = decide(&m, dynamic(0, 0, 20, 0, 50));

	cr_expect_eq(d.start, 0);
	cr_expect(d.at_max);
	cr_expect_not(decide(&m, dynamic(1, 0, 20, 2, 0)).at_max);
	cr_expect_not(decide(&m, dynamic(1, 0, 18, 0, 0)).at_max);
}

Test(policy, dynamic_retires_one_each_second_while_too_many_are_idle)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_decision d = decide(&m, dynamic(0, 0, 12, 9, 0));

	cr_expect_eq(d.retire, 0, "only for a moment so far");
	cr_expect_eq(d.again_ms, 1000);
	d = decide(&m, dynamic(1000, 0, 12, 9, 0));
	cr_expect_eq(d.retire, 1);
	d = decide(&m, dynamic(1500, 0, 11, 8, 0));
	cr_expect_eq(d.retire, 0);
	cr_expect_eq(d.again_ms, 2000);
	cr_expect_eq(decide(&m, dynamic(2000, 0, 11, 8, 0)).retire, 1);
	cr_expect_eq(decide(&m, dynamic(3000, 0, 10, 7, 0)).retire, 1);
	cr_expect_eq(decide(&m, dynamic(4000, 0, 9, 6, 0)).retire, 0);
	cr_expect_eq(decide(&m, dynamic(9000, 0, 9, 6, 0)).retire, 0);
}

Test(policy, dynamic_retires_none_after_a_moment_of_low_load)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	int i;

	for (i = 0; i < 20; i++)
		cr_expect_eq(decide(&m, dynamic(700 * i, 0, 12, i % 2 ? 3 : 9,
				     0)).retire, 0);
}

Test(policy, dynamic_retires_none_right_after_idle_was_unknown)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));

	decide(&m, dynamic(0, 0, 12, 9, 0));
	decide(&m, dynamic(1000, 0, 12, POLICY_IDLE_UNKNOWN, 0));
	cr_expect_eq(decide(&m, dynamic(2000, 0, 12, 9, 0)).retire, 0);
	cr_expect_eq(decide(&m, dynamic(3000, 0, 12, 9, 0)).retire, 1);
}

Test(policy, dynamic_decides_again_while_a_busy_worker_may_be_surplus)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));

	cr_expect_eq(decide(&m, dynamic(0, 0, 12, 3, 0)).again_ms, 1000);
	cr_expect_eq(decide(&m, dynamic(0, 0, 6, 3, 0)).again_ms, 0);
}

Test(policy, queued_connections_keep_idle_workers)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	int i;

	for (i = 0; i < 5; i++)
		cr_expect_eq(decide(&m, dynamic(1000 * i, 0, 12, 9, 3)).retire,
			0, "second %d", i);
}

Test(policy, dynamic_replaces_deaths_below_min_spare_at_once)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));

	cr_expect_eq(decide(&m, dynamic(0, 0, 0, 0, 0)).start, 2,
		"both, not 1 and then 2");
}

Test(policy, unknown_idle_starts_for_the_queue_only_and_retires_none)
{
	struct policy_memory m = begun(dynamic(0, 0, 0, 0, 0));
	struct policy_decision d;
	int i;

	for (i = 0; i < 10; i++) {
		d = decide(&m, dynamic(1000 * i, 0, 12, POLICY_IDLE_UNKNOWN,
				       0));
		cr_expect_eq(d.start, 0);
		cr_expect_eq(d.retire, 0);
	}
	cr_expect_eq(decide(&m, dynamic(20000, 0, 12, -1, 3)).start, 1);
	cr_expect_eq(decide(&m, dynamic(21000, 0, 13, -1, 3)).start, 2);
	cr_expect_eq(decide(&m, dynamic(22000, 3, 13, -1, 3)).start, 0);
	cr_expect_eq(decide(&m, dynamic(30000, 0, 1, -1, 0)).start, 1,
		"min_spare still applies");
}

Test(policy, ondemand_has_no_worker_without_load)
{
	struct policy_memory m = {0};
	struct policy_decision d = decide(&m, ondemand(0, 0, 0, 0, 0));

	cr_expect_eq(d.start, 0);
	cr_expect_eq(d.again_ms, 0);
	cr_expect_eq(policy_fill(&(struct policy_limits){
			     .pm = POLICY_ONDEMAND, .max_children = 3}), 0);
}

Test(policy, ondemand_starts_one_worker_for_each_queued_connection)
{
	struct policy_memory m = {0};
	struct policy_view v = ondemand(0, 0, 0, 0, 3);

	v.limits.max_spawn_rate = 4;
	cr_expect_eq(decide(&m, v).start, 3);
	v.starting = 3;
	v.queue = 5;
	v.now_ms = 10;
	cr_expect_eq(decide(&m, v).start, 1, "four a second");
	v.starting = 0;
	v.up = 4;
	v.queue = 2;
	v.now_ms = 1000;
	cr_expect_eq(decide(&m, v).start, 2);
	cr_expect_eq(decide(&m, ondemand(3000, 0, 6, 1, 1)).start, 0,
		"it has one idle");
	m = (struct policy_memory){0};
	cr_expect_eq(decide(&m, ondemand(0, 0, 0, -1, 1)).start, 1,
		"unknown idle");
}

Test(policy, ondemand_retires_workers_idle_for_too_long)
{
	struct policy_memory m = {0};
	struct policy_view v = ondemand(0, 0, 5, 4, 0);
	struct policy_decision d;

	v.idle_long = 3;
	v.idle_long_next_ms = 4000;
	d = decide(&m, v);
	cr_expect_eq(d.retire, 3);
	cr_expect_eq(d.again_ms, 4000);
	v.queue = 2;
	cr_expect_eq(decide(&m, v).retire, 2, "two clients wait now");
	v.idle = POLICY_IDLE_UNKNOWN;
	cr_expect_eq(decide(&m, v).retire, 0);
	v.limits.threads = 4;
	v.idle = 18;
	v.queue = 5;
	cr_expect_eq(decide(&m, v).retire, 3);
	v.queue = 11;
	cr_expect_eq(decide(&m, v).retire, 1, "seven threads are left");
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
