/*
 * fuzz_environment.c - what a request makes of a program's environment
 *
 * The input is text.  Its first byte chooses role and lists, the rest of the
 * first line is cgi.allow_env, and each further line is a parameter, encoded
 * here as NAME=VALUE.  The script's path and the body's length, which follow
 * from the same parameters, are looked at too.
 */
#include <ctype.h>

#include "base/util.h"
#include "base/vec.h"
#include "fuzz.h"
#include "proto/cgi.h"

/* What a client must never set; a '*' ends a prefix. */
static const char *const never[] = {
	"HTTP_PROXY", "LD_*", "GLIBC_TUNABLES", "GCONV_PATH", "PATH", "IFS",
	"ENV", "BASH_ENV", "BASH_FUNC_*", "SHELLOPTS", "PS4", "PERL5*",
	"PYTHON*", "RUBY*", "NODE_OPTIONS", "MALLOC_*", "RES_OPTIONS",
	"HOSTALIASES", "LOCALDOMAIN", "FCGIPM_*",
};
/* RFC 3875, section 4.1: "MUST be set". */
static const char *const always[] = {
	"GATEWAY_INTERFACE", "QUERY_STRING", "REQUEST_METHOD",
	"SERVER_PROTOCOL", "SERVER_SOFTWARE",
};

static char *nothing[] = {NULL};
static char *own_list[] = {"HTTP_PROXY=http://ours/", "REMOTE_USER=",
	"SERVER_SOFTWARE=ours", "FCGI_ROLE=ours", "FCGIPM_POOL=www", "USER=owner", NULL};
static char *base_list[] = {"PATH=/bin", "HOME=/ours", "USER=us", NULL};

struct request {
	unsigned role;
	char *allow;		/* NULL, or text */
	char *const *own, *const *base;
	uint8_t *raw;		/* the encoded parameters */
	size_t raw_len;
};

static bool
list_has(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *at;

	for (at = list; len > 0 && at && (at = strstr(at, name)); at++)
		if ((at == list || strchr(", \t", at[-1])) &&
			strchr(", \t", at[len]))
			return true;
	return false;
}

static bool
is_denied(const char *name, const char *allow)
{
	size_t i;

	if (!(isalpha((unsigned char)*name) || *name == '_'))
		return true;
	for (i = 0; name[i]; i++)
		if (!(isalnum((unsigned char)name[i]) || name[i] == '_'))
			return true;
	for (i = 0; i < ARRAY_SIZE(never); i++) {
		size_t n = strcspn(never[i], "*");

		if (strncmp(never[i], name, n) == 0 &&
			(never[i][n] == '*' || name[n] == '\0'))
			return !list_has(allow, name);
	}
	return false;
}

/* The value in a NULL ended list, NULL when it is not there. */
static const char *
value_of(char *const *list, const char *name)
{
	size_t len = strlen(name);

	for (; *list; list++)
		if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
			return *list + len + 1;
	return NULL;
}

/* What the program has to see as NAME; NULL is: nothing. */
static const char *
expected(const struct request *r, const char *name, const char *sent)
{
	const char *value = value_of(r->own, name);

	if (value)
		return value;
	if (r->role == FCGI_AUTHORIZER && strcmp(name, "FCGI_ROLE") == 0)
		return "AUTHORIZER";
	if (sent && !is_denied(name, r->allow))
		return *sent || strncmp(name, "CONTENT_", 8) != 0 ||
				(strcmp(name, "CONTENT_LENGTH") != 0 &&
					strcmp(name, "CONTENT_TYPE") != 0) ?
			sent :
			NULL;
	return value_of(r->base, name);
}

static bool
is_value(const char *got, const char *want)
{
	return got == want || (got && want && strcmp(got, want) == 0);
}

static void
check_entries(const struct request *r, const struct cgi_params *params,
	struct vec *env)
{
	char **list = vec_array(env), *name, *sent;
	const struct fcgi_pair *pair;
	size_t i, bytes = 0;

	CHECK(list);
	for (i = 0; list[i]; i++) {
		bytes += strlen(list[i]) + 1;
		CHECK(strchr(list[i], '='));
		name = strndup(list[i], strcspn(list[i], "="));
		CHECK(name && !is_denied(name, name));
		/* The first of its name is this one, so it has no double. */
		CHECK(value_of(list, name) == strchr(list[i], '=') + 1);
		pair = cgi_params_find(params, name);
		sent = pair ? strndup((const char *)pair->value,
				      pair->value_len) : NULL;
		if (pair || value_of(r->own, name) || value_of(r->base, name))
			CHECK(is_value(strchr(list[i], '=') + 1,
				expected(r, name, sent)));
		if (is_denied(name, r->allow))
			CHECK(value_of(r->own, name) ||
				value_of(r->base, name));
		free(sent);
		free(name);
	}
	CHECK(i == env->n && bytes == env->len);
	for (i = 0; i < ARRAY_SIZE(always); i++)
		CHECK(value_of(list, always[i]));
	for (i = 0; r->own[i]; i++)
		CHECK(strcmp(list[i], r->own[i]) == 0);
}

