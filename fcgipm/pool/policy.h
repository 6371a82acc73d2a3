/*
 * policy.h - how many workers a pool should have
 *
 * Pure: a view of the pool in, a decision out; no clock, no descriptors.
 * pool/pool asks after every event and does what it is told.
 */
#ifndef FCGIPM_POOL_POLICY_H
#define FCGIPM_POOL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* A pool's view of itself. */
struct policy_view {
	int64_t now_ms;		/* CLOCK_MONOTONIC */
	unsigned max_children;	/* workers wanted */
	unsigned starting;	/* spawned, not seen ready yet */
	unsigned up;		/* ready, idle or busy */
};

/* What is remembered between two decisions; zeroed at the pool's start. */
struct policy_memory {
	unsigned filled;	/* workers of the first fill already started */
	unsigned short_lives;	/* tolerated in a row, see below */
	unsigned bad_starts;	/* back-offs in a row, 0 after a good start */
	int64_t not_before_ms;	/* end of the back-off, 0 = none */
	int64_t window_ms;	/* begin of the second that replaced counts */
	unsigned replaced;	/* replacements started in that second */
};

struct policy_decision {
	unsigned start;		/* spawn so many now */
	int64_t again_ms;	/* ask again then, 0 = after the next event */
};

#define POLICY_BACKOFF_MIN_MS 100
#define POLICY_BACKOFF_MAX_MS 10000
/* Replacements a second, or one for each worker of a larger pool. */
#define POLICY_REPLACE_RATE 10
#define POLICY_SHORT_LIVES 10

/*
 * policy_decide - how many to start now
 *
 * The first fill starts at once.  After a bad start one worker is tried at a
 * time, when the back-off is over, until one comes up.  Deaths after useful
 * work are replaced at once, up to the rate.  Counts what it tells to start
 * in m.
 */
struct policy_decision policy_decide(struct policy_memory *m,
	const struct policy_view *v);

/* A worker became ready. */
void policy_note_up(struct policy_memory *m);

/*
 * policy_note_bad_start - a worker ended before it was ready
 *
 * Deaths during a back-off belong to the same failure and do not lengthen it.
 * returns	milliseconds until the next try
 */
int64_t policy_note_bad_start(struct policy_memory *m, int64_t now_ms);

/*
 * policy_note_short_life - a worker left with status 0 before it was seen
 * ready
 *
 * In a pool that has served it may have worked and left between two looks, as
 * programs do that serve a fixed number of requests.  Ten in a row without
 * one that stayed are no such luck.
 * returns	true when it is to be replaced at once, false when it counts
 *		as a bad start
 */
bool policy_note_short_life(struct policy_memory *m);

#endif
