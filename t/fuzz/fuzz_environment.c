/*
 * fuzz_environment.c - fuzzes the conversion of parameters to an environment
 *
 * The input is text.  Its first byte selects role and lists, the rest of the
 * first line is cgi.allow_env, and each further line is a parameter, encoded
 * here as NAME=VALUE.  The script path, the result of cgi_set_script(), and the
 * length of the body depend on the same parameters and are checked, too.
 */
#include <ctype.h>

#include "base/util.h"
#include "base/vec.h"
#include "fuzz.h"
#include "proto/cgi.h"

/* Names that a client must not set; a '*' ends a prefix. */
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

static const char *const nothing[] = {NULL};
static const char *const own_list[] = {"HTTP_PROXY=http://ours/", "REMOTE_USER=",
	"SERVER_SOFTWARE=ours", "FCGI_ROLE=ours", "FCGIPM_POOL=www",
	"USER=owner", NULL};
static const char *const base_list[] = {"PATH=/bin", "HOME=/ours", "USER=us", NULL};

struct request {
	unsigned role;
	char *allow;		/* NULL, or text */
	const char *const *own, *const *base;
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

/* Returns the value in a list that ends with NULL; NULL if it is missing. */
static const char *
value_of(const char *const *list, const char *name)
{
	size_t len = strlen(name);

	for (; *list; list++)
		if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
			return *list + len + 1;
	return NULL;
}

/* Returns what the program must see as NAME; NULL = nothing. */
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
	const char *const *got = (const char *const *)list;
	const struct fcgi_pair *pair;
	size_t i, bytes = 0;

	CHECK(list);
	for (i = 0; list[i]; i++) {
		bytes += strlen(list[i]) + 1;
		CHECK(strchr(list[i], '='));
		name = strndup(list[i], strcspn(list[i], "="));
		CHECK(name && !is_denied(name, name));
		/* This is the first entry of its name, so there is no second
		 * one. */
		CHECK(value_of(got, name) == strchr(list[i], '=') + 1);
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
		CHECK(value_of(got, always[i]));
	for (i = 0; r->own[i]; i++)
		CHECK(strcmp(list[i], r->own[i]) == 0);
}

/* Asserts that no expected variable is missing. */
static void
check_parameters(const struct request *r, const struct cgi_params *params,
	const char *const *got)
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
		/* A name with a '=' is not a variable, whatever a search
		 * finds. */
		if (!strchr(name, '='))
			CHECK(is_value(value_of(got, name),
				expected(r, name, sent)));
		free(name);
		free(sent);
	}
}

static void
check_environment(const struct request *r, const struct cgi_params *params)
{
	struct vec env;

	vec_init(&env);
	cgi_build_env(params, (char *const *)r->own, (char *const *)r->base,
		r->allow, r->role, &env);
	check_entries(r, params, &env);
	check_parameters(r, params, (const char *const *)vec_array(&env));
	vec_fini(&env);
}

/* Returns whether no part between the slashes, or after the last one, is empty,
 * "." or "..". */
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

/* Asserts the result for a SCRIPT_FILENAME of two parts. */
static void
expect_path(const char *first, const char *second, size_t second_len,
	const char *want)
{
	static struct cgi_params params;
	size_t len = strlen(first);
	uint8_t *value = malloc(len + second_len + 1);
	size_t size = strlen(want) + 1;
	char *path = malloc(size);
	const char *why;

	CHECK(value && path);
	memcpy(value, first, len);
	memcpy(value + len, second, second_len);
	CHECK(cgi_params_decode(NULL, 0, &params, &why) == 0);
	cgi_params_set(&params, "SCRIPT_FILENAME", value, len + second_len);
	CHECK(cgi_script_path(&params, path, size, &why) == 0);
	CHECK(strcmp(path, want) == 0);
	free(value);
	free(path);
}

/* Returns the path that a request names, to be freed; NULL if it names none. */
static char *
check_path(const struct cgi_params *params, size_t size)
{
	char *path = malloc(size);
	const char *why = NULL;
	int status;

	CHECK(path);
	status = cgi_script_path(params, path, size, &why);
	CHECK(status == 0 || status == 403 || status == 404);
	CHECK((status != 0) == (why != NULL));
	if (status != 0) {
		free(path);
		return NULL;
	}
	CHECK(memchr(path, '\0', size));
	CHECK(is_plain(path));
	expect_path(path, "", 0, path);
	return path;
}

/* Returns whether first, without its last slashes, equals second. */
static bool
is_joined(const struct fcgi_pair *pair, const struct fcgi_pair *first,
	const void *second, size_t len)
{
	size_t n = first->value_len;

	while (n > 0 && first->value[n - 1] == '/')
		n--;
	return pair && pair->value_len == n + len &&
		memcmp(pair->value, first->value, n) == 0 &&
		memcmp(pair->value + n, second, len) == 0;
}

static bool
is_same(const struct cgi_params *a, const struct cgi_params *b,
	const char *name)
{
	const struct fcgi_pair *pa = cgi_params_find(a, name);
	const struct fcgi_pair *pb = cgi_params_find(b, name);

	return pa && pb ? pa->value == pb->value &&
				  pa->value_len == pb->value_len :
			  pa == pb;
}

