/*
 * pool.c - a listening socket and the workers behind it; see pool.h
 *
 * Called by master/super.  After every event pool_adjust() asks the policy
 * and starts what it says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/board.h"
#include "pool/census.h"
#include "pool/launch.h"
#include "pool/patrol.h"
#include "pool/pool.h"
#include "pool/stop.h"

/* A thousand workers come up at once: nobody is asked after each of them. */
#define SOON_MS 5
/* Between two lines about pm.max_children. */
#define TELL_MS 60000
/* A worker that has not accepted by then may have a child that does. */
#define CHILDREN_AFTER_MS 30
/* Places on a board for what a worker forks. */
#define SPARE_SLOTS 4

static bool pool_adjust(struct pool *p);

static struct policy_limits
limits_of(const struct pool *p)
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
	observe_worker_init(&m->eye, w->pid);
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
		m = census_pick_worn(p);
		if (m)
			retire(p, m, m->cause);
	}
	for (i = 0; i < d->retire; i++) {
		m = census_pick_idle(p);
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
			guard_is_former(&p->guard, m->listener))
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
	struct wake_for w = {
		.idle_at = WAKE_NEVER,
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
	wake_on(&p->wake, &w);
}

static void
ask_again(int64_t *at_ms, int64_t other_ms)
{
	if (other_ms > 0 && (*at_ms == 0 || other_ms < *at_ms))
		*at_ms = other_ms;
}

/* true: workers start or leave */
static bool
pool_adjust(struct pool *p)
{
	struct policy_view v = {
		.now_ms = now_ms(),
		.limits = limits_of(p),
		.idle = POLICY_IDLE_UNKNOWN,
		.room = p->ops->room(),
	};
	struct policy_decision d;
	int64_t look_ms = 0, guard_ms;

	if (p->stopping)
		return false;
	guard_ms = guard_check(p, v.now_ms);
	retire_former(p);
	v.starting = p->starting;
	v.up = p->up;
	v.retiring = p->retiring;
	v.retiring_worn = p->retiring_worn;
	if (census_is_needed(p))
		look_ms = census_take(p, &v);
	if (p->memory.short_lives > 0)
		census_settled(p, &v);
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
	if (census_is_needed(p))
		wait_for_calls(p, &v);
	return d.start + d.retire + d.retire_worn > 0;
}

/* To look at the workers takes a while where there are many. */
static void
pool_adjust_soon(struct pool *p)
{
	int64_t at_ms = loop_now(p->loop) + SOON_MS;

	if (!census_is_needed(p) || p->up == 0)
		(void)pool_adjust(p);
	else if (!p->adjust_timer.place || p->adjust_timer.at_ms > at_ms)
		loop_timer_set(p->loop, &p->adjust_timer, at_ms);
}

static bool
pool_on_wake(struct wake *w)
{
	return pool_adjust(container_of(w, struct pool, wake));
}

static void
pool_on_timer(struct loop_timer *t)
{
	(void)pool_adjust(container_of(t, struct pool, adjust_timer));
}

static void
check_ready(struct pool *p)
{
	const struct policy_limits l = limits_of(p);

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
	patrol_begin(p, container_of(w, struct pool_member, worker));
	log_debug("pool %s: worker %d up, %u of %u", p->conf->name,
		(int)w->pid, p->up, limits_of(p).max_children);
	check_ready(p);
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
	struct board_seen slot;

	return p->board && board_read(p->board, w->slot, &slot) &&
		slot.ours && slot.requests > 0;
}

/* By its own word, and without a connection. */
static bool
is_idle(const struct pool *p, const struct worker *w)
{
	struct board_seen slot;

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
	observe_worker_fini(&m->eye);
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
	struct board_seen seen;
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
	struct board_seen slot;

	if (unseen && p->conf->mode == CONF_MODE_PREFORK &&
		observe_look(&p->observe, &m->eye, now)->accepting > 0)
		return true;
	if (!p->board)
		return false;
	if (board_read(p->board, w->slot, &slot))
		return slot.ours;
	/* It may be one of its children who accepts. */
	return now - w->start_ms >= CHILDREN_AFTER_MS && has_family(p, w->slot);
}

static const struct worker_ops worker_ops = {
	.is_up = worker_is_up,
	.on_up = worker_on_up,
	.on_dead = worker_on_dead,
};

/* A socket belongs to whom its pool runs as, unless the keys say otherwise. */
static int
listen_opts_of(const struct conf_pool *conf, struct listen_opts *opts,
	char *why, size_t why_size)
{
	const char *user = conf->listen_owner ? conf->listen_owner :
						conf->user;
	const char *group = conf->listen_group ? conf->listen_group :
						 conf->group;
	struct privs ids = {0};
	const char *reason = NULL;

	if (privs_resolve(user, group, &ids, &reason) < 0) {
		snprintf(why, why_size, "listen.owner or listen.group: %s",
			reason);
		return -1;
	}
	*opts = (struct listen_opts){
		.backlog = (int)conf->listen_backlog,
		.owner = user ? ids.uid : (uid_t)-1,
		.group = user || group ? ids.gid : (gid_t)-1,
		.mode = (mode_t)conf->listen_mode,
		.allowed_clients = conf->listen_allowed_clients,
	};
	privs_fini(&ids);
	return 0;
}

