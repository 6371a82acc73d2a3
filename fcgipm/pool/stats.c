/*
 * stats.c - what a pool has come by; see stats.h
 *
 * Noted by pool/pool and pool/census, shown by pool/snapshot.
 */
#include <stdio.h>

#include "base/util.h"
#include "pool/board.h"
#include "pool/stats.h"

void
stats_note_end(struct stats *s, enum retire_cause cause)
{
	s->ended[cause]++;
}

void
stats_note_slot(struct stats *s, const struct board *b, unsigned slot)
{
	struct board_seen seen;

	(void)board_read(b, slot, &seen);
	s->accepted += seen.accepted;
	s->requests += seen.requests;
}

void
stats_note_look(struct stats *s, unsigned active, unsigned waiting)
{
	s->most_active = MAX(s->most_active, active);
	s->most_waiting = MAX(s->most_waiting, waiting);
}

void
stats_note_failure(struct stats *s, const char *story)
{
	snprintf(s->failure, sizeof(s->failure), "%s", story);
}
