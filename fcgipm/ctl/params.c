/*
 * params.c - encodes the head of a test request; see params.h
 *
 * Called by ctl/call and ctl/bench, and by ctl/ping for its single record.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "ctl/params.h"
#include "proto/fcgi.h"

int
params_add_record(struct buf *out, int type, int id, const void *p, size_t len)
{
	uint8_t head[FCGI_HEADER_LEN];

	fcgi_put_header(head, (enum fcgi_type)type, (uint16_t)id, len, 0);
	if (buf_add(out, head, sizeof(head)) < 0)
		return -1;
	return buf_add(out, p, len);
}

static bool
is_replaced(const struct params *p, const char *name)
{
	size_t len = strlen(name), i;

	for (i = 0; i < p->nextra; i++)
		if (strncmp(p->extra[i], name, len) == 0 &&
			p->extra[i][len] == '=')
			return true;
	return false;
}

static int
add_pair(struct buf *to, const char *name, size_t name_len, const char *value,
	size_t value_len)
{
	size_t size = fcgi_pair_size(name_len, value_len);
	uint8_t *at = size ? buf_reserve(to, size) : NULL;

	if (!at)
		return -1;
	fcgi_put_pair(at, name, name_len, value, value_len);
	buf_commit(to, size);
	return 0;
}

static int
add_own(const struct params *p, struct buf *to, const char *name,
	const char *value, size_t len)
{
	if (is_replaced(p, name))
		return 0;
	return add_pair(to, name, strlen(name), value, len);
}

/* The meta-variables (RFC 3875) that the URL determines. */
static int
add_url(const struct params *p, struct buf *to)
{
	const char *host = "localhost", *path = p->url, *query, *slash;
	size_t host_len = strlen(host), path_len;

	if (strncmp(path, "http://", 7) == 0) {
		host = path + 7;
		host_len = strcspn(host, "/?");
		slash = host + host_len;
		path = *slash ? slash : "/";
	}
	query = strchr(path, '?');
	path_len = query ? (size_t)(query - path) : strlen(path);
	query = query ? query + 1 : "";
	return add_own(p, to, "SERVER_NAME", host, strcspn(host, ":/?")) |
		add_own(p, to, "HTTP_HOST", host, host_len) |
		add_own(p, to, "REQUEST_URI", path, strlen(path)) |
		add_own(p, to, "DOCUMENT_URI", path, path_len) |
		add_own(p, to, "SCRIPT_NAME", path, path_len) |
		add_own(p, to, "QUERY_STRING", query, strlen(query));
}

static int
add_all(const struct params *p, struct buf *to)
{
	static const char *const fixed[][2] = {
		{"GATEWAY_INTERFACE", "CGI/1.1"},
		{"SERVER_PROTOCOL", "HTTP/1.1"},
		{"SERVER_SOFTWARE", "fcgipmctl/" FCGIPM_VERSION},
		{"SERVER_PORT", "80"},
		{"REMOTE_ADDR", "127.0.0.1"},
		{"REMOTE_PORT", "0"},
		/* php-cgi refuses to run without it */
		{"REDIRECT_STATUS", "200"},
	};
	const char *method = p->has_body ? "POST" : "GET";
	char length[32];
	size_t i;
	int rc = 0;

	for (i = 0; i < ARRAY_SIZE(fixed); i++)
		rc |= add_own(p, to, fixed[i][0], fixed[i][1],
			strlen(fixed[i][1]));
	rc |= add_own(p, to, "REQUEST_METHOD", method, strlen(method));
	rc |= add_url(p, to);
	if (p->has_body) {
		snprintf(length, sizeof(length), "%" PRIu64, p->body_bytes);
		rc |= add_own(p, to, "CONTENT_LENGTH", length, strlen(length));
	}
	for (i = 0; i < p->nextra; i++) {
		const char *eq = strchr(p->extra[i], '=');

		rc |= add_pair(to, p->extra[i], (size_t)(eq - p->extra[i]),
			eq + 1, strlen(eq + 1));
	}
	return rc;
}

int
params_encode(const struct params *p, struct buf *out)
{
	struct fcgi_begin begin = {
		.role = FCGI_RESPONDER,
		.flags = p->keep ? FCGI_KEEP_CONN : 0,
	};
	uint8_t body[FCGI_BODY_LEN];
	struct buf pairs;
	size_t n;
	int rc;

	buf_init(&pairs, PARAMS_MAX);
	rc = add_all(p, &pairs);
	fcgi_put_begin(body, &begin);
	rc |= params_add_record(out, FCGI_BEGIN_REQUEST, 1, body,
		sizeof(body));
	while (rc == 0 && pairs.len > 0) {
		n = MIN(pairs.len, (size_t)FCGI_MAX_CONTENT);
		rc = params_add_record(out, FCGI_PARAMS, 1, buf_data(&pairs),
			n);
		buf_consume(&pairs, n);
	}
	if (rc == 0)
		rc = params_add_record(out, FCGI_PARAMS, 1, NULL, 0);
	buf_fini(&pairs);
	return rc ? -1 : 0;
}
