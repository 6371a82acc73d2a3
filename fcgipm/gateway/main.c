/*
 * main.c - the program fcgipm-cgi: its options and its start
 *
 * fcgipm-cgi(8).  Started by the supervisor (-p), which hands on listening
 * sockets and pool keys, or by hand, by systemd, in place of fcgiwrap.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inherit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "base/vec.h"
#include "conf/conf.h"
#include "gateway/gateway.h"
#include "gateway/server.h"
#include "pool/launch.h"
#include "proto/fcgi.h"
#include "sys/listen.h"
#include "sys/privs.h"

#define LISTENERS_MAX 64
/* From the kernel, when the supervisor dies. */
#define PARENT_DIED SIGUSR2
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static const char usage_text[] =
	"usage: fcgipm-cgi [-l ADDR]... [-d DOCROOT] [-j MAX] [-e NAME]...\n"
	"                  [-o KEY=VALUE]... [HANDLER]\n"
	"\n"
	"  -l ADDR       listen there; without it the listener is fd 0, or\n"
	"                what systemd hands on\n"
	"  -d DOCROOT    folder that every script must lie in\n"
	"  -j MAX        programs at once (pm.max_children)\n"
	"  -e NAME       hand on this variable of our environment\n"
	"  -o KEY=VALUE  a key of fcgipm.ini(5), as cgi.idle_timeout=30s\n"
	"  -p POOL -L N  as the supervisor starts it: N listeners\n"
	"  -V, -h        print the version, this help\n"
	"  HANDLER       the program for every request\n"
	"\n"
	"ADDR is a path, @name, host:port, [v6]:port or a port; see "
	"fcgipm-cgi(8).\n";


struct main_opts {
	const char *pool;	/* -p, NULL by hand */
	int inherited;		/* -L: listeners we were started with */
	const char *listen[LISTENERS_MAX];
	size_t nlisten;
	struct vec env_names;	/* -e */
	struct vec own, base;	/* what that makes of our environment */
	struct vec handler;	/* and its arguments */
	struct conf conf;
	struct conf_pool *keys;	/* -o, -d, -j and HANDLER, in conf */
};

/* The process: one loop, its listeners, the signals that end it. */
struct gateway {
	bool supervised;		/* a pool's worker, not by hand */
	struct loop *loop;
	struct loop_signals signals;
	struct server server;
	bool stopping;
};

static int
usage(const char *fmt, const char *what)
{
	fputs("fcgipm-cgi: ", stderr);
	fprintf(stderr, fmt, what);
	fputs("\nTry fcgipm-cgi -h, or man 8 fcgipm-cgi.\n", stderr);
	return EXIT_USAGE;
}

static void
set_key(struct main_opts *o, const char *key, const char *value,
	struct conf_problems *ps)
{
	(void)conf_pool_set(&o->conf, o->keys, key, value, ps);
}

/* -o KEY=VALUE; 0 or an exit code. */
static int
set_pair(struct main_opts *o, const char *pair, struct conf_problems *ps)
{
	const char *eq = strchr(pair, '=');
	char *key;

	if (!eq)
		return usage("-o %s: write KEY=VALUE", pair);
	key = mem_strndup(pair, (size_t)(eq - pair));
	set_key(o, key, eq + 1, ps);
	free(key);
	return 0;
}

/* Two passes: the pool's name stands in what the second one says. */
static int
parse(int argc, char **argv, struct main_opts *o, struct conf_problems *ps)
{
	static const char letters[] = "+:l:d:j:e:o:p:L:Vh";
	int opt, status = 0;
	char *end;

	while ((opt = getopt(argc, argv, letters)) != -1)
		if (opt == 'p')
			o->pool = optarg;
	conf_init(&o->conf);
	o->keys = conf_add_pool(&o->conf, o->pool ? o->pool : "cgi");
	set_key(o, "mode", "cgi", ps);
	optind = 1;
	while (!status && (opt = getopt(argc, argv, letters)) != -1) {
		switch (opt) {
		case 'l':
			if (o->nlisten == LISTENERS_MAX)
				return usage("-l %s: too many", optarg);
			o->listen[o->nlisten++] = optarg;
			break;
		case 'd':
			set_key(o, "docroot", optarg, ps);
			break;
		case 'j':
			set_key(o, "pm.max_children", optarg, ps);
			break;
		case 'e':
			vec_add(&o->env_names, optarg);
			break;
		case 'o':
			status = set_pair(o, optarg, ps);
			break;
		case 'L':
			o->inherited = (int)strtol(optarg, &end, 10);
			if (*end || o->inherited < 1 ||
				o->inherited > LISTENERS_MAX)
				return usage("-L %s: a number from 1 to 64",
					optarg);
			break;
		case 'V':
			printf("fcgipm-cgi %s\n", FCGIPM_VERSION);
			exit(0);
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		case 'p':
			break;
		default:
			fprintf(stderr, "fcgipm-cgi: -%c %s\n", optopt,
				opt == ':' ? "needs a value" : "is no option");
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		set_key(o, "handler", argv[optind++], ps);
	if (!status && optind < argc)
		return usage("%s: one HANDLER; its arguments go into "
			"-o handler_args=...", argv[optind]);
	return status;
}

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

/* Sockets from first on, as systemd and the supervisor hand them on. */
static int
take_inherited(int *fds, int first, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		fds[i] = first + i;
		if (!is_listening(fds[i])) {
			log_error("descriptor %d is no listening socket; give "
				"-l ADDR", fds[i]);
			return -1;
		}
	}
	return 0;
}

/* LISTEN_FDS of sd_listen_fds(3); 0 when it is not for us. */
static int
activation_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!pid || !n || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	return (int)MIN(MAX(strtol(n, NULL, 10), 0L), (long)LISTENERS_MAX);
}

