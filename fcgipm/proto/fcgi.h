/*
 * fcgi.h - the records of FastCGI 1.0, to bytes and back
 *
 * Pure: no descriptors, no clock, no log, no globals.  Section numbers are
 * those of the FastCGI Specification 1.0 (29 April 1996).
 */
#ifndef FCGIPM_PROTO_FCGI_H
#define FCGIPM_PROTO_FCGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FCGI_VERSION_1 = 1,
	FCGI_LISTENSOCK_FILENO = 0,	/* section 2.2 */
	FCGI_HEADER_LEN = 8,		/* section 3.3 */
	FCGI_BODY_LEN = 8,		/* of begin, end and unknown type */
	FCGI_MAX_CONTENT = 65535,
	FCGI_NULL_REQUEST_ID = 0	/* management records */
};

enum fcgi_type {
	FCGI_BEGIN_REQUEST = 1,
	FCGI_ABORT_REQUEST = 2,
	FCGI_END_REQUEST = 3,
	FCGI_PARAMS = 4,
	FCGI_STDIN = 5,
	FCGI_STDOUT = 6,
	FCGI_STDERR = 7,
	FCGI_DATA = 8,
	FCGI_GET_VALUES = 9,
	FCGI_GET_VALUES_RESULT = 10,
	FCGI_UNKNOWN_TYPE = 11
};

enum fcgi_role { FCGI_RESPONDER = 1, FCGI_AUTHORIZER = 2, FCGI_FILTER = 3 };

enum fcgi_flags { FCGI_KEEP_CONN = 1 };

enum fcgi_protocol_status {
	FCGI_REQUEST_COMPLETE = 0,
	FCGI_CANT_MPX_CONN = 1,
	FCGI_OVERLOADED = 2,
	FCGI_UNKNOWN_ROLE = 3
};

struct fcgi_header {
	uint8_t type;		/* enum fcgi_type, or anything at all */
	uint16_t id;		/* request, 0 = management */
	uint16_t content_len;
	uint8_t padding_len;
};

struct fcgi_begin {
	uint16_t role;		/* enum fcgi_role, or anything at all */
	uint8_t flags;		/* enum fcgi_flags */
};

struct fcgi_end {
	uint32_t app_status;	/* for a CGI program its exit status */
	uint8_t protocol_status;	/* enum fcgi_protocol_status */
};

/* One name-value pair; both run inside the bytes that were decoded. */
struct fcgi_pair {
	const uint8_t *name, *value;
	size_t name_len, value_len;
};

/*
 * fcgi_parse_header - decode one record header
 *
 * p, len	bytes received so far; fewer than 8 is not an error
 * returns	8 when decoded, 0 when more bytes are needed,
 *		-EPROTO when the version byte is not 1
 * ret_h	written only with 8; borrows nothing from p
 * FastCGI 1.0, section 3.3
 */
int fcgi_parse_header(const uint8_t *p, size_t len, struct fcgi_header *ret_h);

/* Writes the 8 bytes of a header at p. */
void fcgi_put_header(uint8_t *p, enum fcgi_type type, uint16_t id,
	size_t content_len, size_t padding_len);

/* Padding that brings content_len to a multiple of 8 (section 3.3). */
static inline size_t
fcgi_padding(size_t content_len)
{
	return -content_len & 7;
}

/* The 8 bytes of a body; sections 5.1, 5.5 and 4.2. */
void fcgi_parse_begin(const uint8_t p[FCGI_BODY_LEN],
	struct fcgi_begin *ret_b);
void fcgi_put_begin(uint8_t p[FCGI_BODY_LEN], const struct fcgi_begin *b);
void fcgi_parse_end(const uint8_t p[FCGI_BODY_LEN], struct fcgi_end *ret_e);
void fcgi_put_end(uint8_t p[FCGI_BODY_LEN], const struct fcgi_end *e);
void fcgi_put_unknown_type(uint8_t p[FCGI_BODY_LEN], unsigned type);

