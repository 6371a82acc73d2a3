/*
 * test_cgi.c - meta-variables, answer headers and error pages (RFC 3875)
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "base/vec.h"
#include "proto/cgi.h"

static struct cgi_params params;
static uint8_t raw[CGI_PARAMS_MAX];

/* Decodes NAME, VALUE, NAME, VALUE, ..., NULL. */
static int
decode(const char *const *list)
{
	uint8_t *end = raw;
	const char *why = NULL;
	int status;

	for (; *list; list += 2)
		end = fcgi_put_pair(end, list[0], strlen(list[0]), list[1],
			strlen(list[1]));
	status = cgi_params_decode(raw, (size_t)(end - raw), &params, &why);
	cr_expect_eq(status != 0, why != NULL);
	return status;
}

#define DECODE(...) decode((const char *const[]){__VA_ARGS__, NULL})

static void
expect_param(const char *name, const char *value)
{
	const struct fcgi_pair *pair = cgi_params_find(&params, name);

	cr_assert_not_null(pair, "%s", name);
	cr_expect_eq(pair->value_len, strlen(value), "%s", name);
	cr_expect_eq(memcmp(pair->value, value, strlen(value)), 0, "%s", name);
}

Test(cgi, finds_parameters_and_the_last_of_duplicates)
{
	cr_assert_eq(DECODE("A", "1", "B", "2", "A", "3", "", "empty"), 0);
	cr_expect_eq(params.n, 3);
	expect_param("A", "3");
	expect_param("B", "2");
	expect_param("", "empty");
	cr_expect_null(cgi_params_find(&params, "C"));
	cr_expect_null(cgi_params_find(&params, "AB"));
}

Test(cgi, refuses_invalid_parameters)
{
	static const struct {
		const char *why;
		const char *bytes;
		size_t len;
		int want;
	} rows[] = {
		{"none at all", "", 0, 0},
		{"a length alone", "\1", 1, 400},
		{"cut in the value", "\1\3ABC", 5, 400},
		{"cut after a whole pair", "\1\1AB\1", 5, 400},
		{"lengths of 2^31-1", "\377\377\377\377\377\377\377\377", 8,
			400},
		{"NUL in a value", "\1\3Aa\0b", 6, 400},
		{"NUL in a name", "\3\1A\0Bx", 6, 400},
	};
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(cgi_params_decode((const uint8_t *)rows[i].bytes,
				     rows[i].len, &params, &why),
			rows[i].want, "%s", rows[i].why);
}

Test(cgi, accepts_at_most_1000_parameters)
{
	uint8_t *end = raw;
	const char *why;
	char name[16];
	unsigned i;

	for (i = 0; i <= CGI_PAIRS_MAX; i++) {
		snprintf(name, sizeof(name), "N%u", i);
		if (i == CGI_PAIRS_MAX) {
			cr_expect_eq(cgi_params_decode(raw,
					     (size_t)(end - raw), &params,
					     &why), 0);
			expect_param("N0", "N0");
			expect_param("N999", "N999");
			cgi_params_set(&params, "N0", "new", 3);
			cgi_params_set(&params, "ADDED", "1", 1);
			expect_param("N0", "new");
			expect_param("ADDED", "1");
		}
		end = fcgi_put_pair(end, name, strlen(name), name,
			strlen(name));
	}
	cr_expect_eq(cgi_params_decode(raw, (size_t)(end - raw), &params, &why),
		431);
}

