/*
 * histogram.c - latency histogram; see histogram.h
 *
 * Called by ctl/bench.
 */
#include <stddef.h>

#include "base/util.h"
#include "ctl/histogram.h"

static size_t
bucket_of(uint64_t us)
{
	unsigned shift;
	size_t i;

	if (us < 256)
		return (size_t)us;
	/* The highest bit selects the power of two, the next seven bits the
	 * bucket within it. */
	shift = 63 - (unsigned)__builtin_clzll(us) - 7;
	i = 256 + (size_t)(shift - 1) * 128 + (size_t)(us >> shift) - 128;
	return MIN(i, (size_t)HISTOGRAM_BUCKETS - 1);
}

/* The largest value that a bucket counts. */
static uint64_t
top_of(size_t bucket)
{
	unsigned shift;

	if (bucket < 256)
		return bucket;
	shift = (unsigned)((bucket - 256) / 128) + 1;
	return (((uint64_t)((bucket - 256) % 128) + 128 + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, uint64_t us)
{
	h->count[bucket_of(us)]++;
	h->n++;
	h->max_us = MAX(h->max_us, us);
}

uint64_t
histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t want = (uint64_t)((double)h->n * percent / 100.0 + 0.5);
	uint64_t seen = 0;
	size_t i;

	want = MAX(want, (uint64_t)1);
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->count[i];
		if (seen >= want)
			return MIN(top_of(i), h->max_us);
	}
	return h->max_us;
}
