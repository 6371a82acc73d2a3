/*
 * view.h - counts for the policy which workers are idle and which are due for
 * recycling (age, requests, memory), and picks the one that leaves
 */
#ifndef FCGIPM_POOL_VIEW_H
#define FCGIPM_POOL_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct conf_pool;
struct members;
struct policy_view;
struct pool_member;

/* Does the number of workers follow what they do? */
bool view_scales(const struct conf_pool *conf);
/* Does the policy of such a pool depend on what its workers do? */
bool view_is_needed(const struct conf_pool *conf);

/*
 * view_take - inspects every worker that is up
 *
 * listenfd	of the pool, for the connections that wait
 * view		its time and limits are set; idle, idle_long,
 *		idle_long_next_ms, queue and due are filled in
 * returns	when it is to be taken again, 0 = after the next event
 */
int64_t view_take(struct members *ms, int listenfd, struct policy_view *view);

/* Fills in settled_ms and settles_ms of a view whose now_ms is set. */
void view_settled(const struct members *ms, struct policy_view *view);

/* Workers that are up, and neither idle nor starting, at the last view of a
 * pool that scales. */
unsigned view_active(const struct members *ms);

/* The idle worker, and the one due for recycling, that has lived longest; NULL
 * for none.  Of those that are due an idle one goes first. */
struct pool_member *view_pick_idle(struct members *ms);
struct pool_member *view_pick_due(struct members *ms);

#endif
