/*
 * test_cgi_path.c - the script's path and PATH_INFO from the parameters
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/util.h"
#include "proto/cgi.h"

static struct cgi_params params;

/* Sets the parameters to NAME, VALUE, NAME, VALUE, ..., NULL. */
static void
send_params(const char *const *list)
{
	const char *why;

	cr_assert_eq(cgi_params_decode(NULL, 0, &params, &why), 0);
	for (; *list; list += 2)
		cgi_params_set(&params, list[0], list[1], strlen(list[1]));
}

#define SEND(...) send_params((const char *const[]){__VA_ARGS__, NULL})

/* value NULL: the parameter must not exist. */
static void
expect_param(const char *name, const char *value, const char *why)
{
	const struct fcgi_pair *pair = cgi_params_find(&params, name);

	if (!value) {
		cr_expect_null(pair, "%s: %s", why, name);
		return;
	}
	cr_assert_not_null(pair, "%s: %s", why, name);
	cr_expect(pair->value_len == strlen(value) &&
			memcmp(pair->value, value, strlen(value)) == 0,
		"%s: %s is %.*s", why, name, (int)pair->value_len,
		(const char *)pair->value);
}

static const struct {
	const char *why;
	const char *file;	/* SCRIPT_FILENAME */
	const char *root, *name;
	int status;
	const char *want;
} scripts[] = {
	{"nginx", "/srv/a.cgi", "/x", "/y", 0, "/srv/a.cgi"},
	{"doubled and single dots", "//srv/./b//a.cgi", "", "", 0,
		"/srv/b/a.cgi"},
	{"dots inside names", "/s/..a/b../.c", "", "", 0,
		"/s/..a/b../.c"},
	{"trailing slash", "/srv/a/", "", "", 0, "/srv/a"},
	{"? is part of a name without Apache", "/srv/a?b", "",
		"", 0, "/srv/a?b"},
	{"Apache, host and port", "proxy:fcgi://localhost:9000/srv/a",
		"", "", 0, "/srv/a"},
	{"Apache, host", "proxy:fcgi://localhost/srv/a", "", "", 0,
		"/srv/a"},
	{"Apache, empty host", "proxy:fcgi:///srv/a", "", "", 0,
		"/srv/a"},
	{"Apache, v6", "proxy:fcgi://[::1]:9000/srv/a", "", "", 0,
		"/srv/a"},
	{"Apache, query", "proxy:fcgi://localhost/srv/a?b=/c", "", "",
		0, "/srv/a"},
	{"Apache, unix",
		"proxy:unix:/run/x.sock|fcgi://localhost/srv/a", "", "",
		0, "/srv/a"},
	{"Apache, balancer", "proxy:balancer://pool/srv/a", "", "", 0,
		"/srv/a"},
	{"Apache, unix without its end", "proxy:unix:/run/x.sock", "",
		"", 404, ""},
	{"Apache, no path", "proxy:fcgi://localhost:9000", "", "", 404,
		""},
	{"another scheme", "proxy:http://localhost/a", "", "", 404,
		""},
	{"root and name", "", "/srv/", "/a.cgi", 0, "/srv/a.cgi"},
	{"root alone", "", "/srv", "", 404, ""},
	{"name alone", "", "", "/a", 404, ""},
	{"nothing", "", "", "", 404, ""},
	{"not absolute", "a.cgi", "", "", 404, ""},
	{"name not absolute", "", "/srv", "a.cgi", 404, ""},
	{"the root directory", "/", "", "", 404, ""},
	{"..", "/srv/../etc/passwd", "", "", 403, ""},
	{".. at the end", "/srv/..", "", "", 403, ""},
	{".. at the beginning", "/..", "", "", 403, ""},
	{".. in the name", "", "/srv", "/../etc/passwd", 403, ""},
	{".. after Apache's prefix", "proxy:fcgi://h/../etc", "", "",
		403, ""},
};

Test(cgi_path, derives_the_script_path)
{
	char path[64];
	const char *why;
	int status;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(scripts); i++) {
		SEND("SCRIPT_FILENAME", scripts[i].file, "DOCUMENT_ROOT",
			scripts[i].root, "SCRIPT_NAME", scripts[i].name);
		why = NULL;
		strcpy(path, "");
		status = cgi_script_path(&params, path, sizeof(path), &why);
		cr_expect_eq(status, scripts[i].status, "%s: %d", scripts[i].why,
			status);
		cr_expect_eq(status != 0, why != NULL, "%s", scripts[i].why);
		if (status == 0)
			cr_expect_str_eq(path, scripts[i].want, "%s",
				scripts[i].why);
	}
}

Test(cgi_path, refuses_a_path_that_does_not_fit)
{
	const char *why;
	char path[8];

	SEND("SCRIPT_FILENAME", "/abcdef");
	cr_expect_eq(cgi_script_path(&params, path, 8, &why), 0);
	cr_expect_str_eq(path, "/abcdef");
	cr_expect_eq(cgi_script_path(&params, path, 7, &why), 404);
}

