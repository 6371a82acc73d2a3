/*
 * stats.h - holds the counters of a pool since its start, for its status
 */
#ifndef FCGIPM_POOL_STATS_H
#define FCGIPM_POOL_STATS_H

#include <stdint.h>

#include "pool/retire.h"

struct board;

struct stats {
	int64_t since_ms;		/* the pool was opened */
	uint64_t ended[RETIRE_CAUSES];	/* workers, by cause */
	/* Of dead workers and their descendants, as they counted. */
	uint64_t accepted, requests;
	/* Of all; the maximum that a status ever showed. */
	uint64_t accepted_shown, requests_shown;
	unsigned most_active, most_waiting;	/* maximum of all samples */
	uint64_t slow_requests;		/* above request_slowlog_timeout */
	unsigned max_reached;		/* times pm.max_children was reached */
	char failure[160];		/* of the last bad start; "" = none */
};

/* A worker has died. */
void stats_note_end(struct stats *s, enum retire_cause cause);
/* Adds the counters of its slot, which another worker gets next, and of the
 * slots of its descendants. */
void stats_note_slot(struct stats *s, struct board *b, unsigned slot);
/* Adds what the slots in use count now to the totals that the status shows.  A
 * child may write less than before: totals that were shown never decrease. */
void stats_note_counts(struct stats *s, uint64_t accepted, uint64_t requests);

/* Busy workers, and connections in the listen queue, at one sample. */
void stats_note_sample(struct stats *s, unsigned active, unsigned waiting);

/* A worker could not be started, or exited before it was ready. */
void stats_note_failure(struct stats *s, const char *story);

#endif
