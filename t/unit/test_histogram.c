/*
 * test_histogram.c - percentiles within one percent
 */
#include <criterion/criterion.h>

#include "ctl/histogram.h"

static struct histogram h;

Test(histogram, is_exact_below_256_us)
{
	uint64_t us;

	for (us = 1; us <= 100; us++)
		histogram_add(&h, us);
	cr_expect_eq(histogram_percentile(&h, 50), 50);
	cr_expect_eq(histogram_percentile(&h, 99), 99);
	cr_expect_eq(histogram_percentile(&h, 100), 100);
}

Test(histogram, is_within_one_percent_above)
{
	uint64_t us;

	for (us = 257; us < UINT64_C(3600000000); us = us * 3 / 2 + 1) {
		struct histogram one = {0};
		uint64_t got;

		histogram_add(&one, us);
		histogram_add(&one, us * 4);
		got = histogram_percentile(&one, 50);
		cr_expect(got >= us && got - us <= us / 100, "%lu gave %lu",
			(unsigned long)us, (unsigned long)got);
	}
}

Test(histogram, never_tells_more_than_the_largest)
{
	histogram_add(&h, 1000003);
	cr_expect_eq(histogram_percentile(&h, 99), 1000003);
	cr_expect_eq(h.max_us, 1000003);
}

Test(histogram, empty_is_zero)
{
	cr_expect_eq(histogram_percentile(&h, 50), 0);
}
