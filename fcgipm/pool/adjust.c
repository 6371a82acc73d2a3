/*
 * adjust.c - as many workers as the policy wants; see adjust.h
 *
 * Called by pool/pool, and by pool/members when a worker has come up or is gone.
 * Looks (census), asks (policy), starts and retires, and arms what calls next.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/adjust.h"
#include "observe/board.h"
#include "pool/view.h"
#include "worker/launch.h"
#include "pool/pool.h"

/* A thousand workers come up at once: nobody is asked after each of them. */
#define SOON_MS 5
/* Between two lines about pm.max_children. */
#define TELL_MS 60000

struct policy_limits
adjust_limits(const struct pool *p)
{
	const struct conf_pool *c = p->conf;

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
	struct worker *w = &m->worker;

	if (p->board)
		board_reset(p->board, w->slot, p->conf->max_requests);
	if (worker_start(w, launch_spec(p->launch, w->slot)) < 0)
		return -1;
	if (p->board)
		board_started(p->board, w->slot, w->pid);
	kernel_worker_init(&m->eye, w->pid);
	m->idle = m->worn = false;
	m->weigh_ms = 0;
	m->listener = p->guard.ino;
	p->starting++;
	p->alive++;
	return 0;
}

static void
start_some(struct pool *p, const struct policy_view *v,
	struct policy_decision *d)
{
	struct pool_member *m = p->members;
	int64_t pause;

	for (; d->start > 0; d->start--, m++) {
		while (m < p->members + p->nmembers &&
			worker_alive(&m->worker))
			m++;
		if (m == p->members + p->nmembers)
			return;		/* one that is killed keeps its place */
		if (start_one(p, m) == 0)
			continue;
		pause = policy_note_bad_start(&p->memory, v->now_ms);
		stats_note_failure(&p->stats, strerror(errno));
		log_error("pool %s: cannot start a worker: %s; next try in "
			"%.1f s", p->conf->name, strerror(errno),
			(double)pause / 1000);
		d->again_ms = v->now_ms + pause;
		return;
	}
}

static void
retire(struct pool *p, struct pool_member *m, enum retire_cause cause)
{
	log_debug("pool %s: worker %d is to leave: %s", p->conf->name,
		(int)m->worker.pid, retire_cause_name(cause));
	p->up--;
	p->retiring++;
	p->retiring_worn += retire_is_wear(cause);
	/* Whoever is about to accept leaves by himself. */
	if (p->board)
		board_ask_stop(p->board, m->worker.slot);
	retire_begin(&m->retire, cause, false);
}

void
pool_end_worker(struct pool *p, struct pool_member *m,
	enum retire_cause cause)
{
	struct retire *r = &m->retire;

	if (r->step == RETIRE_NOT) {
		p->up -= m->worker.state == WORKER_UP;
		p->retiring++;
	} else {
		p->retiring_worn -= retire_is_wear(r->cause);
	}
	p->retiring_worn += retire_is_wear(cause);
	retire_at_once(r, cause);
}

static void
retire_some(struct pool *p, const struct policy_decision *d)
{
	struct pool_member *m;
	unsigned i;

	for (i = 0; i < d->retire_worn; i++) {
		m = view_pick_due(p);
		if (m)
			retire(p, m, m->cause);
	}
	for (i = 0; i < d->retire; i++) {
		m = view_pick_idle(p);
		if (m)
			retire(p, m, RETIRE_IDLE);
	}
}

/* Those whose socket is not that of clients any more. */
static void
retire_former(struct pool *p)
{
	struct pool_member *m;

	for (m = p->members; m < p->members + p->nmembers; m++)
		if (m->worker.state == WORKER_UP &&
			listener_is_former(&p->guard, m->listener))
			retire(p, m, RETIRE_LISTENER);
}

/* Each told once, until it was not so; the first at most once a minute. */
static void
tell_limits(struct pool *p, const struct policy_view *v,
	const struct policy_decision *d)
{
	if (d->at_max && !p->is_max && v->now_ms >= p->tell_max_ms) {
		p->tell_max_ms = v->now_ms + TELL_MS;
		log_warning("pool %s: pm.max_children = %u (threads = %u) is "
			"reached, %u connection%s wait%s", p->conf->name,
			p->conf->max_children, p->conf->threads, v->queue,
			v->queue == 1 ? "" : "s", v->queue == 1 ? "s" : "");
	}
	p->stats.max_reached += d->at_max && !p->is_max;
	p->is_max = d->at_max;
	if (d->at_room && !p->told_room)
		log_warning("pool %s: process.max is met by all pools "
			"together; no worker is added", p->conf->name);
	p->told_room = d->at_room;
}

/* What is to be known before the next timer. */
static void
wait_for_calls(struct pool *p, const struct policy_view *v)
{
	const struct policy_limits *l = &v->limits;
	struct wakeup_for w = {
		.idle_at = WAKEUP_NEVER,
		.requests = p->conf->max_requests > 0,
	};
	int spare = l->pm == POLICY_DYNAMIC ?
		(int)(l->min_spare * l->threads) : 1;

	/* With fewer the next step is in the policy's hands already. */
	if (l->pm != POLICY_STATIC && p->told && v->idle >= spare)
		w.idle_at = spare - 1;
	/* With a queue too, or there may be no more. */
	if (l->pm == POLICY_ONDEMAND && v->idle <= 0 && v->queue == 0)
		w.knock = p->starting + p->up < l->max_children &&
			p->starting == 0;
	wakeup_on(&p->wake, &w);
}

static void
ask_again(int64_t *at_ms, int64_t other_ms)
{
	if (other_ms > 0 && (*at_ms == 0 || other_ms < *at_ms))
		*at_ms = other_ms;
}

/* true: workers start or leave */
bool
pool_adjust(struct pool *p)
{
	struct policy_view v = {
		.now_ms = now_ms(),
		.limits = adjust_limits(p),
		.idle = POLICY_IDLE_UNKNOWN,
		.room = p->ops->room(),
	};
	struct policy_decision d;
	int64_t look_ms = 0, guard_ms;

	if (p->stopping)
		return false;
	guard_ms = listener_check(p, v.now_ms);
	retire_former(p);
	v.starting = p->starting;
	v.up = p->up;
	v.retiring = p->retiring;
	v.retiring_worn = p->retiring_worn;
	if (view_is_needed(p))
		look_ms = view_take(p, &v);
	if (p->memory.short_lives > 0)
		view_settled(p, &v);
	d = policy_decide(&p->memory, &v);
	start_some(p, &v, &d);
	retire_some(p, &d);
	tell_limits(p, &v, &d);
	ask_again(&d.again_ms, look_ms);
	ask_again(&d.again_ms, guard_ms);
	if (d.again_ms > 0)
		loop_timer_set(p->loop, &p->adjust_timer, d.again_ms);
	else
		loop_timer_stop(p->loop, &p->adjust_timer);
	if (view_is_needed(p))
		wait_for_calls(p, &v);
	return d.start + d.retire + d.retire_worn > 0;
}

/* To look at the workers takes a while where there are many. */
void
pool_adjust_soon(struct pool *p)
{
	int64_t at_ms = loop_now(p->loop) + SOON_MS;

	if (!view_is_needed(p) || p->up == 0)
		(void)pool_adjust(p);
	else if (!p->adjust_timer.place || p->adjust_timer.at_ms > at_ms)
		loop_timer_set(p->loop, &p->adjust_timer, at_ms);
}
