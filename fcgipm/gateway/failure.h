/*
 * failure.h - composes the log line of a failed request
 *
 * The line says why no program answered the request and what to change.  It
 * ends with a request ID, which the client's error page shows as well.
 */
#ifndef FCGIPM_GATEWAY_FAILURE_H
#define FCGIPM_GATEWAY_FAILURE_H

#include <stdint.h>

struct gateway_opts;
struct script_spec;
struct spawn_error;

/* Why a request failed. */
struct failure {
	unsigned status; /* HTTP */
	uint32_t id;     /* of the request, in the log and on the page */
	char why[512];   /* the reason and what to change, for the log */
};

/* Fills in *r with a new ID; always returns -1, for the caller to return. */
int failure_set(struct failure *r, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with a complete text, such as one of proto/cgi. */
int failure_text(struct failure *r, unsigned status, const char *text);

/*
 * failure_denied - 403 that names the missing right and the file
 *
 * path		of the script: first its directories are checked, then the file
 * rights	that the file needs: R_OK, X_OK or both (access(2))
 * returns	-1
 */
int failure_denied(const struct gateway_opts *opts, const char *path,
	int rights, struct failure *why);

/* Explains the error of script_start() or script_start_error(); returns -1. */
int failure_of_start(const struct gateway_opts *opts,
	const struct script_spec *spec, const struct spawn_error *e,
	struct failure *why);

/* Writes the log line; path of the script, NULL = not known. */
void failure_log(const char *path, const struct failure *why);

#endif
