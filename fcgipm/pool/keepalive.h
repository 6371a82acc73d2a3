/*
 * keepalive.h - clients wait, and workers wait too: on connections that a web
 * server keeps open for its next request
 *
 * A worker that was asked to keep a connection serves nobody else until it is
 * closed.  A web server that keeps more of them than the pool has workers lets
 * its own clients wait for each other.
 */
#ifndef FCGIPM_POOL_KEEPALIVE_H
#define FCGIPM_POOL_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

struct pool;

struct keepalive {
	int64_t since_ms;	/* clients waited at every look since; 0 =
				 * nobody waits */
	int64_t look_ms;	/* when the workers are looked at next */
	bool looked;		/* at them, since the queue was empty */
	unsigned kept;		/* for the status: workers that wait on such
				 * connections for a second; 0 = all is well */
	uint64_t times;		/* the same: how often that began */
	uint64_t untold;	/* of these, not yet in the log */
	int64_t tell_ms;	/* when it is told again */
};

/*
 * keepalive_note - the queue was looked at
 *
 * The workers are looked at when somebody has waited at all looks of a second,
 * and again each second.
 */
void keepalive_note(struct pool *p, unsigned waiting, int64_t now);

#endif
