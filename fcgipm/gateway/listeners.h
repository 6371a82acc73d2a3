/*
 * listeners.h - obtains the listening sockets of fcgipm-cgi
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
	struct listen_socket own[LISTENERS_MAX];	/* those of -l */
	size_t nown;
};

/*
 * listeners_open - take the sockets of the supervisor; else those of systemd
 * and of -l; else descriptor 0
 *
 * us		the later privileges: its user owns the sockets of -l
 * returns	0, or an exit code after a message; listeners_close() either way
 */
int listeners_open(const struct options *o, const struct privs *us,
	struct listeners *ret);

/* Describes the sockets for a message, such as "/run/a.sock, descriptor 3". */
const char *listeners_text(const struct listeners *l);

/* Removes the paths of -l. */
void listeners_close(struct listeners *l);

#endif
