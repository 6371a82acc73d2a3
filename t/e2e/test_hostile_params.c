/*
 * test_hostile_params.c - parameters with false lengths, too many of them,
 * dangerous variables, and paths that lead outside docroot
 *
 * Bytes are typed from the FastCGI Specification 1.0, section 3.4.
 */
#include "hostile.h"

static const uint8_t begin_body[8] = {0, 1};

static size_t
put_length4(uint8_t *to, size_t n)
{
	to[0] = (uint8_t)(0x80 | n >> 24);
	to[1] = (uint8_t)(n >> 16);
	to[2] = (uint8_t)(n >> 8);
	to[3] = (uint8_t)n;
	return 4;
}

/* Sends a complete request whose parameters are these bytes. */
static struct answer
call_params(struct target *t, const uint8_t *p, size_t len)
{
	int fd = client_connect(t->w, "www.sock");
	struct answer a;
	size_t n;

	client_record(fd, BEGIN, 1, begin_body, 8, 0);
	for (; len > 0; p += n, len -= n) {
		n = len < 65535 ? len : 65535;
		client_record(fd, PARAMS, 1, p, n, 0);
	}
	client_record(fd, PARAMS, 1, NULL, 0, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	close(fd);
	return a;
}

/* The status of an error page, 200 for a program's response, 0 for neither. */
static int
status_of(const struct answer *a)
{
	if (!a->ended)
		return 0;
	if (strstr(a->out, "served\n"))
		return 200;
	return strncmp(a->out, "Status: ", 8) == 0 ? atoi(a->out + 8) : 0;
}

/* Sums of lengths that exceed 31 or 32 bits, or the bytes that follow. */
Test(hostile_params, lengths_that_overflow_are_refused, .timeout = 120)
{
	static const size_t lengths[] = {0x7fffffff, 0x7ffffffe, 0x7ffffffc,
		0x7ffffff8, 0x7ffffff7, 0x40000000, 0x3ffffffc, 0x1000000,
		0x40000, 0x3fff8, 5, 0};
	struct target t = hostile_start("");
	size_t i, j;

	for (i = 0; i < 12; i++) {
		for (j = 0; j < 12; j++) {
			uint8_t bytes[12] = {[8] = 'W', 'O', 'R', 'D'};
			struct answer a;

			put_length4(bytes, lengths[i]);
			put_length4(bytes + 4, lengths[j]);
			a = call_params(&t, bytes, 12);
			/* The bytes are missing.  With two lengths of 0, WORD
			 * is read as the lengths of the next pair. */
			cr_expect_eq(status_of(&a), 400,
				"lengths %zu and %zu: %s", lengths[i],
				lengths[j], a.out);
		}
	}
	hostile_end(&t, "lengths that overflow");
}

/* Content of one record. */
Test(hostile_params, malformed_parameters_are_refused, .timeout = 60)
{
	static const struct {
		const char *why, *bytes;
		size_t len;
	} rows[] = {
		{"NUL in a value", "\4\3WORDa\0b", 9},
		{"NUL in a name", "\4\1W\0RDx", 7},
		{"a pair cut inside its value", "\4\11WORDabc", 9},
		{"a pair cut inside its lengths", "\4", 1},
		{"a pair cut inside a long length", "\4\200\0", 3},
		{"a name of 2^31 - 1", "\377\377\377\377\1ab", 7},
		{"a value of 2^31 - 1", "\4\377\377\377\377WORD", 9},
		{"both of 2^31 - 1", "\377\377\377\377\377\377\377\377x", 9},
		{"a name of 2^24", "\201\0\0\0\1ab", 7},
	};
	struct target t = hostile_start("");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a = call_params(&t,
			(const uint8_t *)rows[i].bytes, rows[i].len);

		cr_expect_eq(status_of(&a), 400, "%s: %s", rows[i].why, a.out);
		world_expect_lines(t.w, ": 400: ", i + 1);
		hostile_serves(&t, rows[i].why);
	}
	hostile_end(&t, "malformed parameters");
}

/* Makes this number of pairs with this total size; the caller calls free(). */
static uint8_t *
make_pairs(size_t pairs, size_t bytes)
{
	uint8_t *p = malloc(bytes);
	size_t left = bytes, n = 0, i, value;
	char name[32];

	cr_assert_not_null(p);
	for (i = 0; i < pairs; i++) {
		value = left / (pairs - i) - 12;
		if (i + 1 == pairs)
			value = left - 12;
		snprintf(name, sizeof(name), "P%06zu", i);
		p[n++] = 7;
		n += put_length4(p + n, value);
		memcpy(p + n, name, 7);
		memset(p + n + 7, 'v', value);
		n += 7 + value;
		left = bytes - n;
	}
	cr_assert_eq(n, bytes);
	return p;
}