Test(cgi, denies_names_that_control_programs)
{
	static const struct {
		const char *name;
		bool passes;
	} rows[] = {
		{"HTTP_PROXY", false},	/* CVE-2016-5385 */
		{"HTTP_PROXY_", true},
		{"HTTP_HOST", true},
		{"LD_PRELOAD", false},
		{"LD_", false},
		{"LDAP", true},
		{"GLIBC_TUNABLES", false},
		{"GCONV_PATH", false},
		{"PATH", false},
		{"PATH_INFO", true},
		{"IFS", false},
		{"ENV", false},
		{"BASH_ENV", false},
		{"BASH_FUNC_x", false},
		{"BASH_FUNC_ls%%", false},	/* CVE-2014-6271 */
		{"SHELLOPTS", false},
		{"PS4", false},
		{"PERL5LIB", false},
		{"PERL5OPT", false},
		{"PYTHONPATH", false},
		{"PYTHONSTARTUP", false},
		{"RUBYOPT", false},
		{"RUBYLIB", false},
		{"NODE_OPTIONS", false},
		{"MALLOC_CHECK_", false},
		{"RES_OPTIONS", false},
		{"HOSTALIASES", false},
		{"LOCALDOMAIN", false},
		{"FCGIPM_POOL", false},
		{"", false},
		{"1A", false},
		{"A-B", false},
		{"A B", false},
		{"A=B", false},
		{"\303\244", false},
		{"_", true},
		{"_a1", true},
		{"GIT_PROJECT_ROOT", true},
		{"GIT_HTTP_EXPORT_ALL", true},
		{"CGIT_CONFIG", true},
		{"REMOTE_USER", true},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(cgi_name_passes(rows[i].name,
				     strlen(rows[i].name), NULL),
			rows[i].passes, "\"%s\"", rows[i].name);
}

Test(cgi, allows_listed_names)
{
	static const char list[] = " PERL5LIB,  PYTHONPATH A-B ";

	cr_expect(cgi_name_passes("PERL5LIB", 8, list));
	cr_expect(cgi_name_passes("PYTHONPATH", 10, list));
	cr_expect_not(cgi_name_passes("PERL5OPT", 8, list));
	cr_expect_not(cgi_name_passes("PERL5", 5, list),
		"a prefix of a listed name");
	cr_expect_not(cgi_name_passes("LD_PRELOAD", 10, ""));
	cr_expect_not(cgi_name_passes("A-B", 3, list),
		"not an identifier");
}

/* The environment, one variable a line. */
static const char *
env_text(const char *const *own, const char *const *base, const char *allow,
	unsigned role)
{
	static char text[1024];
	struct vec env;
	char **v;

	vec_init(&env);
	cgi_build_env(&params, (char *const *)own, (char *const *)base, allow,
		role, &env);
	text[0] = '\0';
	for (v = vec_array(&env); *v; v++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"%s\n", *v);
	vec_fini(&env);
	return text;
}

static const char *nothing[] = {NULL};

#define DEFAULTS                                                               \
	"GATEWAY_INTERFACE=CGI/1.1\nQUERY_STRING=\nREQUEST_METHOD=GET\n"       \
	"SERVER_PROTOCOL=HTTP/1.0\nSERVER_SOFTWARE=fcgipm/" FCGIPM_VERSION "\n"

Test(cgi, sets_the_variables_that_rfc_3875_requires)
{
	cr_assert_eq(DECODE("X", ""), 0);
	cr_expect_str_eq(env_text(nothing, nothing, NULL, FCGI_RESPONDER),
		DEFAULTS "X=\n");
	cr_assert_eq(DECODE("REQUEST_METHOD", "POST", "SERVER_PROTOCOL",
			     "HTTP/2.0", "GATEWAY_INTERFACE", "CGI/1.2",
			     "QUERY_STRING", "a=b", "SERVER_SOFTWARE", "n/1"),
		0);
	cr_expect_str_eq(env_text(nothing, nothing, NULL, FCGI_RESPONDER),
		"REQUEST_METHOD=POST\nSERVER_PROTOCOL=HTTP/2.0\n"
		"GATEWAY_INTERFACE=CGI/1.2\nQUERY_STRING=a=b\n"
		"SERVER_SOFTWARE=n/1\n", "sent values are kept");
}

Test(cgi, drops_denied_and_empty_variables)
{
	cr_assert_eq(DECODE("CONTENT_LENGTH", "", "CONTENT_TYPE", "",
			     "LD_PRELOAD", "x", "A-B", "x", "PATH", "x"), 0);
	cr_expect_str_eq(env_text(nothing, nothing, "LD_PRELOAD",
				 FCGI_RESPONDER),
		DEFAULTS "LD_PRELOAD=x\n");
	cr_assert_eq(DECODE("CONTENT_LENGTH", "0", "CONTENT_TYPE", "a/b"), 0);
	cr_expect_str_eq(env_text(nothing, nothing, NULL, FCGI_RESPONDER),
		DEFAULTS "CONTENT_LENGTH=0\nCONTENT_TYPE=a/b\n");
}

Test(cgi, own_variables_replace_parameters_which_replace_base)
{
	const char *own[] = {"ROOT=/srv", "SERVER_SOFTWARE=mine", "LANG=C",
		NULL};
	const char *base[] = {"PATH=/bin", "HOME=/base", "USER=base",
		"LANG=de", NULL};

	cr_assert_eq(DECODE("ROOT", "/evil", "HOME", "/client", "PATH",
			     "/evil", "ROO", "1"), 0);
	cr_expect_str_eq(env_text(own, base, NULL, FCGI_RESPONDER),
		"ROOT=/srv\nSERVER_SOFTWARE=mine\nLANG=C\nPATH=/bin\n"
		"USER=base\n"
		"GATEWAY_INTERFACE=CGI/1.1\nQUERY_STRING=\n"
		"REQUEST_METHOD=GET\nSERVER_PROTOCOL=HTTP/1.0\n"
		"HOME=/client\nROO=1\n");
}

Test(cgi, an_authorizer_gets_its_role)
{
	static const char *own[] = {"FCGI_ROLE=mine", NULL};

	cr_assert_eq(DECODE("FCGI_ROLE", "RESPONDER"), 0);
	cr_expect_str_eq(env_text(nothing, nothing, NULL, FCGI_AUTHORIZER),
		"FCGI_ROLE=AUTHORIZER\n" DEFAULTS);
	cr_expect_str_eq(env_text(nothing, nothing, NULL, FCGI_RESPONDER),
		DEFAULTS "FCGI_ROLE=RESPONDER\n");
	cr_expect_str_eq(env_text(own, nothing, NULL, FCGI_AUTHORIZER),
		"FCGI_ROLE=mine\n" DEFAULTS, "not set twice");
}

Test(cgi, reads_content_length)
{
	static const struct {
		const char *why;
		const char *name, *value;
		enum cgi_body want;
		uint64_t len;
	} rows[] = {
		{"absent", "X", "1", CGI_BODY_NONE, 0},
		{"empty", "CONTENT_LENGTH", "", CGI_BODY_NONE, 0},
		{"0", "CONTENT_LENGTH", "0", CGI_BODY_NONE, 0},
		{"a number", "CONTENT_LENGTH", "10", CGI_BODY_LENGTH, 10},
		{"leading zeros", "CONTENT_LENGTH", "0012", CGI_BODY_LENGTH,
			12},
		{"above 32 bits", "CONTENT_LENGTH", "4294967296",
			CGI_BODY_LENGTH, 4294967296},
		{"18 digits", "CONTENT_LENGTH", "999999999999999999",
			CGI_BODY_LENGTH, 999999999999999999},
		{"above 63 bits", "CONTENT_LENGTH", "9223372036854775808",
			CGI_BODY_INVALID, 0},
		{"33 digits", "CONTENT_LENGTH",
			"100000000000000000000000000000000", CGI_BODY_INVALID,
			0},
		{"negative", "CONTENT_LENGTH", "-2", CGI_BODY_INVALID, 0},
		{"negative, longer", "CONTENT_LENGTH", "-10", CGI_BODY_INVALID,
			0},
		{"unknown length, from Caddy", "CONTENT_LENGTH", "-1",
			CGI_BODY_STREAM, 0},
		{"a sign", "CONTENT_LENGTH", "+1", CGI_BODY_INVALID, 0},
		{"a blank", "CONTENT_LENGTH", "1 ", CGI_BODY_INVALID, 0},
		{"hexadecimal", "CONTENT_LENGTH", "0x10", CGI_BODY_INVALID, 0},
		{"two numbers", "CONTENT_LENGTH", "1, 1", CGI_BODY_INVALID, 0},
		{"chunked", "HTTP_TRANSFER_ENCODING", "Chunked",
			CGI_BODY_STREAM, 0},
		{"another coding", "HTTP_TRANSFER_ENCODING", "gzip",
			CGI_BODY_NONE, 0},
	};
	uint64_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(DECODE(rows[i].name, rows[i].value), 0);
		len = 0;
		cr_expect_eq(cgi_body_length(&params, &len), rows[i].want,
			"%s", rows[i].why);
		cr_expect_eq(len, rows[i].len, "%s", rows[i].why);
	}
	cr_assert_eq(DECODE("CONTENT_LENGTH", "5", "HTTP_TRANSFER_ENCODING",
			     "chunked"), 0);
	cr_expect_eq(cgi_body_length(&params, &len), CGI_BODY_LENGTH,
		"CONTENT_LENGTH has priority");
}

