/*
 * program.c - finds and starts the program of a request; see program.h
 *
 * Called by gateway/request_run.  proto/cgi_path derives the path from the
 * parameters, gateway/locate opens the file, gateway/script starts the process.
 * This file decides whether and how the file may be executed.
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

/* How a request without a valid path names its script; NULL for no name. */
static char *
name_for_log(const struct cgi_params *params)
{
	const struct fcgi_pair *pair =
		cgi_params_find(params, "SCRIPT_FILENAME");

	if (!pair || pair->value_len == 0)
		pair = cgi_params_find(params, "SCRIPT_NAME");
	if (!pair || pair->value_len == 0)
		return NULL;
	return strndup((const char *)pair->value, pair->value_len);
}

/* Is extension in a list such as ".cgi, pl"? */
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

/* The part of the file name after its last dot; "" without a dot. */
static const char *
extension_of(const char *path)
{
	const char *dot = strrchr(strrchr(path, '/'), '.');

	return dot ? dot + 1 : "";
}

/* The interpreter for files of this name; NULL: they are executed directly. */
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

/* May the file be executed?  Sets p->interpreter. */
static int
check_file(const struct gateway_opts *opts, const char *path, struct program *p,
	struct failure *why)
{
	const char *allowed = opts->pool->cgi_extensions;

	if (opts->programs && !is_allowed(opts->programs, path))
		/* Action: To allow it, start fcgipm-cgi with -p PATH. */
		return failure_set(why, 403,
			"not one of the programs that -p allows");
	if (allowed && !list_holds(allowed, extension_of(path)))
		/* Action: To allow it, add the extension to the key. */
		return failure_set(why, 403,
			"its extension is not in cgi.extensions (%s)",
			allowed);
	if (opts->handler)
		return 0;
	if (S_ISDIR(p->file.mode))
		return failure_set(why, 403,
			"a directory, not a program; set cgi.index to run a "
			"program in it");
	if (!S_ISREG(p->file.mode))
		/* Action: A FIFO, socket or device is not executed. Replace it
		 * by a program. */
		return failure_set(why, 403, "not a regular file");
	p->interpreter = interpreter_of(opts->pool, path);
	if (p->interpreter && !p->file.readable)
		return failure_denied(opts, path, R_OK, why);
	if (p->interpreter)
		return 0;
	if (!(p->file.mode & 0111))
		return failure_set(why, 403, "not executable; chmod +x %s",
			path);
	locate_look_inside(&p->file);
	return 0;
}

/* Is it an NPH program, which may write a status line (RFC 3875, section 5)? */
static bool
is_nph(const struct conf_pool *pool, const char *path)
{
	return pool->cgi_nph == CONF_NPH_YES ||
		(pool->cgi_nph == CONF_NPH_NAME &&
			strncmp(strrchr(path, '/'), "/nph-", 5) == 0);
}

/* Finds the file to be executed, or to be passed to the handler. */
static int
find_file(const struct gateway_opts *opts, struct cgi_params *params,
	char *path, size_t size, struct program *ret, struct failure *why)
{
	/* params refers to it until the environment is built. */
	static char joined[2 * PATH_MAX];
	const char *text;
	int status = locate_open(opts, path, size, &ret->file, why);

	ret->path = strdup(path);
	if (status < 0)
		return -1;
	if (!ret->path)
		/* Action: Free memory, or raise the memory limit of the
		 * service (MemoryMax=). */
		return failure_set(why, 503, "out of memory for its path");
	if (check_file(opts, path, ret, why) < 0)
		return -1;
	status = cgi_set_script(params, ret->path, opts->pool->cgi_split_path,
		joined, sizeof(joined), &text);
	return status ? failure_text(why, (unsigned)status, text) : 0;
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
			return failure_text(why, (unsigned)status, text);
		if (!ret->path)
			ret->path = strdup(opts->handler[0]);
		if (!ret->path)
			return failure_set(why, 503, "out of memory for its path");
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
		/* The interpreter opens the script by its path. */
		/* Action: No action is needed if the file was being updated.
		 * Otherwise another user can write to its directory: correct
		 * that. */
		return failure_set(why, 403,
			"replaced by another file during the request");
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
