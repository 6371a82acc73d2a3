/*
 * pool.c - a listening socket and the workers behind it; see pool.h
 *
 * Called by master/super.  Opens what a pool consists of and lets it begin;
 * adjust, life and stop are what happens then.
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
#include "pool/adjust.h"
#include "observe/board.h"
#include "pool/view.h"
#include "worker/launch.h"
#include "pool/members.h"
#include "timeout/watchdog.h"
#include "pool/pool.h"
#include "pool/stop.h"

/* Places on a board for what a worker forks. */
#define SPARE_SLOTS 4

static bool
pool_on_wake(struct wakeup *w)
{
	return pool_adjust(container_of(w, struct pool, wake));
}

static void
pool_on_timer(struct loop_timer *t)
{
	(void)pool_adjust(container_of(t, struct pool, adjust_timer));
}

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
	listener_init(&p->guard, &opts, p->sockets[0].fd);
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
	rc = kernel_init(&p->observe, diag, fds, p->nsockets, uid, gid);
	free(fds);
	return rc;
}

static void
on_queue(struct overload *o, unsigned waiting)
{
	struct pool *p = container_of(o, struct pool, overload);

	stats_note_look(&p->stats, 0, waiting);
	keepalive_note(p, waiting, loop_now(p->loop));
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
		(!view_is_needed(p) && !watchdog_is_needed(c) &&
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

static void
on_slow(struct worker *w)
{
	struct pool *p = w->owner;

	p->stats.slow_requests++;
}

static void
on_late(struct worker *w)
{
	pool_end_worker(w->owner, container_of(w, struct pool_member, worker),
		RETIRE_TIMEOUT);
}

static void
on_descendant_killed(struct worker *w)
{
	struct pool *p = w->owner;

	stats_note_end(&p->stats, RETIRE_TIMEOUT);
}

static const struct watchdog_ops watchdog_ops = {
	.on_slow = on_slow,
	.on_late = on_late,
	.on_descendant_killed = on_descendant_killed,
};

static int
open_watchdog(struct pool *p, char *why, size_t why_size)
{
	struct watchdog_spec spec = {
		.conf = p->conf,
		.loop = p->loop,
		.board = p->board,
		.kernel = &p->observe,
		.nsubjects = p->nmembers,
		.ops = &watchdog_ops,
	};
	struct watchdog_subject *subjects;
	unsigned i;

	if (!watchdog_is_needed(p->conf))
		return 0;
	subjects = mem_calloc(p->nmembers, sizeof(*subjects));
	for (i = 0; i < p->nmembers; i++)
		subjects[i] = (struct watchdog_subject){
			&p->members[i].worker, &p->members[i].eye};
	spec.subjects = subjects;
	launch_ids(p->launch, &spec.uid, &spec.gid);
	p->watchdog = watchdog_open(&spec, why, why_size);
	free(subjects);
	return p->watchdog ? 0 : -1;
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
	l = adjust_limits(p);
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
	wakeup_init(&p->wake, loop, conf->name, p->board, p->sockets[0].fd,
		pool_on_wake);
	p->members = mem_calloc(p->nmembers, sizeof(*p->members));
	if (mind_queue(p, nofile, ret_why, why_size) < 0)
		goto fail;
	for (i = 0; i < p->nmembers; i++) {
		struct pool_member *m = &p->members[i];

		worker_init(&m->worker, loop, conf->name, i, cgi, &members_ops,
			p);
		retire_init(&m->retire, loop, conf, &m->worker, &p->observe,
			&m->eye);
	}
	if (open_watchdog(p, ret_why, why_size) == 0)
		return 0;
fail:
	pool_close(p);
	return -1;
}

void
pool_start(struct pool *p)
{
	members_check_ready(p);
	overload_start(&p->overload);
	(void)pool_adjust(p);
}

void
pool_close(struct pool *p)
{
	size_t i;

	if (p->loop)
		loop_timer_stop(p->loop, &p->adjust_timer);
	wakeup_stop(&p->wake);
	overload_fini(&p->overload);
	for (i = 0; i < p->nsockets; i++)
		listen_close(&p->sockets[i]);
	watchdog_close(&p->watchdog);
	if (p->members)
		kernel_fini(&p->observe);
	free(p->sockets);
	free(p->members);
	board_free(&p->board);
	launch_free(&p->launch);
	*p = (struct pool){0};
}
