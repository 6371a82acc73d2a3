/*
 * cgi_path.c - the file a request names; see cgi.h
 *
 * Pure.  Called by gateway/program.
 */
#include <string.h>

#include "base/util.h"
#include "proto/cgi.h"

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
	const struct fcgi_pair *file = cgi_params_filled(params, "SCRIPT_FILENAME");
	const struct fcgi_pair *part[2] = {file, NULL};
	size_t len = 0, i;
	int status;

	if (!file) {
		part[0] = cgi_params_filled(params, "DOCUMENT_ROOT");
		part[1] = cgi_params_filled(params, "SCRIPT_NAME");
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
