/*
 * test_policy_random.c - invariants of the policy in simulated pools
 *
 * Every history has its own seed, which a failure prints.  FCGIPM_SEED=N runs
 * only that history.
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "pool/policy.h"

#define HISTORIES 100000
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
static unsigned
dice(struct sim *p, unsigned n)
{
	uint64_t z = p->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ z >> 31) >> 32) % n;
}

static unsigned
between(struct sim *p, unsigned low, unsigned high)
{
	return low + dice(p, high - low + 1);
}

static struct sim
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
static void
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
static unsigned
places(const struct policy_view *v)
{
	return v->up * v->limits.threads;
}

static unsigned
workers_for(const struct policy_limits *l, unsigned requests)
{
	return (requests + l->threads - 1) / l->threads;
}

static unsigned
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
static unsigned
recent(const struct sim *p)
{
	unsigned sum = 0, i;

	for (i = 0; i < p->nstarts; i++)
		if (p->v.now_ms - p->starts[i].at_ms < 1000)
			sum += p->starts[i].n;
	return sum;
}

/* v is what the policy saw, before its decision was carried out. */
static void
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

static void
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
static void
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

static void
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

static void
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
static void
be_proven(struct sim *p)
{
	if (p->trial)
		p->free_ms = INT64_MIN;
	p->trial = false;
	p->row = 0;
}

/* Runs the policy once and checks all invariants of its decision. */
static struct policy_decision
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

static void
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
static void
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

static void
fail_to_start(struct sim *p, bool status0)
{
	p->v.starting--;
	note_end(p, &(struct policy_end){.failed = !status0});
}

static void
die_after(struct sim *p, int64_t lived_ms)
{
	unsigned threads = p->v.limits.threads, lost = dice(p, threads + 1);

	p->v.idle = MAX(p->v.idle - (int)lost, 0);
	p->v.up--;
	p->v.idle = MIN(p->v.idle, (int)places(&p->v));
	p->v.due = MIN(p->v.due, p->v.up);
	note_end(p, &(struct policy_end){.was_up = true,
		.lived_ms = lived_ms, .failed = dice(p, 4),
		.served = dice(p, 9) == 0});
}

static void
die(struct sim *p)
{
	die_after(p, dice(p, 9) ? dice(p, 999) : 1000);
}

static void
be_gone(struct sim *p)
{
	if (p->v.retiring_due > 0 &&
		(p->v.retiring_due == p->v.retiring || dice(p, 2)))
		p->v.retiring_due--;
	p->v.retiring--;
	if (p->v.room != POLICY_NO_LIMIT)
		p->v.room++;
}

/* Something happens to the pool. */
static void
event(struct sim *p)
{
	struct policy_view *v = &p->v;
	unsigned taken;

	switch (dice(p, 12)) {
	case 0:
	case 1:
	case 2:
		for (taken = dice(p, 4); v->starting > 0 && taken > 0; taken--)
			come_up(p);
		break;
	case 3:
		if (v->starting > 0)
			fail_to_start(p, dice(p, 2));
		break;
	case 4:
		for (taken = dice(p, 5); v->up > 0 && taken > 0; taken--)
			die(p);
		break;
	case 5:
	case 6:
		v->queue += dice(p, 9);
		break;
	case 7:
		v->idle += (int)dice(p, places(v) - (unsigned)v->idle + 1);
		break;
	case 8:
		v->due += dice(p, v->up - v->due + 1);
		break;
	case 9:
		if (v->retiring > 0)
			be_gone(p);
		break;
	case 10:
		if (dice(p, 4) == 0)
			p->known = !p->known;
		break;
	default:
		if (dice(p, 4) == 0)
			v->room = dice(p, 2) ? dice(p, 9) : POLICY_NO_LIMIT;
		break;
	}
	/* Sometimes the view has queued clients and idle workers at once. */
	taken = MIN(v->queue, (unsigned)v->idle);
	if (dice(p, 8) > 0) {
		v->idle -= (int)taken;
		v->queue -= taken;
	}
	v->idle_long = dice(p, (unsigned)v->idle / v->limits.threads + 1);
	v->settled_ms = v->up > 0 && dice(p, 3) == 0 ?
		v->now_ms - dice(p, 2000) : 0;
	v->settles_ms = v->up > 0 && dice(p, 2) ?
		v->now_ms + 1 + dice(p, 999) : 0;
}

static void
any_history(unsigned long seed)
{
	struct sim p = pool(seed);
	struct policy_decision d = ask(&p);
	int step, again;

	for (step = 0; step < STEPS; step++) {
		int64_t next_ms = p.v.now_ms + dice(&p, 700);

		for (again = 0; again < 6 && d.again_ms > 0 &&
			d.again_ms <= next_ms; again++) {
			p.v.now_ms = d.again_ms;
			d = ask(&p);
		}
		p.v.now_ms = MAX(p.v.now_ms, next_ms);
		event(&p);
		d = ask(&p);
	}
}

