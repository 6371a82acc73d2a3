/*
 * table.h - finds, sets and frees keys by their rows in the table
 *
 * Used by the files of conf/ only; conf.h has what others need.
 */
#ifndef FCGIPM_CONF_TABLE_H
#define FCGIPM_CONF_TABLE_H

#include "conf/row.h"

/* The rows, and how many there are. */
const struct table_row *table_pool_rows(size_t *ret_n);
const struct table_row *table_global_rows(size_t *ret_n);

/* Do the keys of this row have a name in brackets, such as env[NAME]? */
bool table_is_map(const struct table_row *row);

/* The row of a key; env[TZ] is found as env[NAME].  -1: unknown. */
int table_find(const struct table_row *rows, size_t n, const char *key);

/* The known key most similar to this one; NULL when none is similar. */
const char *table_nearest(const struct table_row *rows, size_t n,
	const char *key);

/* The pair of the map that belongs to a key as written; NULL for none. */
struct conf_pair *table_find_pair(const struct table_row *row, void *base,
	const char *key);

/* Sets the row's default in the struct at base. */
void table_set_default(const struct table_row *row, void *base);

/*
 * table_set - sets a value as written in the struct at base
 *
 * key		as written; for a map it has to be new
 * dir		the directory that relative paths start from
 * returns	NULL, or what to write instead, a static text
 */
const char *table_set(const struct table_row *row, void *base,
	const char *key, const char *value, const char *dir);

/* Frees what the row owns in the struct at base. */
void table_free_value(const struct table_row *row, void *base);

#endif
