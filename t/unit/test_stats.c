/*
 * test_stats.c - the counters of a pool never decrease
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "pool/stats.h"

Test(stats, shown_totals_never_decrease)
{
	struct stats s = {.accepted = 10, .requests = 5};

	stats_note_counts(&s, 4, 3);
	cr_expect_eq(s.accepted_shown, 14);
	cr_expect_eq(s.requests_shown, 8);
	stats_note_counts(&s, 3, 2);
	cr_expect_eq(s.accepted_shown, 14, "a child wrote less than before");
	cr_expect_eq(s.requests_shown, 8);
	stats_note_counts(&s, UINT64_MAX, UINT64_MAX - 1);
	cr_expect_eq(s.accepted_shown, UINT64_MAX, "a value that overflows");
	cr_expect_eq(s.requests_shown, UINT64_MAX);
}

Test(stats, the_largest_samples_are_kept)
{
	struct stats s = {0};

	stats_note_sample(&s, 3, 1);
	stats_note_sample(&s, 2, 4);
	stats_note_sample(&s, 0, 0);
	cr_expect_eq(s.most_active, 3);
	cr_expect_eq(s.most_waiting, 4);
}

Test(stats, ends_are_counted_by_their_causes)
{
	struct stats s = {0};

	stats_note_end(&s, RETIRE_AGE);
	stats_note_end(&s, RETIRE_CRASH);
	stats_note_end(&s, RETIRE_CRASH);
	cr_expect_eq(s.ended[RETIRE_AGE], 1);
	cr_expect_eq(s.ended[RETIRE_CRASH], 2);
	cr_expect_eq(s.ended[RETIRE_EXIT], 0);
	stats_note_failure(&s, "exit status 1");
	cr_expect_str_eq(s.failure, "exit status 1");
}