Test(policy_random, keeps_its_invariants_in_any_history)
{
	for_each_seed(HISTORIES, any_history);
}

/* One decision a second: starting workers are up, and all clients have one. */
static struct policy_decision
inspect(struct sim *p, unsigned busy, bool long_idle)
{
	struct policy_view *v = &p->v;
	struct policy_decision d;

	v->now_ms += 1000;
	while (v->starting > 0 && dice(p, 4) > 0)
		come_up(p);
	v->queue = busy - MIN(busy, places(v));
	v->idle = (int)(places(v) - MIN(busy, places(v)));
	v->idle_long = long_idle ? (unsigned)v->idle / v->limits.threads : 0;
	p->nstarts = 0;
	d = ask(p);
	while (v->retiring > 0 && dice(p, 3) > 0)
		be_gone(p);
	return d;
}

/* From any state, under a load that varies less than the spare workers. */
static void
steady_history(unsigned long seed)
{
	struct sim p = pool(seed);
	struct policy_limits *l = &p.v.limits;
	unsigned load = dice(&p, l->max_children * l->threads + 5), change = 0;
	int second;

	if (l->pm == POLICY_DYNAMIC)
		change = dice(&p, (l->max_spare - l->min_spare) * l->threads +
			1);
	p.v.up = dice(&p, l->max_children + 1);
	for (second = 0; second < 120; second++) {
		/* Both extremes for a while, then values in between. */
		unsigned more = second < 60 ? 0 : second < 80 ? change :
			dice(&p, change + 1);
		struct policy_decision d =
			inspect(&p, load + more, second > 20);

		if (second < 80)
			continue;
		HOLDS(&p, d.start + d.retire + d.retire_due == 0,
			"not stable: %u busy and up to %u more, %u up, second "
			"%d", load, change, p.v.up, second);
	}
	if (l->pm == POLICY_ONDEMAND)
		HOLDS(&p, p.v.up == MIN(workers_for(l, load), l->max_children),
			"%u up for %u", p.v.up, load);
}

Test(policy_random, is_stable_under_a_constant_load)
{
	for_each_seed(5000, steady_history);
}

/* Workers become due at any rate: the number of workers does not fall, and
 * all are replaced. */
static void
wearing_history(unsigned long seed)
{
	struct sim p = pool(seed);
	struct policy_limits *l = &p.v.limits;
	unsigned load = dice(&p, l->max_children * l->threads + 5);
	unsigned promised = 0;
	int second;

	p.known = dice(&p, 4) > 0;
	for (second = 0; second < 300; second++) {
		if (second >= 80 && second < 120)
			p.v.due += dice(&p, p.v.up - p.v.due + 1);
		inspect(&p, load, second > 20);
		/* If idle is known, spare workers may be replacements. */
		if (second == 79 && l->pm == POLICY_STATIC)
			promised = l->max_children;
		else if (second == 79 && !p.known)
			promised = p.v.up;
		else if (second == 79 && l->pm == POLICY_DYNAMIC)
			promised = MIN(workers_for(l, load) + l->min_spare,
				l->max_children);
		HOLDS(&p, p.v.up >= promised, "%u up of %u, second %d", p.v.up,
			promised, second);
		if (second < 80)
			continue;
		HOLDS(&p, p.v.starting + p.v.up + p.v.retiring <=
				l->max_children + l->max_retiring,
			"%u starting and %u up, %u retiring", p.v.starting,
			p.v.up,
			p.v.retiring);
	}
	HOLDS(&p, p.v.due == 0, "%u due ones are still up", p.v.due);
	if (!p.known)
		HOLDS(&p, p.v.up == promised, "%u up, %u before", p.v.up,
			promised);
}

Test(policy_random, replaces_due_workers_without_a_missing_worker)
{
	for_each_seed(3000, wearing_history);
}

enum breakage { STATUS_1, STATUS_0, CRASH_ONCE_UP, BREAKAGES };

