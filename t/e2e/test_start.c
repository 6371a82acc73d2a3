/*
 * test_start.c - tests the command line of fcgipm: options, checking, starting,
 * becoming a daemon
 */
#include <sys/un.h>

#include "world.h"

static const char hello[] =
	"[fcgipm]\n"
	"pid = @DIR@/pid\n"
	"log = @DIR@/file.log\n"
	"[www]\n"
	"listen = @DIR@/www.sock\n"
	"listen.mode = 0666\n"
	"handler = @BIN@/handlers/hello\n"
	"pm.max_children = 2\n";

/* Runs "fcgipm ARG..." and compares status and output. */
static void
expect_run(struct world *w, const char *const *argv, int status,
	const char *text)
{
	char *out;
	int code = world_run(w, argv, &out);

	cr_expect_eq(code, status, "%s %s: exit status %d, not %d:\n%s",
		argv[0], argv[1] ? argv[1] : "", code, status, out);
	cr_expect(strstr(out, text), "%s: no \"%s\" in:\n%s",
		argv[1] ? argv[1] : "", text, out);
}

#define RUN(w, status, text, ...)                                              \
	expect_run(w, (const char *[]){"fcgipm", __VA_ARGS__, NULL}, status,   \
		text)

Test(start, prints_its_version_and_its_options, .timeout = 60)
{
	struct world *w = world_open();

	RUN(w, 0, "fcgipm 0.", "-V");
	RUN(w, 0, "usage: fcgipm", "-h");
}

Test(start, a_wrong_command_line_is_status_64, .timeout = 60)
{
	struct world *w = world_open();

	expect_run(w, (const char *[]){"fcgipm", NULL}, 64, "-c FILE");
	RUN(w, 64, "-x", "-x");
	RUN(w, 64, "-c needs a value", "-c");
	RUN(w, 64, "handler", "-l", "/tmp/nowhere.sock");
	RUN(w, 64, "-l", "-n", "2", "-c", "f");
	RUN(w, 64, "argument", "-c", "f", "surplus");
	RUN(w, 64, "once", "-l", "1", "-l", "2", "--", "/bin/true");
}

Test(start, t_checks_and_starts_nothing, .timeout = 60)
{
	struct world *w = world_open();
	const char *ini = world_write(w, "fcgipm.ini", hello);

	RUN(w, 0, "the configuration is valid", "-t", "-c", ini);
	cr_expect_neq(access(world_path(w, "www.sock"), F_OK), 0);
	cr_expect_neq(access(world_path(w, "pid"), F_OK), 0);
	world_write(w, "fcgipm.ini", "[www]\nlisten = 1\nhandlr = /bin/x\n");
	RUN(w, 78, "fcgipm.ini:3: error: [www] handlr: no such key; did you "
		"mean "
		"handler?", "-t", "-c", ini);
}

Test(start, tt_prints_every_value_and_its_origin, .timeout = 60)
{
	struct world *w = world_open();
	const char *ini = world_write(w, "fcgipm.ini", hello);

	RUN(w, 0, "pm.max_children = 2", "-tt", "-c", ini);
	RUN(w, 0, own_text("%s:8", ini), "-tt", "-c", ini);
	RUN(w, 0, "stop_timeout = 30s", "-tt", "-c", ini);
	RUN(w, 0, "[www]", "-t", "-t", "-c", ini);
}

/* The output of -tt is a configuration with the same values. */
Test(start, the_output_of_tt_can_be_read_again, .timeout = 60)
{
	struct world *w = world_open();
	char *first, *second;
	const char *ini = world_write(w, "fcgipm.ini", hello);
	const char *again = world_path(w, "again.ini");
	const char *one[] = {"fcgipm", "-tt", "-c", ini, NULL};
	const char *two[] = {"fcgipm", "-tt", "-c", again, NULL};
	char *a, *b;
	FILE *f;

	cr_assert_eq(world_run(w, one, &first), 0, "%s", first);
	f = fopen(again, "we");
	cr_assert_not_null(f);
	fputs(first, f);
	cr_assert_eq(fclose(f), 0);
	cr_assert_eq(world_run(w, two, &second), 0, "%s", second);
	/* Line by line, without comments: these have the origin. */
	for (a = strtok_r(first, "\n", &b); a; a = strtok_r(NULL, "\n", &b)) {
		size_t len = strcspn(a, "#;");

		while (len > 0 && strchr(" \t", a[len - 1]))
			len--;
		a[len] = '\0';
		cr_expect(strstr(second, a), "lost: %s", a);
	}
}

