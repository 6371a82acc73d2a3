/*
 * test_log.c - the output of children is logged completely, with its origin,
 * and escaped
 */
#include <jansson.h>

#include "world.h"

/* The same world with another log file. */
static struct world
with_log(const struct world *w, const char *name)
{
	struct world other = *w;

	other.pid = 0;
	snprintf(other.log, sizeof(other.log), "%.200s/%.64s", w->dir, name);
	return other;
}

Test(log, usr1_reopens_the_file, .timeout = 60)
{
	struct world *w = world_open(), file, old;
	struct stat st;

	world_launch(w,
		"[fcgipm]\n"
		"log = @DIR@/file.log\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n");
	file = with_log(w, "file.log");
	old = with_log(w, "file.log.1");
	world_expect_log(&file, "ready: ");
	cr_assert_eq(stat(file.log, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0640, "a log may hold secrets");
	/* As logrotate(8) does. */
	cr_assert_eq(rename(file.log, old.log), 0);
	world_signal(w, SIGUSR1);
	world_expect_log(&file, "log: reopened");
	cr_expect(world_log_has(&old, "ready: "));
	cr_expect_not(world_log_has(&file, "ready: "));
	world_stop(w);
	cr_expect(world_log_has(&file, "stopped"));
	cr_expect_not(world_log_has(&old, "stopped"));
}

Test(log, usr1_keeps_the_old_file_if_no_new_one_can_be_opened,
	.timeout = 60)
{
	struct world *w = world_open(), file;

	cr_assert_eq(mkdir(world_path(w, "logs"), 0755), 0);
	world_launch(w,
		"[fcgipm]\n"
		"log = @DIR@/logs/file.log\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n");
	file = with_log(w, "logs/file.log");
	world_expect_log(&file, "ready: ");
	cr_assert_eq(rename(world_path(w, "logs"), world_path(w, "moved")),
		0);
	world_signal(w, SIGUSR1);
	file = with_log(w, "moved/file.log");
	world_expect_log(&file, "/file.log: cannot be reopened: No such file");
}

static const char noisy[] =
	"[www]\n"
	"listen = @DIR@/www.sock\n"
	"handler = @T@/children/noisy\n"
	"pm.max_children = 1\n";

Test(log, a_line_is_logged_completely_with_pool_and_pid, .timeout = 60)
{
	struct world *w = world_open();
	char *want = calloc(1, 60100);
	pid_t worker;
	size_t n;

	cr_assert_not_null(want);
	world_start(w, noisy);
	cr_assert_eq(world_children(w->pid, &worker, 1), 1);
	n = (size_t)sprintf(want, "pool www: worker %d says: ", (int)worker);
	memset(want + n, 'n', 60000);
	want[n + 60000] = '\n';
	world_expect_log(w, want);
	free(want);
}

Test(log, control_bytes_are_escaped, .timeout = 60)
{
	struct world *w = world_open();
	char *log, *p;

	world_start(w, noisy);
	world_expect_log(w, "says: bell \\x07 escape \\x1b[31m end\n");
	log = world_log(w);
	for (p = log; *p; p++)
		cr_assert(*p == '\n' || *p == '\t' ||
			((unsigned char)*p >= 0x20 && *p != 0x7f));
}

/* Lines of the supervisor may come in between and start a new count. */
Test(log, repeats_are_counted, .timeout = 60)
{
	static const char mark[] = "last line repeated ";
	struct world *w = world_open();
	size_t logged, counted = 0;
	char *log, *at;

	world_start(w, noisy);
	/* Pending counts are logged at the end. */
	world_stop(w);
	logged = world_log_count(w, "says: again and again\n");
	log = world_log(w);
	for (at = log; (at = strstr(at, mark)) != NULL; at++)
		counted += strtoul(at + strlen(mark), NULL, 10);
	cr_expect_eq(logged + counted, 20, "%zu logged, %zu counted", logged,
		counted);
	cr_expect_leq(logged, 4);
}

/* A script that writes, then executes the handler. */
static void
start_writing(struct world *w, const char *script)
{
	world_script(w, "handler",
		own_text("#!/bin/sh\n%s\nexec @BIN@/handlers/hello\n", script));
	world_start_www(w,
		"handler = @DIR@/handler\n"
		"pm.max_children = 1\n");
}

Test(log, lines_of_64_kib_stay_whole_and_longer_ones_come_in_pieces,
	.timeout = 60)
{
	/* 1 to 60000, without blanks */
	static char want[9 + 90 * 2 + 900 * 3 + 9000 * 4 + 50001 * 5 + 1];
	struct world *w = world_open();
	size_t total = 0, len = 0, n;
	char *log, *at;
	int i;

	for (i = 1; i <= 60000; i++)
		len += (size_t)sprintf(want + len, "%d", i);
	cr_assert_eq(len, sizeof(want) - 1);
	start_writing(w,
		"head -c 65536 /dev/zero | tr '\\0' a; echo\n"
		"seq 60000 | tr -d '\\n'; echo; echo end");
	world_expect_log(w, "says: end\n");
	log = world_log(w);
	at = strstr(log, "says: a");
	cr_assert_not_null(at);
	cr_expect_eq(strspn(at + 6, "a"), 65536, "as one line");
	for (; (at = strstr(at, "says: ")) != NULL; at += 6 + n) {
		n = strspn(at + 6, "0123456789");
		cr_expect_leq(n, 65536);
		cr_assert_leq(total + n, len);
		cr_assert_eq(memcmp(at + 6, want + total, n), 0);
		total += n;
	}
	cr_expect_eq(total, len, "nothing is lost");
}

Test(log, both_streams_are_logged_and_partial_lines_are_completed,
	.timeout = 60)
{
	struct world *w = world_open();

	start_writing(w,
		"printf 'one '; printf 'line\\n' >&2\n"
		"printf 'cr lf\\r\\n'; printf '\\n\\n'; printf 'a\\0b\\n'");
	world_expect_log(w, "says: one line\n");
	world_expect_log(w, "says: cr lf\n");
	world_expect_log(w, "says: a.b\n");
}

Test(log, the_last_output_of_a_worker_is_logged, .timeout = 60)
{
	struct world *w = world_open();

	world_script(w, "handler",
		"#!/bin/sh\nprintf 'no newline at the end'; exit 3\n");
	world_launch(w,
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @DIR@/handler\n"
		"pm.max_children = 1\n");
	world_expect_log(w, "says: no newline at the end\n");
	world_expect_log(w, "exited before accepting a connection: "
		"exit status 3; its output is above; next start in ");
}

/* Status 0 without a connection is what a CGI program does. */
Test(log, mode_cgi_is_suggested_after_exit_status_0_only, .timeout = 60)
{
	struct world *w = world_open();

	world_launch(w,
		"[true]\n"
		"listen = @DIR@/true.sock\n"
		"handler = /bin/true\n"
		"pm.max_children = 1\n"
		"[false]\n"
		"listen = @DIR@/false.sock\n"
		"handler = /bin/false\n"
		"pm.max_children = 1\n");
	world_expect_log(w, "/bin/true exited before accepting a connection: "
		"exit status 0; if it is a CGI program, set mode = cgi; next ");
	world_expect_log(w, "/bin/false exited before accepting a connection: "
		"exit status 1; next start in ");
}

Test(log, the_stderr_of_a_cgi_program_names_its_script, .timeout = 60)
{
	struct world *w = world_open();
	struct answer a;

	world_start_cgi(w, "docroot = @T@/children", "");
	a = client_script(w, "www.sock", world_child("misbehave.sh"),
		"stderr");
	answer_expect(a, "out\n");
	cr_expect_str_eq(a.err, "written to stderr\n", "FCGI_STDERR");
	world_expect_log(w, own_text("script %s: written to stderr\n",
		world_child("misbehave.sh")));
	world_expect_log(w, "pool www: worker ");
}

Test(log, a_nul_of_a_cgi_program_ends_no_line, .timeout = 60)
{
	struct world *w = world_start_script("#!/bin/sh\n"
		"printf 'before\\0behind\\n' >&2\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\nout\\n'\n", "");
	struct answer a = client_script(w, "www.sock", NULL, NULL);

	answer_expect(a, "out\n");
	cr_expect_eq(a.err_len, 14);
	cr_expect_eq(memcmp(a.err, "before\0behind\n", 14), 0, "unchanged");
	world_expect_log(w, ": before.behind\n");
}

Test(log, json_lines_are_one_object_each, .timeout = 60)
{
	struct world *w = world_open();
	char *log, *line, *save;
	json_t *root;
	int lines = 0;

	world_script(w, "handler",
		"#!/bin/sh\nprintf 'a \"quote\", a \\\\, a tab\\t, esc \\033, "
		"bad \\377, euro \\342\\202\\254\\n'\n"
		"exec @BIN@/handlers/hello\n");
	world_start(w,
		"[fcgipm]\n"
		"log_format = json\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @DIR@/handler\n"
		"pm.max_children = 1\n");
	world_expect_log(w,
		"a \\\"quote\\\", a \\\\, a tab\\u0009, esc \\u001b, "
		"bad \\ufffd, euro \xe2\x82\xac\"}\n");
	log = world_log(w);
	for (line = strtok_r(log, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save), lines++) {
		cr_expect_eq(strncmp(line, "{\"time\":\"2", 10), 0, "%s", line);
		root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		cr_expect(json_is_object(root), "%s", line);
		json_decref(root);
		cr_expect(strstr(line, "\",\"level\":\""), "%s", line);
	}
	cr_expect_geq(lines, 3);
}

Test(log, log_level_hides_lower_levels, .timeout = 60)
{
	struct world *w = world_open();

	world_launch(w,
		"[fcgipm]\n"
		"log_level = warning\n"
		"pid = @DIR@/pid\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"listen.mode = 0666\n"
		"handler = @BIN@/handlers/hello\n");
	cr_expect_eq(world_read_pid(world_path(w, "pid")), w->pid);
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
	world_stop(w);
	cr_expect_not(world_log_has(w, "notice"));
}

/* The reader of the log stops reading: lines are lost, but nothing waits. */
Test(log, a_reader_that_stops_loses_lines_but_delays_no_request, .timeout = 60)
{
	struct world *w = world_open();
	struct pollfd p = {.events = POLLIN};
	static char text[1 << 20];
	size_t have = 0;
	ssize_t n;
	int i;

	cr_assert_eq(mkfifo(world_path(w, "fifo"), 0600), 0);
	p.fd = open(world_path(w, "fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(p.fd, 0);
	world_script(w, "handler",
		"#!/bin/sh\n"
		"i=0; while [ $i -lt 40 ]; do\n"
		"echo $i; head -c 9000 /dev/zero | tr '\\0' x; echo\n"
		"i=$((i + 1)); done\n"
		"exec @BIN@/handlers/hello\n");
	world_launch(w,
		"[fcgipm]\n"
		"log = @DIR@/fifo\n"
		"pid = @DIR@/pid\n"
		"[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @DIR@/handler\n"
		"pm.max_children = 1\n");
	/* 360 KB do not fit into a pipe, but the pool still serves. */
	cr_expect_eq(world_read_pid(world_path(w, "pid")), w->pid);
	for (i = 0; i < 3; i++) {
		answer_expect(client_script(w, "www.sock", NULL, NULL),
			"Hello");
	}
	while ((n = read(p.fd, text + have, sizeof(text) - 1 - have)) > 0)
		have += (size_t)n;
	/* The reader continues: further lines come, and the loss is logged. */
	world_signal(w, SIGHUP);
	while (!strstr(text, " lines dropped: ")) {
		cr_assert_gt(poll(&p, 1, 20000), 0, "no further line");
		n = read(p.fd, text + have, sizeof(text) - 1 - have);
		cr_assert_gt(n, 0);
		have += (size_t)n;
		text[have] = '\0';
	}
	cr_expect(strstr(text, "SIGHUP"));
	close(p.fd);
}
