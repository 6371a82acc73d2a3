/*
 * test_conf_errors.c - tests the errors of a configuration (conf/)
 */
#include <string.h>

#include "load.h"

TestSuite(conf, .init = load_open, .fini = load_close);

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
		":6: [fcgipm] log_level: ", ":8: [x y]: the name ",
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
		":4: [www] slowlog: /none/such: directory /none does not "
		"exist; name an existing directory", ANY},
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
		":4: [www] listen.backlog: 65536 is out of range; write 1 to "
		"65535",
		ANY},
	{"negative range", HEAD "process.priority = -21\n",
		":4: [www] process.priority: -21 is out of range; write -20 to "
		"19",
		ANY},
	{"overflow of 64 bits", HEAD "threads = " TEN TEN TEN "\n",
		" is out of range; write 1 to 1024", ANY},
	{"overflow of a time", HEAD "stop_timeout = 9" TEN TEN "d\n",
		"d\" is not a time; write one such as 500ms", ANY},
	{"a long time", HEAD "stop_timeout = 25h\n",
		":4: [www] stop_timeout: 25h is out of range; write at most "
		"24h",
		ANY},
	{"overflow by the unit", CGI_HEAD "cgi.max_body = 99999999999G\n",
		":5: [www] cgi.max_body: \"99999999999G\" is not a size; write "
		"one such as", ANY},
	{"minutes in seconds", HEAD "rlimit_cpu = 10m\n",
		":4: [www] rlimit_cpu: \"10m\" is not a number; write the "
		"seconds, 600",
		ANY},
	{"size of a limit", HEAD "rlimit_as = lots\n",
		":4: [www] rlimit_as: \"lots\" is not a size; write one such "
		"as "
		"64M, or unlimited", ANY},
	{"octal", HEAD "umask = 8\n",
		":4: [www] umask: write an octal number", ANY},
	{"octal range", HEAD "listen.mode = 7777\n",
		":4: [www] listen.mode: 7777 is out of range; write 0 to 0777",
		ANY},
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
		"pm.min_spare_servers = 1 and pm.max_spare_servers = 4; write "
		"1 to 4, or change these keys", ANY},
	{"start below the spares", DYNAMIC "pm.min_spare_servers = 2\n"
		"pm.start_servers = 1\n",
		":7: [www] pm.start_servers: 1 is not between "
		"pm.min_spare_servers = 2 and", ANY},
	{"no spare worker", DYNAMIC "pm.min_spare_servers = 0\n",
		":6: [www] pm.min_spare_servers: 0 is out of range; write 1 to "
		"",
		ANY},
	{"no idle time", HEAD "pm = ondemand\n"
		"pm.process_idle_timeout = 0\n",
		":5: [www] pm.process_idle_timeout: write how long a "
		"worker may be idle, such as 10s", ANY},
	{"memory in megabytes", HEAD "pm.max_memory = 64\n",
		":4: [www] pm.max_memory: every program needs more than "
		"1M; write a size, such as 64M", ANY},
	{"no worker may retire", HEAD "pm.max_retiring = 0\n",
		":4: [www] pm.max_retiring: 0 is out of range; write 1 to ",
		ANY},
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
		":1: [../www]: the name contains \"/\"; write only letters",
		ANY},
	{"no section", "threads = 1\n" HEAD,
		":1: threads: no section before this key; write [NAME] above "
		"it", ANY},
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
		"a.ini is not executable; chmod +x /", ANY},
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
		":4: [www] user: there is no user ", ANY},
	{"group", HEAD "group = nosuchgroup_\n",
		":4: [www] group: there is no group ", ANY},
	{"a number that means -1", HEAD "user = 4294967295\n",
		":4: [www] user: there is no user ", ANY},
	{"a number that means root", HEAD "listen.group = 4294967296\n",
		":4: [www] listen.group: there is no group ", ANY},
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
		":4: [www] threads: remove the quotes: threads = 2", ANY},
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
		":3: [www] handler: remove the quotes: handler = /bin/true",
		ANY},
	{"arguments in handler", "[www]\nlisten = 9000\n"
		"handler = /bin/true -x 'y z'\n",
		"the value includes arguments; write handler = /bin/true "
		"and handler_args = -x 'y z'", ANY},
	{"program without a directory", "[www]\nlisten = 9000\n"
		"handler = env\n",
		"No such file or directory; write the whole path, "
		"/usr/bin/env", ANY},
	{"user and group in one", HEAD "user = a:b\n",
		":4: [www] user: write user = a and group = b, not \"a:b\"",
		ANY},
	{"mode of a FastCGI program", HEAD "mode = fastcgi\n",
		":4: [www] mode: write prefork or cgi, not \"fastcgi\"; "
		"prefork runs a FastCGI program", ANY},
	{"every address", "[www]\nhandler = /bin/true\nlisten = *:9000\n",
		":3: [www] listen: \"*:9000\" is not an address; write "
		"0.0.0.0:9000 or [::]:9000", ANY},
	{"colon and port", "[www]\nhandler = /bin/true\nlisten = :9000\n",
		":3: [www] listen: \":9000\" has no address; write "
		"127.0.0.1:9000", ANY},
	{"scheme", "[www]\nhandler = /bin/true\nlisten = tcp://[::1]:9000\n",
		":3: [www] listen: remove tcp://: write [::1]:9000", ANY},
	{"HTTP", "[www]\nhandler = /bin/true\nlisten = http://[::1]:9000\n",
		":3: [www] listen: \"http://[::1]:9000\": fcgipm speaks "
		"FastCGI, "
		"not HTTP; write [::1]:9000 and", ANY},
	{"large port", "[www]\nhandler = /bin/true\nlisten = 70000\n",
		":3: [www] listen: a port is 1 to 65535, not \"70000\"", ANY},
	{"port 0", "[www]\nhandler = /bin/true\nlisten = 0\n",
		":3: [www] listen: a port is 1 to 65535", ANY},
	{"addresses without commas", "[www]\nhandler = /bin/true\n"
		"listen = 127.0.0.1:1 127.0.0.1:2\n",
		":3: [www] listen: separate addresses by commas: write "
		"127.0.0.1:1, 127.0.0.1:2", ANY},
	{"section without end", "[www\nlisten = 9000\nhandler = /bin/true\n",
		"a.ini:1: [www: the closing bracket is missing; write [www]",
		ANY},
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
