/*
 * fcgi.c - parses and builds FastCGI 1.0 records; see fcgi.h
 *
 * Pure.  Used by gateway/ and overload/reject (application's side) and by ctl/
 * (web server's side).  So each record body can be parsed and built.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "proto/fcgi.h"

static uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static void
put_u16(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

static void
put_u32(uint8_t *p, uint32_t n)
{
	put_u16(p, n >> 16);
	put_u16(p + 2, n & 0xffff);
}

int
fcgi_parse_header(const uint8_t *p, size_t len, struct fcgi_header *ret_h)
{
	if (len > 0 && p[0] != FCGI_VERSION_1)
		return -EPROTO;
	if (len < FCGI_HEADER_LEN)
		return 0;
	ret_h->type = p[1];
	ret_h->id = get_u16(p + 2);
	ret_h->content_len = get_u16(p + 4);
	ret_h->padding_len = p[6];
	return FCGI_HEADER_LEN;
}

void
fcgi_put_header(uint8_t *p, enum fcgi_type type, uint16_t id,
	size_t content_len, size_t padding_len)
{
	p[0] = FCGI_VERSION_1;
	p[1] = (uint8_t)type;
	put_u16(p + 2, id);
	put_u16(p + 4, content_len);
	p[6] = (uint8_t)padding_len;
	p[7] = 0;
}

void
fcgi_parse_begin(const uint8_t p[FCGI_BODY_LEN], struct fcgi_begin *ret_b)
{
	ret_b->role = get_u16(p);
	ret_b->flags = p[2];
}

void
fcgi_put_begin(uint8_t p[FCGI_BODY_LEN], const struct fcgi_begin *b)
{
	memset(p, 0, FCGI_BODY_LEN);
	put_u16(p, b->role);
	p[2] = b->flags;
}

void
fcgi_parse_end(const uint8_t p[FCGI_BODY_LEN], struct fcgi_end *ret_e)
{
	ret_e->app_status = get_u32(p);
	ret_e->protocol_status = p[4];
}

void
fcgi_put_end(uint8_t p[FCGI_BODY_LEN], const struct fcgi_end *e)
{
	memset(p, 0, FCGI_BODY_LEN);
	put_u32(p, e->app_status);
	p[4] = e->protocol_status;
}

void
fcgi_put_unknown_type(uint8_t p[FCGI_BODY_LEN], unsigned type)
{
	memset(p, 0, FCGI_BODY_LEN);
	p[0] = (uint8_t)type;
}

/*
 * Parses a length: one byte, or four when the high bit of the first is set.
 * Returns the bytes used, 0 when more are needed.
 */
static size_t
parse_length(const uint8_t *p, size_t len, size_t *ret_n)
{
	if (len < 1)
		return 0;
	if (p[0] < 0x80) {
		*ret_n = p[0];
		return 1;
	}
	if (len < 4)
		return 0;
	*ret_n = get_u32(p) & 0x7fffffff;
	return 4;
}

int
fcgi_parse_pair(const uint8_t *p, size_t len, size_t max,
	struct fcgi_pair *ret_pair)
{
	size_t name_len, value_len, name_used, value_used, used;

	name_used = parse_length(p, len, &name_len);
	if (name_used == 0)
		return 0;
	if (name_len > max)
		return -EMSGSIZE;
	value_used = parse_length(p + name_used, len - name_used, &value_len);
	if (value_used == 0)
		return 0;
	if (value_len > max - name_len)
		return -EMSGSIZE;
	used = name_used + value_used;
	if (len - used < name_len + value_len)
		return 0;
	ret_pair->name = p + used;
	ret_pair->name_len = name_len;
	ret_pair->value = p + used + name_len;
	ret_pair->value_len = value_len;
	return (int)(used + name_len + value_len);
}

size_t
fcgi_pair_size(size_t name_len, size_t value_len)
{
	if (name_len > 0x7fffffff || value_len > 0x7fffffff)
		return 0;
	return (name_len < 0x80 ? 1U : 4U) + (value_len < 0x80 ? 1U : 4U) +
		name_len + value_len;
}

static uint8_t *
put_length(uint8_t *p, size_t n)
{
	if (n < 0x80) {
		*p = (uint8_t)n;
		return p + 1;
	}
	put_u32(p, (uint32_t)n | 0x80000000);
	return p + 4;
}

