/*
 * test_cgi_keys.c - the keys cgi.split_path, cgi.index, cgi.extensions,
 * cgi.interpreter and cgi.nph
 */
#include <stdbool.h>

#include "world.h"

/* Programs that print the path variables; sh(1) interprets "show". */
static const char files[] =
	"mkdir -p www/dir/deep www/empty\n"
	"cat >show <<'END'\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
	"printf '%s\\n' \"file=$SCRIPT_FILENAME\" \"name=$SCRIPT_NAME\" "
	"\"info=${PATH_INFO-unset}\" \"trans=${PATH_TRANSLATED-unset}\" "
	"\"argc=$#\" \"zero=$0\" \"cwd=$(pwd)\"\n"
	"END\n"
	"(echo '#!/bin/sh'; cat show) >www/a.cgi; chmod 755 www/a.cgi\n"
	"cp www/a.cgi www/dir/b.cgi\n"
	"cp www/a.cgi www/dir/deep/index.cgi\n"
	"cp www/a.cgi www/index.cgi\n"
	"cp www/a.cgi www/noext\n"
	"cp www/a.cgi www/a.cgi-old; cp www/a.cgi www/a.cg\n"
	"cp www/a.cgi 'www/with blank.cgi'\n"
	"cp show www/plain.sx; chmod 644 www/plain.sx\n"
	"cp show www/plain.txt; chmod 644 www/plain.txt\n"
	"cp show www/index.sx; chmod 644 www/index.sx\n"
	"cat >reader <<'END'\n"
	"#!/bin/sh\n"
	"printf 'A: b\\n\\nread %s, %d arguments\\n' \"$1\" $#\n"
	"END\n"
	"chmod 755 reader\n";

static struct world *
start(const char *keys)
{
	struct world *w = world_open();

	world_shell(w, files);
	world_start_cgi(w, "docroot = @DIR@/www", keys);
	return w;
}

/* As nginx does: sends the whole path in SCRIPT_FILENAME and SCRIPT_NAME. */
static struct answer
call(struct world *w, const char *uri)
{
	char file[700], name[300];
	const char *params[] = {file, name,
		own_text("DOCUMENT_ROOT=%s/www", w->dir), NULL};

	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s/www%s", w->dir, uri);
	snprintf(name, sizeof(name), "SCRIPT_NAME=%s", uri);
	return client_call(w, "www.sock", params, NULL, 0);
}

/* Expects the lines of want in the response; @ in want is docroot. */
static void
expect(struct world *w, const char *uri, const char *want)
{
	struct answer a = call(w, uri);
	char text[2000];
	size_t n = 0;

	for (; *want; want++)
		if (*want == '@')
			n += (size_t)snprintf(text + n, sizeof(text) - n,
				"%s/www", w->dir);
		else
			text[n++] = *want;
	text[n] = '\0';
	cr_expect(a.ended && strstr(a.out, text), "%s: no\n%s\nin\n%s", uri,
		text, a.out);
}

Test(cgi_keys, a_path_is_split_after_its_script, .timeout = 60)
{
	struct world *w = start("cgi.split_path = yes\n");

	expect(w, "/a.cgi", "file=@/a.cgi\nname=/a.cgi\ninfo=unset\n"
		"trans=unset\n");
	expect(w, "/a.cgi/x", "file=@/a.cgi\nname=/a.cgi\ninfo=/x\n"
		"trans=@/x\n");
	expect(w, "/a.cgi/", "name=/a.cgi\ninfo=/\ntrans=@/\n");
	expect(w, "/a.cgi//x/b.cgi", "name=/a.cgi\ninfo=//x/b.cgi\n");
	expect(w, "/dir/b.cgi/x/y", "name=/dir/b.cgi\ninfo=/x/y\n"
		"trans=@/x/y\nargc=0\nzero=@/dir/b.cgi\ncwd=@/dir\n");
	expect(w, "/with blank.cgi/x y", "name=/with blank.cgi\ninfo=/x y\n");
	expect(w, "/missing/x", "Status: 404 ");
	expect(w, "/dir/missing/x", "Status: 404 ");
	expect(w, "/dir", "Status: 403 ");
	expect(w, "/a.cgi/../b.cgi", "Status: 403 ");
}

