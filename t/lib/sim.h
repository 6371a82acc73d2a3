/*
 * sim.h - a simulated pool, which checks each decision of the policy, for unit
 * tests
 *
 * Every history of a pool has its own seed, which a failure prints.
 * FCGIPM_SEED=N runs only that history.
 */
#ifndef FCGIPM_T_SIM_H
#define FCGIPM_T_SIM_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/util.h"
#include "pool/policy.h"

/* Steps of a history in which anything may happen. */
#define STEPS 24

/* Not cr_assert(), which reports each success to the runner. */
#define HOLDS(p, cond, what, ...)                                              \
	do {                                                                   \
		if (!(cond))                                                   \
			cr_assert_fail("FCGIPM_SEED=%lu at %ld ms: " what,     \
				(p)->seed, (long)(p)->v.now_ms,                \
				##__VA_ARGS__);                                \
	} while (0)

struct sim {
	unsigned long seed;
	uint64_t random;
	struct policy_view v;	/* with the true idle, known or not */
	struct policy_memory m;
	bool known;		/* does the view have idle? */
	bool begun;
	int64_t free_ms;	/* end of the back-off; INT64_MIN = none */
	unsigned row;		/* short lives in a row */
	int64_t row_ms;		/* end of the first of them */
	bool trial;		/* a back-off because of them */
	struct {
		int64_t at_ms;
		unsigned n;
	} starts[STEPS * 8];	/* without the first fill */
	unsigned nstarts;
	unsigned filled;
};

/* splitmix64 */
static inline unsigned
dice(struct sim *p, unsigned n)
{
	uint64_t z = p->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ z >> 31) >> 32) % n;
}

static inline unsigned
between(struct sim *p, unsigned low, unsigned high)
{
	return low + dice(p, high - low + 1);
}

/* Returns an empty pool whose limits follow from the seed. */
static inline struct sim
pool(unsigned long seed)
{
	struct sim p = {.seed = seed, .random = seed, .known = true,
		.free_ms = INT64_MIN};
	struct policy_limits *l = &p.v.limits;

	l->pm = dice(&p, 3);
	l->max_children = between(&p, 1, 40);
	l->min_spare = between(&p, 1, l->max_children);
	l->max_spare = between(&p, l->min_spare, l->max_children);
	l->start_servers = between(&p, l->min_spare, l->max_spare);
	l->max_spawn_rate = between(&p, 1, 32);
	l->max_retiring = between(&p, 1, 4);
	l->threads = dice(&p, 4) ? 1 : 4;
	p.v.room = POLICY_NO_LIMIT;
	p.v.now_ms = dice(&p, 2) * 100000;
	return p;
}

/* Runs the history of one seed, or all of them. */
static inline void
for_each_seed(unsigned n, void (*history)(unsigned long seed))
{
	const char *one = getenv("FCGIPM_SEED");
	unsigned long i;

	if (one) {
		history(strtoul(one, NULL, 10));
		return;
	}
	for (i = 1; i <= n; i++)
		history(i);
}

/* Connections that all workers that are up can accept. */
static inline unsigned
places(const struct policy_view *v)
{
	return v->up * v->limits.threads;
}

/* The workers that the pool must have without load. */
static inline unsigned
least(const struct sim *p)
{
	const struct policy_limits *l = &p->v.limits;

	if (l->pm == POLICY_ONDEMAND)
		return 0;
	if (l->pm == POLICY_STATIC)
		return l->max_children;
	return p->begun ? l->min_spare : l->start_servers;
}

/* Starts of the last second, without the first fill. */
static inline unsigned
recent(const struct sim *p)
{
	unsigned sum = 0, i;

	for (i = 0; i < p->nstarts; i++)
		if (p->v.now_ms - p->starts[i].at_ms < 1000)
			sum += p->starts[i].n;
	return sum;
}

/* v is what the policy saw, before its decision was carried out. */
static inline void
check_numbers(const struct sim *p, const struct policy_view *v,
	const struct policy_decision *d)
{
	const struct policy_limits *l = &v->limits;
	unsigned all = v->starting + v->up + v->retiring;
	unsigned usual = d->start - d->in_advance;

	HOLDS(p, d->in_advance <= d->start, "more replacements than starts");
	HOLDS(p, d->start <= v->room, "above process.max");
	HOLDS(p, d->start == 0 || all + d->start <=
			l->max_children + l->max_retiring,
		"%u + %u processes", all, d->start);
	HOLDS(p, usual == 0 || all - v->retiring_due + usual <=
			l->max_children, "%u + %u without a due worker", all,
			usual);
	HOLDS(p, d->in_advance <= v->due, "a replacement without a due worker");
	HOLDS(p, d->retire + d->retire_due <= v->up,
		"retires more than are up");
	HOLDS(p, d->retire_due <= v->due, "retires more than are due");
	HOLDS(p, v->retiring_due + d->retire_due <= l->max_retiring ||
			d->retire_due == 0, "retires all due workers at once");
	HOLDS(p, d->again_ms == 0 || d->again_ms > v->now_ms,
		"the next decision is in the past: a busy loop");
}

static inline void
check_retired(const struct sim *p, const struct policy_view *v,
	const struct policy_decision *d)
{
	const struct policy_limits *l = &v->limits;
	unsigned gone = d->retire + d->retire_due;
	bool first = d->retire_due == 1 && v->room == 0;
	int64_t left = v->idle - (int64_t)gone * l->threads - v->queue;

	if (gone == 0 || first || v->up > l->max_children)
		return;
	HOLDS(p, l->pm != POLICY_STATIC,
		"a static pool retires an idle worker");
	HOLDS(p, v->idle >= 0 || d->retire == 0,
		"retires although idle is unknown");
	if (v->idle < 0)
		return;
	HOLDS(p, left >= 0, "retires a worker that is needed");
	if (l->pm == POLICY_DYNAMIC)
		HOLDS(p, left >= (int64_t)l->min_spare * l->threads,
			"below min_spare");
	HOLDS(p, l->pm != POLICY_DYNAMIC || d->retire <= 1,
		"retires more than one at a time");
}

