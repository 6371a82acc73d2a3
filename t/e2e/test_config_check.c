/*
 * test_config_check.c - tests fcgipm -t and -tt: common mistakes get a message
 * with the remedy, and nothing is started or opened for it
 */
#include <pwd.h>

#include "world.h"

#define LISTEN "listen = @DIR@/www.sock\n"
#define HANDLER "handler = @BIN@/handlers/hello\n"
#define POOL "[www]\n" LISTEN HANDLER

/* Runs fcgipm -t, or another option, on fcgipm.ini; what it prints. */
static char *
check(struct world *w, const char *option, int status, const char *why)
{
	char *ini = world_path(w, "fcgipm.ini"), *out;
	const char *argv[] = {"fcgipm", option, "-c", ini, NULL};
	int code = world_run(w, argv, &out);

	cr_expect_eq(code, status, "%s: exit status %d, not %d:\n%s", why,
		code, status, out);
	cr_expect_neq(access(world_path(w, "www.sock"), F_OK), 0,
		"%s: a socket was made", why);
	return out;
}

/* Files that a row may name, beneath @DIR@. */
static void
make_files(struct world *w)
{
	world_shell(w, "cd @DIR@\n"
		"printf '#!/no/perl5\\n' >missing\n"
		"printf '#!/bin/sh\\r\\nexit\\r\\n' >crlf\n"
		"printf '#!/usr/bin/env sh\\r\\n' >crlf-env\n"
		"printf '#!/usr/bin/env no-such-program_\\n' >env\n"
		"printf '#! /usr/bin/env sh\\n' >good\n"
		"printf '#!perl\\n' >relative\n"
		"printf '#!/etc -w\\n' >directory\n"
		"printf '#!@DIR@/fifo\\n' >waits\n"
		"printf '\\357\\273\\277#!/bin/sh\\n' >bom\n"
		"printf 'print \"hello\"\\n' >text\n"
		": >empty\n"
		"printf '<?php phpinfo();\\n' >index.php\n"
		"mkfifo fifo\n"
		"mkdir -p priv/in\n"
		"cp good priv/in/app\n"
		"mkdir \"it's\"\n"
		"cp good \"it's/app\"\n"
		"chmod 755 [a-z]* */app priv/in/app\n"
		"chmod 700 \"it's\"\n"
		"chmod 644 index.php\n");
}

enum who { ANY, ROOT, USER };

