/*
 * value.h - one value of the configuration, from text
 */
#ifndef FCGIPM_CONF_VALUE_H
#define FCGIPM_CONF_VALUE_H

#include "conf/row.h"

/*
 * value_parse - text into the field at, by the row's type
 *
 * dir		the folder relative paths start from
 * returns	NULL, or what to write instead, a static text; the field is
 *		untouched then
 */
const char *value_parse(const struct table_row *row, void *at,
	const char *text, const char *dir);

/* "a, b": all of them replace *addrs; NULL, or what to write instead. */
const char *value_parse_listen(const char *text, struct addr **addrs,
	size_t *n);

/*
 * value_expand - ${VAR}, ${VAR:-default}, %n (the pool), %% and %$
 *
 * returns	the text, the caller's to free(); NULL and *ret_why
 */
char *value_expand(const char *text, const char *pool, const char **ret_why);

#endif
