/*
 * snapshot.c - fills one struct with the state of a pool for the status; see
 * snapshot.h
 *
 * Called by master/status for a status command; it is not called otherwise.
 * pool/members decides what a worker does, in members_activity().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "observe/describe.h"
#include "pool/pool.h"
#include "pool/snapshot.h"
#include "pool/view.h"

/* What the child processes of a worker have reported on the board. */
struct descendants {
	unsigned processes; /* that are alive */
	uint64_t requests;	/* also of those that are dead */
};

/* What all workers of a pool share while the struct is filled in. */
struct survey {
	struct pool *p;
	struct snapshot *s;
	int64_t now_ms;
	time_t now;
	struct descendants *descendants; /* by slot; NULL = no board */
	uint64_t accepted, requests;	/* sum of all slots */
	const char *unattached; /* why slots are empty; NULL = unknown yet */
};

/* -- the tier of a worker and its reason ----------------------------------- */

/* Why a worker that is ready has not written its slot. */
static const char *
why_unattached(struct survey *v, const struct worker *w)
{
	struct members *ms = &v->p->members;
	char *shim = NULL;

	if (v->unattached)
		return v->unattached;
	if (v->p->conf->chroot)
		v->unattached = "chroot: the shim cannot be preloaded";
	else if (describe_is_static(&ms->kernel.prober, w->pid) > 0)
		v->unattached = "static program: the shim cannot be preloaded";
	else if (!(shim = board_find_shim()))
		v->unattached = "libfcgipm-shim.so is not installed";
	else
		v->unattached = "has not called accept() in the C library";
	free(shim);
	return v->unattached;
}

static const char *
why_not_shim(struct survey *v, const struct worker *w,
	const struct board_sample *slot)
{
	const struct conf_pool *c = v->p->conf;

	if (c->mode == CONF_MODE_CGI)
		return "gateway: the shim is not preloaded";
	if (c->observe == CONF_OBSERVE_KERNEL)
		return "observe = kernel";
	if (!v->p->members.board)
		return addr_is_tcp(&v->p->sockets[0].addr)
			? "not observed: static TCP pool"
			: "not observed: static pool";
	if (slot->incomplete)
		return "some of its connections bypass the shim";
	if (slot->attached)
		return "another process has its slot";
	if (slot->no_spare)
		return "it has more processes than slots";
	if (w->state == WORKER_STARTING)
		return "has not accepted a connection yet";
	return why_unattached(v, w);
}

/* -- the state of a worker ------------------------------------------------- */

static struct activity
activity_now(struct survey *v, struct pool_member *m,
	const struct board_sample *slot, bool ask_kernel)
{
	struct pool *p = v->p;
	unsigned descendants =
		v->descendants ? v->descendants[m->worker.slot].processes : 0;
	enum members_inspection how = MEMBERS_BOARD_ONLY;

	/* If no other module inspects the workers regularly, descriptors are
	 * not kept open until the next status. */
	if (ask_kernel)
		how = view_is_needed(p->conf) || p->watchdog
			? MEMBERS_CHECK
			: MEMBERS_CHECK_ONCE;
	return members_activity(
		&p->members, m, slot, descendants, how, v->now_ms);
}

static void
set_reason(struct snapshot_worker *ret, const char *reason, int err)
{
	snprintf(ret->reason, sizeof(ret->reason), "%s%s%s", reason,
		err ? ": " : "", err ? strerror(err) : "");
}

static int64_t
elapsed(const struct survey *v, int64_t since_ms)
{
	return since_ms > 0 ? v->now_ms - since_ms : SNAPSHOT_UNKNOWN;
}

static void
set_up(struct survey *v, struct pool_member *m, const struct activity *a,
	struct snapshot_worker *ret)
{
	const struct kernel_sample *seen = &m->observation.sample;

	ret->state = activity_state_name(a->state);
	ret->since_ms = elapsed(v, a->since_ms);
	if (a->reason)
		set_reason(ret, a->reason, a->err);
	if (ret->connections == SNAPSHOT_UNKNOWN && !a->by_slot &&
		seen->connections >= 0)
		ret->connections = seen->connections;
}

static void
set_retiring(struct survey *v, const struct pool_member *m,
	struct snapshot_worker *ret)
{
	bool stops = pool_is_stopping(v->p);

	ret->state = "Retiring";
	ret->since_ms =
		elapsed(v, stops ? v->p->stop.since_ms : m->retire.since_ms);
	set_reason(ret, stops ? "stop" : retire_cause_name(m->retire.cause), 0);
}