static const struct header_row {
	const char *why;
	const char *text;
	int body;		/* offset of the body, -1 = refused */
	unsigned status;
} headers[] = {
	{"LF", "Content-Type: a/b\n\nbody", 19, 0},
	{"CRLF", "Content-Type: a/b\r\n\r\nbody", 21, 0},
	{"CRLF, then LF", "A: b\r\n\nbody", 7, 0},
	{"LF, then CRLF", "A: b\n\r\nbody", 7, 0},
	{"no blank after the colon", "A:b\n\n", 5, 0},
	{"empty value", "A:\n\n", 4, 0},
	{"empty value, CRLF", "A:\r\n\r\n", 6, 0},
	{"a colon in the value", "Location: http://x/\n\n", 21, 0},
	{"8 bit value", "A: \303\244\n\n", 7, 0},
	{"a body of line ends", "A: b\n\n\n\n", 6, 0},
	{"status", "Status: 404 Not Found\n\n", 23, 404},
	{"status without text", "Status: 204\r\n\r\n", 15, 204},
	{"status in lower case", "status:404\n\n", 12, 404},
	{"status and a tab", "Status:\t301\tMoved\n\n", 19, 301},
	{"a longer name", "Statuses: x\n\n", 13, 0},
	{"a shorter name", "Stat: x\n\n", 9, 0},
	{"status in line 2", "A: b\nStatus: 500\n\n", 18, 500},
	{"status twice: the last", "Status: 200\nStatus: 404\n\n", 25, 404},
	{"status is not a number", "Status: OK\n\n", -1, 0},
	{"status empty", "Status:\n\n", -1, 0},
	{"status of 2 digits", "Status: 20\n\n", -1, 0},
	{"status of 4 digits", "Status: 2000\n\n", -1, 0},
	{"status below 100", "Status: 099\n\n", -1, 0},
	{"status and a letter", "Status: 200OK\n\n", -1, 0},
	{"empty line first", "\nbody", -1, 0},
	{"empty CRLF line first", "\r\nbody", -1, 0},
	{"no header", "Hello world\n", -1, 0},
	{"an HTML page", "<html>\n", -1, 0},
	{"a status line", "HTTP/1.1 200 OK\r\n\r\n", -1, 0},
	{"line without colon", "A: b\nfoo\n\n", -1, 0},
	{"blank before the colon", "A: b\nfoo : x\n\n", -1, 0},
	{"folded line", "A: b\n c\n\n", -1, 0},
	{"no name", ": x\n\n", -1, 0},
	{"no name in line 2", "A: b\n: x\n\n", -1, 0},
	{"CR inside a value", "A: b\rc\n\n", -1, 0},
	{"CR CR LF", "A: b\r\r\n\n", -1, 0},
	{"CR without LF in the empty line", "A: b\n\rx", -1, 0},
	{"CR in a name", "A: b\nfoo\r\n\n", -1, 0},
};

