/*
 * program.c - which program a request runs; see program.h
 *
 * Called by gateway/request.  Paths are proto/cgi's, opening is
 * gateway/locate's, running gateway/script's.
 */
#include <limits.h>
#include <string.h>

#include "base/vec.h"
#include "conf/conf.h"
#include "gateway/gateway.h"
#include "gateway/program.h"
#include "gateway/refuse.h"
#include "gateway/request.h"
#include "gateway/server.h"

void
program_init(struct program *p)
{
	*p = (struct program){.file = {.fd = -1, .dirfd = -1}};
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

int
program_find(struct request *r, struct cgi_params *params,
	struct program *ret, struct refusal *why)
{
	const struct gateway_opts *opts = r->srv->opts;
	char path[PATH_MAX];
	const char *text;
	int status = cgi_script_path(params, path, sizeof(path), &text);
	bool needed = opts->docroot || !opts->handler;

	r->path = status ? name_for_log(params) : strdup(path);
	if (status && needed)
		return refuse(why, (unsigned)status, "%s", text);
	if (status && !r->path)
		r->path = strdup(opts->handler[0]);
	if (!r->path)
		return refuse(why, 503, "no memory");
	return needed ? locate_open(opts, path, !opts->handler, &ret->file, why) : 0;
}

int
program_run(struct request *r, const struct cgi_params *params,
	const struct program *p, struct refusal *why)
{
	static struct vec env;	/* kept: its memory is used again */
	const struct gateway_opts *opts = r->srv->opts;
	const struct located *l = &p->file;
	char *argv[] = {r->path, NULL};
	struct script_spec spec = {
		.path = r->path,
		.argv = argv,
		.execfd = -1,
		.cwdfd = l->dirfd,
		.cwd = opts->handler_dir,
		.has_body = r->body_kind != CGI_BODY_NONE,
		.first = l->script ? l->first : NULL,
	};

	vec_clear(&env);
	cgi_build_env(params, opts->own_env, opts->base_env,
		opts->pool->cgi_allow_env, r->role, &env);
	spec.envp = vec_array(&env);
	if (!spec.envp)
		return refuse(why, 503, "no memory for its environment");
	if (opts->handler) {
		spec.path = opts->handler[0];
		spec.argv = opts->handler;
	} else if (!l->script) {
		spec.execfd = l->fd;
	} else if (!locate_same(l, r->path)) {
		return refuse(why, 403, "replaced while it was looked at");
	}
	return script_start(&r->script, opts, &spec, why);
}

