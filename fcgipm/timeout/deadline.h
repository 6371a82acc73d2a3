/*
 * deadline.h - which request takes too long, and when to check again
 *
 * Pure: times in, a verdict out; timeout/watchdog observes and acts.  Times are
 * milliseconds of CLOCK_MONOTONIC.
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
	DEADLINE_LATE		/* end it */
};

/*
 * deadline_judge - is a request that began at since_ms too old?
 *
 * logged_slow	it has been found slow already
 * next_ms	lowered to the time at which the verdict will change
 */
enum deadline_verdict deadline_judge(const struct deadline_limits *l,
	int64_t since_ms, bool logged_slow, int64_t now, int64_t *next_ms);

/*
 * deadline_pause - how long a request that begins now needs no check
 *
 * exact	workers tell when a request began; else its clock starts at
 *		the first check that sees it, so that has to come soon
 */
int64_t deadline_pause(const struct deadline_limits *l, bool exact);

#define DEADLINE_UNKNOWN UINT64_MAX

/* What is seen of a process at one check; two of them show what it did. */
struct deadline_sample {
	ino_t connection;	/* the one it has held longest; 0 = none */
	bool waits;		/* for bytes, perhaps from a client */
	/* DEADLINE_UNKNOWN where it cannot be seen: */
	uint64_t reads;		/* calls of read(2) so far */
	uint64_t pauses;	/* times it slept or was preempted so far */
};

/* Times the request of a process; zeroed when the process starts. */
struct deadline_clock {
	struct deadline_sample last;
	int64_t since_ms;	/* 0 = no request is being timed */
	bool logged_slow;	/* the request has been found slow */
};

/*
 * deadline_follow - takes one more check into the clock
 *
 * A connection that is kept open brings one request after the other, and a
 * busy worker is at work whenever it is checked.  So the clock runs while the
 * worker does not wait for bytes, and starts again when the worker may have
 * got its next request.  For that it has to read, and, since the client sends
 * the request only after the answer, to sleep before; or, where both share a
 * processor, to be preempted.
 *
 * disturbed	a tool has made it pause since the last check: a request that
 *		was logged as slow is not logged again because of that
 */
void deadline_follow(struct deadline_clock *c, const struct deadline_sample *s,
	bool disturbed, int64_t now);

#endif
