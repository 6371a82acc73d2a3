/*
 * adjust.c - as many workers as the policy wants; see adjust.h
 *
 * Called by pool/open, and by pool/lifecycle when a worker is ready or dead.
 * Counts what the workers do (view), asks the policy, starts and retires, and
 * arms what wakes the pool next.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/adjust.h"
#include "pool/pool.h"
#include "pool/view.h"
#include "worker/launch.h"

/* A thousand workers are ready at once: the policy is not asked after each. */
#define SOON_MS 5
/* Between two lines about pm.max_children. */
#define LOG_MS 60000

struct policy_limits
adjust_limits(const struct conf_pool *c)
{
	/* In cgi mode max_children counts programs, and one gateway runs
	 * them all. */
	if (c->mode == CONF_MODE_CGI)
		return (struct policy_limits){
			.pm = POLICY_STATIC, .max_children = 1};
	return (struct policy_limits){
		.pm = (enum policy_pm)c->pm,
		.max_children = c->max_children,
		.start_servers = c->start_servers,
		.min_spare = c->min_spare_servers,
		.max_spare = c->max_spare_servers,
		.max_spawn_rate = c->max_spawn_rate,
		.max_retiring = c->max_retiring,
		.threads = c->threads,
	};
}

/* One more; -1 with errno when not even a process could be made. */
static int
start_one(struct pool *p, struct pool_member *m)
{
	members_prepare(&p->members, m);
	if (worker_start(&m->worker, launch_spec(p->launch, m->worker.slot)) <
		0)
		return -1;
	members_begin(&p->members, m, p->listener.ino);
	return 0;
}

static void
start_some(
	struct pool *p, const struct policy_view *v, struct policy_decision *d)
{
	struct pool_member *m = p->members.v;
	int64_t pause;

	for (; d->start > 0; d->start--) {
		m = members_find_free(&p->members, m);
		if (!m)
			return; /* one that is killed keeps its place */
		if (start_one(p, m) == 0)
			continue;
		pause = policy_note_bad_start(&p->memory, v->now_ms);
		stats_note_failure(&p->stats, strerror(errno));
		log_error("pool %s: cannot start a worker: %s; next try in "
			  "%.1f s",
			p->conf->name, strerror(errno), (double)pause / 1000);
		d->again_ms = v->now_ms + pause;
		return;
	}
}

static void
retire(struct pool *p, struct pool_member *m, enum retire_cause cause)
{
	log_debug("pool %s: worker %d is to leave: %s", p->conf->name,
		(int)m->worker.pid, retire_cause_name(cause));
	/* One that is about to accept leaves by itself. */
	if (p->members.board)
		board_ask_stop(p->members.board, m->worker.slot);
	retire_begin(&m->retire, cause, false);
}

static void
retire_some(struct pool *p, const struct policy_decision *d)
{
	struct pool_member *m;
	unsigned i;

	for (i = 0; i < d->retire_due; i++) {
		m = view_pick_due(&p->members);
		if (m)
			retire(p, m, m->cause);
	}
	for (i = 0; i < d->retire; i++) {
		m = view_pick_idle(&p->members);
		if (m)
			retire(p, m, RETIRE_IDLE);
	}
}

/* Those whose socket is not that of clients any more. */
static void
retire_former(struct pool *p)
{
	struct members *ms = &p->members;
	struct pool_member *m;

	for (m = ms->v; m < ms->v + ms->n; m++)
		if (m->worker.state == WORKER_UP &&
			listener_is_former(&p->listener, m->listener))
			retire(p, m, RETIRE_LISTENER);
}

