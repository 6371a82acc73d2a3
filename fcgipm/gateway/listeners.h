/*
 * listeners.h - where the gateway's listening sockets come from
 */
#ifndef FCGIPM_GATEWAY_LISTENERS_H
#define FCGIPM_GATEWAY_LISTENERS_H

#include <stddef.h>

#include "gateway/options.h"
#include "sys/listen.h"

struct privs;

struct listeners {
	int fds[LISTENERS_MAX];	/* all of them; the server takes them */
	size_t n;
	struct listen_socket own[LISTENERS_MAX];	/* paths we made */
	size_t nown;
};

/*
 * listeners_open - from the supervisor, else from systemd and -l, else fd 0
 *
 * us		who we shall be: sockets of our own belong to them
 * returns	0, or an exit code after a message; listeners_close() either way
 */
int listeners_open(const struct options *o, const struct privs *us,
	struct listeners *ret);

/* Removes the paths we made. */
void listeners_close(struct listeners *l);

#endif