/* Below the minimum only because of a back-off, a rate or a limit. */
static inline void
check_least(const struct sim *p, const struct policy_view *v,
	const struct policy_decision *d)
{
	const struct policy_limits *l = &v->limits;
	unsigned serving = v->starting + v->up + d->start;
	bool short_of = serving < least(p) && serving + v->retiring -
		v->retiring_due < l->max_children;

	if (!short_of)
		return;
	if (p->free_ms != INT64_MIN) {
		HOLDS(p, v->starting + d->start > 0 || d->again_ms > 0,
			"no start is planned after a bad start");
		HOLDS(p, v->starting + d->start > 0 ||
				v->now_ms < p->free_ms || v->room == 0 ||
				(p->trial && v->settles_ms > v->now_ms) ||
				recent(p) >= MAX(l->max_children,
						POLICY_REPLACE_RATE),
			"back-off too long");
		return;
	}
	HOLDS(p, d->again_ms > 0 && d->again_ms <= v->now_ms + 1000,
		"too few workers and no decision soon");
	HOLDS(p, d->start == v->room || recent(p) >=
			MAX(l->max_children, POLICY_REPLACE_RATE),
		"%u workers are missing without a reason", least(p) - serving);
}

static inline void
check_rates(const struct sim *p, const struct policy_view *v,
	const struct policy_decision *d)
{
	const struct policy_limits *l = &v->limits;

	HOLDS(p, recent(p) <= 2 * MAX(l->max_children, POLICY_REPLACE_RATE),
		"%u starts in a second", recent(p));
	if (p->free_ms == INT64_MIN || d->start == 0)
		return;
	HOLDS(p, d->start == 1 && v->starting == 0,
		"starts more than one at a time");
	HOLDS(p, v->now_ms >= p->free_ms, "a start during the back-off");
}

static inline void
carry_out(struct sim *p, const struct policy_decision *d)
{
	struct policy_view *v = &p->v;
	unsigned gone = d->retire + d->retire_due;

	v->starting += d->start;
	if (v->room != POLICY_NO_LIMIT)
		v->room -= d->start;
	v->up -= gone;
	v->idle = MAX(v->idle - (int)(gone * v->limits.threads), 0);
	v->retiring += gone;
	v->retiring_due += d->retire_due;
	v->due = MIN(v->due - d->retire_due, v->up);
	v->idle_long = MIN(v->idle_long,
		(unsigned)v->idle / v->limits.threads);
}

/* A worker has lived for a second, or its end was no failure. */
static inline void
be_proven(struct sim *p)
{
	if (p->trial)
		p->free_ms = INT64_MIN;
	p->trial = false;
	p->row = 0;
}

/* Runs the policy once and checks all invariants of its decision. */
static inline struct policy_decision
ask(struct sim *p)
{
	struct policy_view seen = p->v;
	struct policy_decision d;

	if (!p->known) {
		seen.idle = POLICY_IDLE_UNKNOWN;
		seen.idle_long = 0;
	}
	p->begun = p->begun || seen.up >= policy_fill(&seen.limits);
	if (seen.settled_ms > p->row_ms)
		be_proven(p);
	d = policy_decide(&p->m, &seen);
	p->starts[p->nstarts].at_ms = seen.now_ms;
	p->starts[p->nstarts++].n = d.start - (p->m.filled - p->filled);
	p->filled = p->m.filled;
	check_numbers(p, &seen, &d);
	check_retired(p, &seen, &d);
	check_least(p, &seen, &d);
	check_rates(p, &seen, &d);
	carry_out(p, &d);
	return d;
}

/* A starting worker is ready. */
static inline void
come_up(struct sim *p)
{
	p->v.starting--;
	p->v.up++;
	p->v.idle += (int)p->v.limits.threads;
	policy_note_up(&p->m);
	if (!p->trial)
		p->free_ms = INT64_MIN;
}

/* A worker has ended: the rules of policy.h, implemented another way. */
static inline void
note_end(struct sim *p, const struct policy_end *e)
{
	int64_t pause = policy_note_end(&p->m, p->v.now_ms, e);
	bool was_short = e->lived_ms < 1000 && !e->served &&
		(!e->was_up || e->failed);
	bool lucky = !e->failed && p->begun && p->free_ms == INT64_MIN;

	if (!was_short) {
		be_proven(p);
		HOLDS(p, pause == 0, "a back-off after a valid end, row of %u",
			(unsigned)e->lived_ms);
		return;
	}
	if (p->row++ == 0)
		p->row_ms = p->v.now_ms;
	p->trial = p->row > 10;
	HOLDS(p, (pause == 0) == (!p->trial && (e->was_up || lucky)),
		"short life %u, pause %ld", p->row, (long)pause);
	if (pause > 0)
		p->free_ms = p->v.now_ms + pause;
}

static inline void
fail_to_start(struct sim *p, bool status0)
{
	p->v.starting--;
	note_end(p, &(struct policy_end){.failed = !status0});
}

/* A retiring worker has exited. */
static inline void
be_gone(struct sim *p)
{
	if (p->v.retiring_due > 0 &&
		(p->v.retiring_due == p->v.retiring || dice(p, 2)))
		p->v.retiring_due--;
	p->v.retiring--;
	if (p->v.room != POLICY_NO_LIMIT)
		p->v.room++;
}

#endif