static void
set_state(struct survey *v, struct pool_member *m,
	const struct board_sample *slot, struct snapshot_worker *ret)
{
	bool is_up = m->worker.state == WORKER_UP;
	struct activity a = activity_now(v, m, slot, is_up);
	struct snapshot *s = v->s;

	ret->tier = activity_tier_name(a.tier);
	if (a.tier == ACTIVITY_TIER_KERNEL || a.tier == ACTIVITY_TIER_NONE ||
		slot->incomplete)
		ret->tier_reason = why_not_shim(v, &m->worker, slot);
	if (m->worker.state == WORKER_STARTING) {
		ret->state = activity_state_name(ACTIVITY_STARTING);
		ret->since_ms = elapsed(v, m->worker.start_ms);
		s->starting++;
	} else if (!is_up) {
		set_retiring(v, m, ret);
		s->retiring++;
	} else {
		set_up(v, m, &a, ret);
		s->starting += a.state == ACTIVITY_STARTING;
		s->up += a.state != ACTIVITY_STARTING;
		s->unknown += a.state == ACTIVITY_UNKNOWN;
		s->idle += a.state == ACTIVITY_IDLE;
		s->kept += a.state == ACTIVITY_KEPT;
	}
}

/* A child may have written any value. */
static int64_t
to_number(uint64_t n)
{
	return (int64_t)MIN(n, (uint64_t)INT64_MAX);
}

static void
add_figures(struct survey *v, const struct worker *w,
	const struct board_sample *slot, struct snapshot_worker *ret)
{
	const struct descendants *d =
		v->descendants ? &v->descendants[w->slot] : NULL;
	bool known =
		d && (slot->attached || d->processes > 0 || d->requests > 0);

	ret->requests = ret->connections = ret->duration_us = ret->bytes_in =
		ret->bytes_out = SNAPSHOT_UNKNOWN;
	if (!known)
		return;
	ret->requests = to_number(sum_capped(slot->requests, d->requests));
	if (!slot->attached)
		return;
	ret->connections = (int64_t)slot->open;
	if (slot->start_ms > 0)
		ret->duration_us = (v->now_ms - slot->start_ms) * 1000;
	else if (slot->last_us > 0)
		ret->duration_us = slot->last_us;
	ret->bytes_in = to_number(slot->bytes_in);
	ret->bytes_out = to_number(slot->bytes_out);
	memcpy(ret->method, slot->method, sizeof(ret->method));
	memcpy(ret->uri, slot->uri, sizeof(ret->uri));
}

static void
add_worker(struct survey *v, struct pool_member *m)
{
	struct snapshot *s = v->s;
	struct snapshot_worker *ret = &s->workers[s->nworkers++];
	const struct worker *w = &m->worker;
	struct board_sample slot;

	(void)members_read_slot(&v->p->members, m, &slot);
	ret->pid = w->pid;
	ret->start_since = (v->now_ms - w->start_ms) / 1000;
	ret->start_time = v->now - ret->start_since;
	add_figures(v, w, &slot, ret);
	set_state(v, m, &slot, ret);
	v->accepted = sum_capped(v->accepted, slot.accepted);
	v->requests = sum_capped(v->requests, slot.requests);
}

/* -- the pool -------------------------------------------------------------- */

static void
find_descendants(struct survey *v)
{
	const struct members *ms = &v->p->members;
	struct board_sample slot;
	unsigned i;

	if (!ms->board)
		return;
	v->descendants = mem_calloc(ms->n, sizeof(*v->descendants));
	for (i = ms->n; i < board_slots(ms->board); i++) {
		struct descendants *d;

		(void)board_read(ms->board, i, &slot);
		v->accepted = sum_capped(v->accepted, slot.accepted);
		v->requests = sum_capped(v->requests, slot.requests);
		if (slot.owner < 0)
			continue;
		d = &v->descendants[slot.owner];
		d->processes += slot.attached;
		d->requests = sum_capped(d->requests, slot.requests);
	}
}

static void
add_queue(struct pool *p, struct snapshot *s)
{
	struct sockdiag_queue queue;

	s->queue = s->queue_len = SNAPSHOT_UNKNOWN;
	if (pool_is_stopping(p) ||
		kernel_read_queue(&p->members.kernel, &queue) < 0)
		return;
	s->queue = (int64_t)queue.waiting;
	s->queue_len = (int64_t)queue.limit;
}

static void
add_history(struct survey *v)
{
	static const char *const pms[] = {"static", "dynamic", "ondemand"};
	static const char *const modes[] = {"prefork", "cgi"};
	const struct pool *p = v->p;
	struct snapshot *s = v->s;

	s->pool = p->conf->name;
	s->mode = modes[p->conf->mode];
	s->pm = pms[p->conf->pm];
	s->listen = p->sockets[0].addr.text;
	s->start_since = (v->now_ms - p->stats.since_ms) / 1000;
	s->start_time = v->now - s->start_since;
	s->max_queue = p->stats.most_waiting;
	s->max_active = p->stats.most_active;
	s->max_children = p->conf->max_children;
	s->max_children_reached = p->stats.max_reached;
	s->slow_requests = (int64_t)p->stats.slow_requests;
	s->kept = MAX(s->kept, (int64_t)p->keepalive.kept);
	s->starved = (int64_t)p->keepalive.times;
	s->refused = s->refusing = SNAPSHOT_UNKNOWN;
	if (overload_is_enabled(&p->overload)) {
		s->refused = (int64_t)p->overload.refused;
		s->refusing = p->overload.refusing;
	}
	memcpy(s->ended, p->stats.ended, sizeof(s->ended));
	s->bad_starts = p->memory.bad_starts;
	s->next_start_ms = pool_is_stopping(p)
		? 0
		: MAX(p->memory.not_before_ms - v->now_ms, (int64_t)0);
	s->failure = p->stats.failure[0] ? p->stats.failure : NULL;
}

