/*
 * preflight.c - finds what a start would fail on or warn of; see preflight.h
 *
 * Called by master/main for -t.  A start does not call it: it reports these
 * problems when it reaches them.
 */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "master/executable.h"
#include "master/foreign.h"
#include "master/preflight.h"
#include "sys/listen.h"
#include "sys/privs.h"

/* What the checks of one pool have in common. */
struct preflight {
	const struct conf *conf;
	const struct conf_pool *pool;	/* NULL for [fcgipm] */
	struct conf_problems *ps;
	struct privs ids;		/* of the pool's user, if ids_known */
	bool ids_known;
	char *user;			/* its name, for messages */
};

#define ERROR(f, key, ...)                                                     \
	conf_problem_add((f)->ps, false, (f)->conf, (f)->pool, key, __VA_ARGS__)
#define WARNING(f, key, ...)                                                   \
	conf_problem_add((f)->ps, true, (f)->conf, (f)->pool, key, __VA_ARGS__)

/* -- values ---------------------------------------------------------------- */

/* "; text" or "# text" after a blank, as other daemons have comments. */
static const char *
find_comment(const char *value)
{
	const char *p = value;

	while (p && (p = strpbrk(p, ";#")) != NULL) {
		if (p > value && isblank((unsigned char)p[-1]))
			return p;
		p++;
	}
	return NULL;
}

/* "$NAME", which a shell would replace. */
static const char *
find_variable(const char *value, size_t *ret_len)
{
	const char *p = value;

	for (; (p = strchr(p, '$')) != NULL; p++) {
		*ret_len = strspn(p + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
			"abcdefghijklmnopqrstuvwxyz0123456789");
		if (*ret_len > 1 && !isdigit((unsigned char)p[1]))
			return p + 1;
	}
	return NULL;
}

/* free: ; and # may be part of the value; dollar: it has a $NAME. */
static void
check_value(const struct preflight *f, const char *key, const char *value,
	bool free, bool dollar)
{
	const char *comment = find_comment(value), *name;
	size_t len = strlen(value);

	if (comment && free)
		WARNING(f, key, "the value includes \"%s\"; if it is a "
			"comment, write it on a line of its own", comment);
	else if (comment)
		ERROR(f, key, "the value includes \"%s\"; write the comment on "
			"a line of its own", comment);
	else if (len > 1 && value[len - 1] == ';' && !free)
		ERROR(f, key, "the value ends in \";\"; remove that");
	else if (len > 0 && value[len - 1] == '\\')
		ERROR(f, key, "the value ends in \"\\\"; a line cannot be "
			"continued");
	if (free && len > 1 && strchr("\"'", value[0]) &&
		value[len - 1] == value[0] && strncmp(key, "env[", 4) == 0)
		WARNING(f, key, "the quotes are part of the value; remove "
			"them");
	name = dollar ? find_variable(value, &len) : NULL;
	if (name)
		WARNING(f, key, "$%.*s is passed as text; write ${%.*s} for its "
			"value, or %%$%.*s to keep the text", (int)len, name, (int)len,
			name, (int)len, name);
}

static void
check_values(const struct preflight *f)
{
	const struct conf_pool *p = f->pool;
	const struct conf_key *key;
	const char *text;
	char name[300];
	size_t i;

	for (i = 0; (key = conf_pool_key(i)) != NULL; i++) {
		text = conf_pool_text(p, i);
		if (text)
			check_value(f, key->name, text,
				strcmp(key->name, "handler_args") == 0,
				p->origins[i].dollar);
	}
	if (p->cgi_extensions && strchr(p->cgi_extensions, '*'))
		ERROR(f, "cgi.extensions", "write extensions without *, such "
			"as .pl");
	for (i = 0; i < p->env.n; i++) {
		snprintf(name, sizeof(name), "env[%s]", p->env.v[i].name);
		check_value(f, name, p->env.v[i].value, true,
			p->env.v[i].where.dollar);
	}
}

/* -- users ----------------------------------------------------------------- */

static void
check_root(const struct preflight *f)
{
	/* A user that was refused is already reported, and so is a section that
	 * is not a pool. */
	if (f->ids_known && f->ids.uid == 0 &&
		(f->pool->handler || f->pool->docroot ||
			f->pool->nlisten > 0) &&
		(f->pool->user || !conf_pool_is_set(f->pool, "user")))
		WARNING(f, "user", "its programs run as root; set user to an "
			"unprivileged account, such as www-data");
}

