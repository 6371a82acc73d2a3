/*
 * policy.c - how many workers a pool should have; see policy.h
 */
#include "base/util.h"
#include "pool/policy.h"

/* How many replacements the rate still allows in this second. */
static unsigned
allowance(struct policy_memory *m, const struct policy_view *v)
{
	unsigned rate = MAX(v->max_children, POLICY_REPLACE_RATE);

	if (m->replaced == 0 || v->now_ms - m->window_ms >= 1000) {
		m->window_ms = v->now_ms;
		m->replaced = 0;
	}
	return rate - MIN(rate, m->replaced);
}

struct policy_decision
policy_decide(struct policy_memory *m, const struct policy_view *v)
{
	struct policy_decision d = {0};
	unsigned alive = v->starting + v->up;
	unsigned missing = v->max_children - MIN(alive, v->max_children);
	unsigned first, more;

	if (missing == 0)
		return d;
	if (m->bad_starts > 0) {
		/* One at a time, and its fate decides: its end or its
		 * readiness is the next event. */
		if (v->starting > 0)
			return d;
		if (v->now_ms < m->not_before_ms) {
			d.again_ms = m->not_before_ms;
			return d;
		}
		missing = 1;
	}
	first = MIN(missing, v->max_children - MIN(m->filled,
				     v->max_children));
	more = MIN(missing - first, allowance(m, v));
	m->filled += first;
	m->replaced += more;
	d.start = first + more;
	if (d.start < missing)
		d.again_ms = m->window_ms + 1000;
	return d;
}

void
policy_note_up(struct policy_memory *m)
{
	m->short_lives = 0;
	m->bad_starts = 0;
	m->not_before_ms = 0;
}

int64_t
policy_note_bad_start(struct policy_memory *m, int64_t now_ms)
{
	int64_t pause = POLICY_BACKOFF_MIN_MS;
	unsigned i;

	if (m->bad_starts > 0 && now_ms < m->not_before_ms)
		return m->not_before_ms - now_ms;
	for (i = 0; i < m->bad_starts && pause < POLICY_BACKOFF_MAX_MS; i++)
		pause *= 2;
	pause = MIN(pause, POLICY_BACKOFF_MAX_MS);
	m->bad_starts++;
	m->not_before_ms = now_ms + pause;
	return pause;
}

bool
policy_note_short_life(struct policy_memory *m)
{
	if (m->short_lives == POLICY_SHORT_LIVES || m->bad_starts > 0)
		return false;
	m->short_lives++;
	return true;
}
