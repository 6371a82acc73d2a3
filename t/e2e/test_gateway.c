/*
 * test_gateway.c - runs CGI programs through the gateway: their input and
 * output, their exit, and how many run at once
 */
#include "world.h"

/* A pool that runs the badly behaved children, with these keys. */
static struct world *
start_children(const char *keys)
{
	struct world *w = world_open();

	world_start(w, own_text("[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock, 127.0.0.1:@PORT@\n"
		"docroot = @T@/children\n%s", keys));
	return w;
}

static struct answer
misbehave(struct world *w, const char *how)
{
	return client_script(w, "www.sock", world_child("misbehave.sh"), how);
}

/* Begins a request whose program writes its PID to the file "pid". */
static int
begin_misbehaving(struct world *w, const char *address, const char *how,
	int flags, pid_t *ret_pid)
{
	char file[700], query[100];
	const char *params[] = {file, query,
		own_text("HTTP_X_PIDFILE=%s", world_path(w, "pid")), NULL};
	int fd = client_connect(w, address);

	unlink(world_path(w, "pid"));
	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s",
		world_child("misbehave.sh"));
	snprintf(query, sizeof(query), "QUERY_STRING=%s", how);
	client_ask(fd, flags, params);
	*ret_pid = world_read_pid(world_path(w, "pid"));
	return fd;
}

static void
expect_served(struct world *w)
{
	struct answer a = client_script(w, "www.sock", world_child("fdlist"),
		NULL);

	answer_expect(a, "fd: 0\n");
	cr_expect_eq(a.app_status, 0);
}

Test(gateway, a_program_gets_three_descriptors_and_its_own_group, .timeout = 60)
{
	struct world *w = start_children("");
	struct answer a = client_script(w, "www.sock", world_child("fdlist"),
		NULL);
	char cwd[700];

	answer_expect(a, "\r\n\r\nfd: 0\nfd: 1\nfd: 2\nleader: yes\n");
	snprintf(cwd, sizeof(cwd), "cwd: %s", world_child("fdlist"));
	*strrchr(cwd, '/') = '\0';
	answer_expect(a, strcat(cwd, "\n"));
	answer_expect(a, "argc: 1\n");
}

/* fcgiwrap and uWSGI send the whole body first, and wait indefinitely. */
Test(gateway, a_program_may_write_before_it_reads, .timeout = 60)
{
	static char body[1 << 20];
	struct world *w = start_children("");
	char file[700];
	const char *params[] = {file, NULL};
	struct answer a;

	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s",
		world_child("write_first"));
	a = client_call(w, "www.sock", params, body, sizeof(body));
	answer_expect(a, "\nread: 1048576\n");
	cr_expect_gt(a.out_len, 1 << 20);
	cr_expect_lt(a.seconds, 1.0, "%.3f s", a.seconds);
}

