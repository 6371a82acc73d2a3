/*
 * test_explain.c - every refusal says what to change: the page names a
 * request, and the log has the reason under the same number
 */
#include "world.h"

static const char files[] =
	"mkdir -p www/folder www/closed outside\n"
	"cat >www/good <<'END'\n"
	"#!/bin/sh\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\nserved\\n'\n"
	"END\n"
	"cp www/good outside/secret; chmod 755 www/good outside/secret\n"
	"cp www/good www/plain; chmod 644 www/plain\n"
	"cp www/good www/closed/inner; chmod 755 www/closed/inner\n"
	"cp www/good www/a.xyz; chmod 755 www/a.xyz\n"
	"ln -s ../outside/secret www/up\n"
	"ln -s loop www/loop\n"
	"mkfifo www/fifo; chmod 755 www/fifo\n"
	"printf '#!/no/such/interpreter -x\\n' >www/nointerp\n"
	"printf '#!python3\\nprint(1)\\n' >www/nofolder\n"
	"printf '#! \\necho\\n' >www/nothing\n"
	"printf '#!/bin/sh\\r\\necho\\r\\n' >www/dos\n"
	"printf '\\357\\273\\277#!/bin/sh\\necho\\n' >www/bom\n"
	"printf 'no program\\n' >www/text\n"
	"printf '#!/bin/sh\\nexit 3\\n' >www/silent\n"
	"printf '#!/bin/sh\\necho hello world\\n' >www/bare\n"
	"printf '#!/bin/sh\\nprintf \"A: b\\\\n\"\\n' >www/cut\n"
	"printf '#!/bin/sh\\nsleep 60\\n' >www/sleeper\n"
	"printf '#!@DIR@/interp\\n' >www/badinterp\n"
	"cp /bin/true interp\n"
	"chmod 755 www/no* www/dos www/bom www/text www/silent www/bare "
	"www/cut www/sleeper www/badinterp interp\n";

static struct world *
start(const char *keys)
{
	struct world *w = world_open();
	char ini[600];

	world_shell(w, files);
	snprintf(ini, sizeof(ini),
		"[shop]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"docroot = @DIR@/www\n"
		"%s", keys);
	world_start(w, ini);
	return w;
}

/* The whole line of the log that holds text, "" for none. */
static char *
log_line(struct world *w, const char *text)
{
	char *log = world_log(w), *at = strstr(log, text), *line;

	while (at && at > log && at[-1] != '\n')
		at--;
	line = at ? strndup(at, strcspn(at, "\n")) : strdup("");
	return line;
}

/*
 * The page is whole and says nothing but status and number; the line of that
 * number names pool, script and reason.
 */
static void
check_refusal(struct world *w, const struct answer *a, const char *script,
	const char *status, const char *why)
{
	const char *number = strstr(a->out, " of request ");
	char want[900], id[16] = "", *line;

	cr_assert(a->ended && number, "%s: %s", script, a->out);
	memcpy(id, number + strlen(" of request "), 8);
	snprintf(want, sizeof(want),
		"Status: %s\r\nContent-Type: text/plain\r\n%s\r\n%s\n\n"
		"The server's log tells more of request %s.\n",
		status, strncmp(status, "503", 3) == 0 ?
			"Retry-After: 1\r\n" : "",
		status, id);
	cr_expect_str_eq(a->out, want, "%s", script);
	cr_expect_eq(strspn(id, "0123456789abcdef"), 8, "%s", id);
	snprintf(want, sizeof(want), "[request %s]", id);
	world_expect_log(w, want);
	line = log_line(w, want);
	cr_expect(strstr(line, "pool shop: "), "%s", line);
	snprintf(want, sizeof(want), "script %s%s: %.3s: ",
		script[0] == '/' ? w->dir : "", script, status);
	cr_expect(strstr(line, want), "%s: not \"%s\" in %s", script, want,
		line);
	cr_expect(strstr(line, why), "%s: not \"%s\" in %s", script, why,
		line);
	free(line);
}

static void
refused(struct world *w, const char *name, const char *status, const char *why)
{
	char path[900];
	struct answer a;

	snprintf(path, sizeof(path), "%s%s", w->dir, name);
	a = client_script(w, "www.sock", path, NULL);
	check_refusal(w, &a, name, status, why);
}

#define FORBIDDEN "403 Forbidden"
#define MISSING "404 Not Found"
#define BROKEN "500 Internal Server Error"
#define GATEWAY "502 Bad Gateway"

