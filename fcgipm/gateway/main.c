/*
 * main.c - start and shutdown of the program fcgipm-cgi(8)
 *
 * Started by the supervisor, which passes listening sockets and pool keys, or
 * by hand or by systemd, as a replacement of fcgiwrap.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cidr.h"
#include "base/fd.h"
#include "base/inherit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "base/vec.h"
#include "conf/conf.h"
#include "gateway/gateway.h"
#include "gateway/listeners.h"
#include "gateway/options.h"
#include "gateway/server.h"
#include "overload/refuser.h"
#include "sys/privs.h"
#include "worker/limits.h"

/* Sent by the kernel when the supervisor exits. */
#define PARENT_DIED SIGUSR2
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* The process: its loop, its listening sockets and its signals. */
struct process {
	bool supervised;	/* started by the supervisor */
	struct loop *loop;
	struct loop_signals signals;
	struct server server;
	bool stopping;
};

/* Adds HOME and USER: our own, or without a supervisor those of -o user. */
static void
add_identity(const struct options *o, const struct privs *us, struct vec *base)
{
	const struct passwd *pw = NULL;
	const char *home = getenv("HOME"), *user = getenv("USER");

	if (!o->supervised && us->set_ids) {
		pw = getpwuid(us->uid);
		home = pw ? pw->pw_dir : "/";
		user = pw ? pw->pw_name : NULL;
	}
	if (home)
		vec_addf(base, "HOME=%s", home);
	if (user)
		vec_addf(base, "USER=%s", user);
}

/* Collects the variables that programs get in addition to the
 * parameters. */
static void
gather_env(struct options *o, const struct privs *us, struct gateway_opts *opts)
{
	static struct vec own, base;	/* opts points into them */
	char **given = vec_array(&o->env_names), **var;
	const char *value = getenv("PATH");
	size_t i;

	vec_addf(&base, "PATH=%s", value ? value : DEFAULT_PATH);
	add_identity(o, us, &base);
	for (i = 0; given && given[i]; i++)
		if ((value = getenv(given[i])))
			vec_addf(&own, "%s=%s", given[i], value);
	for (var = environ; *var; var++)
		if (strncmp(*var, "FCGIPM_", 7) == 0)
			vec_add(&own, *var);
	opts->own_env = vec_array(&own);
	opts->base_env = vec_array(&base);
}

/* Resolves user and group.  If started by hand, the names are not checked
 * yet. */
static int
resolve_privileges(const struct options *o, pid_t parent, struct privs *us)
{
	const struct conf_pool *keys = o->keys;
	const char *why = NULL;

	*us = (struct privs){
		.chroot = keys->chroot,
		.no_new_privs = keys->no_new_privs,
		/* Set last, since a change of IDs clears it (prctl(2)).  Not
		 * KILL: we must kill the process groups of programs. */
		.parent_death_signal = o->supervised ? PARENT_DIED : 0,
		.parent = parent,
	};
	if (privs_resolve(keys->user, keys->group, us, &why) == 0)
		return 0;
	/* Action: Create the account, or correct -o user= and -o group=. */
	log_error("user or group: %s; fcgipm-cgi exits", why);
	return -1;
}

/*
 * Raises the hard limits, as only root may (setrlimit(2)): a program gets its
 * limits and its priority when we are not root any more.
 */
static int
raise_ceilings(const struct privs *child)
{
	struct rlimit lim;
	size_t i;

	for (i = 0; i < child->nlimits; i++) {
		const struct privs_limit *want = &child->limits[i];
		__rlimit_resource_t res = (__rlimit_resource_t)want->resource;

		if (getrlimit(res, &lim) < 0)
			return -1;
		if (want->hard <= lim.rlim_max)
			continue;
		lim.rlim_max = want->hard;
		if (setrlimit(res, &lim) < 0)
			return -1;
	}
	/* RLIMIT_NICE needs a capability that containers lack.  So we take the
	 * priority of the programs, which inherit it. */
	return child->nice < 0 ? setpriority(PRIO_PROCESS, 0, child->nice) : 0;
}

/* Gives up root's rights. */
static int
drop_privileges(struct privs *us, const struct privs *child)
{
	const char *step = NULL;
	int err = 0;

	if (geteuid() == 0 && raise_ceilings(child) < 0) {
		step = "setrlimit, setpriority";
		err = errno;
	}
	if (!step)
		step = privs_apply(us, &err);
	if (step)
		/* Action: The named step failed. Start fcgipm-cgi as root, or
		 * remove the keys user, group, chroot, process.priority and
		 * rlimit_* that need root. */
		log_error("privileges: %s: %s; fcgipm-cgi exits", step,
			strerror(err));
	privs_fini(us);
	return step ? -1 : 0;
}

static void
on_signal(struct loop_signals *sigs, int signo, pid_t sender)
{
	struct process *g = container_of(sigs, struct process, signals);
	(void)sender;

	if (signo == SIGCHLD) {
		server_reap(&g->server);
		return;
	}
	if (g->stopping || signo == PARENT_DIED) {
		log_notice("shutdown: %s: killing the programs that still run",
			signo == PARENT_DIED ? "fcgipm has exited" :
					       "second signal");
		server_abort(&g->server);
		return;
	}
	g->stopping = true;
	log_debug("shutdown: signal %d: waiting for active requests", signo);
	server_drain(&g->server);
}

static int
setup_signals(struct process *g)
{
	sigset_t set;

	/* Blocked, not ignored: programs would inherit ignored signals. */
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGUSR2);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGCHLD);
	if (g->supervised)
		sigaddset(&set, PARENT_DIED);
	g->signals.on_signal = on_signal;
	return loop_signals_add(g->loop, &g->signals, &set);
}

