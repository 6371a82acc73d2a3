/*
 * supervisor.h - client of the control socket: sends a request, gets the answer
 */
#ifndef FCGIPM_CTL_SUPERVISOR_H
#define FCGIPM_CTL_SUPERVISOR_H

#include <jansson.h>
#include <stdint.h>

/* Which supervisor to ask.  The first member that is not NULL decides; without
 * any, the installed configuration, and then the default path. */
struct supervisor {
	const char *socket;	/* its control socket */
	const char *config;	/* its configuration file */
	int64_t timeout_ms;	/* until the complete answer has arrived */
};

/*
 * supervisor_ask - send one request, wait for its answer
 *
 * request	an object with a member "cmd"; taken
 * returns	the answer, an object for the caller to json_decref(); NULL and
 *		an exit status, after a message on stderr
 */
json_t *supervisor_ask(const struct supervisor *a, json_t *request,
	int *ret_code);

#endif
