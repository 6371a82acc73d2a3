/*
 * stats.h - what a pool has come by since its start, for its status
 */
#ifndef FCGIPM_POOL_STATS_H
#define FCGIPM_POOL_STATS_H

#include <stdint.h>

#include "pool/retire.h"

struct board;

struct stats {
	int64_t since_ms;		/* the pool was opened */
	uint64_t ended[RETIRE_CAUSES];	/* workers, by cause */
	/* Of workers that are gone, as they and theirs have counted. */
	uint64_t accepted, requests;
	/* Of all; the most that was ever told. */
	uint64_t accepted_told, requests_told;
	unsigned most_active, most_waiting;	/* at any look */
	uint64_t slow_requests;		/* beyond request_slowlog_timeout */
	unsigned max_reached;		/* times that pm.max_children was */
	char failure[160];		/* of the last bad start; "" = none */
};

/* A worker is gone. */
void stats_note_end(struct stats *s, enum retire_cause cause);
/* The same; its slot of the board, which goes to another one now, and those
 * of what it forked. */
void stats_note_slot(struct stats *s, struct board *b, unsigned slot);
/* What slots have counted that was not noted yet.  A child may write less than
 * before: what was told stays told. */
void stats_note_counts(struct stats *s, uint64_t accepted, uint64_t requests);

/* So many workers do not wait, and so many connections do. */
void stats_note_look(struct stats *s, unsigned active, unsigned waiting);

/* A worker could not be started, or ended before it was ready. */
void stats_note_failure(struct stats *s, const char *story);

#endif
