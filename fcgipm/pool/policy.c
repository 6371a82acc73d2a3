/*
 * policy.c - decides how many workers to start and to retire; see policy.h
 *
 * Called by pool/adjust, and by pool/lifecycle when a worker became ready or
 * died.  First each rule determines how many workers it wants; then the
 * back-off, the rates and the limits determine how many of them start now.
 */
#include "pool/policy.h"
#include "base/util.h"

#define SECOND_MS 1000

/* Workers that are wanted, by reason.  Limits are applied in this order. */
struct wants {
	unsigned missing; /* below the minimum, see least() */
	unsigned load;		/* for connections, now or soon */
	unsigned advance; /* replacements of workers due for recycling */
	bool at_max;		/* max_children reduced load */
};

/* a - b, or 0. */
static unsigned
diff_or_0(unsigned a, unsigned b)
{
	return a - MIN(a, b);
}

static bool
is_known(const struct policy_view *v)
{
	return v->idle >= 0;
}

unsigned
policy_fill(const struct policy_limits *l)
{
	if (l->pm == POLICY_STATIC)
		return l->max_children;
	return l->pm == POLICY_DYNAMIC ? l->start_servers : 0;
}

/* The minimum of workers.  Fewer mean that workers died. */
static unsigned
least(const struct policy_memory *m, const struct policy_limits *l)
{
	return l->pm == POLICY_DYNAMIC && m->begun ? l->min_spare
						   : policy_fill(l);
}

static unsigned
threads(const struct policy_view *v)
{
	return MAX(v->limits.threads, 1U);
}

/* How many workers are missing for the load; below 0: how many are spare. */
static int64_t
lack(const struct policy_view *v)
{
	const struct policy_limits *l = &v->limits;
	int64_t each = threads(v), places = (int64_t)v->queue;

	if (l->pm == POLICY_STATIC)
		return 0;
	if (is_known(v))
		places -= v->idle;
	if (is_known(v) && l->pm == POLICY_DYNAMIC)
		places += each * l->min_spare;
	places -= each * v->starting;
	/* A fraction counts as a missing worker, but not as a spare one. */
	return places > 0 ? (places + each - 1) / each : places / each;
}

/* How many workers due for recycling may be retired next. */
static unsigned
turns(const struct policy_view *v)
{
	return MIN(v->due, diff_or_0(v->limits.max_retiring, v->retiring_due));
}

/* Replacements to start while the workers due for recycling are up. */
static unsigned
advance(const struct policy_memory *m, const struct policy_view *v)
{
	unsigned serving = v->starting + v->up, n = turns(v);
	unsigned max = v->limits.max_children;
	int64_t lacks = lack(v);

	if (v->limits.pm == POLICY_STATIC)
		return diff_or_0(n, diff_or_0(serving, max));
	if (!is_known(v))
		return diff_or_0(n, diff_or_0(serving, m->held));
	/* Spare workers, up or starting, are replacements. */
	if (lacks <= 0)
		return -lacks < n ? n - (unsigned)-lacks : 0;
	/* More are started for the load, unless max_children is reached. */
	return serving >= max ? diff_or_0(n, serving - max) : 0;
}

static struct wants
wants(const struct policy_memory *m, const struct policy_view *v)
{
	const struct policy_limits *l = &v->limits;
	unsigned serving = v->starting + v->up;
	/* Workers retiring for recycling have their replacement already. */
	unsigned space = diff_or_0(l->max_children,
		serving + diff_or_0(v->retiring, v->retiring_due));
	int64_t lacks = lack(v);
	struct wants w = {0};

	w.missing = MIN(diff_or_0(least(m, l), serving), space);
	if (lacks > w.missing) {
		w.at_max = serving >= l->max_children;
		w.load = (unsigned)MIN(lacks, (int64_t)space) - w.missing;
	}
	w.advance = MIN(advance(m, v),
		diff_or_0(l->max_children + l->max_retiring,
			serving + v->retiring + w.missing + w.load));
	return w;
}

/* How many starts the rate still allows in this second. */
static unsigned
allowance(struct policy_memory *m, const struct policy_view *v)
{
	unsigned rate = MAX(v->limits.max_children, POLICY_REPLACE_RATE);

	if (m->replaced == 0 || v->now_ms - m->window_ms >= SECOND_MS) {
		m->window_ms = v->now_ms;
		m->replaced = 0;
	}
	return diff_or_0(rate, m->replaced);
}