Test(start, the_pid_file_exists_while_it_serves, .timeout = 60)
{
	struct world *w = world_open();

	world_launch(w, hello);
	cr_expect_eq(world_read_pid(world_path(w, "pid")), w->pid);
	world_stop(w);
	cr_expect_neq(access(world_path(w, "pid"), F_OK), 0);
}

Test(start, the_pid_file_of_another_process_is_not_removed, .timeout = 60)
{
	struct world *w = world_open();

	world_launch(w, hello);
	cr_expect_eq(world_read_pid(world_path(w, "pid")), w->pid);
	world_write(w, "pid", "1\n");
	world_stop(w);
	cr_expect_eq(access(world_path(w, "pid"), F_OK), 0);
	world_shell(w, "rm pid");
}

static bool
pid_file_is_gone(void *arg)
{
	return access(world_path(arg, "pid"), F_OK) != 0;
}

Test(start, option_d_returns_when_the_daemon_serves, .timeout = 60)
{
	struct world *w = world_open();
	const char *ini = world_write(w, "fcgipm.ini", hello);
	char *out;
	const char *argv[] = {"fcgipm", "-D", "-c", ini, NULL};

	cr_assert_eq(world_run(w, argv, &out), 0, "%s", out);
	if (geteuid() == 0) {
		/* One warning, and nothing else. */
		cr_expect(strstr(out, "run as root"), "%s", out);
		cr_expect_eq(strchr(out, '\n'), out + strlen(out) - 1);
	} else {
		cr_expect_str_eq(out, "", "output without a warning");
	}
	/* At once: it returned because it serves. */
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
	w->pid = world_read_pid(world_path(w, "pid"));
	cr_expect(world_alive(w->pid));
	cr_expect_eq(getsid(w->pid), w->pid, "it has its own session");
	world_stop(w);
	world_until(pid_file_is_gone, w, "the PID file is removed");
}

Test(start, errors_of_a_daemon_are_printed_by_its_parent, .timeout = 60)
{
	struct world *w = world_open();
	const char *ini = world_write(w, "fcgipm.ini",
		"[fcgipm]\n"
		"log = @DIR@/file.log\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @T@/children/die_at_start\n");

	RUN(w, 71, "exited before accepting a connection: exit status 3",
		"-D", "-c", ini);
	RUN(w, 71, "cannot be started", "-D", "-c", ini);
	world_write(w, "fcgipm.ini",
		"[www]\n"
		"listen = /no/such/directory/www.sock\n"
		"handler = @BIN@/handlers/hello\n");
	RUN(w, 71, "/no/such/directory/www.sock", "-D", "-c", ini);
	world_write(w, "fcgipm.ini", "[www]\nlisten = @DIR@/www.sock\n");
	RUN(w, 78, "handler", "-D", "-c", ini);
}

Test(start, a_log_that_cannot_be_opened_is_an_error, .timeout = 60)
{
	struct world *w = world_open();

	cr_expect_eq(world_refused(w,
		"[fcgipm]\n"
		"log = /no/such/directory/log\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n"), 71);
	cr_expect(world_log_has(w, "/no/such/directory/log: No such file"));
}

