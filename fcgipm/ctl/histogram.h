/*
 * histogram.h - latency histogram with percentiles accurate to 1 %
 *
 * Pure.  Below 256 us there is one bucket for each microsecond, above that 128
 * buckets for each power of two.
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
 * histogram_percentile - the value that percent of the values do not exceed
 *
 * returns	microseconds, never above max_us; 0 when empty
 */
uint64_t histogram_percentile(const struct histogram *h, double percent);

#endif
