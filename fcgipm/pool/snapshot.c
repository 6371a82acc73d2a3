/*
 * snapshot.c - what is known of a pool and its workers; see snapshot.h
 *
 * Called by master/status for whoever asks; nothing here happens otherwise.
 * A worker is told of by its slot of the board, else the kernel is asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "observe/board.h"
#include "pool/view.h"
#include "observe/describe.h"
#include "pool/pool.h"
#include "pool/snapshot.h"

/* What a worker's own children have told. */
struct brood {
	unsigned processes;	/* that live */
	uint64_t requests;	/* of those that are gone, too */
};

/* What is found out once for all workers of a pool. */
struct take {
	struct pool *p;
	struct snapshot *s;
	int64_t now_ms;
	time_t now;
	struct brood *broods;	/* by slot */
	uint64_t accepted, requests;	/* by all slots */
	const char *unattached;	/* why slots are empty; NULL = not asked yet */
};

/* -- who knows a worker, and why nobody better ----------------------------- */

/* A worker that serves, and has not written its slot. */
static const char *
why_unattached(struct take *t, const struct worker *w)
{
	char *shim = NULL;

	if (t->unattached)
		return t->unattached;
	if (t->p->conf->chroot)
		t->unattached = "chroot: nothing is preloaded there";
	else if (describe_is_static(&t->p->observe.prober, w->pid) > 0)
		t->unattached = "static program: nothing can be preloaded";
	else if (!(shim = board_find_shim()))
		t->unattached = "libfcgipm-shim.so is not installed";
	else
		t->unattached = "has not accepted by the C library";
	free(shim);
	return t->unattached;
}

static const char *
why_not_shim(struct take *t, const struct worker *w,
	const struct board_sample *slot)
{
	const struct conf_pool *c = t->p->conf;

	if (c->mode == CONF_MODE_CGI)
		return "the gateway is not preloaded";
	if (c->observe == CONF_OBSERVE_KERNEL)
		return "observe = kernel";
	if (!t->p->board)
		return "nothing depends on it";
	if (slot->incomplete)
		return "some of its connections pass unseen";
	if (slot->attached)
		return "another process has its place";
	if (slot->no_spare)
		return "it has more processes than places";
	if (w->state == WORKER_STARTING)
		return "not yet accepted";
	return why_unattached(t, w);
}

static void
set_tier(struct take *t, const struct worker *w,
	const struct board_sample *slot, struct snapshot_worker *ret)
{
	if (slot->attached && slot->ours)
		ret->tier = slot->handler ? "handler" : "shim";
	else if (t->broods && t->broods[w->slot].processes > 0)
		ret->tier = "shim";
	else
		ret->tier = "kernel";
	if (ret->tier[0] == 'k' || slot->incomplete)
		ret->tier_reason = why_not_shim(t, w, slot);
}

/* -- what it does ---------------------------------------------------------- */

static void
set_state(struct snapshot_worker *ret, const char *state, int64_t since_ms)
{
	ret->state = state;
	ret->since_ms = since_ms;
}

/* false: the slot does not say all. */
static bool
state_of_slot(struct take *t, const struct board_sample *slot,
	struct snapshot_worker *ret)
{
	static const char *const names[] = {[FCGIPM_FREE] = "Running",
		[FCGIPM_READING] = "Reading", [FCGIPM_BUSY] = "Running",
		[FCGIPM_CLOSING] = "Finishing", [FCGIPM_KEPT] = "Kept"};
	int64_t from = slot->start_ms > 0 ? slot->start_ms : slot->since_ms;
	int64_t since = from > 0 ? t->now_ms - from : SNAPSHOT_UNKNOWN;

	if (!board_knows(slot) || (slot->open == 0 && !board_accepts(slot)))
		return false;
	set_state(ret, slot->open == 0 ? "Idle" : names[slot->state], since);
	return true;
}

static void
state_of_look(struct take *t, const struct kernel_sample *seen,
	struct snapshot_worker *ret)
{
	int64_t since = SNAPSHOT_UNKNOWN;