/* Nothing that should be there is missing. */
static void
check_parameters(const struct request *r, const struct cgi_params *params,
	char *const *list)
{
	char *name, *sent;
	size_t i;

	for (i = 0; i < params->n; i++) {
		const struct fcgi_pair *pair = &params->pair[i];

		name = strndup((const char *)pair->name, pair->name_len);
		sent = strndup((const char *)pair->value, pair->value_len);
		CHECK(name && sent);
		CHECK(cgi_name_passes(name, strlen(name), r->allow) ==
			!is_denied(name, r->allow));
		/* A name with a '=' is none, whatever a search finds. */
		if (!strchr(name, '='))
			CHECK(is_value(value_of(list, name),
				expected(r, name, sent)));
		free(name);
		free(sent);
	}
}

/* No empty, "." or ".." between the slashes, nor behind the last one. */
static bool
is_plain(const char *path)
{
	const char *at = path;
	size_t n;

	do {
		if (*at != '/')
			return false;
		n = strcspn(++at, "/");
		if (n == 0 || (n == 1 && *at == '.') ||
			(n == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		at += n;
	} while (*at);
	return true;
}

/* A plain path, and read again it is the same. */
static void
check_path(const struct cgi_params *params, size_t size)
{
	static struct cgi_params again;
	char *path = malloc(size), *second = malloc(size);
	const char *why = NULL;
	uint8_t *raw, *end;
	int status;

	CHECK(path && second);
	status = cgi_script_path(params, path, size, &why);
	CHECK(status == 0 || status == 403 || status == 404);
	CHECK((status != 0) == (why != NULL));
	if (status == 0) {
		CHECK(memchr(path, '\0', size));
		CHECK(is_plain(path));
		raw = malloc(fcgi_pair_size(15, strlen(path)));
		CHECK(raw);
		end = fcgi_put_pair(raw, "SCRIPT_FILENAME", 15, path,
			strlen(path));
		CHECK(cgi_params_decode(raw, (size_t)(end - raw), &again,
			      &why) == 0);
		CHECK(cgi_script_path(&again, second, size, &why) == 0);
		CHECK(strcmp(path, second) == 0);
		free(raw);
	}
	free(path);
	free(second);
}

static void
check_body(const struct cgi_params *params)
{
	const struct fcgi_pair *pair =
		cgi_params_find(params, "CONTENT_LENGTH");
	uint64_t len = UINT64_MAX;
	enum cgi_body kind = cgi_body_length(params, &len);
	char *text, *digits;

	CHECK((kind == CGI_BODY_LENGTH) == (len != UINT64_MAX));
	if (!pair || !pair->value_len) {
		CHECK(kind == CGI_BODY_NONE || kind == CGI_BODY_STREAM);
		return;
	}
	text = strndup((const char *)pair->value, pair->value_len);
	CHECK(text);
	if (text[strspn(text, "0123456789")] || strlen(text) > 18) {
		CHECK(kind == CGI_BODY_INVALID);
	} else {
		digits = text + strspn(text, "0");
		CHECK(kind == (*digits ? CGI_BODY_LENGTH : CGI_BODY_NONE));
		if (*digits)
			CHECK(strtoull(digits, NULL, 10) == len);
	}
	free(text);
}

/* The input's text as a request. */
static void
read_request(struct request *r, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len, *lf, *equals;
	const uint8_t choice = len > 0 ? *data++ : 0;
	uint8_t *at;

	lf = data < end ? memchr(data, '\n', (size_t)(end - data)) : NULL;
	lf = lf ? lf : end;
	*r = (struct request){
		.role = choice & 1 ? FCGI_AUTHORIZER : FCGI_RESPONDER,
		.own = choice & 2 ? own_list : nothing,
		.base = choice & 4 ? base_list : nothing,
		.allow = choice & 8 ?
			strndup((const char *)data, (size_t)(lf - data)) :
			NULL,
		/* Two lengths of 4 bytes for, at least, a line's end. */
		.raw = malloc(9 * len + 9),
	};
	CHECK(r->raw && (r->allow || !(choice & 8)));
	at = r->raw;
	while (lf < end) {
		data = lf + 1;
		lf = data < end ? memchr(data, '\n', (size_t)(end - data)) :
				  NULL;
		lf = lf ? lf : end;
		equals = data < lf ? memchr(data, '=', (size_t)(lf - data)) :
				     NULL;
		/* A line of "==" is the name with a '=', for once. */
		if (equals && equals + 1 < lf && equals[1] == '=')
			equals++;
		at = fcgi_put_pair(at, data,
			(size_t)((equals ? equals : lf) - data),
			equals ? equals + 1 : lf,
			equals ? (size_t)(lf - equals) - 1 : 0);
	}
	r->raw_len = (size_t)(at - r->raw);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct cgi_params params;
	struct request r;
	struct vec env;
	const char *why;

	read_request(&r, data, len);
	if (cgi_params_decode(r.raw, r.raw_len, &params, &why) == 0) {
		vec_init(&env);
		cgi_build_env(&params, r.own, r.base, r.allow, r.role, &env);
		check_entries(&r, &params, &env);
		check_parameters(&r, &params, vec_array(&env));
		vec_fini(&env);
		check_path(&params, 4096);
		check_path(&params, 16);
		check_body(&params);
	}
	free(r.raw);
	free(r.allow);
	return 0;
}
