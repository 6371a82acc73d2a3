/*
 * test_refusals.c - requests that get no program: a page with the right
 * status, a log line that says what to change, and the next one is served
 */
#include "world.h"

/* A docroot full of traps, beside a folder that is none of its business. */
static const char make_docroot[] =
	"mkdir -p www/folder www/closed outside\n"
	"cat >www/good <<'END'\n"
	"#!/bin/sh\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\nserved\\n'\n"
	"END\n"
	"cp www/good outside/secret\n"
	"cp www/good www/folder/inner\n"
	"chmod 755 www/good www/folder/inner outside/secret\n"
	"cp www/good www/plain; chmod 644 www/plain\n"
	"ln -s ../outside/secret www/up\n"
	"ln -s @DIR@/outside/secret www/absolute\n"
	"ln -s ../outside www/folderlink\n"
	"ln -s good www/inside\n"
	"ln -s nowhere www/dangling\n"
	"ln -s loop www/loop\n"
	"mkfifo www/fifo; chmod 755 www/fifo\n"
	"printf '#!/no/such/interpreter\\n' >www/nointerp\n"
	"printf '#!/bin/sh\\r\\necho\\r\\n' >www/dos\n"
	"printf 'no program\\n' >www/text\n"
	": >www/empty\n"
	"printf '\\177ELF' >www/elf\n"
	"chmod 755 www/nointerp www/dos www/text www/empty www/elf\n";

static struct world *
start_traps(const char *keys)
{
	struct world *w = world_open();

	world_shell(w, make_docroot);
	world_start_cgi(w, "docroot = @DIR@/www", keys);
	return w;
}

static void
expect_served(struct world *w, const char *after)
{
	char path[500];
	struct answer a;

	snprintf(path, sizeof(path), "%s/www/good", w->dir);
	a = client_script(w, "www.sock", path, NULL);
	cr_expect(a.ended && strstr(a.out, "served\n"), "after %s: %s", after,
		a.out);
}

Test(refusals, each_has_its_status_and_its_reason, .timeout = 60)
{
	static const struct {
		const char *path, *status, *why;
	} rows[] = {
		{"/missing", "404", "No such file"},
		{"/missing/deeper", "404", "No such file"},
		{"/good/deeper", "404", "Not a directory"},
		{"/dangling", "404", "No such file"},
		{"/folder", "403", "a folder, not a program"},
		{"/", "403", "a folder, not a program"},
		{"", "403", "a folder, not a program"},
		{"-other/good", "403", "not beneath docroot"},
		{"/plain", "403", "not executable; chmod +x it"},
		{"/../outside/secret", "403", "the script's path holds .."},
		{"/folder/../good", "403", "the script's path holds .."},
		{"/..", "403", "the script's path holds .."},
		{"/up", "403", "leaves docroot"},
		{"/absolute", "403", "leaves docroot"},
		{"/folderlink/secret", "403", "leaves docroot"},
		{"/loop", "403", "a symbolic link"},
		{"/fifo", "403", "not a regular file"},
		{"/nointerp", "500",
			"no interpreter /no/such/interpreter"},
		{"/dos", "500", "its first line ends in CR LF"},
		{"/text", "500", "no program"},
		{"/empty", "500", "no program"},
		{"/elf", "500", "no program"},
	};
	struct world *w = start_traps("");
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[500], status[32], line[600];
		struct answer a;

		snprintf(path, sizeof(path), "%s/www%s", w->dir,
			rows[i].path);
		snprintf(status, sizeof(status), "Status: %s ",
			rows[i].status);
		snprintf(line, sizeof(line), "%s: ", rows[i].status);
		a = client_script(w, "www.sock", path, NULL);
		cr_expect(a.ended, "%s", rows[i].path);
		cr_expect_eq(strncmp(a.out, status, strlen(status)), 0,
			"%s: %s", rows[i].path, a.out);
		cr_expect(strstr(a.out, "\r\n\r\n"), "a whole page");
		cr_expect_not(strstr(a.out, w->dir),
			"no path of ours in the page: %s", a.out);
		snprintf(line, sizeof(line), "%s: %s", rows[i].status,
			rows[i].why);
		world_expect_log(w, line);
		expect_served(w, rows[i].path);
	}
}

Test(refusals, what_lies_inside_is_served, .timeout = 60)
{
	static const char *const good[] = {"/good", "/folder/inner", "//good",
		"/./good", "/folder//./inner", "/inside"};
	struct world *w = start_traps("");
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char path[500];

		snprintf(path, sizeof(path), "%s/www%s", w->dir, good[i]);
		answer_expect(client_script(w, "www.sock", path, NULL),
			"served\n");
	}
}

