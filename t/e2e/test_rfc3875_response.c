/*
 * test_rfc3875_response.c - requirements of RFC 3875, section 6, for a
 * program's response: which bytes the web server gets; see t/conformance.md
 */
#include "world.h"

static struct world *
start(void)
{
	struct world *w = world_open();

	world_start_cgi(w, "docroot = @T@/children", "");
	return w;
}

/* The answer for a program that writes these bytes. */
static struct answer
respond(struct world *w, const void *p, size_t len)
{
	const char *path = world_path(w, "answer");
	const char *params[] = {
		own_text("SCRIPT_FILENAME=%s", world_child("respond")),
		own_text("HTTP_X_FILE=%s", path), NULL};
	FILE *f = fopen(path, "we");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(p, 1, len, f), len);
	cr_assert_eq(fclose(f), 0);
	return client_call(w, "www.sock", params, NULL, 0);
}

/* What the program writes, and what the web server gets. */
struct row {
	const char *answer, *want;
};

static void
expect_rows(const struct row *rows, size_t n)
{
	struct world *w = start();

	for (size_t i = 0; i < n; i++) {
		struct answer a = respond(w, rows[i].answer,
			strlen(rows[i].answer));

		cr_expect(a.ended);
		cr_expect_str_eq(a.out, rows[i].want);
	}
	world_close(&w);
}

#define EXPECT_ROWS(...)                                                       \
	expect_rows((const struct row[]){__VA_ARGS__},                         \
		sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row))

static void
expect_unchanged(const char *text)
{
	EXPECT_ROWS({text, text});
}

Test(rfc3875, a_document_is_sent_unchanged, .timeout = 60)
{
	expect_unchanged("Content-Type: text/html; charset=utf-8\r\n"
			 "\r\n"
			 "<p>Hello\n\r\n\r\r</p>");
}

Test(rfc3875, a_status_is_sent_unchanged, .timeout = 60)
{
	expect_unchanged("Status: 404 Not Found\r\n"
			 "Content-Type: text/plain\r\n"
			 "\r\n"
			 "none\n");
}

/* Only the web server can map the path, so the client must request it. */
Test(rfc3875, a_local_redirect_goes_to_the_client, .timeout = 60)
{
	EXPECT_ROWS({"Location: /other?a=b\r\n\r\n",
		"Status: 302 Found\r\nLocation: /other?a=b\r\n\r\n"});
}

Test(rfc3875, a_client_redirect_is_302, .timeout = 60)
{
	EXPECT_ROWS({"Location: http://example.net/a#b\n\n",
			    "Status: 302 Found\r\n"
			    "Location: http://example.net/a#b\n\n"},
		{"X-CGI-A: b\nlocation:http://example.net/\n\n",
			"Status: 302 Found\r\n"
			"X-CGI-A: b\nlocation:http://example.net/\n\n"});
}

Test(rfc3875, a_redirect_with_a_document_keeps_its_status, .timeout = 60)
{
	static const char document[] =
		"Location: http://example.net/\r\n"
		"Content-Type: text/plain\r\n"
		"Status: 303 See Other\r\n"
		"\r\n"
		"It is there.\n";
	static const char found[] = "Status: 302 Found\r\n"
		"Location: http://example.net/\r\n"
		"Content-Type: text/plain\r\n"
		"\r\n"
		"It is there.\n";

	EXPECT_ROWS({document, document}, {found, found});
}

Test(rfc3875, an_empty_location_is_ignored, .timeout = 60)
{
	static const char *const rows[] = {
		"Location:\r\nContent-Type: text/plain\r\n\r\nhere",
		"Location: \t \nContent-Type: text/plain\n\nhere",
		"Content-Type: text/plain\nLocation:\n\nhere"};

	EXPECT_ROWS({rows[0], rows[0]}, {rows[1], rows[1]},
		{rows[2], rows[2]});
}

Test(rfc3875, no_content_type_is_added, .timeout = 60)
{
	expect_unchanged("X-Only: this\n\n<html>");
}

Test(rfc3875, other_fields_are_sent_unchanged, .timeout = 60)
{
	expect_unchanged("Content-Type: text/plain\r\n"
			 "Set-Cookie: a=b\r\n"
			 "Set-Cookie: c=d\r\n"
			 "X-CGI-Extension: some: thing, \"else\"\r\n"
			 "X-Nothing:\r\n"
			 "\r\n");
}

