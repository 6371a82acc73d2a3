/*
 * test_conf.c - tests conf/: values, expansion, errors, includes and the dump
 */
#include <criterion/criterion.h>
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

/* Loads a file that must be valid; prints its problems if it is not. */
static struct conf
load(const char *text)
{
	struct conf_problems ps = {0};
	struct conf c;

	if (conf_load(write_file("a.ini", text), &c, &ps) < 0) {
		conf_problems_print(&ps, stderr);
		cr_assert_fail("not valid: %s", text);
	}
	conf_problems_free(&ps);
	return c;
}

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

Test(conf, a_variable_that_is_not_set_is_an_error)
{
	struct conf_problems ps = {0};
	struct conf c;

	cr_assert_eq(unsetenv("FCGIPM_TEST_UNSET"), 0);
	cr_expect_eq(conf_load(write_file("a.ini",
				       HEAD "env[A] = ${FCGIPM_TEST_UNSET}\n"),
			     &c, &ps), -1);
	cr_assert_eq(ps.nerrors, 1);
	cr_expect(strstr(ps.v[0].text, "a.ini:4: [www] env[A]: its "
				       "variable is not set; set it, or"));
	conf_problems_free(&ps);
	conf_free(&c);
}

Test(conf, all_errors_are_reported_in_one_run_in_the_order_of_lines)
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

/* Problems of checks, which know all lines, are between those of lines. */
Test(conf, errors_of_checks_are_in_the_order_of_lines_too)
{
	static const char *const want[] = {":1: [www] handler: missing",
		":3: [www] threads: ", ":5: [global]: write [fcgipm]",
		":6: [fcgipm] log_level: ", ":8: [x y]: a pool's name ",
		":9: [x y] umask: ", ":10: [www]: this pool is already in ",
		":11: [www] nonsense: "};
	struct conf_problems ps = {0};
	struct conf c;
	size_t i;

	cr_expect_eq(conf_load(write_file("a.ini",
				       "[www]\n"
				       "listen = /tmp/x.sock\n"
				       "threads = x\n"
				       "# comment\n"
				       "[global]\n"
				       "log_level = x\n"
				       "pid = x\n"
				       "[x y]\n"
				       "umask = x\n"
				       "[www]\n"
				       "nonsense = 1\n"),
			     &c, &ps), -1);
	cr_assert_eq(ps.n, sizeof(want) / sizeof(want[0]));
	for (i = 0; i < ps.n; i++)
		cr_expect(strstr(ps.v[i].text, want[i]), "%s, not %s",
			ps.v[i].text, want[i]);
	conf_problems_free(&ps);
	conf_free(&c);
}

Test(conf, problems_are_printed_escaped)
{
	struct conf_problems ps = {0};
	char *text = NULL;
	struct conf c;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	cr_expect_eq(conf_load(write_file("a.ini",
				       HEAD "threads = \033[2J\n"), &c, &ps),
		-1);
	conf_problems_print(&ps, f);
	fclose(f);
	cr_expect_not(strchr(text, '\033'));
	cr_expect(strstr(text, "not \"\\x1b[2J\""), "%s", text);
	free(text);
	conf_problems_free(&ps);
	conf_free(&c);
}

/* The user that runs the test: some values are errors for root, or for other
 * users, only. */
enum who { ANY, ROOT, USER };

#define TEN "0123456789"
#define DYNAMIC HEAD "pm = dynamic\npm.max_children = 8\n"

