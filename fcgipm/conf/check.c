/*
 * check.c - checks keys against each other and against the system, and sets
 * defaults that depend on other keys; see conf.h
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/problem.h"
#include "conf/table.h"

/* Where a key of the pool was written, or else its section. */
static struct problem_place
place_of(const struct conf_pool *p, const char *key)
{
	size_t n;
	const struct table_row *rows = table_pool_rows(&n);
	int i = table_find(rows, n, key);

	return problem_at(i >= 0 && p->origins[i].file ? &p->origins[i] :
							  &p->where,
		p->name, key);
}

static bool
is_set(const struct conf_pool *p, const char *key)
{
	size_t n;
	const struct table_row *rows = table_pool_rows(&n);
	int i = table_find(rows, n, key);

	return i >= 0 && p->origins[i].file;
}

#define ERROR(p, key, fmt, ...)                                                \
	problem_error(ps, "%s: " fmt, place_of(p, key).text, ##__VA_ARGS__)
#define WARNING(p, key, fmt, ...)                                              \
	problem_warning(ps, "%s: " fmt, place_of(p, key).text, ##__VA_ARGS__)

static void
check_scopes(const struct conf_pool *p, struct conf_problems *ps)
{
	size_t n, i;
	const struct table_row *rows = table_pool_rows(&n);
	enum table_scope other = p->mode == CONF_MODE_CGI ? TABLE_PREFORK :
							    TABLE_CGI;

	for (i = 0; i < n; i++) {
		const char *key = rows[i].key.name;

		if (!p->origins[i].file || rows[i].scope != other)
			continue;
		ERROR(p, key, "it has no meaning with mode = %s%s; remove it",
			p->mode == CONF_MODE_CGI ? "cgi" : "prefork",
			strcmp(key, "pm") == 0 || strncmp(key, "pm.", 3) == 0 ?
				", where pm.max_children is the number of "
				"programs at once" : "");
	}
}

static void
check_address(const struct conf_pool *p, const struct addr *a,
	struct conf_problems *ps)
{
	if (addr_is_abstract(a) && geteuid() == 0)
		ERROR(p, "listen",
			"%s: an abstract socket has no permissions, so root "
			"may not open one; write a path", a->text);
	else if (addr_is_abstract(a))
		WARNING(p, "listen",
			"%s: an abstract socket has no permissions: every "
			"user may connect", a->text);
	if (addr_is_tcp(a) && !addr_is_loopback(a) &&
		!p->listen_allowed_clients)
		ERROR(p, "listen",
			"%s is open to the network; name who may connect in "
			"listen.allowed_clients", a->text);
}

static void
check_listen(const struct conf_pool *p, struct conf_problems *ps)
{
	bool tcp = false;
	size_t i;

	if (p->nlisten == 0) {
		if (!is_set(p, "listen"))
			ERROR(p, "listen",
				"write where the web server connects, as "
				"listen = /run/fcgipm/%%n.sock");
		return;
	}
	if (p->mode == CONF_MODE_PREFORK && p->nlisten > 1)
		ERROR(p, "listen",
			"write one address: a FastCGI program accepts on its "
			"descriptor 0 only");
	else if (p->nlisten > CONF_LISTEN_MAX)
		ERROR(p, "listen",
			"these are %zu addresses; write at most %d, and the "
			"others in another pool", p->nlisten, CONF_LISTEN_MAX);
	for (i = 0; i < p->nlisten; i++) {
		check_address(p, &p->listen[i], ps);
		tcp = tcp || addr_is_tcp(&p->listen[i]);
	}
	if (p->listen_allowed_clients && !tcp)
		ERROR(p, "listen.allowed_clients",
			"it is for TCP sockets; use listen.owner, "
			"listen.group and listen.mode");
}

/* No address twice, in one pool or in two. */
static void
check_addresses(const struct conf *c, struct conf_problems *ps)
{
	size_t i, j, k, l;

	for (i = 0; i < c->npools; i++)
		for (j = 0; j < c->pools[i].nlisten; j++)
			for (k = 0; k <= i; k++)
				for (l = 0; l < (k < i ? c->pools[k].nlisten :
							 j);
					l++)
					if (addr_equal(&c->pools[i].listen[j],
						    &c->pools[k].listen[l]))
						ERROR(&c->pools[i], "listen",
							"%s is the address of "
							"pool %s already; "
							"choose another",
							c->pools[i]
								.listen[j]
								.text,
							c->pools[k].name);
}

/* The path as seen before the pool's chroot; the caller's to free(). */
static char *
outside(const struct conf_pool *p, const char *path)
{
	return mem_printf("%s%s", p->chroot ? p->chroot : "", path);
}

static void
check_folder(const struct conf_pool *p, const char *key, const char *path,
	struct conf_problems *ps)
{
	struct stat st;

	if (stat(path, &st) < 0)
		ERROR(p, key, "%s: %s; name an existing folder", path,
			strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		ERROR(p, key, "%s is no folder; name one", path);
}

/* May others than root and us choose what a path in this folder leads to?
 * Above it that takes more where each may rename only what is his. */
static bool
is_open_to_others(const struct stat *st, bool above)
{
	bool writable = st->st_mode & S_IWOTH ||
		(st->st_mode & S_IWGRP && st->st_gid != 0 &&
			st->st_gid != getegid());

	return (st->st_uid != 0 && st->st_uid != geteuid()) ||
		(writable && !(above && st->st_mode & S_ISVTX));
}

/* What we write in a folder of others may be any file they name. */
static void
check_owners(const struct conf_pool *p, const char *key, const char *folder,
	struct conf_problems *ps)
{
	char *path = realpath(folder, NULL), *slash = path;
	bool above = false;
	struct stat st;

	for (; slash; above = true) {
		if (stat(path, &st) == 0 && is_open_to_others(&st, above)) {
			WARNING(p, key, "others may write in %s, and so have "
				"us write to any file; name one in a folder of "
				"root's, as /var/log", path);
			break;
		}
		slash = path[1] ? strrchr(path, '/') : NULL;
		if (slash)
			slash[slash == path] = '\0';
	}
	free(path);
}

/* at: where it was written, and its key. */
static void
check_program(const struct conf_pool *p, const char *at, const char *inside,
	const char *more, struct conf_problems *ps)
{
	char *path = outside(p, inside);
	struct stat st;

	if (stat(path, &st) < 0)
		problem_error(ps, "%s: %s: %s; name an existing program", at,
			path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		problem_error(ps, "%s: %s is a folder; name a program%s", at,
			path, more);
	else if (!S_ISREG(st.st_mode))
		problem_error(ps, "%s: %s is no file; name a program", at,
			path);
	else if (!(st.st_mode & 0111))
		problem_error(ps, "%s: %s is not executable; chmod +x it", at,
			path);
	else if (geteuid() != 0 && access(path, X_OK) < 0)
		problem_error(ps, "%s: %s: %s; let us execute it", at, path,
			strerror(errno));
	free(path);
}

static void
check_handler(const struct conf_pool *p, struct conf_problems *ps)
{
	bool cgi = p->mode == CONF_MODE_CGI;
	char *path;

	/* A value that was refused has been told already. */
	if (!p->handler && !is_set(p, "handler") &&
		(!cgi || (!p->docroot && !is_set(p, "docroot"))))
		ERROR(p, "handler", "write the program to run, as handler = "
			"/usr/bin/php-cgi%s", cgi ? ", or docroot for a "
			"folder of programs" : "");
	if (p->handler)
		check_program(p, place_of(p, "handler").text, p->handler,
			cgi ? ", or write docroot to serve a folder" : "", ps);
	if (p->docroot) {
		path = outside(p, p->docroot);
		check_folder(p, "docroot", path, ps);
		free(path);
	}
	if (p->chdir) {
		path = outside(p, p->chdir);
		check_folder(p, "chdir", path, ps);
		free(path);
	}
	if (p->handler_args.n > 0 && !p->handler)
		ERROR(p, "handler_args", "write handler too, or remove it");
}

/* What holds for the files beneath docroot. */
static void
check_scripts(const struct conf_pool *p, struct conf_problems *ps)
{
	static const char *const keys[] = {"cgi.split_path", "cgi.index",
		"cgi.extensions"};
	const struct conf_map *map = &p->cgi_interpreters;
	char key[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (is_set(p, keys[i]) && p->handler && !p->docroot)
			ERROR(p, keys[i], "it is about files beneath docroot; "
				"write docroot, or remove it");
	if (p->cgi_index && strchr(p->cgi_index, '/'))
		ERROR(p, "cgi.index", "write names without a folder, as "
			"index.cgi");
	if (p->handler && (p->cgi_interpreter || map->n > 0))
		ERROR(p, p->cgi_interpreter ? "cgi.interpreter" :
				"cgi.interpreter[.EXT]",
			"handler is run for every request already; remove "
			"one");
	if (p->cgi_interpreter && p->cgi_split_path && !p->cgi_extensions)
		WARNING(p, "cgi.split_path", "a request for /upload.jpg/x.pl "
			"has cgi.interpreter run upload.jpg; name the "
			"extensions of scripts in cgi.extensions");
	if (p->cgi_interpreter)
		check_program(p, place_of(p, "cgi.interpreter").text,
			p->cgi_interpreter, "", ps);
	for (i = 0; i < map->n; i++) {
		snprintf(key, sizeof(key), "cgi.interpreter[.%s]",
			map->v[i].name);
		check_program(p, problem_at(&map->v[i].where, p->name,
			key).text, map->v[i].value, "", ps);
	}
}

static bool
is_other_user(const char *name)
{
	const struct passwd *pw = name ? getpwnam(name) : NULL;
	char *end;

	if (!name)
		return false;
	if (pw)
		return pw->pw_uid != geteuid();
	return strtoul(name, &end, 10) != geteuid();
}

static bool
is_other_group(const char *name)
{
	const struct group *gr = name ? getgrnam(name) : NULL;
	char *end;

	if (!name)
		return false;
	if (gr)
		return gr->gr_gid != getegid();
	return strtoul(name, &end, 10) != getegid();
}

static void
check_privileges(const struct conf_pool *p, struct conf_problems *ps)
{
	if (p->chroot)
		check_folder(p, "chroot", p->chroot, ps);
	if (geteuid() == 0)
		return;
	if (is_other_user(p->user))
		ERROR(p, "user", "only root can run workers as %s; remove it "
			"or start as root", p->user);
	if (is_other_user(p->listen_owner))
		ERROR(p, "listen.owner", "only root can give the socket to "
			"%s; remove it or start as root", p->listen_owner);
	if (is_other_group(p->group))
		ERROR(p, "group", "only root can run workers as group %s; "
			"remove it or start as root", p->group);
	if (is_other_group(p->listen_group))
		ERROR(p, "listen.group", "only root can give the socket to "
			"group %s; remove it or start as root",
			p->listen_group);
	if (p->chroot)
		ERROR(p, "chroot", "only root can do that; remove it or start "
			"as root");
	if (p->process_priority < 0)
		ERROR(p, "process.priority", "only root can go below 0");
}

/* Keys of another way to choose the number: harmless, but no help. */
static void
check_pm_scopes(const struct conf_pool *p, struct conf_problems *ps)
{
#define IN(pm) (1U << CONF_PM_##pm)
	static const char *const names[] = {"static", "dynamic", "ondemand"};
	static const struct {
		const char *key;
		unsigned in;
		const char *more;
	} rows[] = {
		{"pm.start_servers", IN(DYNAMIC), "dynamic"},
		{"pm.min_spare_servers", IN(DYNAMIC), "dynamic"},
		{"pm.max_spare_servers", IN(DYNAMIC), "dynamic"},
		{"pm.max_spawn_rate", IN(DYNAMIC) | IN(ONDEMAND),
			"dynamic or pm = ondemand"},
		{"pm.process_idle_timeout", IN(ONDEMAND), "ondemand"},
	};
#undef IN
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (is_set(p, rows[i].key) && !(rows[i].in & 1U << p->pm))
			WARNING(p, rows[i].key, "it has no effect with pm = "
				"%s; remove it, or write pm = %s",
				names[p->pm], rows[i].more);
}

/*
 * What was not written follows from what was, as in php-fpm.conf(5): start
 * is min + (max - min) / 2.
 */
static void
check_spares(struct conf_pool *p, struct conf_problems *ps)
{
	const unsigned max = p->max_children, min = p->min_spare_servers;

	/* A value that was refused has been told already. */
	if (p->max_spare_servers == 0 && is_set(p, "pm.max_spare_servers"))
		return;
	if (p->max_spare_servers == 0)
		p->max_spare_servers = MAX(max / 2, min);
	if (p->start_servers == 0)
		p->start_servers = min + (p->max_spare_servers - min) / 2;
	if (p->pm != CONF_PM_DYNAMIC)
		return;
	if (min > max) {
		ERROR(p, "pm.min_spare_servers", "%u is more than "
			"pm.max_children, %u; lower it or raise that", min,
			max);
	} else if (p->max_spare_servers > max) {
		ERROR(p, "pm.max_spare_servers", "%u is more than "
			"pm.max_children, %u; lower it or raise that",
			p->max_spare_servers, max);
	} else if (min > p->max_spare_servers) {
		ERROR(p, "pm.min_spare_servers", "%u is more than "
			"pm.max_spare_servers, %u; lower it or raise that",
			min, p->max_spare_servers);
	} else if (p->start_servers < min ||
		p->start_servers > p->max_spare_servers) {
		ERROR(p, "pm.start_servers", "%u is not between "
			"pm.min_spare_servers, %u, and pm.max_spare_servers, "
			"%u; change one of them", p->start_servers, min,
			p->max_spare_servers);
	}
}

static void
check_pm(struct conf_pool *p, struct conf_problems *ps)
{
	check_pm_scopes(p, ps);
	check_spares(p, ps);
	if (p->process_idle_timeout_ms == 0)
		ERROR(p, "pm.process_idle_timeout", "write how long an idle "
			"worker stays, as 10s");
	if (p->max_memory_bytes > 0 && p->max_memory_bytes < 1 << 20)
		ERROR(p, "pm.max_memory", "no program is below 1M; write a "
			"size, as 64M");
	if (is_set(p, "pm.max_retiring") && p->max_requests == 0 &&
		p->max_age_ms == 0 && p->max_memory_bytes == 0)
		WARNING(p, "pm.max_retiring", "it has no effect without "
			"pm.max_requests, pm.max_age or pm.max_memory; write "
			"one of them or remove it");
	if (p->max_requests > 0 && p->observe == CONF_OBSERVE_KERNEL)
		WARNING(p, "pm.max_requests", "it has no effect with observe "
			"= kernel, which counts no requests; write pm.max_age "
			"or pm.max_memory, or observe = auto");
	else if (p->max_requests > 0 && p->chroot)
		WARNING(p, "pm.max_requests", "in a chroot it has an effect "
			"on handlers only that use fcgipm-handler.h, see "
			"fcgipm-handler(7); else write pm.max_age or "
			"pm.max_memory");
}

/* The kernel lists no longer queue of a unix socket in one message. */
#define QUEUE_MAX 8000

static void
check_queue(const struct conf_pool *p, struct conf_problems *ps)
{
	if (p->queue_timeout_ms > 0 && p->nlisten > 0 &&
		!addr_is_tcp(&p->listen[0]) && p->listen_backlog > QUEUE_MAX)
		WARNING(p, "queue_timeout", "a queue of more than %u clients "
			"cannot be looked at, and nobody is refused then; "
			"lower listen.backlog", QUEUE_MAX);
}

static void
check_timeouts(const struct conf_pool *p, struct conf_problems *ps)
{
	const int64_t slow = p->request_slowlog_timeout_ms;
	const int64_t late = p->request_terminate_timeout_ms;
	char *folder;

	if (slow > 0 && !p->slowlog && !is_set(p, "slowlog"))
		ERROR(p, "request_slowlog_timeout", "write slowlog, the file "
			"that slow requests are written to, too");
	if (p->slowlog && slow == 0 && !is_set(p, "request_slowlog_timeout"))
		WARNING(p, "slowlog", "it has no effect without "
			"request_slowlog_timeout; write that, as 5s, or "
			"remove it");
	if (slow > 0 && late > 0 && slow >= late)
		WARNING(p, "request_slowlog_timeout", "no request gets so "
			"old: request_terminate_timeout is not above it; "
			"lower it or raise that");
	if (!p->slowlog)
		return;
	folder = mem_strndup(p->slowlog, (size_t)MAX(strrchr(p->slowlog,
		'/') - p->slowlog, 1));
	check_folder(p, "slowlog", folder, ps);
	check_owners(p, "slowlog", folder, ps);
	free(folder);
}

/* It needs the library in the workers, and a socket that loses nothing. */
static void
check_accelerate(struct conf_pool *p, struct conf_problems *ps)
{
	const char *why = NULL, *instead = "";

	if (!p->accelerate)
		return;
	if (p->mode == CONF_MODE_CGI) {
		/* Written there it is an error. */
		p->accelerate = false;
		return;
	}
	if (p->observe == CONF_OBSERVE_KERNEL) {
		why = "with observe = kernel";
		instead = ", or write observe = auto";
	} else if (p->chroot) {
		why = "in a chroot";
	} else if (p->nlisten > 0 && addr_is_tcp(&p->listen[0])) {
		why = "over TCP";
		instead = ", or listen on a path";
	}
	if (why && is_set(p, "accelerate"))
		WARNING(p, "accelerate", "it has no effect %s; remove it%s",
			why, instead);
	p->accelerate = !why;
}

/* How many workers a pool cannot do without. */
static unsigned
needed(const struct conf_pool *p)
{
	if (p->mode == CONF_MODE_CGI || p->pm == CONF_PM_ONDEMAND)
		return 1;
	return p->pm == CONF_PM_DYNAMIC ? p->start_servers : p->max_children;
}

static void
check_process_max(const struct conf *c, struct conf_problems *ps)
{
	size_t n, i;
	const struct table_row *rows = table_global_rows(&n);
	int row = table_find(rows, n, "process.max");
	bool recycles = false;
	uint64_t sum = 0;
	struct problem_place at;

	if (c->process_max == 0)
		return;
	at = problem_at(&c->origins[row], "fcgipm", "process.max");
	for (i = 0; i < c->npools; i++) {
		const struct conf_pool *p = &c->pools[i];

		sum += needed(p);
		recycles = recycles || p->max_requests > 0 ||
			p->max_age_ms > 0 || p->max_memory_bytes > 0;
	}
	if (sum > c->process_max)
		problem_error(ps, "%s: the pools start with %llu processes; "
			"raise it, or lower pm.max_children and "
			"pm.start_servers", at.text, (unsigned long long)sum);
	else if (sum == c->process_max && recycles)
		problem_warning(ps, "%s: it leaves no place for the "
			"replacement of a worker before that is gone; raise "
			"it", at.text);
}

static void
check_control(const struct conf *c, struct conf_problems *ps)
{
	static const char *const keys[] = {"control.owner", "control.group"};
	const bool other[] = {is_other_user(c->control_owner),
		is_other_group(c->control_group)};
	size_t n, i;
	const struct table_row *rows = table_global_rows(&n);

	for (i = 0; i < ARRAY_SIZE(keys) && geteuid() != 0; i++)
		if (other[i])
			problem_error(ps, "%s: only root can give the socket "
				"away; remove it or start as root",
				problem_at(&c->origins[table_find(rows, n,
					keys[i])], "fcgipm", keys[i]).text);
}

static void
check_pool(struct conf_pool *p, struct conf_problems *ps)
{
	check_scopes(p, ps);
	check_handler(p, ps);
	check_scripts(p, ps);
	check_privileges(p, ps);
	if (p->max_children == 0)
		p->max_children = p->mode == CONF_MODE_CGI ? 32 : 4;
	if (p->mode == CONF_MODE_PREFORK) {
		check_pm(p, ps);
		check_queue(p, ps);
		check_timeouts(p, ps);
	}
	check_accelerate(p, ps);
}

int
conf_check(struct conf *c, struct conf_problems *ps)
{
	size_t i;

	for (i = 0; i < c->npools; i++) {
		check_listen(&c->pools[i], ps);
		check_pool(&c->pools[i], ps);
	}
	check_addresses(c, ps);
	check_process_max(c, ps);
	check_control(c, ps);
	return ps->nerrors ? -1 : 0;
}

int
conf_check_gateway(struct conf *c, struct conf_problems *ps)
{
	size_t i;

	for (i = 0; i < c->npools; i++)
		check_pool(&c->pools[i], ps);
	return ps->nerrors ? -1 : 0;
}