	if (seen->connections > 0)
		since = t->now_ms - seen->oldest_since_ms;
	/* Idle all the time?  Known where somebody looks again and again. */
	else if (view_scales(t->p))
		since = t->now_ms - seen->since_ms;
	if (seen->state == KERNEL_IDLE)
		set_state(ret, "Idle", since);
	else if (seen->state == KERNEL_BUSY)
		set_state(ret, seen->reading ? "Reading" :
			seen->connections > 0 ? "Running" : "Finishing",
			since);
	else
		set_state(ret, "Unknown", SNAPSHOT_UNKNOWN);
	if (ret->connections == SNAPSHOT_UNKNOWN && seen->connections >= 0)
		ret->connections = seen->connections;
	if (seen->state == KERNEL_UNKNOWN && ret->tier[0] == 'k')
		ret->tier = "none";
	if (seen->state == KERNEL_UNKNOWN || seen->err)
		snprintf(ret->reason, sizeof(ret->reason), "%s%s%s",
			seen->reason, seen->err ? ": " : "",
			seen->err ? strerror(seen->err) : "");
}

static void
look(struct take *t, struct pool_member *m, const struct board_sample *slot,
	struct snapshot_worker *ret)
{
	const struct kernel_sample *seen;

	if (state_of_slot(t, slot, ret))
		return;
	/* Where nobody looks again before somebody asks again, descriptors are
	 * needed for more workers. */
	if (view_is_needed(t->p) || t->p->watchdog)
		seen = kernel_check(&t->p->observe, &m->eye, t->now_ms);
	else
		seen = kernel_check_once(&t->p->observe, &m->eye, t->now_ms);
	state_of_look(t, seen, ret);
}

static void
find_state(struct take *t, struct pool_member *m,
	const struct board_sample *slot, struct snapshot_worker *ret)
{
	const struct retire *r = &m->retire;

	switch (m->worker.state) {
	case WORKER_STARTING:
		set_state(ret, "Starting", t->now_ms - m->worker.start_ms);
		break;
	case WORKER_UP:
		look(t, m, slot, ret);
		break;
	default:
		set_state(ret, "Retiring", t->now_ms - (t->p->stopping ?
				t->p->stop_since_ms : r->since_ms));
		snprintf(ret->reason, sizeof(ret->reason), "%s",
			t->p->stopping ? "stop" : retire_cause_name(r->cause));
		break;
	}
}

/* A child may have written any. */
static int64_t
to_number(uint64_t n)
{
	return (int64_t)MIN(n, (uint64_t)INT64_MAX);
}

static void
add_figures(struct take *t, const struct worker *w,
	const struct board_sample *slot, struct snapshot_worker *ret)
{
	const struct brood *brood = t->broods ? &t->broods[w->slot] : NULL;
	bool known = brood && (slot->attached || brood->processes > 0 ||
		brood->requests > 0);

	ret->requests = ret->connections = ret->duration_us = ret->bytes_in =
		ret->bytes_out = SNAPSHOT_UNKNOWN;
	if (!known)
		return;
	ret->requests = to_number(sum_capped(slot->requests, brood->requests));
	if (!slot->attached)
		return;
	ret->connections = (int64_t)slot->open;
	if (slot->start_ms > 0)
		ret->duration_us = (t->now_ms - slot->start_ms) * 1000;
	else if (slot->last_us > 0)
		ret->duration_us = slot->last_us;
	ret->bytes_in = to_number(slot->bytes_in);
	ret->bytes_out = to_number(slot->bytes_out);
	memcpy(ret->method, slot->method, sizeof(ret->method));
	memcpy(ret->uri, slot->uri, sizeof(ret->uri));
}

static void
take_worker(struct take *t, struct pool_member *m)
{
	struct snapshot *s = t->s;
	struct snapshot_worker *ret = &s->workers[s->nworkers++];
	const struct worker *w = &m->worker;
	struct board_sample slot = {0};

	if (t->p->board)
		(void)board_read(t->p->board, w->slot, &slot);
	ret->pid = w->pid;
	ret->start_since = (t->now_ms - w->start_ms) / 1000;
	ret->start_time = t->now - ret->start_since;
	add_figures(t, w, &slot, ret);
	set_tier(t, w, &slot, ret);
	find_state(t, m, &slot, ret);
	s->starting += w->state == WORKER_STARTING;
	s->retiring += w->state == WORKER_RETIRING ||
		w->state == WORKER_KILLED;
	s->up += w->state == WORKER_UP;
	s->unknown += strcmp(ret->state, "Unknown") == 0;
	s->idle += strcmp(ret->state, "Idle") == 0;
	s->kept += strcmp(ret->state, "Kept") == 0;
	t->accepted = sum_capped(t->accepted, slot.accepted);
	t->requests = sum_capped(t->requests, slot.requests);
}

