/*
 * super.c - the supervisor: starting, running, stopping; see super.h
 *
 * Called by main.  Opens every pool's sockets before it starts any worker, so
 * that an address in use ends it with nothing begun; then sleeps until a
 * signal or the death of a child.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "master/control.h"
#include "master/notify.h"
#include "master/pidfile.h"
#include "master/super.h"
#include "timeout/watchdog.h"
#include "pool/open.h"
#include "pool/pool.h"
#include "pool/stop.h"
#include "sys/spawn.h"

/* With -D the start has failed when a pool failed so often before its first
 * success. */
#define BAD_STARTS_MAX 3

/* A process has one supervisor; pools find it without a pointer each. */
static struct super {
	const struct conf *conf;
	struct loop *loop;
	struct loop_signals signals;
	struct sockdiag diag;	/* for the queues of the pools */
	struct pool *pools;
	size_t npools;		/* opened */
	struct control *control;	/* NULL = nobody asks */
	size_t nready;
	size_t nstopped;
	int tellfd;
	int exit_code;
	bool announced;
	bool stopping;
} super;

static const int signals_known[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
	SIGUSR2, SIGTTIN, SIGTTOU, SIGPIPE};

/* Reports to the parent process of -D, once, how the start went. */
static void
report_start(int code)
{
	unsigned char byte = (unsigned char)code;

	if (super.tellfd < 0)
		return;
	log_echo(false);
	/* Before that: its reader may wait next for the end of its
	 * pipes, which we hold. */
	if (fd_detach_std() < 0)
		log_warning("/dev/null: %m");
	if (write(super.tellfd, &byte, 1) != 1)
		log_warning("the caller of -D did not wait");
	fd_close(&super.tellfd);
}

static void
stop_all(int code)
{
	size_t i;

	if (!super.stopping) {
		super.stopping = true;
		super.exit_code = code;
		notify_send("STOPPING=1\nSTATUS=stopping");
		control_unlink(super.control);
	}
	for (i = 0; i < super.npools; i++)
		pool_stop(&super.pools[i]);
}

static void
announce(void)
{
	unsigned workers = 0;
	size_t i;

	for (i = 0; i < super.npools; i++)
		workers += members_up(&super.pools[i].members);
	if (super.conf->pid && pidfile_write(super.conf->pid) < 0)
		log_error("%s: %m; set pid to a place that may be written",
			super.conf->pid);
	log_notice("ready: %zu pool%s, %u worker%s", super.npools,
		super.npools == 1 ? "" : "s", workers,
		workers == 1 ? "" : "s");
	notify_send("READY=1\nSTATUS=%zu pools, %u workers", super.npools,
		workers);
	super.announced = true;
	report_start(0);
}

static void
on_ready(struct pool *p)
{
	unsigned up = members_up(&p->members);

	super.nready++;
	if (p->conf->mode == CONF_MODE_CGI)
		log_notice("pool %s: serves on %s, up to %u programs at once",
			p->conf->name, p->sockets[0].addr.text,
			p->conf->max_children);
	else
		log_notice("pool %s: serves on %s with %u worker%s",
			p->conf->name, p->sockets[0].addr.text, up,
			up == 1 ? "" : "s");
	if (super.nready == super.npools && !super.announced)
		announce();
}

static void
on_bad_start(struct pool *p, const char *story, int64_t pause_ms)
{
	if (super.announced)
		return;
	notify_send("STATUS=pool %s: %s; next start in %lld ms",
		p->conf->name, story, (long long)pause_ms);
	if (super.tellfd >= 0 && !p->ready &&
		p->memory.bad_starts >= BAD_STARTS_MAX) {
		log_error("pool %s cannot be started: fcgipm stops",
			p->conf->name);
		stop_all(EXIT_SYSTEM);
	}
}

static void
on_stopped(struct pool *p)
{
	(void)p;
	if (++super.nstopped == super.npools)
		loop_quit(super.loop);
}

