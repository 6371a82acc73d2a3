/*
 * view.h - counts idle workers and those due for recycling (pm.max_requests,
 * pm.max_age, pm.max_memory), and selects the worker to retire
 */
#ifndef FCGIPM_POOL_VIEW_H
#define FCGIPM_POOL_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct conf_pool;
struct members;
struct policy_view;
struct pool_member;

/* Does the number of workers depend on the load (pm = dynamic, ondemand)? */
bool view_scales(const struct conf_pool *conf);
/* Does the policy of this pool need view_take(): does it scale or recycle? */
bool view_is_needed(const struct conf_pool *conf);

/*
 * view_take - inspects every worker that is up
 *
 * listenfd	the pool's listening socket, to read its queue
 * view		its time and limits are set; idle, idle_long,
 *		idle_long_next_ms, queue and due are filled in
 * returns	when to call it again, 0 = after the next event
 */
int64_t view_take(struct members *ms, int listenfd, struct policy_view *view);

/* Fills in settled_ms and settles_ms of a view whose now_ms is set. */
void view_settled(const struct members *ms, struct policy_view *view);

/* Workers that are up, and neither idle nor starting, at the last view of a
 * pool that scales. */
unsigned view_active(const struct members *ms);

/* The oldest idle worker, and the oldest one due for recycling; NULL for none.
 * An idle due worker is preferred to an older busy one. */
struct pool_member *view_pick_idle(struct members *ms);
struct pool_member *view_pick_due(struct members *ms);

#endif
