/*
 * status.c - builds the JSON answer of "status"; see status.h
 *
 * Called by master/commands.  The names and the order of the fields come from
 * the tables of pool/snapshot.  fcgipmctl prints them (ctl/status).
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/emit.h"
#include "base/util.h"
#include "conf/conf.h"
#include "master/status.h"
#include "pool/pool.h"
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

static void
emit_pool(struct emit *e, const struct snapshot *s)
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

static bool
is_selected(const struct pool *p, const char *name)
{
	return !name || strcmp(p->conf->name, name) == 0;
}

static bool
has_pool(const struct status_view *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->npools; i++)
		if (is_selected(&v->pools[i], name))
			return true;
	return false;
}

bool
status_answer(const struct status_view *v, const char *pool, struct emit *e)
{
	int64_t begin_us = now_us();
	struct snapshot s;
	size_t i;

	if (!has_pool(v, pool))
		return false;
	emit_begin(e, '{');
	emit_member(e, "version", FCGIPM_VERSION);
	emit_name(e, "pid");
	emit_number(e, getpid());
	emit_name(e, "start since");
	emit_number(e, (now_ms() - v->start_ms) / 1000);
	emit_name(e, "pools");
	emit_begin(e, '[');
	for (i = 0; i < v->npools; i++) {
		if (!is_selected(&v->pools[i], pool))
			continue;
		snapshot_take(&v->pools[i], &s);
		emit_pool(e, &s);
		snapshot_fini(&s);
	}
	emit_end(e, ']');
	emit_name(e, "took us");
	emit_number(e, now_us() - begin_us);
	emit_end(e, '}');
	return true;
}
