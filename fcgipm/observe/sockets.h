/*
 * sockets.h - distinguishes client connections of a pool from a worker's other
 * sockets
 *
 * Uses sock_diag(7) to find whether a socket was accepted from one of the
 * pool's listening sockets.  If it was not, it is the program's own, such as
 * its connection to a database.
 */
#ifndef FCGIPM_OBSERVE_SOCKETS_H
#define FCGIPM_OBSERVE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/sockdiag.h"
#include "sys/watch.h"

struct sockets {
	struct sockdiag *diag;		/* borrowed */
	const struct sockdiag_listener *listeners;	/* borrowed */
	size_t n;
	/* TCP sockets of the last listing, one set for each listening socket.
	 * An entry is valid as long as its socket exists; a socket that is not
	 * listed may be new. */
	struct sockdiag_set *sets;
	int64_t others_not_before_us;	/* listing all sockets is expensive */
};

enum sockets_origin {
	SOCKETS_UNKNOWN,	/* could not be found out */
	SOCKETS_CLIENT,		/* accepted from a listening socket */
	SOCKETS_FOREIGN		/* certainly not */
};

/* listeners and diag remain the caller's and must outlive o; the contents of
 * listeners may change. */
void sockets_init(struct sockets *o, struct sockdiag *diag,
	const struct sockdiag_listener *listeners, size_t n);
/* Also accepts a zeroed object. */
void sockets_fini(struct sockets *o);

/*
 * sockets_find_origin - was this socket accepted from a listening socket?
 *
 * listed	true if TCP sockets have been listed since the socket was seen.
 *		Pass false for the first socket of a sample; set to true when
 *		they are listed
 */
enum sockets_origin sockets_find_origin(struct sockets *o, enum watch_kind kind,
	uint32_t ino, bool *listed);

#endif
