/*
 * members.c - holds the worker slots of a pool; see members.h
 *
 * Called by pool/adjust, pool/view, pool/lifecycle, pool/keepalive,
 * pool/listener, pool/snapshot, pool/stop and pool/open.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/members.h"

/* Aborts if the counts differ from the states of the workers. */
static void
recount(const struct worker_counts *c)
{
	const struct members *ms = container_of(c, struct members, counts);
	unsigned of[WORKER_STATE_MAX] = {0}, i;

	for (i = 0; i < ms->n; i++)
		of[ms->v[i].worker.state]++;
	for (i = 0; i < WORKER_STATE_MAX; i++)
		if (of[i] != c->of[i])
			BUG("the counts of a pool's workers are wrong");
}

void
members_open(struct members *ms, struct loop *loop,
	const struct conf_pool *conf, unsigned n, const struct worker_ops *ops,
	void *owner)
{
	struct pool_member *m;
	unsigned i;

	ms->conf = conf;
	ms->v = mem_calloc(n, sizeof(*ms->v));
	for (i = 0; i < n; i++) {
		m = &ms->v[i];
		worker_init(&m->worker, loop, conf->name, i,
			conf->mode == CONF_MODE_CGI, ops, owner);
		worker_join(&m->worker, &ms->counts);
		retire_init(&m->retire, loop, conf, &m->worker, &ms->kernel,
			&m->observation, &ms->replaced);
	}
	ms->n = n;
	ms->counts.recount = recount;
}

void
members_close(struct members *ms)
{
	if (ms->v && members_alive(ms) > 0)
		BUG("a pool is closed while a worker is alive");
	if (ms->v)
		kernel_fini(&ms->kernel);
	free(ms->v);
	board_free(&ms->board);
	ms->v = NULL;
	ms->n = 0;
}

void
members_prepare(struct members *ms, struct pool_member *m)
{
	if (ms->board)
		board_reset(ms->board, m->worker.slot, ms->conf->max_requests);
}

void
members_begin(struct members *ms, struct pool_member *m, ino_t listener)
{
	if (m->worker.state != WORKER_STARTING)
		BUG("a member begins with a worker that starts");
	if (ms->board)
		board_started(ms->board, m->worker.slot, m->worker.pid);
	kernel_worker_init(&m->observation, m->worker.pid);
	m->idle = m->active = m->due = false;
	m->weigh_ms = 0;
	m->listener = listener;
}

void
members_end(struct members *ms, struct pool_member *m)
{
	if (worker_alive(&m->worker))
		BUG("a member ends with a worker that is dead");
	kernel_worker_fini(&m->observation);
	if (!ms->board)
		return;
	board_sweep(ms->board);
	board_ended(ms->board, m->worker.slot);
}

struct pool_member *
members_find_free(struct members *ms, struct pool_member *from)
{
	for (; from < ms->v + ms->n; from++)
		if (!worker_alive(&from->worker))
			return from;
	return NULL;
}

bool
members_read_slot(const struct members *ms, const struct pool_member *m,
	struct board_sample *ret)
{
	*ret = (struct board_sample){.owner = -1};
	return ms->board && board_read(ms->board, m->worker.slot, ret);
}

static const struct kernel_sample *
inspect(struct members *ms, struct pool_member *m, enum members_inspection how,
	int64_t now)
{
	switch (how) {
	case MEMBERS_BOARD_ONLY:
		break;
	case MEMBERS_CHECK_ONCE:
		return kernel_check_once(&ms->kernel, &m->observation, now);
	case MEMBERS_CHECK:
		return kernel_check(&ms->kernel, &m->observation, now);
	case MEMBERS_INSPECT:
		return kernel_inspect(&ms->kernel, &m->observation, now);
	}
	return NULL;
}

struct activity
members_activity(struct members *ms, struct pool_member *m,
	const struct board_sample *slot, unsigned descendants,
	enum members_inspection how, int64_t now)
{
	struct activity_input in = {
		.slot = slot,
		.threads = ms->conf->threads,
		.descendants = descendants,
		.is_starting = m->worker.state == WORKER_STARTING,
		.is_sampled = ms->is_sampled,
	};

	if (activity_needs_kernel(slot, in.threads))
		in.kernel = inspect(ms, m, how, now);
	else
		/* Descriptors of an earlier inspection through the kernel. */
		kernel_worker_close(&m->observation);
	in.has_accepted = m->worker.was_ready || m->observation.accepted ||
		slot->attached || descendants > 0;
	return activity_of(&in);
}

void
members_rest(struct members *ms)
{
	unsigned i;

	for (i = 0; i < ms->n; i++)
		if (ms->v[i].worker.state == WORKER_UP)
			kernel_worker_close(&ms->v[i].observation);
}
