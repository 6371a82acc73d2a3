/*
 * keepalive.h - logs that clients wait while idle keep-alive connections
 * occupy workers
 *
 * A worker that keeps a connection open for the next request serves no other
 * connection until it is closed.  If a web server keeps more connections open
 * than the pool has workers, its own requests wait for each other.
 */
#ifndef FCGIPM_POOL_KEEPALIVE_H
#define FCGIPM_POOL_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

struct members;

struct keepalive {
	struct members *members;	/* borrowed */
	bool rests;	/* no other module inspects the workers regularly:
			 * close their descriptors after an inspection */
	bool inspected;	/* the workers, since the queue was last empty */
	int64_t since_ms;	/* the queue was not empty in any sample since
				 * then; 0 = it is empty */
	int64_t next_ms;	/* when the workers are inspected again */
	unsigned busy;		/* workers without a free thread, at the last
				 * inspection */
	unsigned kept;		/* workers that are occupied by an idle
				 * keep-alive connection for a second; the
				 * status shows it; 0 also without a queue */
	uint64_t times;		/* how often kept rose from 0; for the status */
	uint64_t unlogged;	/* of these, not logged yet */
	int64_t log_ms;	/* when it may be logged again */
};

void keepalive_init(struct keepalive *k, struct members *members, bool rests);

/*
 * keepalive_note - the listen queue was sampled
 *
 * waiting	connections in it
 * now		of CLOCK_MONOTONIC, ms
 *
 * The workers are inspected when the queue was not empty in all samples of a
 * second, and then once a second.
 */
void keepalive_note(struct keepalive *k, unsigned waiting, int64_t now);

#endif