Test(gateway, no_more_than_content_length_reaches_a_program, .timeout = 60)
{
	struct world *w = world_start_script("#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
		"echo \"<$(cat)>\"\n", "");
	static const struct {
		const char *length, *want;
	} rows[] = {{"CONTENT_LENGTH=5", "<12345>"},
		{"CONTENT_LENGTH=0", "<>"}, {"CONTENT_LENGTH=", "<>"},
		{"X=", "<>"}, {"CONTENT_LENGTH=8", "<12345678>"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *params[] = {rows[i].length, NULL};
		int fd = client_connect(w, "www.sock");

		client_begin(fd, 1, 0, params);
		client_record(fd, 5, 1, "1234", 4, 4);
		client_body(fd, "5678");
		answer_expect(client_read(fd), rows[i].want);
		close(fd);
	}
}

Test(gateway, output_is_sent_while_the_program_runs, .timeout = 60)
{
	struct world *w = world_start_script("#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\nfirst\\n'\n"
		"while [ ! -e @DIR@/go ]; do sleep 0.02; done\n"
		"echo second\n", "");
	const char *none[] = {NULL};
	int fd = client_connect(w, "www.sock");
	uint8_t begin[8 + 32];

	client_ask(fd, 0, none);
	/* "Content-Type: text/plain", two line ends, "first": 34 bytes. */
	memcpy(begin, "\1\6\0\1\0\42", 6);
	client_expect_bytes(fd, begin, 6);
	world_write(w, "go", "");
	/* The rest is parsed from the padding byte on: only its length
	 * matters. */
	cr_expect_gt(client_drain(fd), 34 + 2);
	close(fd);
	answer_expect(client_script(w, "www.sock", NULL, NULL),
		"first\nsecond\n");
}

/* Output is held for two milliseconds.  A program that does not get the CPU
 * between its last byte and its exit may take longer. */
Test(gateway, the_end_is_sent_with_the_last_output, .timeout = 60)
{
	struct world *w = start_children("");
	int together = 0, i;

	for (i = 0; i < 50; i++) {
		struct answer a = misbehave(w, "status");

		cr_assert(a.ended);
		together += a.end_with_output;
	}
	cr_expect_gt(together, 25, "only %d of 50", together);
}

static void
check_disconnect(struct world *w, const char *address)
{
	int64_t begin;
	pid_t pid;
	int fd = begin_misbehaving(w, address, "stubborn", 0, &pid);

	begin = world_now_ms();
	close(fd);
	world_until_gone(pid);
	cr_expect_lt(world_now_ms() - begin, 1000, "%s", address);
	/* A program that has written nothing at all. */
	fd = begin_misbehaving(w, address, "silent", 0, &pid);
	begin = world_now_ms();
	close(fd);
	world_until_gone(pid);
	cr_expect_lt(world_now_ms() - begin, 1000, "%s", address);
}

Test(gateway, a_disconnect_kills_the_program, .timeout = 60)
{
	struct world *w = start_children("");

	check_disconnect(w, "www.sock");
	check_disconnect(w, w->tcp);
	expect_served(w);
}

Test(gateway, on_abort_finish_lets_the_program_finish, .timeout = 60)
{
	struct world *w = world_start_script("#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
		"echo >@DIR@/begun\n"
		"while [ ! -e @DIR@/go ]; do sleep 0.02; done\n"
		"head -c 1000000 /dev/zero\n"
		"echo >@DIR@/done\n", "cgi.on_abort = finish\n");
	const char *none[] = {NULL};
	int fd = client_connect(w, "www.sock");

	client_ask(fd, 0, none);
	world_until(world_exists, (void *)world_path(w, "begun"),
		"the program starts");
	close(fd);
	world_write(w, "go", "");
	world_until(world_exists, (void *)world_path(w, "done"),
		"the program finishes");
}

/* The client leaves before the body is complete: the program reads its end. */
Test(gateway, on_abort_finish_closes_the_input, .timeout = 60)
{
	struct world *w = world_start_script("#!/bin/sh\n"
		"echo >@DIR@/begun\n"
		"cat >@DIR@/body\n"
		"mv @DIR@/body @DIR@/done\n", "cgi.on_abort = finish\n");
	const char *params[] = {"CONTENT_LENGTH=100", NULL};
	int fd = client_connect(w, "www.sock");

	client_begin(fd, 1, 0, params);
	client_record(fd, 5, 1, "1234567890", 10, 0);
	world_until(world_exists, (void *)world_path(w, "begun"),
		"the program starts");
	close(fd);
	world_until(world_exists, (void *)world_path(w, "done"),
		"the program finishes");
	world_close(&w);
}

Test(gateway, at_most_max_children_programs_run, .timeout = 60)
{
	struct world *w = world_start_script(client_crowd_script,
		"pm.max_children = 3\n");
	long most = client_crowd(w, "www.sock");

	cr_expect_leq(most, 3);
	cr_expect_geq(most, 2, "programs do not run at the same time");
}

/* The requests after it in the queue are served. */
Test(gateway, a_client_may_leave_while_its_request_waits, .timeout = 60)
{
	struct world *w = start_children("pm.max_children = 1\n");
	const char *params[] = {
		own_text("SCRIPT_FILENAME=%s", world_child("fdlist")), NULL};
	int fds[3], first;
	pid_t pid;

	first = begin_misbehaving(w, "www.sock", "silent", 0, &pid);
	for (int i = 0; i < 3; i++) {
		fds[i] = client_connect(w, "www.sock");
		client_ask(fds[i], 0, params);
	}
	close(fds[0]);
	client_record(fds[1], 2, 1, NULL, 0, 0);
	close(first);
	cr_expect(client_read(fds[1]).ended);
	answer_expect(client_read(fds[2]), "fd: 0\n");
}

/* Sends a request and its FCGI_ABORT_REQUEST in one piece. */
static int
begin_and_abort(struct world *w, const char *const *params)
{
	static const uint8_t abort_record[8] = {1, 2, 0, 1};
	uint8_t wire[1000];
	size_t n = client_put_request(wire, sizeof(wire) - 8, 0, params, "", 0);
	int fd = client_connect(w, "www.sock");

	memcpy(wire + n, abort_record, 8);
	client_send(fd, wire, n + 8);
	return fd;
}

/* All places are taken, so the request is queued and aborted within one read.
 * The requests before and after it are served. */
Test(gateway, a_request_may_be_aborted_while_it_is_queued, .timeout = 60)
{
	struct world *w = start_children("pm.max_children = 1\n"
		"queue_timeout = 50s\n");
	const char *params[] = {
		own_text("SCRIPT_FILENAME=%s", world_child("fdlist")), NULL};
	struct answer a;
	int fds[5], first, i;
	pid_t pid;

	first = begin_misbehaving(w, "www.sock", "silent", 0, &pid);
	for (i = 0; i < 5; i++) {
		if (i % 2) {
			fds[i] = client_connect(w, "www.sock");
			client_ask(fds[i], 0, params);
			continue;
		}
		fds[i] = begin_and_abort(w, params);
		a = client_read(fds[i]);
		cr_expect(a.ended, "no END_REQUEST for an aborted request");
		cr_expect_eq(a.out_len, 0);
	}
	close(first);
	for (i = 0; i < 5; i++) {
		if (i % 2)
			answer_expect(client_read(fds[i]), "fd: 0\n");
		close(fds[i]);
	}
	expect_served(w);
}

Test(gateway, a_background_child_does_not_delay_the_response, .timeout = 60)
{
	struct world *w = start_children("cgi.linger = 300ms\n");
	struct answer a;
	pid_t pid, bg;
	int fd;

	fd = begin_misbehaving(w, "www.sock", "background", 0, &pid);
	a = client_read(fd);
	answer_expect(a, "out\n");
	cr_expect_geq(a.seconds, 0.2, "ended before cgi.linger");
	cr_expect_lt(a.seconds, 5.0, "ended long after cgi.linger");
	bg = world_read_pid(world_path(w, "pid.bg"));
	cr_expect(world_alive(bg), "the background child was killed");
	kill(bg, SIGKILL);
}

Test(gateway, an_idle_program_is_killed_with_504, .timeout = 60)
{
	struct world *w = start_children("cgi.idle_timeout = 300ms\n");
	pid_t pid;
	int fd;

	fd = begin_misbehaving(w, "www.sock", "silent", 0, &pid);
	answer_expect(client_read(fd), "Status: 504");
	world_until_gone(pid);
	world_expect_log(w, "misbehave.sh: 504: no input or output for 0.3 s "
		"(cgi.idle_timeout); killed; raise it if the program needs "
		"longer");
	close(fd);
	expect_served(w);
}

/* The process that wrote its PID to "pid" ignores TERM and is killed later;
 * outlives: after its client has got the response. */
static void
check_504(struct world *w, bool outlives)
{
	const char *none[] = {NULL};
	int fd = client_connect(w, "www.sock");
	pid_t pid;

	client_ask(fd, 0, none);
	pid = world_read_pid(world_path(w, "pid"));
	answer_expect(client_read(fd), "Status: 504");
	cr_expect(!outlives || world_alive(pid), "TERM was not ignored");
	world_until_gone(pid);
	close(fd);
	world_close(&w);
}

/* It gets TERM first and KILL two seconds later. */
Test(gateway, a_program_that_ignores_term_is_killed_after_504, .timeout = 60)
{
	struct world *w = world_start_script("#!/bin/sh\n"
		"trap '' TERM\n"
		"echo $$ >@DIR@/pid.new && mv @DIR@/pid.new @DIR@/pid\n"
		"while :; do sleep 0.1; done\n",
		"cgi.idle_timeout = 200ms\n");

	check_504(w, true);
}

/* A process of the group that ignores TERM is killed when the program exits. */
Test(gateway, a_timeout_kills_the_whole_process_group, .timeout = 60)
{
	struct world *w = world_start_script("#!/bin/sh\n"
		"sh -c 'trap \"\" TERM\n"
		"echo $$ >@DIR@/pid.new && mv @DIR@/pid.new @DIR@/pid\n"
		"while :; do sleep 0.1; done' >/dev/null 2>&1 &\n"
		"wait\n",
		"cgi.idle_timeout = 200ms\n");

	check_504(w, false);
}

#ifdef __SANITIZE_ADDRESS__
#define SLOW_READER_KIB 16384 /* ASan delays freeing memory */
#else
#define SLOW_READER_KIB 2048
#endif

/* The gateway buffers a bounded part of the response, not all of it. */
Test(gateway, memory_is_bounded_when_a_client_reads_slowly, .timeout = 60)
{
	struct world *w = start_children("");
	size_t total = 64 << 20;
	char file[700], query[64];
	const char *params[] = {file, query, NULL};
	struct pollfd p = {.events = POLLIN};
	long before, after;
	pid_t gateway;
	size_t got;

	expect_served(w);
	cr_assert_eq(world_children(w->pid, &gateway, 1), 1);
	before = strtol(world_proc_status(gateway, "VmHWM"), NULL, 10);
	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s",
		world_child("big"));
	snprintf(query, sizeof(query), "QUERY_STRING=%zu", total);
	p.fd = client_connect(w, "www.sock");
	client_begin(p.fd, 1, 0, params);
	client_record(p.fd, 5, 1, NULL, 0, 0);
	cr_assert_eq(poll(&p, 1, 20000), 1);
	/* Other clients are served meanwhile. */
	expect_served(w);
	expect_served(w);
	got = client_drain(p.fd);
	after = strtol(world_proc_status(gateway, "VmHWM"), NULL, 10);
	cr_expect_gt(got, total);
	cr_expect_lt(after - before, SLOW_READER_KIB, "%ld KiB more",
		after - before);
	close(p.fd);
}

