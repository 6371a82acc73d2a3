/*
 * policy.h - how many workers a pool should have
 *
 * Pure: a view of the pool in, a decision out; no clock, no descriptors.
 * pool/adjust asks after every event and every inspection, and follows the
 * decision.
 */
#ifndef FCGIPM_POOL_POLICY_H
#define FCGIPM_POOL_POLICY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum policy_pm { POLICY_STATIC, POLICY_DYNAMIC, POLICY_ONDEMAND };

#define POLICY_IDLE_UNKNOWN (-1)
#define POLICY_NO_LIMIT UINT_MAX

/* What the administrator wants; checked, so that for a dynamic pool
 * 1 <= min_spare <= start_servers <= max_spare <= max_children. */
struct policy_limits {
	enum policy_pm pm;
	unsigned max_children;	/* static: always; else at most */
	unsigned start_servers;	/* dynamic: at the start */
	unsigned min_spare;	/* dynamic: idle at least */
	unsigned max_spare;	/* dynamic: idle at most */
	unsigned max_spawn_rate;	/* dynamic, ondemand: a second, >= 1 */
	unsigned max_retiring;	/* recycled at once; 0 = no recycling */
	unsigned threads;	/* connections a worker takes; 0 is 1 */
};

/* A pool's view of itself.  Figures that children wrote may be any. */
struct policy_view {
	struct policy_limits limits;
	int64_t now_ms;		/* CLOCK_MONOTONIC */
	unsigned starting;	/* spawned, not seen ready yet */
	unsigned up;		/* ready, idle or busy, not retiring */
	unsigned retiring;	/* told to leave or killed, not gone yet */
	unsigned retiring_due;	/* of them by retire_due */
	unsigned due;	/* of up: due for recycling */
	int idle;		/* threads of up that wait for a connection;
				 * POLICY_IDLE_UNKNOWN */
	unsigned idle_long;	/* of up: all threads are beyond the idle
				 * timeout */
	int64_t idle_long_next_ms;	/* the next one may be then; 0 = the
					 * pool is inspected anyway */
	unsigned queue;		/* connections nobody accepted yet */
	unsigned room;		/* processes the supervisor may add;
				 * POLICY_NO_LIMIT */
	int64_t settled_ms;	/* when the youngest of up that has lived for
				 * POLICY_LIFE_MS had done so; 0 = none has */
	int64_t settles_ms;	/* when the next of up will have; 0 = none.
				 * Both are read while short_lives > 0 only */
};

/* The end of a worker that was not retiring. */
struct policy_end {
	int64_t lived_ms;
	bool was_up;	/* it had been seen ready */
	bool failed;	/* not by itself with status 0 */
	bool served;	/* it is known to have ended a request */
};

/* What is remembered between two decisions; zeroed at the pool's start. */
struct policy_memory {
	unsigned filled;	/* workers of the first fill already started */
	bool begun;		/* the first fill was up once */
	unsigned short_lives;	/* in a row, see policy_note_end() */
	int64_t short_ms;	/* the first of them ended then */
	bool on_trial;		/* too many: to be up is not enough */
	unsigned bad_starts;	/* back-offs in a row, 0 after a good start */
	int64_t not_before_ms;	/* end of the back-off, 0 = none */
	int64_t window_ms;	/* begin of the second that replaced counts */
	unsigned replaced;	/* starts in it, the first fill's aside */
	int64_t spawn_ms;	/* begin of the second that spawned counts */
	unsigned spawn_rate;	/* for the load, in that second; 0 = none yet */
	unsigned spawned;	/* started for the load in it */
	bool is_long;		/* too many were idle at the last decision */
	int64_t long_ms;	/* since then, or since the last one left */
	unsigned held;		/* starting and up, replacements aside */
};

struct policy_decision {
	unsigned start;		/* spawn so many now */
	unsigned in_advance;	/* of them: for due ones that are still up */
	unsigned retire;	/* so many to leave, the oldest idle first */
	unsigned retire_due;	/* so many due ones to leave, idle first */
	bool at_max;		/* more would help: pm.max_children is met */
	bool at_room;		/* more would help: process.max is met */
	int64_t again_ms;	/* ask again then, 0 = after the next event */
};

#define POLICY_BACKOFF_MIN_MS 100
#define POLICY_BACKOFF_MAX_MS 8000
/* The same for workers that come up before they die: somebody's request may
 * be what they die of, and others are served meanwhile. */
#define POLICY_CRASH_MAX_MS 3000
/* Who lived for so long was no failure. */
#define POLICY_LIFE_MS 1000
/* Starts a second, or one for each worker of a larger pool. */
#define POLICY_REPLACE_RATE 10
/* So many in a row may be bad luck. */
#define POLICY_SHORT_LIVES 10

/*
 * policy_decide - how many to start and to retire now
 *
 * The first fill starts at once.  After a bad start one worker is tried at a
 * time, when the back-off is over, until one comes up; where workers came up
 * and died, until one has lived for POLICY_LIFE_MS.  Deaths after useful work
 * are replaced at once, up to the rate.  Counts what it tells to start in m.
 *
 * dynamic	idle and starting ones below min_spare and one for each
 *		connection that waits (or for as many as a worker has threads;
 *		idle threads count the same way): the missing ones are started,
 *		in this second 1, in the next 2, then 4, up to max_spawn_rate;
 *		a second without need begins at 1 again.  Above max_spare for a
 *		second: one leaves, each second.  Fewer than min_spare workers
 *		at all are deaths, and replaced as such.
 * ondemand	one for each connection that waits, up to max_spawn_rate a
 *		second, and no spare ones; those of idle_long leave
 * unknown idle	more for connections that wait only, never fewer
 * due		the number is exceeded by a replacement, and when it is up one
 *		of those that are due leaves; at most max_retiring at once.  A
 *spare worker that is up already is a replacement.  Without room in the
 *		supervisor the due one leaves first.
 *
 * Processes are at most max_children, and max_retiring more while due ones
 * are replaced.  More up than that (a limit was lowered): the surplus leaves.
 */
struct policy_decision policy_decide(
	struct policy_memory *m, const struct policy_view *view);

/* How many workers a pool begins with: when they are up, it serves. */
unsigned policy_fill(const struct policy_limits *l);

/* A worker became ready. */
void policy_note_up(struct policy_memory *m);

/*
 * policy_note_bad_start - there could be no worker
 *
 * Failures during a back-off are the same one and do not lengthen it.
 * returns	milliseconds until the next try
 */
int64_t policy_note_bad_start(struct policy_memory *m, int64_t now_ms);

/*
 * policy_note_end - a worker ended untold: was that a failure of the program?
 *
 * Not after a life of POLICY_LIFE_MS, nor when it served, nor with status 0
 * once it was up: that is recycling.  Every other life was short.  It is a bad
 * start when the worker was not ready yet; yet with status 0, in a pool that
 * has served, it may have worked and left between two inspections.  Short lives of
 * any kind are bad starts when there were more than POLICY_SHORT_LIVES of them
 * in a row, without one between them, or beside them since the first, that was
 * not: a request that kills the worker that takes it does not keep a pool from the
 * others, as long as some of them live on.
 *
 * returns	0 when it is to be replaced at once, else the milliseconds
 *		until the next try
 */
int64_t policy_note_end(
	struct policy_memory *m, int64_t now_ms, const struct policy_end *end);

#endif
