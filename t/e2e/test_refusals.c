/*
 * test_refusals.c - failed requests: the error page has the right status and a
 * request ID, the log line with that ID says what to change, and the next
 * request is served
 */
#include "world.h"

/* A docroot with files that may not run, next to a directory outside of it. */
static const char files[] =
	"mkdir -p www/dir www/closed outside\n"
	"cat >www/good <<'END'\n"
	"#!/bin/sh\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\nserved\\n'\n"
	"END\n"
	"cp www/good www/plain\n"
	"chmod 755 www/good\n"
	"for copy in outside/secret www/dir/inner www/closed/inner www/a.xyz\n"
	"do cp -p www/good $copy; done\n"
	"ln -s ../outside/secret www/up\n"
	"ln -s @DIR@/outside/secret www/absolute\n"
	"ln -s ../outside www/dirlink\n"
	"ln -s good www/inside\n"
	"ln -s @DIR@/www/good www/own\n"
	"ln -s nowhere www/dangling\n"
	"ln -s loop www/loop\n"
	"mkfifo www/fifo\n"
	"cd www\n"
	"printf '#!/no/such/interpreter -x\\n' >nointerp\n"
	"printf '#!python3\\nprint(1)\\n' >nodir\n"
	"printf '#! \\necho\\n' >nothing\n"
	"printf '#!/bin/sh\\r\\necho\\r\\n' >dos\n"
	"printf '\\357\\273\\277#!/bin/sh\\necho\\n' >bom\n"
	"printf 'no program\\n' >text\n"
	": >empty\n"
	"printf '\\177ELF' >elf\n"
	"printf '#!/bin/sh\\n' >quiet\n"
	"printf '#!/bin/sh\\nexit 3\\n' >silent\n"
	"printf '#!/bin/sh\\necho hello world\\n' >bare\n"
	"printf '#!/bin/sh\\necho A: b; echo no colon; echo; echo body\\n' "
		">nocolon\n"
	"printf '#!/bin/sh\\necho A: b\\n' >cut\n"
	"printf '#!/bin/sh\\nkill -KILL $$\\n' >killed\n"
	"printf '#!/bin/sh\\nsleep 60\\n' >sleeper\n"
	"printf '#!@DIR@/interp\\n' >badinterp\n"
	"cp /bin/true ../interp\n"
	"printf '#!/bin/sh\nprintf \"A: b\\n\\nran for "
		"$SCRIPT_FILENAME\\n\"\n' >../handler\n"
	"chmod 755 fifo no* dos bom text empty elf quiet silent bare cut "
	"killed sleeper badinterp ../interp ../handler\n";

static struct world *
start(const char *keys)
{
	struct world *w = world_open();

	world_shell(w, files);
	world_start(w, own_text("[shop]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"docroot = @DIR@/www\n"
		"%s", keys));
	return w;
}

/* The answer to a request for a file in the test's directory. */
static struct answer
call(struct world *w, const char *name)
{
	return client_script(w, "www.sock", world_path(w, name), NULL);
}

static void
expect_served(struct world *w, const char *after)
{
	struct answer a = call(w, "www/good");

	cr_expect(a.ended && strstr(a.out, "served\n"), "after %s: %s", after,
		a.out);
}

/* The whole line of the log that contains text, "" for none. */
static const char *
log_line(struct world *w, const char *text)
{
	char *log = world_log(w), *at = strstr(log, text);

	while (at && at > log && at[-1] != '\n')
		at--;
	return at ? own_text("%.*s", (int)strcspn(at, "\n"), at) : "";
}

/*
 * The page is complete and shows only status and request ID; the log line with
 * that ID names pool, script and reason.
 */