Test(gateway, dangerous_variables_are_dropped, .timeout = 60)
{
	static const char *const params[] = {"HTTP_PROXY=http://evil/",
		"LD_PRELOAD=/tmp/evil.so", "PATH=/tmp", "BASH_ENV=/tmp/x",
		"BASH_FUNC_ls%%=() { evil; }", "PERL5LIB=/tmp",
		"PYTHONPATH=/tmp", "IFS=/", "1BAD=x", "BAD-NAME=x", "=x",
		"GIT_PROJECT_ROOT=/srv/git", "REMOTE_USER=me",
		"HTTP_X_Y=fine", "CONTENT_LENGTH=", "FCGIPM_POOL=fake",
		"RUBYOPT=-rx", "ONE=client", NULL};
	static const char *const bad[] = {"evil", "/tmp", "IFS", "BAD",
		"fake", "RUBYOPT", "CONTENT_LENGTH", "ONE=client"};
	struct world *w = world_start_script("#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
		"env | grep -v '^PWD='\n",
		"env[ONE] = ours\n"
		"cgi.allow_env = RUBYLIB\n");
	struct answer a = client_call(w, "www.sock", params, NULL, 0);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(strstr(a.out, bad[i]), "%s in:\n%s", bad[i],
			a.out);
	answer_expect(a, "GIT_PROJECT_ROOT=/srv/git\n");
	answer_expect(a, "REMOTE_USER=me\n");
	answer_expect(a, "HTTP_X_Y=fine\n");
	answer_expect(a, "FCGIPM_POOL=www\n");
	answer_expect(a, "ONE=ours\n");
	answer_expect(a, "GATEWAY_INTERFACE=CGI/1.1\n");
	answer_expect(client_call(w, "www.sock",
		(const char *[]){"RUBYLIB=/opt/lib", NULL}, NULL, 0),
		"RUBYLIB=/opt/lib\n");
}