/* As fcgiwrap finds a script, and with a web server that splits the path. */
Test(cgi_keys, a_path_is_split_without_script_filename, .timeout = 60)
{
	struct world *w = start("cgi.split_path = yes\n");
	char root[500], file[500];
	const char *unsplit[] = {root, "SCRIPT_NAME=/dir/b.cgi/x", NULL};
	const char *split[] = {root, file, "SCRIPT_NAME=/a.cgi",
		"PATH_INFO=/theirs", "PATH_TRANSLATED=/theirs/too", NULL};

	snprintf(root, sizeof(root), "DOCUMENT_ROOT=%s/www", w->dir);
	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s/www/a.cgi", w->dir);
	answer_expect(client_call(w, "www.sock", unsplit, NULL, 0),
		"name=/dir/b.cgi\ninfo=/x\n");
	answer_expect(client_call(w, "www.sock", split, NULL, 0),
		"name=/a.cgi\ninfo=/theirs\ntrans=/theirs/too\n");
}

Test(cgi_keys, nothing_is_split_by_default, .timeout = 60)
{
	struct world *w = start("");

	expect(w, "/a.cgi/x", "Status: 404 ");
	world_expect_log(w, "404: cannot open: Not a directory; to pass the "
		"path after the script as PATH_INFO, set cgi.split_path = yes");
	expect(w, "/dir/deep", "Status: 403 ");
	world_expect_log(w, "403: a directory, not a program; set cgi.index "
		"to run a program in it");
}

/* Splitting the longest possible path takes little time. */
Test(cgi_keys, a_path_of_2000_names_is_split, .timeout = 60)
{
	struct world *w = start("cgi.split_path = yes\n");
	char uri[4000] = "/a.cgi", file[5000];
	const char *params[] = {file, NULL};
	struct answer a;
	size_t n = strlen(uri);

	while (n + 500 < sizeof(uri))
		n += (size_t)snprintf(uri + n, sizeof(uri) - n, "/x");
	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s/www%s", w->dir, uri);
	a = client_call(w, "www.sock", params, NULL, 0);
	answer_expect(a, "info=/x/x/x/");
	cr_expect_lt(a.seconds, 1.0, "%.3f s", a.seconds);
}

Test(cgi_keys, a_directory_runs_its_index_file, .timeout = 60)
{
	struct world *w = start("cgi.index = none.cgi, index.cgi b.cgi\n");

	expect(w, "/", "file=@/index.cgi\nname=/index.cgi\ninfo=unset\n");
	expect(w, "", "file=@/index.cgi\n");
	expect(w, "/dir/deep/", "file=@/dir/deep/index.cgi\n"
		"name=/dir/deep/index.cgi\n");
	expect(w, "/dir/deep", "name=/dir/deep/index.cgi\n");
	expect(w, "/dir/", "name=/dir/b.cgi\n");
	expect(w, "/dir/", "cwd=@/dir\n");
	expect(w, "/a.cgi", "name=/a.cgi\n");
	expect(w, "/empty/", "Status: 403 ");
	world_expect_log(w, "www/empty: 403: a directory without an index file "
		"(cgi.index: none.cgi, index.cgi b.cgi)");
}

Test(cgi_keys, only_listed_extensions_are_run, .timeout = 60)
{
	struct world *w = start("cgi.extensions = .cgi, pl\n"
		"cgi.split_path = yes\n");

	expect(w, "/a.cgi", "name=/a.cgi\n");
	expect(w, "/a.cgi/x.txt", "info=/x.txt\n");
	expect(w, "/noext", "Status: 403 ");
	world_expect_log(w, "www/noext: 403: its extension is not in "
		"cgi.extensions (.cgi, pl)");
	expect(w, "/noext/x.cgi", "Status: 403 ");
	expect(w, "/a.cgi-old", "Status: 403 ");
	expect(w, "/a.cg", "Status: 403 ");
	expect(w, "/plain.txt", "Status: 403 ");
}

/* The handler gets only files that the keys allow. */
Test(cgi_keys, the_keys_apply_to_files_of_a_handler, .timeout = 60)
{
	struct world *w = start("handler = /bin/sh\n"
		"handler_args = @DIR@/show\n"
		"cgi.extensions = sx\ncgi.index = index.sx\n"
		"cgi.split_path = yes\n");

	expect(w, "/plain.sx/x", "file=@/plain.sx\nname=/plain.sx\ninfo=/x\n");
	expect(w, "/", "file=@/index.sx\nname=/index.sx\n");
	expect(w, "/plain.txt", "Status: 403 ");
	expect(w, "/dir/", "Status: 403 ");
}

Test(cgi_keys, an_interpreter_runs_files_that_are_not_executable, .timeout = 60)
{
	struct world *w = start(
		"cgi.interpreter[.sx] = /bin/sh\n"
		"cgi.interpreter[txt] = @DIR@/reader\n"
		"cgi.split_path = yes\ncgi.index = index.sx\n");

	expect(w, "/plain.sx", "argc=0\nzero=@/plain.sx\ncwd=@\n");
	expect(w, "/plain.sx/x", "name=/plain.sx\ninfo=/x\n");
	expect(w, "/", "file=@/index.sx\n");
	expect(w, "/plain.txt", "read @/plain.txt, 1 arguments\n");
	expect(w, "/a.cgi", "name=/a.cgi\n");
	world_shell(w, "chmod 644 www/a.cgi");
	expect(w, "/a.cgi", "Status: 403 ");
}