static void
check_refusal(struct world *w, const struct answer *a, const char *script,
	const char *status, const char *why)
{
	const char *number = strstr(a->out, " of request ");
	const char *line, *want;
	char id[16] = "";

	cr_assert(a->ended && number, "%s: %s", script, a->out);
	memcpy(id, number + strlen(" of request "), 8);
	cr_expect_str_eq(a->out, own_text(
		"Status: %s\r\nContent-Type: text/plain\r\n\r\n%s\n\n"
		"The server's log has the details of request %s.\n", status,
		status, id), "%s", script);
	cr_expect_eq(strspn(id, "0123456789abcdef"), 8, "%s", id);
	want = own_text("[request %s]", id);
	world_expect_log(w, want);
	line = log_line(w, want);
	cr_expect(strstr(line, "pool shop: "), "%s", line);
	want = own_text("script %s%s: %.3s: ",
		script[0] == '/' ? w->dir : "", script, status);
	cr_expect(strstr(line, want), "%s: not \"%s\" in %s", script, want,
		line);
	cr_expect(strstr(line, why), "%s: not \"%s\" in %s", script, why,
		line);
}

static void
refused(struct world *w, const char *name, const char *status, const char *why)
{
	struct answer a = call(w, name + 1);

	check_refusal(w, &a, name, status, why);
}

#define FORBIDDEN "403 Forbidden"
#define MISSING "404 Not Found"
#define BROKEN "500 Internal Server Error"
#define GATEWAY "502 Bad Gateway"

struct row {
	const char *path, *status, *why;
};

static void
check_rows(struct world *w, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		refused(w, rows[i].path, rows[i].status, rows[i].why);
		expect_served(w, rows[i].path);
	}
}

Test(refusals, files_that_may_not_run_are_refused, .timeout = 60)
{
	static const struct row rows[] = {
		{"/www/missing", MISSING,
			"404: cannot open: No such file or directory ["},
		{"/www/with%20blank", MISSING,
			"its path contains %XX: let the web server send it "
			"decoded"},
		{"/www/100%", MISSING,
			"404: cannot open: No such file or directory ["},
		{"/www/good/x", MISSING,
			"Not a directory; to pass the path after the script as "
			"PATH_INFO, set cgi.split_path = yes"},
		{"/www/missing/deeper", MISSING, "No such file"},
		{"/www/dangling", MISSING, "No such file"},
		{"/elsewhere", FORBIDDEN, "outside docroot /"},
		{"/www/../outside/secret", FORBIDDEN,
			"the script's path contains \"..\""},
		{"/www/dir/../good", FORBIDDEN,
			"the script's path contains \"..\""},
		{"/www/..", FORBIDDEN, "the script's path contains \"..\""},
		{"/www-other/good", FORBIDDEN, "outside docroot"},
		{"/www/absolute", FORBIDDEN,
			"/outside/secret, outside docroot"},
		{"/www/dirlink/secret", FORBIDDEN,
			"/outside/secret, outside docroot"},
		{"/www/up", FORBIDDEN, "a symbolic link leads to /"},
		{"/www/up", FORBIDDEN,
			"/outside/secret, outside docroot /"},
		{"/www/own", FORBIDDEN, "a symbolic link to /"},
		{"/www/own", FORBIDDEN, "/www/good is absolute; make it "
			"relative"},
		{"/www/loop", FORBIDDEN, "a symbolic link leads to itself; "
			"correct it"},
		{"/www/dir", FORBIDDEN, "a directory, not a program; set "
			"cgi.index to run a program in it"},
		{"/www", FORBIDDEN, "a directory, not a program"},
		{"/www/fifo", FORBIDDEN, "not a regular file"},
		{"/www/plain", FORBIDDEN, "not executable; chmod +x /"},
	};

	struct world *w = start("");

	check_rows(w, rows, ARRAY_SIZE(rows));
	answer_expect(call(w, "www/"), "Status: 403 ");
}

