/*
 * launch.c - builds what a pool's workers are started with; see launch.h
 *
 * Called by pool/open and overload/orders, and by pool/adjust at each start.
 *
 * A prefork worker executes the handler, with the pool's privileges applied
 * before the exec (sys/child).  The worker of a cgi pool executes the gateway,
 * fcgipm-cgi: it gets the pool's keys as options and applies the privileges
 * itself, after it has opened what it needs and before it accepts.
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "base/vec.h"
#include "conf/conf.h"
#include "base/siblings.h"
#include "observe/board.h"
#include "worker/launch.h"
#include "worker/limits.h"
#include "sys/listen.h"
#include "sys/spawn.h"

#ifndef BINDIR
#define BINDIR "/usr/local/bin"
#endif

/* The board's descriptor in a worker; its eventfd is the next one.  Pools with
 * a board have one socket. */
#define BOARD_FD 3

/* Environment variable with the number of the worker's slot. */
#define SLOT_VAR "FCGIPM_WORKER="

struct launch {
	struct spawn_spec spec;
	struct privs privs;
	struct vec argv, envp;
	char slot[sizeof(SLOT_VAR) + 10];	/* of the last start */
	char *path, *cwd;
	int *fds;
};

/* HOME and USER of the user that the workers run as. */
static void
add_identity(struct vec *env, uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	vec_addf(env, "HOME=%s", pw ? pw->pw_dir : "/");
	if (pw)
		vec_addf(env, "USER=%s", pw->pw_name);
}

static bool
is_configured(const struct conf_pool *conf, const char *var)
{
	size_t len = strcspn(var, "="), i;

	for (i = 0; i < conf->env.n; i++)
		if (strlen(conf->env.v[i].name) == len &&
			strncmp(conf->env.v[i].name, var, len) == 0)
			return true;
	return false;
}

/* The LD_PRELOAD that the administrator has set; NULL = none. */
static const char *
preload_of(const struct conf_pool *conf)
{
	size_t i;

	for (i = 0; i < conf->env.n; i++)
		if (strcmp(conf->env.v[i].name, "LD_PRELOAD") == 0)
			return conf->env.v[i].value;
	return conf->clear_env ? NULL : getenv("LD_PRELOAD");
}

/* Adds the variables that describe the board and preload the library that
 * writes it.  Not the library in a chroot: the loader does not find it there
 * and would print an error. */
static void
add_board(struct vec *env, const struct conf_pool *conf)
{
	char *shim = conf->chroot ? NULL : board_find_shim();

	board_env(env, BOARD_FD, shim, preload_of(conf));
	free(shim);
}

static void
build_env(struct launch *l, const struct conf_pool *conf, bool board)
{
	struct vec *env = &l->envp;
	char **var;
	size_t i;

	vec_addf(env, "FCGIPM_POOL=%s", conf->name);
	vec_addf(env, "FCGIPM_THREADS=%u", conf->threads);
	if (board)
		add_board(env, conf);
	for (i = 0; i < conf->env.n; i++)
		if (!board || strcmp(conf->env.v[i].name, "LD_PRELOAD") != 0)
			vec_addf(env, "%s=%s", conf->env.v[i].name,
				conf->env.v[i].value);
	if (!conf->clear_env) {
		for (var = environ; *var; var++)
			if (!is_configured(conf, *var) &&
				strncmp(*var, "FCGIPM_", 7) != 0 &&
				!(board && strncmp(*var, "LD_PRELOAD=",
						   11) == 0))
				vec_add(env, *var);
		return;
	}
	if (!is_configured(conf, "PATH"))
		vec_add(env, "PATH=/usr/local/bin:/usr/bin:/bin");
	if (!is_configured(conf, "HOME") && !is_configured(conf, "USER"))
		add_identity(env, l->privs.set_ids ? l->privs.uid : geteuid());
}

static void
build_prefork(struct launch *l, const struct conf_pool *conf)
{
	const char *slash = strrchr(conf->handler, '/');
	size_t i;

	l->path = mem_strdup(conf->handler);
	l->cwd = conf->chdir ? mem_strdup(conf->chdir) :
			       mem_strndup(conf->handler,
				       MAX((size_t)(slash - conf->handler),
					       (size_t)1));
	vec_add(&l->argv, conf->handler);
	for (i = 0; i < conf->handler_args.n; i++)
		vec_add(&l->argv, conf->handler_args.v[i]);
	l->privs.chroot = conf->chroot;
	l->privs.no_new_privs = conf->no_new_privs;
	l->privs.nice = conf->process_priority;
	l->privs.set_nice = conf->process_priority != 0;
	l->privs.umask = (mode_t)conf->umask;
	l->privs.set_umask = true;
}

/* The gateway in the directory of the running program, else in BINDIR. */
static char *
find_gateway(void)
{
	static const char *const near[] = {"/fcgipm-cgi", NULL};
	char *path = siblings_find(near, X_OK);

	return path ? path : mem_strdup(BINDIR "/fcgipm-cgi");
}

/* "fcgipm-cgi -P POOL", for the gateway and the refuser. */
static void
begin_gateway(struct launch *l, const struct conf_pool *conf)
{
	l->path = find_gateway();
	vec_add(&l->argv, "fcgipm-cgi");
	vec_add(&l->argv, "-P");
	vec_add(&l->argv, conf->name);
	/* It drops its privileges itself, after it has used them. */
	l->privs.set_ids = false;
}

