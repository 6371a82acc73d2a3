/*
 * records.c - parses the FastCGI records that a worker reads and writes; see
 * records.h
 *
 * Called by shim/follow for every byte that a worker reads and writes.  So the
 * usual case comes first: a record or a pair that lies in the bytes as a whole.
 */
#include <string.h>

#include "records.h"

/* FastCGI 1.0, section 8. */
enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5 };
enum { ROLE_RESPONDER = 1, KEEP_CONN = 1 };
enum { HEADER_LEN = 8 };

enum param { PARAM_OTHER, PARAM_METHOD, PARAM_URI, PARAM_SCRIPT };
enum stage { STAGE_LENGTHS, STAGE_NAME, STAGE_VALUE };

/* Progress of the first request; ODD: the client sent anything else. */
enum step { STEP_NONE, STEP_PARAMS, STEP_STDIN, STEP_WHOLE, STEP_ODD };

/* -- name-value pairs ---------------------------------------------------- */

static enum param
param_named(const char *name, size_t len)
{
	if (len == 11 && memcmp(name, "REQUEST_URI", 11) == 0)
		return PARAM_URI;
	if (len == 11 && memcmp(name, "SCRIPT_NAME", 11) == 0)
		return PARAM_SCRIPT;
	if (len == 14 && memcmp(name, "REQUEST_METHOD", 14) == 0)
		return PARAM_METHOD;
	return PARAM_OTHER;
}

/* The name of a parameter is complete. */
static void
param_begin(struct params *a, const char *name, size_t len)
{
	a->which = (uint8_t)param_named(name, len);
	if (a->which == PARAM_SCRIPT && a->has_uri)
		a->which = PARAM_OTHER;
	if (a->which == PARAM_URI)
		a->has_uri = true;
	if (a->which == PARAM_METHOD)
		a->method_len = 0;
	else if (a->which != PARAM_OTHER)
		a->uri_len = 0;
}

static void
param_value(struct params *a, const uint8_t *p, size_t n)
{
	char *to = a->which == PARAM_METHOD ? a->method : a->uri;
	uint16_t *len = a->which == PARAM_METHOD ? &a->method_len : &a->uri_len;
	size_t size = a->which == PARAM_METHOD ? sizeof(a->method) :
						 sizeof(a->uri);

	if (a->which == PARAM_OTHER)
		return;
	if (n > size - *len)
		n = size - *len;
	memcpy(to + *len, p, n);
	*len = (uint16_t)(*len + n);
}

static uint32_t
decode_length(const uint8_t *p)
{
	return p[0] & 0x80 ? (uint32_t)(p[0] & 0x7f) << 24 |
				     (uint32_t)p[1] << 16 |
				     (uint32_t)p[2] << 8 | p[3] :
			     p[0];
}

/* Adds one byte to the two lengths of a pair. */
static void
param_length(struct params *a, uint8_t byte)
{
	unsigned first, all;

	a->lengths[a->nlengths++] = byte;
	first = a->lengths[0] & 0x80 ? 4 : 1;
	if (a->nlengths <= first)
		return;
	all = first + (a->lengths[first] & 0x80 ? 4 : 1);
	if (a->nlengths < all)
		return;
	a->nlengths = 0;
	a->name_len = 0;
	a->name_left = decode_length(a->lengths);
	a->value_left = decode_length(a->lengths + first);
	a->which = PARAM_OTHER;
	a->stage = STAGE_NAME;
}

/* Takes a whole pair at p with lengths of one byte, as most are.  Returns its
 * length, or 0. */
static size_t
take_pair(struct params *a, const uint8_t *p, size_t n)
{
	size_t all;

	if (n < 2 || ((p[0] | p[1]) & 0x80))
		return 0;
	all = (size_t)2 + p[0] + p[1];
	if (n < all)
		return 0;
	param_begin(a, (const char *)p + 2, p[0]);
	param_value(a, p + 2 + p[0], p[1]);
	return all;
}

static void
feed_params(struct params *a, const uint8_t *p, size_t n)
{
	size_t part;

	while (n > 0) {
		if (a->stage == STAGE_LENGTHS && a->nlengths == 0 &&
			(part = take_pair(a, p, n)) > 0) {
			p += part;
			n -= part;
			continue;
		}
		if (a->stage == STAGE_LENGTHS) {
			param_length(a, *p++);
			n--;
		} else if (a->stage == STAGE_NAME) {
			part = n < a->name_left ? n : a->name_left;
			/* A name longer than those that are reported
			 * matches none: the type stays OTHER. */
			if (a->name_len + part <= sizeof(a->name))
				memcpy(a->name + a->name_len, p, part);
			a->name_len = (uint16_t)(a->name_len + part <=
						sizeof(a->name) ?
					a->name_len + part :
					sizeof(a->name) + 1);
			a->name_left -= (uint32_t)part;
			p += part;
			n -= part;
			if (a->name_left == 0)
				param_begin(a, a->name, a->name_len);
		} else {
			part = n < a->value_left ? n : a->value_left;
			param_value(a, p, part);
			a->value_left -= (uint32_t)part;
			p += part;
			n -= part;
		}
		if (a->stage == STAGE_NAME && a->name_left == 0)
			a->stage = STAGE_VALUE;
		if (a->stage == STAGE_VALUE && a->value_left == 0)
			a->stage = STAGE_LENGTHS;
	}
}

