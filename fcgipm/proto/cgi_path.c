/*
 * cgi_path.c - derives the script's path and PATH_INFO; see cgi.h
 *
 * Pure: works on text only, gateway/locate opens the file.  Called by
 * gateway/program.
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

/* Removes what mod_proxy_fcgi adds before and after a file's path. */
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

/* The parts of a path: SCRIPT_FILENAME, or DOCUMENT_ROOT and SCRIPT_NAME. */
struct parts {
	const char *p[2], *end[2];	/* unread rest of each part */
	size_t n;
};

static int
find_parts(const struct cgi_params *params, struct parts *ret,
	const char **ret_why)
{
	const struct fcgi_pair *pair[2] = {
		cgi_params_filled(params, "SCRIPT_FILENAME"), NULL};
	size_t i;

	ret->n = 1;
	if (!pair[0]) {
		pair[0] = cgi_params_filled(params, "DOCUMENT_ROOT");
		pair[1] = cgi_params_filled(params, "SCRIPT_NAME");
		ret->n = 2;
		if (!pair[0] || !pair[1]) {
			*ret_why = "the request names no script; configure the "
				   "web server to send SCRIPT_FILENAME";
			return 404;
		}
	}
	for (i = 0; i < ret->n; i++) {
		ret->p[i] = (const char *)pair[i]->value;
		ret->end[i] = ret->p[i] + pair[i]->value_len;
		unwrap_apache(&ret->p[i], &ret->end[i]);
		if (*ret->p[i] == '/')
			continue;
		*ret_why = pair[i]->value_len > 6 &&
				memcmp(ret->p[i], "proxy:", 6) == 0 ?
			"SCRIPT_FILENAME has Apache's proxy: prefix, but no "
			"path; use SetHandler \"proxy:unix:/path/of.sock|"
			"fcgi://localhost\"" :
			"the script's path does not begin with /; configure "
			"the web server to send an absolute SCRIPT_FILENAME";
		return 404;
	}
	return 0;
}

/* Finds the next segment that is not empty and not "."; false after the
 * last. */
static bool
next_segment(const char **p, const char *end, const char **ret, size_t *ret_n)
{
	const char *slash;
	size_t n;

	while (*p < end) {
		*ret = *p;
		slash = memchr(*p, '/', (size_t)(end - *p));
		n = (size_t)((slash ? slash : end) - *p);
		*p += n;
		if (n > 0 && !(n == 1 && **ret == '.')) {
			*ret_n = n;
			return true;
		}
		if (slash)
			(*p)++;
	}
	return false;
}

int
cgi_script_path(const struct cgi_params *params, char *buf, size_t size,
	const char **ret_why)
{
	const char *segment;
	struct parts parts;
	size_t len = 0, n, i;
	int status = find_parts(params, &parts, ret_why);

	for (i = 0; !status && i < parts.n; i++)
		while (next_segment(&parts.p[i], parts.end[i], &segment, &n)) {
			if (n == 2 && memcmp(segment, "..", 2) == 0) {
				/* Action: Correct the rule of the web server
				 * that produces such a path. */
				*ret_why = "the script's path contains \"..\"";
				return 403;
			}
			if (n + 2 > size - len) {
				*ret_why = "the script's path is too long";
				return 404;
			}
			buf[len++] = '/';
			memcpy(buf + len, segment, n);
			len += n;
		}
	if (status)
		return status;
	if (len == 0) {
		*ret_why = "the script's path names no file";
		return 404;
	}
	buf[len] = '\0';
	return 0;
}

/* Sets a parameter to first followed by second; 0, or a status and why. */
static int
set_joined(struct cgi_params *params, const char *name,
	const struct fcgi_pair *first, const char *second, size_t second_len,
	char *buf, size_t size, const char **ret_why)
{
	size_t len = first->value_len;

	/* second begins with the slash between them. */
	while (len > 0 && first->value[len - 1] == '/')
		len--;
	if (len > size || second_len > size - len) {
		*ret_why = "the script's path is too long";
		return 404;
	}
	memcpy(buf, first->value, len);
	memcpy(buf + len, second, second_len);
	cgi_params_set(params, name, buf, len + second_len);
	return 0;
}

/* Sets PATH_INFO to the rest of the path after the script. */
static int
set_path_info(struct cgi_params *params, const char *info, size_t len,
	char *buf, size_t size, const char **ret_why)
{
	const struct fcgi_pair *name = cgi_params_filled(params,
		"SCRIPT_NAME");
	const struct fcgi_pair *root = cgi_params_filled(params,
		"DOCUMENT_ROOT");

	if (name && name->value_len >= len &&
		memcmp(name->value + name->value_len - len, info, len) == 0)
		cgi_params_set(params, "SCRIPT_NAME", name->value,
			name->value_len - len);
	cgi_params_set(params, "PATH_INFO", info, len);
	return root ? set_joined(params, "PATH_TRANSLATED", root, info, len,
			      buf, size, ret_why) : 0;
}

int
cgi_set_script(struct cgi_params *params, const char *path, bool split,
	char *buf, size_t size, const char **ret_why)
{
	const struct fcgi_pair *name;
	const char *segment, *slash;
	struct parts parts;
	size_t left = 0, i = 0, n;
	int status = find_parts(params, &parts, ret_why);

	if (status)
		return status;
	for (slash = path; *slash; slash++)
		left += *slash == '/';
	while (left > 0 && i < parts.n) {
		if (next_segment(&parts.p[i], parts.end[i], &segment, &n))
			left--;
		else
			i++;
	}
	cgi_params_set(params, "SCRIPT_FILENAME", path, strlen(path));
	if (left > 0) {
		/* The request names the directory; path is its index. */
		name = cgi_params_filled(params, "SCRIPT_NAME");
		slash = strrchr(path, '/');
		return name ? set_joined(params, "SCRIPT_NAME", name, slash,
				      strlen(slash), buf, size, ret_why) : 0;
	}
	i = parts.n - 1;
	n = (size_t)(parts.end[i] - parts.p[i]);
	return split && n > 0 ? set_path_info(params, parts.p[i], n, buf, size,
					ret_why) : 0;
}