/* What process.max leaves. */
static unsigned
room(void)
{
	unsigned alive = 0;
	size_t i;

	if (super.conf->process_max == 0)
		return POLICY_NO_LIMIT;
	for (i = 0; i < super.npools; i++)
		alive += members_alive(&super.pools[i].members);
	return super.conf->process_max - MIN(alive, super.conf->process_max);
}

static const struct pool_ops pool_ops = {
	.room = room,
	.on_ready = on_ready,
	.on_bad_start = on_bad_start,
	.on_stopped = on_stopped,
};

/* logrotate(8) has renamed the files. */
static void
reopen_logs(void)
{
	size_t i;

	if (log_reopen() < 0)
		log_error("log cannot be opened again: %m; the old file is "
			"kept");
	else
		log_notice("log opened again");
	for (i = 0; i < super.npools; i++)
		if (watchdog_reopen(super.pools[i].watchdog) < 0)
			log_error("pool %s: slowlog cannot be opened again: "
				"%m; the old file is kept",
				super.pools[i].conf->name);
}

static void
on_signal(struct loop_signals *s, int signo, pid_t sender)
{
	const char *name = sigabbrev_np(signo);
	(void)s;

	switch (signo) {
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		log_notice("SIG%s from process %d: %s", name, (int)sender,
			super.stopping ? "stopping at once" : "stopping");
		stop_all(0);
		break;
	case SIGUSR1:
		reopen_logs();
		break;
	case SIGPIPE:
		break;
	default:
		log_notice("SIG%s from process %d: ignored, this release has "
			   "no use for it", name, (int)sender);
	}
}

static int
open_pools(const struct super_opts *opts)
{
	char why[512];
	size_t i;

	super.pools = mem_calloc(super.conf->npools, sizeof(*super.pools));
	for (i = 0; i < super.conf->npools; i++) {
		const struct conf_pool *conf = &super.conf->pools[i];

		if (pool_open(&super.pools[i], super.loop, conf, opts->nofile,
			    &super.diag, &pool_ops, why, sizeof(why)) < 0) {
			log_error("pool %s: %s", conf->name, why);
			return -1;
		}
		super.npools++;
	}
	return 0;
}

/* The loop, what it is woken by, and what serves all pools; 0, or -1 as the log
 * tells. */
static int
open_loop(void)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(signals_known); i++)
		sigaddset(&set, signals_known[i]);
	super.loop = loop_new();
	if (!super.loop ||
		loop_signals_add(super.loop, &super.signals, &set) < 0) {
		log_error("cannot watch for events: %m");
		return -1;
	}
	if (sockdiag_open(&super.diag) < 0)
		log_debug("sock_diag: %m; some workers will not be known to "
			"be idle");
	if (spawn_reserve() < 0)
		log_debug("no descriptors: %m; workers start more slowly");
	return 0;
}

static void
close_all(void)
{
	size_t i;

	control_close(&super.control);
	for (i = 0; i < super.npools; i++)
		pool_close(&super.pools[i]);
	free(super.pools);
	sockdiag_close(&super.diag);
	if (super.loop)
		loop_signals_del(super.loop, &super.signals);
	loop_free(&super.loop);
}

int
super_run(const struct conf *conf, const struct super_opts *opts)
{
	size_t i;

	super = (struct super){
		.conf = conf,
		.tellfd = opts->tellfd,
		.exit_code = EXIT_SYSTEM,
		.diag = {.fd = -1},
		.signals = {.io = {.fd = -1}, .on_signal = on_signal},
	};
	if (open_loop() < 0 || open_pools(opts) < 0 ||
		control_open(&super.control, super.loop, conf, super.pools,
			super.npools) < 0)
		goto out;
	for (i = 0; i < super.npools; i++)
		pool_start(&super.pools[i]);
	if (loop_run(super.loop) < 0)
		log_error("cannot wait for events: %m");
	if (conf->pid)
		pidfile_remove(conf->pid);
	log_notice("stopped");
out:
	report_start(super.exit_code);
	close_all();
	log_flush();
	return super.exit_code;
}
