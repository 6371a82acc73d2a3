/*
 * view.c - counts idle workers and those due for recycling; see view.h
 *
 * Called by pool/adjust before it calls the policy; pool/snapshot asks which
 * pools scale.  To inspect a worker takes a few microseconds, so only workers
 * of pools that need it are inspected.
 */
#include <poll.h>

#include "base/util.h"
#include "conf/conf.h"
#include "pool/members.h"
#include "pool/policy.h"
#include "pool/view.h"
#include "sys/procfs.h"

/* There is no event when a worker without a slot on the board gets busy. */
#define SAMPLE_MS 1000
/* To measure the memory of a process takes far longer than to inspect it. */
#define WEIGH_MS 10000

bool
view_scales(const struct conf_pool *conf)
{
	return conf->mode == CONF_MODE_PREFORK && conf->pm != CONF_PM_STATIC;
}

static bool
recycles(const struct conf_pool *conf)
{
	return conf->mode == CONF_MODE_PREFORK &&
		(conf->max_requests > 0 || conf->max_age_ms > 0 ||
			conf->max_memory_bytes > 0);
}

bool
view_is_needed(const struct conf_pool *conf)
{
	return view_scales(conf) || recycles(conf);
}

static bool
mark_due(struct pool_member *m, enum retire_cause cause)
{
	m->due = true;
	m->cause = cause;
	return true;
}

static bool
is_too_large(const struct conf_pool *conf, struct pool_member *m, int64_t now)
{
	uint64_t bytes;

	if (now < m->weigh_ms)
		return false;
	m->weigh_ms = now + WEIGH_MS;
	return procfs_memory(m->worker.pid, &bytes) != PROCFS_MEMORY_UNKNOWN &&
		bytes > conf->max_memory_bytes;
}

/* Is it due for recycling, and why?  again_ms is lowered to the time when it
 * may become due. */
static bool
is_due(const struct conf_pool *conf, struct pool_member *m,
	const struct board_sample *slot, int64_t now, int64_t *again_ms)
{
	int64_t end_ms = m->worker.start_ms + conf->max_age_ms;

	if (m->due)
		return true;
	if (conf->max_requests > 0 && slot->requests >= conf->max_requests)
		return mark_due(m, RETIRE_REQUESTS);
	if (conf->max_age_ms > 0 && now >= end_ms)
		return mark_due(m, RETIRE_AGE);
	if (conf->max_age_ms > 0)
		*again_ms = MIN(*again_ms, end_ms);
	if (conf->max_memory_bytes == 0)
		return false;
	if (is_too_large(conf, m, now))
		return mark_due(m, RETIRE_MEMORY);
	*again_ms = MIN(*again_ms, m->weigh_ms);
	return false;
}

static void
count_idle(struct members *ms, struct pool_member *m,
	const struct board_sample *slot, struct policy_view *view)
{
	struct activity a =
		members_activity(ms, m, slot, 0, MEMBERS_CHECK, view->now_ms);
	int64_t long_ms = a.since_ms + ms->conf->process_idle_timeout_ms;

	ms->board_complete = ms->board_complete && board_knows(slot);
	m->idle = a.state == ACTIVITY_IDLE;
	m->active = !m->idle && a.state != ACTIVITY_STARTING;
	if (a.state == ACTIVITY_UNKNOWN)
		view->idle = POLICY_IDLE_UNKNOWN;
	if (view->idle != POLICY_IDLE_UNKNOWN)
		view->idle += (int)a.free_places;
	if (!m->idle)
		return;
	if (view->now_ms >= long_ms)
		view->idle_long++;
	else if (view->idle_long_next_ms == 0 ||
		long_ms < view->idle_long_next_ms)
		view->idle_long_next_ms = long_ms;
}

/* Connections in the listen queue. */
static unsigned
queue_of(struct members *ms, int listenfd)
{
	struct pollfd listener = {.fd = listenfd, .events = POLLIN};
	struct sockdiag_queue queue;

	if (kernel_read_queue(&ms->kernel, &queue) == 0)
		return queue.waiting;
	/* Without netlink: 1 if there are any. */
	return poll(&listener, 1, 0) > 0;
}

/* When to inspect the workers again for changes without an event. */
static int64_t
next_sample(const struct members *ms, int64_t now)
{
	if (members_alive(ms) == 0)
		return INT64_MAX;
	if (!ms->board_complete)
		return now + SAMPLE_MS;
	/* A worker that is busy now cannot be idle for too long earlier. */
	return ms->conf->pm == CONF_PM_ONDEMAND
		? now + ms->conf->process_idle_timeout_ms
		: INT64_MAX;
}

int64_t
view_take(struct members *ms, int listenfd, struct policy_view *view)
{
	const struct conf_pool *conf = ms->conf;
	int64_t now = view->now_ms, again_ms = INT64_MAX;
	struct pool_member *m;

	view->idle = view_scales(conf) ? 0 : POLICY_IDLE_UNKNOWN;
	ms->board_complete = ms->board != NULL;
	for (m = ms->v; m < ms->v + ms->n; m++) {
		struct board_sample slot;

		if (m->worker.state != WORKER_UP)
			continue;
		(void)members_read_slot(ms, m, &slot);
		if (recycles(conf) && is_due(conf, m, &slot, now, &again_ms))
			view->due++;
		if (view_scales(conf))
			count_idle(ms, m, &slot, view);
	}
	if (view_scales(conf)) {
		view->queue = queue_of(ms, listenfd);
		again_ms = MIN(again_ms, next_sample(ms, now));
	}
	return again_ms == INT64_MAX ? 0 : again_ms;
}

void
view_settled(const struct members *ms, struct policy_view *view)
{
	int64_t at;
	unsigned i;

	for (i = 0; i < ms->n; i++) {
		const struct worker *w = &ms->v[i].worker;

		if (w->state != WORKER_UP)
			continue;
		at = w->start_ms + POLICY_LIFE_MS;
		if (at <= view->now_ms)
			view->settled_ms = MAX(view->settled_ms, at);
		else if (view->settles_ms == 0 || at < view->settles_ms)
			view->settles_ms = at;
	}
}

unsigned
view_active(const struct members *ms)
{
	unsigned active = 0, i;

	for (i = 0; i < ms->n; i++)
		active += ms->v[i].worker.state == WORKER_UP && ms->v[i].active;
	return active;
}

static bool
is_older(const struct pool_member *a, const struct pool_member *b)
{
	return !b || a->worker.start_ms < b->worker.start_ms;
}

struct pool_member *
view_pick_idle(struct members *ms)
{
	struct pool_member *best = NULL, *m;

	for (m = ms->v; m < ms->v + ms->n; m++)
		if (m->worker.state == WORKER_UP && m->idle &&
			is_older(m, best))
			best = m;
	return best;
}

struct pool_member *
view_pick_due(struct members *ms)
{
	struct pool_member *best = NULL, *m;

	for (m = ms->v; m < ms->v + ms->n; m++)
		if (m->worker.state == WORKER_UP && m->due &&
			(!best || m->idle > best->idle ||
				(m->idle == best->idle && is_older(m, best))))
			best = m;
	return best;
}