Test(rfc3875, lf_and_crlf_end_a_line, .timeout = 60)
{
	static const char *const rows[] = {
		"Content-Type: text/plain\nStatus: 201 Created\n\nhere\n",
		"Content-Type: text/plain\r\nStatus: 201 Created\r\n\r\nhere",
		"Content-Type: text/plain\nStatus: 201 Created\r\n\nhere",
		"Content-Type: text/plain\r\nStatus: 201 Created\n\r\nhere"};

	EXPECT_ROWS({rows[0], rows[0]}, {rows[1], rows[1]},
		{rows[2], rows[2]}, {rows[3], rows[3]});
}

Test(rfc3875, an_invalid_header_is_not_sent, .timeout = 60)
{
	static const char *const rows[] = {
		"Status: fine\n\nsecret",
		"Status: 20\n\nsecret",
		"Content-Type : text/plain\n\nsecret",
		"Content-Type: text/plain\n folded\n\nsecret",
		"no colon, secret\n\n",
		"\nsecret",
	};
	struct world *w = start();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a = respond(w, rows[i], strlen(rows[i]));

		cr_expect_eq(strncmp(a.out, "Status: 502 ", 12), 0, "%s",
			a.out);
		cr_expect_not(strstr(a.out, "secret"), "%s", a.out);
	}
}

/* 1 MiB of all byte values, read in blocks of any size. */
Test(rfc3875, a_body_is_sent_whole_and_unchanged, .timeout = 60)
{
	static const char header[] = "Content-Type: image/png\n\n";
	const size_t head = sizeof(header) - 1, len = head + (1 << 20) + 7;
	struct world *w = start();
	char *all = malloc(len);
	struct answer a;
	size_t i;

	cr_assert_not_null(all);
	memcpy(all, header, head);
	for (i = head; i < len; i++)
		all[i] = (char)(i * 2654435761U >> 13);
	a = respond(w, all, len);
	cr_expect_eq(a.out_len, len, "%zu of %zu bytes", a.out_len, len);
	cr_expect_eq(memcmp(a.out, all, len), 0, "other bytes");
	/* An empty body. */
	a = respond(w, header, head);
	cr_expect_str_eq(a.out, header);
	free(all);
}

static struct answer
ask_head(struct world *w, const char *script)
{
	const char *params[] = {"REQUEST_METHOD=HEAD",
		own_text("SCRIPT_FILENAME=%s/%s", w->dir, script), NULL};

	return client_call(w, "www.sock", params, NULL, 0);
}

/* In one piece, in several, larger than a pipe, and an error page. */
Test(rfc3875, the_body_of_a_response_to_head_is_dropped, .timeout = 60)
{
	struct world *w = world_open();
	static const char *const scripts[] = {"one", "pieces", "large"};
	struct answer a;

	world_script(w, "one", "#!/bin/sh\n"
		"printf 'X-Method: %s\\r\\n\\r\\nbody\\n' $REQUEST_METHOD\n");
	world_script(w, "pieces", "#!/bin/sh\n"
		"printf 'X-Met'; sleep 0.02\n"
		"printf 'hod: %s\\r\\n\\r' $REQUEST_METHOD; sleep 0.02\n"
		"printf '\\nbo'; sleep 0.02; printf 'dy\\n'\n");
	world_script(w, "large", "#!/bin/sh\n"
		"printf 'X-Method: %s\\r\\n\\r\\n' $REQUEST_METHOD\n"
		"exec head -c 300000 /dev/zero\n");
	world_start_cgi(w, "docroot = @DIR@", "");
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		a = ask_head(w, scripts[i]);
		cr_expect_eq(a.out_len, 18, "%s: %zu", scripts[i], a.out_len);
		cr_expect_str_eq(a.out, "X-Method: HEAD\r\n\r\n", "%s",
			scripts[i]);
		cr_expect(a.ended);
		cr_expect_eq(a.app_status, 0, "%s", scripts[i]);
	}
	a = ask_head(w, "missing");
	cr_expect_str_eq(a.out, "Status: 404 Not Found\r\n"
		"Content-Type: text/plain\r\n\r\n");
}
