/*
 * ask.h - a question to a supervisor's control socket
 */
#ifndef FCGIPM_CTL_ASK_H
#define FCGIPM_CTL_ASK_H

#include <jansson.h>

/* Which supervisor: what is not NULL decides, in this order; else the
 * installed configuration, else the default place. */
struct ask {
	const char *socket;	/* its control socket */
	const char *config;	/* its configuration file */
};

/*
 * ask - one question, one answer
 *
 * question	an object with a member "cmd"; taken
 * returns	the answer, an object, the caller's to json_decref(); NULL with
 *		an exit status, after stderr was told why
 */
json_t *ask(const struct ask *a, json_t *question, int *ret_code);

#endif
