/*
 * value.h - parses and validates one value according to its key's type
 */
#ifndef FCGIPM_CONF_VALUE_H
#define FCGIPM_CONF_VALUE_H

#include "conf/row.h"

/*
 * value_parse - parses text into the field at, by the row's type
 *
 * dir		the directory that relative paths start from
 * returns	NULL, or what to write instead, a static text; the field is
 *		unchanged then
 */
const char *value_parse(const struct table_row *row, void *at,
	const char *text, const char *dir);

/* Parses "a, b" and replaces *addrs; NULL, or what to write instead. */
const char *value_parse_listen(const char *text, struct addr **addrs,
	size_t *n);

/*
 * value_expand - replaces ${VAR}, ${VAR:-default}, %n (the pool), %% and %$
 *
 * returns	the text, the caller's to free(); NULL and *ret_why
 */
char *value_expand(const char *text, const char *pool, const char **ret_why);

#endif
