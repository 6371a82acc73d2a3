/*
 * policy.h - decides how many workers to start and to retire
 *
 * Implements the pm.* keys: the start rate, the limits, the recycling of
 * workers and the back-off after crashes.  Pure: it gets a view of the pool
 * and returns a decision; it uses no clock and no descriptors.  pool/adjust
 * calls it after every event and every inspection, and does what it decided.
 */
#ifndef FCGIPM_POOL_POLICY_H
#define FCGIPM_POOL_POLICY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum policy_pm { POLICY_STATIC, POLICY_DYNAMIC, POLICY_ONDEMAND };

#define POLICY_IDLE_UNKNOWN (-1)
#define POLICY_NO_LIMIT UINT_MAX

/* The pm.* keys; checked, so that for a dynamic pool
 * 1 <= min_spare <= start_servers <= max_spare <= max_children. */
struct policy_limits {
	enum policy_pm pm;
	unsigned max_children;	/* static: always; else the maximum */
	unsigned start_servers;	/* dynamic: at startup */
	unsigned min_spare;	/* dynamic: minimum of idle workers */
	unsigned max_spare;	/* dynamic: maximum of idle workers */
	unsigned max_spawn_rate;	/* dynamic, ondemand: a second, >= 1 */
	unsigned max_retiring;	/* recycled at once; 0 = no recycling */
	unsigned threads;	/* connections of one worker; 0 means 1 */
};

/* The state of a pool.  Values that children wrote may be wrong. */
struct policy_view {
	struct policy_limits limits;
	int64_t now_ms;		/* CLOCK_MONOTONIC */
	unsigned starting;	/* spawned, not seen ready yet */
	unsigned up;		/* ready, idle or busy, not retiring */
	unsigned retiring;	/* retired or killed, not dead yet */
	unsigned retiring_due;	/* of retiring: because of retire_due */
	unsigned due;	/* of up: due for recycling */
	int idle;		/* threads of up that wait for a connection;
				 * or POLICY_IDLE_UNKNOWN */
	unsigned idle_long;	/* of up: all threads idle for longer than
				 * pm.process_idle_timeout */
	int64_t idle_long_next_ms;	/* when the next one may be; 0 = the
					 * pool is inspected anyway */
	unsigned queue;		/* connections in the listen queue */
	unsigned room;		/* processes that process.max still allows;
				 * or POLICY_NO_LIMIT */
	int64_t settled_ms;	/* when the youngest of up that has lived for
				 * POLICY_LIFE_MS had done so; 0 = none has */
	int64_t settles_ms;	/* when the next of up will have; 0 = none.
				 * Both are read while short_lives > 0 only */
};

/* The end of a worker that was not retiring. */
struct policy_end {
	int64_t lived_ms;
	bool was_up;	/* it had been seen ready */
	bool failed;	/* not an exit with status 0 */
	bool served;	/* it is known to have answered a request */
};

/* What is remembered between two decisions; zeroed at the pool's start. */
struct policy_memory {
	unsigned filled;	/* workers of the first fill already started */
	bool begun;		/* the first fill has been ready */
	unsigned short_lives;	/* in a row, see policy_note_end() */
	int64_t short_ms;	/* when the first of them ended */
	bool on_trial;		/* too many: a worker that is ready does not
				 * end the back-off, one that lives on does */
	unsigned bad_starts;	/* back-offs in a row, 0 after a valid start */
	int64_t not_before_ms;	/* end of the back-off, 0 = none */
	int64_t window_ms;	/* begin of the second that replaced counts */
	unsigned replaced;	/* starts in it, without the first fill */
	int64_t spawn_ms;	/* begin of the second that spawned counts */
	unsigned spawn_rate;	/* for the load, in that second; 0 = none yet */
	unsigned spawned;	/* started for the load in it */
	bool is_long;		/* too many were idle at the last decision */
	int64_t long_ms;	/* since then, or since the last retirement */
	unsigned held;		/* starting and up, without replacements */
};

