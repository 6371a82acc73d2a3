/*
 * lifecycle.c - handles a worker that became ready or died; see lifecycle.h
 *
 * Called by worker/worker.  Logs the death of a worker and its cause, counts
 * it, and passes it to pool/policy, which may back off.  Then pool/adjust
 * starts a replacement if one is needed.
 */
#include "pool/lifecycle.h"
#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/adjust.h"
#include "pool/pool.h"
#include "pool/stop.h"
#include "timeout/watchdog.h"
#include "worker/explain.h"
#include "worker/launch.h"

/* A worker that has not accepted by then may have a child that does. */
#define CHILDREN_AFTER_MS 30

/* Size of the reason for a failed start. */
#define REASON_BYTES 1024

void
lifecycle_check_ready(struct pool *p)
{
	const struct policy_limits l = adjust_limits(p->conf);

	if (p->ready || members_up(&p->members) < policy_fill(&l))
		return;
	p->ready = true;
	/* The worker may have died when the policy runs next. */
	p->memory.begun = true;
	p->ops->on_ready(p);
}

static void
worker_on_up(struct worker *w)
{
	struct pool *p = w->owner;

	policy_note_up(&p->memory);
	watchdog_begin(p->watchdog, w->slot);
	log_debug("pool %s: worker %d: ready, %u of %u", p->conf->name,
		(int)w->pid, members_up(&p->members),
		adjust_limits(p->conf).max_children);
	lifecycle_check_ready(p);
	/* After a back-off the policy starts the others now. */
	pool_adjust_soon(p);
}

/* The program that the workers of this pool execute. */
static const char *
program_of(const struct pool *p)
{
	return p->conf->mode == CONF_MODE_CGI ? "fcgipm-cgi" : p->conf->handler;
}

static void
log_no_exec(struct pool *p, const struct worker *w, double pause_s)
{
	const char *program = program_of(p);
	char reason[REASON_BYTES];

	explain_start(launch_spec(p->launch, w->slot), p->conf->user, &w->error,
		reason, sizeof(reason));
	stats_note_failure(&p->stats, reason);
	/* Action: correct what the line names, or run fcgipm -t -c FILE, which
	 * names a command for it.  The start is retried automatically, so
	 * fcgipm needs no restart afterwards unless the configuration was
	 * changed. */
	log_error("pool %s: worker %d: cannot start %s: %s; next start in "
		  "%.1f s",
		p->conf->name, (int)w->pid, program, reason, pause_s);
}

/* It became ready, as did those before it, and died shortly afterwards. */
static void
log_crash_loop(struct pool *p, const struct worker *w, const char *story,
	const struct policy_end *end, double pause_s)
{
	stats_note_failure(&p->stats, story);
	/* Action: the program crashes at its first requests.  Its own output
	 * and its core file, if rlimit_core permits one, show why. */
	log_error("pool %s: worker %d: died after %.1f s: %s; the last %u "
		  "workers each died within 1 s of their start; next start in "
		  "%.1f s",
		p->conf->name, (int)w->pid, (double)end->lived_ms / 1000, story,
		p->memory.short_lives, pause_s);
}

static void
log_not_ready(struct pool *p, const struct worker *w, const char *story,
	bool failed, double pause_s)
{
	const char *program = program_of(p);
	bool may_be_cgi = p->conf->mode == CONF_MODE_PREFORK && !failed;

	stats_note_failure(&p->stats, story);
	/* Action: read the output of the program, which is logged before this
	 * line.  If there is none, start the program by hand, as the user of
	 * the pool.  A program that exits immediately with status 0 is a CGI
	 * program in most cases. */
	log_error("pool %s: worker %d: %s exited before accepting a "
		  "connection: %s%s%s; next start in %.1f s",
		p->conf->name, (int)w->pid, program, story,
		w->log.has_logged ? "; its output is above" : "",
		may_be_cgi ? "; if it is a CGI program, set mode = cgi" : "",
		pause_s);
}

static void
log_bad_start(struct pool *p, const struct worker *w, const char *story,
	const struct policy_end *end, int64_t pause_ms)
{
	double pause_s = (double)pause_ms / 1000;

	if (w->error.step[0])
		log_no_exec(p, w, pause_s);
	else if (end->was_up)
		log_crash_loop(p, w, story, end, pause_s);
	else
		log_not_ready(p, w, story, end->failed, pause_s);
	p->ops->on_bad_start(p, p->stats.failure, pause_ms);
}

/* Has it answered a request, according to the board? */
static bool
has_served(const struct pool *p, const struct pool_member *m)
{
	struct board_sample slot;

	return members_read_slot(&p->members, m, &slot) && slot.ours &&
		slot.requests > 0;
}

/* Did it have no connection, according to the board? */
static bool
held_none(struct pool *p, struct pool_member *m)
{
	struct board_sample slot;

	return members_read_slot(&p->members, m, &slot) &&
		!members_activity(
			&p->members, m, &slot, 0, MEMBERS_BOARD_ONLY, now_ms())
			 .may_hold;
}

/* Counts its end; true when it exited because it was retired. */
static bool
count_out(struct pool *p, struct pool_member *m, bool failed)
{
	const struct retire *r = &m->retire;
	/* A worker that failed while it was busy did not exit because of the
	 * retirement.  But a program may exit with an error status when
	 * accept(2) fails. */
	bool retired = r->step != RETIRE_NOT &&
		(!failed || r->step == RETIRE_SIGNALLED ||
			(!m->worker.by_signal && held_none(p, m)));

	p->listener.a_worker_ended = true;
	stats_note_end(&p->stats,
		retired          ? r->cause
			: failed ? RETIRE_CRASH
				 : RETIRE_EXIT);
	retire_end(&m->retire);
	if (p->members.board)
		stats_note_slot(&p->stats, p->members.board, m->worker.slot);
	members_end(&p->members, m);
	return retired;
}

static void
log_end(const struct pool *p, const struct pool_member *m, bool retired,
	const char *story, const struct policy_end *end)
{
	int pid = (int)m->worker.pid;
	double lived = (double)end->lived_ms / 1000;

	if (retired)
		log_debug("pool %s: worker %d: retired: %s, after %.1f s",
			p->conf->name, pid, retire_cause_name(m->retire.cause),
			lived);
	else if (end->failed)
		/* Action: the output of the program or its core file may show
		 * why; a request that it had is lost.  SIGKILL that no process
		 * sent: memory ran out (see dmesg), or rlimit_cpu was used up.
		 * SIGXFSZ: the limit rlimit_fsize was reached. */
		log_warning("pool %s: worker %d: died after %.1f s: %s; "
			    "replaced as needed",
			p->conf->name, pid, lived, story);
	else
		log_debug("pool %s: worker %d: exited after %.1f s: %s; "
			  "replaced as needed",
			p->conf->name, pid, lived, story);
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

/* In a busy pool a new worker is rarely seen in accept(2), but its slot shows
 * that it accepts.  A worker that the supervisor may not inspect is inspected
 * by a process of the pool's user (observe/prober). */
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