/* Every worker exits 5 ms after its start; returns the starts in 60 s. */
static unsigned
starts_of_a_broken_program(enum policy_pm pm, enum breakage how,
	unsigned *burst)
{
	struct sim p = pool(1);
	struct policy_decision d;
	unsigned total = 0;

	p.v.now_ms = 0;
	p.v.limits.pm = pm;
	p.v.limits.max_children = 8;
	p.v.limits.min_spare = 2;
	p.v.limits.max_spare = p.v.limits.start_servers = 8;
	p.v.limits.max_spawn_rate = 32;
	p.v.queue = 50;
	*burst = 0;
	while (p.v.now_ms < 60000) {
		if (p.nstarts == ARRAY_SIZE(p.starts))
			p.nstarts = 0;
		d = ask(&p);
		total += d.start;
		if (p.v.now_ms < 1000)
			*burst = total;
		if (p.v.starting == 0 && d.again_ms == 0)
			cr_assert_fail("no further start after %ld ms",
				(long)p.v.now_ms);
		p.v.now_ms = p.v.starting ? p.v.now_ms + 5 : d.again_ms;
		while (p.v.starting > 0 && how != CRASH_ONCE_UP)
			fail_to_start(&p, how == STATUS_0);
		while (p.v.starting > 0) {
			come_up(&p);
			p.v.up--;
			p.v.idle = 0;
			note_end(&p, &(struct policy_end){.was_up = true,
				.failed = true, .lived_ms = 5});
		}
	}
	return total;
}

Test(policy_random, a_broken_program_is_started_forty_times_a_minute_at_most)
{
	enum policy_pm pm;
	unsigned burst, all;
	int how;

	for (pm = POLICY_STATIC; pm <= POLICY_ONDEMAND; pm++)
		for (how = 0; how < BREAKAGES; how++) {
			all = starts_of_a_broken_program(pm,
				(enum breakage)how, &burst);
			cr_expect_leq(all - burst, 40, "pm %d, %d: %u",
				(int)pm, how, all);
			cr_expect_leq(burst, 8 + 20, "pm %d, %d: %u", (int)pm,
				how, burst);
			cr_expect_geq(all - burst, 5, "starts continue");
		}
}

/* A pool of eight workers with start times, for a program that one request
 * crashes. */
struct victims {
	struct sim p;
	int64_t born_ms[8];	/* of workers up, oldest first */
};

static void
see_lives(struct victims *s)
{
	struct policy_view *v = &s->p.v;
	unsigned i;

	v->settled_ms = v->settles_ms = 0;
	for (i = 0; i < v->up; i++)
		if (s->born_ms[i] + 1000 <= v->now_ms)
			v->settled_ms = s->born_ms[i] + 1000;
		else if (v->settles_ms == 0)
			v->settles_ms = s->born_ms[i] + 1000;
}

/* Kills a random worker; returns its life in milliseconds. */
static void
poison(struct victims *s)
{
	struct policy_view *v = &s->p.v;
	unsigned victim = dice(&s->p, v->up);
	int64_t lived_ms = v->now_ms - s->born_ms[victim];

	memmove(&s->born_ms[victim], &s->born_ms[victim + 1],
		(v->up - victim - 1) * sizeof(s->born_ms[0]));
	v->up--;
	note_end(&s->p, &(struct policy_end){.was_up = true, .failed = true,
		.lived_ms = lived_ms});
}

/* Some workers live for a second, so all are replaced at once. */
static void
poisoned_history(unsigned long seed)
{
	struct victims s = {.p = pool(seed)};
	struct policy_view *v = &s.p.v;
	int i;

	v->limits.pm = POLICY_STATIC;
	v->limits.max_children = 8;
	v->now_ms = 0;
	ask(&s.p);
	for (i = 0; i < 200; i++) {
		while (v->starting > 0) {
			s.born_ms[v->up] = v->now_ms;
			come_up(&s.p);
		}
		v->idle = (int)places(v);
		HOLDS(&s.p, v->up == 8, "%u up", v->up);
		v->now_ms += 200 + dice(&s.p, 100);
		poison(&s);
		v->idle = (int)places(v);
		see_lives(&s);
		s.p.nstarts = 0;
		ask(&s.p);
	}
}

Test(policy_random, a_request_that_crashes_workers_causes_no_back_off)
{
	for_each_seed(3000, poisoned_history);
}

/* Three pools of one supervisor never exceed process.max together. */
static void
crowded_history(unsigned long seed)
{
	struct sim p[3];
	unsigned max, step, i, j, used;

	for (i = 0; i < 3; i++)
		p[i] = pool(seed * 3 + i);
	max = between(&p[0], 3, 60);
	for (step = 0; step < STEPS; step++)
		for (i = 0; i < 3; i++) {
			event(&p[i]);
			for (used = 0, j = 0; j < 3; j++)
				used += p[j].v.starting + p[j].v.up +
					p[j].v.retiring;
			p[i].v.room = max - MIN(max, used);
			p[i].v.now_ms += dice(&p[i], 700);
			p[i].seed = seed;
			used += ask(&p[i]).start;
			HOLDS(&p[i], used <= max, "%u processes of %u", used,
				max);
		}
}

Test(policy_random, process_max_limits_all_pools_together)
{
	for_each_seed(3000, crowded_history);
}
