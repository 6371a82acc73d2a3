/*
 * keepalive.c - workers that wait while clients do; see keepalive.h
 *
 * Called by pool/open and pool/adjust, where the queue is inspected anyway: a
 * pool whose queue is not inspected is not inspected for this.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/keepalive.h"
#include "pool/members.h"

#define INSPECT_MS 1000
/* Between two lines of the log. */
#define LOG_MS 60000

void
keepalive_init(struct keepalive *k, struct members *members, bool rests)
{
	*k = (struct keepalive){.members = members, .rests = rests};
}

/* For a second, as far as that can be seen. */
static bool
waits_on_kept(struct members *ms, struct pool_member *m, int64_t now)
{
	struct board_sample slot;
	struct activity a;

	(void)members_read_slot(ms, m, &slot);
	a = members_activity(ms, m, &slot, 0, MEMBERS_INSPECT, now);
	/* To the kernel a request that comes slowly looks the same; web
	 * servers send them whole. */
	return (a.state == ACTIVITY_KEPT ||
		       (a.state == ACTIVITY_READING && !a.by_slot)) &&
		a.since_ms > 0 && now - a.since_ms >= INSPECT_MS;
}

static void
log_kept(struct keepalive *k, unsigned waiting, int64_t now)
{
	char again[40] = "";

	if (now < k->log_ms || k->unlogged == 0)
		return;
	if (k->unlogged > 1)
		snprintf(again, sizeof(again), ", the %lluth time",
			(unsigned long long)k->times);
	log_warning(
		"pool %s: %u client%s while %u of %u workers hold idle "
		"connections that the web server keeps open%s; have it keep "
		"fewer than there are workers: nginx without "
		"fastcgi_keep_conn or with a smaller keepalive, Apache "
		"without enablereuse=on or with a smaller max",
		k->members->conf->name, waiting,
		waiting == 1 ? " waits" : "s wait", k->kept,
		members_up(k->members), again);
	k->unlogged = 0;
	k->log_ms = now + LOG_MS;
}

static void
count_kept(struct keepalive *k, unsigned waiting, int64_t now)
{
	struct members *ms = k->members;
	unsigned kept = 0, i;

	for (i = 0; i < ms->n; i++)
		if (ms->v[i].worker.state == WORKER_UP)
			kept += waits_on_kept(ms, &ms->v[i], now);
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
	k->kept = 0;
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
