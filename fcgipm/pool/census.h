/*
 * census.h - what the workers of a pool do, counted for the policy
 */
#ifndef FCGIPM_POOL_CENSUS_H
#define FCGIPM_POOL_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

struct pool;
struct pool_member;
struct policy_view;

/* Does the number of its workers follow what they do? */
bool census_scales(const struct pool *p);
/* Does the policy of this pool depend on what its workers do? */
bool census_is_needed(const struct pool *p);

/*
 * census_take - looks at every worker that is up
 *
 * view		idle, idle_long, idle_due_ms, queue and worn are filled in
 * returns	when it is to be taken again, 0 = after the next event
 */
int64_t census_take(struct pool *p, struct policy_view *view);

/* Fills in settled_ms and settles_ms of a view whose now_ms is set. */
void census_settled(const struct pool *p, struct policy_view *view);

/* The idle worker, and the worn one, that has lived longest; NULL for none.
 * Of worn ones an idle one goes first. */
struct pool_member *census_pick_idle(struct pool *p);
struct pool_member *census_pick_worn(struct pool *p);

#endif
