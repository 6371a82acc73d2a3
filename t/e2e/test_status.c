/*
 * test_status.c - tests the output and the errors of fcgipmctl status
 *
 * Workers are in test_status_workers.c, figures in test_status_figures.c.
 */
#include <pthread.h>
#include <sys/un.h>

#include "status.h"

TestSuite(status, .timeout = 60);

Test(status, control_characters_of_a_client_are_escaped)
{
	static const char uri[] = "/\x1b[2J\xff\xc2\x9b\"\\\n\xe2\x82\xac";
	char param[64];
	const char *const params[] = {"REQUEST_METHOD=GET", param, NULL};
	struct world *w = world_open();
	char *out;

	snprintf(param, sizeof(param), "REQUEST_URI=%s", uri);
	world_start(w, POOL("www") "handler = @BIN@/handlers/hello\n" ONE);
	(void)client_call(w, "www.sock", params, NULL, 0);
	status_expect(w, "www", "processes.0.request uri",
		"/\x1b[2J\xef\xbf\xbd\xc2\x9b\"\\\n\xe2\x82\xac");
	out = status_ask(w, "-j", "www", 0);
	cr_expect(strstr(out, "/\\u001B[2J\\uFFFD\\u009B\\\"\\\\\\n"),
		"%s", out);
	cr_expect_null(strpbrk(out, "\x1b\xff"), "%s", out);
	out = status_ask(w, "-m", "www", 0);
	cr_expect(strstr(out, "GET /\\x1b[2J\xef\xbf\xbd\\xc2\\x9b\"\\\\x0a"
		"\xe2\x82\xac\n"), "%s", out);
	world_close_changed(&w);
}

/* Another process that listens at the path of the control socket. */
struct fake {
	int fd;
	const char *answer;
};

static void *
answer_once(void *arg)
{
	const struct fake *f = arg;
	char request[200];
	int fd = accept(f->fd, NULL, NULL);

	if (fd >= 0 && read(fd, request, sizeof(request)) > 0)
		(void)!write(fd, f->answer, strlen(f->answer));
	close(fd);
	return NULL;
}

/* Returns the output of fcgipmctl status for this answer. */
static char *
ask_fake(struct world *w, const char *answer, int want)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct fake f = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		answer};
	pthread_t thread;
	char *out;

	snprintf(un.sun_path, sizeof(un.sun_path), "%.100s",
		world_path(w, "run/control.sock"));
	(void)mkdir(world_path(w, "run"), 0700);
	cr_assert_eq(bind(f.fd, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(f.fd, 1), 0);
	cr_assert_eq(pthread_create(&thread, NULL, answer_once, &f), 0);
	out = status_ask(w, "-m", NULL, want);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	close(f.fd);
	cr_assert_eq(unlink(un.sun_path), 0);
	return out;
}

Test(status, control_characters_of_a_false_supervisor_are_escaped)
{
#define EVIL "\\u001b[2J\\u009b\\u000d"
#define MOST "9223372036854775807"
	static const struct {
		const char *answer, *want;
		int code;
	} rows[] = {
		{"{\"error\":\"" EVIL "\",\"pools\":[\"" EVIL "\",1]}\n",
			"\\x1b[2J\\xc2\\x9b\\x0d; pools: \\x1b", 4},
		{"{\"version\":\"" EVIL "\",\"start since\":" MOST
			",\"pools\":[{\"pool\":\"" EVIL "\","
			"\"bad starts\":" MOST ",\"last failure\":\"" EVIL "\","
			"\"ended processes\":{\"" EVIL "\":" MOST "},"
			"\"processes\":[{\"pid\":-1,"
			"\"since ms\":" MOST ",\"state\":\"" EVIL "\"}]}]}\n",
			" in a row (\\x1b[2J\\xc2\\x9b\\x0d)", 0},
	};
	struct world *w = world_open();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *out = ask_fake(w, rows[i].answer, rows[i].code);

		cr_expect(strstr(out, rows[i].want), "%zu: %s", i, out);
		cr_expect_null(strpbrk(out, "\x1b\x9b\r"), "%zu: %s", i, out);
	}
}

Test(status, columns_fit_their_content)
{
	struct world *w = world_open();
	char *out;

	world_start(w, POOL("www") "handler = @BIN@/handlers/hello\n" ONE
		POOL("slow") "handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 2\naccelerate = no\n");
	out = status_ask(w, "-m", NULL, 0);
	cr_expect(strstr(out, "fcgipm "), "%s", out);
	cr_expect(strstr(out, "\nPOOL  MANAGER  IDLE"), "%s", out);
	cr_expect(strstr(out, "\nwww   dynamic     1       0"), "%s", out);
	cr_expect(strstr(out, "\nslow  static      2       0"), "%s", out);
	cr_expect(strstr(out, "MEMORY  TIER    REQUEST\n"), "%s", out);
	cr_expect(strstr(out, "kernel  (not observed: static pool)\n"),
		"%s", out);
	world_close_changed(&w);
}

Test(status, errors_say_what_to_do)
{
	struct world *w = world_open();
	char *none = world_path(w, "none"), *out;
	const char *ini = world_write(w, "none.ini",
		"[fcgipm]\ncontrol = none\n");

	world_start(w, POOL("www") "handler = @BIN@/handlers/hello\n" ONE);
	out = status_ask(w, "-j", "nobody", 4);
	cr_expect(strstr(out, "no such pool; pools: www"), "%s", out);
#define RUN(want, text, ...)                                                  \
	do {                                                                  \
		const char *argv[] = {"fcgipmctl", "status", __VA_ARGS__, NULL};    \
		int code = world_run(w, argv, &out);                          \
		cr_expect_eq(code, want, "exit status %d: %s", code, out);    \
		cr_expect(strstr(out, text), "no \"%s\": %s", text, out);     \
	} while (0)
	RUN(2, "no fcgipm is listening there", "-s", none);
	RUN(2, "No such file", "-c", none);
	RUN(2, "contains control = none", "-c", ini);
	RUN(64, "status: unknown option -x", "-x");
	RUN(64, "unexpected argument \"two\"", "one", "two");
	RUN(64, "no such pool: \\xff is not UTF-8", "\xff");
	RUN(0, "www", "www");
	world_stop(w);
	RUN(2, "No such file", "www");
	/* Without a supervisor of its own, a user asks root's. */
	if (geteuid() != 0)
		RUN(2, "fcgipmctl: /run/fcgipm/control.sock: ", "www");
}
