/*
 * cgi.c - the Common Gateway Interface 1.1; see cgi.h
 *
 * Pure.  Called by gateway/request; opening the script is gateway/locate's
 * work and running it gateway/script's.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "base/vec.h"
#include "proto/cgi.h"

/* FNV-1a; names are few, short and mostly the same from request to request. */
static uint32_t
hash_name(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261U;

	while (len-- > 0)
		h = (h ^ *p++) * 16777619U;
	return h;
}

/* The slot of this name, or the free one where it belongs. */
static size_t
find_slot(const struct cgi_params *params, const uint8_t *name, size_t len)
{
	const size_t mask = ARRAY_SIZE(params->slot) - 1;
	size_t at = hash_name(name, len) & mask;
	const struct fcgi_pair *pair;

	/* Never full: there are twice as many slots as pairs. */
	for (; params->slot[at]; at = (at + 1) & mask) {
		pair = &params->pair[params->slot[at] - 1];
		if (pair->name_len == len && memcmp(pair->name, name, len) == 0)
			break;
	}
	return at;
}

int
cgi_params_decode(const uint8_t *p, size_t len, struct cgi_params *ret,
	const char **ret_why)
{
	struct fcgi_pair pair;
	size_t at;
	int used;

	ret->n = 0;
	memset(ret->slot, 0, sizeof(ret->slot));
	while ((used = fcgi_parse_pair(p, len, CGI_PARAMS_MAX, &pair)) > 0) {
		p += used;
		len -= (size_t)used;
		if (memchr(pair.name, '\0', pair.name_len) ||
			memchr(pair.value, '\0', pair.value_len)) {
			*ret_why = "a NUL stands in a parameter";
			return 400;
		}
		at = find_slot(ret, pair.name, pair.name_len);
		if (!ret->slot[at]) {
			if (ret->n == CGI_PAIRS_MAX) {
				*ret_why = "more than 1000 parameters";
				return 431;
			}
			ret->slot[at] = (uint16_t)++ret->n;
		}
		ret->pair[ret->slot[at] - 1] = pair;
	}
	if (len > 0) {
		*ret_why = "the parameters end inside a name-value pair";
		return 400;
	}
	return 0;
}

const struct fcgi_pair *
cgi_params_find(const struct cgi_params *params, const char *name)
{
	size_t at = find_slot(params, (const uint8_t *)name, strlen(name));

	return params->slot[at] ? &params->pair[params->slot[at] - 1] : NULL;
}

/* As cgi_params_find(), but an empty value counts as none. */
static const struct fcgi_pair *
find_filled(const struct cgi_params *params, const char *name)
{
	const struct fcgi_pair *pair = cgi_params_find(params, name);

	return pair && pair->value_len ? pair : NULL;
}

static bool
is_identifier(const char *name, size_t len)
{
	size_t i;

	if (len == 0 || isdigit((unsigned char)name[0]))
		return false;
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return false;
	return true;
}

/* Names that are denied; a '*' ends a prefix. */
static const char *const denied[] = {
	"HTTP_PROXY",			/* CVE-2016-5385 */
	"LD_*", "GLIBC_TUNABLES", "GCONV_PATH", "MALLOC_*",	/* ld.so(8) */
	"RES_OPTIONS", "HOSTALIASES", "LOCALDOMAIN",	/* resolver(3) */
	"PATH", "IFS", "ENV", "BASH_ENV", "BASH_FUNC_*", "SHELLOPTS", "PS4",
	"PERL5*", "PYTHON*", "RUBY*", "NODE_OPTIONS",
	"FCGIPM_*",			/* ours, see fcgipm-handler(7) */
};

static bool
name_matches(const char *pattern, const char *name, size_t len)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] == '*')
		return len >= n - 1 && memcmp(pattern, name, n - 1) == 0;
	return len == n && memcmp(pattern, name, n) == 0;
}

static bool
list_holds(const char *list, const char *name, size_t len)
{
	static const char apart[] = ", \t";
	size_t n;

	while (*(list += strspn(list, apart))) {
		n = strcspn(list, apart);
		if (n == len && memcmp(list, name, n) == 0)
			return true;
		list += n;
	}
	return false;
}