/* The limits are 1000 parameters and 256 KiB.  Beyond them, the answer and its
 * END_REQUEST arrive although more parameters follow. */
Test(hostile_params, parameters_are_limited_in_number_and_size, .timeout = 120)
{
	static const struct {
		size_t pairs, bytes;
		int status;
	} rows[] = {{1, 13, 200}, {1, 64 << 10, 200}, {4, 64 << 10, 200},
		{4, 256 << 10, 200}, {4, (256 << 10) + 1, 431},
		{1000, 13000, 200}, {1000, 256 << 10, 200},
		{1001, 13013, 431}, {1001, 256 << 10, 431},
		{10000, 130000, 431}, {10000, 1 << 20, 431},
		{100000, 1300000, 431}, {16, 1 << 20, 431},
		{64, 4 << 20, 431}, {1, 16 << 20, 431},
		{100000, 16 << 20, 431},
		/* A single variable has at most 128 KiB on Linux. */
		{1, 200 << 10, 431}};
	struct target t = hostile_start("");
	size_t i, round;

	for (round = 0; round < hostile_size(1, 20); round++) {
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			uint8_t *p = make_pairs(rows[i].pairs, rows[i].bytes);
			struct answer a = call_params(&t, p, rows[i].bytes);

			cr_expect_eq(status_of(&a), rows[i].status,
				"%zu pairs of %zu bytes: %d, not %d",
				rows[i].pairs, rows[i].bytes, status_of(&a),
				rows[i].status);
			free(p);
			hostile_serves(&t, "many parameters");
		}
	}
	world_expect_log(t.w, "431: more than 1000 parameters");
	world_expect_log(t.w, "431: more than 256 KiB of parameters");
	hostile_end(&t, "many parameters");
}

/* The program's environment for these parameters, one variable a line. */
static struct answer
call_env(struct target *t, const char *const *more)
{
	const char *all[64] = {"QUERY_STRING=env"};
	size_t n = 1;
	struct answer a;

	for (; *more; more++)
		all[n++] = *more;
	all[n] = NULL;
	a = client_call(t->w, "www.sock", all + 1, NULL, 0);
	a = client_call(t->w, "www.sock", all, NULL, 0);
	answer_expect(a, "served\n");
	return a;
}

static void
expect_line(const struct answer *a, const char *line)
{
	cr_expect(strstr(a->out, own_text("\n%s\n", line)),
		"no \"%s\" in:\n%s", line, a->out);
}

static void
expect_none(const struct answer *a, const char *text)
{
	cr_expect_not(strstr(a->out, text), "\"%s\" in:\n%s", text, a->out);
}

Test(hostile_params, names_of_the_deny_list_are_dropped, .timeout = 60)
{
	static const char *const names[] = {"HTTP_PROXY", "LD_PRELOAD",
		"LD_LIBRARY_PATH", "LD_AUDIT", "LD_", "GLIBC_TUNABLES",
		"GCONV_PATH", "PATH", "IFS", "ENV", "BASH_ENV",
		"BASH_FUNC_ls", "BASH_FUNC_ls%%", "BASH_FUNC_ls()",
		"SHELLOPTS", "PS4", "PERL5LIB", "PERL5OPT", "PERL5DB",
		"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "RUBYLIB",
		"RUBYOPT", "NODE_OPTIONS", "MALLOC_CHECK_", "MALLOC_PERTURB_",
		"RES_OPTIONS", "HOSTALIASES", "LOCALDOMAIN", "FCGIPM_POOL",
		"FCGIPM_THREADS", "", "1", "1A", "A B", "A-B", "A.B", "A%",
		"\303\244", "A\n", "A/../B"};
	struct target t = hostile_start("");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct answer a;

		a = call_env(&t, (const char *[]){
			own_text("%s=deny me", names[i]), "AFTER=it", NULL});
		expect_none(&a, "deny me");
		expect_line(&a, "AFTER=it");
	}
	hostile_end(&t, "the deny list");
}