struct policy_decision {
	unsigned start;		/* workers to start now */
	unsigned in_advance;	/* of them: replacements for due workers that
				 * are still up */
	unsigned retire;	/* workers to retire, the oldest idle first */
	unsigned retire_due;	/* due workers to retire, idle ones first */
	bool at_max;		/* pm.max_children prevents a start */
	bool at_room;		/* process.max prevents a start */
	int64_t again_ms;	/* decide again then; 0 = after an event */
};

#define POLICY_BACKOFF_MIN_MS 100
#define POLICY_BACKOFF_MAX_MS 8000
/* The same for workers that become ready before they die: one client's
 * requests may crash them, and other clients are served in between. */
#define POLICY_CRASH_MAX_MS 3000
/* A worker that lived for so long was not a failure. */
#define POLICY_LIFE_MS 1000
/* Maximum of starts a second, or the number of workers of a larger pool. */
#define POLICY_REPLACE_RATE 10
/* Short lives in a row that do not cause a back-off yet. */
#define POLICY_SHORT_LIVES 10

/*
 * policy_decide - how many to start and to retire now
 *
 * The first fill starts at once.  After a bad start and its back-off, one
 * worker is started at a time until one is ready.  If workers became ready and
 * died, one worker is started at a time until one has lived for
 * POLICY_LIFE_MS.  A worker that died after useful work is replaced at once,
 * up to the rate.  The starts that it decides are counted in m.
 *
 * dynamic	Wanted are min_spare idle workers and one worker for each
 *		connection in the queue (with threads: one for as many
 *		connections; idle threads count the same way).  Workers that
 *		start count as idle.  The missing ones are started: 1 in the
 *		first second, 2 in the next, then 4, up to max_spawn_rate; after
 *		a second without need the rate is 1 again.  When more than
 *		max_spare workers have been idle for a second, one is retired
 *		each second.  Fewer than min_spare workers in all means that
 *		workers died; these are replaced at once.
 * ondemand	One worker is started for each connection in the queue, up to
 *		max_spawn_rate a second; no spare ones.  Workers of idle_long
 *		are retired.
 * unknown idle	Workers are started only for connections in the queue, and
 *		none is retired because of load.
 * due		A replacement is started in excess of the number of workers.
 *		When it is ready, one of the due workers is retired; at most
 *		max_retiring at once.  A spare worker that is ready already is
 *		a replacement.  If process.max leaves no room, the due worker is
 *		retired first.
 *
 * There are at most max_children processes, and max_retiring more while due
 * workers are replaced.  If more are up (a limit was lowered), the surplus is
 * retired.
 */
struct policy_decision policy_decide(
	struct policy_memory *m, const struct policy_view *view);

/* How many workers a pool starts with: when they are ready, the pool is. */
unsigned policy_fill(const struct policy_limits *l);

/* A worker became ready. */
void policy_note_up(struct policy_memory *m);

/*
 * policy_note_bad_start - a worker could not be started
 *
 * Further failures during a back-off do not lengthen it.
 * returns	milliseconds until the next start
 */
int64_t policy_note_bad_start(struct policy_memory *m, int64_t now_ms);

/*
 * policy_note_end - a worker exited without being retired: judges whether the
 * program failed
 *
 * It did not fail if it lived for POLICY_LIFE_MS, if it served, or if it was
 * ready and exited with status 0: such programs recycle themselves.  Every
 * other life was short.
 *
 * A short life is a bad start if the worker was not ready yet.  The exception
 * is status 0 in a pool whose first workers were ready and that does not back
 * off: the worker may have served and exited between two inspections.
 *
 * Any short life is a bad start after more than POLICY_SHORT_LIVES of them in
 * a row.  The row ends when a life was not short, or when any worker reaches
 * POLICY_LIFE_MS after the first of them ended.  So a request that crashes its
 * worker does not cause a back-off while other workers live on.
 *
 * returns	0 when it is replaced at once, else the milliseconds until
 *		the next start
 */
int64_t policy_note_end(
	struct policy_memory *m, int64_t now_ms, const struct policy_end *end);

#endif
