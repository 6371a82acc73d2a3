/*
 * cgi_header.c - parses the header of a program's answer; see cgi.h
 *
 * Pure.  Finds Status and Location, and the end of the header.  Called by
 * gateway/answer, ctl/call and ctl/bench.
 */
#include <ctype.h>
#include <string.h>

#include "proto/cgi.h"

enum header_state {
	LINE_BEGIN,	/* before the first byte of a line */
	EMPTY_CR,	/* after a CR at the beginning of a line */
	NAME,
	VERSION,	/* after "HTTP/" */
	STATUS_BLANK,	/* after "Status:", before its digits */
	STATUS_DIGITS,
	LOCATION_BLANK,	/* after "Location:", before a value */
	VALUE,
	VALUE_CR	/* a CR inside the value: LF must follow */
};

void
cgi_header_init(struct cgi_header *h, size_t max)
{
	*h = (struct cgi_header){.max = max, .state = LINE_BEGIN};
}

/* A character of a field name: tchar of RFC 9110, section 5.6.2. */
static bool
is_token(uint8_t c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool
set_bad(struct cgi_header *h, const char *why)
{
	h->why = why;
	return false;
}

static bool
bad_name(struct cgi_header *h, uint8_t c)
{
	if (h->lines == 0 && c == '/' && h->len == 4)
		return set_bad(h,
			"the output begins with an HTTP status line; print "
			"\"Status: 200 OK\" instead, or set cgi.nph = yes");
	if (h->lines == 0)
		return set_bad(h,
			"the output does not begin with a CGI header; print "
			"\"Content-Type: text/plain\" and an empty line first");
	if (c == '\n' || c == '\r')
		return set_bad(h, "a line of the header has no colon");
	return set_bad(h, "a header name contains an invalid character");
}

/* Parses one byte of a field name. */
static bool
scan_name(struct cgi_header *h, uint8_t c)
{
	static const char *const names[] = {"status", "location", "http"};
	size_t i;

	if (c == ':') {
		h->state = VALUE;
		if (h->matched[0] == strlen(names[0]))
			h->state = STATUS_BLANK;
		if (h->matched[1] == strlen(names[1]))
			h->state = LOCATION_BLANK;
		h->digits = 0;
		h->lines++;
		return true;
	}
	if (c == '/' && h->may_be_nph && h->len == 4 &&
		h->matched[2] == strlen(names[2])) {
		h->state = VERSION;
		return true;
	}
	if (!is_token(c))
		return bad_name(h, c);
	for (i = 0; i < 3; i++) {
		if (h->matched[i] < strlen(names[i]) &&
			tolower(c) == names[i][h->matched[i]])
			h->matched[i]++;
		else
			h->matched[i] = UINT8_MAX;
	}
	return true;
}

/* Parses the version and the blank of a status line, after "HTTP/" (RFC 9112,
 * section 4). */
static bool
scan_version(struct cgi_header *h, uint8_t c)
{
	static const uint8_t form[] = {'1', '.', '0', ' '};
	size_t at = h->len - strlen("HTTP/");

	if (form[at] == '0' ? !isdigit(c) : c != form[at])
		return set_bad(h, "the output begins with an invalid HTTP "
			"status line; print \"HTTP/1.1 200 OK\"");
	if (c == ' ') {
		h->state = STATUS_BLANK;
		h->digits = 0;
		h->lines++;
		h->nph = true;
	}
	return true;
}

static bool
scan_value(struct cgi_header *h, uint8_t c)
{
	if (c == '\n')
		h->state = LINE_BEGIN;
	else if (c == '\r')
		h->state = VALUE_CR;
	else if (c == '\0')
		return set_bad(h, "the header contains a NUL byte");
	return true;
}

/* An empty Location is ignored (6.3). */
static bool
scan_location(struct cgi_header *h, uint8_t c)
{
	if (c == ' ' || c == '\t')
		return true;
	h->state = VALUE;
	h->location |= c != '\r' && c != '\n';
	return scan_value(h, c);
}

/* Parses three digits, followed by a blank or the end of the line (6.3.3). */
static bool
scan_status(struct cgi_header *h, uint8_t c)
{
	if (h->state == STATUS_BLANK && (c == ' ' || c == '\t'))
		return true;
	if (isdigit(c) && h->digits < 3) {
		if (h->digits == 0)
			h->status = 0;
		h->status = (uint16_t)(h->status * 10 + (c - '0'));
		h->digits++;
		h->state = STATUS_DIGITS;
		return true;
	}
	if (h->digits != 3 || h->status < 100 ||
		!(c == ' ' || c == '\t' || c == '\r' || c == '\n'))
		return set_bad(h, "Status is not a number from 100 to 999; "
			"print \"Status: 200 OK\"");
	h->state = VALUE;
	return scan_value(h, c);
}

/* Parses the first byte of a line that is not empty. */
static bool
scan_first(struct cgi_header *h, uint8_t c)
{
	h->state = NAME;
	memset(h->matched, 0, sizeof(h->matched));
	if (c == ':')
		return set_bad(h, "a line of the header has no name");
	return scan_name(h, c);
}

/* Only LF may follow a CR. */
static bool
scan_line_end(struct cgi_header *h, uint8_t c)
{
	h->state = LINE_BEGIN;
	return c == '\n' ||
		set_bad(h, "the header contains a CR without LF");
}

/* Parses one byte.  Returns false when the header is invalid, or complete: then
 * h->done is set. */
static bool
scan_byte(struct cgi_header *h, uint8_t c)
{
	switch ((enum header_state)h->state) {
	case LINE_BEGIN:
		if (c == '\r') {
			h->state = EMPTY_CR;
			return true;
		}
		h->done = c == '\n';
		return !h->done && scan_first(h, c);
	case EMPTY_CR:
		h->done = scan_line_end(h, c);
		return false;
	case NAME:
		return scan_name(h, c);
	case VERSION:
		return scan_version(h, c);
	case STATUS_BLANK:
	case STATUS_DIGITS:
		return scan_status(h, c);
	case LOCATION_BLANK:
		return scan_location(h, c);
	case VALUE:
		return scan_value(h, c);
	case VALUE_CR:
		return scan_line_end(h, c);
	}
	return set_bad(h, "");
}

enum cgi_scan
cgi_header_scan(struct cgi_header *h, const uint8_t *p, size_t len,
	size_t *ret_used)
{
	size_t i;

	for (i = 0; i < len; i++, h->len++) {
		if (h->len == h->max) {
			/* Action: Print a shorter header, or raise
			 * cgi.max_header. */
			h->why = "the header is longer than cgi.max_header";
			return CGI_SCAN_BAD;
		}
		if (scan_byte(h, p[i]))
			continue;
		if (!h->done)
			return CGI_SCAN_BAD;
		h->len++;
		h->done = h->lines > 0;
		if (!h->done) {
			h->why = "the output begins with an empty line "
				 "instead of a CGI header";
			return CGI_SCAN_BAD;
		}
		*ret_used = i + 1;
		return CGI_SCAN_DONE;
	}
	return CGI_SCAN_MORE;
}

const char *
cgi_header_cut(const struct cgi_header *h)
{
	return h->len == 0 ? "the program wrote no output" :
			     "the output ends before the empty line that ends "
			     "the header";
}
