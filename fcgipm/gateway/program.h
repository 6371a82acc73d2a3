/*
 * program.h - which program a request runs
 */
#ifndef FCGIPM_GATEWAY_PROGRAM_H
#define FCGIPM_GATEWAY_PROGRAM_H

#include "gateway/locate.h"

struct cgi_params;
struct failure;
struct request;

/* Found, and not yet started. */
struct program {
	struct located file;	/* what the request names; closed when
				 * nothing but the handler matters */
	const char *interpreter;	/* that reads it; NULL: none */
};

void program_init(struct program *p);

/*
 * program_find - the file a request names, by the pool's keys
 *
 * r		its path is set, for the log
 * ret		program_close() it in both cases
 * returns	0; -1 with why
 */
int program_find(struct request *r, struct cgi_params *params,
	struct program *ret, struct failure *why);

/* Starts it as r->script; 0, or -1 with why. */
int program_run(struct request *r, const struct cgi_params *params,
	const struct program *p, struct failure *why);

void program_close(struct program *p);

#endif
