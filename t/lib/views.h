/*
 * views.h - what the policy knows of a pool, in unit tests
 */
#ifndef FCGIPM_T_VIEWS_H
#define FCGIPM_T_VIEWS_H

#include <criterion/criterion.h>

#include "pool/policy.h"

/* A static pool. */
static inline struct policy_view
view(int64_t now_ms, unsigned max, unsigned starting, unsigned up)
{
	return (struct policy_view){.now_ms = now_ms,
		.limits = {.pm = POLICY_STATIC, .max_children = max},
		.starting = starting, .up = up, .idle = POLICY_IDLE_UNKNOWN,
		.room = POLICY_NO_LIMIT};
}

/* A dynamic or ondemand pool. */
static inline struct policy_view
dynamic(int64_t now_ms, unsigned starting, unsigned up, int idle,
	unsigned queue)
{
	return (struct policy_view){.now_ms = now_ms,
		.limits = {.pm = POLICY_DYNAMIC, .max_children = 20,
			.start_servers = 4, .min_spare = 2, .max_spare = 6,
			.max_spawn_rate = 8, .max_retiring = 1},
		.starting = starting, .up = up, .idle = idle, .queue = queue,
		.room = POLICY_NO_LIMIT};
}

static inline struct policy_view
ondemand(int64_t now_ms, unsigned starting, unsigned up, int idle,
	unsigned queue)
{
	struct policy_view v = dynamic(now_ms, starting, up, idle, queue);

	v.limits.pm = POLICY_ONDEMAND;
	return v;
}

static inline struct policy_decision
decide(struct policy_memory *m, struct policy_view v)
{
	return policy_decide(m, &v);
}

/* A pool whose first fill is ready. */
static inline struct policy_memory
begun(struct policy_view v)
{
	struct policy_memory m = {0};
	unsigned fill = policy_fill(&v.limits);

	v.starting = v.up = v.queue = 0;
	v.idle = 0;
	v.now_ms = -10000;
	cr_assert_eq(decide(&m, v).start, fill);
	v.up = fill;
	v.idle = (int)fill;
	cr_assert_eq(decide(&m, v).start, 0);
	return m;
}

#endif