/* Parses in two pieces.  Returns the body's offset, -1 refused, -2 not
 * finished. */
static int
scan(const char *text, size_t cut, size_t max, struct cgi_header *h)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t len = strlen(text), used = 0;
	enum cgi_scan got;

	cgi_header_init(h, max);
	got = cgi_header_scan(h, p, cut, &used);
	if (got == CGI_SCAN_DONE)
		return (int)used;
	if (got == CGI_SCAN_MORE)
		got = cgi_header_scan(h, p + cut, len - cut, &used);
	if (got == CGI_SCAN_BAD)
		return -1;
	return got == CGI_SCAN_DONE ? (int)(cut + used) : -2;
}

Test(cgi, parses_headers_in_two_pieces)
{
	struct cgi_header h;
	size_t i, cut;
	int got;

	for (i = 0; i < ARRAY_SIZE(headers); i++) {
		const struct header_row *row = &headers[i];

		for (cut = 0; cut <= strlen(row->text); cut++) {
			got = scan(row->text, cut, 1000, &h);
			cr_expect_eq(got, row->body, "%s, cut at %zu: %d",
				row->why, cut, got);
			if (row->body >= 0) {
				cr_expect_eq(h.status, row->status, "%s",
					row->why);
				cr_expect_eq(h.len, (size_t)row->body, "%s",
					row->why);
			} else {
				cr_expect_not_null(h.why, "%s", row->why);
			}
		}
	}
}