/* -- records ------------------------------------------------------------- */

/* After a header: has the client still sent one plain request only? */
static void
step_on(struct intake *in)
{
	const struct records *r = &in->records;
	bool last = r->len == 0;

	if (in->step == STEP_NONE && r->type == BEGIN_REQUEST) {
		in->step = STEP_PARAMS;
		in->id = r->id;
	} else if (in->step == STEP_PARAMS && r->type == PARAMS &&
		r->id == in->id) {
		in->step = last ? STEP_STDIN : STEP_PARAMS;
	} else if (in->step == STEP_STDIN && r->type == STDIN &&
		r->id == in->id) {
		in->step = last ? STEP_WHOLE : STEP_STDIN;
	} else {
		in->step = STEP_ODD;
	}
}

/* Takes a part of a record's content. */
static void
take_content(struct intake *in, const uint8_t *p, size_t n)
{
	const struct records *r = &in->records;
	size_t at = r->len - r->left;

	if (r->type == PARAMS)
		feed_params(&in->params, p, n);
	else if (r->type == BEGIN_REQUEST && at < sizeof(in->begin))
		memcpy(in->begin + at, p,
			n < sizeof(in->begin) - at ? n :
						     sizeof(in->begin) - at);
}

/* The content of a record is complete.  in: NULL for the written direction. */
static enum records_event
record_end(const struct records *r, struct intake *in)
{
	if (!in)
		return r->type == END_REQUEST ? RECORDS_END : RECORDS_NOTHING;
	if (r->type == BEGIN_REQUEST) {
		memset(&in->params, 0, offsetof(struct params, name));
		return RECORDS_BEGIN;
	}
	return r->type == PARAMS && r->len == 0 ? RECORDS_KNOWN :
						  RECORDS_NOTHING;
}

/* Takes bytes of a header; returns how many. */
static size_t
take_header(struct records *r, struct intake *in, const uint8_t *p, size_t n)
{
	const uint8_t *h = p;
	size_t part = HEADER_LEN;

	if (r->got > 0 || n < HEADER_LEN) {
		part = (size_t)HEADER_LEN - r->got;
		part = n < part ? n : part;
		memcpy(r->header + r->got, p, part);
		r->got = (uint8_t)(r->got + part);
		if (r->got < HEADER_LEN)
			return part;
		r->got = 0;
		h = r->header;
	}
	if (h[0] != 1) {
		r->lost = true;
		return part;
	}
	r->type = h[1];
	r->id = (uint16_t)(h[2] << 8 | h[3]);
	r->len = r->left = (uint32_t)h[4] << 8 | h[5];
	r->padding = h[6];
	if (in)
		step_on(in);
	return part;
}

static size_t
take_records(struct records *r, struct intake *in, const uint8_t *p, size_t n,
	enum records_event *ret_event)
{
	const uint8_t *start = p, *end = p + n;
	size_t part;

	*ret_event = RECORDS_NOTHING;
	while (p < end && !r->lost && *ret_event == RECORDS_NOTHING) {
		n = (size_t)(end - p);
		if (r->left > 0) {
			part = n < r->left ? n : r->left;
			if (in)
				take_content(in, p, part);
			r->left -= (uint32_t)part;
			if (r->left == 0)
				*ret_event = record_end(r, in);
		} else if (r->padding > 0) {
			part = n < r->padding ? n : r->padding;
			r->padding -= (uint32_t)part;
		} else {
			part = take_header(r, in, p, n);
			if (r->lost)
				*ret_event = RECORDS_LOST;
			else if (r->got == 0 && r->left == 0)
				*ret_event = record_end(r, in);
		}
		p += part;
	}
	return *ret_event == RECORDS_NOTHING ? (size_t)(end - start) :
					       (size_t)(p - start);
}

size_t
intake_take(struct intake *in, const uint8_t *p, size_t n,
	enum records_event *ret_event)
{
	return take_records(&in->records, in, p, n, ret_event);
}

size_t
outflow_take(struct records *out, const uint8_t *p, size_t n,
	enum records_event *ret_event)
{
	return take_records(out, NULL, p, n, ret_event);
}

bool
intake_keeps(const struct intake *in)
{
	return in->begin[2] & KEEP_CONN;
}

static bool
is_between(const struct records *r)
{
	return !r->lost && r->got == 0 && r->left == 0 && r->padding == 0;
}

bool
intake_is_over(const struct intake *in)
{
	return in->step == STEP_WHOLE && is_between(&in->records) &&
		in->begin[0] == 0 && in->begin[1] == ROLE_RESPONDER &&
		!intake_keeps(in);
}

bool
outflow_is_over(const struct records *out)
{
	return out->type == END_REQUEST && is_between(out);
}
