/*
 * test_control.c - control socket: permissions, and clients that misbehave
 */
#include <inttypes.h>
#include <jansson.h>
#include <sys/resource.h>

#include "world.h"

#define WWW "[www]\nlisten = @DIR@/www.sock\nhandler = @BIN@/handlers/hello\n"
#define REQUEST "{\"cmd\":\"status\"}\n"

static int
connect_control(struct world *w)
{
	return client_connect(w, "run/control.sock");
}

/* Reads to the end of the line or of the connection; the caller frees. */
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
expect_answer(int fd, const char *request, size_t len, const char *want)
{
	char *line;

	client_send(fd, request, len);
	line = read_line(fd);
	cr_expect(strstr(line, want), "request %.60s: no %s in %s", request,
		want, line);
	json_t *root = json_loads(line, 0, NULL);
	cr_expect(json_is_object(root), "not a JSON object: %s", line);
	json_decref(root);
	free(line);
}

/* The supervisor answers and the pool serves. */
static void
expect_unharmed(struct world *w)
{
	int fd = connect_control(w);
	struct answer a = client_script(w, "www.sock", NULL, NULL);

	expect_answer(fd, REQUEST, strlen(REQUEST), "\"pool\":\"www\"");
	close(fd);
	cr_expect(a.ended);
}

TestSuite(control, .timeout = 60);

Test(control, an_invalid_request_gets_an_error_and_the_valid_names)
{
	static const struct {
		const char *request, *want;
	} rows[] = {
		{"garbage\n", "\"commands\":[\"status\"]"},
		{"\n", "\"error\""},
		{"{}\n", "missing member \\\"cmd\\\""},
		{"[]\n", "missing member \\\"cmd\\\""},
		{"{\"cmd\":1}\n", "missing member \\\"cmd\\\""},
		{"{\"cmd\":\"rm\"}\n", "unknown command"},
		{"{\"cmd\":\"status\",\"cmd\":\"status\"}\n", "duplicate"},
		{"{\"cmd\":\"status\",\"pool\":\"x\"}\n",
			"\"pools\":[\"www\"]"},
		{"{\"cmd\":\"status\",\"pool\":7}\n", "no such pool"},
		{"\xff\xfe\x1b[2J\n", "\"error\""},
		{"{\"cmd\":\"status\",\"pool\":\"www\"}\n", "\"idle processes"},
		{REQUEST, "\"took us\""},
	};
	struct world *w = world_open();
	int fd;

	world_start(w, WWW);
	fd = connect_control(w);
	/* All on one connection, and each on its own connection. */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int own = connect_control(w);

		expect_answer(fd, rows[i].request, strlen(rows[i].request),
			rows[i].want);
		expect_answer(own, rows[i].request, strlen(rows[i].request),
			rows[i].want);
		close(own);
	}
	expect_answer(fd, "{\"cmd\0\":1}\n", 11, "\"error\"");
	close(fd);
	expect_unharmed(w);
}

