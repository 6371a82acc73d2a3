/*
 * table.h - the rows behind conf.h's keys, for the files of conf/ only
 */
#ifndef FCGIPM_CONF_TABLE_H
#define FCGIPM_CONF_TABLE_H

#include "conf/row.h"

/* The rows, and how many; the last one is followed by no other. */
const struct table_row *table_pool_rows(size_t *ret_n);
const struct table_row *table_global_rows(size_t *ret_n);

/* Do keys of this row have a name in brackets, each with its value? */
bool table_is_map(const struct table_row *row);

/* The row of a key; env[TZ] is found as env[NAME].  -1: unknown. */
int table_find(const struct table_row *rows, size_t n, const char *key);

/* The nearest known key, NULL when none is near. */
const char *table_nearest(const struct table_row *rows, size_t n,
	const char *key);

/* What to write instead of a habit from elsewhere, NULL for no such. */
const char *table_hint(const char *key);

/* The pair that a key as written has in the map, NULL for none. */
struct conf_pair *table_find_pair(const struct table_row *row, void *base,
	const char *key);

/* Puts the row's default into the struct at base. */
void table_set_default(const struct table_row *row, void *base);

/*
 * table_set - a value as written into the struct at base
 *
 * key		as written; for a map it has to be new
 * dir		the folder relative paths start from
 * returns	NULL, or what to write instead, a static text
 */
const char *table_set(const struct table_row *row, void *base,
	const char *key, const char *value, const char *dir);

/* Frees what the row owns in the struct at base. */
void table_free_value(const struct table_row *row, void *base);

#endif
