/*
 * fuzz_records.c - fuzzes the reader of records
 *
 * The input is a stream of records.  The events of fcgi_reader for the stream
 * in pieces are compared with a scan of the whole stream.  Sometimes content
 * bypasses the reader, as if it were spliced.
 */
#include <errno.h>

#include "base/util.h"
#include "fuzz.h"
#include "proto/fcgi.h"

/* The events of the reader: header, content and end of each record. */
struct events {
	uint8_t *p;
	size_t len;
};

static void
write_down(struct events *t, char what, const uint8_t *p, size_t len)
{
	t->p[t->len++] = (uint8_t)what;
	memcpy(t->p + t->len, p, len);
	t->len += len;
}

/* FastCGI 1.0, section 3.3, for the complete stream. */
static void
walk(struct events *t, const uint8_t *p, size_t len)
{
	static const uint8_t nothing[1];
	size_t content, padding;

	while (len > 0) {
		if (p[0] != 1) {
			write_down(t, '!', nothing, 0);
			return;
		}
		if (len < 8)
			break;
		write_down(t, '[', p + 1, 6);
		content = (size_t)p[4] * 256 + p[5];
		padding = p[6];
		p += 8;
		len -= 8;
		write_down(t, ':', p, MIN(len, content));
		if (len < content + padding) {
			write_down(t, '-', nothing, 0);
			return;
		}
		write_down(t, ']', nothing, 0);
		p += content + padding;
		len -= content + padding;
	}
	if (len > 0)
		write_down(t, '-', nothing, 0);
}

static void
check_header(const struct fcgi_header *h, uint8_t raw[FCGI_HEADER_LEN])
{
	struct fcgi_header again;

	fcgi_put_header(raw, h->type, h->id, h->content_len, h->padding_len);
	CHECK(fcgi_parse_header(raw, FCGI_HEADER_LEN, &again) == 8);
	CHECK(again.type == h->type && again.id == h->id);
	CHECK(again.content_len == h->content_len);
	CHECK(again.padding_len == h->padding_len);
}

/* Feeds one piece to the reader; returns false if the stream is invalid. */
static bool
read_piece(struct fcgi_reader *r, const uint8_t *p, size_t len, size_t *content,
	struct events *t)
{
	const uint8_t *begin = p;
	uint8_t raw[FCGI_HEADER_LEN];
	struct fcgi_chunk chunk;
	size_t at = 0, left = len, far;
	int ev;

	do {
		far = fcgi_reader_to_header(r) + at;
		ev = fcgi_reader_next(r, &p, &left, &chunk);
		at = (size_t)(p - begin);
		CHECK(at <= len && left == len - at);
		if (ev == FCGI_EVENT_HEADER)
			CHECK(far == at);
		else if (ev >= 0)
			CHECK(far == fcgi_reader_to_header(r) + at);
		switch (ev) {
		case FCGI_EVENT_HEADER:
			check_header(&r->header, raw);
			write_down(t, '[', raw + 1, 6);
			write_down(t, ':', raw, 0);
			*content = 0;
			break;
		case FCGI_EVENT_CONTENT:
			CHECK(chunk.len > 0 && chunk.len <= at);
			CHECK(chunk.p + chunk.len == p);
			memcpy(t->p + t->len, chunk.p, chunk.len);
			t->len += chunk.len;
			*content += chunk.len;
			CHECK(*content <= r->header.content_len);
			break;
		case FCGI_EVENT_END:
			CHECK(*content == r->header.content_len);
			CHECK(fcgi_reader_at_rest(r));
			write_down(t, ']', raw, 0);
			break;
		case FCGI_EVENT_MORE:
			CHECK(left == 0);
			break;
		default:
			CHECK(ev == -EPROTO);
			write_down(t, '!', raw, 0);
		}
	} while (ev > 0);
	return ev == FCGI_EVENT_MORE;
}

static void
read_cut(const uint8_t *p, size_t len, enum fuzz_cut cut, struct events *t)
{
	uint32_t seed = fuzz_seed(p, len);
	struct fcgi_reader r;
	size_t n, content = 0;
	uint8_t *piece;
	bool more = true;

	fcgi_reader_init(&r);
	CHECK(fcgi_reader_at_rest(&r));
	while (len > 0 && more) {
		n = fuzz_piece(cut, len, &seed);
		piece = fuzz_copy(p, n);
		if (cut == FUZZ_RANDOM && r.content_left > 0 &&
			fuzz_next(&seed, 3) == 0) {
			n = MIN(n, (size_t)r.content_left);
			memcpy(t->p + t->len, piece, n);
			t->len += n;
			content += n;
			fcgi_reader_skip(&r, n);
			more = read_piece(&r, piece, 0, &content, t);
		} else {
			more = read_piece(&r, piece, n, &content, t);
		}
		free(piece);
		p += n;
		len -= n;
	}
	if (more && !fcgi_reader_at_rest(&r))
		write_down(t, '-', p, 0);
}

/* Asserts that bodies of 8 bytes keep their values when encoded. */
static void
check_bodies(const uint8_t *p)
{
	struct fcgi_begin b, b2;
	struct fcgi_end e, e2;
	uint8_t raw[FCGI_BODY_LEN];

	fcgi_parse_begin(p, &b);
	fcgi_put_begin(raw, &b);
	CHECK(memcmp(raw, p, 3) == 0);
	fcgi_parse_begin(raw, &b2);
	CHECK(b.role == b2.role && b.flags == b2.flags);
	fcgi_parse_end(p, &e);
	fcgi_put_end(raw, &e);
	CHECK(memcmp(raw, p, 5) == 0);
	fcgi_parse_end(raw, &e2);
	CHECK(e.app_status == e2.app_status);
	CHECK(e.protocol_status == e2.protocol_status);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct events want = {malloc(2 * len + 8), 0};
	struct events got = {malloc(2 * len + 8), 0};
	enum fuzz_cut cut;

	CHECK(want.p && got.p);
	walk(&want, data, len);
	for (cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
		got.len = 0;
		read_cut(data, len, cut, &got);
		CHECK(got.len == want.len);
		CHECK(memcmp(got.p, want.p, want.len) == 0);
	}
	if (len >= FCGI_BODY_LEN)
		check_bodies(data + len - FCGI_BODY_LEN);
	free(want.p);
	free(got.p);
	return 0;
}
