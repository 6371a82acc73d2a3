/*
 * super.c - the main loop of the supervisor; see super.h
 *
 * Called by main.  Opens the sockets of all pools before it starts any worker,
 * so that an address in use ends fcgipm before anything runs.  Then it sleeps
 * in base/loop.  What happens to a worker is handled by pool/lifecycle, a stop
 * by pool/stop.
 *
 * The signals, which are read from a signalfd:
 *
 *	TERM, INT, QUIT	stop all pools: the accepted requests are finished; a
 *			second one kills the workers
 *	USR1		reopen the log and the slow logs, for logrotate(8)
 *	HUP		ignored and logged: there is no reload
 *	USR2, TTIN, TTOU	ignored and logged: they have no function
 *	PIPE		read and discarded: the write(2) fails with EPIPE
 *
 * The end of a worker is reported by its pidfd, not by SIGCHLD.
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

/* With -D, the start has failed after so many failed starts of a pool that was
 * never ready. */
#define BAD_STARTS_MAX 3

/* One for each process, so the callbacks of pools need no pointer to it. */
static struct super {
	const struct conf *conf;
	struct loop *loop;
	struct loop_signals signals;
	struct sockdiag diag;	/* for the listen queues of the pools */
	struct pool *pools;
	size_t npools;		/* opened */
	struct control *control;	/* NULL = no control socket */
	size_t nready;
	size_t nstopped;
	int reportfd;
	int exit_code;
	bool announced;
	bool stopping;
} super;

static const int signals_known[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
	SIGUSR2, SIGTTIN, SIGTTOU, SIGPIPE};

/* Reports the result of the start to the parent process of -D, once. */
static void
report_start(int code)
{
	unsigned char byte = (unsigned char)code;

	if (super.reportfd < 0)
		return;
	log_echo(false);
	/* Detach first: after the byte, the command that ran fcgipm -D may
	 * wait for the end of its pipes, which these descriptors hold open. */
	/* Action: check that /dev/null exists and is writable.  The daemon
	 * runs, but keeps the terminal or the pipes it was started from. */
	if (fd_detach_std() < 0)
		log_warning("-D: cannot redirect standard streams to "
			"/dev/null: %m");
	/* Action: no action is needed if the command fcgipm -D was interrupted
	 * before every pool was ready.  The daemon runs. */
	if (write(super.reportfd, &byte, 1) != 1)
		log_notice("-D: the parent process has exited");
	fd_close(&super.reportfd);
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
	const char *path = super.conf->pid;
	unsigned workers = 0;
	size_t i;

	for (i = 0; i < super.npools; i++)
		workers += members_up(&super.pools[i].members);
	/* Action: create the directory, or give fcgipm the permission to write
	 * there.  The pools are served without the file. */
	if (path && pidfile_write(path) < 0)
		log_error("PID file %s: %m; set pid to a writable path", path);
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
		log_notice("pool %s: listening on %s, at most %u programs at "
			"once",
			p->conf->name, p->sockets[0].addr.text,
			p->conf->max_children);
	else
		log_notice("pool %s: listening on %s, %u worker%s",
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
	if (super.reportfd >= 0 && !p->ready &&
		p->memory.bad_starts >= BAD_STARTS_MAX) {
		/* Action: the lines before this one say why.  Correct the
		 * pool and start again.  Without -D, fcgipm would keep the
		 * other pools and retry. */
		log_error("pool %s: cannot be started: %d failed starts in a "
			"row; fcgipm -D exits", p->conf->name, BAD_STARTS_MAX);
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

/* The number of processes that process.max still allows. */
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

static unsigned
process_max(void)
{
	return super.conf->process_max;
}

static const struct pool_ops pool_ops = {
	.room = room,
	.process_max = process_max,
	.on_ready = on_ready,
	.on_bad_start = on_bad_start,
	.on_stopped = on_stopped,
};

/* After logrotate(8) has renamed the files. */
static void
reopen_logs(void)
{
	const char *path = super.conf->log;
	size_t i;

	/* Action: the directory must exist and be writable for the user of
	 * fcgipm. */
	if (log_reopen() < 0)
		log_error("log %s: cannot be reopened: %m; the old file stays "
			"in use; correct the directory and send SIGUSR1 again",
			path);
	else
		log_notice("log: reopened");
	for (i = 0; i < super.npools; i++) {
		path = super.pools[i].conf->slowlog;
		/* Action: the directory must exist and be writable for the
		 * user of fcgipm.  PATH must not be a symbolic link. */
		if (watchdog_reopen(super.pools[i].watchdog) < 0)
			log_error("pool %s: slow log %s: cannot be reopened: "
				"%m; the old file stays in use; correct the "
				"directory and send SIGUSR1 again",
				super.pools[i].conf->name, path);
	}
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
		log_notice("SIG%s from PID %d: %s", name, (int)sender,
			super.stopping ? "killing all workers" : "stopping");
		stop_all(0);
		break;
	case SIGUSR1:
		reopen_logs();
		break;
	case SIGPIPE:
		break;
	case SIGHUP:
		log_notice("SIGHUP from PID %d: ignored: fcgipm does not "
			"reload its configuration; restart it to apply changes",
			(int)sender);
		break;
	default:
		log_notice("SIG%s from PID %d: ignored: it has no function",
			name, (int)sender);
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
			/* Action: a socket, a user or a file of the pool cannot
			 * be used.  Correct the key that WHY is about, check
			 * it with fcgipm -t -c FILE and start fcgipm again.  No
			 * worker has been started. */
			log_error("pool %s: %s; fcgipm exits", conf->name, why);
			return -1;
		}
		super.npools++;
	}
	return 0;
}

/* Creates the event loop and what all pools share; 0, or -1 after an error was
 * logged. */
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
		/* Action: free memory or raise the limit of open files
		 * (LimitNOFILE=). */
		log_error("event loop: cannot be created: %m; fcgipm exits");
		return -1;
	}
	if (sockdiag_open(&super.diag) < 0)
		log_debug("sock_diag: %m; listen queues and some idle workers "
			"cannot be seen");
	if (spawn_reserve() < 0)
		log_debug("cannot reserve descriptors: %m; workers start more "
			"slowly");
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
		.reportfd = opts->reportfd,
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
	/* Action: start fcgipm again, and report it.  The kernel kills the
	 * workers when fcgipm exits. */
	if (loop_run(super.loop) < 0)
		log_error("event loop: epoll_wait: %m; fcgipm exits");
	if (conf->pid)
		pidfile_remove(conf->pid);
	log_notice("stopped");
out:
	report_start(super.exit_code);
	close_all();
	log_flush();
	return super.exit_code;
}