static const struct {
	const char *why, *ini, *want;
	int status;
	enum who who;
} rows[] = {
	/* the program */
	{"interpreter", "[www]\n" LISTEN "handler = @DIR@/missing\n",
		":3: error: [www] handler: @DIR@/missing: its interpreter "
		"/no/perl5 does not exist; install it, or correct the #! line",
		78, ANY},
	{"interpreter of a CGI program", "[www]\nmode = cgi\n" LISTEN
		"handler = @DIR@/missing\n",
		":4: error: [www] handler: @DIR@/missing: its interpreter "
		"/no/perl5 does not exist", 78,
		ANY},
	{"CR LF", "[www]\n" LISTEN "handler = @DIR@/crlf\n",
		":3: error: [www] handler: @DIR@/crlf: its #! line ends in CR "
		"LF; "
		"sed -i 's/\\r$//' @DIR@/crlf", 78,
		ANY},
	{"CR LF after an argument", "[www]\n" LISTEN
		"handler = @DIR@/crlf-env\n", "its #! line ends in CR LF", 78,
		ANY},
	{"env", "[www]\n" LISTEN "handler = @DIR@/env\n",
		"@DIR@/env needs no-such-program_, which is not in PATH=", 78,
		ANY},
	{"env and its PATH", "[www]\n" LISTEN "handler = @DIR@/good\n"
		"env[PATH] = /no:/usr/no\n", "needs sh, which is not in "
		"PATH=/no:/usr/no", 78, ANY},
	{"a script that is right", "[www]\n" LISTEN "handler = @DIR@/good\n",
		"the configuration is valid", 0, ANY},
	{"relative interpreter", "[www]\n" LISTEN "handler = @DIR@/relative\n",
		"must have the whole path of an interpreter", 78, ANY},
	{"directory as interpreter", "[www]\n" LISTEN
		"handler = @DIR@/directory\n",
		": its interpreter /etc is not a program", 78, ANY},
	{"byte order mark", "[www]\n" LISTEN "handler = @DIR@/bom\n",
		"begins with a byte order mark before the #! line", 78, ANY},
	{"text", "[www]\n" LISTEN "handler = @DIR@/text\n",
		"is neither a program nor a script with a #! line", 78, ANY},
	{"empty program", "[www]\n" LISTEN "handler = @DIR@/empty\n",
		"is neither a program nor a script with a #! line", 78, ANY},
	{"PHP script", "[www]\n" LISTEN "handler = @DIR@/index.php\n",
		"is a PHP script; write handler = /usr/bin/php-cgi", 78, ANY},
	/* Opening a FIFO would wait for its other end. */
	{"FIFO", "[www]\n" LISTEN "handler = @DIR@/fifo\n",
		"@DIR@/fifo is not a regular file", 78, ANY},
	{"FIFO as interpreter", "[www]\n" LISTEN "handler = @DIR@/waits\n",
		": its interpreter @DIR@/fifo is not a program", 78, ANY},
	{"FIFO as include", "[fcgipm]\ninclude = @DIR@/fifo\n" POOL,
		":2: error: [fcgipm] include: @DIR@/fifo: is not a regular "
		"file", 78,
		ANY},
	{"device", "[www]\n" LISTEN "handler = /dev/zero\n",
		"/dev/zero is not a regular file", 78, ANY},
	{"arguments in handler", "[www]\n" LISTEN
		"handler = @DIR@/good -d x=1\n",
		"the value includes arguments; write handler = @DIR@/good "
		"and handler_args = -d x=1", 78, ANY},
	/* the user */
	{"directory of another user", "[www]\nuser = 65534\n" LISTEN
		"handler = @DIR@/priv/in/app\n",
		":4: error: [www] handler: user 65534 may not enter "
		"@DIR@/priv; chmod "
		"o+x @DIR@/priv", 78, ROOT},
	{"directory with a quote", "[www]\nuser = 65534\n" LISTEN
		"handler = @DIR@/it's/app\n",
		":4: error: [www] handler: user 65534 may not enter "
		"@DIR@/it's; chmod "
		"o+x '@DIR@/it'\\''s'", 78, ROOT},
	{"docroot of another user", "[www]\nmode = cgi\nuser = 65534\n" LISTEN
		"docroot = @DIR@/priv/in\n",
		":5: error: [www] docroot: user 65534 may not enter @DIR@/priv",
		78,
		ROOT},
	{"interpreter of scripts", "[www]\nmode = cgi\nuser = 65534\n" LISTEN
		"docroot = @DIR@\ncgi.interpreter[.a] = @DIR@/priv/in/app\n",
		":6: error: [www] cgi.interpreter[.a]: user 65534 may not "
		"enter", 78,
		ROOT},
	{"unsearchable directory", "[www]\n" LISTEN
		"handler = @DIR@/none/app\n", "@DIR@/none/app: Permission "
		"denied: the user fcgipm runs as may not enter @DIR@/none", 78,
		USER},
	{"root", POOL "user = root\n",
		"@DIR@/fcgipm.ini:4: warning: [www] user: its programs run "
		"as root; set user to an unprivileged account", 0, ROOT},
	{"root by default", POOL,
		"@DIR@/fcgipm.ini:1: warning: [www] user: its programs run as "
		"root", 0,
		ROOT},
	{"group that can become root", POOL "user = 65534\ngroup = shadow\n",
		":5: warning: [www] group: the workers are in group shadow, "
		"whose "
		"members can become root", 0, ROOT},
	{"user and group in one", POOL "user = www-data:www-data\n",
		":4: error: [www] user: write user = www-data and group = "
		"www-data, not \"www-data:www-data\"", 78, ANY},
	{"cgi pool of root", "[www]\nmode = cgi\n" LISTEN,
		"@DIR@/fcgipm.ini:1: warning: [www] user: its programs run as "
		"root", 78, ROOT},
	{"nobody may connect", POOL "user = 65534\nlisten.mode = 0600\n",
		"@DIR@/fcgipm.ini:2: warning: [www] listen: none of the users "
		"www-data, nginx, http and apache may connect to "
		"@DIR@/www.sock; set listen.owner = ", 0, ROOT},
	{"nobody may connect, as a user", POOL "listen.mode = 0600\n",
		" may connect to @DIR@/www.sock; set listen.mode = 0666", 0,
		USER},
	/* where it serves and writes */
	{"directory of the socket", "[www]\nlisten = @DIR@/no/www.sock\n"
		HANDLER, ":2: error: [www] listen: directory @DIR@/no does not "
		"exist; "
		"create it", 78, ANY},
	{"directory in /run", "[www]\nlisten = /run/no-such_/www.sock\n"
		HANDLER, ", or let systemd create it at every start "
		"(RuntimeDirectory=no-such_)", 78, ANY},
	{"socket that is a file", "[www]\nlisten = @DIR@/text\n" HANDLER,
		":2: error: [www] listen: @DIR@/text exists and is not a "
		"socket", 78,
		ANY},
	{"directory of the log", "[fcgipm]\nlog = @DIR@/no/log\n" POOL,
		":2: error: [fcgipm] log: directory @DIR@/no does not exist",
		78, ANY},
	{"word as log", "[fcgipm]\nlog = journald\n" POOL,
		":2: warning: [fcgipm] log: means the file @DIR@/journald; "
		"write stderr "
		"or syslog", 0, ANY},
	{"directory of the PID file", "[fcgipm]\npid = @DIR@/no/pid\n" POOL,
		"@DIR@/fcgipm.ini:2: warning: [fcgipm] pid: directory @DIR@/no "
		"does not exist", 0, ANY},
	{"directory of the control socket",
		"[fcgipm]\ncontrol = @DIR@/no/control\n" POOL,
		":2: error: [fcgipm] control: directory @DIR@/no does not "
		"exist", 78,
		ANY},
	{"all addresses", "[www]\nlisten = *:9000\n" HANDLER,
		":2: error: [www] listen: \"*:9000\" is not an address; write "
		"0.0.0.0:9000 or [::]:9000, and the addresses of the web "
		"servers in listen.allowed_clients", 78, ANY},
	/* programs that are no FastCGI programs */
	{"HTTP server", "[www]\n" LISTEN "handler = @DIR@/nginx\n",
		"No such file", 78, ANY},
	{"tool", "[www]\n" LISTEN "handler = /bin/sleep\nhandler_args = 9\n",
		":3: error: [www] handler: /bin/sleep is not a FastCGI program",
		78,
		ANY},
	{"interpreter without a script", "[www]\n" LISTEN "handler = /bin/sh\n",
		":3: error: [www] handler: /bin/sh is an interpreter without a "
		"script; write the script in handler_args", 78, ANY},
	{"script of an interpreter", "[www]\n" LISTEN
		"handler = /bin/sh\nhandler_args = @DIR@/no\n",
		":4: error: [www] handler_args: @DIR@/no: No such file or "
		"directory; "
		"name an existing script", 78, ANY},
	{"relative script", "[www]\n" LISTEN "handler = /bin/sh\n"
		"handler_args = good\n", ":4: error: [www] handler_args: good "
		"is not "
		"in /bin, where /bin/sh starts; write its whole path", 78, ANY},
	{"relative script in chdir", "[www]\n" LISTEN "handler = /bin/sh\n"
		"chdir = @DIR@\nhandler_args = good\n",
		"the configuration is valid", 0, ANY},
	{"php-cgi with a socket", "[www]\n" LISTEN "handler = @DIR@/php-cgi\n"
		"handler_args = -b 127.0.0.1:9000\n",
		":4: error: [www] handler_args: -b makes php-cgi open a socket",
		78,
		ANY},
	{"HTTP server of an interpreter", POOL
		"handler_args = -m http.server 8000\n",
		":4: error: [www] handler_args: http.server speaks HTTP, not "
		"FastCGI",
		78, ANY},
	{"background", POOL "handler_args = --daemonize\n",
		":4: error: [www] handler_args: --daemonize makes the program "
		"leave",
		78, ANY},
	{"shell", POOL "handler_args = x >log 2>&1 &\n",
		"2>&1 is an argument here, not the shell's operator", 78, ANY},
	/* habits in values */
	{"comment after a path", "[www]\nlisten = @DIR@/www.sock ; nginx\n"
		HANDLER, ":2: error: [www] listen: the value includes \"; "
		"nginx\"; "
		"write the comment on a line of its own", 78, ANY},
	{"comment after a file", POOL "slowlog = @DIR@/x.slow # slow\n"
		"request_slowlog_timeout = 5s\n",
		":4: error: [www] slowlog: the value includes \"# slow\"", 78,
		ANY},
	{"comment after text", POOL "env[X] = a ; b\n",
		"@DIR@/fcgipm.ini:4: warning: [www] env[X]: the value includes "
		"\"; b\"; if it is a comment", 0, ANY},
	{"end as in nginx", "[www]\nlisten = @DIR@/www.sock;\n" HANDLER,
		":2: error: [www] listen: the value ends in \";\"; remove that",
		78,
		ANY},
	{"variable of a shell", POOL "env[X] = $HOME/x\n",
		":4: warning: [www] env[X]: $HOME is passed as text; write "
		"${HOME} for its value", 0,
		ANY},
	{"continued line", POOL "handler_args = a \\\n",
		":4: error: [www] handler_args: the value ends in \"\\\"; a "
		"line "
		"cannot be continued", 78, ANY},
	{"pattern as extension", "[www]\nmode = cgi\n" LISTEN
		"docroot = /usr\ncgi.extensions = *.pl\n",
		":5: error: [www] cgi.extensions: write extensions without *, "
		"such "
		"as .pl", 78, ANY},
	{"directory as include", "[fcgipm]\ninclude = @DIR@\n" POOL,
		":2: error: [fcgipm] include: @DIR@: is a directory; write a "
		"pattern",
		78, ANY},
	{"path outside of the chroot", "[www]\nchroot = @DIR@\n" LISTEN
		"handler = @DIR@/good\n", ":4: error: [www] handler: "
		"@DIR@@DIR@/good: No such file or directory; write the path "
		"inside chroot, /good", 78, ROOT},
	{"quotes", POOL "env[X] = \"x\"\n",
		":4: warning: [www] env[X]: the quotes are part of the value",
		0, ANY},
	/* configurations of other daemons */
	{"uWSGI", "[uwsgi]\nmodule = app.wsgi\nsocket = /tmp/x.sock\n"
		"processes = 4\n",
		":4: error: [uwsgi] processes: no such key; write "
		"pm.max_children", 78,
		ANY},
	{"supervisord", "[fcgi-program:app]\ncommand = /usr/bin/app\n",
		":1: error: [fcgi-program:app]: a pool's section is its name "
		"alone: "
		"write [app]", 78, ANY},
	{"supervisord's own section", "[supervisord]\nnodaemon = true\n" POOL,
		":1: error: [supervisord]: write [fcgipm]", 78, ANY},
	{"systemd", "[Service]\nEnvironment=A=1\n" POOL,
		":2: error: [Service] Environment: no such key; write one line "
		"for "
		"each variable, such as env[TZ] = UTC", 78, ANY},
	{"PHP-FPM", "[global]\npid = @DIR@/pid\nlog_level = warn\n" POOL,
		":3: error: [fcgipm] log_level: write error, warning, notice "
		"or "
		"debug, not \"warn\"", 78, ANY},
};