static const struct {
	const char *why, *text, *want;
	enum who who;
} refused[] = {
	{"unknown", HEAD "zzz = 1\n", ":4: [www] zzz: no such key; see", ANY},
	{"near", HEAD "pm.max_childern = 1\n",
		":4: [www] pm.max_childern: no such key; did you mean "
		"pm.max_children?", ANY},
	{"near, prefix left out", HEAD "linger = 1s\n",
		":4: [www] linger: no such key; did you mean cgi.linger?", ANY},
	{"of cgi pools", HEAD "cgi.linger = 1s\n",
		":4: [www] cgi.linger: ", ANY},
	{"a key of [fcgipm] in a pool", HEAD "pid = x\n",
		":4: [www] pid: move it to [fcgipm]", ANY},
	{"include in a pool", HEAD "include = x\n",
		":4: [www] include: move it to [fcgipm]", ANY},
	{"a key of a pool", "[fcgipm]\nuser = root\n" HEAD,
		":2: [fcgipm] user: move it to a pool's section", ANY},
	{"habit: [global]", "[global]\npid = x\n" HEAD,
		":1: [global]: write [fcgipm]", ANY},
	{"habit: error_log", "[fcgipm]\nerror_log = x\n" HEAD,
		":2: [fcgipm] error_log: no such key; write log", ANY},
	{"habit: daemonize", "[fcgipm]\ndaemonize = no\n" HEAD,
		":2: [fcgipm] daemonize: no such key; start fcgipm with -D",
		ANY},
	{"slow log without a file", HEAD "request_slowlog_timeout = 5\n",
		":4: [www] request_slowlog_timeout: write slowlog as well",
		ANY},
	{"slow log in a missing directory", HEAD "slowlog = /none/such/x\n"
		"request_slowlog_timeout = 5\n",
		":4: [www] slowlog: /none/such: No such file", ANY},
	{"slow log in cgi", CGI_HEAD "request_slowlog_timeout = 5\n",
		":5: [www] request_slowlog_timeout: only for mode = "
		"prefork", ANY},
	{"habit: ini values", HEAD "php_admin_value[x] = y\n",
		":4: [www] php_admin_value[x]: no such key; write "
		"-d NAME=VALUE in handler_args", ANY},
	{"habit: acl", HEAD "listen.acl_users = x\n",
		":4: [www] listen.acl_users: no such key; use listen.owner",
		ANY},
	{"number", HEAD "threads = 1.5\n",
		":4: [www] threads: write a whole number (1 to 1024), not "
		"\"1.5\"", ANY},
	{"range", HEAD "listen.backlog = 65536\n",
		":4: [www] listen.backlog: out of range (1 to 65535)",
		ANY},
	{"negative range", HEAD "process.priority = -21\n",
		":4: [www] process.priority: out of range (-20 to 19)",
		ANY},
	{"overflow of 64 bits", HEAD "threads = " TEN TEN TEN "\n",
		":4: [www] threads: write a whole number", ANY},
	{"overflow of a time", HEAD "stop_timeout = 9" TEN TEN "d\n",
		":4: [www] stop_timeout: write a time", ANY},
	{"a long time", HEAD "stop_timeout = 25h\n",
		":4: [www] stop_timeout: out of range (at most 24h)",
		ANY},
	{"overflow by the unit", CGI_HEAD "cgi.max_body = 99999999999G\n",
		":5: [www] cgi.max_body: write a size", ANY},
	{"minutes in seconds", HEAD "rlimit_cpu = 10m\n",
		":4: [www] rlimit_cpu: write a whole number, or unlimited",
		ANY},
	{"size of a limit", HEAD "rlimit_as = lots\n",
		":4: [www] rlimit_as: write a size", ANY},
	{"octal", HEAD "umask = 8\n",
		":4: [www] umask: write an octal number", ANY},
	{"octal range", HEAD "listen.mode = 7777\n",
		":4: [www] listen.mode: out of range (0 to 0777)", ANY},
	{"boolean", HEAD "clear_env = maybe\n",
		":4: [www] clear_env: write yes or no, not \"maybe\"", ANY},
	{"word", "[fcgipm]\nlog_level = warn\n" HEAD,
		":2: [fcgipm] log_level: write error, warning, notice or "
		"debug, not \"warn\"", ANY},
	{"unknown pm", HEAD "pm = adaptive\n",
		":4: [www] pm: write static, dynamic or ondemand, not "
		"\"adaptive\"", ANY},
	{"spares the wrong way round", DYNAMIC "pm.min_spare_servers = 4\n"
		"pm.max_spare_servers = 3\n",
		":6: [www] pm.min_spare_servers: 4 is more than "
		"pm.max_spare_servers = 3; lower it, or raise "
		"pm.max_spare_servers", ANY},
	{"more spares than workers", DYNAMIC "pm.min_spare_servers = 9\n",
		":6: [www] pm.min_spare_servers: 9 is more than "
		"pm.max_children = 8; lower it, or raise pm.max_children", ANY},
	{"more idle ones than workers", DYNAMIC "pm.max_spare_servers = 9\n",
		":6: [www] pm.max_spare_servers: 9 is more than "
		"pm.max_children = 8; lower it, or raise pm.max_children", ANY},
	{"start above the spares", DYNAMIC "pm.start_servers = 5\n",
		":6: [www] pm.start_servers: 5 is not between "
		"pm.min_spare_servers = 1 and pm.max_spare_servers = 4; change "
		"one of them", ANY},
	{"start below the spares", DYNAMIC "pm.min_spare_servers = 2\n"
		"pm.start_servers = 1\n",
		":7: [www] pm.start_servers: 1 is not between "
		"pm.min_spare_servers = 2 and", ANY},
	{"no spare worker", DYNAMIC "pm.min_spare_servers = 0\n",
		":6: [www] pm.min_spare_servers: out of range (1 to ",
		ANY},
	{"no idle time", HEAD "pm = ondemand\n"
		"pm.process_idle_timeout = 0\n",
		":5: [www] pm.process_idle_timeout: write how long a "
		"worker may be idle, such as 10s", ANY},
	{"memory in megabytes", HEAD "pm.max_memory = 64\n",
		":4: [www] pm.max_memory: every program needs more than "
		"1M; write a size, such as 64M", ANY},
	{"no worker may retire", HEAD "pm.max_retiring = 0\n",
		":4: [www] pm.max_retiring: out of range (1 to ", ANY},
	{"fewer processes than static workers",
		"[fcgipm]\nprocess.max = 3\n" HEAD,
		":2: [fcgipm] process.max: the pools start 4 processes; "
		"raise it, or lower", ANY},
	{"the sum of all pools", "[fcgipm]\nprocess.max = 6\n" DYNAMIC
		"pm.start_servers = 4\n[c]\nmode = cgi\nlisten = 9000\n"
		"handler = /bin/true\n[o]\npm = ondemand\nlisten = 9001\n"
		"handler = /bin/true\n[s]\npm.max_children = 1\n"
		"listen = 9002\nhandler = /bin/true\n",
		":2: [fcgipm] process.max: the pools start 7 processes",
		ANY},
	{"process.max of a pool", HEAD "process.max = 9\n",
		":4: [www] process.max: move it to [fcgipm]", ANY},
	{"signal", HEAD "stop_signal = 65\n",
		":4: [www] stop_signal: write a signal's name", ANY},
	{"open quote", HEAD "handler_args = 'a\n",
		":4: [www] handler_args: close the quote", ANY},
	{"open variable", HEAD "env[A] = ${B\n",
		":4: [www] env[A]: close the ${", ANY},
	{"variable without name", HEAD "env[A] = ${:-x}\n",
		":4: [www] env[A]: write a variable's name", ANY},
	{"environment without name", HEAD "env[] = x\n",
		":4: [www] env[]: write a name", ANY},
	{"environment with a blank", HEAD "env[A B] = x\n",
		":4: [www] env[A B]: write a name", ANY},
	{"extension without name", CGI_HEAD "cgi.interpreter[.] = /bin/sh\n",
		":5: [www] cgi.interpreter[.]: write one extension", ANY},
	{"two extensions", CGI_HEAD "cgi.interpreter[.a.b] = /bin/sh\n",
		":5: [www] cgi.interpreter[.a.b]: write one extension", ANY},
	{"extension set twice", "[www]\nlisten = /tmp/x.sock\nmode = cgi\n"
		"docroot = /\ncgi.interpreter[.a] = /bin/sh\n"
		"cgi.interpreter[a] = /bin/sh\n",
		":6: [www] cgi.interpreter[a]: already set in /", ANY},
	{"missing interpreter", "[www]\nlisten = /tmp/x.sock\n"
		"mode = cgi\ndocroot = /\ncgi.interpreter[.a] = /no\n",
		":5: [www] cgi.interpreter[.a]: /no: No such file or "
		"directory; name an existing program", ANY},
	{"a directory as interpreter of all", "[www]\nlisten = /tmp/x.sock\n"
		"mode = cgi\ndocroot = /\ncgi.interpreter = /etc\n",
		":5: [www] cgi.interpreter: /etc is a directory; name a "
		"program", ANY},
	{"interpreter and handler", CGI_HEAD "cgi.interpreter = /bin/sh\n",
		":5: [www] cgi.interpreter: no effect with handler, which",
		ANY},
	{"split without docroot", CGI_HEAD "cgi.split_path = yes\n",
		":5: [www] cgi.split_path: only for scripts in docroot",
		ANY},
	{"index with a directory", "[www]\nlisten = /tmp/x.sock\nmode = cgi\n"
		"docroot = /\ncgi.index = a/b\n",
		":5: [www] cgi.index: write names without a directory", ANY},
	{"nph of another kind", CGI_HEAD "cgi.nph = maybe\n",
		":5: [www] cgi.nph: write no, name or yes, not \"maybe\"", ANY},
	{"cgi key with brackets", HEAD "cgi.interpreter[.a] = /bin/sh\n",
		":4: [www] cgi.interpreter[.EXT]: only for mode = cgi; "
		"remove it", ANY},
	{"set twice", HEAD "threads = 1\n\nthreads = 1\n",
		"a.ini:6: [www] threads: already set in /", ANY},
	{"set twice, the first line", HEAD "threads = 1\n\nthreads = 1\n",
		"a.ini:4; remove one", ANY},
	{"variable set twice", HEAD "env[A] = 1\nenv[AB] = 1\nenv[A] = 2\n",
		"a.ini:6: [www] env[A]: already set in /", ANY},
	{"variable set twice, the first line",
		HEAD "env[A] = 1\nenv[AB] = 1\nenv[A] = 2\n",
		"a.ini:4; remove one", ANY},
	{"[fcgipm] set twice", "[fcgipm]\npid = a\n[fcgipm]\npid = b\n" HEAD,
		":4: [fcgipm] pid: already set in /", ANY},
	{"pool twice", HEAD HEAD, ":4: [www]: this pool is already in /",
		ANY},
	{"pool's name", "[../www]\n" HEAD,
		":1: [../www]: a pool's name has letters", ANY},
	{"no section", "threads = 1\n" HEAD,
		":1: threads: begin the file with a section", ANY},
	{"no pool", "[fcgipm]\npid = x\n", "a.ini: no pool; write a section",
		ANY},
	{"address twice", HEAD "[b]\nhandler = /bin/true\n"
			       "listen = unix:/tmp/x.sock\n",
		":6: [b] listen: /tmp/x.sock is already the address of pool "
		"www", ANY},
	{"several addresses", "[www]\nhandler = /bin/true\nlisten = 1, 2\n",
		":3: [www] listen: write one address", ANY},
	{"too many addresses", "[www]\nmode = cgi\nhandler = /bin/true\n"
		"listen = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n",
		":4: [www] listen: 15 addresses; write at most 14",
		ANY},
	{"empty address", "[www]\nhandler = /bin/true\nlisten = 1,\n",
		":3: [www] listen: write an address between the commas", ANY},
	{"no address", "[www]\nhandler = /bin/true\n",
		":1: [www] listen: missing; write where the web server", ANY},
	{"long path", "[www]\nhandler = /bin/true\nlisten = /" TEN TEN TEN TEN
		      TEN TEN TEN TEN TEN TEN TEN "\n",
		":3: [www] listen: shorten the path", ANY},
	{"relative path", "[www]\nhandler = /bin/true\nlisten = a.sock\n",
		":3: [www] listen: write a path that begins with /", ANY},
	{"abstract", "[www]\nhandler = /bin/true\nlisten = @a\n",
		":3: [www] listen: @a: an abstract socket has no permissions, "
		"so root must not", ROOT},
	{"open to all", "[www]\nhandler = /bin/true\nlisten = [::]:9000\n",
		":3: [www] listen: [::]:9000 is open to the network", ANY},
	{"network", "[www]\nhandler = /bin/true\nlisten = 9000\n"
		    "listen.allowed_clients = 10.0.0.0/33\n",
		":4: [www] listen.allowed_clients: ", ANY},
	{"network of a path", HEAD "listen.allowed_clients = 10.0.0.1\n",
		":4: [www] listen.allowed_clients: only for TCP", ANY},
	{"no handler", "[www]\nlisten = 9000\n",
		":1: [www] handler: missing; write ", ANY},
	{"no handler, no docroot", "[www]\nlisten = 9000\nmode = cgi\n",
		":1: [www] handler: missing; write ", ANY},
	{"handler missing", "[www]\nlisten = 9000\nhandler = /none\n",
		":3: [www] handler: /none: No such file", ANY},
	{"handler is a directory", "[www]\nlisten = 9000\nhandler = /\n",
		":3: [www] handler: / is a directory", ANY},
	{"handler is not a program", "[www]\nlisten = 9000\nhandler = a.ini\n",
		"a.ini is not executable; chmod +x it", ANY},
	{"arguments without handler", "[www]\nmode = cgi\nlisten = 9000\n"
				 "docroot = /\nhandler_args = x\n",
		":5: [www] handler_args: needs handler", ANY},
	{"docroot is a file", CGI_HEAD "docroot = a.ini\n",
		"a.ini is not a directory", ANY},
	{"chdir is missing", HEAD "chdir = /none\n",
		":4: [www] chdir: /none: No such file", ANY},
	{"chroot is a file", HEAD "chroot = a.ini\n",
		"[www] chroot: /", ANY},
	{"user", HEAD "user = nosuchuser_\n",
		":4: [www] user: write an existing user", ANY},
	{"group", HEAD "group = nosuchgroup_\n",
		":4: [www] group: write an existing group", ANY},
	{"a number that means -1", HEAD "user = 4294967295\n",
		":4: [www] user: write an existing user", ANY},
	{"a number that means root", HEAD "listen.group = 4294967296\n",
		":4: [www] listen.group: write an existing group", ANY},
	{"another user", HEAD "user = root\n",
		":4: [www] user: only root can", USER},
	{"another group", HEAD "group = root\n",
		":4: [www] group: only root can", USER},
	{"another owner", HEAD "listen.owner = root\n",
		":4: [www] listen.owner: only root can", USER},
	{"another owning group", HEAD "listen.group = root\n",
		":4: [www] listen.group: only root can", USER},
	{"chroot of a user", HEAD "chroot = /\n",
		":4: [www] chroot: only root can", USER},
	{"cgi key", HEAD "cgi.linger = 1s\n",
		":4: [www] cgi.linger: only for mode = cgi",
		ANY},
	{"prefork key", CGI_HEAD "threads = 2\n",
		":5: [www] threads: only for mode = prefork", ANY},
	{"static in cgi", CGI_HEAD "pm = static\n",
		":5: [www] pm: only for mode = prefork", ANY},
	{"dynamic in cgi", CGI_HEAD "pm = dynamic\n",
		":5: [www] pm: only for mode = prefork; remove it: in a cgi "
		"pool pm.max_children limits the programs that run at once",
		ANY},
	{"recycling in cgi", CGI_HEAD "pm.max_requests = 5\n",
		":5: [www] pm.max_requests: only for mode = prefork; remove "
		"it: in a cgi pool", ANY},
	{"quotes", HEAD "threads = \"2\"\n",
		":4: [www] threads: write a whole number (1 to 1024), not "
		"\"\"2\"\"; values have no quotes", ANY},
	{"comment", HEAD "threads = 2 # two\n",
		":4: [www] threads: write a whole number (1 to 1024), not "
		"\"2 # two\"; a comment needs a line of its own", ANY},
	{"end as in nginx", HEAD "threads = 2;\n",
		"; a line does not end in \";\"", ANY},
	{"variable of a shell", HEAD "user = $USER\n",
		"; a variable is written ${NAME}", ANY},
	{"home directory", "[www]\nlisten = 9000\nhandler = ~/app\n",
		":3: [www] handler: write the whole path: \"~\" is not "
		"replaced", ANY},
	{"quoted path", "[www]\nlisten = 9000\nhandler = '/bin/true'\n",
		":3: [www] handler: write the path without quotes", ANY},
	{"arguments in handler", "[www]\nlisten = 9000\n"
		"handler = /bin/true -x 'y z'\n",
		"arguments belong in handler_args: write /bin/true here, and "
		"handler_args = -x 'y z'", ANY},
	{"program without a directory", "[www]\nlisten = 9000\n"
		"handler = env\n",
		"No such file or directory; write the whole path, "
		"/usr/bin/env", ANY},
	{"user and group in one", HEAD "user = a:b\n",
		":4: [www] user: write the user here and the group in a "
		"key of its own",
		ANY},
	{"mode of a FastCGI program", HEAD "mode = fastcgi\n",
		":4: [www] mode: write prefork or cgi, not \"fastcgi\"; "
		"prefork runs a FastCGI program", ANY},
	{"every address", "[www]\nhandler = /bin/true\nlisten = *:9000\n",
		":3: [www] listen: for all addresses write 0.0.0.0:PORT", ANY},
	{"colon and port", "[www]\nhandler = /bin/true\nlisten = :9000\n",
		":3: [www] listen: write an address before the colon", ANY},
	{"scheme", "[www]\nhandler = /bin/true\nlisten = tcp://[::1]:9000\n",
		":3: [www] listen: write the address without the part before "
		"\"//\"", ANY},
	{"HTTP", "[www]\nhandler = /bin/true\nlisten = http://[::1]:9000\n",
		":3: [www] listen: fcgipm speaks FastCGI, not HTTP", ANY},
	{"large port", "[www]\nhandler = /bin/true\nlisten = 70000\n",
		":3: [www] listen: a port is 1 to 65535, not \"70000\"", ANY},
	{"port 0", "[www]\nhandler = /bin/true\nlisten = 0\n",
		":3: [www] listen: a port is 1 to 65535", ANY},
	{"addresses without commas", "[www]\nhandler = /bin/true\n"
		"listen = 127.0.0.1:1 127.0.0.1:2\n",
		":3: [www] listen: separate addresses by commas", ANY},
	{"section without end", "[www\nlisten = 9000\nhandler = /bin/true\n",
		"a.ini:1: close the section's name with ]", ANY},
	{"section with more", "[www] ; pool\nlisten = 9000\n",
		"a.ini:1: remove what follows the ]", ANY},
	{"section of supervisord", "[program:app]\ncommand = /bin/true\n" HEAD,
		":1: [program:app]: a pool's section is its name alone: write "
		"[app]", ANY},
	{"key of supervisord", HEAD "numprocs = 2\n",
		":4: [www] numprocs: no such key; write pm.max_children", ANY},
	{"key of uWSGI", HEAD "harakiri = 30\n",
		":4: [www] harakiri: no such key; write "
		"request_terminate_timeout", ANY},
	{"key of systemd", HEAD "LimitNOFILE = 1024\n",
		":4: [www] LimitNOFILE: no such key; write rlimit_files", ANY},
	{"key of systemd, in other letters", HEAD "workingdirectory = /\n",
		":4: [www] workingdirectory: no such key; write chdir", ANY},
	{"section of systemd", "[Unit]\nDescription = x\n" HEAD,
		":1: [Unit]: this is a section of a systemd unit", ANY},
	{"environment", HEAD "environment = A=1\n",
		":4: [www] environment: no such key; write one line for each "
		"variable, such as env[TZ] = UTC", ANY},
	{"empty include", "[fcgipm]\ninclude =\n" HEAD,
		":2: [fcgipm] include: write a file", ANY},
};