Test(cgi_keys, a_default_interpreter_runs_every_file, .timeout = 60)
{
	struct world *w = start("cgi.interpreter = @DIR@/reader\n"
		"cgi.interpreter[.sx] = /bin/sh\n");

	expect(w, "/plain.txt", "read @/plain.txt, 1 arguments\n");
	expect(w, "/noext", "read @/noext, 1 arguments\n");
	expect(w, "/plain.sx", "zero=@/plain.sx\n");
	expect(w, "/dir", "Status: 403 ");
	/* It was removed after the start. */
	unlink(world_path(w, "reader"));
	expect(w, "/noext", "Status: 500 ");
	world_expect_log(w, "reader: No such file or directory; install it ");
}

/* Programs that write a status line, one of them in pieces. */
static const char nph_files[] =
	"cat >www/nph-page <<'END'\n"
	"#!/bin/sh\n"
	"printf 'HTTP/1.1 404 Not There\\r\\nContent-Type: text/plain\\r\\n"
	"\\r\\nnph\\n'\n"
	"END\n"
	"cp www/nph-page www/page\n"
	"cat >www/nph-slow <<'END'\n"
	"#!/bin/sh\n"
	"for b in H TTP /1. 1 ' ' 2 01 ' M' ade '\\r' '\\nA: b\\r\\n\\r' "
	"'\\nslow\\n'; do\n"
	"printf \"$b\"; sleep 0.01; done\n"
	"END\n"
	"printf '#!/bin/sh\\nprintf \"HTTP/9 200\\\\n\\\\n\"\\n' "
	">www/nph-bad\n"
	"printf '#!/bin/sh\\nprintf \"A: b\\\\n\\\\nplain\\\\n\"\\n' "
	">www/nph-plain\n"
	"chmod 755 www/nph-* www/page\n";

static void
check_nph(const char *key, bool named, bool all)
{
	/* "Status: " replaces "HTTP/1.1"; the blank after that stays. */
	static const char page[] = "Status:  404 Not There\r\n"
		"Content-Type: text/plain\r\n\r\nnph\n";
	struct world *w = start(key);
	struct answer a;

	world_shell(w, nph_files);
	a = call(w, "/nph-page");
	cr_expect_eq(strcmp(a.out, page) == 0, named, "%s: %s", key, a.out);
	a = call(w, "/page");
	cr_expect_eq(strcmp(a.out, page) == 0, all, "%s: %s", key, a.out);
	a = call(w, "/nph-slow");
	cr_expect_eq(strcmp(a.out,
			     "Status:  201 Made\r\nA: b\r\n\r\nslow\n") == 0,
		named, "%s: %s", key, a.out);
	expect(w, "/nph-plain", "A: b\n\nplain\n");
	expect(w, "/nph-bad", "Status: 502 Bad Gateway\r\n");
	if (!all)
		world_expect_log(w, "502: no CGI response: the output begins "
			"with an HTTP status line; print \"Status: 200 OK\" "
			"instead, or set cgi.nph = yes");
	world_close(&w);
}

Test(cgi_keys, a_status_line_is_refused_by_default, .timeout = 60)
{
	check_nph("", false, false);
}

Test(cgi_keys, cgi_nph_name_allows_a_status_line_by_name, .timeout = 60)
{
	check_nph("cgi.nph = name\n", true, false);
}

Test(cgi_keys, cgi_nph_yes_allows_every_status_line, .timeout = 60)
{
	check_nph("cgi.nph = yes\n", true, true);
}

/* Without a supervisor, by -o. */
Test(cgi_keys, the_keys_may_be_set_by_options, .timeout = 60)
{
	struct world *w = world_open();
	const char *sock = world_path(w, "www.sock");
	const char *docroot = world_path(w, "www");
	const char *argv[] = {"fcgipm-cgi", "-l", sock, "-d", docroot,
		"-o", "cgi.interpreter[.sx]=/bin/sh",
		"-o", "cgi.index=index.sx", "-o", "cgi.split_path=yes", NULL};

	world_shell(w, files);
	world_launch_argv(w, argv);
	world_expect_log(w, "ready: ");
	expect(w, "/", "name=/index.sx\n");
	expect(w, "/plain.sx/x", "info=/x\n");
	world_stop(w);
}
