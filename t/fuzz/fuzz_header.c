/*
 * fuzz_header.c - fuzzes the parser of the header of an answer
 *
 * The input is the answer.  The result of cgi_header_scan() for the answer in
 * pieces is compared with the result of reading it line by line.
 */
#include <ctype.h>
#include <strings.h>

#include "base/util.h"
#include "fuzz.h"
#include "proto/cgi.h"

struct answer {
	enum cgi_scan result;
	size_t used;		/* with CGI_SCAN_DONE */
	unsigned lines, status;
	bool location, nph;
};

static bool
is_name(const uint8_t *p, size_t len)
{
	static const char tchar[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t i;

	for (i = 0; i < len; i++)
		if (!memchr(tchar, p[i], sizeof(tchar) - 1))
			return false;
	return len > 0;
}

/* Returns the status of "404" or "404 text" after blanks; 0 if it is not a
 * status. */
static unsigned
read_status(const uint8_t *p, size_t len)
{
	unsigned n;

	if (len < 3 || !isdigit(p[0]) || !isdigit(p[1]) || !isdigit(p[2]) ||
		(len > 3 && p[3] != ' ' && p[3] != '\t'))
		return 0;
	n = (p[0] - '0') * 100U + (p[1] - '0') * 10U + (p[2] - '0');
	return n < 100 ? 0 : n;
}

/* Parses one line without its end; returns false if it is not a field. */
static bool
read_line(struct answer *a, const uint8_t *p, size_t len)
{
	const uint8_t *value = len ? memchr(p, ':', len) : NULL;
	size_t name_len = value ? (size_t)(value - p) : 0;

	if (!value || !is_name(p, name_len))
		return false;
	value++;
	len -= name_len + 1;
	if (memchr(value, '\0', len) || memchr(value, '\r', len))
		return false;
	for (; len > 0 && (*value == ' ' || *value == '\t'); value++)
		len--;
	a->lines++;
	/* An empty "Location:" counts as not sent (6.3). */
	if (name_len == 8 && strncasecmp((const char *)p, "location", 8) == 0)
		a->location |= len > 0;
	if (name_len != 6 || strncasecmp((const char *)p, "status", 6) != 0)
		return true;
	a->status = read_status(value, len);
	return a->status != 0;
}

/* Returns whether this is a status line such as "HTTP/1.1 200 OK" (RFC 9112,
 * section 4). */
static bool
read_status_line(struct answer *a, const uint8_t *p, size_t len)
{
	if (len < 9 || p[5] != '1' || p[6] != '.' || !isdigit(p[7]) ||
		p[8] != ' ')
		return false;
	for (p += 9, len -= 9; len > 0 && (*p == ' ' || *p == '\t'); p++)
		len--;
	if (memchr(p, '\0', len) || memchr(p, '\r', len))
		return false;
	a->status = read_status(p, len);
	a->lines++;
	a->nph = true;
	return a->status != 0;
}

/* RFC 3875, section 6.2, for the complete answer. */
static struct answer
read_answer(const uint8_t *p, size_t len, bool may_be_nph)
{
	struct answer a = {.result = CGI_SCAN_MORE};
	const uint8_t *lf, *at = p;
	bool ok;
	size_t n;

	while (at < p + len &&
		(lf = memchr(at, '\n', (size_t)(p + len - at)))) {
		n = (size_t)(lf - at);
		if (n > 0 && at[n - 1] == '\r')
			n--;
		if (n == 0) {
			a.result = a.lines ? CGI_SCAN_DONE : CGI_SCAN_BAD;
			a.used = (size_t)(lf + 1 - p);
			return a;
		}
		ok = may_be_nph && at == p && n >= 5 &&
				strncasecmp((const char *)p, "http/", 5) == 0 ?
			read_status_line(&a, at, n) :
			read_line(&a, at, n);
		if (!ok) {
			a.result = CGI_SCAN_BAD;
			return a;
		}
		at = lf + 1;
	}
	return a;
}

static struct answer
scan(const uint8_t *p, size_t len, enum fuzz_cut cut, size_t max,
	bool may_be_nph, struct cgi_header *h)
{
	uint32_t seed = fuzz_seed(p, len);
	struct answer a = {.result = CGI_SCAN_MORE};
	size_t n, at = 0, used;
	uint8_t *piece;

	cgi_header_init(h, max);
	h->may_be_nph = may_be_nph;
	while (a.result == CGI_SCAN_MORE && at < len) {
		n = fuzz_piece(cut, len - at, &seed);
		piece = fuzz_copy(p + at, n);
		used = SIZE_MAX;
		a.result = cgi_header_scan(h, piece, n, &used);
		CHECK((used != SIZE_MAX) == (a.result == CGI_SCAN_DONE));
		if (a.result == CGI_SCAN_DONE) {
			CHECK(used > 0 && used <= n);
			a.used = at + used;
		}
		free(piece);
		at += n;
		CHECK(a.result != CGI_SCAN_MORE || h->len == at);
	}
	CHECK(h->len <= max);
	CHECK((h->why != NULL) == (a.result == CGI_SCAN_BAD));
	CHECK(cgi_header_cut(h) != NULL);
	a.lines = h->lines;
	a.status = h->status;
	a.location = h->location;
	a.nph = h->nph;
	return a;
}

static void
check_same(const struct cgi_header *a, const struct cgi_header *b)
{
	CHECK(a->why == b->why && a->len == b->len && a->lines == b->lines);
	CHECK(a->status == b->status && a->location == b->location);
	CHECK(a->nph == b->nph && a->may_be_nph == b->may_be_nph);
	CHECK(a->state == b->state && a->digits == b->digits);
	CHECK(memcmp(a->matched, b->matched, sizeof(a->matched)) == 0);
}

/* Returns whether the beginning is already invalid, whatever follows. */
static bool
is_lost(const uint8_t *p, size_t len, bool may_be_nph)
{
	uint8_t *more = malloc(len + 1);
	enum cgi_scan result;

	CHECK(more);
	if (len)
		memcpy(more, p, len);
	more[len] = '\n';
	result = read_answer(more, len + 1, may_be_nph).result;
	free(more);
	return result == CGI_SCAN_BAD;
}

static void
check_limit(const uint8_t *p, size_t len, size_t max, bool may_be_nph)
{
	struct cgi_header h[FUZZ_CUTS];
	struct answer got = {0}, want = read_answer(p, len, may_be_nph);
	enum fuzz_cut cut;

	for (cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
		got = scan(p, len, cut, max, may_be_nph, &h[cut]);
		check_same(&h[cut], &h[FUZZ_WHOLE]);
		if (want.result == CGI_SCAN_DONE && want.used <= max) {
			CHECK(got.result == CGI_SCAN_DONE);
			CHECK(got.used == want.used);
			CHECK(h[cut].len == want.used);
			CHECK(got.lines == want.lines);
			CHECK(got.status == want.status);
			CHECK(got.location == want.location);
			CHECK(got.nph == want.nph);
		} else if (want.result == CGI_SCAN_BAD || len > max) {
			CHECK(got.result == CGI_SCAN_BAD);
		} else if (got.result != CGI_SCAN_MORE) {
			/* The last line is invalid before its end. */
			CHECK(got.result == CGI_SCAN_BAD);
			CHECK(is_lost(p, len, may_be_nph));
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t seed = fuzz_seed(data, len);

	check_limit(data, len, 64 * 1024, false);
	check_limit(data, len, 64 * 1024, true);
	check_limit(data, len, fuzz_next(&seed, len + 1), seed & 1);
	return 0;
}
