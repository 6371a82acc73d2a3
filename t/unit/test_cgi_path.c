/*
 * test_cgi_path.c - what a program is told about the file that was found
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "proto/cgi.h"

static struct cgi_params params;
static uint8_t raw[CGI_PARAMS_MAX];

static const char *const names[] = {"SCRIPT_FILENAME", "DOCUMENT_ROOT",
	"SCRIPT_NAME", "PATH_INFO"};

/* Those of the four that are not NULL. */
static void
decode(const char *const *values)
{
	uint8_t *end = raw;
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (values[i])
			end = fcgi_put_pair(end, names[i], strlen(names[i]),
				values[i], strlen(values[i]));
	cr_assert_eq(cgi_params_decode(raw, (size_t)(end - raw), &params,
			     &why), 0);
}

/* A parameter's value, "-" for none. */
static const char *
value_of(const char *name)
{
	static char text[4][200];
	static unsigned at;
	const struct fcgi_pair *pair = cgi_params_find(&params, name);
	char *s = text[at++ % 4];

	snprintf(s, sizeof(text[0]), "%.*s", pair ? (int)pair->value_len : 1,
		pair ? (const char *)pair->value : "-");
	return s;
}

#define ROOT "/srv/www"

static const struct {
	const char *why;
	const char *sent[4];		/* as names */
	const char *path;		/* found */
	const char *name, *info, *translated;
} rows[] = {
	{"nothing behind it", {ROOT "/a.cgi", ROOT, "/a.cgi", NULL},
		ROOT "/a.cgi", "/a.cgi", "-", "-"},
	{"nginx, unsplit", {ROOT "/a.cgi/x/y", ROOT, "/a.cgi/x/y", NULL},
		ROOT "/a.cgi", "/a.cgi", "/x/y", ROOT "/x/y"},
	{"in a folder", {ROOT "/d/a.cgi/x", ROOT, "/d/a.cgi/x", NULL},
		ROOT "/d/a.cgi", "/d/a.cgi", "/x", ROOT "/x"},
	{"fcgiwrap's way", {NULL, ROOT, "/d/a.cgi/x", NULL},
		ROOT "/d/a.cgi", "/d/a.cgi", "/x", ROOT "/x"},
	{"an empty PATH_INFO was sent", {ROOT "/a.cgi/x", ROOT, "/a.cgi/x", ""},
		ROOT "/a.cgi", "/a.cgi", "/x", ROOT "/x"},
	{"a slash is one", {ROOT "/a.cgi/", ROOT, "/a.cgi/", NULL},
		ROOT "/a.cgi", "/a.cgi", "/", ROOT "/"},
	{"slashes stay", {ROOT "/a.cgi//x//y/", ROOT, "/a.cgi//x//y/", NULL},
		ROOT "/a.cgi", "/a.cgi", "//x//y/", ROOT "//x//y/"},
	{"slashes in front", {ROOT "//d/./a.cgi/x", ROOT, "//d/./a.cgi/x",
		NULL}, ROOT "/d/a.cgi", "//d/./a.cgi", "/x", ROOT "/x"},
	{"split by the web server", {ROOT "/a.cgi", ROOT, "/a.cgi", "/x"},
		ROOT "/a.cgi", "/a.cgi", "/x", "-"},
	{"a name that was split already",
		{ROOT "/a.cgi/x", ROOT, "/cgi/a.cgi", NULL},
		ROOT "/a.cgi", "/cgi/a.cgi", "/x", ROOT "/x"},
	{"an alias", {"/opt/a.cgi/x", ROOT, "/tools/a.cgi/x", NULL},
		"/opt/a.cgi", "/tools/a.cgi", "/x", ROOT "/x"},
	{"no DOCUMENT_ROOT", {ROOT "/a.cgi/x", NULL, "/a.cgi/x", NULL},
		ROOT "/a.cgi", "/a.cgi", "/x", "-"},
	{"no SCRIPT_NAME", {ROOT "/a.cgi/x", ROOT, NULL, NULL},
		ROOT "/a.cgi", "-", "/x", ROOT "/x"},
	{"DOCUMENT_ROOT with a slash", {NULL, ROOT "/", "/a.cgi/x", NULL},
		ROOT "/a.cgi", "/a.cgi", "/x", ROOT "/x"},
	{"Apache's prefix and query",
		{"proxy:fcgi://h:9" ROOT "/a.cgi/x?a=/b", ROOT, "/a.cgi/x",
		NULL}, ROOT "/a.cgi", "/a.cgi", "/x", ROOT "/x"},
	{"an index", {ROOT "/d/", ROOT, "/d/", NULL}, ROOT "/d/i.cgi",
		"/d/i.cgi", "-", "-"},
	{"an index, no slash", {ROOT "/d", ROOT, "/d", NULL},
		ROOT "/d/i.cgi", "/d/i.cgi", "-", "-"},
	{"an index of the root", {ROOT "/", ROOT, "/", NULL}, ROOT "/i.cgi",
		"/i.cgi", "-", "-"},
	{"an index, fcgiwrap's way", {NULL, ROOT, "/d/", NULL},
		ROOT "/d/i.cgi", "/d/i.cgi", "-", "-"},
	{"an index, no SCRIPT_NAME", {ROOT "/d/", ROOT, NULL, NULL},
		ROOT "/d/i.cgi", "-", "-", "-"},
};