Test(refusals, a_failed_program_gets_a_status_and_a_reason, .timeout = 60)
{
	static const struct row rows[] = {
		{"/www/nointerp", BROKEN, "its interpreter "
			"/no/such/interpreter does not exist; install it or "
			"change the #! line"},
		{"/www/nodir", BROKEN, "its #! line names python3 without a "
			"directory; write #!/usr/bin/env python3"},
		{"/www/nothing", BROKEN, "its #! line names no interpreter; "
			"write one, such as #!/bin/sh"},
		{"/www/dos", BROKEN, "its #! line ends in CR LF; save it with "
			"LF line endings"},
		{"/www/bom", BROKEN, "a byte order mark precedes its #! line"},
		{"/www/text", BROKEN, "not a program: begins neither with "
			"#!/path/to/interpreter nor as an ELF file"},
		{"/www/empty", BROKEN, "not a program"},
		{"/www/elf", BROKEN, "not a program"},
		{"/www/quiet", GATEWAY, "the program wrote no output (exit "
			"status 0); if it is a FastCGI program, use mode = prefork"},
		{"/www/silent", GATEWAY, "the program wrote no output (exit "
			"status 3); if it is a FastCGI program, use mode = prefork"},
		{"/www/bare", GATEWAY, "the output does not begin with a CGI "
			"header; print \"Content-Type: text/plain\" and an "
			"empty line first"},
		{"/www/nocolon", GATEWAY, "a header name contains an invalid "
			"character"},
		{"/www/cut", GATEWAY, "the output ends before the empty "
			"line that ends the header (exit status 0)"},
		{"/www/killed", GATEWAY, "the program wrote no output (killed "
			"by signal 9 (SIGKILL)) ["},
		{"/www/sleeper", "504 Gateway Timeout", "no input or output "
			"for 0.3 s (cgi.idle_timeout); killed; raise it if"},
	};

	check_rows(start("cgi.idle_timeout = 300ms\n"), rows,
		ARRAY_SIZE(rows));
}

Test(refusals, invalid_requests_are_refused, .timeout = 60)
{
	struct world *w = start("cgi.max_body = 10\ncgi.extensions = xyz\n");
	const char *good = own_text("SCRIPT_FILENAME=%s/www/a.xyz", w->dir);
	const char *bad = own_text("SCRIPT_FILENAME=%s/www/good", w->dir);
	const struct {
		const char *params[3];
		const char *script, *status, *why;
	} rows[] = {
		{{NULL}, "(unknown)", MISSING, "the request names no script; "
			"configure the web server to send SCRIPT_FILENAME"},
		{{"SCRIPT_FILENAME=", "SCRIPT_NAME="}, "(unknown)", MISSING,
			"the request names no script"},
		{{"SCRIPT_FILENAME=a.cgi"}, "a.cgi", MISSING,
			"the script's path does not begin with /"},
		{{"SCRIPT_FILENAME=proxy:fcgi:/a.cgi"}, "proxy:fcgi:/a.cgi",
			MISSING, "SCRIPT_FILENAME has Apache's proxy: prefix, "
			"but no path; use SetHandler"},
		{{"SCRIPT_FILENAME=/"}, "/", MISSING, "names no file"},
#define NO_LENGTH(text) {{good, "CONTENT_LENGTH=" text}, "/www/a.xyz", \
		"400 Bad Request", "CONTENT_LENGTH is not a number"}
		NO_LENGTH("x"), NO_LENGTH("-2"), NO_LENGTH("+1"),
		NO_LENGTH("1 "), NO_LENGTH("0x10"),
		NO_LENGTH("99999999999999999999999"),
		{{good, "CONTENT_LENGTH=11"}, "/www/a.xyz",
			"413 Content Too Large", "the request body has 11 "
			"bytes, more than cgi.max_body = 10; raise"},
		{{bad}, "/www/good", FORBIDDEN, "its extension is not in "
			"cgi.extensions (xyz)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = client_connect(w, "www.sock");
		struct answer a = client_get(fd, 0, rows[i].params);

		close(fd);
		if (strcmp(rows[i].script, "/") == 0)
			cr_expect(strstr(a.out, "Status: 404 "), "%s", a.out);
		else
			check_refusal(w, &a, rows[i].script, rows[i].status,
				rows[i].why);
		answer_expect(call(w, "www/a.xyz"), "served\n");
	}
}

Test(refusals, files_inside_docroot_are_served, .timeout = 60)
{
	static const char *const good[] = {"/good", "/dir/inner", "//good",
		"/./good", "/dir//./inner", "/inside"};
	struct world *w = start("");

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		answer_expect(call(w, own_text("www%s", good[i])), "served\n");
}

