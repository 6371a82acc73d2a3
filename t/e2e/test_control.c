/*
 * test_control.c - whoever asks the control socket cannot harm the supervisor
 */
#include <inttypes.h>
#include <jansson.h>
#include <sys/resource.h>

#include "world.h"

#define WWW "[www]\nlisten = @DIR@/www.sock\nhandler = @BIN@/handlers/hello\n"
#define QUESTION "{\"cmd\":\"status\"}\n"

static int
call(struct world *w)
{
	return client_connect(w, "run/control.sock");
}

/* Up to the end of the line, or of the connection; the caller's to free(). */
static char *
read_line(int fd)
{
	size_t len = 0, size = 1 << 20;
	char *line = malloc(size);

	cr_assert_not_null(line);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		cr_assert_eq(poll(&p, 1, 20000), 1, "no answer");
		n = read(fd, line + len, size - len - 1);
		if (n <= 0)
			break;
		len += (size_t)n;
		cr_assert_lt(len, size - 1);
		if (line[len - 1] == '\n')
			break;
	}
	line[len] = '\0';
	return line;
}

static void
expect_answer(int fd, const char *question, size_t len, const char *want)
{
	char *line;

	client_send(fd, question, len);
	line = read_line(fd);
	cr_expect(strstr(line, want), "to %.60s: no %s in %s", question, want,
		line);
	json_t *root = json_loads(line, 0, NULL);
	cr_expect(json_is_object(root), "no JSON: %s", line);
	json_decref(root);
	free(line);
}

/* All is as it was: it answers, and serves. */
static void
expect_unharmed(struct world *w)
{
	int fd = call(w);
	struct answer a = client_script(w, "www.sock", NULL, NULL);

	expect_answer(fd, QUESTION, strlen(QUESTION), "\"pool\":\"www\"");
	close(fd);
	cr_expect(a.ended);
}

TestSuite(control, .timeout = 60);

Test(control, what_is_no_question_is_answered_with_what_is_known)
{
	static const struct {
		const char *question, *want;
	} rows[] = {
		{"garbage\n", "\"commands\":[\"status\"]"},
		{"\n", "\"error\""},
		{"{}\n", "write an object with a member cmd"},
		{"[]\n", "write an object with a member cmd"},
		{"{\"cmd\":1}\n", "write an object with a member cmd"},
		{"{\"cmd\":\"rm\"}\n", "no such command"},
		{"{\"cmd\":\"status\",\"cmd\":\"status\"}\n", "duplicate"},
		{"{\"cmd\":\"status\",\"pool\":\"x\"}\n",
			"\"pools\":[\"www\"]"},
		{"{\"cmd\":\"status\",\"pool\":7}\n", "no such pool"},
		{"\xff\xfe\x1b[2J\n", "\"error\""},
		{"{\"cmd\":\"status\",\"pool\":\"www\"}\n", "\"idle processes"},
		{QUESTION, "\"took us\""},
	};
	struct world *w = world_open();
	int fd;

	world_start(w, WWW);
	fd = call(w);
	/* All on one connection, and each on its own. */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int own = call(w);

		expect_answer(fd, rows[i].question, strlen(rows[i].question),
			rows[i].want);
		expect_answer(own, rows[i].question, strlen(rows[i].question),
			rows[i].want);
		close(own);
	}
	expect_answer(fd, "{\"cmd\0\":1}\n", 11, "\"error\"");
	close(fd);
	expect_unharmed(w);
}

Test(control, a_question_in_pieces_and_many_at_once)
{
	struct world *w = world_open();
	char *line;
	int fd, i;

	world_start(w, WWW);
	fd = call(w);
	for (i = 0; i < (int)strlen(QUESTION); i++)
		client_send(fd, &QUESTION[i], 1);
	line = read_line(fd);
	cr_expect(strstr(line, "\"took us\""), "%s", line);
	free(line);
	for (i = 0; i < 50; i++)
		client_send(fd, QUESTION, strlen(QUESTION));
	/* The last one without its end. */
	client_send(fd, QUESTION, strlen(QUESTION) - 1);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	for (i = 0; i < 51;) {
		line = read_line(fd);
		cr_assert(*line, "the end after %d answers", i);
		for (char *at = line; (at = strstr(at, "\"took us\"")) != NULL;
			at++)
			i++;
		free(line);
	}
	cr_expect_eq(i, 51);
	cr_expect_eq(client_drain(fd), 0);
	close(fd);
	expect_unharmed(w);
}