static int
open_sockets(struct pool *p, char *why, size_t why_size)
{
	const struct conf_pool *conf = p->conf;
	struct listen_opts opts;

	if (listen_opts_of(conf, &opts, why, why_size) < 0)
		return -1;
	p->sockets = mem_calloc(conf->nlisten, sizeof(*p->sockets));
	for (; p->nsockets < conf->nlisten; p->nsockets++) {
		const struct addr *a = &conf->listen[p->nsockets];

		if (listen_open(a, &opts, &p->sockets[p->nsockets], why,
			    why_size) < 0)
			return -1;
		if (addr_is_path(a) && !listen_reachable(&opts))
			log_warning("pool %s: no web server's user (www-data, "
				    "nginx, http, apache) may connect to %s; "
				    "set listen.owner, listen.group or "
				    "listen.mode", conf->name, a->text);
	}
	guard_init(&p->guard, &opts, p->sockets[0].fd);
	return 0;
}

static int
init_observe(struct pool *p, struct sockdiag *diag)
{
	int *fds = mem_calloc(p->nsockets, sizeof(*fds)), rc;
	uid_t uid;
	gid_t gid;
	size_t i;

	for (i = 0; i < p->nsockets; i++)
		fds[i] = p->sockets[i].fd;
	launch_ids(p->launch, &uid, &gid);
	rc = observe_init(&p->observe, diag, fds, p->nsockets, uid, gid);
	free(fds);
	return rc;
}

static void
on_queue(struct overload *o, unsigned waiting)
{
	struct pool *p = container_of(o, struct pool, overload);

	stats_note_look(&p->stats, 0, waiting);
	starved_note(p, waiting, loop_now(p->loop));
	if (waiting == 0 && listen_is_shut(&p->sockets[0]))
		(void)pool_adjust(p);
}

static void
on_gone(struct overload *o)
{
	stop_on_dead(container_of(o, struct pool, overload));
}

static const struct overload_ops overload_ops = {
	.on_queue = on_queue,
	.on_gone = on_gone,
};

/* A gateway minds its own. */
static int
mind_queue(struct pool *p, unsigned long nofile, char *why, size_t why_size)
{
	if (p->conf->mode == CONF_MODE_CGI || p->conf->queue_timeout_ms == 0)
		return 0;
	return overload_init(&p->overload, p->loop, p->conf, &p->sockets[0],
		&p->observe, nofile, &overload_ops, why, why_size);
}

static int
open_board(struct pool *p, char *why, size_t why_size)
{
	const struct conf_pool *c = p->conf;

	/* To load a library costs a start a tenth of a millisecond. */
	if (c->observe == CONF_OBSERVE_KERNEL ||
		(!census_is_needed(p) && !patrol_is_needed(c) &&
			!c->accelerate))
		return 0;
	p->board = board_new(p->nmembers, p->nmembers * SPARE_SLOTS,
		c->threads);
	if (p->board) {
		board_accelerate(p->board, c->accelerate);
		return 0;
	}
	snprintf(why, why_size, "the board of its workers: %s; observe = "
		"kernel does without", strerror(errno));
	return -1;
}

int
pool_open(struct pool *p, struct loop *loop, const struct conf_pool *conf,
	unsigned long nofile, struct sockdiag *diag, const struct pool_ops *ops,
	char *ret_why, size_t why_size)
{
	bool cgi = conf->mode == CONF_MODE_CGI;
	struct policy_limits l;
	unsigned i;

	*p = (struct pool){
		.conf = conf,
		.ops = ops,
		.loop = loop,
		.stats = {.since_ms = now_ms()},
		.adjust_timer = {.on_timer = pool_on_timer},
	};
	if (geteuid() == 0 && !conf->user)
		log_warning("pool %s: its programs run as root; write user = "
			"www-data, or another one that owns nothing",
			conf->name);
	if (open_sockets(p, ret_why, why_size) < 0)
		goto fail;
	l = limits_of(p);
	p->nmembers = l.max_children + l.max_retiring;
	if (open_board(p, ret_why, why_size) < 0)
		goto fail;
	p->launch = launch_new(conf, p->sockets, p->nsockets, p->board, nofile,
		ret_why, why_size);
	if (!p->launch)
		goto fail;
	if (init_observe(p, diag) < 0) {
		snprintf(ret_why, why_size, "listening sockets: %s",
			strerror(errno));
		goto fail;
	}
	wake_init(&p->wake, loop, conf->name, p->board, p->sockets[0].fd,
		pool_on_wake);
	p->members = mem_calloc(p->nmembers, sizeof(*p->members));
	if (mind_queue(p, nofile, ret_why, why_size) < 0)
		goto fail;
	for (i = 0; i < p->nmembers; i++) {
		struct pool_member *m = &p->members[i];

		worker_init(&m->worker, loop, conf->name, i, cgi, &worker_ops,
			p);
		retire_init(&m->retire, loop, conf, &m->worker, &p->observe,
			&m->eye);
	}
	if (patrol_open(p, ret_why, why_size) == 0)
		return 0;
fail:
	pool_close(p);
	return -1;
}

void
pool_start(struct pool *p)
{
	check_ready(p);
	overload_start(&p->overload);
	(void)pool_adjust(p);
}

void
pool_close(struct pool *p)
{
	size_t i;

	if (p->loop)
		loop_timer_stop(p->loop, &p->adjust_timer);
	wake_stop(&p->wake);
	overload_fini(&p->overload);
	for (i = 0; i < p->nsockets; i++)
		listen_close(&p->sockets[i]);
	patrol_close(&p->patrol);
	if (p->members)
		observe_fini(&p->observe);
	free(p->sockets);
	free(p->members);
	board_free(&p->board);
	launch_free(&p->launch);
	*p = (struct pool){0};
}