/* The same for a growing load: the rate doubles from second to second.  Not in
 * an ondemand pool, where a client waits for each worker already. */
static unsigned
growth(struct policy_memory *m, const struct policy_view *v)
{
	int64_t age_ms = v->now_ms - m->spawn_ms;
	unsigned max = v->limits.max_spawn_rate;

	if (m->spawn_rate == 0 || age_ms >= SECOND_MS) {
		if (v->limits.pm == POLICY_ONDEMAND)
			m->spawn_rate = max;
		else if (m->spawn_rate == 0 || age_ms >= 2 * SECOND_MS)
			m->spawn_rate = 1;
		else
			m->spawn_rate = MIN(m->spawn_rate * 2, max);
		m->spawn_ms = v->now_ms;
		m->spawned = 0;
	}
	return diff_or_0(m->spawn_rate, m->spawned);
}

static void
ask_again(struct policy_decision *d, int64_t at_ms)
{
	if (d->again_ms == 0 || at_ms < d->again_ms)
		d->again_ms = at_ms;
}

static unsigned
draw(unsigned *left, unsigned n)
{
	n = MIN(n, *left);
	*left -= n;
	return n;
}

/*
 * Decides how many of the wanted workers start now: after a bad start at most
 * one, so that the next event is its death or readiness.
 */
static void
start(struct policy_memory *m, const struct policy_view *v,
	const struct wants *w, unsigned most, struct policy_decision *d)
{
	unsigned load = w->load ? MIN(w->load, growth(m, v)) : 0;
	unsigned wanted = MIN(w->missing + load + w->advance, most);
	unsigned left = MIN(wanted, v->room), first, rate, loaded;

	if (load < w->load && wanted < most)
		ask_again(d, m->spawn_ms + SECOND_MS);
	if (left < wanted) {
		/* There is no event when another pool makes room. */
		d->at_room = true;
		ask_again(d, v->now_ms + SECOND_MS);
	}
	first = draw(&left,
		MIN(w->missing, diff_or_0(policy_fill(&v->limits), m->filled)));
	rate = MIN(left, allowance(m, v));
	if (rate < left)
		ask_again(d, m->window_ms + SECOND_MS);
	d->start = first + rate;
	m->filled += first;
	m->replaced += rate;
	(void)draw(&rate, w->missing - first);
	loaded = draw(&rate, load);
	m->spawned += loaded;
	d->in_advance = rate;
}

static void
decide_start(struct policy_memory *m, const struct policy_view *v,
	const struct wants *w, struct policy_decision *d)
{
	d->at_max = w->at_max;
	if (w->missing + w->load + w->advance == 0)
		return;
	if (m->bad_starts == 0)
		start(m, v, w, UINT_MAX, d);
	else if (v->starting > 0)
		return;
	else if (m->on_trial && v->settles_ms > v->now_ms)
		ask_again(d, v->settles_ms);
	else if (v->now_ms < m->not_before_ms)
		ask_again(d, m->not_before_ms);
	else
		start(m, v, w, 1, d);
}

/* Workers that the pool does not need.  They need not be idle. */
static unsigned
dispensable(const struct policy_memory *m, const struct policy_view *v)
{
	unsigned over = diff_or_0(v->up, v->limits.max_children);
	int64_t spare;

	if (v->limits.pm == POLICY_STATIC)
		return over;
	if (!is_known(v))
		return MAX(over, diff_or_0(v->up, m->held));
	/* Workers that start may never become ready. */
	spare = -lack(v) - v->starting;
	return spare > over ? (unsigned)spare : over;
}

static void
decide_due(const struct policy_memory *m, const struct policy_view *v,
	const struct wants *w, struct policy_decision *d)
{
	d->retire_due = MIN(turns(v), dispensable(m, v));
	/* Being one worker short is better than keeping a leaking worker. */
	if (d->retire_due == 0 && w->advance > 0 && v->room == 0 &&
		v->starting == 0 && v->retiring == 0 && m->bad_starts == 0)
		d->retire_due = 1;
}

/* dynamic: more than max_spare for a second: one is retired. */
static void
decide_long(struct policy_memory *m, const struct policy_view *v, bool too_many,
	struct policy_decision *d)
{
	/* A surplus busy worker may turn idle without any event. */
	if (v->up > v->limits.max_spare)
		ask_again(d, v->now_ms + SECOND_MS);
	if (!too_many || !m->is_long) {
		m->is_long = too_many;
		m->long_ms = v->now_ms;
		return;
	}
	if (v->now_ms - m->long_ms >= SECOND_MS) {
		m->long_ms = v->now_ms;
		d->retire = 1;
	} else {
		ask_again(d, m->long_ms + SECOND_MS);
	}
}