/* Each logged once, until it was not so; the first at most once a minute. */
static void
log_limits(struct pool *p, const struct policy_view *v,
	const struct policy_decision *d)
{
	struct pool_limits_log *log = &p->limits_log;

	if (d->at_max && !log->is_max && v->now_ms >= log->max_again_ms) {
		log->max_again_ms = v->now_ms + LOG_MS;
		log_warning("pool %s: pm.max_children = %u (threads = %u) is "
			    "reached, %u connection%s wait%s",
			p->conf->name, p->conf->max_children, p->conf->threads,
			v->queue, v->queue == 1 ? "" : "s",
			v->queue == 1 ? "s" : "");
	}
	p->stats.max_reached += d->at_max && !log->is_max;
	log->is_max = d->at_max;
	if (d->at_room && !log->logged_room)
		log_warning("pool %s: process.max is met by all pools "
			    "together; no worker is added",
			p->conf->name);
	log->logged_room = d->at_room;
}

/* What is to wake the pool before the next timer. */
static void
arm_wakeup(struct pool *p, const struct policy_view *v)
{
	const struct policy_limits *l = &v->limits;
	struct wakeup_for w = {
		.idle_at = WAKEUP_NEVER,
		.requests = p->conf->max_requests > 0,
	};
	int spare =
		l->pm == POLICY_DYNAMIC ? (int)(l->min_spare * l->threads) : 1;

	/* With fewer the next step is in the policy's hands already. */
	if (l->pm != POLICY_STATIC && p->members.board_complete &&
		v->idle >= spare)
		w.idle_at = spare - 1;
	/* With a queue too, or there may be no further one. */
	if (l->pm == POLICY_ONDEMAND && v->idle <= 0 && v->queue == 0)
		w.connection = members_starting(&p->members) == 0 &&
			members_up(&p->members) < l->max_children;
	wakeup_on(&p->wakeup, &w);
}

/* What the workers do, for the policy; when to take it again, 0 = after the
 * next event. */
static int64_t
take_view(struct pool *p, struct policy_view *v)
{
	struct members *ms = &p->members;
	int64_t again_ms = 0;

	v->starting = members_starting(ms);
	v->up = members_up(ms);
	v->retiring = members_retiring(ms);
	v->retiring_due = ms->replaced;
	if (view_is_needed(p->conf))
		again_ms = view_take(ms, p->sockets[0].fd, v);
	if (p->memory.short_lives > 0)
		view_settled(ms, v);
	if (view_scales(p->conf)) {
		stats_note_sample(
			&p->stats, v->idle < 0 ? 0 : view_active(ms), v->queue);
		keepalive_note(&p->keepalive, v->queue, v->now_ms);
	}
	return again_ms;
}

static void
ask_again(int64_t *at_ms, int64_t other_ms)
{
	if (other_ms > 0 && (*at_ms == 0 || other_ms < *at_ms))
		*at_ms = other_ms;
}

bool
pool_adjust(struct pool *p)
{
	struct policy_view v = {
		.now_ms = now_ms(),
		.limits = adjust_limits(p->conf),
		.idle = POLICY_IDLE_UNKNOWN,
		.room = p->ops->room(),
	};
	struct policy_decision d;
	int64_t view_ms, listener_ms;

	if (pool_is_stopping(p))
		return false;
	listener_ms = listener_check(&p->listener, v.now_ms);
	retire_former(p);
	view_ms = take_view(p, &v);
	d = policy_decide(&p->memory, &v);
	start_some(p, &v, &d);
	retire_some(p, &d);
	log_limits(p, &v, &d);
	ask_again(&d.again_ms, view_ms);
	ask_again(&d.again_ms, listener_ms);
	if (d.again_ms > 0)
		loop_timer_set(p->loop, &p->adjust_timer, d.again_ms);
	else
		loop_timer_stop(p->loop, &p->adjust_timer);
	if (view_is_needed(p->conf))
		arm_wakeup(p, &v);
	return d.start + d.retire + d.retire_due > 0;
}

/* To inspect the workers takes a while where there are many. */
void
pool_adjust_soon(struct pool *p)
{
	int64_t at_ms = loop_now(p->loop) + SOON_MS;

	if (!view_is_needed(p->conf) || members_up(&p->members) == 0)
		(void)pool_adjust(p);
	else if (!p->adjust_timer.place || p->adjust_timer.at_ms > at_ms)
		loop_timer_set(p->loop, &p->adjust_timer, at_ms);
}