/* Docroot and a fixed program: both hold, the program gets the path. */
Test(refusals, a_fixed_program_does_not_open_the_docroot, .timeout = 60)
{
	struct world *w = world_open();
	char path[500];
	struct answer a;

	world_shell(w, make_docroot);
	world_script(w, "handler", "#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\nran for %s\\n' "
		"\"$SCRIPT_FILENAME\"\n");
	world_start_cgi(w, "docroot = @DIR@/www",
		"handler = @DIR@/handler\n");
	snprintf(path, sizeof(path), "%s/www/plain", w->dir);
	a = client_script(w, "www.sock", path, NULL);
	answer_expect(a, "ran for ");
	answer_expect(a, "/www/plain\n");
	snprintf(path, sizeof(path), "%s/www/up", w->dir);
	answer_expect(client_script(w, "www.sock", path, NULL), "Status: 403");
	answer_expect(client_script(w, "www.sock", "/etc/passwd", NULL),
		"Status: 403");
}

/* A request of these parameters and nothing else. */
static struct answer
call_bare(struct world *w, const char *const *params, const char *body)
{
	int fd = client_connect(w, "www.sock");
	struct answer a;

	client_begin(fd, 1, 0, params);
	if (body)
		client_record(fd, 5, 1, body, strlen(body), 0);
	client_record(fd, 5, 1, NULL, 0, 0);
	a = client_read(fd);
	close(fd);
	return a;
}

Test(refusals, a_request_that_names_no_script, .timeout = 60)
{
	static const char *const none[] = {NULL};
	static const char *const empty[] = {"SCRIPT_FILENAME=",
		"SCRIPT_NAME=", NULL};
	static const char *const relative[] = {"SCRIPT_FILENAME=good", NULL};
	struct world *w = start_traps("");

	answer_expect(call_bare(w, none, NULL), "Status: 404");
	world_expect_log(w, "404: ");
	answer_expect(call_bare(w, empty, NULL), "Status: 404");
	answer_expect(call_bare(w, relative, NULL), "Status: 404");
	expect_served(w, "nameless ones");
}

Test(refusals, the_web_servers_ways_to_name_a_script, .timeout = 60)
{
	static const char *const ways[] = {"SCRIPT_FILENAME=@/www/good",
		"SCRIPT_FILENAME=proxy:fcgi://localhost:9000@/www/good",
		"SCRIPT_FILENAME=proxy:unix:/run/x.sock|fcgi://x@/www/good",
		"SCRIPT_FILENAME=proxy:balancer://name@/www/good",
		"SCRIPT_FILENAME=proxy:fcgi://localhost@/www/good?a=b",
		"DOCUMENT_ROOT=@/www"};
	struct world *w = start_traps("");
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const char *at = strchr(ways[i], '@');
		char text[600];
		const char *params[] = {text, "SCRIPT_NAME=/good", NULL};

		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - ways[i]),
			ways[i], w->dir, at + 1);
		answer_expect(call_bare(w, params, NULL), "served\n");
	}
}

Test(refusals, a_body_that_is_too_long_is_413, .timeout = 60)
{
	struct world *w = start_traps("cgi.max_body = 10\n");
	char text[600];
	const char *fits[] = {text, "CONTENT_LENGTH=10", NULL};
	const char *above[] = {text, "CONTENT_LENGTH=11", NULL};
	const char *chunked[] = {text, "HTTP_TRANSFER_ENCODING=chunked", NULL};

	snprintf(text, sizeof(text), "SCRIPT_FILENAME=%s/www/good", w->dir);
	answer_expect(call_bare(w, fits, "1234567890"), "served\n");
	answer_expect(call_bare(w, above, "12345678901"), "Status: 413");
	world_expect_log(w, "413: the body is longer than cgi.max_body");
	answer_expect(call_bare(w, chunked, "12345"), "served\n");
	expect_served(w, "413");
}

/* The limit and its neighbours; a length that the web server tells, and none
 * where it does not know it, in one record and in two. */