/* Asserts that PATH_INFO is the rest after the file, and that both together are
 * path. */
static void
check_split(const struct cgi_params *old, const struct cgi_params *new,
	const char *file, const char *path)
{
	const struct fcgi_pair *info = cgi_params_find(new, "PATH_INFO");
	const struct fcgi_pair *root = cgi_params_filled(old, "DOCUMENT_ROOT");
	const struct fcgi_pair *name = cgi_params_filled(old, "SCRIPT_NAME");
	const struct fcgi_pair *rest = cgi_params_find(new, "SCRIPT_NAME");

	if (is_same(old, new, "PATH_INFO")) {
		CHECK(strcmp(file, path) == 0);
		CHECK(is_same(old, new, "SCRIPT_NAME"));
		CHECK(is_same(old, new, "PATH_TRANSLATED"));
		return;
	}
	CHECK(info && info->value_len > 0 && info->value[0] == '/');
	if (cgi_params_filled(old, "SCRIPT_FILENAME"))
		expect_path(file, (const char *)info->value, info->value_len,
			path);
	if (root)
		CHECK(is_joined(cgi_params_find(new, "PATH_TRANSLATED"), root,
			info->value, info->value_len));
	else
		CHECK(is_same(old, new, "PATH_TRANSLATED"));
	if (name && name->value_len >= info->value_len &&
		memcmp(name->value + name->value_len - info->value_len,
			info->value, info->value_len) == 0)
		CHECK(rest->value_len == name->value_len - info->value_len &&
			memcmp(rest->value, name->value, rest->value_len) == 0);
	else
		CHECK(is_same(old, new, "SCRIPT_NAME"));
}

/* Asserts the result if file was found: it is path, or a prefix of it. */
static void
check_script(const struct request *r, const struct cgi_params *old,
	const char *file, const char *path, bool split, size_t size)
{
	static const char *const touched[] = {"SCRIPT_FILENAME", "SCRIPT_NAME",
		"PATH_INFO", "PATH_TRANSLATED"};
	static struct cgi_params new;
	const struct fcgi_pair *pair;
	const char *why = NULL;
	char *joined = malloc(size);
	size_t i, j;

	CHECK(joined);
	CHECK(cgi_params_decode(r->raw, r->raw_len, &new, &why) == 0);
	if (cgi_set_script(&new, file, split, joined, size, &why) != 0) {
		CHECK(why && size < r->raw_len + strlen(file));
		free(joined);
		return;
	}
	pair = cgi_params_find(&new, "SCRIPT_FILENAME");
	CHECK(pair && pair->value_len == strlen(file));
	CHECK(memcmp(pair->value, file, pair->value_len) == 0);
	for (i = 0; i < old->n; i++) {
		pair = &old->pair[i];
		for (j = 0; j < ARRAY_SIZE(touched); j++)
			if (pair->name_len == strlen(touched[j]) &&
				memcmp(pair->name, touched[j],
					pair->name_len) == 0)
				break;
		if (j == ARRAY_SIZE(touched))
			CHECK(memcmp(&new.pair[i], pair, sizeof(*pair)) == 0);
	}
	pair = cgi_params_filled(old, "SCRIPT_NAME");
	if (strlen(file) > strlen(path)) {
		CHECK(is_same(old, &new, "PATH_INFO"));
		if (pair)
			CHECK(is_joined(cgi_params_find(&new, "SCRIPT_NAME"),
				pair, strrchr(file, '/'),
				strlen(strrchr(file, '/'))));
	} else if (split) {
		check_split(old, &new, file, path);
	} else {
		CHECK(is_same(old, &new, "PATH_INFO"));
		CHECK(is_same(old, &new, "SCRIPT_NAME"));
	}
	check_environment(r, &new);
	free(joined);
}

static void
check_scripts(const struct request *r, const struct cgi_params *params,
	const char *path)
{
	size_t size = strlen(path) + sizeof("/index.cgi");
	char *file = malloc(size), *slash;

	CHECK(file);
	snprintf(file, size, "%s/index.cgi", path);
	check_script(r, params, file, path, false, 4096);
	check_script(r, params, file, path, true, 16);
	/* Every directory of it could be the script. */
	while ((slash = strrchr(file, '/')) != file) {
		*slash = '\0';
		check_script(r, params, file, path, true, 4096);
		check_script(r, params, file, path, false, 16);
	}
	free(file);
}

/* Some digits or none; see cgi_body_length(). */
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

/* Converts the text of the input to a request. */
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
		/* Two lengths of 4 bytes for at least the end of a line. */
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
		/* A line of "==" is a name with a '='. */
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
	const char *why;
	char *path;

	read_request(&r, data, len);
	if (cgi_params_decode(r.raw, r.raw_len, &params, &why) == 0) {
		check_environment(&r, &params);
		check_body(&params);
		free(check_path(&params, 16));
		path = check_path(&params, 4096);
		if (path)
			check_scripts(&r, &params, path);
		free(path);
	}
	free(r.raw);
	free(r.allow);
	return 0;
}
