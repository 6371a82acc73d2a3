/*
 * cgi.h - CGI 1.1 (RFC 3875): environment, script path, answer header, pages
 *
 *	cgi		decodes parameters, builds the environment
 *	cgi_path	finds the script's path in the parameters
 *	cgi_header	parses the header of a program's answer
 *	cgi_page	builds error pages
 *
 * Pure: no descriptors, clock, log or global variables.
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
	CGI_PARAMS_MAX = 256 * 1024	/* their bytes, encoded */
};

/*
 * The decoded parameters of one request.  When a name occurs twice, the last
 * value counts.  The struct has about 45 KiB: reuse it.
 */
struct cgi_params {
	struct fcgi_pair pair[CGI_PAIRS_MAX + 4];	/* four to be added */
	size_t n;
	uint16_t slot[2048];	/* by hash of the name: index + 1, 0 = free */
};

/*
 * cgi_params_decode - decode the whole FCGI_PARAMS stream
 *
 * ret		borrows from p
 * returns	0; an HTTP status and *ret_why, a static text:
 *		400 the last pair is incomplete, or a parameter contains a NUL
 *		431 more than CGI_PAIRS_MAX
 */
int cgi_params_decode(const uint8_t *p, size_t len, struct cgi_params *ret,
	const char **ret_why);

/* The parameter with this name; NULL when it was not sent. */
const struct fcgi_pair *cgi_params_find(const struct cgi_params *params,
	const char *name);
/* The same; also NULL when the value is empty. */
const struct fcgi_pair *cgi_params_filled(const struct cgi_params *params,
	const char *name);
/* Adds or replaces a parameter.  At most four may be added.  Borrows value. */
void cgi_params_set(struct cgi_params *params, const char *name,
	const void *value, size_t len);

/*
 * cgi_name_passes - may a program get a variable with this name?
 *
 * Names that are not C identifiers are denied.  So are names that would let a
 * client control a shell, loader, interpreter or library (HTTP_PROXY is
 * CVE-2016-5385, BASH_FUNC_* CVE-2014-6271).
 *
 * allow	denied names that pass nevertheless, separated by blanks or
 *		commas; NULL = none
 */
bool cgi_name_passes(const char *name, size_t len, const char *allow);

/*
 * cgi_build_env - build the meta-variables of a request (RFC 3875, section 4.1)
 *
 * own		NAME=VALUE from the configuration, NULL-terminated; replaces a
 *		parameter with the same name
 * base		the same, but replaced by a parameter with the same name
 * allow	see cgi_name_passes()
 * role		enum fcgi_role; an authorizer gets it as FCGI_ROLE
 * env		the variables are added to it
 */
void cgi_build_env(const struct cgi_params *params, char *const *own,
	char *const *base, const char *allow, unsigned role, struct vec *env);

/* What is known of the length of a request body. */
enum cgi_body {
	CGI_BODY_NONE,		/* CONTENT_LENGTH absent, empty or 0 */
	CGI_BODY_LENGTH,	/* CONTENT_LENGTH bytes */
	CGI_BODY_STREAM,	/* chunked, or -1: FCGI_STDIN up to its end */
	CGI_BODY_INVALID	/* CONTENT_LENGTH is not a number: 400 */
};

/* ret_len is written only with CGI_BODY_LENGTH. */
enum cgi_body cgi_body_length(const struct cgi_params *params,
	uint64_t *ret_len);

/*
 * cgi_script_path - derive the script's path from the parameters
 *
 * This is SCRIPT_FILENAME, else DOCUMENT_ROOT followed by SCRIPT_NAME.  What
 * Apache adds to it is removed: a prefix "proxy:fcgi://HOST[:PORT]",
 * "proxy:unix:PATH|fcgi://HOST" or "proxy:balancer://NAME", and "?QUERY" at the
 * end.
 *
 * buf, size	receives the path, NUL-terminated, without empty segments and
 *		without "."
 * returns	0; an HTTP status and *ret_why, a static text: 404 when there
 *		is no path, it is not absolute or it does not fit; 403 when it
 *		contains ".."
 */
int cgi_script_path(const struct cgi_params *params, char *buf, size_t size,
	const char **ret_why);

/*
 * cgi_set_script - set the parameters to the file that was found
 *
 * SCRIPT_FILENAME becomes path.  When path is the index of the directory that
 * cgi_script_path() returned, SCRIPT_NAME gets the name of the index, too.
 * With split, the rest of the request's path after the file becomes PATH_INFO
 * and is removed from SCRIPT_NAME (RFC 3875, sections 4.1.5 and 4.1.13);
 * PATH_TRANSLATED becomes DOCUMENT_ROOT followed by PATH_INFO (4.1.6).
 *
 * path		borrowed by params
 * buf, size	for joined values, borrowed by params
 * returns	0; an HTTP status and *ret_why when buf is too short
 */
int cgi_set_script(struct cgi_params *params, const char *path, bool split,
	char *buf, size_t size, const char **ret_why);

/*
 * struct cgi_header - incremental parser for the header of a program's answer
 *
 * A line ends in LF or CRLF; an empty line ends the header (RFC 3875,
 * section 6.2; 6.3.3 for Status).
 */
enum cgi_scan { CGI_SCAN_MORE, CGI_SCAN_DONE, CGI_SCAN_BAD };

struct cgi_header {
	const char *why;	/* static text when CGI_SCAN_BAD */
	size_t len;		/* bytes scanned so far */
	size_t max;		/* largest header accepted */
	unsigned lines;		/* number of fields so far */
	bool done;		/* CGI_SCAN_DONE was returned */
	uint16_t status;	/* of the Status field, 0 = none */
	bool location;		/* there is a Location field with a value */
	bool may_be_nph;	/* set by the caller: an HTTP status line is
				 * allowed as first line */
	bool nph;		/* there is one: the caller must replace its
				 * first CGI_NPH_LEN bytes by CGI_NPH_FIELD */
	uint8_t state;		/* private from here on */
	uint8_t matched[3];	/* bytes of "status", "location", "http" that
				 * this line's name matches */
	uint8_t digits;		/* digits of the status so far */
};

/* "HTTP/1.1 200 OK" becomes "Status:  200 OK" in place. */
#define CGI_NPH_FIELD "Status: "
enum { CGI_NPH_LEN = sizeof(CGI_NPH_FIELD) - 1 };

void cgi_header_init(struct cgi_header *h, size_t max);

/*
 * cgi_header_scan - parse the next bytes of the answer
 *
 * ret_used	with CGI_SCAN_DONE: bytes of p that belong to the header,
 *		including the empty line; the body follows them
 */
enum cgi_scan cgi_header_scan(struct cgi_header *h, const uint8_t *p,
	size_t len, size_t *ret_used);

/* What is wrong with an answer that ended inside its header; a static text. */
const char *cgi_header_cut(const struct cgi_header *h);

/* The reason phrase of a status, such as "Not Found"; "" when unknown. */
const char *cgi_status_text(unsigned status);

/* Maximum length of a page, including its header. */
enum { CGI_PAGE_MAX = 256 };

/*
 * cgi_put_page - write an error page: a whole CGI answer
 *
 * retry_after_s	value of Retry-After, sent with 503
 * text		a sentence, at most 80 bytes; NULL = header only (HEAD)
 * returns	bytes written at p, without a NUL
 */
size_t cgi_put_page(char p[CGI_PAGE_MAX], unsigned status,
	int64_t retry_after_s, const char *text);

#endif
