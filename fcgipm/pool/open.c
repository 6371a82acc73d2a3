/*
 * open.c - opens, starts and closes a pool; see open.h
 *
 * Called by master/super.  Connects the modules of a pool: their callbacks are
 * here, and each passes an event of one module to another.  For example, the
 * watchdog reports a late request (on_late), and pool/retire kills the worker.
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
#include "pool/lifecycle.h"
#include "pool/open.h"
#include "pool/pool.h"
#include "pool/stop.h"
#include "pool/view.h"
#include "sys/privs.h"
#include "timeout/watchdog.h"
#include "worker/launch.h"

/* Slots of the board for each worker's child processes. */
#define SPARE_SLOTS 4

/* -- callbacks of the modules ---------------------------------------------- */

static bool
on_wakeup(struct wakeup *w)
{
	return pool_adjust(container_of(w, struct pool, wakeup));
}

static void
on_adjust_timer(struct loop_timer *t)
{
	(void)pool_adjust(container_of(t, struct pool, adjust_timer));
}

static void
on_queue(struct overload *o, unsigned waiting)
{
	struct pool *p = container_of(o, struct pool, overload);

	stats_note_sample(&p->stats, 0, waiting);
	keepalive_note(&p->keepalive, waiting, loop_now(p->loop));
	adjust_note_queue(p, waiting);
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

static void
on_slow(struct worker *w)
{
	struct pool *p = w->owner;

	p->stats.slow_requests++;
}

static void
on_late(struct worker *w)
{
	struct pool_member *m = container_of(w, struct pool_member, worker);

	retire_at_once(&m->retire, RETIRE_TIMEOUT);
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

static void
on_listener_shut(struct listener *l)
{
	wakeup_stop(&container_of(l, struct pool, listener)->wakeup);
}

static void
on_listener_reopened(struct listener *l)
{
	overload_reopened(&container_of(l, struct pool, listener)->overload);
}

static const struct listener_ops listener_ops = {
	.on_shut = on_listener_shut,
	.on_reopened = on_listener_reopened,
};

/* -- opening the modules --------------------------------------------------- */

/* The owner of a socket is the user of its pool, unless listen.owner and
 * listen.group are set. */
static int
listen_opts_of(const struct conf_pool *conf, struct listen_opts *opts,
	char *why, size_t why_size)
{
	const char *user = conf->listen_owner ? conf->listen_owner : conf->user;
	const char *group =
		conf->listen_group ? conf->listen_group : conf->group;
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

/* Only root can give the socket to another user. */
static void
log_unreachable(const struct conf_pool *conf, const struct addr *addr)
{
	const char *user = listen_web_user();

	if (user && geteuid() == 0)
		/* Action: USER is the first of them that exists; name the user
		 * that the web server runs as. */
		log_warning("pool %s: none of the users www-data, nginx, http "
			    "and apache may connect to %s; set listen.owner = "
			    "%s%s",
			conf->name, addr->text, user,
			conf->listen_mode & 0200 ? "" :
						   " and listen.mode = 0660");
	else
		/* Action: this lets every local user send requests.  A stricter
		 * way is to set listen.group to a group that the users of
		 * fcgipm and of the web server are members of. */
		log_warning("pool %s: none of the users www-data, nginx, http "
			    "and apache may connect to %s; set listen.mode = "
			    "0666",
			conf->name, addr->text);
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
		const struct addr *addr = &conf->listen[p->nsockets];

		if (listen_open(addr, &opts, &p->sockets[p->nsockets], why,
			    why_size) < 0)
			return -1;
		if (addr_is_path(addr) && !listen_reachable(&opts))
			log_unreachable(conf, addr);
	}
	listener_init(&p->listener, &opts, &p->sockets[0], &p->members,
		&listener_ops);
	return 0;
}

static int
open_kernel(struct pool *p, struct sockdiag *diag)
{
	int *fds = mem_calloc(p->nsockets, sizeof(*fds)), rc;
	uid_t uid;
	gid_t gid;
	size_t i;

	for (i = 0; i < p->nsockets; i++)
		fds[i] = p->sockets[i].fd;
	launch_ids(p->launch, &uid, &gid);
	rc = kernel_init(&p->members.kernel, diag, fds, p->nsockets, uid, gid);
	free(fds);
	return rc;
}

/* The gateway implements queue_timeout itself. */
static int
open_overload(struct pool *p, unsigned long nofile, char *why, size_t why_size)
{
	if (p->conf->mode == CONF_MODE_CGI || p->conf->queue_timeout_ms == 0)
		return 0;
	return overload_init(&p->overload, p->loop, p->conf, &p->sockets[0],
		&p->members.kernel, nofile, &overload_ops, why, why_size);
}

static int
open_board(struct pool *p, unsigned nmembers, char *why, size_t why_size)
{
	const struct conf_pool *c = p->conf;
	struct board *b;

	/* A preloaded library makes a start 0.1 ms longer. */
	if (c->observe == CONF_OBSERVE_KERNEL ||
		(!view_is_needed(c) && !watchdog_is_needed(c) &&
			!c->accelerate))
		return 0;
	b = board_new(nmembers, nmembers * SPARE_SLOTS, c->threads);
	if (!b) {
		snprintf(why, why_size,
			"cannot create the scoreboard: %s; set "
			"observe = kernel, which works without it",
			strerror(errno));
		return -1;
	}
	board_accelerate(b, c->accelerate);
	p->members.board = b;
	return 0;
}

static int
open_watchdog(struct pool *p, char *why, size_t why_size)
{
	struct members *ms = &p->members;
	struct watchdog_spec spec = {
		.conf = p->conf,
		.loop = p->loop,
		.board = ms->board,
		.kernel = &ms->kernel,
		.nsubjects = ms->n,
		.ops = &watchdog_ops,
	};
	struct watchdog_subject *subjects;
	unsigned i;

	if (!watchdog_is_needed(p->conf))
		return 0;
	subjects = mem_calloc(ms->n, sizeof(*subjects));
	for (i = 0; i < ms->n; i++)
		subjects[i] = (struct watchdog_subject){
			&ms->v[i].worker, &ms->v[i].observation};
	spec.subjects = subjects;
	launch_ids(p->launch, &spec.uid, &spec.gid);
	p->watchdog = watchdog_open(&spec, why, why_size);
	free(subjects);
	return p->watchdog ? 0 : -1;
}

/* Opens the modules, each after those that it needs. */
static int
open_parts(struct pool *p, unsigned long nofile, struct sockdiag *diag,
	char *why, size_t why_size)
{
	const struct conf_pool *conf = p->conf;
	const struct policy_limits l = adjust_limits(conf);
	unsigned nmembers = l.max_children + l.max_retiring;
	struct members *ms = &p->members;

	if (open_sockets(p, why, why_size) < 0 ||
		open_board(p, nmembers, why, why_size) < 0)
		return -1;
	p->launch = launch_new(conf, p->sockets, p->nsockets, ms->board, nofile,
		why, why_size);
	if (!p->launch)
		return -1;
	if (open_kernel(p, diag) < 0) {
		snprintf(why, why_size, "cannot inspect the listening "
					"sockets: %s",
			strerror(errno));
		return -1;
	}
	ms->is_sampled = view_scales(conf);
	members_open(ms, p->loop, conf, nmembers, &lifecycle_ops, p);
	wakeup_init(&p->wakeup, p->loop, conf->name, ms->board,
		p->sockets[0].fd, on_wakeup);
	return 0;
}

int
pool_open(struct pool *p, struct loop *loop, const struct conf_pool *conf,
	unsigned long nofile, struct sockdiag *diag, const struct pool_ops *ops,
	char *ret_why, size_t why_size)
{
	*p = (struct pool){
		.conf = conf,
		.ops = ops,
		.loop = loop,
		.stats = {.since_ms = now_ms()},
		.adjust_timer = {.on_timer = on_adjust_timer},
	};
	if (geteuid() == 0 && !conf->user)
		/* Action: a bug in a program that runs as root gives an
		 * attacker the whole machine.  Set user to an account that
		 * owns no files, such as www-data. */
		log_warning("pool %s: its programs run as root; set user to "
			    "an unprivileged account, such as www-data",
			conf->name);
	if (open_parts(p, nofile, diag, ret_why, why_size) < 0 ||
		open_overload(p, nofile, ret_why, why_size) < 0 ||
		open_watchdog(p, ret_why, why_size) < 0) {
		pool_close(p);
		return -1;
	}
	keepalive_init(&p->keepalive, &p->members,
		!view_scales(conf) && !(p->watchdog && !p->members.board));
	return 0;
}

void
pool_start(struct pool *p)
{
	lifecycle_check_ready(p);
	overload_start(&p->overload);
	(void)pool_adjust(p);
}

void
pool_close(struct pool *p)
{
	size_t i;

	if (p->loop)
		loop_timer_stop(p->loop, &p->adjust_timer);
	wakeup_stop(&p->wakeup);
	overload_fini(&p->overload);
	for (i = 0; i < p->nsockets; i++)
		listen_close(&p->sockets[i]);
	watchdog_close(&p->watchdog);
	members_close(&p->members);
	free(p->sockets);
	launch_free(&p->launch);
	*p = (struct pool){0};
}
