/*
 * check_files.c - checks the files and directories that a pool's keys name; see
 * check_files.h
 *
 * Called by conf/check.  master/preflight checks more of them for fcgipm -t.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/check_files.h"
#include "conf/conf.h"
#include "conf/keys.h"

#define ERROR(p, key, ...) KEYS_ERROR(ps, p, key, __VA_ARGS__)
#define WARNING(p, key, ...) KEYS_WARNING(ps, p, key, __VA_ARGS__)

/* The path outside of the pool's chroot; the caller's to free(). */
static char *
outside(const struct conf_pool *p, const char *path)
{
	return mem_printf("%s%s", p->chroot ? p->chroot : "", path);
}

/* Why stat(2) of the path failed: names the directory that is missing, or that
 * may not be entered, or the target of a symbolic link.  To free(). */
static char *
why_not_found(const char *path, int err)
{
	char *part = mem_strdup(path), *slash = part, *why = NULL;
	char target[200];
	struct stat st;
	ssize_t n;

	while (!why && (slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		if (stat(part, &st) < 0 && errno == ENOENT)
			why = mem_printf("directory %s does not exist", part);
		else if (err == ENOTDIR && stat(part, &st) == 0 &&
			!S_ISDIR(st.st_mode))
			why = mem_printf("%s is not a directory", part);
		else if (err == EACCES && stat(part, &st) == 0 &&
			access(part, X_OK) < 0)
			why = mem_printf("%s: the user fcgipm runs as may not "
				"enter %s", strerror(err), part);
		*slash = '/';
	}
	n = readlink(path, target, sizeof(target) - 1);
	if (!why && err == ENOENT && n > 0)
		why = mem_printf("a symbolic link to %.*s, which does not "
			"exist", (int)n, target);
	free(part);
	return why ? why : mem_strdup(strerror(err));
}

static void
check_directory(const struct conf_pool *p, const char *key, const char *path,
	struct conf_problems *ps)
{
	struct stat st;
	char *why;

	if (stat(path, &st) < 0) {
		why = why_not_found(path, errno);
		ERROR(p, key, "%s: %s; name an existing directory", path, why);
		free(why);
	} else  if (!S_ISDIR(st.st_mode))
		ERROR(p, key, "%s is not a directory; name one", path);
}

/* Can users other than root and the supervisor's decide what a path in this
 * directory leads to?  In a directory above it they cannot with the sticky bit,
 * which lets a user rename only its own files. */
static bool
is_open_to_others(const struct stat *st, bool above)
{
	bool writable = st->st_mode & S_IWOTH ||
		(st->st_mode & S_IWGRP && st->st_gid != 0 &&
			st->st_gid != getegid());

	return (st->st_uid != 0 && st->st_uid != geteuid()) ||
		(writable && !(above && st->st_mode & S_ISVTX));
}

/* In a directory that other users can write, a path may lead to any file. */
static void
check_owners(const struct conf_pool *p, const char *key, const char *directory,
	struct conf_problems *ps)
{
	char *path = realpath(directory, NULL), *slash = path;
	bool above = false;
	struct stat st;

	for (; slash; above = true) {
		if (stat(path, &st) == 0 && is_open_to_others(&st, above)) {
			WARNING(p, key, "%s is writable by other users, who "
				"could redirect fcgipm's writes; use a "
				"directory that only root can write, such as "
				"/var/log", path);
			break;
		}
		slash = path[1] ? strrchr(path, '/') : NULL;
		if (slash)
			slash[slash == path] = '\0';
	}
	free(path);
}

/* "PROGRAM ARG..." in one path: the length of an existing PROGRAM; 0 = there is
 * none. */
static size_t
program_length(const char *path)
{
	char *copy = mem_strdup(path), *blank;
	struct stat st;
	size_t n = 0;

	while ((blank = strrchr(copy, ' ')) != NULL && n == 0) {
		*blank = '\0';
		if (stat(copy, &st) == 0 && S_ISREG(st.st_mode))
			n = strlen(copy);
	}
	free(copy);
	return n;
}

/* A program of this name in a directory of programs; NULL = there is none. */
static char *
find_program(const char *name)
{
	static const char *const directories[] = {"/usr/bin", "/usr/local/bin",
		"/usr/sbin", "/usr/local/sbin"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(directories); i++) {
		char *path = mem_printf("%s/%s", directories[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static bool
ends_in(const char *path, const char *end)
{
	size_t len = strlen(path), n = strlen(end);

	return len >= n && strcmp(path + len - n, end) == 0;
}

/* root is what path begins with in a chroot, or "". */
static void
missing_program(const struct problem_place *at, const char *root,
	const char *path, int err, struct conf_problems *ps)
{
	const char *inside = path + strlen(root);
	size_t n = program_length(path);
	char *why = why_not_found(path, err);
	char *found = find_program(strrchr(path, '/') + 1);

	if (*root && strncmp(inside, root, strlen(root)) == 0)
		problem_error(ps, at, "%s: %s; write the path inside chroot, "
			"%s", path, strerror(err), inside + strlen(root));
	else if (n > 0)
		problem_error(ps, at, "the value includes arguments; write "
			"handler = %.*s and handler_args =%s",
			(int)n - (int)strlen(root), inside, path + n);
	else if (found)
		problem_error(ps, at, "%s: %s; write the whole path, %s", path,
			why, found);
	else
		problem_error(ps, at, "%s: %s; name an existing program%s",
			path, why, strchr(path, ' ') ?
				" (arguments belong in handler_args)" : "");
	free(found);
	free(why);
}

static void
check_program(const struct conf_pool *p, const char *key, const char *inside,
	const char *more, struct conf_problems *ps)
{
	struct problem_place at = keys_place(p, key);
	char *path = outside(p, inside);
	struct stat st;

	if (stat(path, &st) < 0)
		missing_program(&at, p->chroot ? p->chroot : "", path, errno,
			ps);
	else if (S_ISDIR(st.st_mode))
		problem_error(ps, &at, "%s is a directory; name a program%s",
			path, more);
	else if (!S_ISREG(st.st_mode))
		problem_error(ps, &at, "%s is not a regular file; name a "
			"program", path);
	else if (!(st.st_mode & 0111) && ends_in(path, ".php"))
		problem_error(ps, &at, "%s is a PHP script; write handler = "
			"/usr/bin/php-cgi, which runs the scripts that the web "
			"server names", path);
	else if (!(st.st_mode & 0111))
		problem_error(ps, &at, "%s is not executable; chmod +x %s",
			path, path);
	else if (geteuid() != 0 && access(path, X_OK) < 0)
		problem_error(ps, &at, "%s: %s; not executable by the user "
			"fcgipm runs as", path, strerror(errno));
	free(path);
}

static void
check_handler(const struct conf_pool *p, struct conf_problems *ps)
{
	bool cgi = p->mode == CONF_MODE_CGI;

	/* A value that was refused is already reported. */
	if (keys_is_set(p, "handler"))
		return;
	if (!cgi && keys_is_set(p, "docroot"))
		ERROR(p, "handler", "missing; write the FastCGI program, or "
			"mode = cgi to run the programs in docroot");
	else if (!cgi)
		ERROR(p, "handler", "missing; write the FastCGI program, such "
			"as handler = /usr/bin/php-cgi");
	else if (!keys_is_set(p, "docroot"))
		ERROR(p, "handler", "missing; write docroot, a directory of "
			"programs, or handler, one program for every request");
}

static void
check_paths(const struct conf_pool *p, struct conf_problems *ps)
{
	const bool cgi = p->mode == CONF_MODE_CGI;
	char *path, *more;

	if (p->chroot)
		check_directory(p, "chroot", p->chroot, ps);
	if (p->handler) {
		more = mem_printf(", or write %sdocroot = %s%s", cgi ? "" :
				"mode = cgi and ", p->handler, cgi ?
				" instead of handler" : "");
		check_program(p, "handler", p->handler, more, ps);
		free(more);
	}
	if (p->docroot) {
		path = outside(p, p->docroot);
		check_directory(p, "docroot", path, ps);
		free(path);
	}
	if (p->chdir) {
		path = outside(p, p->chdir);
		check_directory(p, "chdir", path, ps);
		free(path);
	}
	if (p->slowlog && !cgi) {
		path = mem_strndup(p->slowlog, (size_t)MAX(strrchr(p->slowlog,
			'/') - p->slowlog, 1));
		check_directory(p, "slowlog", path, ps);
		check_owners(p, "slowlog", path, ps);
		free(path);
	}
	if (p->handler_args.n > 0 && !keys_is_set(p, "handler"))
		ERROR(p, "handler_args", "needs handler; write it, or remove "
			"handler_args");
}

/* Keys for the scripts in docroot. */
static void
check_scripts(const struct conf_pool *p, struct conf_problems *ps)
{
	static const char *const keys[] = {"cgi.split_path", "cgi.index",
		"cgi.extensions"};
	const struct conf_map *map = &p->cgi_interpreters;
	char key[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys_is_set(p, keys[i]) && p->handler && !p->docroot)
			ERROR(p, keys[i], "only for scripts in docroot; write "
				"docroot, or remove it");
	if (p->cgi_index && strchr(p->cgi_index, '/'))
		ERROR(p, "cgi.index", "write names without a directory, such "
			"as index.cgi");
	if (p->handler && (p->cgi_interpreter || map->n > 0))
		ERROR(p, p->cgi_interpreter ? "cgi.interpreter" :
				"cgi.interpreter[.EXT]",
			"no effect with handler, which runs for every request; "
			"remove one");
	if (p->cgi_interpreter && p->cgi_split_path && !p->cgi_extensions)
		WARNING(p, "cgi.split_path", "a request for /upload.jpg/x.pl "
			"makes cgi.interpreter run upload.jpg; write the "
			"extensions of scripts in cgi.extensions");
	if (p->cgi_interpreter)
		check_program(p, "cgi.interpreter", p->cgi_interpreter, "", ps);
	for (i = 0; i < map->n; i++) {
		snprintf(key, sizeof(key), "cgi.interpreter[.%s]",
			map->v[i].name);
		check_program(p, key, map->v[i].value, "", ps);
	}
}

void
check_files(const struct conf_pool *p, struct conf_problems *ps)
{
	check_handler(p, ps);
	check_paths(p, ps);
	check_scripts(p, ps);
}
