/*
 * adjust.c - starts and retires workers as the policy decided; see adjust.h
 *
 * Called by pool/open, and by pool/lifecycle when a worker became ready or
 * died.  Counts the workers by what they do (pool/view), runs the policy
 * (pool/policy), starts and retires workers, and sets the timer and the events
 * (pool/wakeup) that run it next.
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

/* A thousand workers may become ready at once: run the policy once for them. */
#define SOON_MS 5
/* Minimum between two lines about pm.max_children. */
#define LOG_MS 60000
/* A pool at pm.max_children is checked again for clients that wait. */
#define FULL_MS 1000

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

/* Starts one worker; -1 with errno when no process could be created. */
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
			return; /* a killed worker keeps its slot until dead */
		if (start_one(p, m) == 0)
			continue;
		pause = policy_note_bad_start(&p->memory, v->now_ms);
		stats_note_failure(&p->stats, strerror(errno));
		/* Action: "Too many open files": raise the limit of open files
		 * (LimitNOFILE=).  "Resource temporarily unavailable": raise
		 * the limit of processes (TasksMax=).  "Cannot allocate
		 * memory": free memory or lower pm.max_children. */
		log_error("pool %s: cannot start a worker: %s; next start in "
			  "%.1f s",
			p->conf->name, strerror(errno), (double)pause / 1000);
		d->again_ms = v->now_ms + pause;
		return;
	}
}

static void
retire(struct pool *p, struct pool_member *m, enum retire_cause cause)
{
	log_debug("pool %s: worker %d: retiring: %s", p->conf->name,
		(int)m->worker.pid, retire_cause_name(cause));
	/* A worker that is about to accept then exits without a signal. */
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

/* Retires the workers whose listening socket was replaced by a new one. */
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

/* pm.max_children is reached: a warning while clients wait, else a notice.
 * Each is logged when it begins, at most once a minute. */
static void
log_max(struct pool *p, bool at_max, unsigned waiting, int64_t now)
{
	struct pool_limits_log *log = &p->limits_log;
	bool is_short = at_max && waiting > 0;

	if (is_short && !log->is_short && now >= log->short_again_ms) {
		log->short_again_ms = log->max_again_ms = now + LOG_MS;
		/* Action: if memory or CPU time is short, find out with
		 * fcgipmctl status what the workers wait for, and make the
		 * requests faster. */
		log_warning("pool %s: pm.max_children = %u (threads = %u) is "
			    "reached and %u %s; raise pm.max_children if "
			    "memory and CPU allow",
			p->conf->name, p->conf->max_children, p->conf->threads,
			waiting,
			waiting == 1 ? "client waits" : "clients wait");
	} else if (at_max && !log->is_max && now >= log->max_again_ms) {
		log->max_again_ms = now + LOG_MS;
		/* Action: no action is needed if this is the expected load.  A
		 * warning is logged when clients wait. */
		log_notice("pool %s: pm.max_children = %u (threads = %u) is "
			   "reached; no client waits",
			p->conf->name, p->conf->max_children, p->conf->threads);
	}
	log->is_short = is_short;
	log->is_max = at_max;
}

/* Logs each limit when it is reached. */
static void
log_limits(struct pool *p, const struct policy_view *v,
	const struct policy_decision *d)
{
	struct pool_limits_log *log = &p->limits_log;

	/* For a pool that does not scale, adjust_note_queue() logs it. */
	if (view_scales(p->conf)) {
		p->stats.max_reached += d->at_max && !log->is_max;
		log_max(p, d->at_max, v->queue, v->now_ms);
	}
	if (d->at_room && !log->logged_room)
		/* Action: raise process.max, a key of section [fcgipm], if the
		 * machine has memory and CPU time for more processes. */
		log_warning("pool %s: no further worker is started: "
			    "process.max = %u is reached by all pools "
			    "together; raise it, or lower pm.max_children of "
			    "another pool",
			p->conf->name, p->ops->process_max());
	log->logged_room = d->at_room;
}

void
adjust_note_queue(struct pool *p, unsigned waiting)
{
	const struct keepalive *k = &p->keepalive;
	unsigned up = members_up(&p->members);

	/* keepalive inspects the workers when clients have waited for a second,
	 * and logs it if keep-alive connections are the cause. */
	if (!view_scales(p->conf) && !pool_is_stopping(p))
		log_max(p,
			k->inspected && k->kept == 0 && k->busy == up &&
				up >= p->conf->max_children,
			waiting, loop_now(p->loop));
}

/* Sets the events that run the policy before the next timer. */
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

	/* With fewer free threads, the policy has already started workers. */
	if (l->pm != POLICY_STATIC && p->members.board_complete &&
		v->idle >= spare)
		w.idle_at = spare - 1;
	/* Only with an empty queue: else the policy has seen the clients. */
	if (l->pm == POLICY_ONDEMAND && v->idle <= 0 && v->queue == 0)
		w.connection = members_starting(&p->members) == 0 &&
			members_up(&p->members) < l->max_children;
	wakeup_on(&p->wakeup, &w);
}

/* Counts the workers for the policy; returns when to do it again, 0 = after
 * the next event. */
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
	/* There is no event when a client arrives now. */
	if (d.at_max && v.queue == 0)
		ask_again(&d.again_ms, v.now_ms + FULL_MS);
	if (d.again_ms > 0)
		loop_timer_set(p->loop, &p->adjust_timer, d.again_ms);
	else
		loop_timer_stop(p->loop, &p->adjust_timer);
	if (view_is_needed(p->conf))
		arm_wakeup(p, &v);
	return d.start + d.retire + d.retire_due > 0;
}

void
pool_adjust_soon(struct pool *p)
{
	int64_t at_ms = loop_now(p->loop) + SOON_MS;

	if (!view_is_needed(p->conf) || members_up(&p->members) == 0)
		(void)pool_adjust(p);
	else if (!p->adjust_timer.place || p->adjust_timer.at_ms > at_ms)
		loop_timer_set(p->loop, &p->adjust_timer, at_ms);
}
