/*
 * program.h - which program a request runs
 */
#ifndef FCGIPM_GATEWAY_PROGRAM_H
#define FCGIPM_GATEWAY_PROGRAM_H

#include "gateway/locate.h"

struct cgi_params;
struct failure;
struct gateway_opts;
struct script;

/* Found, and not yet started. */
struct program {
	struct located file;	/* what the request names; closed when
				 * nothing but the handler matters */
	char *path;		/* of that file, else what the request calls
				 * it, for the log; may be NULL; the caller's
				 * to free() */
	const char *interpreter;	/* that reads it; NULL: none */
	bool nph;		/* it may write a status line */
};

void program_init(struct program *p);

/*
 * program_find - the file a request names, by the pool's keys
 *
 * ret		program_init() was called; program_close() it in both
 *		cases, and its path is set
 * returns	0; -1 with why
 */
int program_find(const struct gateway_opts *opts, struct cgi_params *params,
	struct program *ret, struct failure *why);

/*
 * program_run - starts it
 *
 * role		enum fcgi_role
 * script	gets p->path beforehand
 * returns	0; -1 with why
 */
int program_run(const struct program *p, const struct gateway_opts *opts,
	const struct cgi_params *params, unsigned role, bool has_body,
	struct script *script, struct failure *why);

/* Closes its descriptors; the path stays. */
void program_close(struct program *p);

#endif
