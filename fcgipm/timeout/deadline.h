/*
 * deadline.h - which request takes too long, and when to look again
 *
 * Pure: times in, a verdict out; timeout/watchdog looks and acts.  Times are
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
	DEADLINE_SLOW,		/* to be told, once */
	DEADLINE_LATE		/* to be ended */
};

/*
 * deadline_judge - a request that runs since since_ms
 *
 * logged_slow	it has been found slow already
 * next_ms	lowered to when it is due for something
 */
enum deadline_verdict deadline_judge(const struct deadline_limits *l,
	int64_t since_ms, bool logged_slow, int64_t now, int64_t *next_ms);

/*
 * deadline_pause - how long nothing of what begins now can be due
 *
 * exact	workers tell when a request began; else its clock begins at
 *		the first look that sees it, which so should come soon
 */
int64_t deadline_pause(const struct deadline_limits *l, bool exact);

#define DEADLINE_UNKNOWN UINT64_MAX

/* What a look at a process shows that tells nothing by itself. */
struct deadline_sight {
	ino_t connection;	/* the one it holds for longest; 0 = none */
	bool waits;		/* for bytes, perhaps of a client */
	/* What is not known is DEADLINE_UNKNOWN. */
	uint64_t reads;		/* calls of read(2) it made */
	uint64_t pauses;	/* times it slept, or others ran instead */
};

/* The clock of what it does; zeroed when a process starts. */
struct deadline_clock {
	struct deadline_sight last;
	int64_t since_ms;	/* 0 = it does not run */
	bool logged_slow;	/* the request has been found slow */
};

/*
 * deadline_follow - one more look
 *
 * A connection that is kept brings one request after the other, and a busy
 * worker is at work whenever it is looked at.  So the clock runs while the
 * worker waits for no bytes, and begins anew when it may have had the next
 * request: for that it has to read, and, as a client sends it after the
 * answer, to sleep; or, where both share a processor, to be put off it.
 *
 * disturbed	a tool has made it pause since the last look: that brings no
 *		other request to be told of
 */
void deadline_follow(struct deadline_clock *c, const struct deadline_sight *s,
	bool disturbed, int64_t now);

#endif