/* The handler runs only for files in docroot, and gets their path. */
Test(refusals, docroot_applies_with_a_handler, .timeout = 60)
{
	struct world *w = start("handler = @DIR@/handler\n");

	answer_expect(call(w, "www/plain"), "/www/plain\n");
	answer_expect(call(w, "www/up"), "Status: 403");
	answer_expect(client_script(w, "www.sock", "/etc/passwd", NULL),
		"Status: 403");
}

Test(refusals, web_servers_may_name_a_script_in_several_ways, .timeout = 60)
{
	static const char *const ways[] = {"SCRIPT_FILENAME=@/www/good",
		"SCRIPT_FILENAME=proxy:fcgi://localhost:9000@/www/good",
		"SCRIPT_FILENAME=proxy:unix:/run/x.sock|fcgi://x@/www/good",
		"SCRIPT_FILENAME=proxy:balancer://name@/www/good",
		"SCRIPT_FILENAME=proxy:fcgi://localhost@/www/good?a=b",
		"DOCUMENT_ROOT=@/www"};
	struct world *w = start("");

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const char *at = strchr(ways[i], '@');
		const char *params[] = {own_text("%.*s%s%s",
			(int)(at - ways[i]), ways[i], w->dir, at + 1),
			"SCRIPT_NAME=/good", NULL};
		int fd = client_connect(w, "www.sock");

		answer_expect(client_get(fd, 0, params), "served\n");
		close(fd);
	}
}

/* The limit and its neighbours; with CONTENT_LENGTH and without, in one record
 * and in two. */
Test(refusals, a_body_may_be_as_long_as_its_limit, .timeout = 60)
{
	static const char *const unknown[] = {
		"HTTP_TRANSFER_ENCODING=chunked", "CONTENT_LENGTH=-1"};
	struct world *w = start("cgi.max_body = 1000\n");
	const char *params[] = {own_text("SCRIPT_FILENAME=%s/www/length",
		w->dir), NULL, NULL};
	static const char body[1001];
	size_t len, i, cut;

	world_script(w, "www/length", "#!/bin/sh\n"
		"printf 'A: b\\n\\nlength: %d\\n' $(wc -c)\n");
	for (i = 0; i < 3 * 3 * 2; i++) {
		int fd = client_connect(w, "www.sock");
		struct answer a;

		len = 999 + i % 3;
		cut = i / 9 ? 400 : 0;
		params[1] = i / 3 % 3 ? unknown[i / 3 % 3 - 1] :
			own_text("CONTENT_LENGTH=%zu", len);
		client_begin(fd, 1, 0, params);
		if (cut)
			client_record(fd, STDIN, 1, body, cut, 0);
		client_record(fd, STDIN, 1, body, len - cut, 0);
		client_record(fd, STDIN, 1, NULL, 0, 0);
		a = client_read(fd);
		if (len > 1000)
			cr_expect(strstr(a.out, "Status: 413"), "%s, %zu: %s",
				params[1], len, a.out);
		else
			cr_expect_eq(answer_number(&a, "length"), (long)len,
				"%s, %zu: %s", params[1], len, a.out);
		close(fd);
	}
}

/* The body belongs to the next request; an authorizer gets none. */
Test(refusals, an_authorizers_content_length_is_ignored, .timeout = 60)
{
	static const char *const lengths[] = {"CONTENT_LENGTH=11",
		"CONTENT_LENGTH=x"};
	struct world *w = start("cgi.max_body = 10\n");

	for (size_t i = 0; i < 2; i++) {
		int fd = client_connect(w, "www.sock");

		client_begin_role(fd, 1, AUTHORIZER, 0, (const char *[]){
			own_text("SCRIPT_FILENAME=%s/www/good", w->dir),
			lengths[i], NULL});
		answer_expect(client_read(fd), "served\n");
		close(fd);
	}
}

