/*
 * test_rfc3875_request.c - requirements of RFC 3875 for a request:
 * meta-variables, arguments, working directory; see t/conformance.md
 *
 * The gateway gets the variables from a web server.  It must pass them byte by
 * byte and add those that have a default.
 */
#include "world.h"

static struct world *
start(void)
{
	struct world *w = world_open();

	world_start_cgi(w, "docroot = @T@/children", "");
	return w;
}

/* Sends a request for the child with only these further parameters. */
static struct answer
ask(struct world *w, const char *child, const char *const *params)
{
	int fd = client_connect(w, "www.sock");
	const char *all[32];
	struct answer a;
	size_t n = 0;

	all[n++] = own_text("SCRIPT_FILENAME=%s", world_child(child));
	for (; *params && n < 31; params++)
		all[n++] = *params;
	all[n] = NULL;
	a = client_get(fd, 0, all);
	cr_assert(a.ended);
	close(fd);
	return a;
}

static void
expect_line(const struct answer *a, const char *line)
{
	cr_expect(strstr(a->out,
		own_text("\n%s\n", line)), "no \"%s\" in:\n%s", line, a->out);
}

static void
expect_unset(const struct answer *a, const char *name)
{
	cr_expect_not(strstr(a->out,
		own_text("\n%s=", name)), "%s in:\n%s", name, a->out);
}

/* The environment of a program for a request with these parameters. */
static struct answer
environment(struct world *w, const char *const *params)
{
	return ask(w, "environ", params);
}

#define ENVIRONMENT(w, ...)                                                    \
	environment(w, (const char *const[]){__VA_ARGS__, NULL})

static void
expect_passed(const char *const *params)
{
	struct world *w = start();
	struct answer a = environment(w, params);

	for (; *params; params++)
		expect_line(&a, *params);
	world_close(&w);
}

#define EXPECT_PASSED(...)                                                     \
	expect_passed((const char *const[]){__VA_ARGS__, NULL})

Test(rfc3875, values_keep_their_case_and_every_byte, .timeout = 60)
{
	char value[600] = "X_BYTES=";
	size_t n = strlen(value);
	int c;

	/* All except NUL, and LF, which separates the lines of the output. */
	for (c = 1; c < 256; c++)
		if (c != '\n')
			value[n++] = (char)c;
	EXPECT_PASSED(value, "X_CASE=aBc", "X_EQUALS=a=b=");
}

Test(rfc3875, variables_are_passed_unchanged, .timeout = 60)
{
	EXPECT_PASSED("AUTH_TYPE=Digest",
		"PATH_INFO=/This.is//the;Path/%2e%2E/\303\244+ x",
		"PATH_TRANSLATED=/srv/\377\001 Www/../a",
		"REMOTE_ADDR=2001:db8::192.0.2.1",
		"REMOTE_HOST=Client.example.net", "REMOTE_IDENT=some body",
		"REMOTE_USER=Some Body", "SERVER_NAME=[2001:db8::1]",
		"SERVER_PORT=80", "HTTP_ACCEPT=text/html, */*;q=0.1",
		"HTTP_COOKIE=a=b; C=\"d\"", "HTTP_X_EMPTY=", "HTTPS=on",
		"SSL_PROTOCOL=TLSv1.3", "X_EXTENSION=ours");
}

/* Each row: a parameter, NULL for none; then the variable of the program, or a
 * name that must not be set. */
static void
expect_sent(const char *const (*rows)[2], size_t n)
{
	struct world *w = start();

	for (size_t i = 0; i < n; i++) {
		struct answer a = ENVIRONMENT(w, rows[i][0]);

		if (strchr(rows[i][1], '='))
			expect_line(&a, rows[i][1]);
		else
			expect_unset(&a, rows[i][1]);
	}
}

/* nginx sends an empty value for a variable that it does not know. */
Test(rfc3875, content_length_and_type_are_set_only_if_sent, .timeout = 60)
{
	static const char type[] =
		"CONTENT_TYPE=multipart/form-data; boundary=\"--a=B\"";
	static const char *const rows[][2] = {{NULL, "CONTENT_LENGTH"},
		{"CONTENT_LENGTH=", "CONTENT_LENGTH"},
		{"CONTENT_LENGTH=0", "CONTENT_LENGTH=0"},
		{"CONTENT_LENGTH=1234", "CONTENT_LENGTH=1234"},
		{NULL, "CONTENT_TYPE"}, {"CONTENT_LENGTH=0", "CONTENT_TYPE"},
		{"CONTENT_TYPE=", "CONTENT_TYPE"}, {type, type}};

	expect_sent(rows, ARRAY_SIZE(rows));
}

Test(rfc3875, required_variables_have_defaults, .timeout = 60)
{
	static const char *const rows[][2] = {
		{NULL, "GATEWAY_INTERFACE=CGI/1.1"}, {NULL, "QUERY_STRING="},
		{"QUERY_STRING=", "QUERY_STRING="},
		{"QUERY_STRING=a=%41&B;c+d?/=", "QUERY_STRING=a=%41&B;c+d?/="},
		{"SCRIPT_NAME=", "SCRIPT_NAME="},
		{"SCRIPT_NAME=/cgi-bin/A b", "SCRIPT_NAME=/cgi-bin/A b"},
		{NULL, "SERVER_PROTOCOL=HTTP/1.0"},
		{"SERVER_PROTOCOL=HTTP/2.0", "SERVER_PROTOCOL=HTTP/2.0"},
		{"SERVER_PROTOCOL=INCLUDED", "SERVER_PROTOCOL=INCLUDED"}};

	expect_sent(rows, ARRAY_SIZE(rows));
}

