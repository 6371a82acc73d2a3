/*
 * lifecycle.c - what a pool does when a worker is ready or dead; see
 * lifecycle.h
 *
 * Called by worker/worker.
 */
#include "pool/lifecycle.h"
#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/adjust.h"
#include "pool/pool.h"
#include "pool/stop.h"
#include "timeout/watchdog.h"

/* A worker that has not accepted by then may have a child that does. */
#define CHILDREN_AFTER_MS 30

void
lifecycle_check_ready(struct pool *p)
{
	const struct policy_limits l = adjust_limits(p->conf);

	if (p->ready || members_up(&p->members) < policy_fill(&l))
		return;
	p->ready = true;
	/* The worker may be gone when the policy is asked. */
	p->memory.begun = true;
	p->ops->on_ready(p);
}

static void
worker_on_up(struct worker *w)
{
	struct pool *p = w->owner;

	policy_note_up(&p->memory);
	watchdog_begin(p->watchdog, w->slot);
	log_debug("pool %s: worker %d up, %u of %u", p->conf->name, (int)w->pid,
		members_up(&p->members), adjust_limits(p->conf).max_children);
	lifecycle_check_ready(p);
	/* After a back-off the rest follows the first that came up. */
	pool_adjust_soon(p);
}

/* What an administrator may have mixed up, when a first start fails. */
static const char *
hint(const struct pool *p, const struct worker *w)
{
	if (p->conf->mode == CONF_MODE_CGI || w->error.step[0])
		return "";
	return " (it left before it accepted: a CGI program needs mode = "
	       "cgi)";
}

static void
log_bad_start(struct pool *p, const struct worker *w, const char *story,
	const struct policy_end *end, int64_t pause_ms)
{
	const char *program = p->conf->handler ? p->conf->handler : "gateway";
	double pause = (double)pause_ms / 1000;

	stats_note_failure(&p->stats, story);
	if (end->was_up)
		log_error("pool %s: worker %d (%s): %s after %.1f s; the last "
			  "%u lived no second; next start in %.1f s",
			p->conf->name, (int)w->pid, program, story,
			(double)end->lived_ms / 1000, p->memory.short_lives,
			pause);
	else
		log_error("pool %s: worker %d (%s): %s before it was ready%s; "
			  "next start in %.1f s",
			p->conf->name, (int)w->pid, program, story, hint(p, w),
			pause);
	p->ops->on_bad_start(p, story, pause_ms);
}

/* As the board says, where it says something. */
static bool
has_served(const struct pool *p, const struct pool_member *m)
{
	struct board_sample slot;

	return members_read_slot(&p->members, m, &slot) && slot.ours &&
		slot.requests > 0;
}

/* As the board says: without a connection. */
static bool
held_none(struct pool *p, struct pool_member *m)
{
	struct board_sample slot;

	return members_read_slot(&p->members, m, &slot) &&
		!members_activity(
			&p->members, m, &slot, 0, MEMBERS_BOARD_ONLY, now_ms())
			 .may_hold;
}

/* The figures without it; true when it left because it was to. */
static bool
count_out(struct pool *p, struct pool_member *m, bool failed)
{
	const struct retire *r = &m->retire;
	/* One that dies while it is still at work dies by itself; one that
	 * was refused by its accept may call that a failure. */
	bool left = r->step != RETIRE_NOT &&
		(!failed || r->step == RETIRE_LEAVING ||
			(!m->worker.by_signal && held_none(p, m)));

	p->listener.a_worker_ended = true;
	stats_note_end(&p->stats,
		left             ? r->cause
			: failed ? RETIRE_CRASH
				 : RETIRE_EXIT);
	retire_end(&m->retire);
	if (p->members.board)
		stats_note_slot(&p->stats, p->members.board, m->worker.slot);
	members_end(&p->members, m);
	return left;
}

static void
log_end(const struct pool *p, const struct pool_member *m, bool retired,
	const char *story, const struct policy_end *end)
{
	int pid = (int)m->worker.pid;
	double lived = (double)end->lived_ms / 1000;

	if (retired)
		log_debug("pool %s: worker %d left: %s, after %.1f s",
			p->conf->name, pid, retire_cause_name(m->retire.cause),
			lived);
	else if (end->failed)
		log_warning("pool %s: worker %d died: %s, after %.1f s; "
			    "replaced",
			p->conf->name, pid, story, lived);
	else
		log_debug("pool %s: worker %d left: %s; replaced",
			p->conf->name, pid, story);
}

static void
worker_on_dead(struct worker *w, enum worker_state before, const char *story,
	bool failed)
{
	struct pool *p = w->owner;
	struct pool_member *m = container_of(w, struct pool_member, worker);
	struct policy_end end = {
		.lived_ms = now_ms() - w->start_ms,
		.was_up = before == WORKER_UP,
		.failed = failed,
		.served = has_served(p, m),
	};
	bool retired = count_out(p, m, failed);
	int64_t pause_ms = 0;

	if (pool_is_stopping(p)) {
		stop_on_dead(p);
		return;
	}
	if (before == WORKER_STARTING || before == WORKER_UP)
		pause_ms = policy_note_end(&p->memory, now_ms(), &end);
	if (pause_ms > 0)
		log_bad_start(p, w, story, &end, pause_ms);
	else
		log_end(p, m, retired, story, &end);
	pool_adjust_soon(p);
}

/* Has one of its child processes taken a slot? */
static bool
has_descendant(const struct members *ms, unsigned slot)
{
	struct board_sample seen;
	unsigned i;

	board_sweep(ms->board);
	for (i = ms->n; i < board_slots(ms->board); i++)
		if (board_read(ms->board, i, &seen) && seen.owner == (int)slot)
			return true;
	return false;
}

/* A busy pool's new worker is rarely seen in accept, but its slot shows it; and
 * one that we may not inspect the pool's own user may. */
static bool
worker_is_up(struct worker *w, bool unseen)
{
	struct pool *p = w->owner;
	struct pool_member *m = container_of(w, struct pool_member, worker);
	int64_t now = loop_now(p->loop);
	struct board_sample slot;
	struct activity a;

	(void)members_read_slot(&p->members, m, &slot);
	a = members_activity(&p->members, m, &slot, 0,
		unseen && p->conf->mode == CONF_MODE_PREFORK
			? MEMBERS_CHECK_ONCE
			: MEMBERS_BOARD_ONLY,
		now);
	if (a.state != ACTIVITY_STARTING)
		return true;
	/* One of its child processes may be the one that accepts. */
	return p->members.board && !slot.attached &&
		now - w->start_ms >= CHILDREN_AFTER_MS &&
		has_descendant(&p->members, w->slot);
}

const struct worker_ops lifecycle_ops = {
	.is_up = worker_is_up,
	.on_up = worker_on_up,
	.on_dead = worker_on_dead,
};
