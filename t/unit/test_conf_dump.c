/*
 * test_conf_dump.c - tests the dump of a configuration (conf/)
 */
#include <string.h>

#include "load.h"

TestSuite(conf, .init = load_open, .fini = load_close);

/* The dump of a configuration, without the comments after its values. */
static char *
dump_of(const struct conf *c)
{
	char *text = NULL, *at, *end;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	conf_dump(c, f);
	fclose(f);
	for (at = text; (at = strstr(at, "    ; ")) != NULL; at++) {
		end = strchr(at, '\n');
		memmove(at, end, strlen(end) + 1);
	}
	return text;
}

static char *
full_dump_of(const struct conf *c)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	conf_dump(c, f);
	fclose(f);
	return text;
}

Test(conf, a_dump_reads_back_equal)
{
	struct conf c = load("[fcgipm]\nlog_format = json\npid = x.pid\n"
		CGI_HEAD "pm.max_children = 7\ncgi.linger = 2s\n"
		"cgi.split_path = yes\ndocroot = /\n"
		"env[P] = 100%%\nenv[V] = %${HOME} $5\nenv[N] =\n"
		"handler_args = 'a b' c\nrlimit_as = 2G\n");
	char *text = full_dump_of(&c), *first = dump_of(&c), *second;

	conf_free(&c);
	c = load(text);
	cr_expect_eq(c.pools[0].max_children, 7);
	cr_expect_eq(c.pools[0].cgi_linger_ms, 2000);
	cr_expect_eq(c.pools[0].handler_args.n, 2);
	cr_expect_str_eq(c.pools[0].env.v[0].value, "100%");
	cr_expect_str_eq(c.pools[0].env.v[1].value, "${HOME} $5");
	cr_expect_str_eq(c.pools[0].env.v[2].value, "");
	second = dump_of(&c);
	cr_expect_str_eq(first, second);
	conf_free(&c);
	free(text);
	free(first);
	free(second);
}

/* A value that ends like the comment of a dump stays as it is. */
Test(conf, a_dump_keeps_a_value_that_looks_like_an_origin)
{
	struct conf c;
	char *text;

	cr_assert_eq(setenv("FCGIPM_TEST_SET", "x    ; a.ini:7", 1), 0);
	c = load(HEAD "env[A] = ${FCGIPM_TEST_SET}\n"
		"env[B] = a    ; b\nenv[C] = a ; b.ini:7\n");
	text = full_dump_of(&c);
	conf_free(&c);
	c = load(text);
	cr_assert_eq(c.pools[0].env.n, 3);
	cr_expect_str_eq(c.pools[0].env.v[0].value, "x    ; a.ini:7");
	cr_expect_str_eq(c.pools[0].env.v[1].value, "a    ; b");
	cr_expect_str_eq(c.pools[0].env.v[2].value, "a ; b.ini:7");
	conf_free(&c);
	free(text);
}

Test(conf, a_dump_has_values_and_their_origins_on_one_line)
{
	struct conf c = load(DYNAMIC "handler_args = x\nslowlog = /tmp/x\n");
	char *text = full_dump_of(&c);
	static const char *const want[] = {"\npm.max_children = 8    ; /",
		"/a.ini:5\npm.start_servers = 2    ; default\n",
		"\npm.min_spare_servers = 1    ; default\n",
		"\npm.max_spare_servers = 4    ; default\n",
		"\nchdir = /bin    ; default\n",
		"\nstop_timeout = 30s    ; default\n"};
	/* Of a cgi pool, of TCP, of ondemand, and of another key. */
	static const char *const never[] = {"\ncgi.", "docroot",
		"listen.allowed_clients", "pm.process_idle_timeout",
		"pm.max_retiring", "slowlog =", "that of", "mean of", "half of"};
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		cr_expect(strstr(text, want[i]), "no %s in:%s", want[i], text);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		cr_expect_not(strstr(text, never[i]), "%s in:%s", never[i],
			text);
	conf_free(&c);
	free(text);
}

Test(conf, a_dump_has_the_number_of_programs_in_a_cgi_pool)
{
	struct conf c = load(CGI_HEAD);
	char *text = full_dump_of(&c);

	cr_expect(strstr(text, "\npm.max_children = 32    ; default\n"));
	cr_expect_not(strstr(text, "\npm = "));
	cr_expect_not(strstr(text, "threads"));
	conf_free(&c);
	free(text);
}

Test(conf, interpreters_survive_a_dump)
{
	struct conf c = load("[www]\nlisten = /tmp/x.sock\nmode = cgi\n"
		"docroot = /\ncgi.interpreter[.pl] = /bin/cat\n"
		"cgi.interpreter[p] = /bin/sh\ncgi.interpreter = /bin/true\n");
	char *text = full_dump_of(&c);

	conf_free(&c);
	c = load(text);
	cr_assert_eq(c.pools[0].cgi_interpreters.n, 2);
	cr_expect_str_eq(c.pools[0].cgi_interpreters.v[0].name, "pl");
	cr_expect_str_eq(c.pools[0].cgi_interpreters.v[0].value, "/bin/cat");
	cr_expect_str_eq(c.pools[0].cgi_interpreters.v[1].name, "p");
	cr_expect_str_eq(c.pools[0].cgi_interpreters.v[1].value, "/bin/sh");
	cr_expect_str_eq(c.pools[0].cgi_interpreter, "/bin/true");
	conf_free(&c);
	free(text);
}