Test(control, a_line_of_a_mebibyte)
{
	struct world *w = world_open();
	size_t size = 1 << 20, done = 0;
	char *line = malloc(size), *answer;
	ssize_t n = 1;
	int fd;

	world_start(w, WWW);
	cr_assert_not_null(line);
	memset(line, '[', size);
	fd = call(w);
	/* It hangs up where it has read enough. */
	for (; done < size && n > 0; done += n > 0 ? (size_t)n : 0)
		n = send(fd, line + done, size - done, MSG_NOSIGNAL);
	cr_expect_lt(done, size);
	answer = read_line(fd);
	cr_expect(!*answer || strstr(answer, "the line is too long"), "%s",
		answer);
	free(answer);
	free(line);
	close(fd);
	expect_unharmed(w);
}

/* A line that fits and is never ended; one that ends with its reader. */
Test(control, a_client_gone_in_the_middle)
{
	struct world *w = world_open();
	int i, fd;

	world_start(w, WWW);
	for (i = 0; i < 100; i++) {
		fd = call(w);
		client_send(fd, QUESTION, i % 2 ? strlen(QUESTION) : 5);
		close(fd);
	}
	expect_unharmed(w);
}

/* Sixteen are let in at once; who comes later is answered in his turn, and who
 * never reads gives way to him. */
Test(control, a_hundred_who_never_read)
{
	enum { CROWD = 100 };
	struct world *w = world_open();
	int fds[CROWD], i, fd;
	int64_t begin;

	world_start(w, WWW "pm.max_children = 40\n");
	for (i = 0; i < CROWD / 2; i++) {
		int k;

		fds[i] = call(w);
		cr_assert_eq(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
		/* More answers than its socket takes. */
		for (k = 0; k < 100; k++)
			(void)!write(fds[i], QUESTION, strlen(QUESTION));
	}
	cr_expect_leq(world_fd_count(w->pid), w->fds + 16);
	for (i = 0; i < CROWD / 2; i++)
		close(fds[i]);
	for (i = 0; i < CROWD / 2; i++)
		fds[i] = call(w);
	begin = world_now_ms();
	/* Behind fifty who are silent. */
	for (i = CROWD / 2; i < CROWD; i++)
		close(fds[i - CROWD / 2]);
	fd = call(w);
	expect_answer(fd, QUESTION, strlen(QUESTION), "\"took us\"");
	cr_expect_lt(world_now_ms() - begin, 20000);
	close(fd);
	expect_unharmed(w);
}

/* One who is let in and says nothing has ten seconds. */
Test(control, who_is_silent_is_sent_away)
{
	struct world *w = world_open();
	int silent[16], i, fd;

	if (!getenv("FCGIPM_LONG"))
		cr_skip_test("it takes ten seconds: make check-long");
	world_start(w, WWW);
	for (i = 0; i < 16; i++)
		silent[i] = call(w);
	client_send(silent[0], "{", 1);
	fd = call(w);
	expect_answer(fd, QUESTION, strlen(QUESTION), "\"took us\"");
	for (i = 0; i < 16; i++) {
		cr_expect_eq(client_drain(silent[i]), 0);
		close(silent[i]);
	}
}

/* -- while it stops -------------------------------------------------------- */

/* Who asked before is answered still. */
Test(control, a_pool_that_stops_is_told_as_it_is)
{
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"CONTENT_LENGTH=3", NULL};
	struct world *w = world_serve(
		"handler = @BIN@/handlers/upload\npm.max_children = 1\n");
	int fd, client;

	client = client_connect(w, "www.sock");
	client_begin(client, 1, 0, params);
	fd = call(w);
	expect_answer(fd, QUESTION, strlen(QUESTION),
		"\"retiring processes\":0,\"total processes\":1");
	world_signal(w, SIGTERM);
	world_expect_log(w, "stopping");
	expect_answer(fd, QUESTION, strlen(QUESTION), "\"idle processes\":0,"
		"\"active processes\":0,\"unknown processes\":0,"
		"\"starting processes\":0,\"retiring processes\":1,"
		"\"total processes\":1");
	expect_answer(fd, QUESTION, strlen(QUESTION),
		"\"state\":\"Retiring\",\"reason\":\"stop\",\"since ms\":");
	client_body(client, "abc");
	answer_expect(client_read(client), "bytes: 3");
	close(client);
	close(fd);
	cr_expect_eq(world_wait(w), 0);
}

