/*
 * failure.h - why a request gets no answer from a program, in words
 *
 * The log says what is wrong and what to change; the client's page has the
 * number of that line.
 */
#ifndef FCGIPM_GATEWAY_FAILURE_H
#define FCGIPM_GATEWAY_FAILURE_H

#include <stdint.h>

struct gateway_opts;
struct script_spec;
struct spawn_error;

/* Why a request gets no program: its status, and a line for the log. */
struct failure {
	unsigned status; /* HTTP */
	uint32_t id;     /* stands in the log and on the page */
	char why[512];   /* what is wrong and what to change */
};

/* Fills it in; returns -1, for the caller to return. */
int failure_set(struct failure *r, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * failure_denied - 403, with the right that is missing and where
 *
 * path		of the script: its directories are checked, then itself
 * rights	to it that are needed, of R_OK and X_OK (access(2))
 */
int failure_denied(const struct gateway_opts *opts, const char *path,
	int rights, struct failure *why);

/* What a failed step of a program's start means (script_start()); -1 as
 * failure_set(). */
int failure_of_start(const struct gateway_opts *opts,
	const struct script_spec *spec, const struct spawn_error *e,
	struct failure *why);

/* A line in the log; path of the script, NULL = not known. */
void failure_log(const char *path, const struct failure *why);

#endif
