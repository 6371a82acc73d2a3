/*
 * records.h - FastCGI records that pass by, and what a request says of itself
 *
 * Pure: bytes in, events out.  Both directions of a connection are read as
 * they come, cut anywhere; nothing is kept but what is reported.
 * FastCGI 1.0, sections 3.3 to 6.
 */
#ifndef FCGIPM_SHIM_RECORDS_H
#define FCGIPM_SHIM_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgipm-board.h"

#pragma GCC visibility push(hidden)

/* One direction of a connection: where we are between records. */
struct records {
	uint8_t header[8];
	uint8_t got;		/* bytes of header */
	uint8_t type;
	bool lost;		/* these are no records: nothing is read */
	uint16_t id;
	uint32_t len, left;	/* content: all of it, and what is to come */
	uint32_t padding;	/* to come after it */
};

/* The name-value pairs of the request (section 3.4), which records may cut
 * anywhere. */
struct params {
	uint8_t stage, which;
	uint8_t nlengths;
	bool has_uri;		/* REQUEST_URI goes before SCRIPT_NAME */
	uint8_t lengths[8];
	uint32_t name_left, value_left;
	uint16_t name_len, method_len, uri_len;
	char name[16];
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
};

/* What a client sends.  All 0 is a connection on which nothing came. */
struct intake {
	struct records records;
	uint8_t step;		/* of the only request, see intake_is_over() */
	uint8_t begin[3];	/* of the last one: role, flags */
	uint16_t id;
	struct params params;	/* last: of no meaning before a request */
};

enum records_event {
	RECORDS_NOTHING,	/* all was taken */
	RECORDS_BEGIN,		/* a request begins */
	RECORDS_KNOWN,		/* all its parameters are here */
	RECORDS_END,		/* an answer ends */
	RECORDS_LOST		/* this is no FastCGI; said once */
};

/*
 * intake_take, outflow_take - n bytes that were read, or written
 *
 * They return how many were taken, up to the one with which *ret_event came to
 * be: call again with the rest until it is RECORDS_NOTHING.
 */
size_t intake_take(struct intake *in, const uint8_t *p, size_t n,
	enum records_event *ret_event);
size_t outflow_take(struct records *out, const uint8_t *p, size_t n,
	enum records_event *ret_event);

/* Does the last request leave the connection open (FCGI_KEEP_CONN)? */
bool intake_keeps(const struct intake *in);

/* One whole request of a responder, as web servers send it, and not a byte
 * more: the client has nothing left to say. */
bool intake_is_over(const struct intake *in);
/* END_REQUEST and not a byte more. */
bool outflow_is_over(const struct records *out);

#pragma GCC visibility pop

#endif
