/*
 * view.h - what the workers of a pool do, counted for the policy
 */
#ifndef FCGIPM_POOL_VIEW_H
#define FCGIPM_POOL_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct pool;
struct pool_member;
struct policy_view;

/* Does the number of its workers follow what they do? */
bool view_scales(const struct pool *p);
/* Does the policy of this pool depend on what its workers do? */
bool view_is_needed(const struct pool *p);

/*
 * view_take - looks at every worker that is up
 *
 * view		idle, idle_long, idle_due_ms, queue and worn are filled in
 * returns	when it is to be taken again, 0 = after the next event
 */
int64_t view_take(struct pool *p, struct policy_view *view);

/* Fills in settled_ms and settles_ms of a view whose now_ms is set. */
void view_settled(const struct pool *p, struct policy_view *view);

/* The idle worker, and the worn one, that has lived longest; NULL for none.
 * Of worn ones an idle one goes first. */
struct pool_member *view_pick_idle(struct pool *p);
struct pool_member *view_pick_due(struct pool *p);

#endif