Test(refusals, a_body_may_be_as_long_as_its_limit, .timeout = 60)
{
	static const char *const unknown[] = {
		"HTTP_TRANSFER_ENCODING=chunked", "CONTENT_LENGTH=-1"};
	struct world *w = start_traps("cgi.max_body = 1000\n");
	char script[600], length[100], kind[100], body[1001] = "";
	const char *params[] = {script, kind, NULL};
	size_t len, i, cut;

	world_script(w, "www/length", "#!/bin/sh\n"
		"printf 'A: b\\n\\nlength: %d\\n' $(wc -c)\n");
	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s/www/length",
		w->dir);
	for (i = 0; i < 3 * 3 * 2; i++) {
		int fd = client_connect(w, "www.sock");
		struct answer a;

		len = 999 + i % 3;
		cut = i / 9 ? 400 : 0;
		snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", len);
		snprintf(kind, sizeof(kind), "%s",
			i / 3 % 3 ? unknown[i / 3 % 3 - 1] : length);
		client_begin(fd, 1, 0, params);
		if (cut)
			client_record(fd, 5, 1, body, cut, 0);
		client_record(fd, 5, 1, body, len - cut, 0);
		client_record(fd, 5, 1, NULL, 0, 0);
		a = client_read(fd);
		if (len > 1000)
			cr_expect(strstr(a.out, "Status: 413"), "%s, %zu: %s",
				kind, len, a.out);
		else
			cr_expect_eq(answer_number(&a, "length"), (long)len,
				"%s, %zu: %s", kind, len, a.out);
		close(fd);
	}
}

/* The body is the next request's: an authorizer gets none, however long. */
Test(refusals, an_authorizer_may_be_told_any_length, .timeout = 60)
{
	static const char *const lengths[] = {"CONTENT_LENGTH=11",
		"CONTENT_LENGTH=x"};
	struct world *w = start_traps("cgi.max_body = 10\n");
	char script[600];
	size_t i;

	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s/www/good",
		w->dir);
	for (i = 0; i < 2; i++) {
		const char *params[] = {script, lengths[i], NULL};
		int fd = client_connect(w, "www.sock");
		struct answer a;

		client_begin_role(fd, 1, 2, 0, params);
		a = client_read(fd);
		answer_expect(a, "served\n");
		close(fd);
	}
	world_close(&w);
}

Test(refusals, a_length_that_is_none_is_400, .timeout = 60)
{
	static const char *const lengths[] = {"CONTENT_LENGTH=x",
		"CONTENT_LENGTH=-2", "CONTENT_LENGTH=+1", "CONTENT_LENGTH=1 ",
		"CONTENT_LENGTH=0x10",
		"CONTENT_LENGTH=99999999999999999999999"};
	struct world *w = start_traps("");
	char text[600];
	size_t i;

	snprintf(text, sizeof(text), "SCRIPT_FILENAME=%s/www/good", w->dir);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const char *params[] = {text, lengths[i], NULL};
		struct answer a = call_bare(w, params, "x");

		cr_expect(strstr(a.out, "Status: 400"), "%s: %s", lengths[i],
			a.out);
	}
	expect_served(w, "400");
}

/* Answers that are none, each with its reason. */
Test(refusals, a_program_that_does_not_answer_is_502, .timeout = 60)
{
	static const struct {
		const char *how, *why;
	} rows[] = {
		{"nothing", "it wrote no answer (exit status 0); if it is a "
			"FastCGI program, use mode = prefork"},
		{"no_header", "it does not begin with a header: print "},
		{"no_colon", "a header's name holds a character it must "
			"not"},
		{"cut", "it ended before its header did: the empty line is "
			"missing (exit status 0)"},
	};
	struct world *w = world_open();
	char line[300];
	size_t i;

	world_start(w, "[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"docroot = @T@/children\n");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer a = client_script(w, "www.sock",
			world_child("misbehave.sh"), rows[i].how);

		answer_expect(a, "Status: 502");
		cr_expect_not(strstr(a.out, "no colon here"), "%s", a.out);
		snprintf(line, sizeof(line),
			"misbehave.sh: 502: no CGI answer: %s", rows[i].why);
		world_expect_log(w, line);
		answer_expect(client_script(w, "www.sock",
				world_child("misbehave.sh"), "status"),
			"418");
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

Test(refusals, a_program_the_pools_user_may_not_run, .timeout = 60)
{
	struct world *w;
	char path[500];

	world_need_root();
	w = start_traps("user = 65534\ngroup = 65534\n");
	world_shell(w, "cp www/good www/private; chmod 700 www/private\n"
		"chmod 700 www/closed; cp www/good www/closed/inner\n");
	snprintf(path, sizeof(path), "%s/www/private", w->dir);
	answer_expect(client_script(w, "www.sock", path, NULL), "Status: 403");
	world_expect_log(w, "403: not executable by user nobody: chmod "
		"o+x it");
	snprintf(path, sizeof(path), "%s/www/closed/inner", w->dir);
	answer_expect(client_script(w, "www.sock", path, NULL), "Status: 403");
	world_expect_log(w, "403: user nobody may not search a folder of "
		"its path: chmod o+x ");
	expect_served(w, "403");
}
