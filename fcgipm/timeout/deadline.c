/*
 * deadline.c - decides which request takes too long; see deadline.h
 *
 * Called by timeout/watchdog.  Pure: no descriptors, no clock.
 */
#include "base/util.h"
#include "timeout/deadline.h"

/* Between two checks of a worker that does not report when a request begins. */
#define CHECK_MS 1000

enum deadline_verdict
deadline_judge(const struct deadline_limits *l, int64_t since_ms,
	bool logged_slow, int64_t now, int64_t *next_ms)
{
	int64_t ran = MAX(now - since_ms, (int64_t)0);

	if (l->late_ms > 0 && ran >= l->late_ms)
		return DEADLINE_LATE;
	if (l->late_ms > 0)
		*next_ms = MIN(*next_ms, now + l->late_ms - ran);
	if (l->slow_ms == 0 || logged_slow)
		return DEADLINE_FINE;
	if (ran >= l->slow_ms)
		return DEADLINE_SLOW;
	*next_ms = MIN(*next_ms, now + l->slow_ms - ran);
	return DEADLINE_FINE;
}

int64_t
deadline_pause(const struct deadline_limits *l, bool exact)
{
	int64_t least = l->slow_ms == 0 || (l->late_ms > 0 &&
					l->late_ms < l->slow_ms) ?
		l->late_ms : l->slow_ms;

	return exact ? least : MIN(least / 2, (int64_t)CHECK_MS);
}

/* A counter that was unknown may have grown. */
static bool
may_have_grown(uint64_t was, uint64_t is)
{
	return was != is || was == DEADLINE_UNKNOWN;
}

void
deadline_follow(struct deadline_clock *c, const struct deadline_sample *s,
	bool disturbed, int64_t now)
{
	if (s->connection == 0 || s->waits) {
		*c = (struct deadline_clock){0};
		return;
	}
	if (c->last.connection != s->connection) {
		*c = (struct deadline_clock){.since_ms = now};
	} else if (may_have_grown(c->last.reads, s->reads) &&
		may_have_grown(c->last.pauses, s->pauses)) {
		c->since_ms = now;
		c->logged_slow = c->logged_slow && disturbed;
	}
	c->last = *s;
}