Test(refusals, a_header_above_its_limit_is_502, .timeout = 60)
{
	struct world *w = world_start_script("#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\nX: '\n"
		"head -c ${QUERY_STRING} /dev/zero | tr '\\0' x\n"
		"printf '\\r\\n\\r\\nbody\\n'\n", "cgi.max_header = 8K\n");

	answer_expect(client_script(w, "www.sock", NULL, "8000"),
		"xx\r\n\r\nbody\n");
	answer_expect(client_script(w, "www.sock", NULL, "9000"),
		"Status: 502");
	answer_expect(client_script(w, "www.sock", NULL, "3000000"),
		"Status: 502");
}

/* The limit for one variable is 128 KiB (execve(2)). */
Test(refusals, a_parameter_longer_than_128_kib_is_refused, .timeout = 60)
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
	client_record(fd, BEGIN, 1, "\0\1\0\0\0\0\0\0", 8, 0);
	client_record(fd, PARAMS, 1, file, len, 0);
	for (at = 0; at < sizeof(big); at += PART)
		client_record(fd, PARAMS, 1, big + at,
			sizeof(big) - at < PART ? sizeof(big) - at : PART, 0);
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	a = client_read(fd);
	check_refusal(w, &a, "/www/good",
		"431 Request Header Fields Too Large",
		"its environment is too large");
}

/* Only root can test with another user. */
Test(refusals, each_missing_right_is_named_with_its_chmod, .timeout = 60)
{
	static const struct {
		const char *change, *path, *why;
	} rows[] = {
		{"chmod 700 www/good", "/www/good",
			"not executable by user nobody; chmod o+x /"},
		{"chgrp 65534 www/good; chmod 705 www/good", "/www/good",
			"not executable by user nobody; chmod g+x /"},
		{"chown 65534 www/good; chmod 055 www/good", "/www/good",
			"not executable by user nobody; chmod u+x /"},
		{"chown 0:0 www/good; chmod 711 www/good", "/www/good",
			"not readable by user nobody, but its interpreter must "
			"read it; chmod o+r /"},
		{"chmod 700 interp", "/www/badinterp",
			"its interpreter is not executable by user nobody; "
			"chmod o+x /"},
		{"chmod 700 www/closed", "/www/closed/inner",
			"/www/closed; chmod o+x /"},
		{"chmod 700 www", "/www/good",
			"user nobody may not enter /"},
	};
	struct world *w;

	world_need_root();
	w = start("user = 65534\ngroup = 65534\n");
	world_shell(w, "chmod 711 .");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		world_shell(w, rows[i].change);
		refused(w, rows[i].path, FORBIDDEN, rows[i].why);
	}
	/* The file or directory is named. */
	world_expect_log(w, own_text("chmod o+x %s/www/closed [", w->dir));
	world_expect_log(w, own_text("chmod o+x %s/www [", w->dir));
	world_expect_log(w, own_text("chmod o+x %s/interp [", w->dir));
}

/* A handler, then docroot. */
Test(refusals, files_removed_after_the_start_are_reported, .timeout = 60)
{
	struct world *w = start("handler = @DIR@/outside/secret\n");

	world_shell(w, "rm outside/secret");
	refused(w, "/www/good", BROKEN, "secret: No such file or directory; "
		"install it or its interpreter, or correct handler [");
	world_shell(w, "cp www/plain outside/secret");
	refused(w, "/www/good", BROKEN, "secret: Permission denied; user ");
	refused(w, "/www/good", BROKEN, "must be able to execute it");
	world_close(&w);
	w = start("");
	world_shell(w, "mv www gone");
	refused(w, "/www/good", BROKEN, "docroot /");
}

Test(refusals, request_ids_are_unique, .timeout = 60)
{
	enum { N = 200 };
	struct world *w = start("");
	char id[N][9];
	int i, j;

	for (i = 0; i < N; i++) {
		struct answer a = call(w, "www/missing");
		const char *at = strstr(a.out, " of request ");

		cr_assert_not_null(at);
		memcpy(id[i], at + strlen(" of request "), 8);
		id[i][8] = '\0';
		for (j = 0; j < i; j++)
			cr_expect_str_neq(id[i], id[j]);
	}
}
