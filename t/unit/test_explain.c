/*
 * test_explain.c - a failed start is explained by the file that caused it
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/privs.h"
#include "sys/spawn.h"
#include "worker/explain.h"

static char dir[] = "/tmp/fcgipm-explain-XXXXXX";
static char app[80], sub[80];
/* Not the owner of dir, and in a group that is not the one of dir. */
static gid_t groups[] = {4000000};
static struct privs privs = {.set_ids = true,
	.uid = 4000001,
	.gid = 4000002,
	.groups = groups,
	.ngroups = 1};
static struct spawn_spec spec = {.path = app, .privs = &privs};

static void
set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chmod(dir, 0755), 0);
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	snprintf(app, sizeof(app), "%s/sub/app", dir);
	cr_assert_eq(mkdir(sub, 0755), 0);
}

static void
tear_down(void)
{
	unlink(app);
	rmdir(sub);
	cr_expect_eq(rmdir(dir), 0);
}

TestSuite(explain, .init = set_up, .fini = tear_down, .timeout = 10);

static void
write_app(const char *text, mode_t mode)
{
	FILE *f = fopen(app, "we");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
	cr_assert_eq(chmod(app, mode), 0);
}

/* want: "@" stands for the directory. */
static void
expect(const char *step, int err, const char *want)
{
	struct spawn_error e = {.err = err};
	char buf[400], all[400] = "";
	const char *at;

	snprintf(e.step, sizeof(e.step), "%s", step);
	explain_start(&spec, "www-data", &e, buf, sizeof(buf));
	for (at = want; *at; at++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%.*s",
			*at == '@' ? (int)strlen(dir) : 1,
			*at == '@' ? dir : at);
	cr_expect_str_eq(buf, all);
}

Test(explain, a_missing_interpreter_is_named)
{
	write_app("#! /no/such/perl -w\nexit\n", 0755);
	expect("exec", ENOENT,
		"its interpreter /no/such/perl does not exist; "
		"install it or change the #! line");
	write_app("#!/bin/sh\r\nexit\r\n", 0755);
	expect("exec", ENOENT,
		"its #! line ends in CR LF; sed -i 's/\\r$//' @/sub/app");
	write_app("\177ELF", 0755);
	expect("exec", ENOENT,
		"its dynamic loader does not exist; readelf -l @/sub/app shows "
		"the loader");
}

Test(explain, a_missing_program_is_reported)
{
	expect("exec", ENOENT,
		"it does not exist; install it or change the "
		"key handler");
}

Test(explain, a_file_that_is_not_a_program_is_reported)
{
	write_app("echo\n", 0755);
	expect("exec", ENOEXEC,
		"it is not an executable program; a script "
		"must begin with #!/path/of/interpreter");
}

Test(explain, the_directory_that_is_closed_is_named_with_the_class)
{
	static const struct {
		mode_t mode;
		gid_t gid;
		const char *chmod;
	} cases[] = {{0750, 4000002, "chmod o+x"}, {0700, 0, "chmod g+x"}};
	struct stat st;
	char want[200];
	size_t i;

	write_app("#!/bin/sh\n", 0755);
	for (i = 0; i < 2; i++) {
		cr_assert_eq(chmod(sub, cases[i].mode), 0);
		cr_assert_eq(stat(sub, &st), 0);
		privs.gid = cases[i].gid ? cases[i].gid : st.st_gid;
		snprintf(want, sizeof(want),
			"user www-data may not enter @/sub; %s @/sub",
			cases[i].chmod);
		expect("exec", EACCES, want);
		spec.cwd = sub;
		expect("chdir", EACCES, want);
	}
}

Test(explain, a_file_that_may_not_be_executed_is_reported)
{
	write_app("#!/bin/sh\n", 0644);
	expect("exec", EACCES,
		"user www-data may not execute it; chmod o+x @/sub/app");
	cr_assert_eq(chmod(app, 0745), 0);
	expect("exec", EACCES,
		"user www-data may not execute it, although its "
		"mode allows that; check its ACL and the log of AppArmor or "
		"SELinux");
}

Test(explain, an_interpreter_that_may_not_be_executed_is_named)
{
	char text[120];

	snprintf(text, sizeof(text), "#!%s -x\n", sub);
	write_app(text, 0755);
	cr_assert_eq(chmod(sub, 0644), 0);
	expect("exec", EACCES,
		"user www-data may not enter @/sub; chmod o+x "
		"@/sub");
	snprintf(text, sizeof(text), "#!/etc/passwd -x\n");
	cr_assert_eq(chmod(sub, 0755), 0);
	write_app(text, 0755);
	expect("exec", EACCES,
		"user www-data may not execute its interpreter "
		"/etc/passwd; chmod o+x /etc/passwd");
}

Test(explain, a_working_directory_that_cannot_be_used_is_named)
{
	spec.cwd = "/no/such";
	expect("chdir", ENOENT,
		"its working directory /no/such does not "
		"exist; create it or change chdir");
	spec.cwd = "/etc/passwd";
	expect("chdir", ENOTDIR,
		"its working directory /etc/passwd is not a "
		"directory; change chdir");
	spec.cwd = "/";
	expect("chdir", EIO,
		"user www-data may not use the working directory "
		"/: Input/output error");
}

Test(explain, other_steps_and_chroots_are_reported_by_their_error)
{
	expect("setgroups", EPERM, "setgroups: Operation not permitted");
	expect("exec", ENOMEM, "exec: Cannot allocate memory");
	privs.chroot = "/srv/jail";
	expect("exec", ENOENT,
		"exec: No such file or directory (chroot = "
		"/srv/jail); the program, its interpreter and its libraries "
		"must be inside it");
}

/* The user of the pool could exchange it while it is inspected. */
Test(explain, a_path_that_others_can_exchange_is_not_inspected)
{
	static const char generic[] =
		"exec: No such file or directory; fcgipm -t -c FILE names the "
		"cause";
	char link[100];

	write_app("#!/no/such/perl\n", 0755);
	cr_assert_eq(chmod(sub, 0777), 0);
	expect("exec", ENOENT, generic);
	cr_assert_eq(chmod(sub, 01777), 0);
	expect("exec", ENOENT,
		"its interpreter /no/such/perl does not exist; "
		"install it or change the #! line");
	cr_assert_eq(chmod(sub, 0755), 0);
	snprintf(link, sizeof(link), "%s/link", dir);
	cr_assert_eq(symlink(sub, link), 0);
	strcat(link, "/app");
	spec.path = link;
	expect("exec", ENOENT, generic);
	*strrchr(link, '/') = '\0';
	cr_assert_eq(unlink(link), 0);
	spec.path = app;
	if (geteuid() != 0)
		return;
	cr_assert_eq(chown(sub, privs.uid, privs.gid), 0);
	expect("exec", ENOENT, generic);
	cr_assert_eq(chown(sub, 0, 0), 0);
	cr_assert_eq(chown(app, privs.uid, privs.gid), 0);
	expect("exec", ENOENT, generic);
}