/* Sockets of our own belong to whom we become. */
static int
open_listeners(const struct main_opts *o, const struct privs *us,
	struct listen_socket *socks)
{
	const struct listen_opts lo = {
		.backlog = (int)o->keys->listen_backlog,
		.owner = us->set_ids ? us->uid : (uid_t)-1,
		.group = us->set_ids ? us->gid : (gid_t)-1,
		.mode = (mode_t)o->keys->listen_mode,
	};
	const char *bad = NULL;
	struct addr addr;
	char why[256];
	size_t i;

	for (i = 0; i < o->nlisten; i++) {
		if (addr_parse(o->listen[i], &addr, &bad) < 0) {
			usage("-l: %s", bad);
			return EXIT_USAGE;
		}
		if (listen_open(&addr, &lo, &socks[i], why, sizeof(why)) < 0) {
			log_error("%s", why);
			return EXIT_SYSTEM;
		}
	}
	return 0;
}

/* The listeners in fds; their number, or 0 when there are none. */
static size_t
gather_listeners(const struct main_opts *o, struct listen_socket *socks,
	int *fds)
{
	int n = o->pool || o->nlisten ? 0 : activation_fds();
	size_t i;

	for (i = 0; i < o->nlisten; i++) {
		fds[i] = socks[i].fd;
		socks[i].fd = -1;	/* the server's; the path stays ours */
	}
	if (o->nlisten)
		return o->nlisten;
	if (n > 0)
		return take_inherited(fds, 3, n) < 0 ? 0 : (size_t)n;
	/* The first is 0, the others begin behind stderr. */
	n = MAX(o->inherited, 1);
	if (take_inherited(fds, FCGI_LISTENSOCK_FILENO, 1) < 0 ||
		take_inherited(fds + 1, 3, n - 1) < 0)
		return 0;
	return (size_t)n;
}

/* HOME and USER as of now, or of whom we become by hand. */
static void
add_identity(const struct main_opts *o, const struct privs *us,
	struct vec *base)
{
	const struct passwd *pw = NULL;
	const char *home = getenv("HOME"), *user = getenv("USER");

	if (!o->pool && us->set_ids) {
		pw = getpwuid(us->uid);
		home = pw ? pw->pw_dir : "/";
		user = pw ? pw->pw_name : NULL;
	}
	if (home)
		vec_addf(base, "HOME=%s", home);
	if (user)
		vec_addf(base, "USER=%s", user);
}

/* Our own variables for programs: which are given, which may be replaced. */
static void
gather_env(struct main_opts *o, const struct privs *us,
	struct gateway_opts *opts)
{
	char **given = vec_array(&o->env_names), **var;
	const char *value = getenv("PATH");
	size_t i;

	vec_addf(&o->base, "PATH=%s", value ? value : DEFAULT_PATH);
	add_identity(o, us, &o->base);
	for (i = 0; given && given[i]; i++)
		if ((value = getenv(given[i])))
			vec_addf(&o->own, "%s=%s", given[i], value);
	for (var = environ; *var; var++)
		if (strncmp(*var, "FCGIPM_", 7) == 0)
			vec_add(&o->own, *var);
	opts->own_env = vec_array(&o->own);
	opts->base_env = vec_array(&o->base);
}

/* Whom we become; the supervisor has checked the names, by hand nobody. */
static int
resolve_privileges(const struct main_opts *o, pid_t parent, struct privs *us)
{
	const struct conf_pool *keys = o->keys;
	const char *why = NULL;

	*us = (struct privs){
		.chroot = keys->chroot,
		.no_new_privs = keys->no_new_privs,
		/* The change of ids makes the kernel forget it (prctl(2)).
		 * Not KILL: we have groups of programs to take along. */
		.parent_death_signal = o->pool ? PARENT_DIED : 0,
		.parent = parent,
	};
	if (privs_resolve(keys->user, keys->group, us, &why) == 0)
		return 0;
	log_error("user or group: %s", why);
	return -1;
}

