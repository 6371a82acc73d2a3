/*
 * test_deadline.c - which request takes too long, and when the clock runs
 */
#include <criterion/criterion.h>

#include "timeout/deadline.h"

Test(deadline, a_request_is_slow_or_late_at_its_limit_and_not_before)
{
	static const struct {
		const char *why;
		struct deadline_limits l;
		int64_t ran;
		bool logged_slow;
		enum deadline_verdict want;
		int64_t next;		/* from now; 0 = never */
	} rows[] = {
		{"young", {50, 200}, 49, false, DEADLINE_FINE, 1},
		{"slow", {50, 200}, 50, false, DEADLINE_SLOW, 150},
		{"slow, already logged", {50, 200}, 60, true, DEADLINE_FINE,
			140},
		{"late", {50, 200}, 200, true, DEADLINE_LATE, 0},
		{"late and slow is late", {50, 200}, 500, false, DEADLINE_LATE,
			0},
		{"only slow", {50, 0}, 5000, true, DEADLINE_FINE, 0},
		{"only late", {0, 200}, 199, false, DEADLINE_FINE, 1},
		{"begun a moment later", {50, 200}, -5, false, DEADLINE_FINE,
			50},
	};
	const int64_t now = 1000000;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t next = INT64_MAX;

		cr_expect_eq(deadline_judge(&rows[i].l, now - rows[i].ran,
				     rows[i].logged_slow, now, &next),
			rows[i].want, "%s", rows[i].why);
		cr_expect_eq(next, rows[i].next ? now + rows[i].next :
						  INT64_MAX,
			"%s: %lld", rows[i].why, (long long)(next - now));
	}
}

Test(deadline, checks_are_as_rare_as_possible)
{
	const struct deadline_limits both = {5000, 30000}, late = {0, 30000},
		low = {0, 600};

	cr_expect_eq(deadline_pause(&both, true), 5000);
	cr_expect_eq(deadline_pause(&late, true), 30000);
	cr_expect_eq(deadline_pause(&both, false), 1000);
	cr_expect_eq(deadline_pause(&late, false), 1000);
	cr_expect_eq(deadline_pause(&low, false), 300);
}

/* One check each second, and how long the clock has been running then. */
struct check {
	const char *why;
	struct deadline_sample s;
	int64_t ran;		/* -1 = it does not run */
};

static void
follow(const struct check *rows, size_t n)
{
	struct deadline_clock c = {0};
	size_t i;

	for (i = 0; i < n; i++) {
		int64_t now = 1000 * (int64_t)(i + 1);

		deadline_follow(&c, &rows[i].s, false, now);
		cr_expect_eq(c.since_ms, rows[i].ran < 0 ? 0 :
				now - rows[i].ran, "%s: since %lld",
			rows[i].why, (long long)c.since_ms);
	}
}

#define UNKNOWN DEADLINE_UNKNOWN
#define FOLLOW(rows) follow(rows, sizeof(rows) / sizeof((rows)[0]))

Test(deadline, a_hanging_request_is_timed)
{
	static const struct check asleep[] = {
		{"no connection", {0, false, 5, 5}, -1},
		{"a connection", {7, false, 6, 6}, 0},
		{"in one system call", {7, false, 6, 6}, 1000},
		{"sleeps again, reads nothing", {7, false, 6, 9},
			2000},
		{"reads a file, does not sleep", {7, false, 99, 9},
			3000},
	};

	FOLLOW(asleep);
}

Test(deadline, a_worker_that_may_be_idle_is_not_timed)
{
	static const struct check kept[] = {
		{"works", {7, false, 6, 6}, 0},
		{"works", {7, false, 6, 6}, 1000},
		{"waits for bytes", {7, true, 7, 7}, -1},
		{"works, the same connection", {7, false, 7, 7}, 0},
		{"another connection", {8, false, 7, 7}, 0},
		{"no connection", {0, false, 7, 7}, -1},
	};

	FOLLOW(kept);
}

Test(deadline, the_clock_restarts_with_what_may_be_the_next_request)
{
	static const struct check busy[] = {
		{"works", {7, false, 6, 6}, 0},
		{"has read and slept", {7, false, 8, 8}, 0},
		{"has read and slept", {7, false, 10, 10}, 0},
		{"the same", {7, false, 10, 10}, 1000},
		{"counters unknown", {7, false, UNKNOWN, UNKNOWN}, 0},
		{"counters known again", {7, false, 10, 10}, 0},
		{"the same", {7, false, 10, 10}, 1000},
		{"reads are unknown, it still sleeps",
			{7, false, UNKNOWN, 10}, 2000},
		{"reads are unknown, it slept again", {7, false, UNKNOWN, 11},
			0},
	};

	FOLLOW(busy);
}

Test(deadline, a_pause_caused_by_a_tool_does_not_log_the_request_again)
{
	struct deadline_clock c = {0};
	struct deadline_sample s = {7, false, UNKNOWN, 5};

	deadline_follow(&c, &s, false, 1000);
	c.logged_slow = true;
	s.pauses++;
	deadline_follow(&c, &s, true, 2000);
	cr_expect(c.logged_slow, "may be the same request");
	cr_expect_eq(c.since_ms, 2000, "may be the next request");
	deadline_follow(&c, &s, false, 3000);
	cr_expect(c.logged_slow);
	cr_expect_eq(c.since_ms, 2000);
	s.pauses++;
	deadline_follow(&c, &s, false, 4000);
	cr_expect(!c.logged_slow, "another request");
}
