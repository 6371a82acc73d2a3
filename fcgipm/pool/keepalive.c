/*
 * keepalive.c - workers that wait while clients do; see keepalive.h
 *
 * Called by overload/overload and pool/view, where the queue is looked at
 * anyway: a pool that is not looked at is not looked at for this.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "observe/board.h"
#include "pool/view.h"
#include "pool/pool.h"
#include "pool/keepalive.h"

#define LOOK_MS 1000
/* Between two lines of the log. */
#define TELL_MS 60000

/* For a second, as far as that can be seen. */
static bool
waits_on_kept(struct pool *p, struct pool_member *m, int64_t now)
{
	const struct kernel_sample *seen;
	struct board_sample slot = {0};

	if (p->board)
		(void)board_read(p->board, m->worker.slot, &slot);
	if (board_knows(&slot))
		return slot.state == FCGIPM_KEPT && slot.since_ms > 0 &&
			now - slot.since_ms >= LOOK_MS;
	/* A connection is known since the first look that saw it.  A request
	 * that comes slowly looks the same; web servers send them whole. */
	seen = kernel_inspect(&p->observe, &m->eye, now);
	return seen->state == KERNEL_BUSY && seen->reading &&
		now - seen->oldest_since_ms >= LOOK_MS;
}

static void
tell(struct pool *p, unsigned waiting, int64_t now)
{
	struct keepalive *s = &p->starved;
	char again[40] = "";

	if (now < s->tell_ms || s->untold == 0)
		return;
	if (s->untold > 1)
		snprintf(again, sizeof(again), ", the %lluth time",
			(unsigned long long)s->times);
	log_warning("pool %s: %u client%s while %u of %u workers hold idle "
		"connections that the web server keeps open%s; have it keep "
		"fewer than there are workers: nginx without "
		"fastcgi_keep_conn or with a smaller keepalive, Apache "
		"without enablereuse=on or with a smaller max", p->conf->name,
		waiting, waiting == 1 ? " waits" : "s wait", s->kept, p->up,
		again);
	s->untold = 0;
	s->tell_ms = now + TELL_MS;
}

static void
look(struct pool *p, unsigned waiting, int64_t now)
{
	struct keepalive *s = &p->starved;
	unsigned kept = 0, i;

	for (i = 0; i < p->nmembers; i++)
		if (p->members[i].worker.state == WORKER_UP)
			kept += waits_on_kept(p, &p->members[i], now);
	if (kept > 0 && s->kept == 0) {
		s->times++;
		s->untold++;
	}
	s->kept = kept;
	if (kept > 0)
		tell(p, waiting, now);
}

/* Descriptors of workers that nobody else looks at. */
static void
look_away(struct pool *p)
{
	unsigned i;

	p->starved.looked = false;
	if (view_is_needed(p) || p->watchdog)
		return;
	for (i = 0; i < p->nmembers; i++) {
		struct pool_member *m = &p->members[i];

		if (m->worker.state != WORKER_UP)
			continue;
		kernel_worker_close(&m->eye);
	}
}

void
keepalive_note(struct pool *p, unsigned waiting, int64_t now)
{
	struct keepalive *s = &p->starved;

	if (waiting == 0) {
		s->since_ms = 0;
		s->kept = 0;
		if (s->looked)
			look_away(p);
		return;
	}
	if (s->since_ms == 0) {
		s->since_ms = now;
		s->look_ms = now + LOOK_MS;
	}
	if (now < s->look_ms)
		return;
	s->look_ms = now + LOOK_MS;
	s->looked = true;
	look(p, waiting, now);
}
