/*
 * cgi_header.c - the header of a program's answer; see cgi.h
 *
 * Pure.  Called by gateway/response, and by gateway/failure for the words.
 */
#include <ctype.h>
#include <string.h>

#include "proto/cgi.h"

enum header_state {
	LINE_BEGIN,	/* before the first byte of a line */
	EMPTY_CR,	/* a CR began the line */
	NAME,
	VERSION,	/* behind "HTTP/" */
	STATUS_BLANK,	/* behind "Status:", before its digits */
	STATUS_DIGITS,
	LOCATION_BLANK,	/* behind "Location:", before a value */
	VALUE,
	VALUE_CR	/* a CR inside the value: LF must follow */
};

void
cgi_header_init(struct cgi_header *h, size_t max)
{
	*h = (struct cgi_header){.max = max, .state = LINE_BEGIN};
}

/* tchar of RFC 9110, section 5.6.2: what a field's name is made of. */
static bool
is_token(uint8_t c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool
bad(struct cgi_header *h, const char *why)
{
	h->why = why;
	return false;
}

static bool
bad_name(struct cgi_header *h, uint8_t c)
{
	if (h->lines == 0 && c == '/' && h->len == 4)
		return bad(h,
			"it begins with a status line: write \"Status: 200 "
			"OK\" instead, or set cgi.nph");
	if (h->lines == 0)
		return bad(h,
			"it does not begin with a header: print "
			"\"Content-Type: text/plain\" and an empty line first");
	if (c == '\n' || c == '\r')
		return bad(h, "a line of its header has no colon");
	return bad(h, "a header's name holds a character it must not");
}

/* One byte inside a name. */
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

/* HTTP/1.1 and a blank (RFC 9112, section 4); "HTTP/" is behind us. */
static bool
scan_version(struct cgi_header *h, uint8_t c)
{
	static const uint8_t form[] = {'1', '.', '0', ' '};
	size_t at = h->len - strlen("HTTP/");

	if (form[at] == '0' ? !isdigit(c) : c != form[at])
		return bad(h, "it begins with a status line, but not as "
			"HTTP/1.1 200 OK does");
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
		return bad(h, "its header holds a NUL");
	return true;
}

/* An empty one counts as not sent (6.3). */
static bool
scan_location(struct cgi_header *h, uint8_t c)
{
	if (c == ' ' || c == '\t')
		return true;
	h->state = VALUE;
	h->location |= c != '\r' && c != '\n';
	return scan_value(h, c);
}

/* Three digits, then a blank or the end of the line (6.3.3). */
static bool
scan_status(struct cgi_header *h, uint8_t c)
{
	static const char why[] =
		"its Status is no number from 100 to 999: write "
		"\"Status: 200 OK\"";

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
		return bad(h, why);
	h->state = VALUE;
	return scan_value(h, c);
}

enum cgi_scan
cgi_header_scan(struct cgi_header *h, const uint8_t *p, size_t len,
	size_t *ret_used)
{
	size_t i;
	bool ok = true;

	for (i = 0; i < len; i++, h->len++) {
		uint8_t c = p[i];

		if (h->len == h->max) {
			h->why = "its header is longer than cgi.max_header";
			return CGI_SCAN_BAD;
		}
		switch ((enum header_state)h->state) {
		case LINE_BEGIN:
			if (c == '\r') {
				h->state = EMPTY_CR;
				break;
			}
			if (c == '\n')
				goto done;
			h->state = NAME;
			memset(h->matched, 0, sizeof(h->matched));
			if (c == ':')
				ok = bad(h, "a header has no name");
			else
				ok = scan_name(h, c);
			break;
		case EMPTY_CR:
			if (c == '\n')
				goto done;
			ok = bad(h, "its header holds a CR without LF");
			break;
		case NAME:
			ok = scan_name(h, c);
			break;
		case VERSION:
			ok = scan_version(h, c);
			break;
		case STATUS_BLANK:
		case STATUS_DIGITS:
			ok = scan_status(h, c);
			break;
		case LOCATION_BLANK:
			ok = scan_location(h, c);
			break;
		case VALUE:
			ok = scan_value(h, c);
			break;
		case VALUE_CR:
			if (c == '\n')
				h->state = LINE_BEGIN;
			else
				ok = bad(h, "its header holds a CR without LF");
			break;
		}
		if (!ok)
			return CGI_SCAN_BAD;
	}
	return CGI_SCAN_MORE;
done:
	h->len++;
	if (h->lines == 0) {
		h->why = "it begins with an empty line instead of a header";
		return CGI_SCAN_BAD;
	}
	*ret_used = i + 1;
	return CGI_SCAN_DONE;
}

const char *
cgi_header_cut(const struct cgi_header *h)
{
	return h->len == 0 ? "it wrote no answer" :
			     "it ended before its header did: the empty line "
			     "is missing";
}

const char *
cgi_status_text(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 413:
		return "Content Too Large";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	default:
		return "";
	}
}
