/*
 * keepalive.h - notices and logs that clients wait while workers are held by
 * idle connections, which a web server keeps open for its next request
 *
 * A worker that was asked to keep a connection serves no other one until it is
 * closed.  A web server that keeps more of them than the pool has workers makes
 * its own clients wait for each other.
 */
#ifndef FCGIPM_POOL_KEEPALIVE_H
#define FCGIPM_POOL_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

struct members;

struct keepalive {
	struct members *members;	/* borrowed */
	bool rests;	/* no other module asks the kernel about them
			 * and again: descriptors are closed */
	bool inspected;	/* they were, since the queue was empty */
	int64_t since_ms;	/* clients waited at every inspection of the
				 * queue since; 0 = none waits */
	int64_t next_ms;	/* when the workers are inspected again */
	unsigned kept;		/* for the status: workers that wait on such
				 * connections for a second; 0 = all is well */
	uint64_t times;		/* the same: how often that began */
	uint64_t unlogged;	/* of these, not yet in the log */
	int64_t log_ms;	/* when it is logged again */
};

void keepalive_init(struct keepalive *k, struct members *members, bool rests);

/*
 * keepalive_note - the queue was inspected
 *
 * waiting	connections in it
 * now		of CLOCK_MONOTONIC, ms
 *
 * The workers are inspected when a client has waited at all inspections of a
 * second, and again each second.
 */
void keepalive_note(struct keepalive *k, unsigned waiting, int64_t now);

#endif