/* -- where it is, and whose ------------------------------------------------ */

static mode_t
mode_of(const char *path)
{
	struct stat st;

	cr_assert_eq(lstat(path, &st), 0, "%s: %s", path, strerror(errno));
	cr_assert(S_ISSOCK(st.st_mode), "%s is no socket", path);
	return st.st_mode & 07777;
}

Test(control, it_is_ours_unless_the_keys_say_otherwise)
{
	struct world *w = world_open();

	world_start(w, WWW);
	cr_expect_eq(mode_of(world_path(w, "run/control.sock")), 0600);
	world_stop(w);
	cr_expect_eq(access(world_path(w, "run/control.sock"), F_OK), -1);
	world_start(w, "[fcgipm]\ncontrol = @DIR@/other.sock\n"
		"control.mode = 0620\n" WWW);
	cr_expect_eq(mode_of(world_path(w, "other.sock")), 0620);
	cr_expect_eq(access(world_path(w, "run/control.sock"), F_OK), -1);
	world_stop(w);
	world_start(w, "[fcgipm]\ncontrol = none\n" WWW);
	cr_expect_eq(access(world_path(w, "run/control.sock"), F_OK), -1);
}

/* What nobody wrote does not keep a pool from being served. */
Test(control, a_bad_place_is_told)
{
	struct world *w = world_open();

	cr_assert_eq(mkdir(world_path(w, "run"), 0700), 0);
	cr_assert_eq(mkdir(world_path(w, "run/control.sock"), 0700), 0);
	world_start(w, WWW);
	cr_expect(world_log_has(w, "no control socket: "));
	cr_expect(world_log_has(w, "exists and is no socket"));
	world_stop(w);
	cr_assert_eq(rmdir(world_path(w, "run/control.sock")), 0);
	cr_expect_eq(world_refused(w, "[fcgipm]\n"
		"control = @DIR@/none/control.sock\n" WWW), 71);
	cr_expect(world_log_has(w, "create its folder"));
	cr_expect_eq(world_refused(w, "[fcgipm]\ncontrol.owner = nosuch\n" WWW),
		78);
	cr_assert_eq(chmod(world_path(w, "run"), 0777), 0);
	world_start(w, WWW);
	cr_expect(world_log_has(w, "others may write there"));
	world_stop(w);
	cr_assert_eq(chmod(world_path(w, "run"), 0770), 0);
	world_start(w, WWW);
	cr_expect_eq(world_log_count(w, "others may write there"), 1,
		"its group is others");
}

/* Asks as somebody else; the command's output is the caller's to free(). */
static char *
ask_as(struct world *w, const char *ids, int *ret_code)
{
	char command[900], *out;
	const char *argv[] = {"/bin/sh", "-c", command, NULL};

	snprintf(command, sizeof(command), "cp %s/fcgipmctl ctl && chmod 755 "
		"ctl && exec setpriv %s ./ctl status -s run/control.sock",
		getenv("FCGIPM_BIN"), ids);
	*ret_code = world_run(w, argv, &out);
	return out;
}

