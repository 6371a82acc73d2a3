/*
 * histogram.h - latencies, counted so that percentiles are within 1 %
 *
 * Pure.  Buckets are linear below 256 us and 128 for each power of two above.
 */
#ifndef FCGIPM_CTL_HISTOGRAM_H
#define FCGIPM_CTL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (256 + 32 * 128)

struct histogram {
	uint64_t count[HISTOGRAM_BUCKETS];
	uint64_t n;		/* values added */
	uint64_t max_us;
};

void histogram_add(struct histogram *h, uint64_t us);

/*
 * histogram_percentile - the value that so many of a hundred do not exceed
 *
 * returns	microseconds, never above max_us; 0 when empty
 */
uint64_t histogram_percentile(const struct histogram *h, double percent);

#endif
