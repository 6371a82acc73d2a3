/*
 * test_policy_load.c - tests invariants of the policy in pools with a constant
 * load, with workers that become due, and with a program that crashes
 */
#include <string.h>

#include "sim.h"

static unsigned
workers_for(const struct policy_limits *l, unsigned requests)
{
	return (requests + l->threads - 1) / l->threads;
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
