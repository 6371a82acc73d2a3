/*
 * test_ctl.c - fcgipmctl call, ping and bench, and their exit statuses
 */
#include "world.h"

static const char ini[] =
	"[pre]\n"
	"listen = @DIR@/pre.sock\n"
	"handler = @BIN@/handlers/upload\n"
	"[cgi]\n"
	"mode = cgi\n"
	"listen = @DIR@/cgi.sock\n"
	"docroot = @T@/children\n";

static void
expect_ctl(struct world *w, const char *const *argv, int status, const char *want)
{
	char *out;
	int code = world_run(w, argv, &out);

	cr_expect_eq(code, status, "%s %s: exit status %d, not %d:\n%s",
		argv[1], argv[2], code, status, out);
	cr_expect(strstr(out, want), "%s %s: no \"%s\" in:\n%s", argv[1],
		argv[2], want, out);
}

Test(ctl, the_exit_status_shows_the_result, .timeout = 60)
{
	struct world *w = world_open();
	const char *body = world_write(w, "body", "some bytes");
	char script[700];

	world_start(w, ini);
	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s",
		world_child("misbehave.sh"));
	expect_ctl(w, (const char *[]){"fcgipmctl", "call", "pre.sock", "/x", NULL},
		64, "fcgipmctl: call: pre.sock: ");
	const char *pre = world_path(w, "pre.sock");
	const char *cgi = world_path(w, "cgi.sock");
	const char *none = world_path(w, "none.sock");

	expect_ctl(w, (const char *[]){"fcgipmctl", "call", pre, "-i", "-b", body,
			     "/x", NULL}, 0,
		"Content-Type: application/octet-stream\r\n\r\n"
		"some bytesbytes: 10 hash: ");
	expect_ctl(w, (const char *[]){"fcgipmctl", "call", cgi, "-p", script,
			     "/x?status", NULL}, 4, "teapot");
	expect_ctl(w, (const char *[]){"fcgipmctl", "call", cgi, "-p", script,
			     "/x?nothing", NULL}, 5, "502");
	expect_ctl(w, (const char *[]){"fcgipmctl", "call", cgi, "-p", script, "-T",
			     "0.2", "/x?silent", NULL}, 3, "timeout");
	expect_ctl(w, (const char *[]){"fcgipmctl", "call", none, "/x", NULL}, 2,
		"No such file");
	expect_ctl(w, (const char *[]){"fcgipmctl", "ping", cgi, NULL}, 0,
		"FCGI_MPXS_CONNS = 0");
}

Test(ctl, bench_counts_complete_answers_and_fails_on_errors, .timeout = 60)
{
	struct world *w = world_open();
	char *pre, *none;

	world_start(w, ini);
	pre = world_path(w, "pre.sock");
	none = world_path(w, "none.sock");
	expect_ctl(w, (const char *[]){"fcgipmctl", "bench", pre, "-c", "4", "-n",
			     "200", "-b", "10K", "-j", NULL}, 0,
		"\"requests\": 200");
	expect_ctl(w, (const char *[]){"fcgipmctl", "bench", pre, "-c", "2", "-n",
			     "100", "-k", NULL}, 0, "2xx 100");
	expect_ctl(w, (const char *[]){"fcgipmctl", "bench", none, "-n", "3", NULL},
		1, "connect 3");
	expect_ctl(w, (const char *[]){"fcgipmctl", "bench", pre, NULL}, 64,
		"missing -d SEC or -n N");
}