/*
 * fcgi_parse_pair - decode the name-value pair at p
 *
 * p, len	a part of a stream of pairs
 * max		largest name_len + value_len accepted (below 1 GiB); 2^31 - 1
 *		is refused by its first bytes, not waited for
 * returns	bytes used (at least 2), 0 when more are needed, -EMSGSIZE
 *		when the pair is longer than max
 * ret_pair	written only when decoded; borrows from p
 * FastCGI 1.0, section 3.4
 */
int fcgi_parse_pair(const uint8_t *p, size_t len, size_t max,
	struct fcgi_pair *ret_pair);

/* Bytes of the encoded pair; 0 when a length is above 2^31 - 1. */
size_t fcgi_pair_size(size_t name_len, size_t value_len);

/* Encodes at p, where fcgi_pair_size() bytes are free; returns the end. */
uint8_t *fcgi_put_pair(uint8_t *p, const void *name, size_t name_len,
	const void *value, size_t value_len);

/* What FCGI_GET_VALUES asks about us (section 4.1). */
struct fcgi_values {
	unsigned max_conns;
	unsigned max_reqs;
	bool mpxs_conns;
};

/* Largest answer of fcgi_answer_values(), its header included. */
enum { FCGI_VALUES_MAX = FCGI_HEADER_LEN + 96 };

/*
 * fcgi_answer_values - the FCGI_GET_VALUES_RESULT record to a query
 *
 * query, len	content of the FCGI_GET_VALUES record; names we do not know
 *		are left out, each known one is answered once, a broken pair
 *		ends the query
 * returns	bytes of the record written at p (at most FCGI_VALUES_MAX)
 */
size_t fcgi_answer_values(uint8_t p[FCGI_VALUES_MAX], const uint8_t *query,
	size_t len, const struct fcgi_values *values);

/*
 * struct fcgi_reader - a stream of records, however it is cut
 *
 * Feed it what was received and ask for events until it wants more:
 *
 *	while ((ev = fcgi_reader_next(&r, &p, &len, &chunk)) > 0)
 *		switch (ev) { ... }
 *
 * It buffers nothing but the header; content is told in chunks that lie in
 * the bytes received.  Padding is dropped.
 */
enum fcgi_event {
	FCGI_EVENT_MORE,	/* everything is used, feed more */
	FCGI_EVENT_HEADER,	/* r->header is new */
	FCGI_EVENT_CONTENT,	/* a chunk of the content, never empty */
	FCGI_EVENT_END		/* the record, padding too, is complete */
};

struct fcgi_chunk {
	const uint8_t *p;
	size_t len;
};

struct fcgi_reader {
	struct fcgi_header header;	/* of the current record */
	uint8_t raw[FCGI_HEADER_LEN];	/* a header that comes in pieces */
	uint8_t have;			/* bytes of raw, 8 = inside a record */
	uint8_t padding_left;
	uint16_t content_left;	/* of the current record */
};

void fcgi_reader_init(struct fcgi_reader *r);

/* True between two records: the stream may end here. */
bool fcgi_reader_at_rest(const struct fcgi_reader *r);

/* Bytes until the next header is complete: what is left of this record, and
 * the header. */
size_t fcgi_reader_to_header(const struct fcgi_reader *r);

/* n bytes of content, at most r->content_left, went another way. */
void fcgi_reader_skip(struct fcgi_reader *r, size_t n);

/*
 * fcgi_reader_next - the next event of the bytes at *p
 *
 * p, len	moved behind what was used
 * returns	enum fcgi_event; -EPROTO on a version byte other than 1,
 *		after which the stream is lost
 * ret_chunk	written with FCGI_EVENT_CONTENT; borrows from *p
 */
int fcgi_reader_next(struct fcgi_reader *r, const uint8_t **p, size_t *len,
	struct fcgi_chunk *ret_chunk);

#endif