Test(cgi, parses_headers_byte_by_byte)
{
	struct cgi_header h;
	enum cgi_scan got;
	size_t i, at, used;

	for (i = 0; i < ARRAY_SIZE(headers); i++) {
		const char *text = headers[i].text;

		cgi_header_init(&h, 1000);
		got = CGI_SCAN_MORE;
		for (at = 0; got == CGI_SCAN_MORE && text[at]; at++)
			got = cgi_header_scan(&h, (const uint8_t *)text + at,
				1, &used);
		cr_expect_eq(got, headers[i].body < 0 ? CGI_SCAN_BAD :
							CGI_SCAN_DONE,
			"%s", headers[i].why);
		if (got == CGI_SCAN_DONE)
			cr_expect_eq((int)at, headers[i].body, "%s",
				headers[i].why);
	}
}

/* An HTTP status line, where one is allowed: RFC 9112, section 4. */
Test(cgi, a_status_line_becomes_a_status_field)
{
	static const struct header_row rows[] = {
		{"whole", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", 25, 200},
		{"1.0, LF", "HTTP/1.0 404 Not Found\n\n", 24, 404},
		{"no reason", "HTTP/1.1 204\r\n\r\n", 16, 204},
		{"no status line", "Status: 403 No\n\n", 16, 403},
		{"a field named HTTP", "HTTP: x\n\n", 9, 0},
		{"two digits", "HTTP/1.10 200 OK\n\n", -1, 0},
		{"version 2", "HTTP/2.0 200 OK\n\n", -1, 0},
		{"no version", "HTTP/ 200 OK\n\n", -1, 0},
		{"no status", "HTTP/1.1\n\n", -1, 0},
		{"not a number", "HTTP/1.1 OK\n\n", -1, 0},
		{"another protocol", "HTTQ/1.1 200 OK\n\n", -1, 0},
		{"in line 2", "A: b\nHTTP/1.1 200 OK\n\n", -1, 0},
	};
	size_t i, cut, used;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const uint8_t *p = (const uint8_t *)rows[i].text;
		size_t len = strlen(rows[i].text);

		for (cut = 0; cut <= len; cut++) {
			struct cgi_header h;
			enum cgi_scan got;

			cgi_header_init(&h, 1000);
			h.may_be_nph = true;
			got = cgi_header_scan(&h, p, cut, &used);
			if (got == CGI_SCAN_MORE)
				got = cgi_header_scan(&h, p + cut, len - cut,
					&used);
			cr_expect_eq(got, rows[i].body < 0 ? CGI_SCAN_BAD :
							    CGI_SCAN_DONE,
				"%s, cut at %zu", rows[i].why, cut);
			if (rows[i].body < 0)
				continue;
			cr_expect_eq(h.len, (size_t)rows[i].body, "%s",
				rows[i].why);
			cr_expect_eq(h.status, rows[i].status, "%s",
				rows[i].why);
			cr_expect_eq(h.nph, p[4] == '/', "%s", rows[i].why);
		}
	}
	cr_expect_str_eq(CGI_NPH_FIELD, "Status: ");
	cr_expect_eq(CGI_NPH_LEN, strlen("HTTP/1.1"));
}