bool
cgi_name_passes(const char *name, size_t len, const char *allow)
{
	size_t i;

	if (!is_identifier(name, len))
		return false;
	for (i = 0; i < ARRAY_SIZE(denied); i++)
		if (denied[i][0] == name[0] &&
			name_matches(denied[i], name, len))
			return allow && list_holds(allow, name, len);
	return true;
}

/* Does a NULL ended list of NAME=VALUE hold this name? */
static bool
env_holds(char *const *list, const char *name, size_t len)
{
	for (; *list; list++)
		if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
			return true;
	return false;
}

/* May the program see this parameter? */
static bool
pair_passes(const struct fcgi_pair *pair, char *const *own, const char *allow,
	unsigned role)
{
	const char *name = (const char *)pair->name;
	size_t len = pair->name_len;

	/* "MUST be set if and only if": web servers send them empty. */
	if (pair->value_len == 0 &&
		(name_matches("CONTENT_LENGTH", name, len) ||
			name_matches("CONTENT_TYPE", name, len)))
		return false;
	if (role == FCGI_AUTHORIZER && name_matches("FCGI_ROLE", name, len))
		return false;
	return cgi_name_passes(name, len, allow) && !env_holds(own, name, len);
}

/* Does own, or a parameter that passes, take the place of this variable? */
static bool
is_replaced(const char *var, const struct cgi_params *params, char *const *own,
	const char *allow)
{
	size_t len = strcspn(var, "=");

	return env_holds(own, var, len) ||
		(params->slot[find_slot(params, (const uint8_t *)var, len)] &&
			cgi_name_passes(var, len, allow));
}

void
cgi_build_env(const struct cgi_params *params, char *const *own,
	char *const *base, const char *allow, unsigned role, struct vec *env)
{
	static const struct {
		const char *name, *value;
	} defaults[] = {
		{"GATEWAY_INTERFACE", "CGI/1.1"},	/* 4.1.4 */
		{"QUERY_STRING", ""},			/* 4.1.7 */
		{"REQUEST_METHOD", "GET"},		/* 4.1.12 */
		{"SERVER_PROTOCOL", "HTTP/1.0"},	/* 4.1.16 */
		{"SERVER_SOFTWARE", "fcgipm/" FCGIPM_VERSION},	/* 4.1.17 */
	};
	size_t i;

	for (i = 0; own[i]; i++)
		vec_add(env, own[i]);
	for (i = 0; base[i]; i++)
		if (!is_replaced(base[i], params, own, allow))
			vec_add(env, base[i]);
	if (role == FCGI_AUTHORIZER)
		vec_add(env, "FCGI_ROLE=AUTHORIZER");
	for (i = 0; i < ARRAY_SIZE(defaults); i++)
		if (!cgi_params_find(params, defaults[i].name) &&
			!env_holds(own, defaults[i].name,
				strlen(defaults[i].name)))
			vec_add_pair(env, defaults[i].name,
				strlen(defaults[i].name), defaults[i].value,
				strlen(defaults[i].value));
	for (i = 0; i < params->n; i++)
		if (pair_passes(&params->pair[i], own, allow, role))
			vec_add_pair(env, (const char *)params->pair[i].name,
				params->pair[i].name_len,
				(const char *)params->pair[i].value,
				params->pair[i].value_len);
}

enum cgi_body
cgi_body_length(const struct cgi_params *params, uint64_t *ret_len)
{
	const struct fcgi_pair *pair = find_filled(params, "CONTENT_LENGTH");
	uint64_t n = 0;
	size_t i;

	if (!pair) {
		pair = find_filled(params, "HTTP_TRANSFER_ENCODING");
		return pair && pair->value_len == 7 &&
				strncasecmp((const char *)pair->value,
					"chunked", 7) == 0 ?
			CGI_BODY_STREAM :
			CGI_BODY_NONE;
	}
	for (i = 0; i < pair->value_len; i++) {
		uint8_t c = pair->value[i];

		/* 18 digits always fit. */
		if (!isdigit(c) || i >= 18)
			return CGI_BODY_INVALID;
		n = n * 10 + (uint64_t)(c - '0');
	}
	if (n == 0)
		return CGI_BODY_NONE;
	*ret_len = n;
	return CGI_BODY_LENGTH;
}

