/*
 * test_policy_spare.c - tests how the policy starts and retires workers by load
 */
#include "views.h"

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
