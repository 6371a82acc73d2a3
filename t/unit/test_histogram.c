/*
 * test_histogram.c - ctl/histogram: percentiles accurate to 1 %
 */
#include <criterion/criterion.h>

#include "ctl/histogram.h"

static struct histogram h;

Test(histogram, percentiles_are_exact_below_256_us)
{
	uint64_t us;

	for (us = 1; us <= 100; us++)
		histogram_add(&h, us);
	cr_expect_eq(histogram_percentile(&h, 50), 50);
	cr_expect_eq(histogram_percentile(&h, 99), 99);
	cr_expect_eq(histogram_percentile(&h, 100), 100);
}

Test(histogram, percentiles_are_within_one_percent_above_256_us)
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

Test(histogram, a_percentile_never_exceeds_the_maximum)
{
	histogram_add(&h, 1000003);
	cr_expect_eq(histogram_percentile(&h, 99), 1000003);
	cr_expect_eq(h.max_us, 1000003);
}

Test(histogram, percentiles_of_an_empty_histogram_are_0)
{
	cr_expect_eq(histogram_percentile(&h, 50), 0);
}
