/*
 * keys.h - finds where a pool's key was written, and whether it applies to the
 * pool
 *
 * Used by the files of conf/ only.
 */
#ifndef FCGIPM_CONF_KEYS_H
#define FCGIPM_CONF_KEYS_H

#include <stdbool.h>

#include "conf/problem.h"

struct conf_pool;
struct table_row;

/* The line of a key of the pool; that of its section if it was not written. */
struct problem_place keys_place(const struct conf_pool *p, const char *key);

/* Was the key written?  Its value may have been refused. */
bool keys_is_set(const struct conf_pool *p, const char *key);

/* Does the key of a row have an effect in this pool, with the other keys as
 * they are? */
bool keys_apply(const struct conf_pool *p, const struct table_row *row);

#define KEYS_ERROR(ps, p, key, ...)                                            \
	do {                                                                   \
		struct problem_place at_ = keys_place(p, key);                 \
									       \
		problem_error(ps, &at_, __VA_ARGS__);                          \
	} while (0)
#define KEYS_WARNING(ps, p, key, ...)                                          \
	do {                                                                   \
		struct problem_place at_ = keys_place(p, key);                 \
									       \
		problem_warning(ps, &at_, __VA_ARGS__);                        \
	} while (0)

#endif