static bool
skip_prefix(const char **p, const char *end, const char *prefix)
{
	size_t n = strlen(prefix);

	if ((size_t)(end - *p) < n || memcmp(*p, prefix, n) != 0)
		return false;
	*p += n;
	return true;
}

/* Takes off what mod_proxy_fcgi puts around a file's name. */
static void
unwrap_apache(const char **p, const char **end)
{
	const char *at = *p, *cut;

	if (!skip_prefix(&at, *end, "proxy:"))
		return;
	if (skip_prefix(&at, *end, "unix:")) {
		at = memchr(at, '|', (size_t)(*end - at));
		if (!at)
			return;
		at++;
	}
	if (!skip_prefix(&at, *end, "fcgi://") &&
		!skip_prefix(&at, *end, "balancer://"))
		return;
	at = memchr(at, '/', (size_t)(*end - at));
	if (!at)
		return;
	*p = at;
	cut = memchr(at, '?', (size_t)(*end - at));
	if (cut)
		*end = cut;
}

/* Appends the segments of a path at buf + *len: 0, or a status and why. */
static int
add_segments(const char *p, const char *end, char *buf, size_t size,
	size_t *len, const char **ret_why)
{
	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t n = (size_t)((slash ? slash : end) - p);

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			*ret_why = "the script's path holds ..";
			return 403;
		}
		if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (n + 2 > size - *len) {
				*ret_why = "the script's path is too long";
				return 404;
			}
			buf[(*len)++] = '/';
			memcpy(buf + *len, p, n);
			*len += n;
		}
		p += n + (slash != NULL);
	}
	return 0;
}

int
cgi_script_path(const struct cgi_params *params, char *buf, size_t size,
	const char **ret_why)
{
	const struct fcgi_pair *file = find_filled(params, "SCRIPT_FILENAME");
	const struct fcgi_pair *part[2] = {file, NULL};
	size_t len = 0, i;
	int status;

	if (!file) {
		part[0] = find_filled(params, "DOCUMENT_ROOT");
		part[1] = find_filled(params, "SCRIPT_NAME");
		if (!part[0] || !part[1]) {
			*ret_why = "no script is named: have the web server "
				   "send SCRIPT_FILENAME";
			return 404;
		}
	}
	for (i = 0; i < ARRAY_SIZE(part) && part[i]; i++) {
		const char *p = (const char *)part[i]->value;
		const char *end = p + part[i]->value_len;

		unwrap_apache(&p, &end);
		if (p == end || *p != '/') {
			*ret_why = "the script's path does not begin with /";
			return 404;
		}
		status = add_segments(p, end, buf, size, &len, ret_why);
		if (status)
			return status;
	}
	if (len == 0) {
		*ret_why = "the script's path names no file";
		return 404;
	}
	buf[len] = '\0';
	return 0;
}

enum header_state {
	LINE_BEGIN,	/* before the first byte of a line */
	EMPTY_CR,	/* a CR began the line */
	NAME,
	STATUS_BLANK,	/* behind "Status:", before its digits */
	STATUS_DIGITS,
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
			"it begins with a status line, as only an nph- script "
			"may: write \"Status: 200 OK\" instead");
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
	static const char *const names[] = {"status", "location"};
	size_t i;

	if (c == ':') {
		h->state = h->matched[0] == strlen(names[0]) ? STATUS_BLANK :
							       VALUE;
		if (h->matched[1] == strlen(names[1]))
			h->location = true;
		h->digits = 0;
		h->lines++;
		return true;
	}
	if (!is_token(c))
		return bad_name(h, c);
	for (i = 0; i < 2; i++) {
		if (h->matched[i] < strlen(names[i]) &&
			tolower(c) == names[i][h->matched[i]])
			h->matched[i]++;
		else
			h->matched[i] = UINT8_MAX;
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
			h->matched[0] = h->matched[1] = 0;
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
		case STATUS_BLANK:
		case STATUS_DIGITS:
			ok = scan_status(h, c);
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
