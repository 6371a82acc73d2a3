/*
 * supervisor.h - what a running supervisor answers on its control socket
 */
#ifndef FCGIPM_CTL_SUPERVISOR_H
#define FCGIPM_CTL_SUPERVISOR_H

#include <jansson.h>
#include <stdint.h>

/* Which supervisor: what is not NULL decides, in this order; else the
 * installed configuration, else the default place. */
struct supervisor {
	const char *socket;	/* its control socket */
	const char *config;	/* its configuration file */
	int64_t timeout_ms;	/* until its whole answer is there */
};

/*
 * supervisor_ask - one question, one answer
 *
 * question	an object with a member "cmd"; taken
 * returns	the answer, an object, the caller's to json_decref(); NULL with
 *		an exit status, after a message on stderr
 */
json_t *supervisor_ask(const struct supervisor *a, json_t *question,
	int *ret_code);

#endif
