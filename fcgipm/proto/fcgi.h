/*
 * fcgi.h - parses and builds FastCGI 1.0 records
 *
 * Pure: no descriptors, clock, log or global variables.  Section numbers are
 * those of the FastCGI Specification 1.0 (29 April 1996).  The preloaded
 * library has a parser of its own (shim/records), because it includes nothing
 * else of fcgipm.
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
	uint8_t type;		/* enum fcgi_type, or any other value */
	uint16_t id;		/* request, 0 = management */
	uint16_t content_len;
	uint8_t padding_len;
};

struct fcgi_begin {
	uint16_t role;		/* enum fcgi_role, or any other value */
	uint8_t flags;		/* enum fcgi_flags */
};

struct fcgi_end {
	uint32_t app_status;	/* for a CGI program its exit status */
	uint8_t protocol_status;	/* enum fcgi_protocol_status */
};

/* One name-value pair; both pointers lie in the bytes that were decoded. */
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

/* Parse and build the 8 bytes of a body; sections 5.1, 5.5 and 4.2. */
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
 * max		maximum of name_len + value_len (below 1 GiB); a longer pair
 *		is refused as soon as its lengths are known
 * returns	bytes used (at least 2), 0 when more are needed, -EMSGSIZE
 *		when the pair is longer than max
 * ret_pair	written only when decoded; borrows from p
 * FastCGI 1.0, section 3.4
 */
int fcgi_parse_pair(const uint8_t *p, size_t len, size_t max,
	struct fcgi_pair *ret_pair);

/* Length of the encoded pair; 0 when a length is above 2^31 - 1. */
size_t fcgi_pair_size(size_t name_len, size_t value_len);

/* Encodes a pair at p, which has room for fcgi_pair_size() bytes; returns the
 * end. */
uint8_t *fcgi_put_pair(uint8_t *p, const void *name, size_t name_len,
	const void *value, size_t value_len);

/* The values of the variables of FCGI_GET_VALUES (section 4.1). */
struct fcgi_values {
	unsigned max_conns;
	unsigned max_reqs;
	bool mpxs_conns;
};

/* Maximum length of fcgi_answer_values(), including the header. */
enum { FCGI_VALUES_MAX = FCGI_HEADER_LEN + 96 };

/*
 * fcgi_answer_values - build the FCGI_GET_VALUES_RESULT record for a query
 *
 * query, len	content of the FCGI_GET_VALUES record.  Each known name is
 *		answered once, unknown names are left out, an invalid pair
 *		ends the query.
 * returns	bytes of the record written at p (at most FCGI_VALUES_MAX)
 */
size_t fcgi_answer_values(uint8_t p[FCGI_VALUES_MAX], const uint8_t *query,
	size_t len, const struct fcgi_values *values);

/*
 * struct fcgi_reader - parses a stream of records, received in any pieces
 *
 * Pass it the received bytes and request events until it needs more:
 *
 *	while ((ev = fcgi_reader_next(&r, &p, &len, &chunk)) > 0)
 *		switch (ev) { ... }
 *
 * It buffers the header only.  Content is returned in chunks that lie in the
 * received bytes.  Padding is dropped.
 */
enum fcgi_event {
	FCGI_EVENT_MORE,	/* all bytes are used, more are needed */
	FCGI_EVENT_HEADER,	/* r->header is complete */
	FCGI_EVENT_CONTENT,	/* a chunk of the content, never empty */
	FCGI_EVENT_END		/* the record is complete, with padding */
};

struct fcgi_chunk {
	const uint8_t *p;
	size_t len;
};

struct fcgi_reader {
	struct fcgi_header header;	/* of the current record */
	uint8_t raw[FCGI_HEADER_LEN];	/* header received so far */
	uint8_t have;			/* bytes of raw, 8 = inside a record */
	uint8_t padding_left;
	uint16_t content_left;	/* of the current record */
};

void fcgi_reader_init(struct fcgi_reader *r);

/* True between two records, where the stream may end. */
bool fcgi_reader_at_rest(const struct fcgi_reader *r);

/* Bytes up to the end of the next header: the rest of this record, and the
 * header. */
size_t fcgi_reader_to_header(const struct fcgi_reader *r);

/* Skips n bytes of content, at most r->content_left, which the caller does not
 * pass to fcgi_reader_next(). */
void fcgi_reader_skip(struct fcgi_reader *r, size_t n);

/*
 * fcgi_reader_next - parse the bytes at *p up to the next event
 *
 * p, len	advanced past the bytes used
 * returns	enum fcgi_event; -EPROTO on a version byte other than 1, after
 *		which the stream cannot be parsed any more
 * ret_chunk	written with FCGI_EVENT_CONTENT; borrows from *p
 */
int fcgi_reader_next(struct fcgi_reader *r, const uint8_t **p, size_t *len,
	struct fcgi_chunk *ret_chunk);

#endif