/* Adds the i-th key as an option, if it is set. */
static void
add_key(struct launch *l, const struct conf_pool *conf, size_t i)
{
	const char *text = conf_pool_text(conf, i);

	if (text) {
		vec_add(&l->argv, "-o");
		vec_addf(&l->argv, "%s=%s", conf_pool_key(i)->name, text);
	}
}

static void
build_gateway(struct launch *l, const struct conf_pool *conf, size_t nsockets)
{
	const struct conf_key *key;
	size_t i;

	begin_gateway(l, conf);
	vec_add(&l->argv, "-L");
	vec_addf(&l->argv, "%zu", nsockets);
	for (i = 0; (key = conf_pool_key(i)) != NULL; i++)
		if (key->gateway)
			add_key(l, conf, i);
	for (i = 0; i < conf->cgi_interpreters.n; i++) {
		vec_add(&l->argv, "-o");
		vec_addf(&l->argv, "cgi.interpreter[.%s]=%s",
			conf->cgi_interpreters.v[i].name,
			conf->cgi_interpreters.v[i].value);
	}
	/* Values may be secret: they are not in the command line. */
	for (i = 0; i < conf->env.n; i++) {
		vec_add(&l->argv, "-e");
		vec_add(&l->argv, conf->env.v[i].name);
	}
	if (conf->handler)
		vec_add(&l->argv, conf->handler);
}

/* The keys that the refuser needs: its user and queue_timeout. */
static void
build_refuser(struct launch *l, const struct conf_pool *conf)
{
	const struct conf_key *key;
	size_t i;

	begin_gateway(l, conf);
	vec_add(&l->argv, "--refuse");
	for (i = 0; (key = conf_pool_key(i)) != NULL; i++)
		if (key->refuser)
			add_key(l, conf, i);
}

/* fd 0 is the first socket; 1 and 2 are the log pipe; then the other sockets of
 * a gateway, or the board of a handler. */
static void
build_fds(struct launch *l, const struct listen_socket *sockets,
	size_t nsockets, const struct board *board)
{
	int n = 3;
	size_t i;

	l->fds = mem_calloc(nsockets + 4, sizeof(int));
	l->fds[0] = sockets[0].fd;
	l->fds[1] = l->fds[2] = -1;
	for (i = 1; i < nsockets; i++)
		l->fds[n++] = sockets[i].fd;
	if (board) {
		l->fds[n++] = board_fd(board);
		l->fds[n++] = board_eventfd(board);
	}
	l->spec.fds = l->fds;
	l->spec.nfds = n;
}

static struct launch *
begin(const struct conf_pool *conf, char *ret_why, size_t why_size)
{
	struct launch *l = mem_calloc(1, sizeof(*l));
	const char *why = NULL;

	if (privs_resolve(conf->user, conf->group, &l->privs, &why) == 0)
		return l;
	snprintf(ret_why, why_size, "user or group: %s", why);
	free(l);
	return NULL;
}

/* Sets what all kinds have in common; frees l on failure. */
static struct launch *
finish(struct launch *l, char *ret_why, size_t why_size)
{
	l->privs.parent_death_signal = SIGKILL;
	l->privs.parent = getpid();
	l->spec.path = l->path;
	l->spec.cwd = l->cwd;
	l->spec.cwdfd = -1;
	l->spec.execfd = -1;
	l->spec.new_session = true;
	l->spec.privs = &l->privs;
	l->spec.argv = vec_array(&l->argv);
	l->spec.envp = vec_array(&l->envp);
	if (!l->spec.argv || !l->spec.envp) {
		snprintf(ret_why, why_size, "out of memory");
		launch_free(&l);
		return NULL;
	}
	l->spec.own_env = l->slot;
	l->spec.lasting = true;
	return l;
}

struct launch *
launch_new(const struct conf_pool *conf, const struct listen_socket *sockets,
	size_t nsockets, const struct board *board, unsigned long nofile,
	char *ret_why, size_t why_size)
{
	struct launch *l = begin(conf, ret_why, why_size);

	if (!l)
		return NULL;
	build_env(l, conf, board);
	if (conf->mode == CONF_MODE_CGI) {
		build_gateway(l, conf, nsockets);
		limits_restore_nofile(&l->privs, nofile);
	} else {
		build_prefork(l, conf);
		limits_set(&l->privs, conf, nofile);
	}
	build_fds(l, sockets, nsockets, board);
	return finish(l, ret_why, why_size);
}

struct launch *
launch_new_refuser(const struct conf_pool *conf,
	const struct listen_socket *socket, unsigned long nofile,
	char *ret_why, size_t why_size)
{
	struct launch *l = begin(conf, ret_why, why_size);

	if (!l)
		return NULL;
	build_refuser(l, conf);
	limits_restore_nofile(&l->privs, nofile);
	build_fds(l, socket, 1, NULL);
	return finish(l, ret_why, why_size);
}

void
launch_free(struct launch **l)
{
	if (!*l)
		return;
	vec_fini(&(*l)->argv);
	vec_fini(&(*l)->envp);
	privs_fini(&(*l)->privs);
	free((*l)->path);
	free((*l)->cwd);
	free((*l)->fds);
	free(*l);
	*l = NULL;
}

void
launch_ids(const struct launch *l, uid_t *ret_uid, gid_t *ret_gid)
{
	/* A gateway's spec sets no ids: the gateway changes them itself. */
	*ret_uid = l->privs.set_ids ? l->privs.uid : geteuid();
	*ret_gid = l->privs.set_ids ? l->privs.gid : getegid();
}

const struct spawn_spec *
launch_spec(struct launch *l, unsigned slot)
{
	snprintf(l->slot, sizeof(l->slot), SLOT_VAR "%u", slot);
	return &l->spec;
}