static bool
is_for_us(enum who who)
{
	return who == ANY || who == (geteuid() == 0 ? ROOT : USER);
}

/* The text with the world's directory for @DIR@. */
static char *
with_dir(const struct world *w, const char *text)
{
	const char *mark = strstr(text, "@DIR@");

	return mark ? own_text("%.*s%s%s", (int)(mark - text), text, w->dir,
		with_dir(w, mark + strlen("@DIR@"))) : own_text("%s", text);
}

Test(config_check, each_mistake_gets_a_message_with_the_remedy, .timeout = 300)
{
	struct world *w = world_open();
	char *want, *out;
	size_t i;

	make_files(w);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!is_for_us(rows[i].who))
			continue;
		/* The directory of the last test of users. */
		(void)mkdir(world_path(w, "none"), 0);
		cr_assert_eq(chmod(world_path(w, "priv"), 0700), 0);
		world_write(w, "fcgipm.ini", rows[i].ini);
		out = check(w, "-t", rows[i].status, rows[i].why);
		want = with_dir(w, rows[i].want);
		cr_expect(strstr(out, want), "%s: no \"%s\" in:\n%s",
			rows[i].why, want, out);
	}
	cr_expect_eq(chmod(world_path(w, "none"), 0700), 0);
}

/* The number after "fcgipm.ini:" of each line never falls. */
Test(config_check, messages_are_in_the_order_of_lines, .timeout = 60)
{
	struct world *w = world_open();
	char *out, *at;
	unsigned line = 0, next, n = 0;

	world_write(w, "fcgipm.ini",
		"[global]\n"
		"log = @DIR@/no/log\n"
		"nonsense = 1\n"
		"[www]\n"
		"listen = @DIR@/no/www.sock\n"
		"handler = /no/such/file\n"
		"threads = x\n"
		"pm.start_servers = 2\n"
		"[b]\n"
		"mode = both\n"
		"umask = 9\n");
	out = check(w, "-t", 78, "order");
	for (at = out; (at = strstr(at, "fcgipm.ini:")) != NULL; n++) {
		at += strlen("fcgipm.ini:");
		next = (unsigned)strtoul(at, NULL, 10);
		cr_expect_geq(next, line, "line %u after %u:\n%s", next, line,
			out);
		line = next;
	}
	cr_expect_geq(n, 10, "%s", out);
	cr_expect_eq(line, 11, "%s", out);
}

