/*
 * test_conf.c - values, expansion, includes, and the manual page
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"

static char dir[] = "/tmp/fcgipm-conf-XXXXXX";

static void
make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static void
remove_dir(void)
{
	const char *names[] = {"a.ini", "b.ini", "c.ini", "dump.ini",
		"inc/1.ini", "inc/2.ini", "inc"};
	char path[300];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
	cr_expect_eq(rmdir(dir), 0);
}

TestSuite(conf, .init = make_dir, .fini = remove_dir);

static const char *
write_file(const char *name, const char *text)
{
	static char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	cr_assert_not_null(f);
	fputs(text, f);
	cr_assert_eq(fclose(f), 0);
	return path;
}

#define HEAD "[www]\nlisten = /tmp/x.sock\nhandler = /bin/true\n"
#define CGI_HEAD HEAD "mode = cgi\n"

/* A good file of one pool and these lines; problems print on failure. */
static struct conf
load(const char *text)
{
	struct conf_problems ps = {0};
	struct conf c;

	if (conf_load(write_file("a.ini", text), &c, &ps) < 0) {
		conf_problems_print(&ps, stderr);
		cr_assert_fail("refused: %s", text);
	}
	conf_problems_free(&ps);
	return c;
}

Test(conf, defaults_are_those_of_the_table)
{
	struct conf c = load(HEAD);
	const struct conf_pool *p = &c.pools[0];

	cr_expect_eq(p->mode, CONF_MODE_PREFORK);
	cr_expect_eq(p->listen_backlog, 511);
	cr_expect_eq(p->listen_mode, 0660);
	cr_expect_eq(p->umask, 022);
	cr_expect_eq(p->max_children, 4);
	cr_expect_eq(p->threads, 1);
	cr_expect_eq(p->stop_timeout_ms, 30000);
	cr_expect_eq(p->stop_signal, SIGTERM);
	cr_expect(p->clear_env && p->no_new_privs);
	cr_expect_not(p->rlimit_files.set);
	cr_expect_str_eq(c.log, "stderr");
	cr_expect_eq(c.log_level, LOG_LEVEL_NOTICE);
	conf_free(&c);
	c = load(CGI_HEAD);
	p = &c.pools[0];
	cr_expect_eq(p->max_children, 32);
	cr_expect_eq(p->cgi_max_body_bytes, 0);
	cr_expect_eq(p->cgi_max_header_bytes, 65536);
	cr_expect_eq(p->cgi_idle_timeout_ms, 120000);
	cr_expect_eq(p->cgi_client_timeout_ms, 60000);
	cr_expect_eq(p->cgi_linger_ms, 1000);
	cr_expect_eq(p->cgi_on_abort, CONF_ABORT_KILL);
	conf_free(&c);
}

Test(conf, times_and_sizes_have_units)
{
	static const struct {
		const char *text;
		int64_t ms;
	} times[] = {{"0", 0}, {"5", 5000}, {"5s", 5000}, {"1500ms", 1500},
		{"2m", 120000}, {"1h", 3600000}, {"1d", 86400000},
		{"7 s", 7000}, {"1M", 60000}};
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {{"0", 0}, {"4096", 4096}, {"1K", 1024}, {"1k", 1024},
		{"10M", 10485760}, {"3G", UINT64_C(3221225472)},
		{"2KB", 2048}, {"1 G", 1073741824}};
	char text[300];
	struct conf c;
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		snprintf(text, sizeof(text), HEAD "stop_timeout = %s\n",
			times[i].text);
		c = load(text);
		cr_expect_eq(c.pools[0].stop_timeout_ms, times[i].ms, "%s",
			times[i].text);
		conf_free(&c);
	}
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(text, sizeof(text), CGI_HEAD "cgi.max_body = %s\n",
			sizes[i].text);
		c = load(text);
		cr_expect_eq(c.pools[0].cgi_max_body_bytes, sizes[i].bytes,
			"%s", sizes[i].text);
		conf_free(&c);
	}
}

Test(conf, words_are_split_as_a_shell_does)
{
	struct conf c = load(HEAD
		"handler_args = one 'two words' \"three \\\" four\" a\\ b ''\n");
	const struct conf_list *l = &c.pools[0].handler_args;

	cr_assert_eq(l->n, 5);
	cr_expect_str_eq(l->v[0], "one");
	cr_expect_str_eq(l->v[1], "two words");
	cr_expect_str_eq(l->v[2], "three \" four");
	cr_expect_str_eq(l->v[3], "a b");
	cr_expect_str_eq(l->v[4], "");
	cr_expect_null(l->v[5]);
	conf_free(&c);
}

