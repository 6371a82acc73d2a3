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
#include "pool/launch.h"
#include "pool/pool.h"
#include "pool/stop.h"

static void
pool_adjust(struct pool *p)
{
	struct policy_view v = {
		.now_ms = now_ms(),
		.limits = {.pm = POLICY_STATIC, .max_children = p->nworkers},
		.starting = p->starting,
		.up = p->up,
		.idle = POLICY_IDLE_UNKNOWN,
		.room = POLICY_NO_LIMIT,
	};
	struct policy_decision d;
	struct worker *w = p->workers;
	int64_t pause;

	if (p->stopping)
		return;
	d = policy_decide(&p->memory, &v);
	for (; d.start > 0; d.start--, w++) {
		while (worker_alive(w))
			w++;
		if (worker_start(w, launch_spec(p->launch, w->slot)) < 0) {
			pause = policy_note_bad_start(&p->memory, v.now_ms);
			log_error("pool %s: cannot start a worker: %s; next "
				  "try in %.1f s", p->conf->name,
				strerror(errno), (double)pause / 1000);
			d.again_ms = v.now_ms + pause;
			break;
		}
		p->starting++;
		p->alive++;
	}
	if (d.again_ms > 0)
		loop_timer_set(p->loop, &p->adjust_timer, d.again_ms);
}

static void
pool_on_timer(struct loop_timer *t)
{
	pool_adjust(container_of(t, struct pool, adjust_timer));
}

static void
worker_on_up(struct worker *w)
{
	struct pool *p = w->owner;

	p->starting--;
	p->up++;
	policy_note_up(&p->memory);
	log_debug("pool %s: worker %d up, %u of %u", p->conf->name,
		(int)w->pid, p->up, p->nworkers);
	if (!p->ready && p->up == p->nworkers) {
		p->ready = true;
		p->ops->on_ready(p);
	}
	/* After a back-off the rest follows the first that came up. */
	pool_adjust(p);
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
note_bad_start(struct pool *p, struct worker *w, const char *story)
{
	int64_t pause = policy_note_bad_start(&p->memory, now_ms());

	log_error("pool %s: worker %d (%s): %s before it was ready%s; next "
		  "start in %.1f s", p->conf->name, (int)w->pid,
		p->conf->handler ? p->conf->handler : "gateway", story,
		hint(p, w), (double)pause / 1000);
	p->ops->on_bad_start(p, story, pause);
}

static void
worker_on_dead(struct worker *w, enum worker_state before, const char *story,
	bool failed)
{
	struct pool *p = w->owner;

	/* The slot may be taken again before its end is told. */
	pid_t pid = w->pid;
	int64_t lived_ms = now_ms() - w->start_ms;

	p->alive--;
	if (before == WORKER_STARTING)
		p->starting--;
	if (before == WORKER_UP)
		p->up--;
	if (p->stopping) {
		stop_on_dead(p);
		return;
	}
	if (before == WORKER_STARTING &&
		(failed || !p->ready || !policy_note_short_life(&p->memory))) {
		note_bad_start(p, w, story);
		pool_adjust(p);
		return;
	}
	pool_adjust(p);
	if (failed)
		log_warning("pool %s: worker %d died: %s, after %.1f s; "
			    "replaced", p->conf->name, (int)pid, story,
			(double)lived_ms / 1000);
	else
		log_debug("pool %s: worker %d left: %s; replaced",
			p->conf->name, (int)pid, story);
}

static const struct worker_ops worker_ops = {
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
	return 0;
}

int
pool_open(struct pool *p, struct loop *loop, const struct conf_pool *conf,
	unsigned long nofile, const struct pool_ops *ops, char *ret_why,
	size_t why_size)
{
	bool cgi = conf->mode == CONF_MODE_CGI;
	unsigned i;

	*p = (struct pool){
		.conf = conf,
		.ops = ops,
		.loop = loop,
		.adjust_timer = {.on_timer = pool_on_timer},
	};
	if (geteuid() == 0 && !conf->user)
		log_warning("pool %s: its programs run as root; write user = "
			"www-data, or another one that owns nothing",
			conf->name);
	if (open_sockets(p, ret_why, why_size) < 0)
		goto fail;
	p->launch = launch_new(conf, p->sockets, p->nsockets, nofile, ret_why,
		why_size);
	if (!p->launch)
		goto fail;
	/* In cgi mode max_children counts programs, and one gateway runs
	 * them all. */
	p->nworkers = cgi ? 1 : conf->max_children;
	p->workers = mem_calloc(p->nworkers, sizeof(*p->workers));
	for (i = 0; i < p->nworkers; i++)
		worker_init(&p->workers[i], loop, conf->name, i, cgi,
			&worker_ops, p);
	return 0;
fail:
	pool_close(p);
	return -1;
}

void
pool_start(struct pool *p)
{
	pool_adjust(p);
}

void
pool_close(struct pool *p)
{
	size_t i;

	for (i = 0; i < p->nsockets; i++)
		listen_close(&p->sockets[i]);
	if (p->loop)
		loop_timer_stop(p->loop, &p->adjust_timer);
	free(p->sockets);
	free(p->workers);
	launch_free(&p->launch);
	*p = (struct pool){0};
}