/* Groups whose members can become root. */
static void
check_group(const struct preflight *f)
{
	static const char *const names[] = {"root", "docker", "lxd", "incus",
		"disk", "shadow", "sudo", "wheel", "kmem", "libvirt"};
	const struct group *gr;
	size_t i;
	int j;

	if (!f->ids_known || f->ids.uid == 0 || geteuid() != 0)
		return;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		gr = getgrnam(names[i]);
		for (j = -1; gr && j < f->ids.ngroups; j++)
			if ((j < 0 ? f->ids.gid : f->ids.groups[j]) ==
				gr->gr_gid) {
				WARNING(f, f->pool->group ? "group" : "user",
					"the workers are in group %s, whose "
					"members can become root; write a "
					"group of their own", names[i]);
				break;
			}
	}
}

/* -- addresses ------------------------------------------------------------- */

static char *
parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Does a start create it, or systemd for it? */
static bool
is_made_at_start(const char *dir)
{
	char *control = conf_control_place(), *made;
	bool is;

	if (!control)
		return false;
	made = parent_of(control);
	is = strcmp(made, dir) == 0;
	free(made);
	free(control);
	return is;
}

/* The directory in which a start creates a file; what names the file. */
static void
check_directory(const struct preflight *f, const char *key, const char *path,
	const char *what, bool warning)
{
	char *dir = parent_of(path), *unit = NULL;
	struct stat st;

	if (is_made_at_start(dir)) {
		free(dir);
		return;
	}
	/* systemd.exec(5) */
	if (strncmp(dir, "/run/", 5) == 0 && !strchr(dir + 5, '/'))
		unit = mem_printf(", or let systemd create it at every start "
			"(RuntimeDirectory=%s)", dir + 5);
	if (stat(dir, &st) < 0 && errno == ENOENT)
		conf_problem_add(f->ps, warning, f->conf, f->pool, key,
			"directory %s does not exist; create it%s", dir,
			unit ? unit : "");
	else if (stat(dir, &st) < 0)
		conf_problem_add(f->ps, warning, f->conf, f->pool, key,
			"%s: %s", dir, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		conf_problem_add(f->ps, warning, f->conf, f->pool, key,
			"%s is not a directory", dir);
	else if (geteuid() != 0 && access(dir, W_OK | X_OK) < 0)
		conf_problem_add(f->ps, warning, f->conf, f->pool, key,
			"%s: %s; the user fcgipm runs as must be able to "
			"create %s there", dir, strerror(errno), what);
	free(unit);
	free(dir);
}

static void
check_socket(const struct preflight *f, const char *key, const char *path)
{
	struct stat st;

	check_directory(f, key, path, "a socket", false);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		ERROR(f, key, "%s exists and is not a socket; remove it, or "
			"write another path", path);
}

/* Is a key wrong that decides who may connect? */
static bool
has_wrong_owner(const struct preflight *f)
{
	static const char *const keys[] = {"listen", "listen.owner",
		"listen.group", "listen.mode", "user", "group"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (conf_key_has_error(f->ps, f->pool, keys[i]))
			return true;
	return false;
}

static void
warn_unreachable(const struct preflight *f, const char *path,
	const struct listen_opts *opts)
{
	const char *user = conf_web_user();
	/* Only root can give the socket to another user. */
	bool owner = geteuid() == 0, mode = !(opts->mode & 0200) || !owner;

	WARNING(f, "listen", "none of the users www-data, nginx, http and "
		"apache may connect to %s; set %s%s%s%s", path,
		owner ? "listen.owner = " : "", owner ? user : "",
		owner && mode ? " and " : "",
		!mode ? "" : owner ? "listen.mode = 0660" :
			"listen.mode = 0666");
}

static void
check_listen(const struct preflight *f)
{
	const struct conf_pool *p = f->pool;
	const char *user = p->listen_owner ? p->listen_owner : p->user;
	const char *group = p->listen_group ? p->listen_group : p->group;
	struct listen_opts opts = {.mode = (mode_t)p->listen_mode};
	struct privs ids = {0};
	const char *why;
	bool known;
	size_t i;

	known = privs_resolve(user, group, &ids, &why) == 0;
	opts.owner = user ? ids.uid : (uid_t)-1;
	opts.group = user || group ? ids.gid : (gid_t)-1;
	privs_fini(&ids);
	for (i = 0; i < p->nlisten; i++) {
		const struct addr *a = &p->listen[i];

		/* A comment in it is already reported. */
		if (!addr_is_path(a) || find_comment(a->text))
			continue;
		check_socket(f, "listen", addr_path(a));
		if (known && !has_wrong_owner(f) && !listen_reachable(&opts))
			warn_unreachable(f, a->text, &opts);
	}
}

/* -- programs -------------------------------------------------------------- */

static const char *
search_path(const struct conf_pool *p)
{
	const char *path;
	size_t i;

	for (i = 0; i < p->env.n; i++)
		if (strcmp(p->env.v[i].name, "PATH") == 0)
			return p->env.v[i].value;
	path = p->clear_env ? NULL : getenv("PATH");
	return path ? path : "/usr/local/bin:/usr/bin:/bin";
}

static void
check_program(const struct preflight *f, const char *key, const char *path)
{
	const struct executable_user user = {f->user, f->ids.uid, f->ids.gid,
		f->ids.groups, f->ids.ngroups};
	char why[2000];

	if (f->ids_known && executable_check(
			f->pool->chroot ? f->pool->chroot : "", path, &user,
			search_path(f->pool), why, sizeof(why)) < 0)
		ERROR(f, key, "%s", why);
}

static void
check_entry(const struct preflight *f, const char *key, const char *path)
{
	const struct executable_user user = {f->user, f->ids.uid, f->ids.gid,
		f->ids.groups, f->ids.ngroups};
	char why[2000];

	if (path && f->ids_known && executable_check_directory(
			f->pool->chroot ? f->pool->chroot : "", path, &user,
			why, sizeof(why)) < 0)
		ERROR(f, key, "%s", why);
}

/* A handler such as /usr/bin/perl finds a relative script in chdir only. */
static void
check_script(const struct preflight *f)
{
	const struct conf_pool *p = f->pool;
	const char *script = foreign_script(p), *root = p->chroot;
	char *dir, *path;

	if (!script || !p->handler)
		return;
	dir = p->chdir ? mem_strdup(p->chdir) : parent_of(p->handler);
	path = mem_printf("%s%s%s%s", root ? root : "",
		script[0] == '/' ? "" : dir, script[0] == '/' ? "" : "/",
		script);
	if (access(path, F_OK) < 0 && errno == ENOENT && script[0] == '/')
		ERROR(f, "handler_args", "%s: %s; name an existing script",
			path, strerror(errno));
	else if (access(path, F_OK) < 0 && errno == ENOENT)
		ERROR(f, "handler_args", "%s is not in %s, where %s starts; "
			"write its whole path, or chdir", script, dir,
			p->handler);
	free(path);
	free(dir);
}

static void
check_programs(const struct preflight *f)
{
	const struct conf_pool *p = f->pool;
	const char *text, *word = NULL;
	char key[300];
	bool sure = true;
	size_t i;

	text = foreign_handler(p, &sure);
	if (text)
		conf_problem_add(f->ps, !sure, f->conf, p, "handler", "%s %s",
			p->handler, text);
	else if (p->handler)
		check_program(f, "handler", p->handler);
	text = foreign_argument(p, &word);
	if (text)
		ERROR(f, "handler_args", "%s %s", word, text);
	else
		check_script(f);
	check_entry(f, "docroot", p->docroot);
	check_entry(f, "chdir", p->chdir);
	if (p->cgi_interpreter)
		check_program(f, "cgi.interpreter", p->cgi_interpreter);
	for (i = 0; i < p->cgi_interpreters.n; i++) {
		snprintf(key, sizeof(key), "cgi.interpreter[.%s]",
			p->cgi_interpreters.v[i].name);
		check_program(f, key, p->cgi_interpreters.v[i].value);
	}
}

/* -------------------------------------------------------------------------- */

static void
check_pool(const struct conf *c, const struct conf_pool *p,
	struct conf_problems *ps)
{
	struct preflight f = {.conf = c, .pool = p, .ps = ps};
	const char *why;

	f.ids_known = privs_resolve(p->user, p->group, &f.ids, &why) == 0;
	f.user = p->user ? mem_strdup(p->user) :
		mem_printf("%u", (unsigned)geteuid());
	check_values(&f);
	check_root(&f);
	check_group(&f);
	check_listen(&f);
	check_programs(&f);
	privs_fini(&f.ids);
	free(f.user);
}

/* "log = journald" is a file of this name. */
static void
check_word(const struct preflight *f, const char *key, const char *path,
	const char *words)
{
	static const char *const names[] = {"journal", "journald", "stdout",
		"console", "file", "off", "no", "false", "null", "disabled"};
	const char *name = strrchr(path, '/') + 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0 &&
			strncmp(path, "/dev/", 5) != 0)
			WARNING(f, key, "means the file %s; write %s, or a "
				"whole path", path, words);
}

static void
check_global(const struct conf *c, struct conf_problems *ps)
{
	const struct preflight f = {.conf = c, .ps = ps};

	if (c->log && c->log[0] == '/') {
		check_word(&f, "log", c->log, "stderr or syslog");
		check_directory(&f, "log", c->log, "the log", false);
	}
	/* A start continues without it. */
	if (c->pid)
		check_directory(&f, "pid", c->pid, "the file", true);
	if (c->control && c->control[0] == '/') {
		check_word(&f, "control", c->control, "none");
		check_socket(&f, "control", c->control);
	}
}

void
preflight_check(const struct conf *c, struct conf_problems *ps)
{
	size_t i;

	check_global(c, ps);
	for (i = 0; i < c->npools; i++)
		if (!c->pools[i].refused)
			check_pool(c, &c->pools[i], ps);
	conf_problems_sort(ps);
}