static void
add_counts(const struct survey *v)
{
	struct stats *stats = &v->p->stats;

	v->s->accepted = v->s->requests = SNAPSHOT_UNKNOWN;
	if (!v->p->members.board)
		return;
	stats_note_counts(stats, v->accepted, v->requests);
	v->s->accepted = to_number(stats->accepted_shown);
	v->s->requests = to_number(stats->requests_shown);
}

void
snapshot_take(struct pool *p, struct snapshot *ret)
{
	struct survey v = {
		.p = p, .s = ret, .now_ms = now_ms(), .now = time(NULL)};
	struct members *ms = &p->members;
	unsigned alive = members_alive(ms), i;

	*ret = (struct snapshot){.total = alive};
	ret->workers = mem_calloc(MAX(alive, 1U), sizeof(*ret->workers));
	find_descendants(&v);
	for (i = 0; i < ms->n; i++)
		if (worker_alive(&ms->v[i].worker))
			add_worker(&v, &ms->v[i]);
	ret->active = ret->up - ret->idle - ret->unknown;
	add_queue(p, ret);
	stats_note_sample(&p->stats, (unsigned)ret->active,
		(unsigned)MAX(ret->queue, (int64_t)0));
	add_history(&v);
	add_counts(&v);
	free(v.descendants);
}

void
snapshot_fini(struct snapshot *s)
{
	free(s->workers);
	*s = (struct snapshot){0};
}

/* -- the names of the fields ----------------------------------------------- */

#define POOL(name, type, field)                                         \
	{                                                               \
		name, SNAPSHOT_##type, offsetof(struct snapshot, field) \
	}
#define WORKER(name, type, field)                                              \
	{                                                                      \
		name, SNAPSHOT_##type, offsetof(struct snapshot_worker, field) \
	}

const struct snapshot_field *
snapshot_pool_fields(size_t *ret_n)
{
	static const struct snapshot_field fields[] = {
		POOL("pool", WORD, pool),
		POOL("mode", WORD, mode),
		POOL("process manager", WORD, pm),
		POOL("listen", WORD, listen),
		POOL("start time", NUMBER, start_time),
		POOL("start since", NUMBER, start_since),
		POOL("accepted conn", NUMBER, accepted),
		POOL("requests", NUMBER, requests),
		POOL("listen queue", NUMBER, queue),
		POOL("max listen queue", NUMBER, max_queue),
		POOL("listen queue len", NUMBER, queue_len),
		POOL("idle processes", NUMBER, idle),
		POOL("active processes", NUMBER, active),
		POOL("unknown processes", NUMBER, unknown),
		POOL("starting processes", NUMBER, starting),
		POOL("retiring processes", NUMBER, retiring),
		POOL("total processes", NUMBER, total),
		POOL("max active processes", NUMBER, max_active),
		POOL("max children", NUMBER, max_children),
		POOL("max children reached", NUMBER, max_children_reached),
		POOL("slow requests", NUMBER, slow_requests),
		POOL("kept processes", NUMBER, kept),
		POOL("starved", NUMBER, starved),
		POOL("refused conn", NUMBER, refused),
		POOL("refusing", NUMBER, refusing),
		POOL("ended processes", CAUSES, ended),
		POOL("bad starts", NUMBER, bad_starts),
		POOL("next start ms", NUMBER, next_start_ms),
		POOL("last failure", WORD, failure),
	};

	*ret_n = ARRAY_SIZE(fields);
	return fields;
}

const struct snapshot_field *
snapshot_worker_fields(size_t *ret_n)
{
	static const struct snapshot_field fields[] = {
		WORKER("pid", NUMBER, pid),
		WORKER("state", WORD, state),
		WORKER("reason", TEXT, reason),
		WORKER("since ms", NUMBER, since_ms),
		WORKER("start time", NUMBER, start_time),
		WORKER("start since", NUMBER, start_since),
		WORKER("requests", NUMBER, requests),
		WORKER("connections", NUMBER, connections),
		WORKER("request duration", NUMBER, duration_us),
		WORKER("request method", TEXT, method),
		WORKER("request uri", TEXT, uri),
		WORKER("bytes in", NUMBER, bytes_in),
		WORKER("bytes out", NUMBER, bytes_out),
		WORKER("tier", WORD, tier),
		WORKER("tier reason", WORD, tier_reason),
	};

	*ret_n = ARRAY_SIZE(fields);
	return fields;
}
