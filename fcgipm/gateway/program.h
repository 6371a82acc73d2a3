/*
 * program.h - finds and starts the program of a request
 */
#ifndef FCGIPM_GATEWAY_PROGRAM_H
#define FCGIPM_GATEWAY_PROGRAM_H

#include "gateway/locate.h"

struct cgi_params;
struct failure;
struct gateway_opts;
struct script;

/* A program that was found and not yet started. */
struct program {
	struct located file;	/* the file the request names; not open when
				 * only the handler matters */
	char *path;		/* of that file, else the name in the request,
				 * for the log; may be NULL; the caller calls
				 * free() */
	const char *interpreter;	/* from cgi.interpreter; NULL: none */
	bool nph;		/* it may write a status line */
};

void program_init(struct program *p);

/*
 * program_find - find the program by the parameters and the pool's keys
 *
 * ret		after program_init(); in both cases its path is set, and the
 *		caller calls program_close()
 * returns	0; -1 with why
 */
int program_find(const struct gateway_opts *opts, struct cgi_params *params,
	struct program *ret, struct failure *why);

/*
 * program_run - start the program
 *
 * role		enum fcgi_role
 * script	script->path has been set to p->path
 * returns	0; -1 with why
 */
int program_run(const struct program *p, const struct gateway_opts *opts,
	const struct cgi_params *params, unsigned role, bool has_body,
	struct script *script, struct failure *why);

/* Closes the descriptors and keeps the path. */
void program_close(struct program *p);

#endif
