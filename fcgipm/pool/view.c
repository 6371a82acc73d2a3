/*
 * view.c - what the workers of a pool do; see view.h
 *
 * Called by pool/adjust before it asks the policy.  Looking costs a few
 * microseconds a worker, so pools that do not depend on it are never looked
 * at.
 */
#include <poll.h>

#include "base/util.h"
#include "conf/conf.h"
#include "observe/board.h"
#include "pool/view.h"
#include "pool/pool.h"
#include "pool/keepalive.h"
#include "sys/procfs.h"

/* Nothing tells when a worker of a foreign program becomes busy. */
#define LOOK_MS 1000
/* To count the pages of a process costs far more than a look at it. */
#define WEIGH_MS 10000

bool
view_scales(const struct pool *p)
{
	return p->conf->mode == CONF_MODE_PREFORK &&
		p->conf->pm != CONF_PM_STATIC;
}

static bool
recycles(const struct pool *p)
{
	return p->conf->mode == CONF_MODE_PREFORK &&
		(p->conf->max_requests > 0 || p->conf->max_age_ms > 0 ||
			p->conf->max_memory_bytes > 0);
}

bool
view_is_needed(const struct pool *p)
{
	return view_scales(p) || recycles(p);
}

static bool
wear_out(struct pool_member *m, enum retire_cause cause)
{
	m->worn = true;
	m->cause = cause;
	return true;
}

/* Is it due to be replaced, and why? */
static bool
is_worn(struct pool *p, struct pool_member *m, const struct board_sample *slot,
	int64_t now, int64_t *again_ms)
{
	const struct conf_pool *conf = p->conf;
	int64_t due = m->worker.start_ms + conf->max_age_ms;
	uint64_t bytes;

	if (m->worn)
		return true;
	if (conf->max_requests > 0 && slot->requests >= conf->max_requests)
		return wear_out(m, RETIRE_REQUESTS);
	if (conf->max_age_ms > 0 && now >= due)
		return wear_out(m, RETIRE_AGE);
	if (conf->max_age_ms > 0)
		*again_ms = MIN(*again_ms, due);
	if (conf->max_memory_bytes == 0)
		return false;
	if (now >= m->weigh_ms) {
		m->weigh_ms = now + WEIGH_MS;
		if (procfs_memory(m->worker.pid, &bytes) !=
				PROCFS_MEMORY_UNKNOWN &&
			bytes > conf->max_memory_bytes)
			return wear_out(m, RETIRE_MEMORY);
	}
	*again_ms = MIN(*again_ms, m->weigh_ms);
	return false;
}

/* What is seen of a worker. */
struct rest {
	unsigned places;	/* threads that wait for a connection */
	int64_t since_ms;	/* all of them do; 0 = they do not */
	bool unknown;
};

static struct rest
rest_by_board(const struct board_sample *slot, unsigned threads)
{
	struct rest r = {0};

	/* Its others may be at work behind an answer. */
	r.places = threads - MIN(slot->open, threads);
	if (!slot->handler)
		r.places = MIN(r.places, slot->accepting);
	if (board_accepts(slot) && slot->open == 0)
		r.since_ms = MAX(slot->since_ms, (int64_t)1);
	return r;
}

static struct rest
rest_by_kernel(const struct kernel_sample *seen, unsigned threads)
{
	struct rest r = {.unknown = seen->state == KERNEL_UNKNOWN};
	unsigned busy = (unsigned)MAX(seen->connections, 0);

	if (seen->state == KERNEL_IDLE)
		r = (struct rest){threads, seen->since_ms, false};
	/* Not all of its threads are at work. */
	else if (!r.unknown && seen->accepting + seen->polling > 0)
		r.places = threads - MIN(busy, threads);
	return r;
}

static struct rest
rest_of(struct pool *p, struct pool_member *m, const struct board_sample *slot,
	int64_t now)
{
	/* With a thread left and none in accept it polls, or works on. */
	if (board_knows(slot) && (board_accepts(slot) ||
			slot->open >= p->conf->threads))
		return rest_by_board(slot, p->conf->threads);
	p->told = p->told && board_knows(slot);
	return rest_by_kernel(kernel_check(&p->observe, &m->eye, now),
		p->conf->threads);
}

