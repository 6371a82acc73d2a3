/*
 * cgi.c - converts FastCGI parameters to a CGI environment; see cgi.h
 *
 * Pure.  Decodes the parameters, selects those that a program may see, and
 * reads the length of the request body.  Called by gateway/request_run and
 * gateway/program.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "base/vec.h"
#include "base/words.h"
#include "proto/cgi.h"

/* FNV-1a: names are few and short, and most repeat from request to request. */
static uint32_t
hash_name(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261U;

	while (len-- > 0)
		h = (h ^ *p++) * 16777619U;
	return h;
}

/* The hash slot of this name, or the free slot where it belongs. */
static size_t
find_slot(const struct cgi_params *params, const uint8_t *name, size_t len)
{
	const size_t mask = ARRAY_SIZE(params->slot) - 1;
	size_t at = hash_name(name, len) & mask;
	const struct fcgi_pair *pair;

	/* The table is never full: it has twice as many slots as pairs. */
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
			*ret_why = "a parameter contains a NUL byte";
			return 400;
		}
		at = find_slot(ret, pair.name, pair.name_len);
		if (!ret->slot[at]) {
			if (ret->n == CGI_PAIRS_MAX) {
				/* Action: A client sent many request headers.
				 * Lower the limits in the web server. */
				*ret_why = "more than 1000 parameters";
				return 431;
			}
			ret->slot[at] = (uint16_t)++ret->n;
		}
		ret->pair[ret->slot[at] - 1] = pair;
	}
	if (len > 0) {
		*ret_why = "the last parameter is incomplete";
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

const struct fcgi_pair *
cgi_params_filled(const struct cgi_params *params, const char *name)
{
	const struct fcgi_pair *pair = cgi_params_find(params, name);

	return pair && pair->value_len ? pair : NULL;
}

void
cgi_params_set(struct cgi_params *params, const char *name, const void *value,
	size_t len)
{
	size_t at = find_slot(params, (const uint8_t *)name, strlen(name));

	if (!params->slot[at]) {
		if (params->n == ARRAY_SIZE(params->pair))
			BUG("too many added parameters");
		params->slot[at] = (uint16_t)++params->n;
	}
	params->pair[params->slot[at] - 1] = (struct fcgi_pair){
		.name = (const uint8_t *)name,
		.name_len = strlen(name),
		.value = value,
		.value_len = len,
	};
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

/* Denied names; a '*' at the end matches any rest. */
static const char *const denied[] = {
	"HTTP_PROXY",			/* CVE-2016-5385 */
	"LD_*", "GLIBC_TUNABLES", "GCONV_PATH", "MALLOC_*",	/* ld.so(8) */
	"RES_OPTIONS", "HOSTALIASES", "LOCALDOMAIN",	/* resolver(3) */
	"PATH", "IFS", "ENV", "BASH_ENV", "BASH_FUNC_*", "SHELLOPTS", "PS4",
	"PERL5*", "PYTHON*", "RUBY*", "NODE_OPTIONS",
	"FCGIPM_*",			/* reserved, see fcgipm-handler(7) */
};

static bool
name_matches(const char *pattern, const char *name, size_t len)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] == '*')
		return len >= n - 1 && memcmp(pattern, name, n - 1) == 0;
	return len == n && memcmp(pattern, name, n) == 0;
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
			return allow && words_hold(allow, name, len);
	return true;
}

/* Does a NULL-terminated list of NAME=VALUE hold this name? */
static bool
env_holds(char *const *list, const char *name, size_t len)
{
	for (; *list; list++)
		if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
			return true;
	return false;
}

/* Caddy sends -1 for a chunked body, without HTTP_TRANSFER_ENCODING. */
static bool
is_unknown_length(const struct fcgi_pair *pair)
{
	return pair->value_len == 2 && memcmp(pair->value, "-1", 2) == 0;
}

/* May the program get this parameter? */
static bool
pair_passes(const struct fcgi_pair *pair, char *const *own, const char *allow,
	unsigned role)
{
	const char *name = (const char *)pair->name;
	size_t len = pair->name_len;

	/* RFC 3875, 4.1.2: "MUST be set if and only if"; web servers send
	 * them empty. */
	if (pair->value_len == 0 &&
		(name_matches("CONTENT_LENGTH", name, len) ||
			name_matches("CONTENT_TYPE", name, len)))
		return false;
	if (is_unknown_length(pair) &&
		name_matches("CONTENT_LENGTH", name, len))
		return false;
	if (role == FCGI_AUTHORIZER && name_matches("FCGI_ROLE", name, len))
		return false;
	return cgi_name_passes(name, len, allow) && !env_holds(own, name, len);
}

/* Does own, or a parameter that passes, replace this variable? */
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
	if (role == FCGI_AUTHORIZER && !env_holds(own, "FCGI_ROLE", 9))
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
	const struct fcgi_pair *pair =
		cgi_params_filled(params, "CONTENT_LENGTH");
	uint64_t n = 0;
	size_t i;

	if (!pair) {
		pair = cgi_params_filled(params, "HTTP_TRANSFER_ENCODING");
		return pair && pair->value_len == 7 &&
				strncasecmp((const char *)pair->value,
					"chunked", 7) == 0 ?
			CGI_BODY_STREAM :
			CGI_BODY_NONE;
	}
	if (is_unknown_length(pair))
		return CGI_BODY_STREAM;
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