/* CVE-2014-6271 and similar: all bytes of a value are data. */
Test(hostile_params, functions_in_values_are_not_run, .timeout = 60)
{
	static const char *const params[] = {
		"HTTP_USER_AGENT=() { :;}; echo pwned",
		"HTTP_COOKIE=() { ignored; }; /bin/sh -c 'echo pwned'",
		"HTTP_REFERER=() { (a)=>\\' echo pwned",
		"HTTP_ACCEPT=() { _; } >_[$($())] { echo pwned; }",
		"QUERY_STRING=$(echo pwned)`echo pwned`;echo pwned",
		"PATH_INFO=/\nX=pwned", "REMOTE_USER=%s%s%n", NULL};
	static const char *const shells[] = {"/bin/sh", "/bin/bash"};
	struct world *w = world_open();
	size_t i, k;

	for (i = 0; i < 2; i++) {
		char text[300];
		struct answer a;

		snprintf(text, sizeof(text), "#!%s\n"
			"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
			"echo \"ran as $0\" | head -c 6; echo\n"
			"cat /proc/$$/environ | tr '\\0' '\\1'\n", shells[i]);
		world_script(w, "script", text);
		world_start_cgi(w, "handler = @DIR@/script", "");
		a = client_call(w, "www.sock", params, NULL, 0);
		answer_expect(a, "\r\n\r\nran as\n");
		for (k = 0; params[k]; k++) {
			snprintf(text, sizeof(text), "%s\1", params[k]);
			answer_expect(a, text);
		}
		cr_expect_not(strstr(a.out, "\npwned"), "%s", a.out);
		world_stop(w);
	}
}

/* A name that differs in case is another name; one with '-' is dropped. */
Test(hostile_params, names_that_differ_slightly_are_other_names, .timeout = 60)
{
	static const char *const params[] = {"HTTP_X_USER=server",
		"HTTP_X-USER=dash", "http_x_user=lower", "HTTP-X-USER=dashes",
		"Http_X_User=title", "path=/evil", "Path=/evil",
		"fcgipm_pool=evil", "CONTENT-LENGTH=5", "content_length=5",
		"Content_Length=5", "request_method=EVIL",
		"REQUEST-METHOD=EVIL", "LD-PRELOAD=/evil",
		"SCRIPT-FILENAME=/evil", NULL};
	struct target t = hostile_start("");
	struct answer a = call_env(&t, params);

	expect_line(&a, "HTTP_X_USER=server");
	expect_line(&a, "http_x_user=lower");
	expect_line(&a, "Http_X_User=title");
	expect_line(&a, "FCGIPM_POOL=www");
	expect_line(&a, "PATH=/usr/local/bin:/usr/bin:/bin");
	expect_line(&a, "REQUEST_METHOD=GET");
	expect_none(&a, "=dash");
	expect_none(&a, "\nCONTENT");
	expect_none(&a, "HTTP_X-");
	expect_none(&a, "HTTP-");
	expect_none(&a, "LD-PRELOAD");
	expect_none(&a, "REQUEST-");
	expect_none(&a, "SCRIPT-");
	hostile_end(&t, "names that look alike");
}

/* A docroot with links that lead outside, and a file whose name only looks like
 * a path that does. */
static const char make_docroot[] =
	"mkdir -p www/dir www/one www/two outside\n"
	"cat >www/good <<'END'\n"
	"#!/bin/sh\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
	"echo \"$SCRIPT_FILENAME served\"\n"
	"END\n"
	"chmod 755 www/good\n"
	"cp www/good outside/secret\n"
	"cp www/good 'www/..%2foutside%2fsecret'\n"
	"cp www/good 'www/...'\n"
	"ln -s loop2 www/loop1; ln -s loop1 www/loop2\n"
	"ln -s . www/self\n"
	"ln -s ../two/to_one www/one/to_two\n"
	"ln -s ../one/to_two www/two/to_one\n"
	"ln -s /proc/self/root www/magic\n"
	"ln -s /proc/self/cwd www/cwd\n";