Test(conf, each_error_has_its_line_and_the_remedy)
{
	enum who me = geteuid() == 0 ? ROOT : USER;
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct conf_problems ps = {0};
		bool found = false;
		struct conf c;
		size_t j;

		if (refused[i].who != ANY && refused[i].who != me)
			continue;
		cr_expect_eq(conf_load(write_file("a.ini", refused[i].text),
				     &c, &ps), -1, "%s", refused[i].why);
		for (j = 0; j < ps.n; j++)
			found = found || (!ps.v[j].warning &&
				strstr(ps.v[j].text, refused[i].want));
		cr_expect(found, "%s: %s", refused[i].why,
			ps.n ? ps.v[0].text : "no error");
		conf_problems_free(&ps);
		conf_free(&c);
	}
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

static const struct {
	const char *text, *want;	/* NULL: no warning */
} effects[] = {
	{HEAD "queue_timeout = 1s\n", NULL},
	{HEAD "queue_timeout = 1s\nlisten.backlog = 9000\n",
		"lower listen.backlog"},
	{HEAD "listen.backlog = 9000\n", NULL},
	{DYNAMIC "pm.start_servers = 2\npm.min_spare_servers = 2\n"
		"pm.max_spare_servers = 2\npm.max_spawn_rate = 2\n",
		NULL},
	{HEAD "pm = ondemand\npm.max_spawn_rate = 2\n"
		"pm.process_idle_timeout = 2\n", NULL},
	{HEAD "pm.max_requests = 2\npm.max_retiring = 2\n", NULL},
	{HEAD "pm.start_servers = 2\n",
		":4: [www] pm.start_servers: no effect with pm = "
		"static; remove it, or write pm = dynamic"},
	{HEAD "pm.min_spare_servers = 9\n",
		":4: [www] pm.min_spare_servers: no effect"},
	{HEAD "pm.max_spare_servers = 9\n",
		":4: [www] pm.max_spare_servers: no effect"},
	{HEAD "pm.max_spawn_rate = 2\n",
		":4: [www] pm.max_spawn_rate: no effect with pm = "
		"static; remove it, or write pm = dynamic or pm "
		"= ondemand"},
	{DYNAMIC "pm.process_idle_timeout = 2\n",
		":6: [www] pm.process_idle_timeout: no effect with "
		"pm = dynamic; remove it, or write pm = "
		"ondemand"},
	{HEAD "pm = ondemand\npm.start_servers = 2\n",
		":5: [www] pm.start_servers: no effect with pm = "
		"ondemand"},
	{HEAD "pm.max_requests = 2\nobserve = kernel\n",
		":4: [www] pm.max_requests: no effect with observe = "
		"kernel"},
	{HEAD "slowlog = x.slow\n",
		":4: [www] slowlog: no effect without "
		"request_slowlog_timeout"},
	{HEAD "slowlog = x.slow\nrequest_slowlog_timeout = 5\n"
		"request_terminate_timeout = 5\n",
		":5: [www] request_slowlog_timeout: no effect: requests "
		"end earlier"},
	{HEAD "slowlog = x.slow\nrequest_slowlog_timeout = 4\n"
		"request_terminate_timeout = 5\n", NULL},
	{HEAD "slowlog = /tmp/x.slow\nrequest_slowlog_timeout = 4\n",
		":4: [www] slowlog: /tmp is writable by other users, who "
		"could redirect fcgipm's writes"},
	{HEAD "accelerate = yes\nobserve = kernel\n",
		":4: [www] accelerate: no effect with observe "
		"= kernel; remove it, or write observe = auto"},
	{HEAD "observe = kernel\n", NULL},
	{HEAD "accelerate = no\nobserve = kernel\n", NULL},
	{"[www]\nlisten = 127.0.0.1:9\nhandler = /bin/true\n"
		"accelerate = yes\n",
		":4: [www] accelerate: no effect over TCP; "
		"remove it, or listen on a path"},
	{HEAD "pm.max_retiring = 2\n",
		":4: [www] pm.max_retiring: no effect without "
		"pm.max_requests"},
	{"[fcgipm]\nprocess.max = 4\n" HEAD "pm.max_age = 1h\n",
		":2: [fcgipm] process.max: a recycled worker is replaced only "
		"after it has exited"},
	{"[fcgipm]\nprocess.max = 5\n" HEAD "pm.max_age = 1h\n",
		NULL},
};