Test(conf, variables_and_the_pools_name_are_expanded)
{
	struct conf c;

	cr_assert_eq(setenv("FCGIPM_TEST_SET", "there", 1), 0);
	cr_assert_eq(unsetenv("FCGIPM_TEST_UNSET"), 0);
	c = load(HEAD "env[A] = ${FCGIPM_TEST_SET}\n"
		      "env[B] = <${FCGIPM_TEST_UNSET:-in stead}>\n"
		      "env[C] = %n 100%% $5 %x\n"
		      "env[D] = a ; b\n");
	cr_assert_eq(c.pools[0].nenv, 4);
	cr_expect_str_eq(c.pools[0].env[0].value, "there");
	cr_expect_str_eq(c.pools[0].env[1].value, "<in stead>");
	cr_expect_str_eq(c.pools[0].env[2].value, "www 100% $5 %x");
	cr_expect_str_eq(c.pools[0].env[3].value, "a ; b");
	conf_free(&c);
}

Test(conf, a_variable_that_is_not_set_is_an_error)
{
	struct conf_problems ps = {0};
	struct conf c;

	cr_assert_eq(unsetenv("FCGIPM_TEST_UNSET"), 0);
	cr_expect_eq(conf_load(write_file("a.ini",
				       HEAD "env[A] = ${FCGIPM_TEST_UNSET}\n"),
			     &c, &ps), -1);
	cr_assert_eq(ps.nerrors, 1);
	cr_expect(strstr(ps.v[0].text, "a.ini:4: [www] env[A]: it uses a "
				       "variable that is not set"));
	conf_problems_free(&ps);
	conf_free(&c);
}

Test(conf, all_errors_are_told_in_one_run_in_order)
{
	struct conf_problems ps = {0};
	struct conf c;
	size_t i;

	cr_expect_eq(conf_load(write_file("a.ini",
				       HEAD "threads = x\n"
					    "wrong = 1\n"
					    "umask = 9\n"
					    "[b\n"
					    "[c]\n"
					    "listen = y\n"),
			     &c, &ps), -1);
	cr_expect_geq(ps.nerrors, 5);
	for (i = 0; i < 3; i++) {
		char want[32];

		snprintf(want, sizeof(want), "a.ini:%zu: ", i + 4);
		cr_expect(strstr(ps.v[i].text, want), "%s", ps.v[i].text);
	}
	conf_problems_free(&ps);
	conf_free(&c);
}

Test(conf, includes_are_read_in_order_of_their_names)
{
	struct conf c;
	char path[300];

	snprintf(path, sizeof(path), "%s/inc", dir);
	cr_assert_eq(mkdir(path, 0755), 0);
	write_file("inc/2.ini",
		"[two]\nlisten = /tmp/2.sock\nhandler = /bin/true\n");
	write_file("inc/1.ini",
		"[one]\nlisten = /tmp/1.sock\nhandler = /bin/true\n");
	c = load("[fcgipm]\ninclude = inc/*.ini\ninclude = none/*.ini\n"
		 "log_level = debug\n" HEAD);
	cr_assert_eq(c.npools, 3);
	cr_expect_str_eq(c.pools[0].name, "one");
	cr_expect_str_eq(c.pools[1].name, "two");
	cr_expect_str_eq(c.pools[2].name, "www");
	cr_expect_eq(c.log_level, LOG_LEVEL_DEBUG,
		"the section goes on behind an include");
	conf_free(&c);
}

Test(conf, an_include_that_is_missing_or_circular_is_an_error)
{
	struct conf_problems ps = {0};
	struct conf c;

	write_file("b.ini", "[fcgipm]\ninclude = b.ini\n");
	cr_expect_eq(conf_load(write_file("a.ini",
				       "[fcgipm]\ninclude = none.ini\n"
				       "include = b.ini\n" HEAD),
			     &c, &ps), -1);
	cr_expect(strstr(ps.v[0].text, "a.ini:2:"), "%s", ps.v[0].text);
	cr_expect(strstr(ps.v[1].text, "b.ini:2: [fcgipm] include: files "
				       "include each other"), "%s",
		ps.v[1].text);
	conf_problems_free(&ps);
	conf_free(&c);
}

