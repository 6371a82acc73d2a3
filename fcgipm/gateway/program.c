/*
 * program.c - which program a request runs; see program.h
 *
 * Called by gateway/request_run.  Paths are proto/cgi's, opening is
 * gateway/locate's, running gateway/script's.
 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"
#include "base/words.h"
#include "conf/conf.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/program.h"
#include "gateway/script.h"
#include "proto/cgi.h"

void
program_init(struct program *p)
{
	*p = (struct program){0};
	locate_init(&p->file);
}

void
program_close(struct program *p)
{
	locate_close(&p->file);
}

/* What a request calls its script, when that is no path; NULL for nothing. */
static char *
name_for_log(const struct cgi_params *params)
{
	const struct fcgi_pair *pair =
		cgi_params_find(params, "SCRIPT_FILENAME");

	if (!pair)
		pair = cgi_params_find(params, "SCRIPT_NAME");
	return pair ? strndup((const char *)pair->value, pair->value_len) :
		      NULL;
}

/* ".cgi, pl": is this one of them? */
static bool
list_holds(const char *list, const char *extension)
{
	const char *word;
	size_t n;

	while ((word = words_next(&list, &n)) != NULL) {
		if (*word == '.') {
			word++;
			n--;
		}
		if (strlen(extension) == n && memcmp(word, extension, n) == 0)
			return true;
	}
	return false;
}

/* What stands behind the last dot of the file's name; "" for no dot. */
static const char *
extension_of(const char *path)
{
	const char *dot = strrchr(strrchr(path, '/'), '.');

	return dot ? dot + 1 : "";
}

/* The program that reads files of this name; NULL: they run by themselves. */
static const char *
interpreter_of(const struct conf_pool *pool, const char *path)
{
	const struct conf_map *map = &pool->cgi_interpreters;
	size_t i;

	for (i = 0; i < map->n; i++)
		if (strcmp(map->v[i].name, extension_of(path)) == 0)
			return map->v[i].value;
	return pool->cgi_interpreter;
}

static bool
is_allowed(char *const *programs, const char *path)
{
	for (; *programs; programs++)
		if (strcmp(*programs, path) == 0)
			return true;
	return false;
}

/* May the file that was found be run, and how? */
static int
check_file(const struct gateway_opts *opts, const char *path, struct program *p,
	struct failure *why)
{
	const char *allowed = opts->pool->cgi_extensions;

	if (opts->programs && !is_allowed(opts->programs, path))
		return failure_set(why, 403, "none of those that -p allows");
	if (allowed && !list_holds(allowed, extension_of(path)))
		return failure_set(why, 403,
			"its extension is none of "
			"cgi.extensions: %s",
			allowed);
	if (opts->handler)
		return 0;
	if (S_ISDIR(p->file.mode))
		return failure_set(why, 403,
			"a folder, not a program; cgi.index "
			"would name one in it");
	if (!S_ISREG(p->file.mode))
		return failure_set(why, 403, "not a regular file");
	p->interpreter = interpreter_of(opts->pool, path);
	if (p->interpreter && !p->file.readable)
		return failure_denied(opts, path, R_OK, why);
	if (p->interpreter)
		return 0;
	if (!(p->file.mode & 0111))
		return failure_set(why, 403, "not executable; chmod +x it");
	locate_look_inside(&p->file);
	return 0;
}

/* Is it one that may write a status line (RFC 3875, section 5)? */
static bool
is_nph(const struct conf_pool *pool, const char *path)
{
	return pool->cgi_nph == CONF_NPH_YES ||
		(pool->cgi_nph == CONF_NPH_NAME &&
			strncmp(strrchr(path, '/'), "/nph-", 5) == 0);
}

/* The file to be run, or to be passed to the handler. */
static int
find_file(const struct gateway_opts *opts, struct cgi_params *params,
	char *path, size_t size, struct program *ret, struct failure *why)
{
	/* Kept until its environment is built. */
	static char joined[2 * PATH_MAX];
	const char *text;
	int status = locate_open(opts, path, size, &ret->file, why);

	ret->path = strdup(path);
	if (status < 0)
		return -1;
	if (!ret->path)
		return failure_set(why, 503, "no memory");
	if (check_file(opts, path, ret, why) < 0)
		return -1;
	status = cgi_set_script(params, ret->path, opts->pool->cgi_split_path,
		joined, sizeof(joined), &text);
	return status ? failure_set(why, (unsigned)status, "%s", text) : 0;
}

int
program_find(const struct gateway_opts *opts, struct cgi_params *params,
	struct program *ret, struct failure *why)
{
	bool needed = opts->docroot || !opts->handler;
	char path[PATH_MAX];
	const char *text;
	int status = cgi_script_path(params, path, sizeof(path), &text);

	if (status || !needed) {
		ret->path = status ? name_for_log(params) : strdup(path);
		if (status && needed)
			return failure_set(why, (unsigned)status, "%s", text);
		if (!ret->path)
			ret->path = strdup(opts->handler[0]);
		if (!ret->path)
			return failure_set(why, 503, "no memory");
	} else if (find_file(opts, params, path, sizeof(path), ret, why) < 0) {
		return -1;
	}
	ret->nph = is_nph(opts->pool,
		opts->handler ? opts->handler[0] : ret->path);
	return 0;
}

int
program_run(const struct program *p, const struct gateway_opts *opts,
	const struct cgi_params *params, unsigned role, bool has_body,
	struct script *script, struct failure *why)
{
	const struct located *l = &p->file;
	struct script_spec *spec = script_get_spec();
	struct spawn_error error;

	_Static_assert(sizeof(spec->first) == sizeof(l->first), "one line");
	spec->path = p->path;
	spec->own_argv[0] = p->path;
	spec->own_argv[1] = NULL;
	spec->argv = spec->own_argv;
	spec->execfd = -1;
	spec->cwdfd = l->dirfd;
	spec->cwd = opts->handler_dir;
	spec->has_body = has_body;
	spec->script = l->script;
	memcpy(spec->first, l->first, sizeof(spec->first));
	cgi_build_env(params, opts->own_env, opts->base_env,
		opts->pool->cgi_allow_env, role, &spec->env);
	if (opts->handler) {
		spec->path = opts->handler[0];
		spec->argv = opts->handler;
	} else if (!p->interpreter && !l->script) {
		spec->execfd = l->fd;
	} else if (!locate_same(l, p->path)) {
		/* What reads it opens it by its name. */
		return failure_set(why, 403, "replaced while it was looked at");
	} else if (p->interpreter) {
		spec->path = p->interpreter;
		spec->own_argv[0] = (char *)(uintptr_t)p->interpreter;
		spec->own_argv[1] = p->path;
		spec->own_argv[2] = NULL;
	}
	if (script_start(script, opts, spec, &error) < 0)
		return failure_of_start(opts, spec, &error, why);
	return 0;
}