/* Called before chroot, where the user database may be missing. */
static const char *
name_user(const struct privs *us)
{
	uid_t uid = us->set_ids ? us->uid : geteuid();
	const struct passwd *pw = getpwuid(uid);

	return pw ? mem_strdup(pw->pw_name) : mem_printf("%u", (unsigned)uid);
}

/* Fills in docroot, handler and the list of -p; false without memory. */
static bool
finish_opts(struct options *o, struct gateway_opts *opts)
{
	static struct vec handler;
	const struct conf_pool *keys = o->keys;
	const char *slash;
	char *docroot;
	size_t i, n;

	if (keys->docroot) {
		docroot = mem_strdup(keys->docroot);
		for (n = strlen(docroot); n > 0 && docroot[n - 1] == '/'; n--)
			docroot[n - 1] = '\0';
		opts->docroot = docroot;
	}
	if (o->programs.n > 0 || o->programs.failed) {
		opts->programs = vec_array(&o->programs);
		if (!opts->programs)
			return false;
	}
	if (!keys->handler)
		return true;
	slash = strrchr(keys->handler, '/');
	opts->handler_dir = mem_strndup(keys->handler,
		MAX((size_t)(slash - keys->handler), (size_t)1));
	vec_add(&handler, keys->handler);
	for (i = 0; i < keys->handler_args.n; i++)
		vec_add(&handler, keys->handler_args.v[i]);
	opts->handler = vec_array(&handler);
	return opts->handler != NULL;
}

/* Reads FCGI_WEB_SERVER_ADDRS (FastCGI 1.0, section 3.2); false when it is not
 * a list of addresses. */
static bool
read_peers(struct gateway_opts *opts)
{
	const char *list = getenv("FCGI_WEB_SERVER_ADDRS"), *why;
	struct cidr net;
	int got;

	if (!list || !*list)
		return true;
	opts->peers = list;
	while ((got = cidr_next(&list, &net, &why)) > 0)
		;
	if (got < 0)
		/* Action: Correct the environment variable, in a pool the key
		 * env[FCGI_WEB_SERVER_ADDRS]. */
		log_error("FCGI_WEB_SERVER_ADDRS: %s; fcgipm-cgi exits", why);
	return got == 0;
}

static int
serve(struct process *g, const struct gateway_opts *opts,
	const struct listeners *l)
{
	const char *addresses = listeners_text(l);

	g->loop = loop_new();
	if (!g->loop || setup_signals(g) < 0 ||
		server_init(&g->server, g->loop, opts, l->fds, l->n) < 0) {
		/* Action: Free memory, or raise the limit of open files
		 * (LimitNOFILE=). */
		log_error("event loop: cannot be created: %s; fcgipm-cgi exits",
			strerror(errno));
		return EXIT_SYSTEM;
	}
	/* Logged only now that TERM is read from the signalfd. */
	if (!g->supervised)
		log_notice("ready: listening on %s, at most %u programs at "
			"once", addresses, opts->pool->max_children);
	if (loop_run(g->loop) < 0) {
		/* Action: Restart it, and report it. */
		log_error("event loop: epoll_wait: %s; fcgipm-cgi exits",
			strerror(errno));
		return EXIT_SYSTEM;
	}
	server_fini(&g->server);
	loop_signals_del(g->loop, &g->signals);
	loop_free(&g->loop);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct options o;
	static struct process g;
	static struct listeners listeners;
	struct conf_problems ps = {0};
	static struct gateway_opts opts;
	static struct privs child = {
		.parent_death_signal = SIGKILL, .set_umask = true};
	struct privs us;
	pid_t parent = getppid();
	unsigned long nofile;
	int status;

	/* Programs need descriptors 0, 1 and 2, also if we have none. */
	if (inherit_nothing() < 0)
		return EXIT_SYSTEM;
	log_ident("fcgipm-cgi");
	status = options_parse(argc, argv, &o, &ps);
	if (status)
		return status;
	if (o.supervised)
		log_bare();
	/* Keys of a prefork pool (--refuse) were checked by the supervisor. */
	if (ps.nerrors || (!o.refuse && conf_check_gateway(&o.conf, &ps) < 0)) {
		conf_problems_print(&ps, stderr);
		return EXIT_CONFIG;
	}
	if (!read_peers(&opts) || resolve_privileges(&o, parent, &us) < 0)
		return EXIT_CONFIG;
	nofile = fd_raise_limit();
	if (o.refuse)
		return drop_privileges(&us, &child) < 0 ? EXIT_SYSTEM :
			refuser_run(o.keys);
	status = listeners_open(&o, &us, &listeners);
	gather_env(&o, &us, &opts);
	opts.nullfd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	opts.pool = o.keys;
	opts.child = &child;
	opts.user = name_user(&us);
	child.parent = getpid();
	child.umask = (mode_t)o.keys->umask;
	child.nice = o.keys->process_priority;
	child.set_nice = child.nice != 0;
	limits_set(&child, o.keys, nofile);
	if (!status &&
		(!finish_opts(&o, &opts) || opts.nullfd < 0 || !opts.own_env ||
			!opts.base_env || drop_privileges(&us, &child) < 0))
		status = EXIT_SYSTEM;
	privs_drop_inherited(&child);
	g.supervised = o.supervised;
	if (!status)
		status = serve(&g, &opts, &listeners);
	listeners_close(&listeners);
	log_flush();
	return status;
}