/* -- the pool -------------------------------------------------------------- */

static void
find_broods(struct take *t)
{
	struct board_sample slot;
	unsigned i;

	if (!t->p->board)
		return;
	t->broods = mem_calloc(t->p->nmembers, sizeof(*t->broods));
	for (i = t->p->nmembers; i < board_slots(t->p->board); i++) {
		struct brood *b;

		(void)board_read(t->p->board, i, &slot);
		t->accepted = sum_capped(t->accepted, slot.accepted);
		t->requests = sum_capped(t->requests, slot.requests);
		if (slot.owner < 0)
			continue;
		b = &t->broods[slot.owner];
		b->processes += slot.attached;
		b->requests = sum_capped(b->requests, slot.requests);
	}
}

static void
take_queue(struct pool *p, struct snapshot *s)
{
	struct sockdiag_queue queue;

	s->queue = s->queue_len = SNAPSHOT_UNKNOWN;
	if (p->stopping || kernel_read_queue(&p->observe, &queue) < 0)
		return;
	s->queue = (int64_t)queue.waiting;
	s->queue_len = (int64_t)queue.limit;
}

static void
take_history(struct take *t)
{
	static const char *const pms[] = {"static", "dynamic", "ondemand"};
	static const char *const modes[] = {"prefork", "cgi"};
	const struct pool *p = t->p;
	struct snapshot *s = t->s;

	s->pool = p->conf->name;
	s->mode = modes[p->conf->mode];
	s->pm = pms[p->conf->pm];
	s->listen = p->sockets[0].addr.text;
	s->start_since = (t->now_ms - p->stats.since_ms) / 1000;
	s->start_time = t->now - s->start_since;
	s->max_queue = p->stats.most_waiting;
	s->max_active = p->stats.most_active;
	s->max_children = p->conf->max_children;
	s->max_children_reached = p->stats.max_reached;
	s->slow_requests = (int64_t)p->stats.slow_requests;
	s->kept = MAX(s->kept, (int64_t)p->starved.kept);
	s->starved = (int64_t)p->starved.times;
	s->refused = s->refusing = SNAPSHOT_UNKNOWN;
	if (overload_is_enabled(&p->overload)) {
		s->refused = (int64_t)p->overload.refused;
		s->refusing = p->overload.refusing;
	}
	memcpy(s->ended, p->stats.ended, sizeof(s->ended));
	s->bad_starts = p->memory.bad_starts;
	s->next_start_ms = p->stopping ? 0 :
		MAX(p->memory.not_before_ms - t->now_ms, (int64_t)0);
	s->failure = p->stats.failure[0] ? p->stats.failure : NULL;
}

static void
take_counts(const struct take *t)
{
	struct stats *stats = &t->p->stats;

	t->s->accepted = t->s->requests = SNAPSHOT_UNKNOWN;
	if (!t->p->board)
		return;
	stats_note_counts(stats, t->accepted, t->requests);
	t->s->accepted = to_number(stats->accepted_told);
	t->s->requests = to_number(stats->requests_told);
}

void
snapshot_take(struct pool *p, struct snapshot *ret)
{
	struct take t = {.p = p, .s = ret, .now_ms = now_ms(),
		.now = time(NULL)};
	unsigned i;

	*ret = (struct snapshot){.total = p->alive};
	ret->workers = mem_calloc(MAX(p->alive, 1U), sizeof(*ret->workers));
	find_broods(&t);
	for (i = 0; i < p->nmembers; i++)
		if (worker_alive(&p->members[i].worker))
			take_worker(&t, &p->members[i]);
	ret->active = ret->up - ret->idle - ret->unknown;
	take_queue(p, ret);
	stats_note_look(&p->stats, (unsigned)ret->active,
		(unsigned)MAX(ret->queue, (int64_t)0));
	take_history(&t);
	take_counts(&t);
	free(t.broods);
}

void
snapshot_fini(struct snapshot *s)
{
	free(s->workers);
	*s = (struct snapshot){0};
}

/* -- names ----------------------------------------------------------------- */

#define POOL(name, type, field)                                                \
	{name, SNAPSHOT_##type, offsetof(struct snapshot, field)}
#define WORKER(name, type, field)                                              \
	{name, SNAPSHOT_##type, offsetof(struct snapshot_worker, field)}

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