/* RFC 3875, sections 4.1.5, 4.1.6 and 4.1.13. */
Test(cgi_path, the_rest_of_the_path_becomes_path_info)
{
	static const struct {
		const char *why;
		const char *file, *root, *name;	/* "" = empty */
		const char *found;	/* the script's path */
		const char *want_name, *want_info, *want_translated;
	} rows[] = {
		{"nothing after it", "/srv/a", "/srv", "/a", "/srv/a", "/a",
			"/sent", "/sent"},
		{"two segments", "/srv/a/b/c", "/srv", "/a/b/c", "/srv/a",
			"/a", "/b/c", "/srv/b/c"},
		{"the root ends in slashes", "/srv/a/b", "/srv//", "/a/b",
			"/srv/a", "/a", "/b", "/srv/b"},
		{"the root is /", "/a/b", "/", "/a/b", "/a", "/a", "/b", "/b"},
		{"a slash alone", "/srv/a/", "/srv", "/a/", "/srv/a", "/a",
			"/", "/srv/"},
		{"not normalized", "/srv//./a//b/./c/", "/srv", "/a//b/./c/",
			"/srv/a", "/a", "//b/./c/", "/srv//b/./c/"},
		{"another name", "/srv/a/b", "/srv", "/x", "/srv/a", "/x",
			"/b", "/srv/b"},
		{"the name is shorter", "/srv/a/bcd", "/srv", "/d", "/srv/a",
			"/d", "/bcd", "/srv/bcd"},
		{"no name", "/srv/a/b", "/srv", "", "/srv/a", "", "/b",
			"/srv/b"},
		{"no root", "/srv/a/b", "", "/a/b", "/srv/a", "/a", "/b",
			"/sent"},
		{"root and name", "", "/srv", "/a/b", "/srv/a", "/a", "/b",
			"/srv/b"},
		{"the root is the script", "", "/srv/a", "/b", "/srv/a", "",
			"/b", "/srv/a/b"},
		{"Apache, and no query", "proxy:fcgi://h/srv/a/b?c=/d", "/srv",
			"/a/b", "/srv/a", "/a", "/b", "/srv/b"},
	};
	const char *why;
	char buf[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		SEND("SCRIPT_FILENAME", rows[i].file, "DOCUMENT_ROOT",
			rows[i].root, "SCRIPT_NAME", rows[i].name,
			"PATH_INFO", "/sent", "PATH_TRANSLATED", "/sent");
		cr_expect_eq(cgi_set_script(&params, rows[i].found, true, buf,
				     sizeof(buf), &why), 0, "%s", rows[i].why);
		expect_param("SCRIPT_FILENAME", rows[i].found, rows[i].why);
		expect_param("DOCUMENT_ROOT", rows[i].root, rows[i].why);
		expect_param("SCRIPT_NAME", rows[i].want_name, rows[i].why);
		expect_param("PATH_INFO", rows[i].want_info, rows[i].why);
		expect_param("PATH_TRANSLATED", rows[i].want_translated,
			rows[i].why);
	}
}

Test(cgi_path, does_not_split_unless_configured)
{
	const char *why;
	char buf[64];

	SEND("SCRIPT_FILENAME", "/srv//a/", "DOCUMENT_ROOT", "/srv",
		"SCRIPT_NAME", "/a/");
	cr_expect_eq(cgi_set_script(&params, "/srv/a", false, buf, sizeof(buf),
			     &why), 0);
	expect_param("SCRIPT_FILENAME", "/srv/a", "as found");
	expect_param("SCRIPT_NAME", "/a/", "as sent");
	expect_param("PATH_INFO", NULL, "not split");
	expect_param("PATH_TRANSLATED", NULL, "not split");
}

Test(cgi_path, adds_the_index_of_a_directory_to_script_name)
{
	static const struct {
		const char *why;
		const char *file, *root, *name, *want_name;
	} rows[] = {
		{"a directory", "/srv/d", "/srv", "/d", "/d/i.cgi"},
		{"a slash at the end", "/srv/d/", "/srv", "/d/", "/d/i.cgi"},
		{"root and name", "", "/srv", "/d//", "/d/i.cgi"},
		{"no name", "/srv/d", "", "", ""},
	};
	const char *why;
	char buf[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		SEND("SCRIPT_FILENAME", rows[i].file, "DOCUMENT_ROOT",
			rows[i].root, "SCRIPT_NAME", rows[i].name);
		cr_expect_eq(cgi_set_script(&params, "/srv/d/i.cgi", true, buf,
				     sizeof(buf), &why), 0, "%s", rows[i].why);
		expect_param("SCRIPT_FILENAME", "/srv/d/i.cgi", rows[i].why);
		expect_param("SCRIPT_NAME", rows[i].want_name, rows[i].why);
		expect_param("PATH_INFO", NULL, rows[i].why);
	}
}

Test(cgi_path, refuses_values_that_do_not_fit)
{
	const char *why = NULL;
	char buf[8];

	SEND("SCRIPT_FILENAME", "/srv/a/b/c", "DOCUMENT_ROOT", "/srv");
	cr_expect_eq(cgi_set_script(&params, "/srv/a", true, buf, 8, &why), 0);
	expect_param("PATH_TRANSLATED", "/srv/b/c", "8 bytes");
	SEND("SCRIPT_FILENAME", "/srv/a/b/c", "DOCUMENT_ROOT", "/srv");
	cr_expect_eq(cgi_set_script(&params, "/srv/a", true, buf, 7, &why),
		404);
	cr_expect_not_null(why);
	SEND("SCRIPT_FILENAME", "/srv/a/b/c", "DOCUMENT_ROOT", "/srv");
	cr_expect_eq(cgi_set_script(&params, "/srv/a", true, buf, 3, &why),
		404, "the root alone is longer");
	SEND("X", "");
	cr_expect_eq(cgi_set_script(&params, "/a", true, buf, 8, &why), 404,
		"the request names no script");
}