Test(conf, a_dump_reads_back_equal)
{
	struct conf c = load("[fcgipm]\nlog_format = json\npid = x.pid\n"
		CGI_HEAD "pm.max_children = 7\ncgi.linger = 2s\n"
		"env[P] = 100%%\nhandler_args = 'a b' c\nrlimit_as = 2G\n");
	char *first = NULL, *second = NULL;
	size_t n1, n2;
	FILE *f = open_memstream(&first, &n1);
	char *at, *end;

	conf_dump(&c, f);
	fclose(f);
	conf_free(&c);
	cr_expect(strstr(first, "/a.ini:8\npm.max_children"), "%s", first);
	cr_expect(strstr(first, "; default: threads = 1\n"));
	c = load(first);
	cr_expect_eq(c.pools[0].max_children, 7);
	cr_expect_eq(c.pools[0].cgi_linger_ms, 2000);
	cr_expect_eq(c.pools[0].handler_args.n, 2);
	cr_expect_str_eq(c.pools[0].env[0].value, "100%");
	f = open_memstream(&second, &n2);
	conf_dump(&c, f);
	fclose(f);
	/* Equal but for the lines they name. */
	for (at = first, end = second; *at && *end; at++, end++) {
		if (strncmp(at, "; /", 3) == 0 && strncmp(end, "; /", 3) == 0) {
			at += strcspn(at, "\n");
			end += strcspn(end, "\n");
		}
		cr_assert_eq(*at, *end, "at %.60s", at);
	}
	conf_free(&c);
	free(first);
	free(second);
}

Test(conf, options_go_through_the_same_table)
{
	struct conf_problems ps = {0};
	struct conf_pool *p;
	struct conf c;

	conf_init(&c);
	p = conf_add_pool(&c, "x");
	cr_expect_eq(conf_pool_set(&c, p, "handler", "/bin/true", &ps), 0);
	cr_expect_eq(conf_pool_set(&c, p, "mode", "cgi", &ps), 0);
	cr_expect_eq(conf_pool_set(&c, p, "env[A]", "50% ${B}", &ps), 0);
	cr_expect_eq(conf_pool_set(&c, p, "cgi.linger", "soon", &ps), -1);
	cr_expect_eq(conf_pool_set(&c, p, "cgi.lingr", "1s", &ps), -1);
	cr_assert_eq(ps.nerrors, 2);
	cr_expect(strstr(ps.v[1].text, "did you mean cgi.linger?"));
	cr_expect_str_eq(p->env[0].value, "50% ${B}",
		"a shell has expanded options already");
	conf_problems_free(&ps);
	conf_free(&c);
}

/* -- the manual page ------------------------------------------------------ */

static char *
read_page(void)
{
	const char *src = getenv("FCGIPM_SRC");
	char path[PATH_MAX];
	size_t n;
	char *text = calloc(1, 200000);
	FILE *f;

	snprintf(path, sizeof(path), "%s/man/fcgipm.ini.5", src ? src : ".");
	f = fopen(path, "re");
	cr_assert_not_null(f, "%s", path);
	n = fread(text, 1, 199999, f);
	fclose(f);
	cr_assert_gt(n, 1000);
	return text;
}

/* "(type, default ...)" stands in the line behind ".It Ic key". */
static void
expect_documented(const char *page, const struct conf_key *k)
{
	char want[400], *at;

	snprintf(want, sizeof(want), "\n.It Ic %s\n(%s, default %s)\n",
		k->name, k->type, k->dflt);
	at = strstr(page, want);
	cr_expect_not_null(at, "the page does not say:%s", want);
	if (at)
		cr_expect_null(strstr(at + 1, want), "twice: %s", k->name);
}

Test(conf, the_manual_page_documents_every_key)
{
	char *page = read_page();
	const struct conf_key *k;
	size_t i;

	for (i = 0; (k = conf_pool_key(i)) != NULL; i++)
		expect_documented(page, k);
	for (i = 0; (k = conf_global_key(i)) != NULL; i++)
		expect_documented(page, k);
	free(page);
}

static bool
is_key(const char *name)
{
	const struct conf_key *k;
	size_t i;

	for (i = 0; (k = conf_pool_key(i)) != NULL; i++)
		if (strcmp(k->name, name) == 0)
			return true;
	for (i = 0; (k = conf_global_key(i)) != NULL; i++)
		if (strcmp(k->name, name) == 0)
			return true;
	/* The loader's own: it sets nothing. */
	return strcmp(name, "include") == 0;
}

Test(conf, the_manual_page_documents_no_other_key)
{
	char *page = read_page(), *at = page, *next, name[64];
	int n = 0;

	while ((at = strstr(at, "\n.It Ic ")) != NULL) {
		at += strlen("\n.It Ic ");
		next = at + strcspn(at, "\n");
		/* Lines of the table of PHP-FPM's names have columns. */
		if (!memmem(at, (size_t)(next - at), " Ta ", 4)) {
			snprintf(name, sizeof(name), "%.*s",
				(int)(next - at), at);
			cr_expect(is_key(name), "%s is no key", name);
			n++;
		}
		at = next;
	}
	cr_expect_gt(n, 30);
	free(page);
}