/* As a replacement of fcgiwrap. */
Test(gateway, it_runs_without_a_supervisor, .timeout = 60)
{
	struct world *w = world_open();
	const char *sock = world_path(w, "www.sock");
	const char *docroot = world_child("");
	const char *handler = world_child("fdlist");
	const char *directory[] = {"fcgipm-cgi", "-l", sock, "-d", docroot,
		"-j", "2", NULL};
	const char *one[] = {"fcgipm-cgi", "-l", sock, handler, NULL};

	world_launch_argv(w, directory);
	world_expect_log(w, own_text("ready: listening on %s, at most 2 "
		"programs at once", sock));
	expect_served(w);
	answer_expect(client_script(w, "www.sock", "/bin/ls", NULL),
		"Status: 403");
	world_stop(w);
	world_launch_argv(w, one);
	world_expect_log(w, "ready: ");
	answer_expect(client_script(w, "www.sock", NULL, NULL),
		"fd: 2\nleader: yes\n");
	world_stop(w);
}

/* Starts a daemon that may open only limit files; returns its gateway too. */
static struct world *
start_with_few_files(const char *limit, pid_t *ret_gateway)
{
	struct world *w = world_open();

	world_write(w, "fcgipm.ini",
		"[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"docroot = @T@/children\n");
	{
		const char *script = world_script(w, "start",
			"#!/bin/sh\nulimit -n $1\n"
			"exec @BIN@/fcgipm -c @DIR@/fcgipm.ini\n");
		const char *argv[] = {script, limit, NULL};

		world_launch_argv(w, argv);
	}
	world_expect_log(w, "ready: ");
	cr_assert_eq(world_children(w->pid, ret_gateway, 1), 1);
	return w;
}

Test(gateway, connections_wait_when_descriptors_run_out, .timeout = 60)
{
	const char *params[] = {
		own_text("SCRIPT_FILENAME=%s", world_child("fdlist")), NULL};
	int fds[80], i;
	pid_t gateway, now;
	struct world *w = start_with_few_files("40", &gateway);

	/* Silent connections use up all descriptors. */
	for (i = 0; i < 80; i++)
		fds[i] = client_connect(w, "www.sock");
	world_expect_log(w, "limit of open files: reached with ");
	for (i = 0; i < 40; i++)
		close(fds[i]);
	for (; i < 80; i++) {
		struct answer a;

		a = client_get(fds[i], 0, params);
		cr_expect(a.ended, "connection %d", i);
		close(fds[i]);
	}
	expect_served(w);
	cr_assert_eq(world_children(w->pid, &now, 1), 1);
	cr_expect_eq(now, gateway, "another gateway process");
}

struct fd_count {
	pid_t pid;
	size_t want;
};

static bool
has_fds(void *arg)
{
	const struct fd_count *c = arg;

	return world_fd_count(c->pid) >= c->want;
}

/*
 * Programs exit, and unread output stays in their pipes.  These descriptors are
 * missing for further programs, which wait; no request is answered 503.
 */
Test(gateway, unread_responses_make_programs_wait, .timeout = 60)
{
	char file[700];
	const char *params[] = {file, "QUERY_STRING=big=250000", NULL};
	int fds[20], i;
	struct answer a;
	pid_t gateway;
	struct world *w = start_with_few_files("64", &gateway);
	struct fd_count few = {gateway, 20};

	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s",
		world_child("stream"));
	few.want += world_fd_count(gateway);
	for (i = 0; i < 20; i++)
		fds[i] = client_connect(w, "www.sock");
	/* All are accepted before the first program starts. */
	world_until(has_fds, &few, "20 connections");
	for (i = 0; i < 20; i++) {
		client_begin(fds[i], 1, 0, params);
		client_record(fds[i], 5, 1, NULL, 0, 0);
	}
	for (i = 0; i < 20; i++) {
		a = client_read(fds[i]);
		cr_expect(a.ended && a.out_len == 28 + 250000,
			"client %d: %zu bytes, %.100s", i, a.out_len, a.out);
		close(fds[i]);
	}
	expect_served(w);
	world_close(&w);
}