Test(config_check, a_terminal_gets_no_control_characters, .timeout = 60)
{
	struct world *w = world_open();
	char *out;

	world_write(w, "fcgipm.ini", POOL "threads = \033[2J\n"
		"k\033]0;x = 1\n[\033[1m]\n");
	out = check(w, "-t", 78, "escapes");
	cr_expect_not(strchr(out, '\033'), "%s", out);
	cr_expect(strstr(out, "not \"\\x1b[2J\""), "%s", out);
}

/* It is a configuration: warnings and origins are comments in it. */
Test(config_check, tt_prints_values_and_origins, .timeout = 60)
{
	static const char *const never[] = {"that of", "mean of", "half of",
		"pm.process_idle_timeout", "docroot", "cgi."};
	struct world *w = world_open();
	const struct passwd *pw = getpwuid(geteuid());
	char *first, *second;
	size_t i;

	world_write(w, "fcgipm.ini", POOL "pm = dynamic\n"
		"pm.max_children = 8\nenv[A] = a ; b\n");
	first = check(w, "-tt", 0, "first");
	cr_expect(strstr(first, own_text("\npm.max_children = 8    ; "
		"%s/fcgipm.ini:5\n", w->dir)), "%s", first);
	cr_expect(strstr(first, "\npm.start_servers = 2    ; default\n"), "%s",
		first);
	cr_assert_not_null(pw);
	cr_expect(strstr(first, own_text("\nlisten.owner = %s    ; default\n",
		pw->pw_name)), "%s", first);
	for (i = 0; i < ARRAY_SIZE(never); i++)
		cr_expect_not(strstr(first, never[i]), "%s in %s", never[i],
			first);
	world_write(w, "fcgipm.ini", first);
	second = check(w, "-tt", 0, "second");
	cr_expect(strstr(second, "\nenv[A] = a ; b    ; "), "%s", second);
	cr_expect(strstr(second, "\npm.start_servers = 2    ; /"), "%s",
		second);
}