Test(control, others_are_kept_out_or_let_in_by_their_group)
{
	static const struct {
		const char *mode, *ids;
		int code;
		const char *want;
	} rows[] = {
		{"0600", "--reuid=65534 --regid=65534 --clear-groups", 2,
			"it belongs to root"},
		{"0660", "--reuid=65534 --regid=65534 --clear-groups", 2,
			"Permission denied"},
		{"0660", "--reuid=65534 --regid=4 --clear-groups", 0,
			"www"},
		{"0660", "--reuid=65534 --regid=65534 --groups=4", 0, "www"},
	};
	struct world *w = world_open();
	char *out;
	int code;

	world_need_root();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		world_start(w, own_text("[fcgipm]\ncontrol.mode = %s\n"
			"control.group = 4\n" WWW, rows[i].mode));
		out = ask_as(w, rows[i].ids, &code);
		cr_expect_eq(code, rows[i].code, "%zu: exit status %d: %s", i,
			code, out);
		cr_expect(strstr(out, rows[i].want), "%zu: %s", i, out);
		/* A mode that somebody changed by hand opens nothing. */
		cr_assert_eq(chmod(world_path(w, "run/control.sock"), 0666), 0);
		out = ask_as(w, rows[0].ids, &code);
		cr_expect_eq(code, 4, "%zu: exit status %d: %s", i, code, out);
		cr_expect(strstr(out, "you are neither root nor"), "%s", out);
		world_stop(w);
	}
}

/* control.owner is let in by control.mode, and by nothing else. */
Test(control, an_owner_is_let_in_by_the_mode)
{
	static const char ids[] = "--reuid=65534 --regid=65534 --clear-groups";
	static const struct {
		const char *mode;
		int code;
	} rows[] = {{"0600", 0}, {"0060", 4}};
	struct world *w = world_open();
	char *out;
	int code;

	world_need_root();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		world_start(w, own_text("[fcgipm]\ncontrol.mode = %s\n"
			"control.owner = 65534\ncontrol.group = 4\n" WWW,
			rows[i].mode));
		cr_assert_eq(chmod(world_path(w, "run/control.sock"), 0666), 0);
		out = ask_as(w, ids, &code);
		cr_expect_eq(code, rows[i].code, "%s: exit status %d: %s",
			rows[i].mode, code, out);
		world_stop(w);
	}
}

/* -- without descriptors --------------------------------------------------- */

static struct rlimit
limit_of(pid_t pid, const struct rlimit *set)
{
	struct rlimit old;

	cr_assert_eq(prlimit(pid, RLIMIT_NOFILE, set, &old), 0, "%s",
		strerror(errno));
	return old;
}

/* The lowest descriptor that a process has not open. */
static rlim_t
lowest_free(pid_t pid)
{
	char path[64];
	rlim_t fd = 0;

	do {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid,
			(int)fd++);
	} while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	return fd - 1;
}

/* Microseconds that it has run for, 0 where the kernel does not say. */
static uint64_t
run_us(pid_t pid)
{
	uint64_t ns = 0;
	FILE *f;

	f = fopen(own_text("/proc/%d/schedstat", (int)pid), "re");
	if (f && fscanf(f, "%" SCNu64, &ns) != 1)
		ns = 0;
	if (f)
		fclose(f);
	return ns / 1000;
}

/* The listener stays readable as long as nobody is accepted. */
Test(control, without_descriptors_it_waits_and_answers_afterwards)
{
	struct world *w = world_open();
	struct pollfd p = {.events = POLLIN};
	struct rlimit old, low;
	uint64_t before_us;

	world_start(w, WWW);
	old = limit_of(w->pid, NULL);
	low = old;
	low.rlim_cur = lowest_free(w->pid);
	(void)limit_of(w->pid, &low);
	before_us = run_us(w->pid);
	p.fd = call(w);
	client_send(p.fd, QUESTION, strlen(QUESTION));
	cr_expect_eq(poll(&p, 1, 700), 0, "it has no descriptor for this");
	/* A loop would take what it gets, on a busy machine less than all. */
	cr_expect_lt(run_us(w->pid) - before_us, 20000,
		"it tries once a second");
	(void)limit_of(w->pid, &old);
	cr_expect_eq(poll(&p, 1, 10000), 1, "it does not try again");
	expect_answer(p.fd, "", 0, "\"took us\"");
	close(p.fd);
	expect_unharmed(w);
}