/*
 * A program gets its limits and its priority when we are no longer root, so
 * what only root may exceed is allowed beforehand (setrlimit(2)).
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
	/* RLIMIT_NICE needs a capability that containers lack.  So we run
	 * as high as our programs, which then have nothing to ask for. */
	return child->nice < 0 ? setpriority(PRIO_PROCESS, 0, child->nice) : 0;
}

/* Root's rights end here. */
static int
drop_privileges(struct privs *us, const struct privs *child)
{
	const char *step = NULL;

	if (geteuid() == 0 && raise_ceilings(child) < 0)
		step = "setrlimit, setpriority";
	if (!step)
		step = privs_apply(us);
	if (step)
		log_error("%s: %s", step, strerror(errno));
	privs_fini(us);
	return step ? -1 : 0;
}

static void
on_signal(struct loop_signals *sigs, int signo, pid_t sender)
{
	struct gateway *g = container_of(sigs, struct gateway, signals);
	(void)sender;

	if (g->stopping || signo == PARENT_DIED) {
		log_notice("%s: ending what still runs",
			signo == PARENT_DIED ? "the supervisor is gone" :
					       "second signal");
		server_abort(&g->server);
		return;
	}
	g->stopping = true;
	log_debug("signal %d: finishing what runs", signo);
	server_drain(&g->server);
}

static int
setup_signals(struct gateway *g)
{
	sigset_t set;

	/* Blocked, not ignored: exec would keep that for the programs. */
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
	if (g->supervised)
		sigaddset(&set, PARENT_DIED);
	g->signals.on_signal = on_signal;
	return loop_signals_add(g->loop, &g->signals, &set);
}

/* Asked now: where we go by chroot there may be no names. */
static const char *
name_user(const struct privs *us)
{
	uid_t uid = us->set_ids ? us->uid : geteuid();
	const struct passwd *pw = getpwuid(uid);

	return pw ? mem_strdup(pw->pw_name) : mem_printf("%u", (unsigned)uid);
}

/* docroot and handler as the rest wants them. */
static void
finish_opts(struct main_opts *o, struct gateway_opts *opts)
{
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
	if (!keys->handler)
		return;
	slash = strrchr(keys->handler, '/');
	opts->handler_dir = mem_strndup(keys->handler,
		MAX((size_t)(slash - keys->handler), (size_t)1));
	vec_add(&o->handler, keys->handler);
	for (i = 0; i < keys->handler_args.n; i++)
		vec_add(&o->handler, keys->handler_args.v[i]);
	opts->handler = vec_array(&o->handler);
}

static int
serve(struct gateway *g, const struct gateway_opts *opts, const int *fds,
	size_t n)
{
	g->loop = loop_new();
	if (!g->loop || setup_signals(g) < 0 ||
		server_init(&g->server, g->loop, opts, fds, n) < 0) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_SYSTEM;
	}
	if (loop_run(g->loop) < 0) {
		log_error("epoll_wait: %s", strerror(errno));
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
	static struct main_opts o;
	static struct gateway g;
	static struct listen_socket socks[LISTENERS_MAX];
	struct conf_problems ps = {0};
	static struct gateway_opts opts;
	static struct privs child = {.parent_death_signal = SIGKILL,
		 .set_umask = true};
	struct privs us;
	int fds[LISTENERS_MAX], status;
	pid_t parent = getppid();
	unsigned long nofile;
	size_t n, i;

	/* Programs get 0, 1 and 2, whatever we were started with. */
	if (inherit_nothing() < 0)
		return EXIT_SYSTEM;
	log_ident("fcgipm-cgi");
	status = parse(argc, argv, &o, &ps);
	if (status)
		return status;
	if (o.pool)
		log_bare();
	if (ps.nerrors || conf_check_gateway(&o.conf, &ps) < 0) {
		conf_problems_print(&ps, stderr);
		return EXIT_CONFIG;
	}
	if (resolve_privileges(&o, parent, &us) < 0)
		return EXIT_CONFIG;
	nofile = fd_raise_limit();
	status = open_listeners(&o, &us, socks);
	n = status ? 0 : gather_listeners(&o, socks, fds);
	gather_env(&o, &us, &opts);
	opts.nullfd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	opts.pool = o.keys;
	opts.child = &child;
	opts.user = name_user(&us);
	child.parent = getpid();
	child.umask = (mode_t)o.keys->umask;
	child.nice = o.keys->process_priority;
	child.set_nice = child.nice != 0;
	launch_set_limits(&child, o.keys, nofile);
	finish_opts(&o, &opts);
	if (!status && (n == 0 || opts.nullfd < 0 || !opts.own_env ||
			       !opts.base_env ||
			       drop_privileges(&us, &child) < 0))
		status = EXIT_SYSTEM;
	if (!status && !o.pool)
		log_notice("ready: %u programs at once", o.keys->max_children);
	g.supervised = o.pool != NULL;
	if (!status)
		status = serve(&g, &opts, fds, n);
	for (i = 0; i < o.nlisten; i++)
		listen_close(&socks[i]);
	log_flush();
	return status;
}
