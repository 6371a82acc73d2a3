/*
 * members.c - what becomes of a pool when a worker comes up or is gone; see members.h
 *
 * Called by worker/worker.
 */
#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/adjust.h"
#include "observe/board.h"
#include "pool/members.h"
#include "timeout/watchdog.h"
#include "pool/pool.h"
#include "pool/stop.h"

/* A worker that has not accepted by then may have a child that does. */
#define CHILDREN_AFTER_MS 30

void
members_check_ready(struct pool *p)
{
	const struct policy_limits l = adjust_limits(p);

	if (p->ready || p->up < policy_fill(&l))
		return;
	p->ready = true;
	/* Whoever came up may be gone when the policy is asked. */
	p->memory.begun = true;
	p->ops->on_ready(p);
}

static void
worker_on_up(struct worker *w)
{
	struct pool *p = w->owner;

	p->starting--;
	p->up++;
	policy_note_up(&p->memory);
	watchdog_begin(p->watchdog, w->slot);
	log_debug("pool %s: worker %d up, %u of %u", p->conf->name,
		(int)w->pid, p->up, adjust_limits(p).max_children);
	members_check_ready(p);
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
tell_bad_start(struct pool *p, const struct worker *w, const char *story,
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
			"next start in %.1f s", p->conf->name, (int)w->pid,
			program, story, hint(p, w), pause);
	p->ops->on_bad_start(p, story, pause_ms);
}

/* By its own account, where it gave one. */
static bool
has_served(const struct pool *p, const struct worker *w)
{
	struct board_sample slot;

	return p->board && board_read(p->board, w->slot, &slot) &&
		slot.ours && slot.requests > 0;
}

/* By its own word, and without a connection. */
static bool
is_idle(const struct pool *p, const struct worker *w)
{
	struct board_sample slot;

	return p->board && board_read(p->board, w->slot, &slot) &&
		board_knows(&slot) && slot.open == 0;
}

/* The figures without it; true when it left as it was told to. */
static bool
count_out(struct pool *p, struct pool_member *m, enum worker_state before,
	bool failed)
{
	const struct retire *r = &m->retire;
	bool told = r->step != RETIRE_NOT;
	/* One that falls while it is still at work falls by itself; one that
	 * was refused by its accept may call that a failure. */
	bool left = told && (!failed || r->step == RETIRE_LEAVING ||
		(!m->worker.by_signal && is_idle(p, &m->worker)));

	p->guard.fell = true;
	p->alive--;
	p->starting -= before == WORKER_STARTING;
	p->up -= before == WORKER_UP;
	/* At a stop all are, and nobody counts on it. */
	if (told && !p->stopping) {
		p->retiring--;
		p->retiring_worn -= retire_is_wear(r->cause);
	}
	stats_note_end(&p->stats, left ? r->cause :
			failed ? RETIRE_CRASH : RETIRE_EXIT);
	retire_end(&m->retire);
	kernel_worker_fini(&m->eye);
	if (p->board) {
		stats_note_slot(&p->stats, p->board, m->worker.slot);
		board_sweep(p->board);
		board_ended(p->board, m->worker.slot);
	}
	return left;
}

static void
tell_end(const struct pool *p, const struct pool_member *m, bool retired,
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
			    "replaced", p->conf->name, pid, story, lived);
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
		.served = has_served(p, w),
	};
	bool retired = count_out(p, m, before, failed);
	int64_t pause_ms = 0;

	if (p->stopping) {
		stop_on_dead(p);
		return;
	}
	if (before == WORKER_STARTING || before == WORKER_UP)
		pause_ms = policy_note_end(&p->memory, now_ms(), &end);
	if (pause_ms > 0)
		tell_bad_start(p, w, story, &end, pause_ms);
	else
		tell_end(p, m, retired, story, &end);
	pool_adjust_soon(p);
}

/* Has one of those that it forked taken a place? */
static bool
has_family(struct pool *p, unsigned slot)
{
	struct board_sample seen;
	unsigned i;

	board_sweep(p->board);
	for (i = p->nmembers; i < board_slots(p->board); i++)
		if (board_read(p->board, i, &seen) && seen.owner == (int)slot)
			return true;
	return false;
}

/* A busy pool's new worker is seldom seen waiting, but its slot tells; and who
 * may not be looked at by us may be by his own user. */
static bool
worker_is_up(struct worker *w, bool unseen)
{
	struct pool *p = w->owner;
	struct pool_member *m = container_of(w, struct pool_member, worker);
	int64_t now = loop_now(p->loop);
	struct board_sample slot;

	/* Whoever looks at it once it is up opens what that takes. */
	if (unseen && p->conf->mode == CONF_MODE_PREFORK &&
		kernel_check_once(&p->observe, &m->eye, now)->accepting > 0)
		return true;
	if (!p->board)
		return false;
	if (board_read(p->board, w->slot, &slot))
		return slot.ours;
	/* It may be one of its children who accepts. */
	return now - w->start_ms >= CHILDREN_AFTER_MS && has_family(p, w->slot);
}

const struct worker_ops members_ops = {
	.is_up = worker_is_up,
	.on_up = worker_on_up,
	.on_dead = worker_on_dead,
};
