/*
 * test_locate.c - the file that a request names is opened beneath docroot, and
 * runs as under the CGI modules of web servers
 */
#include <sys/syscall.h>
#include <sys/wait.h>

#include "world.h"

static struct world *
start(const char *files, const char *keys)
{
	struct world *w = world_open();

	world_shell(w, "mkdir -p www/dir outside");
	world_shell(w, files);
	world_start(w, own_text("[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"%s", keys));
	return w;
}

#define DOCROOT "docroot = @DIR@/www\n"

static struct answer
call(struct world *w, const char *name)
{
	return client_script(w, "www.sock",
		own_text("%s/www/%s", w->dir, name), NULL);
}

/* Expects text in the response; @ in text is the directory of the test. */
static void
expect(struct world *w, const char *name, const char *text)
{
	struct answer a = call(w, name);
	char want[700];
	const char *at = strchr(text, '@');

	snprintf(want, sizeof(want), "%.*s%s%s",
		(int)(at ? at - text : (long)strlen(text)), text,
		at ? w->dir : "", at ? at + 1 : "");
	cr_expect(a.ended && strstr(a.out, want), "%s: no %s in %s%s", name,
		want, a.out, a.err);
}

/* $0, FindBin, sys.path and the working directory, as under mod_cgi. */
Test(locate, scripts_find_files_in_their_directory, .timeout = 60)
{
	struct world *w = start(
		"h=\"printf 'Content-Type: text/plain\\r\\n\\r\\n'\"\n"
		"printf '#!/bin/sh\\n%s\\necho \"0: $0\"; pwd\\n' \"$h\" "
		">www/dir/a.sh\n"
		"cat >www/dir/a.pl <<'END'\n"
		"#!/usr/bin/perl\n"
		"use FindBin; use lib $FindBin::Bin; use Module; use Cwd;\n"
		"print \"Content-Type: text/plain\\n\\n0: $0\\n\";\n"
		"print \"bin: $FindBin::Bin/$FindBin::Script\\n\";\n"
		"print \"cwd: \", getcwd, \"\\n\", Module::text(), \"\\n\";\n"
		"END\n"
		"printf 'package Module; sub text { \"module\" } 1;\\n' "
		">www/dir/Module.pm\n"
		"cat >www/dir/a.py <<'END'\n"
		"#!/usr/bin/python3\n"
		"import os, sys\n"
		"import module\n"
		"print('Content-Type: text/plain\\n\\n0: ' + sys.argv[0])\n"
		"print('path: ' + sys.path[0], 'file: ' + __file__)\n"
		"print('cwd: ' + os.getcwd(), module.text)\n"
		"END\n"
		"echo 'text = \"module\"' >www/dir/module.py\n"
		"chmod 755 www/dir/a.*\n", DOCROOT);

	expect(w, "dir/a.sh", "0: @/www/dir/a.sh\n");
	expect(w, "dir/a.sh", "\n@/www/dir\n");
	expect(w, "dir/a.pl", "0: @/www/dir/a.pl\n");
	expect(w, "dir/a.pl", "bin: @/www/dir/a.pl\n");
	expect(w, "dir/a.pl", "cwd: @/www/dir\nmodule\n");
	expect(w, "dir/a.py", "0: @/www/dir/a.py\n");
	expect(w, "dir/a.py", "path: @/www/dir file: ");
	expect(w, "dir/a.py", "cwd: @/www/dir module\n");
}

/* No program gets descriptors of the gateway; argv[0] of an ELF program is its
 * path, too. */
Test(locate, no_program_has_more_than_three_descriptors, .timeout = 60)
{
	struct world *w = start(
		"cp @T@/children/fdlist www/elf\n"
		"cp www/elf www/dir/elf\n"
		"printf '#!/bin/sh\\nexec @DIR@/www/elf\\n' >www/sh\n"
		"printf '#!@DIR@/www/elf\\n' >www/hashbang\n"
		"printf 'not a program\\n' >www/data.x\n"
		"chmod 755 www/sh www/hashbang\n",
		DOCROOT "cgi.interpreter[.x] = @DIR@/www/elf\n");
	static const char *const names[] = {"elf", "dir/elf", "sh",
		"hashbang", "data.x"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		expect(w, names[i], "\r\n\r\nfd: 0\nfd: 1\nfd: 2\nleader");
	expect(w, "dir/elf", "argv: @/www/dir/elf\n");
	expect(w, "dir/elf", "cwd: @/www/dir\n");
	expect(w, "elf", "cwd: @/www\n");
}

/*
 * The program is executed through the descriptor that was checked, whatever the
 * path names by then.  Executed by its path, it could be the other file.
 */
Test(locate, a_program_is_not_replaced_by_one_outside_docroot, .timeout = 60)
{
	struct world *w = start(
		"cp @T@/children/fdlist www/elf\n"
		"cp @T@/children/environ outside/elf\n"
		"ln -s ../outside/elf www/other\n", DOCROOT);
	int i, served = 0, refused = 0;
	char elf[500], other[500];
	pid_t pid;

	snprintf(elf, sizeof(elf), "%s/www/elf", w->dir);
	snprintf(other, sizeof(other), "%s/www/other", w->dir);
	pid = fork();
	cr_assert_geq(pid, 0);
	while (pid == 0 && getppid() != 1)
		if (renameat2(AT_FDCWD, elf, AT_FDCWD, other,
			    RENAME_EXCHANGE) < 0)
			_exit(1);
	/* At least 300 requests, and until both happened. */
	for (i = 0; i < 300 || ((served == 0 || refused == 0) && i < 20000);
		i++) {
		struct answer a = call(w, "elf");

		if (strstr(a.out, "fd: 2\nleader"))
			served++;
		else if (strncmp(a.out, "Status: 403 ", 12) == 0)
			refused++;
		else
			cr_expect_fail("%s", a.out);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_expect_gt(served, 0);
	cr_expect_gt(refused, 0);
}

static bool
gateway_holds(void *arg)
{
	const struct world *w = arg;
	pid_t gateway;

	cr_assert_eq(world_children(w->pid, &gateway, 1), 1);
	return world_look(world_call_of, gateway) == SYS_nanosleep;
}

/* An interpreter opens its script by the path, which must be checked again. */
Test(locate, a_script_that_was_replaced_is_not_run, .timeout = 60)
{
	struct world *w;
	int fd;

	world_hold_races("stat=1");
	w = start(
		"cp @T@/children/echo.sh www/a.sh\n"
		"echo '#!/bin/cat' >outside/a.sh\n"
		"chmod +x outside/a.sh\n"
		"ln -s ../outside/a.sh www/other\n", DOCROOT
		"clear_env = no\n"
		"env[FCGIPM_RACES] = stat=1000\n");
	fd = client_connect(w, "www.sock");
	client_ask(fd, 0, (const char *[]){
		own_text("SCRIPT_FILENAME=%s/www/a.sh", w->dir), NULL});
	world_until(gateway_holds, w, "the script is found");
	world_shell(w, "mv -T www/other www/a.sh");
	answer_expect(client_read(fd), "Status: 403 ");
	world_expect_log(w, "a.sh: 403: replaced by another file during the "
		"request");
}

/* A deployment replaces the link docroot: the next request uses the new one. */
Test(locate, docroot_may_be_replaced_while_serving, .timeout = 60)
{
	struct world *w = start(
		"for n in one two; do\n"
		"mkdir $n; printf '#!/bin/sh\\n"
		"printf \"A: b\\\\n\\\\n%s in \"; pwd -P\\n' $n >$n/a\n"
		"chmod 755 $n/a; done\n"
		"rmdir www/dir www; ln -s one www\n", DOCROOT);
	int i;

	for (i = 0; i < 4; i++) {
		expect(w, "a", i % 2 ? "two in @/two\n" : "one in @/one\n");
		world_shell(w, i % 2 ? "ln -s one new; mv -T new www" :
				       "ln -s two new; mv -T new www");
	}
}

Test(locate, every_link_is_followed_when_docroot_is_the_root, .timeout = 60)
{
	struct world *w = start(
		"printf '#!/bin/sh\\nprintf \"A: b\\\\n\\\\nserved in \"; "
		"pwd -P\\n' >outside/a\n"
		"cp @T@/children/fdlist outside/elf; chmod 755 outside/a\n"
		"ln -s @DIR@/outside/a www/absolute\n"
		"ln -s ../outside/a www/relative\n"
		"ln -s @DIR@/outside www/link\n"
		"ln -s @DIR@/outside/elf www/elf\n", "docroot = /\n");

	expect(w, "absolute", "served in @/www\n");
	expect(w, "relative", "served in @/www\n");
	expect(w, "link/a", "served in @/outside\n");
	expect(w, "elf", "fd: 2\nleader");
}

static const char old_kernel[] =
	"printf '#!/bin/sh\\nprintf \"A: b\\\\n\\\\nserved for $PATH_INFO in "
	"\"; pwd\\n' >www/a\n"
	"chmod 755 www/a; cp www/a www/dir/a; cp www/a outside/a\n"
	"cp @T@/children/fdlist www/dir/elf\n"
	"ln -s a www/inside\n"
	"ln -s ../outside/a www/up\n"
	"ln -s dir www/dirlink\n"
	"mkdir www/dir/deeper; cp www/a www/dir/deeper/index.cgi\n";

static void
check_without_openat2(const char *how)
{
	static const struct {
		const char *path, *want;
	} rows[] = {
		{"a", "served for  in @/www\n"},
		{"a/x/y", "served for /x/y in @/www\n"},
		{"dir/a", "served for  in @/www/dir\n"},
		{"dir/a/x", "served for /x in @/www/dir\n"},
		{"dir/deeper", "served for  in @/www/dir/deeper\n"},
		{"dir/elf", "fd: 2\nleader"},
		{"missing", "Status: 404 "}, {"dir/missing", "Status: 404 "},
		{"missing/a", "Status: 404 "}, {"dir", "Status: 403 "},
		{"up", "Status: 403 "}, {"../outside/a", "Status: 403 "},
		/* These are served with openat2(2). */
		{"inside", "Status: 403 "}, {"dirlink/a", "Status: 403 "},
	};
	struct world *w = world_open();

	world_shell(w, "mkdir -p www/dir outside");
	world_shell(w, old_kernel);
	world_start_without(w, "openat2", how,
		"[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n" DOCROOT
		"cgi.split_path = yes\n"
		"cgi.index = index.cgi\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect(w, rows[i].path, rows[i].want);
	/* A name that is too long, after a directory that was opened. */
	expect(w, own_text("dir/%0256d/b/a", 0), "Status: 404 ");
	expect(w, "a", "served");
	world_expect_log(w, "www/inside: 403: a symbolic link is not "
		"followed");
	world_expect_log(w, "www/dirlink/a: 403: a symbolic link is not "
		"followed");
	world_close(&w);
}

Test(locate, paths_are_safe_without_openat2, .timeout = 60)
{
	check_without_openat2("ENOSYS");
}

Test(locate, paths_are_safe_where_openat2_is_forbidden, .timeout = 60)
{
	check_without_openat2("EPERM");
}

/* However the web server names the script. */
Test(locate, script_filename_is_the_file_that_runs, .timeout = 60)
{
	struct world *w = start(
		"printf '#!/bin/sh\\nprintf \"A: b\\\\n\\\\n"
		"$SCRIPT_FILENAME|$SCRIPT_NAME\\\\n\"\\n' >www/a\n"
		"chmod 755 www/a\n", DOCROOT);
	char root[500], file[600];
	const char *unnamed[] = {root, "SCRIPT_NAME=/a", NULL};
	const char *apache[] = {file, "SCRIPT_NAME=/a", NULL};
	char want[600];

	snprintf(root, sizeof(root), "DOCUMENT_ROOT=%s/www", w->dir);
	snprintf(file, sizeof(file),
		"SCRIPT_FILENAME=proxy:fcgi://localhost%s/www//a", w->dir);
	snprintf(want, sizeof(want), "\n%s/www/a|/a\n", w->dir);
	answer_expect(client_call(w, "www.sock", unnamed, NULL, 0), want);
	answer_expect(client_call(w, "www.sock", apache, NULL, 0), want);
}
