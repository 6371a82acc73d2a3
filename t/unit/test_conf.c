/*
 * test_conf.c - tests values, their expansion, includes and options (conf/)
 *
 * Errors are in test_conf_errors.c, warnings in test_conf_warnings.c, dumps in
 * test_conf_dump.c.
 */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "load.h"

TestSuite(conf, .init = load_open, .fini = load_close);

Test(conf, defaults_are_those_of_the_table)
{
	struct conf c = load(HEAD);
	const struct conf_pool *p = &c.pools[0];

	cr_expect_eq(p->mode, CONF_MODE_PREFORK);
	cr_expect_eq(p->listen_backlog, 4096);
	cr_expect_eq(p->listen_mode, 0660);
	cr_expect_eq(p->umask, 022);
	cr_expect_eq(p->max_children, 4);
	cr_expect_eq(p->pm, CONF_PM_STATIC);
	cr_expect_eq(p->max_spawn_rate, 32);
	cr_expect_eq(p->process_idle_timeout_ms, 10000);
	cr_expect_eq(p->max_requests, 0);
	cr_expect_eq(p->max_age_ms, 0);
	cr_expect_eq(p->max_memory_bytes, 0);
	cr_expect_eq(p->max_retiring, 1);
	cr_expect_eq(p->threads, 1);
	cr_expect_eq(p->stop_timeout_ms, 30000);
	cr_expect_eq(p->stop_signal, SIGTERM);
	cr_expect(p->clear_env && p->no_new_privs);
	cr_expect_not(p->rlimit_files.set);
	cr_expect_eq(c.process_max, 0);
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

Test(conf, words_are_split_as_in_a_shell)
{
	struct conf c = load(HEAD
		"handler_args = one 'two words' \"three \\\" four\" a\\ b "
		"''\n");
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
	cr_assert_eq(setenv("FCGIPM_TEST_EMPTY", "", 1), 0);
	cr_assert_eq(unsetenv("FCGIPM_TEST_UNSET"), 0);
	c = load(HEAD "env[A] = ${FCGIPM_TEST_SET}\n"
		      "env[B] = <${FCGIPM_TEST_UNSET:-in stead}>\n"
		      "env[C] = %n 100%% $5 %x\n"
		      "env[D] = a ; b\n"
		      "env[E] = <${FCGIPM_TEST_EMPTY:-in stead}>\n"
		      "env[F] = <${FCGIPM_TEST_EMPTY}>\n"
		      "env[G] = <${FCGIPM_TEST_SET:-in stead}>\n"
		      "env[H] = <${FCGIPM_TEST_UNSET:-}>\n");
	cr_assert_eq(c.pools[0].env.n, 8);
	cr_expect_str_eq(c.pools[0].env.v[0].value, "there");
	cr_expect_str_eq(c.pools[0].env.v[1].value, "<in stead>");
	cr_expect_str_eq(c.pools[0].env.v[2].value, "www 100% $5 %x");
	cr_expect_str_eq(c.pools[0].env.v[3].value, "a ; b");
	cr_expect_str_eq(c.pools[0].env.v[4].value, "<in stead>",
		"an empty variable takes the default, as in sh(1)");
	cr_expect_str_eq(c.pools[0].env.v[5].value, "<>");
	cr_expect_str_eq(c.pools[0].env.v[6].value, "<there>");
	cr_expect_str_eq(c.pools[0].env.v[7].value, "<>");
	conf_free(&c);
}

/* As in PHP-FPM start is min + (max - min) / 2; max is half of max_children. */
Test(conf, spare_limits_that_are_not_written_follow_from_the_others)
{
	static const struct {
		const char *text;
		unsigned min, start, max;
	} rows[] = {
		{"pm.max_children = 1\n", 1, 1, 1},
		{"pm.max_children = 4\n", 1, 1, 2},
		{"pm.max_children = 20\n", 1, 5, 10},
		{"pm.max_children = 20\npm.min_spare_servers = 4\n", 4, 7,
			10},
		{"pm.max_children = 20\npm.min_spare_servers = 15\n", 15,
			15, 15},
		{"pm.max_children = 20\npm.max_spare_servers = 20\n", 1, 10,
			20},
		{"pm.max_children = 20\npm.start_servers = 3\n", 1, 3, 10},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_problems ps = {0};
		const struct conf_pool *p;
		char text[400];
		struct conf c;

		snprintf(text, sizeof(text), HEAD "pm = dynamic\n%s",
			rows[i].text);
		cr_expect_eq(conf_load(write_file("a.ini", text), &c, &ps), 0);
		cr_expect_eq(ps.n, 0, "%s", text);
		p = &c.pools[0];
		cr_expect_eq(p->pm, CONF_PM_DYNAMIC);
		cr_expect_eq(p->min_spare_servers, rows[i].min, "%s", text);
		cr_expect_eq(p->start_servers, rows[i].start, "%s", text);
		cr_expect_eq(p->max_spare_servers, rows[i].max, "%s", text);
		conf_problems_free(&ps);
		conf_free(&c);
	}
}

Test(conf, includes_are_read_in_the_order_of_their_names)
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
		"the section continues after an include");
	conf_free(&c);
}

Test(conf, an_include_may_use_variables_and_not_include_itself)
{
	struct conf_problems ps = {0};
	struct conf c;

	write_file("b.ini", "[b]\nlisten = /tmp/b.sock\nhandler = /bin/true\n");
	cr_assert_eq(setenv("FCGIPM_TEST_DIR", dir, 1), 0);
	c = load("[fcgipm]\ninclude = ${FCGIPM_TEST_DIR}/b.ini\n" HEAD);
	cr_expect_eq(c.npools, 2);
	conf_free(&c);
	/* The pattern matches the file that contains it. */
	cr_expect_eq(conf_load(write_file("a.ini",
				       "[fcgipm]\ninclude = *.ini\n" HEAD),
			     &c, &ps), -1);
	cr_assert_eq(ps.nerrors, 1);
	cr_expect(strstr(ps.v[0].text, "a.ini:2: [fcgipm] include: "),
		"%s", ps.v[0].text);
	cr_expect(strstr(ps.v[0].text, "files include each other"), "%s",
		ps.v[0].text);
	conf_problems_free(&ps);
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
	cr_expect(strstr(ps.v[1].text, "b.ini:2: [fcgipm] include: "), "%s",
		ps.v[1].text);
	cr_expect(strstr(ps.v[1].text, "files include each other"), "%s",
		ps.v[1].text);
	cr_expect_eq(ps.nerrors, 2, "reported once");
	conf_problems_free(&ps);
	conf_free(&c);
}

Test(conf, options_use_the_same_table)
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
	cr_expect_str_eq(p->env.v[0].value, "50% ${B}",
		"the shell has expanded options");
	conf_problems_free(&ps);
	conf_free(&c);
}