Test(rfc3875, request_method_may_be_any, .timeout = 60)
{
	static const char *const methods[] = {"REQUEST_METHOD=GET",
		"REQUEST_METHOD=POST", "REQUEST_METHOD=OPTIONS",
		"REQUEST_METHOD=PUT", "REQUEST_METHOD=DELETE",
		"REQUEST_METHOD=PROPFIND", "REQUEST_METHOD=get"};
	struct world *w = start();

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		struct answer a = ENVIRONMENT(w, methods[i]);

		expect_line(&a, methods[i]);
	}
}

Test(rfc3875, server_software_is_set, .timeout = 60)
{
	struct world *w = start();
	struct answer a = ENVIRONMENT(w, NULL);

	answer_expect(a, "\nSERVER_SOFTWARE=fcgipm/");
	a = ENVIRONMENT(w, "SERVER_SOFTWARE=nginx/1.22.1 (a comment)");
	expect_line(&a, "SERVER_SOFTWARE=nginx/1.22.1 (a comment)");
}

/* Nothing from the gateway's own environment. */
Test(rfc3875, a_program_gets_no_other_variables, .timeout = 60)
{
	static const char *const known[] = {"argv[0]=", "GATEWAY_INTERFACE=",
		"QUERY_STRING=", "REQUEST_METHOD=", "SERVER_PROTOCOL=",
		"SERVER_SOFTWARE=", "SCRIPT_FILENAME=", "PATH=", "HOME=",
		"USER=", "FCGIPM_POOL=", "FCGIPM_THREADS=", "FCGIPM_WORKER="};
	struct world *w = start();
	struct answer a = ENVIRONMENT(w, NULL);
	char *line, *rest = strstr(a.out, "\r\n\r\n") + 4;

	while ((line = strsep(&rest, "\n")) != NULL && *line) {
		size_t i;

		for (i = 0; i < ARRAY_SIZE(known); i++)
			if (strncmp(line, known[i], strlen(known[i])) == 0)
				break;
		cr_expect_lt(i, ARRAY_SIZE(known), "%s", line);
	}
}

Test(rfc3875, a_nul_in_a_variable_is_refused, .timeout = 60)
{
	/* "\4\3HASa" NUL "b", typed (FastCGI 1.0, section 3.4). */
	static const char pair[] = "\3\3HASa\0b";
	static const uint8_t begin[8] = {0, 1};
	struct world *w = start();
	int fd = client_connect(w, "www.sock");

	client_record(fd, 1, 1, begin, 8, 0);
	client_record(fd, 4, 1, pair, sizeof(pair) - 1, 0);
	client_record(fd, 4, 1, NULL, 0, 0);
	client_record(fd, 5, 1, NULL, 0, 0);
	answer_expect(client_read(fd), "Status: 400 ");
}

/* An "indexed" query (section 4.4) is never split into arguments. */
Test(rfc3875, a_query_is_not_passed_as_arguments, .timeout = 60)
{
	static const char *const queries[] = {"QUERY_STRING=one+two",
		"QUERY_STRING=-e", "QUERY_STRING=%2Dx+--help"};
	struct world *w = start();

	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		struct answer a = ENVIRONMENT(w, "REQUEST_METHOD=GET",
			queries[i]);
		char *name = strstr(a.out, "argv[0]=");

		cr_assert_not_null(name);
		name[strcspn(name, "\n")] = '\0';
		cr_expect_str_eq(name + strlen("argv[0]="),
			world_child("environ"));
		cr_expect_not(strstr(name + strlen(name) + 1, "argv["),
			"%s", queries[i]);
	}
}

Test(rfc3875, the_working_directory_is_that_of_the_script, .timeout = 60)
{
	static const char *const scripts[] = {"www/pwd", "www/in/pwd",
		"www/in/deep er/pwd"};
	struct world *w = world_open();

	world_shell(w, "mkdir -p 'www/in/deep er'\n"
		       "cat >www/pwd <<'END'\n"
		       "#!/bin/sh\n"
		       "printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
		       "echo \"cwd=$(/bin/pwd -P).\"\n"
		       "END\n"
		       "chmod 755 www/pwd\n"
		       "cp www/pwd www/in\n"
		       "cp www/pwd 'www/in/deep er'\n");
	world_start_cgi(w, "docroot = @DIR@/www", "");
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		char want[400], *real = realpath(w->dir, NULL);
		struct answer a = client_script(w, "www.sock",
			world_path(w, scripts[i]), NULL);

		snprintf(want, sizeof(want), "cwd=%s/%.*s.\n", real,
			(int)strlen(scripts[i]) - 4, scripts[i]);
		answer_expect(a, want);
		free(real);
	}
}
