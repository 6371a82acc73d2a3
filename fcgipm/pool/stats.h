/*
 * stats.h - counts since the start of a pool, for its status
 */
#ifndef FCGIPM_POOL_STATS_H
#define FCGIPM_POOL_STATS_H

#include <stdint.h>

#include "pool/retire.h"

struct board;

struct stats {
	int64_t since_ms;		/* the pool was opened */
	uint64_t ended[RETIRE_CAUSES];	/* workers, by cause */
	/* Of workers that are gone and their descendants, as they counted. */
	uint64_t accepted, requests;
	/* Of all; the maximum that a status ever showed. */
	uint64_t accepted_shown, requests_shown;
	unsigned most_active, most_waiting;	/* at any sample */
	uint64_t slow_requests;		/* beyond request_slowlog_timeout */
	unsigned max_reached;		/* times that pm.max_children was */
	char failure[160];		/* of the last bad start; "" = none */
};

/* A worker is gone. */
void stats_note_end(struct stats *s, enum retire_cause cause);
/* The same; its slot of the board, which another worker gets next, and those
 * of its descendants. */
void stats_note_slot(struct stats *s, struct board *b, unsigned slot);
/* What slots have counted and was not noted yet.  A child may write less than
 * before: figures that were shown never fall. */
void stats_note_counts(struct stats *s, uint64_t accepted, uint64_t requests);

/* Workers that are busy, and connections in the queue, at one sample. */
void stats_note_sample(struct stats *s, unsigned active, unsigned waiting);

/* A worker could not be started, or ended before it was ready. */
void stats_note_failure(struct stats *s, const char *story);

#endif
