/*
 * params.h - encodes BEGIN_REQUEST and PARAMS records of a test request
 */
#ifndef FCGIPM_CTL_PARAMS_H
#define FCGIPM_CTL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Maximum size of these records. */
#define PARAMS_MAX (1 << 20)

struct params {
	const char *url;	/* "/path?query", or http://host/path?query */
	const char *const *extra;	/* NAME=VALUE each, nextra of them */
	size_t nextra;
	bool has_body;		/* POST, with CONTENT_LENGTH */
	uint64_t body_bytes;
	bool keep;		/* FCGI_KEEP_CONN */
};

/*
 * params_encode - BEGIN_REQUEST and PARAMS records for one request, id 1
 *
 * A parameter of extra replaces the default one of the same name.
 * returns	0, the records were added to out; -1 when they are longer than
 *		PARAMS_MAX
 */
int params_encode(const struct params *p, struct buf *out);

/* Adds one record to out; 0, or -1 with the errno of buf_add(). */
int params_add_record(struct buf *out, int type, int id, const void *p,
	size_t len);

#endif