Test(conf, keys_without_effect_get_a_warning)
{
	size_t i, j;

	for (i = 0; i < sizeof(effects) / sizeof(effects[0]); i++) {
		struct conf_problems ps = {0};
		struct conf c;

		cr_expect_eq(conf_load(write_file("a.ini", effects[i].text), &c,
				     &ps), 0);
		for (j = 0; j < ps.n; j++)
			cr_expect(effects[i].want && strstr(ps.v[j].text,
				effects[i].want), "%s", ps.v[j].text);
		cr_expect_eq(ps.n, effects[i].want != NULL, "%s",
			effects[i].text);
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

/* /upload.jpg/x.pl would run upload.jpg. */
Test(conf, one_interpreter_for_all_with_split_path_gets_a_warning)
{
#define SPLIT "[www]\nlisten = /tmp/x.sock\nmode = cgi\ndocroot = /\n" \
	"cgi.split_path = yes\n"
	static const struct {
		const char *text;
		size_t warnings;
	} rows[] = {{SPLIT, 0}, {SPLIT "cgi.interpreter[.a] = /bin/sh\n", 0},
		{SPLIT "cgi.interpreter = /bin/sh\n", 1},
		{SPLIT "cgi.interpreter = /bin/sh\ncgi.extensions = a\n", 0}};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_problems ps = {0};
		struct conf c;

		cr_expect_eq(conf_load(write_file("a.ini", rows[i].text), &c,
				     &ps), 0);
		cr_expect_eq(ps.n, rows[i].warnings, "%s", rows[i].text);
		if (ps.n > 0)
			cr_expect(strstr(ps.v[0].text, ":5: [www] "
				"cgi.split_path: "), "%s", ps.v[0].text);
		conf_problems_free(&ps);
		conf_free(&c);
	}
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
