/*
 * status.c - a snapshot as JSON; see status.h
 *
 * Called by master/control.  What there is to tell is pool/snapshot's table.
 */
#include <string.h>

#include "base/emit.h"
#include "master/status.h"
#include "pool/snapshot.h"

static void
emit_causes(struct emit *e, const uint64_t *counts)
{
	unsigned i;

	emit_begin(e, '{');
	for (i = 0; i < RETIRE_CAUSES; i++) {
		emit_name(e, retire_cause_name((enum retire_cause)i));
		emit_number(e, (int64_t)counts[i]);
	}
	emit_end(e, '}');
}

static void
emit_word(struct emit *e, const char *word)
{
	if (word && *word)
		emit_text(e, word, strlen(word));
	else
		emit_null(e);
}

static void
emit_field(struct emit *e, const struct snapshot_field *f, const void *base)
{
	const void *at = (const char *)base + f->offset;
	int64_t n;

	emit_name(e, f->name);
	switch (f->type) {
	case SNAPSHOT_NUMBER:
		n = *(const int64_t *)at;
		if (n == SNAPSHOT_UNKNOWN)
			emit_null(e);
		else
			emit_number(e, n);
		break;
	case SNAPSHOT_WORD:
		emit_word(e, *(const char *const *)at);
		break;
	case SNAPSHOT_TEXT:
		emit_word(e, at);
		break;
	case SNAPSHOT_CAUSES:
		emit_causes(e, at);
		break;
	}
}

void
status_emit(struct emit *e, const struct snapshot *s)
{
	const struct snapshot_field *fields;
	size_t n, i, k;

	emit_begin(e, '{');
	fields = snapshot_pool_fields(&n);
	for (i = 0; i < n; i++)
		emit_field(e, &fields[i], s);
	emit_name(e, "processes");
	emit_begin(e, '[');
	fields = snapshot_worker_fields(&n);
	for (k = 0; k < s->nworkers; k++) {
		emit_begin(e, '{');
		for (i = 0; i < n; i++)
			emit_field(e, &fields[i], &s->workers[k]);
		emit_end(e, '}');
	}
	emit_end(e, ']');
	emit_end(e, '}');
}