uint8_t *
fcgi_put_pair(uint8_t *p, const void *name, size_t name_len, const void *value,
	size_t value_len)
{
	p = put_length(p, name_len);
	p = put_length(p, value_len);
	if (name_len)
		memcpy(p, name, name_len);
	if (value_len)
		memcpy(p + name_len, value, value_len);
	return p + name_len + value_len;
}

/* Index of a variable of section 4.1 in names, or -1. */
static int
find_value(const struct fcgi_pair *pair, const char *const *names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(names[i]) == pair->name_len &&
			memcmp(names[i], pair->name, pair->name_len) == 0)
			return (int)i;
	return -1;
}

size_t
fcgi_answer_values(uint8_t p[FCGI_VALUES_MAX], const uint8_t *query, size_t len,
	const struct fcgi_values *values)
{
	static const char *const names[] = {
		"FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"};
	const unsigned numbers[] = {
		values->max_conns, values->max_reqs, values->mpxs_conns};
	uint8_t *end = p + FCGI_HEADER_LEN;
	unsigned asked = 0;
	struct fcgi_pair pair;
	char text[16];
	int used, i, n;

	while ((used = fcgi_parse_pair(query, len, len, &pair)) > 0) {
		query += used;
		len -= (size_t)used;
		i = find_value(&pair, names, ARRAY_SIZE(names));
		if (i < 0 || asked & 1U << i)
			continue;
		asked |= 1U << i;
		n = snprintf(text, sizeof(text), "%u", numbers[i]);
		end = fcgi_put_pair(end, pair.name, pair.name_len, text,
			(size_t)n);
	}
	len = (size_t)(end - p) - FCGI_HEADER_LEN;
	fcgi_put_header(p, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, len,
		fcgi_padding(len));
	memset(end, 0, fcgi_padding(len));
	return FCGI_HEADER_LEN + len + fcgi_padding(len);
}

void
fcgi_reader_init(struct fcgi_reader *r)
{
	memset(r, 0, sizeof(*r));
}

bool
fcgi_reader_at_rest(const struct fcgi_reader *r)
{
	return r->have == 0;
}

size_t
fcgi_reader_to_header(const struct fcgi_reader *r)
{
	if (r->have < FCGI_HEADER_LEN)
		return (size_t)(FCGI_HEADER_LEN - r->have);
	return (size_t)r->content_left + r->padding_left + FCGI_HEADER_LEN;
}

void
fcgi_reader_skip(struct fcgi_reader *r, size_t n)
{
	if (n > r->content_left)
		BUG("skip beyond the end of the record");
	r->content_left = (uint16_t)(r->content_left - n);
}

/* Collects the 8 bytes of a header.  Returns 1 when r->header is complete. */
static int
read_header(struct fcgi_reader *r, const uint8_t **p, size_t *len)
{
	size_t n = MIN(*len, (size_t)(FCGI_HEADER_LEN - r->have));
	int used;

	memcpy(r->raw + r->have, *p, n);
	r->have = (uint8_t)(r->have + n);
	*p += n;
	*len -= n;
	used = fcgi_parse_header(r->raw, r->have, &r->header);
	if (used <= 0)
		return used;
	r->content_left = r->header.content_len;
	r->padding_left = r->header.padding_len;
	return 1;
}

int
fcgi_reader_next(struct fcgi_reader *r, const uint8_t **p, size_t *len,
	struct fcgi_chunk *ret_chunk)
{
	size_t n;
	int got;

	if (r->have < FCGI_HEADER_LEN) {
		if (*len == 0)
			return FCGI_EVENT_MORE;
		got = read_header(r, p, len);
		if (got < 0)
			return got;
		return got ? FCGI_EVENT_HEADER : FCGI_EVENT_MORE;
	}
	if (r->content_left > 0) {
		n = MIN(*len, (size_t)r->content_left);
		if (n == 0)
			return FCGI_EVENT_MORE;
		ret_chunk->p = *p;
		ret_chunk->len = n;
		r->content_left = (uint16_t)(r->content_left - n);
		*p += n;
		*len -= n;
		return FCGI_EVENT_CONTENT;
	}
	n = MIN(*len, (size_t)r->padding_left);
	r->padding_left = (uint8_t)(r->padding_left - n);
	*p += n;
	*len -= n;
	if (r->padding_left > 0)
		return FCGI_EVENT_MORE;
	r->have = 0;
	return FCGI_EVENT_END;
}
