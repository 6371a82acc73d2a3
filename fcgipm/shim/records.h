/*
 * records.h - parses the FastCGI records that a worker reads and writes
 *
 * Pure: takes bytes, returns events, does not change the bytes.  Both
 * directions of a connection are parsed as they come, in pieces of any length.
 * Only what is reported is kept.  FastCGI 1.0, sections 3.3 to 6.
 */
#ifndef FCGIPM_SHIM_RECORDS_H
#define FCGIPM_SHIM_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgipm-board.h"

#pragma GCC visibility push(hidden)

/* Parser of one direction of a connection. */
struct records {
	uint8_t header[8];
	uint8_t got;		/* bytes of header so far */
	uint8_t type;
	bool lost;		/* not FastCGI: parsing has stopped */
	uint16_t id;
	uint32_t len, left;	/* content: its length, and bytes to come */
	uint32_t padding;	/* bytes to come after the content */
};

/* Parser of a request's name-value pairs (section 3.4), which may continue from
 * record to record. */
struct params {
	uint8_t stage, which;
	uint8_t nlengths;
	bool has_uri;		/* REQUEST_URI has priority over SCRIPT_NAME */
	uint8_t lengths[8];
	uint32_t name_left, value_left;
	uint16_t name_len, method_len, uri_len;
	char name[16];
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
};

/* Parser of what a client sends.  All 0: nothing was received yet. */
struct intake {
	struct records records;
	uint8_t step;		/* of the only request, see intake_is_over() */
	uint8_t begin[3];	/* of the last request: role, flags */
	uint16_t id;
	struct params params;	/* last: not valid before a request */
};

enum records_event {
	RECORDS_NOTHING,	/* all bytes were taken */
	RECORDS_BEGIN,		/* a request begins */
	RECORDS_KNOWN,		/* its parameters are complete */
	RECORDS_END,		/* an answer ends */
	RECORDS_LOST		/* this is not FastCGI; reported once */
};

/*
 * intake_take, outflow_take - parse n bytes that were read, or written
 *
 * They return how many bytes were taken, up to the one that caused *ret_event.
 * Call again with the rest until *ret_event is RECORDS_NOTHING.
 */
size_t intake_take(struct intake *in, const uint8_t *p, size_t n,
	enum records_event *ret_event);
size_t outflow_take(struct records *out, const uint8_t *p, size_t n,
	enum records_event *ret_event);

/* Does the last request keep the connection open (FCGI_KEEP_CONN)? */
bool intake_keeps(const struct intake *in);

/* Was exactly one whole responder request read, as web servers send it?  Then
 * the client has nothing left to send. */
bool intake_is_over(const struct intake *in);
/* Did the written bytes end exactly with END_REQUEST? */
bool outflow_is_over(const struct records *out);

#pragma GCC visibility pop

#endif