Test(explain, each_file_that_is_not_run, .timeout = 60)
{
	static const struct {
		const char *path, *status, *why;
	} rows[] = {
		{"/www/missing", MISSING, "404: No such file or directory ["},
		{"/www/with%20blank", MISSING,
			"%XX in it is taken as it is: have the web server "
			"send it decoded"},
		{"/www/100%", MISSING, "404: No such file or directory ["},
		{"/www/good/x", MISSING,
			"Not a directory; cgi.split_path would take what is "
			"behind the script as PATH_INFO"},
		{"/elsewhere", FORBIDDEN, "not beneath docroot /"},
		{"/www/../outside/secret", FORBIDDEN,
			"the script's path holds .."},
		{"/www/up", FORBIDDEN, "leaves docroot /"},
		{"/www/up", FORBIDDEN, "an absolute one always counts"},
		{"/www/loop", FORBIDDEN, "a symbolic link that is not "
			"followed"},
		{"/www/folder", FORBIDDEN, "a folder, not a program; "
			"cgi.index would name one in it"},
		{"/www/fifo", FORBIDDEN, "not a regular file"},
		{"/www/plain", FORBIDDEN, "not executable; chmod +x it"},
		{"/www/nointerp", BROKEN, "no interpreter "
			"/no/such/interpreter; install it or change the #! "
			"line"},
		{"/www/nofolder", BROKEN, "its #! line names python3 without "
			"its folder: write #!/usr/bin/env python3"},
		{"/www/nothing", BROKEN, "its #! line names no interpreter: "
			"write one, as #!/bin/sh"},
		{"/www/dos", BROKEN, "its first line ends in CR LF; save it "
			"with LF line ends"},
		{"/www/bom", BROKEN, "a byte order mark stands in front"},
		{"/www/text", BROKEN, "no program: it begins neither with "
			"#!/path/of/interpreter nor as an ELF file does"},
		{"/www/silent", GATEWAY, "it wrote no answer (exit status 3); "
			"if it is a FastCGI program, use mode = prefork"},
		{"/www/bare", GATEWAY, "it does not begin with a header: "
			"print \"Content-Type: text/plain\" and an empty "
			"line first"},
		{"/www/cut", GATEWAY, "the empty line is missing (exit "
			"status 0)"},
		{"/www/sleeper", "504 Gateway Timeout", "silent for 300 ms; "
			"it is ended (cgi.idle_timeout)"},
	};
	struct world *w = start("cgi.idle_timeout = 300ms\n");
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused(w, rows[i].path, rows[i].status, rows[i].why);
}

Test(explain, each_request_that_is_not_taken, .timeout = 60)
{
	struct world *w = start("cgi.max_body = 10\ncgi.extensions = xyz\n");
	char good[600], bad[600];
	const struct {
		const char *params[3];
		const char *script, *status, *why;
	} rows[] = {
		{{NULL}, "?", MISSING, "no script is named: have the web "
			"server send SCRIPT_FILENAME"},
		{{"SCRIPT_FILENAME=a.cgi"}, "a.cgi", MISSING,
			"the script's path does not begin with /"},
		{{"SCRIPT_FILENAME=proxy:fcgi:/a.cgi"}, "proxy:fcgi:/a.cgi",
			MISSING, "Apache's proxy: in SCRIPT_FILENAME leads to "
			"no path: use SetHandler"},
		{{"SCRIPT_FILENAME=/"}, "/", MISSING, "names no file"},
		{{good, "CONTENT_LENGTH=x"}, "/www/a.xyz", "400 Bad Request",
			"CONTENT_LENGTH is no number"},
		{{good, "CONTENT_LENGTH=11"}, "/www/a.xyz",
			"413 Content Too Large", "the body is longer than "
			"cgi.max_body"},
		{{bad}, "/www/good", FORBIDDEN, "its extension is none of "
			"cgi.extensions: xyz"},
	};
	size_t i;

	snprintf(good, sizeof(good), "SCRIPT_FILENAME=%s/www/a.xyz", w->dir);
	snprintf(bad, sizeof(bad), "SCRIPT_FILENAME=%s/www/good", w->dir);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = client_connect(w, "www.sock");
		struct answer a;

		a = client_get(fd, 0, rows[i].params);
		close(fd);
		if (strcmp(rows[i].script, "/") == 0)
			cr_expect(strstr(a.out, "Status: 404 "), "%s", a.out);
		else
			check_refusal(w, &a, rows[i].script, rows[i].status,
				rows[i].why);
	}
}