static void
count_idle(struct pool *p, struct pool_member *m,
	const struct board_sample *slot, struct policy_view *view)
{
	struct rest r = rest_of(p, m, slot, view->now_ms);
	int64_t due = r.since_ms + p->conf->process_idle_timeout_ms;

	m->idle = r.since_ms > 0;
	if (r.unknown)
		view->idle = POLICY_IDLE_UNKNOWN;
	if (view->idle != POLICY_IDLE_UNKNOWN)
		view->idle += (int)r.places;
	if (!m->idle)
		return;
	if (view->now_ms >= due)
		view->idle_long++;
	else if (view->idle_due_ms == 0 || due < view->idle_due_ms)
		view->idle_due_ms = due;
}

/* Connections that nobody accepted yet. */
static unsigned
waiting(struct pool *p)
{
	struct pollfd listener = {.fd = p->sockets[0].fd, .events = POLLIN};
	struct sockdiag_queue queue;

	if (kernel_read_queue(&p->observe, &queue) == 0)
		return queue.waiting;
	/* Without netlink it is known whether there is one. */
	return poll(&listener, 1, 0) > 0;
}

/* What will not be told before that is looked at then. */
static int64_t
next_look(const struct pool *p, int64_t now)
{
	if (p->alive == 0)
		return INT64_MAX;
	if (!p->told)
		return now + LOOK_MS;
	/* Who is busy now is not idle for too long before that. */
	return p->conf->pm == CONF_PM_ONDEMAND ?
		now + p->conf->process_idle_timeout_ms : INT64_MAX;
}

int64_t
view_take(struct pool *p, struct policy_view *view)
{
	int64_t now = view->now_ms, again_ms = INT64_MAX;
	unsigned idle = 0, i;

	view->idle = view_scales(p) ? 0 : POLICY_IDLE_UNKNOWN;
	p->told = p->board != NULL;
	for (i = 0; i < p->nmembers; i++) {
		struct pool_member *m = &p->members[i];
		struct board_sample slot = {0};

		if (m->worker.state != WORKER_UP)
			continue;
		if (p->board)
			(void)board_read(p->board, m->worker.slot, &slot);
		if (recycles(p) && is_worn(p, m, &slot, now, &again_ms))
			view->worn++;
		if (view_scales(p))
			count_idle(p, m, &slot, view);
		idle += m->idle;
	}
	if (view_scales(p)) {
		view->queue = waiting(p);
		stats_note_look(&p->stats, view->idle < 0 ? 0 : p->up - idle,
			view->queue);
		keepalive_note(p, view->queue, now);
		again_ms = MIN(again_ms, next_look(p, now));
	}
	return again_ms == INT64_MAX ? 0 : again_ms;
}

void
view_settled(const struct pool *p, struct policy_view *view)
{
	int64_t at;
	unsigned i;

	for (i = 0; i < p->nmembers; i++) {
		const struct worker *w = &p->members[i].worker;

		if (w->state != WORKER_UP)
			continue;
		at = w->start_ms + POLICY_LIFE_MS;
		if (at <= view->now_ms)
			view->settled_ms = MAX(view->settled_ms, at);
		else if (view->settles_ms == 0 || at < view->settles_ms)
			view->settles_ms = at;
	}
}

static bool
is_older(const struct pool_member *a, const struct pool_member *b)
{
	return !b || a->worker.start_ms < b->worker.start_ms;
}

struct pool_member *
view_pick_idle(struct pool *p)
{
	struct pool_member *best = NULL, *m;

	for (m = p->members; m < p->members + p->nmembers; m++)
		if (m->worker.state == WORKER_UP && m->idle &&
			is_older(m, best))
			best = m;
	return best;
}

struct pool_member *
view_pick_due(struct pool *p)
{
	struct pool_member *best = NULL, *m;

	for (m = p->members; m < p->members + p->nmembers; m++)
		if (m->worker.state == WORKER_UP && m->worn &&
			(!best || m->idle > best->idle ||
				(m->idle == best->idle && is_older(m, best))))
			best = m;
	return best;
}
