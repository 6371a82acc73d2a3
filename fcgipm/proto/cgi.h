/*
 * cgi.h - the Common Gateway Interface 1.1 (RFC 3875) between FastCGI
 * parameters and a program
 *
 * Pure: no descriptors, no clock, no log, no globals.
 */
#ifndef FCGIPM_PROTO_CGI_H
#define FCGIPM_PROTO_CGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/fcgi.h"

struct vec;

enum {
	CGI_PAIRS_MAX = 1000,		/* parameters of one request */
	CGI_PARAMS_MAX = 256 * 1024	/* bytes of them, as received */
};

/*
 * The parameters of one request, decoded; of names that came twice the last
 * value.  Some 45 KiB, so meant to be kept and used again.
 */
struct cgi_params {
	struct fcgi_pair pair[CGI_PAIRS_MAX + 4];	/* four of ours */
	size_t n;
	uint16_t slot[2048];	/* hash of the name to index + 1, 0 = free */
};

/*
 * cgi_params_decode - the whole FCGI_PARAMS stream
 *
 * ret		borrows from p
 * returns	0; an HTTP status and *ret_why, a static text:
 *		400 the last pair is cut off, or a NUL stands in a parameter
 *		431 more than CGI_PAIRS_MAX
 */
int cgi_params_decode(const uint8_t *p, size_t len, struct cgi_params *ret,
	const char **ret_why);

/* The parameter of this name, NULL when it was not sent. */
const struct fcgi_pair *cgi_params_find(const struct cgi_params *params,
	const char *name);
/* The same, but an empty value counts as none. */
const struct fcgi_pair *cgi_params_filled(const struct cgi_params *params,
	const char *name);
/* Adds or replaces one, up to four that were not sent; borrows value. */
void cgi_params_set(struct cgi_params *params, const char *name,
	const void *value, size_t len);

/*
 * cgi_name_passes - may a program see a variable of this name?
 *
 * Names that are no C identifier do not pass, nor those that would make a
 * shell, loader, interpreter or library do what a client says (HTTP_PROXY is
 * CVE-2016-5385, BASH_FUNC_* CVE-2014-6271).
 *
 * allow	names that pass all the same, apart by blanks or commas; NULL
 */
bool cgi_name_passes(const char *name, size_t len, const char *allow);

/*
 * cgi_build_env - the meta-variables of a request (RFC 3875, section 4.1)
 *
 * own		NAME=VALUE of the administrator, NULL ended: a parameter of
 *		the same name is dropped
 * base		the same, but a parameter of the same name takes its place
 * allow	see cgi_name_passes()
 * role		enum fcgi_role, told as FCGI_ROLE to an authorizer
 * env		added to
 */
void cgi_build_env(const struct cgi_params *params, char *const *own,
	char *const *base, const char *allow, unsigned role, struct vec *env);

/* How much body a request has. */
enum cgi_body {
	CGI_BODY_NONE,		/* CONTENT_LENGTH absent, empty or 0 */
	CGI_BODY_LENGTH,	/* so many bytes */
	CGI_BODY_STREAM,	/* chunked, or -1: until FCGI_STDIN ends */
	CGI_BODY_INVALID	/* CONTENT_LENGTH is no number: 400 */
};

/* ret_len is written only with CGI_BODY_LENGTH. */
enum cgi_body cgi_body_length(const struct cgi_params *params,
	uint64_t *ret_len);

/*
 * cgi_script_path - the file a request names
 *
 * SCRIPT_FILENAME without what Apache puts around it
 * ("proxy:fcgi://HOST[:PORT]", "proxy:unix:PATH|fcgi://HOST",
 * "proxy:balancer://NAME" in front, "?QUERY" behind), else DOCUMENT_ROOT and
 * SCRIPT_NAME.
 *
 * buf, size	where the path is written, NUL ended; empty segments and "."
 *		are dropped
 * returns	0; an HTTP status and *ret_why, a static text: 404 none is
 *		named, it is not absolute or does not fit; 403 it holds ".."
 */
int cgi_script_path(const struct cgi_params *params, char *buf, size_t size,
	const char **ret_why);

/*
 * cgi_set_script - tell the parameters which file was found
 *
 * SCRIPT_FILENAME becomes path.  With a name behind what cgi_script_path()
 * said, that of a folder's index, SCRIPT_NAME gets it too.  With split, what
 * the request names behind the file is PATH_INFO, and SCRIPT_NAME is without
 * (RFC 3875, section 4.1.5 and 4.1.13); PATH_TRANSLATED is DOCUMENT_ROOT and
 * PATH_INFO (4.1.6).
 *
 * path		borrowed: params hold it from now on
 * buf, size	for what has to be put together, borrowed too
 * returns	0; an HTTP status and *ret_why when buf is too short
 */
int cgi_set_script(struct cgi_params *params, const char *path, bool split,
	char *buf, size_t size, const char **ret_why);

/*
 * struct cgi_header - the header of a program's answer, as it comes
 *
 * Lines end in LF or CRLF, an empty line ends the header (RFC 3875,
 * section 6.2; 6.3.3 for Status).
 */
enum cgi_scan { CGI_SCAN_MORE, CGI_SCAN_DONE, CGI_SCAN_BAD };

struct cgi_header {
	const char *why;	/* static text when CGI_SCAN_BAD */
	size_t len;		/* bytes scanned so far */
	size_t max;		/* largest header accepted */
	unsigned lines;		/* fields seen */
	bool done;		/* CGI_SCAN_DONE was returned */
	uint16_t status;	/* of the Status field, 0 = none */
	bool location;		/* a Location field with a value was seen */
	bool may_be_nph;	/* the caller's: it may begin with a status
				 * line of HTTP */
	bool nph;		/* it does: CGI_NPH_LEN bytes of it are to
				 * be replaced by CGI_NPH_FIELD */
	uint8_t state;		/* private from here on */
	uint8_t matched[3];	/* of "status", "location", "http" in this
				 * line */
	uint8_t digits;		/* of the status read so far */
};

/* "HTTP/1.1 200 OK" becomes "Status:  200 OK" in place. */
#define CGI_NPH_FIELD "Status: "
enum { CGI_NPH_LEN = sizeof(CGI_NPH_FIELD) - 1 };

void cgi_header_init(struct cgi_header *h, size_t max);

/*
 * cgi_header_scan - scan the next bytes of the answer
 *
 * ret_used	with CGI_SCAN_DONE: bytes of p that belong to the header, the
 *		empty line included; the body begins behind them
 */
enum cgi_scan cgi_header_scan(struct cgi_header *h, const uint8_t *p,
	size_t len, size_t *ret_used);

/* Why an answer that ended inside its header is none; a static text. */
const char *cgi_header_cut(const struct cgi_header *h);

/* "Not Found" of 404; "" when unknown. */
const char *cgi_status_text(unsigned status);

/* The longest page, header included. */
enum { CGI_PAGE_MAX = 256 };

/*
 * cgi_put_page - a whole answer of ours: a short page that names its status
 *
 * retry_after_s	for Retry-After, sent with 503
 * text		a sentence, at most 80 bytes; NULL = the header alone (HEAD)
 * returns	bytes written at p, no NUL after them
 */
size_t cgi_put_page(char p[CGI_PAGE_MAX], unsigned status,
	int64_t retry_after_s, const char *text);

#endif
