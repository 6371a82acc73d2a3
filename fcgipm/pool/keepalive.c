/*
 * keepalive.c - logs that idle keep-alive connections occupy workers; see
 * keepalive.h
 *
 * Called by pool/open and pool/adjust when they have sampled the listen queue
 * for another purpose.  It samples nothing itself, so a pool whose queue is not
 * sampled is not checked.
 */

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/keepalive.h"
#include "pool/members.h"

#define INSPECT_MS 1000
/* Minimum between two log lines. */
#define LOG_MS 60000

void
keepalive_init(struct keepalive *k, struct members *members, bool rests)
{
	*k = (struct keepalive){.members = members, .rests = rests};
}

/* Does it wait on a keep-alive connection, for a second at least? */
static bool
waits_on_kept(const struct activity *a, int64_t now)
{
	/* By the kernel alone, a request that arrives slowly looks the same;
	 * but web servers send a request at once. */
	return (a->state == ACTIVITY_KEPT ||
		       (a->state == ACTIVITY_READING && !a->by_slot)) &&
		a->since_ms > 0 && now - a->since_ms >= INSPECT_MS;
}

static void
log_kept(struct keepalive *k, unsigned waiting, int64_t now)
{
	if (now < k->log_ms || k->unlogged == 0)
		return;
	/* Action: the web server keeps more connections open than the pool has
	 * workers, so its own requests wait for each other.  Let it keep fewer
	 * connections than there are workers, or none, or raise
	 * pm.max_children. */
	log_warning(
		"pool %s: idle keep-alive connections occupy %u of %u workers "
		"while %u %s (%llu %s since startup); in nginx lower keepalive "
		"or remove fastcgi_keep_conn, in Apache lower max or remove "
		"enablereuse=on",
		k->members->conf->name, k->kept, members_up(k->members),
		waiting, waiting == 1 ? "client waits" : "clients wait",
		(unsigned long long)k->times, k->times == 1 ? "time" : "times");
	k->unlogged = 0;
	k->log_ms = now + LOG_MS;
}

static void
count_kept(struct keepalive *k, unsigned waiting, int64_t now)
{
	struct members *ms = k->members;
	unsigned kept = 0, i;

	k->busy = 0;
	for (i = 0; i < ms->n; i++) {
		struct board_sample slot;
		struct activity a;

		if (ms->v[i].worker.state != WORKER_UP)
			continue;
		(void)members_read_slot(ms, &ms->v[i], &slot);
		a = members_activity(
			ms, &ms->v[i], &slot, 0, MEMBERS_INSPECT, now);
		kept += waits_on_kept(&a, now);
		k->busy += a.state != ACTIVITY_UNKNOWN && a.free_places == 0;
	}
	if (kept > 0 && k->kept == 0) {
		k->times++;
		k->unlogged++;
	}
	k->kept = kept;
	if (kept > 0)
		log_kept(k, waiting, now);
}

static void
note_empty(struct keepalive *k)
{
	k->since_ms = 0;
	k->kept = k->busy = 0;
	if (k->inspected && k->rests)
		members_rest(k->members);
	k->inspected = false;
}

void
keepalive_note(struct keepalive *k, unsigned waiting, int64_t now)
{
	if (waiting == 0) {
		note_empty(k);
		return;
	}
	if (k->since_ms == 0) {
		k->since_ms = now;
		k->next_ms = now + INSPECT_MS;
	}
	if (now < k->next_ms)
		return;
	k->next_ms = now + INSPECT_MS;
	k->inspected = true;
	count_kept(k, waiting, now);
}
