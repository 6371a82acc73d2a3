/*
 * row.h - struct table_row: name, type, default and scope of one key
 *
 * Used by the files of conf/ only.
 */
#ifndef FCGIPM_CONF_ROW_H
#define FCGIPM_CONF_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

enum table_type {
	TABLE_BOOL,		/* bool */
	TABLE_WORD,		/* unsigned: index in words */
	TABLE_UINT,		/* unsigned, min to max */
	TABLE_INT,		/* int, min to max */
	TABLE_OCTAL,		/* unsigned */
	TABLE_TIME,		/* int64_t, ms */
	TABLE_SIZE,		/* uint64_t, bytes */
	TABLE_LIMIT,		/* struct conf_limit */
	TABLE_SIGNAL,		/* unsigned */
	TABLE_PATH,		/* char *, made absolute */
	TABLE_PLACE,		/* char *, a path or one of words */
	TABLE_USER,		/* char * */
	TABLE_GROUP,		/* char * */
	TABLE_NAMES,		/* char * */
	TABLE_CIDRS,		/* char * */
	TABLE_ARGS,		/* struct conf_list */
	TABLE_LISTEN,		/* the pool's listen and nlisten */
	TABLE_ENV,		/* struct conf_map of texts */
	TABLE_PROGRAMS		/* struct conf_map: extension to path */
};

/* In pools of which mode a key is used. */
enum table_scope { TABLE_ANY, TABLE_PREFORK, TABLE_CGI };

struct table_row {
	struct conf_key key;
	enum table_type type;
	enum table_scope scope;
	size_t offset;		/* in struct conf_pool or struct conf */
	int64_t min, max;
	const char *const *words;	/* TABLE_WORD, _PLACE: NULL ended */
};

#endif
