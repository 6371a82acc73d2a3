/*
 * test_policy_random.c - tests invariants of the policy in pools to which
 * anything may happen
 *
 * Pools with a constant load, and with a program that crashes, are in
 * test_policy_load.c.
 */
#include "sim.h"

#define HISTORIES 100000

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