Test(cgi_path, a_path_is_split_behind_the_script)
{
	char buf[200];
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		decode(rows[i].sent);
		cr_expect_eq(cgi_set_script(&params, rows[i].path, true, buf,
				     sizeof(buf), &why), 0);
		cr_expect_str_eq(value_of("SCRIPT_FILENAME"), rows[i].path,
			"%s", rows[i].why);
		cr_expect_str_eq(value_of("SCRIPT_NAME"), rows[i].name, "%s",
			rows[i].why);
		cr_expect_str_eq(value_of("PATH_INFO"), rows[i].info, "%s",
			rows[i].why);
		cr_expect_str_eq(value_of("PATH_TRANSLATED"),
			rows[i].translated, "%s", rows[i].why);
	}
}

Test(cgi_path, nothing_is_split_unasked)
{
	static const char *const sent[] = {ROOT "/a.cgi/", ROOT, "/a.cgi/",
		"/theirs"};
	char buf[200];
	const char *why;

	decode(sent);
	cr_expect_eq(cgi_set_script(&params, ROOT "/a.cgi", false, buf,
			     sizeof(buf), &why), 0);
	cr_expect_str_eq(value_of("SCRIPT_FILENAME"), ROOT "/a.cgi");
	cr_expect_str_eq(value_of("SCRIPT_NAME"), "/a.cgi/");
	cr_expect_str_eq(value_of("PATH_INFO"), "/theirs");
	cr_expect_str_eq(value_of("PATH_TRANSLATED"), "-");
}

/* "/srv/www" and "/x" are ten bytes. */
Test(cgi_path, what_does_not_fit_is_refused)
{
	static const char *const sent[] = {ROOT "/a.cgi/x", ROOT, NULL, NULL};
	char buf[10];
	const char *why = NULL;

	decode(sent);
	cr_expect_eq(cgi_set_script(&params, ROOT "/a.cgi", true, buf, 10,
			     &why), 0);
	decode(sent);
	cr_expect_eq(cgi_set_script(&params, ROOT "/a.cgi", true, buf, 9,
			     &why), 404);
	cr_expect_not_null(why);
}

/* A request may bring as many as are allowed, and ours still fit. */
Test(cgi_path, there_is_room_for_ours)
{
	uint8_t *end = raw;
	char name[16], buf[200];
	const char *why;
	int i;

	for (i = 0; i < CGI_PAIRS_MAX - 2; i++) {
		snprintf(name, sizeof(name), "X%d", i);
		end = fcgi_put_pair(end, name, strlen(name), "", 0);
	}
	end = fcgi_put_pair(end, "DOCUMENT_ROOT", 13, ROOT, 8);
	end = fcgi_put_pair(end, "SCRIPT_NAME", 11, "/a.cgi/x", 8);
	cr_assert_eq(cgi_params_decode(raw, (size_t)(end - raw), &params,
			     &why), 0);
	cr_expect_eq(cgi_set_script(&params, ROOT "/a.cgi", true, buf,
			     sizeof(buf), &why), 0);
	cr_expect_str_eq(value_of("SCRIPT_FILENAME"), ROOT "/a.cgi");
	cr_expect_str_eq(value_of("PATH_INFO"), "/x");
	cr_expect_str_eq(value_of("PATH_TRANSLATED"), ROOT "/x");
}

Test(cgi_path, a_path_that_is_none_says_what_to_send)
{
	static const struct {
		const char *file, *want;
	} bad[] = {
		{"a.cgi", "does not begin with /"},
		{"%2fsrv%2fa.cgi", "does not begin with /"},
		{"proxy:fcgi:/srv/a.cgi", "Apache's proxy:"},
		{"proxy:fcgi://localhost", "Apache's proxy:"},
		{"proxy:unix:/run/x.sock/srv/a.cgi", "Apache's proxy:"},
	};
	char path[100];
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		decode((const char *const[]){bad[i].file, NULL, NULL, NULL});
		why = "";
		cr_expect_eq(cgi_script_path(&params, path, sizeof(path),
				     &why), 404);
		cr_expect(strstr(why, bad[i].want), "%s: %s", bad[i].file,
			why);
	}
}
