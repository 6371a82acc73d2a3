/*
 * params.h - a request as fcgipmctl sends it: the bytes before its body
 */
#ifndef FCGIPM_CTL_PARAMS_H
#define FCGIPM_CTL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Largest request head: begin, parameters and their end. */
#define PARAMS_MAX (1 << 20)

struct params {
	const char *url;	/* "/path?query", or http://host/path?query */
	const char *const *extra;	/* NAME=VALUE each, nextra of them */
	size_t nextra;
	bool has_body;		/* POST, and CONTENT_LENGTH is told */
	uint64_t body_bytes;
	bool keep;		/* FCGI_KEEP_CONN */
};

/*
 * params_encode - BEGIN_REQUEST and PARAMS records for one request, id 1
 *
 * A parameter of extra replaces ours of the same name.
 * returns	0, out holds the bytes; -1 when they are more than PARAMS_MAX
 */
int params_encode(const struct params *p, struct buf *out);

/* Adds one record to out; 0, or -1 with errno as buf_add(). */
int params_add_record(struct buf *out, int type, int id, const void *p,
	size_t len);

#endif