/* One variable may have 128 KiB (execve(2)); four bytes tell its length. */
Test(explain, a_parameter_that_is_too_long_for_a_program, .timeout = 60)
{
	enum { N = 140000, PART = 35000 };
	static const uint8_t head[8] = {3, 0x80, 0x02, 0x22, 0xe0, 'B', 'I',
		'G'};
	static char big[sizeof(head) + N];
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");
	struct answer a;
	char file[600];
	size_t len, at;

	len = (size_t)snprintf(file, sizeof(file), "  SCRIPT_FILENAME"
		"%s/www/good", w->dir);
	file[0] = 15;
	file[1] = (char)(len - 17);
	memset(big, 'x', sizeof(big));
	memcpy(big, head, sizeof(head));
	client_record(fd, 1, 1, "\0\1\0\0\0\0\0\0", 8, 0);
	client_record(fd, 4, 1, file, len, 0);
	for (at = 0; at < sizeof(big); at += PART)
		client_record(fd, 4, 1, big + at,
			sizeof(big) - at < PART ? sizeof(big) - at : PART, 0);
	client_record(fd, 4, 1, NULL, 0, 0);
	a = client_read(fd);
	check_refusal(w, &a, "/www/good",
		"431 Request Header Fields Too Large",
		"its environment is too large");
}

/* Rights that only another user lacks, each with the chmod that gives it. */
Test(explain, each_right_that_the_pools_user_lacks, .timeout = 60)
{
	static const struct {
		const char *change, *path, *why;
	} rows[] = {
		{"chmod 700 www/good", "/www/good",
			"not executable by user nobody: chmod o+x it"},
		{"chgrp 65534 www/good; chmod 705 www/good", "/www/good",
			"not executable by user nobody: chmod g+x it"},
		{"chown 65534 www/good; chmod 055 www/good", "/www/good",
			"not executable by user nobody: chmod u+x it"},
		{"chown 0:0 www/good; chmod 711 www/good", "/www/good",
			"not readable by user nobody, whose interpreter must "
			"read it: chmod o+r it"},
		{"chmod 700 interp", "/www/badinterp",
			"its interpreter is not executable by user nobody: "
			"chmod o+x /"},
		{"chmod 700 www/closed", "/www/closed/inner",
			"user nobody may not search a folder of its path: "
			"chmod o+x /"},
		{"chmod 700 www", "/www/good", "chmod o+x /"},
	};
	struct world *w;
	char want[600];
	size_t i;

	world_need_root();
	w = start("user = 65534\ngroup = 65534\n");
	world_shell(w, "chmod 711 .");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_shell(w, rows[i].change);
		refused(w, rows[i].path, FORBIDDEN, rows[i].why);
	}
	/* And the folder is named. */
	snprintf(want, sizeof(want), "chmod o+x %s/www/closed [", w->dir);
	world_expect_log(w, want);
	snprintf(want, sizeof(want), "chmod o+x %s/www [", w->dir);
	world_expect_log(w, want);
	snprintf(want, sizeof(want), "chmod o+x %s/interp [", w->dir);
	world_expect_log(w, want);
}

/* What was there at the start, and is not any more. */
Test(explain, what_has_gone_since_the_start, .timeout = 60)
{
	struct world *w = start("handler = @DIR@/outside/secret\n");

	world_shell(w, "rm outside/secret");
	refused(w, "/www/good", BROKEN, "secret: No such file or directory; "
		"user ");
	refused(w, "/www/good", BROKEN, "must be able to execute it");
	world_close(&w);
	w = start("");
	world_shell(w, "mv www gone");
	refused(w, "/www/good", BROKEN, "docroot /");
}

/* No two requests have one number. */
Test(explain, numbers_are_not_given_twice, .timeout = 60)
{
	enum { N = 200 };
	struct world *w = start("");
	char path[600], id[N][9];
	int i, j;

	snprintf(path, sizeof(path), "%s/www/missing", w->dir);
	for (i = 0; i < N; i++) {
		struct answer a = client_script(w, "www.sock", path, NULL);
		const char *at = strstr(a.out, " of request ");

		cr_assert_not_null(at);
		memcpy(id[i], at + strlen(" of request "), 8);
		id[i][8] = '\0';
		for (j = 0; j < i; j++)
			cr_expect_str_neq(id[i], id[j]);
	}
}
