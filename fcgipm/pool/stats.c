/*
 * stats.c - holds the counters of a pool; see stats.h
 *
 * Written by pool/adjust, pool/lifecycle, pool/open and pool/snapshot, which
 * also passes them to the status.
 */
#include <stdio.h>

#include "base/util.h"
#include "observe/board.h"
#include "pool/stats.h"

void
stats_note_end(struct stats *s, enum retire_cause cause)
{
	s->ended[cause]++;
}

void
stats_note_slot(struct stats *s, struct board *b, unsigned slot)
{
	uint64_t accepted, requests;

	board_take_counts(b, slot, &accepted, &requests);
	s->accepted = sum_capped(s->accepted, accepted);
	s->requests = sum_capped(s->requests, requests);
}

void
stats_note_counts(struct stats *s, uint64_t accepted, uint64_t requests)
{
	s->accepted_shown = MAX(s->accepted_shown,
		sum_capped(s->accepted, accepted));
	s->requests_shown = MAX(s->requests_shown,
		sum_capped(s->requests, requests));
}

void
stats_note_sample(struct stats *s, unsigned active, unsigned waiting)
{
	s->most_active = MAX(s->most_active, active);
	s->most_waiting = MAX(s->most_waiting, waiting);
}

void
stats_note_failure(struct stats *s, const char *story)
{
	snprintf(s->failure, sizeof(s->failure), "%s", story);
}