static struct world *
start_docroot(void)
{
	struct world *w = world_open();

	world_shell(w, make_docroot);
	world_start(w, "[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"docroot = @DIR@/www\n");
	return w;
}

/* Requests this file of docroot; returns the status as status_of(). */
static int
ask_for(struct world *w, const char *path)
{
	size_t size = strlen(w->dir) + strlen(path) + 32;
	char *text = malloc(size);
	const char *params[] = {text, NULL};
	struct answer a;
	int status;

	cr_assert_not_null(text);
	snprintf(text, size, "SCRIPT_FILENAME=%s/www%s", w->dir, path);
	a = client_call(w, "www.sock", params, NULL, 0);
	status = status_of(&a);
	if (strstr(a.out, " served\n"))
		status = 200;
	free(text);
	return status;
}

/* The name that the program gets is the one that is checked. */
Test(hostile_params, the_last_of_two_script_names_is_used, .timeout = 60)
{
	struct world *w = start_docroot();
	char good[400], secret[400];
	const char *rows[][4] = {{secret, good, NULL}, {good, good, NULL},
		{"SCRIPT_FILENAME=", good, NULL},
		{"SCRIPT_FILENAME=/bin/ls", secret, good, NULL},
		{good, secret, NULL}};

	snprintf(good, sizeof(good), "SCRIPT_FILENAME=%s/www/good", w->dir);
	snprintf(secret, sizeof(secret), "SCRIPT_FILENAME=%s/outside/secret",
		w->dir);
	for (size_t i = 0; i < 5; i++) {
		struct answer a = client_call(w, "www.sock", rows[i], NULL, 0);

		if (i < 4)
			answer_expect(a, "/www/good served\n");
		else
			answer_expect(a, "Status: 403");
		cr_expect_not(strstr(a.out, "secret served"), "%s", a.out);
	}
}

Test(hostile_params, no_path_leaves_the_docroot, .timeout = 60)
{
	static const struct {
		const char *path;
		int status;
	} rows[] = {{"/good", 200}, {"/..", 403}, {"/../outside/secret", 403},
		{"/./../outside/secret", 403}, {"//..//outside/secret", 403},
		{"/dir/../../outside/secret", 403}, {"/good/..", 403},
		/* The gateway does not decode %XX. */
		{"/..%2foutside%2fsecret", 200}, {"/...", 200},
		{"/%2e%2e/outside/secret", 404}, {"/%2f", 404},
		{"/..%2foutside/secret", 404}, {"/..%00/good", 404},
		{"/..\\outside\\secret", 404}, {"/..;/outside/secret", 404},
		{"/.. /outside/secret", 404}, {"/\303\200\256/secret", 404},
		{"/loop1", 403}, {"/loop1/good", 403}, {"/one/to_two", 403},
		{"/one/to_two/good", 403}, {"/self/self/self/good", 200},
		{"/magic/bin/ls", 403}, {"/cwd/good", 403},
		{"/self/magic/bin/ls", 403}};
	struct world *w = start_docroot();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(ask_for(w, rows[i].path), rows[i].status,
			"%s: %d", rows[i].path, ask_for(w, rows[i].path));
	cr_expect_eq(ask_for(w, "/good"), 200);
}

/* Requests a path of total bytes that consists of repeated parts. */
static int
ask_long(struct world *w, const char *part, size_t total)
{
	size_t base = strlen(w->dir) + strlen("/www"), n = 0;
	char *path = malloc(total + 1);
	int status;

	cr_assert_not_null(path);
	while (base + n + strlen(part) <= total) {
		memcpy(path + n, part, strlen(part));
		n += strlen(part);
	}
	while (base + n < total)
		path[n++] = 'x';
	path[n] = '\0';
	status = ask_for(w, path);
	free(path);
	return status;
}

/* PATH_MAX is 4096 including the NUL, NAME_MAX 255 (limits.h). */
Test(hostile_params, paths_of_any_length_are_handled, .timeout = 60)
{
	static const char *const parts[] = {"/d", "/self", "/good", "/",
		"/./", "/name_that_is_longer"};
	static const size_t lengths[] = {255, 256, 1024, 4094, 4095, 4096,
		4097, 5000, 65000};
	struct world *w = start_docroot();
	char path[5000];
	size_t i, k, n;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		for (k = 0; k < ARRAY_SIZE(lengths); k++) {
			int status = ask_long(w, parts[i], lengths[k]);

			cr_expect(status == 404 || status == 403, "%s: %d",
				parts[i], status);
		}
	}
	/* The kernel follows 40 links in one path. */
	for (k = 39; k < 42; k++) {
		for (n = 0, i = 0; i < k; i++, n += 5)
			memcpy(path + n, "/self", 5);
		snprintf(path + n, sizeof(path) - n, "/good");
		cr_expect_eq(ask_for(w, path), k > 40 ? 403 : 200, "%zu links",
			k);
	}
	/* Segments "." do not count. */
	for (n = 0; n < 4500; n += 3)
		memcpy(path + n, "/./", 3);
	snprintf(path + n, sizeof(path) - n, "good");
	cr_expect_eq(ask_for(w, path), 200);
	/* A program with the longest possible path. */
	world_shell(w, "p=@DIR@/www\n"
		"while [ ${#p} -lt 3900 ]; do p=$p/0123456789abcdef; done\n"
		"while [ ${#p} -lt 4088 ]; do p=$p/d; done\n"
		"while [ ${#p} -lt 4090 ]; do p=${p}e; done\n"
		"mkdir -p $p && cp @DIR@/www/good $p/prog\n"
		"printf %s ${p#@DIR@/www}/prog >@DIR@/deepest\n");
	{
		FILE *f = fopen(world_path(w, "deepest"), "re");

		cr_assert_not_null(f);
		n = fread(path, 1, sizeof(path) - 2, f);
		fclose(f);
		path[n] = '\0';
	}
	cr_assert_eq(strlen(w->dir) + 4 + n, 4095);
	cr_expect_eq(ask_for(w, path), 200, "PATH_MAX - 1");
	path[n] = 'x';
	path[n + 1] = '\0';
	cr_expect_eq(ask_for(w, path), 404, "PATH_MAX");
	cr_expect_eq(ask_for(w, "/good"), 200);
}