Test(cgi, refuses_a_nul_in_a_header)
{
	struct cgi_header h;
	size_t used;

	cgi_header_init(&h, 100);
	cr_expect_eq(cgi_header_scan(&h, (const uint8_t *)"A: \0\n\n", 6,
			     &used), CGI_SCAN_BAD);
	cgi_header_init(&h, 100);
	cr_expect_eq(cgi_header_scan(&h, (const uint8_t *)"A\0: b\n\n", 7,
			     &used), CGI_SCAN_BAD);
}

Test(cgi, limits_the_length_of_the_header)
{
	struct cgi_header h;

	cr_expect_eq(scan("A: b\n\nbody", 3, 6, &h), 6, "at the limit");
	cr_expect_eq(scan("A: b\n\nbody", 3, 5, &h), -1, "above the limit");
	cr_expect_str_eq(h.why, "the header is longer than cgi.max_header");
}

Test(cgi, explains_an_incomplete_answer)
{
	struct cgi_header h;

	cr_expect_eq(scan("", 0, 100, &h), -2);
	cr_expect_str_eq(cgi_header_cut(&h), "the program wrote no output");
	cr_expect_eq(scan("A: b\n", 0, 100, &h), -2);
	cr_expect_not_null(strstr(cgi_header_cut(&h), "empty line"));
}

Test(cgi, each_status_has_a_reason_phrase)
{
	static const unsigned statuses[] = {400, 403, 404, 413, 431, 500, 502,
		503, 504};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(statuses); i++)
		cr_expect_str_neq(cgi_status_text(statuses[i]), "");
	cr_expect_str_eq(cgi_status_text(200), "");
}

/* RFC 3875, 6.2.1 and 6.3; RFC 9110, 10.2.3 for Retry-After. */
Test(cgi, error_pages_contain_their_status)
{
	static const struct {
		unsigned status;
		int64_t retry_after_s;
		const char *text, *want;
	} rows[] = {
		{503, 7, "Later.", "Status: 503 Service Unavailable\r\n"
			"Content-Type: text/plain\r\nRetry-After: 7\r\n\r\n"
			"503 Service Unavailable\n\nLater.\n"},
		{503, 86400, NULL, "Status: 503 Service Unavailable\r\n"
			"Content-Type: text/plain\r\n"
			"Retry-After: 86400\r\n\r\n"},
		{404, 7, "None.", "Status: 404 Not Found\r\n"
			"Content-Type: text/plain\r\n\r\n"
			"404 Not Found\n\nNone.\n"},
		{504, 7, NULL, "Status: 504 Gateway Timeout\r\n"
			"Content-Type: text/plain\r\n\r\n"},
	};
	char page[CGI_PAGE_MAX];
	size_t i, n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = cgi_put_page(page, rows[i].status, rows[i].retry_after_s,
			rows[i].text);
		cr_expect_eq(n, strlen(rows[i].want), "row %zu", i);
		cr_expect_eq(memcmp(page, rows[i].want, n), 0, "row %zu: %.*s",
			i, (int)n, page);
	}
}

/* The maximum: 80 bytes of text, and the longest reason phrase. */
Test(cgi, the_longest_page_fits)
{
	const char *end = ".\n";
	char page[CGI_PAGE_MAX], text[81];
	size_t n;

	snprintf(text, sizeof(text), "%079d.", 0);
	n = cgi_put_page(page, 431, 0, text);
	cr_expect_lt(n, CGI_PAGE_MAX - 1);
	cr_expect_eq(memcmp(page + n - 2, end, 2), 0);
	n = cgi_put_page(page, 503, INT64_MAX, text);
	cr_expect_lt(n, CGI_PAGE_MAX - 1);
	cr_expect_eq(memcmp(page + n - 2, end, 2), 0);
}