static void
decide_idle(struct policy_memory *m, const struct policy_view *v,
	struct policy_decision *d)
{
	const struct policy_limits *l = &v->limits;
	int64_t places = (int64_t)v->idle - v->queue -
		(int64_t)d->retire_due * threads(v);
	unsigned idle =
		is_known(v) && places > 0 ? (unsigned)(places / threads(v)) : 0;

	if (!is_known(v))
		m->is_long = false;
	else if (l->pm == POLICY_DYNAMIC)
		decide_long(m, v, idle > l->max_spare, d);
	if (l->pm == POLICY_ONDEMAND) {
		d->retire = MIN(v->idle_long, idle);
		if (v->idle_long_next_ms > v->now_ms)
			ask_again(d, v->idle_long_next_ms);
	}
	d->retire = MAX(d->retire, diff_or_0(v->up, l->max_children + v->due));
}

/* Corrects contradictory values. */
static struct policy_view
sane(const struct policy_view *view)
{
	struct policy_view v = *view;

	v.idle = (int)MIN(v.idle, MIN((int64_t)v.up * threads(&v), INT_MAX));
	v.due = MIN(v.due, v.up);
	v.retiring_due = MIN(v.retiring_due, v.retiring);
	return v;
}

/* The program works.  The back-off of failed starts continues, unless the pool
 * was on trial. */
static void
forget_short_lives(struct policy_memory *m)
{
	if (m->on_trial) {
		m->bad_starts = 0;
		m->not_before_ms = 0;
	}
	m->on_trial = false;
	m->short_lives = 0;
}

struct policy_decision
policy_decide(struct policy_memory *m, const struct policy_view *view)
{
	const struct policy_view good = sane(view), *v = &good;
	struct policy_decision d = {0};
	struct wants w;
	unsigned base;

	if (v->up >= policy_fill(&v->limits))
		m->begun = true;
	/* A worker that settled before the first short life proves nothing
	 * about the workers started now. */
	if (m->short_lives > 0 && v->settled_ms > m->short_ms)
		forget_short_lives(m);
	w = wants(m, v);
	decide_start(m, v, &w, &d);
	decide_due(m, v, &w, &d);
	decide_idle(m, v, &d);
	base = v->starting + v->up + d.start - d.in_advance;
	if (is_known(v) || v->due + v->retiring_due == 0)
		m->held = base;
	else
		m->held += d.start - d.in_advance;
	return d;
}

void
policy_note_up(struct policy_memory *m)
{
	if (m->on_trial)
		return;
	m->bad_starts = 0;
	m->not_before_ms = 0;
}

static int64_t
back_off(struct policy_memory *m, int64_t now_ms, int64_t max_ms)
{
	int64_t pause = POLICY_BACKOFF_MIN_MS;
	unsigned i;

	if (m->bad_starts > 0 && now_ms < m->not_before_ms)
		return m->not_before_ms - now_ms;
	for (i = 0; i < m->bad_starts && pause < max_ms; i++)
		pause *= 2;
	pause = MIN(pause, max_ms);
	m->bad_starts++;
	m->not_before_ms = now_ms + pause;
	return pause;
}

int64_t
policy_note_bad_start(struct policy_memory *m, int64_t now_ms)
{
	return back_off(m, now_ms, POLICY_BACKOFF_MAX_MS);
}

int64_t
policy_note_end(
	struct policy_memory *m, int64_t now_ms, const struct policy_end *end)
{
	if (end->served || end->lived_ms >= POLICY_LIFE_MS ||
		(end->was_up && !end->failed)) {
		forget_short_lives(m);
		return 0;
	}
	if (m->short_lives++ == 0)
		m->short_ms = now_ms;
	if (m->short_lives > POLICY_SHORT_LIVES)
		m->on_trial = true;
	if (end->was_up)
		return m->on_trial ? back_off(m, now_ms, POLICY_CRASH_MAX_MS)
				   : 0;
	if (!m->on_trial && !end->failed && m->begun && m->bad_starts == 0)
		return 0;
	return policy_note_bad_start(m, now_ms);
}