Test(control, a_request_may_arrive_in_pieces_and_many_together)
{
	struct world *w = world_open();
	char *line;
	int fd, i;

	world_start(w, WWW);
	fd = connect_control(w);
	for (i = 0; i < (int)strlen(REQUEST); i++)
		client_send(fd, &REQUEST[i], 1);
	line = read_line(fd);
	cr_expect(strstr(line, "\"took us\""), "%s", line);
	free(line);
	for (i = 0; i < 50; i++)
		client_send(fd, REQUEST, strlen(REQUEST));
	/* The last one without a newline. */
	client_send(fd, REQUEST, strlen(REQUEST) - 1);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	for (i = 0; i < 51;) {
		line = read_line(fd);
		cr_assert(*line, "connection closed after %d answers", i);
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

Test(control, a_line_of_1_mib_is_refused)
{
	struct world *w = world_open();
	size_t size = 1 << 20, done = 0;
	char *line = malloc(size), *answer;
	ssize_t n = 1;
	int fd;

	world_start(w, WWW);
	cr_assert_not_null(line);
	memset(line, '[', size);
	fd = connect_control(w);
	/* The supervisor closes the connection before the end. */
	for (; done < size && n > 0; done += n > 0 ? (size_t)n : 0)
		n = send(fd, line + done, size - done, MSG_NOSIGNAL);
	cr_expect_lt(done, size);
	answer = read_line(fd);
	cr_expect(!*answer || strstr(answer, "longer than 4096 bytes"), "%s",
		answer);
	free(answer);
	free(line);
	close(fd);
	expect_unharmed(w);
}

/* Half of the clients close within a line, half before they read the answer. */
Test(control, a_client_that_closes_early_does_no_harm)
{
	struct world *w = world_open();
	int i, fd;

	world_start(w, WWW);
	for (i = 0; i < 100; i++) {
		fd = connect_control(w);
		client_send(fd, REQUEST, i % 2 ? strlen(REQUEST) : 5);
		close(fd);
	}
	expect_unharmed(w);
}

/* At most 16 clients are connected.  Others wait in the listen queue until the
 * clients that do not read are closed. */
Test(control, clients_that_never_read_do_not_block_others)
{
	enum { CROWD = 100 };
	struct world *w = world_open();
	int fds[CROWD], i, fd;
	int64_t begin;

	world_start(w, WWW "pm.max_children = 40\n");
	for (i = 0; i < CROWD / 2; i++) {
		int k;

		fds[i] = connect_control(w);
		cr_assert_eq(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
		/* More answers than the socket buffer holds. */
		for (k = 0; k < 100; k++)
			(void)!write(fds[i], REQUEST, strlen(REQUEST));
	}
	cr_expect_leq(world_fd_count(w->pid), w->fds + 16);
	for (i = 0; i < CROWD / 2; i++)
		close(fds[i]);
	for (i = 0; i < CROWD / 2; i++)
		fds[i] = connect_control(w);
	begin = world_now_ms();
	/* Clients that send nothing are ahead of this one. */
	for (i = CROWD / 2; i < CROWD; i++)
		close(fds[i - CROWD / 2]);
	fd = connect_control(w);
	expect_answer(fd, REQUEST, strlen(REQUEST), "\"took us\"");
	cr_expect_lt(world_now_ms() - begin, 20000);
	close(fd);
	expect_unharmed(w);
}

Test(control, a_silent_client_is_closed_after_10_s)
{
	struct world *w = world_open();
	int silent[16], i, fd;

	if (!getenv("FCGIPM_LONG"))
		cr_skip_test("takes 10 s: run it with make check-long");
	world_start(w, WWW);
	for (i = 0; i < 16; i++)
		silent[i] = connect_control(w);
	client_send(silent[0], "{", 1);
	fd = connect_control(w);
	expect_answer(fd, REQUEST, strlen(REQUEST), "\"took us\"");
	for (i = 0; i < 16; i++) {
		cr_expect_eq(client_drain(silent[i]), 0);
		close(silent[i]);
	}
}

/* -- during a stop --------------------------------------------------------- */

/* A client that connected before the stop still gets answers. */
Test(control, a_stopping_pool_reports_its_retiring_worker)
{
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"CONTENT_LENGTH=3", NULL};
	struct world *w = world_serve(
		"handler = @BIN@/handlers/upload\npm.max_children = 1\n");
	int fd, client;

	client = client_connect(w, "www.sock");
	client_begin(client, 1, 0, params);
	fd = connect_control(w);
	expect_answer(fd, REQUEST, strlen(REQUEST),
		"\"retiring processes\":0,\"total processes\":1");
	world_signal(w, SIGTERM);
	world_expect_log(w, "stopping");
	expect_answer(fd, REQUEST, strlen(REQUEST), "\"idle processes\":0,"
		"\"active processes\":0,\"unknown processes\":0,"
		"\"starting processes\":0,\"retiring processes\":1,"
		"\"total processes\":1");
	expect_answer(fd, REQUEST, strlen(REQUEST),
		"\"state\":\"Retiring\",\"reason\":\"stop\",\"since ms\":");
	client_body(client, "abc");
	answer_expect(client_read(client), "bytes: 3");
	close(client);
	close(fd);
	cr_expect_eq(world_wait(w), 0);
}

/* -- path, owner and mode -------------------------------------------------- */

static mode_t
mode_of(const char *path)
{
	struct stat st;

	cr_assert_eq(lstat(path, &st), 0, "%s: %s", path, strerror(errno));
	cr_assert(S_ISSOCK(st.st_mode), "%s is not a socket", path);
	return st.st_mode & 07777;
}

Test(control, path_and_mode_follow_the_configuration)
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

/* A default path that cannot be used does not prevent the start. */
Test(control, an_unusable_path_is_logged)
{
	struct world *w = world_open();

	cr_assert_eq(mkdir(world_path(w, "run"), 0700), 0);
	cr_assert_eq(mkdir(world_path(w, "run/control.sock"), 0700), 0);
	world_start(w, WWW);
	cr_expect(world_log_has(w, "control socket: not available: "));
	cr_expect(world_log_has(w, "exists and is not a socket"));
	world_stop(w);
	cr_assert_eq(rmdir(world_path(w, "run/control.sock")), 0);
	cr_expect_eq(world_refused(w, "[fcgipm]\n"
		"control = @DIR@/none/control.sock\n" WWW), 71);
	cr_expect(world_log_has(w, "create its directory"));
	cr_expect_eq(world_refused(w, "[fcgipm]\ncontrol.owner = nosuch\n" WWW),
		78);
	cr_assert_eq(chmod(world_path(w, "run"), 0777), 0);
	world_start(w, WWW);
	cr_expect(world_log_has(w, "run is writable by other users"));
	world_stop(w);
	cr_assert_eq(chmod(world_path(w, "run"), 0770), 0);
	world_start(w, WWW);
	cr_expect_eq(world_log_count(w, "run is writable by other users"), 1,
		"a directory that its group can write to");
}

/* Runs fcgipmctl as another user; the caller frees its output. */
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

Test(control, another_user_needs_the_mode_and_the_group)
{
	static const struct {
		const char *mode, *ids;
		int code;
		const char *want;
	} rows[] = {
		{"0600", "--reuid=65534 --regid=65534 --clear-groups", 2,
			"its owner is root"},
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
		/* A mode changed by hand permits no other user. */
		cr_assert_eq(chmod(world_path(w, "run/control.sock"), 0666), 0);
		out = ask_as(w, rows[0].ids, &code);
		cr_expect_eq(code, 4, "%zu: exit status %d: %s", i, code, out);
		cr_expect(strstr(out, "permission denied: only root"), "%s",
			out);
		world_stop(w);
	}
}

Test(control, the_owner_needs_the_mode)
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

/* The lowest descriptor number that a process does not use. */
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

/* CPU time of a process in microseconds; 0 = the kernel does not show it. */
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

/* The listening socket stays readable while a connection is not accepted. */
Test(control, without_free_descriptors_a_client_waits_and_is_answered_later)
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
	p.fd = connect_control(w);
	client_send(p.fd, REQUEST, strlen(REQUEST));
	cr_expect_eq(poll(&p, 1, 700), 0, "answered without a free descriptor");
	/* A busy loop would take all the CPU time it can get. */
	cr_expect_lt(run_us(w->pid) - before_us, 20000,
		"more than one attempt in a second");
	(void)limit_of(w->pid, &old);
	cr_expect_eq(poll(&p, 1, 10000), 1, "no answer with a free descriptor");
	expect_answer(p.fd, "", 0, "\"took us\"");
	close(p.fd);
	expect_unharmed(w);
}
