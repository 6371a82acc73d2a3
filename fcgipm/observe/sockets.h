/*
 * sockets.h - is a socket of a worker a connection of a client?
 *
 * By sock_diag(7): was it accepted from a listener of the pool, or is it
 * something of the program's own, such as its connection to a database?
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
	/* TCP sockets as they were listed last.  What is there holds for the
	 * life of a socket; what is not there may be new. */
	struct sockdiag_set *sets;	/* one a listener */
	int64_t others_not_before_us;	/* listing all is expensive */
};

enum sockets_origin {
	SOCKETS_UNKNOWN,	/* cannot be said */
	SOCKETS_CLIENT,		/* accepted from a listener */
	SOCKETS_FOREIGN		/* certainly not */
};

/* listeners and diag are the caller's, as long as o; what stands in listeners
 * may change. */
void sockets_init(struct sockets *o, struct sockdiag *diag,
	const struct sockdiag_listener *listeners, size_t n);
/* Fine for one that is zeroed. */
void sockets_fini(struct sockets *o);

/*
 * sockets_find_origin - was this socket accepted from one of the listeners?
 *
 * listed	are the lists of TCP sockets no older than it?  Set when they
 *		were made again, so false for the first of a look
 */
enum sockets_origin sockets_find_origin(struct sockets *o, enum watch_kind kind,
	uint32_t ino, bool *listed);

#endif
