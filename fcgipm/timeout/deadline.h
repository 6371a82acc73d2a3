/*
 * deadline.h - decides which request takes too long, and when to check again
 *
 * Pure.  timeout/watchdog observes the workers and acts on the result.  Times
 * are milliseconds of CLOCK_MONOTONIC.
 */
#ifndef FCGIPM_TIMEOUT_DEADLINE_H
#define FCGIPM_TIMEOUT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct deadline_limits {
	int64_t slow_ms;	/* request_slowlog_timeout, 0 = never */
	int64_t late_ms;	/* request_terminate_timeout, 0 = never */
};

enum deadline_verdict {
	DEADLINE_FINE,
	DEADLINE_SLOW,		/* log it, once */
	DEADLINE_LATE		/* kill its process */
};

/*
 * deadline_judge - decides whether a request that began at since_ms is too old
 *
 * logged_slow	it has already been logged as slow
 * next_ms	lowered to the time at which the result will change
 */
enum deadline_verdict deadline_judge(const struct deadline_limits *l,
	int64_t since_ms, bool logged_slow, int64_t now, int64_t *next_ms);

/*
 * deadline_pause - returns how long a request that begins now needs no check
 *
 * exact	workers report when a request began.  Otherwise its clock
 *		starts at the first check that finds it, so that check must be
 *		soon
 */
int64_t deadline_pause(const struct deadline_limits *l, bool exact);

#define DEADLINE_UNKNOWN UINT64_MAX

/* What one check finds out about a process; two of them show what it did in
 * between. */
struct deadline_sample {
	ino_t connection;	/* its oldest connection; 0 = none */
	bool waits;		/* for bytes, perhaps from a client */
	/* DEADLINE_UNKNOWN if it cannot be read: */
	uint64_t reads;		/* calls of read(2) so far */
	uint64_t pauses;	/* times it slept or was preempted so far */
};

/* Times the request of a process; zeroed when the process starts. */
struct deadline_clock {
	struct deadline_sample last;
	int64_t since_ms;	/* 0 = no request is being timed */
	bool logged_slow;	/* the request has been logged as slow */
};

/*
 * deadline_follow - updates the clock with one more check
 *
 * A keep-alive connection carries one request after the other, and each check
 * may find the worker busy.  So the clock runs while the worker does not wait
 * for bytes, and restarts when the worker may have received its next request.
 * To receive it, the worker must read.  It must also have slept before, since
 * the client sends the request only after the answer, or have been preempted if
 * both share a processor.
 *
 * disturbed	a tool has stopped the process since the last check: a request
 *		that was logged as slow is not logged again because of that
 */
void deadline_follow(struct deadline_clock *c, const struct deadline_sample *s,
	bool disturbed, int64_t now);

#endif