/* In the manner of spawn-fcgi and multiwatch, without a file. */
static void
serve_without_file(struct world *w, const char *const *argv, const char *text)
{
	struct stat st;

	world_launch_argv(w, argv);
	world_expect_log(w, "ready: 1 pool, ");
	answer_expect(client_script(w, "www.sock", NULL, NULL), text);
	cr_assert_eq(stat(world_path(w, "www.sock"), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0604, "-M: %o", st.st_mode);
}

Test(start, serves_one_handler_without_a_file, .timeout = 60)
{
	struct world *w = world_open();
	const char *sock = world_path(w, "www.sock");
	const char *pid = world_path(w, "pid");
	const char *handler = world_handler("whoami");
	const char *prefork[] = {"fcgipm", "-l", sock, "-n", "3", "-M", "0604",
		"-P", pid, "--", handler, NULL};
	const char *cgi[] = {"fcgipm", "-l", sock, "-m", "cgi", "-M", "0604",
		"--", handler, NULL};
	pid_t children[8];

	serve_without_file(w, prefork, "pool: whoami\n");
	cr_expect_eq(world_children(w->pid, children, 8), 3, "-n 3");
	cr_expect_eq(world_read_pid(pid), w->pid);
	world_stop(w);
	cr_expect_neq(access(pid, F_OK), 0);
	serve_without_file(w, cgi, "pool: whoami\n");
	cr_expect_eq(world_children(w->pid, children, 8), 1, "the gateway");
	world_stop(w);
}

Test(start, the_handler_gets_its_arguments_unchanged, .timeout = 60)
{
	struct world *w = world_open();
	const char *sock = world_path(w, "www.sock");
	const char *handler = world_script(w, "handler",
		"#!/bin/sh\n"
		"for a in \"$@\"; do echo \"<$a>\" >&2; done\n"
		"exec @BIN@/handlers/hello\n");
	const char *argv[] = {"fcgipm", "-l", sock, "-n", "1", "--", handler,
		"plain", "two words", "it's \"quoted\"", "$HOME `x` \\ ;#%n",
		"", "-n", "--", NULL};

	world_launch_argv(w, argv);
	world_expect_log(w, "ready: ");
	world_expect_log(w, "says: <plain>");
	world_expect_log(w, "says: <two words>");
	world_expect_log(w, "says: <it's \"quoted\">");
	world_expect_log(w, "says: <$HOME `x` \\ ;#%n>");
	world_expect_log(w, "says: <>");
	world_expect_log(w, "says: <-n>");
	world_expect_log(w, "says: <-->");
	world_stop(w);
}

Test(start, options_set_users_groups_and_modes, .timeout = 60)
{
	struct world *w;
	char *sock, *handler;
	struct stat st;

	world_need_root();
	w = world_open();
	world_shell(w, "cp @BIN@/handlers/whoami . && chmod 755 whoami\n");
	sock = world_path(w, "www.sock");
	handler = world_path(w, "whoami");
	{
		const char *argv[] = {"fcgipm", "-l", sock, "-n", "1", "-u",
			"65534", "-g", "12345", "-U", "54321", "-G", "23456",
			"-M", "0640", "--", handler, NULL};

		world_launch_argv(w, argv);
	}
	world_expect_log(w, "ready: ");
	answer_expect(client_script(w, "www.sock", NULL, NULL),
		"uid: 65534\ngid: 12345\n");
	cr_assert_eq(stat(sock, &st), 0);
	cr_expect_eq(st.st_uid, 54321);
	cr_expect_eq(st.st_gid, 23456);
	cr_expect_eq(st.st_mode & 0777, 0640);
	world_stop(w);
}

/* Reads the next message from the socket of the service manager. */
static void
expect_message(int fd, const char *want)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[600];
	ssize_t n;

	cr_assert_eq(poll(&p, 1, 20000), 1, "no message %s", want);
	n = recv(fd, text, sizeof(text) - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect_eq(strncmp(text, want, strlen(want)), 0, "%s, not %s", text,
		want);
}

Test(start, the_service_manager_gets_ready_and_stopping, .timeout = 60)
{
	struct world *w = world_open();
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%.90s/notify", w->dir);
	cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(setenv("NOTIFY_SOCKET", un.sun_path, 1), 0);
	world_launch(w, hello);
	expect_message(fd, "READY=1\n");
	world_signal(w, SIGTERM);
	expect_message(fd, "STOPPING=1\n");
	cr_expect_eq(world_wait(w), 0);
	close(fd);
	unlink(un.sun_path);
}

/* The parent of -D gets no result then. */
Test(start, a_daemon_that_dies_early_is_status_70, .timeout = 60)
{
	struct world *w = world_open();
	const char *ini = world_write(w, "fcgipm.ini",
		"[fcgipm]\n"
		"control = none\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = /bin/sleep\n"
		"handler_args = 1000\n");
	const char *argv[] = {"fcgipm", "-D", "-c", ini, NULL};
	pid_t daemon = 0;

	world_launch_argv(w, argv);
	while (world_children(w->pid, &daemon, 1) == 0)
		;
	cr_assert_eq(kill(daemon, SIGKILL), 0);
	cr_expect_eq(world_wait(w), 70);
	/* It may have been killed before it renamed the socket. */
	(void)unlink(world_path(w, "www.sock"));
	(void)unlink(world_path(w, "www.sock~"));
}
