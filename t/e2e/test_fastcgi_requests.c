/*
 * test_fastcgi_requests.c - FastCGI 1.0, sections 3.5 and 5.4 to 6.3: the end
 * of a request, its abort, its connection, its role; see t/conformance.md
 */
#include "world.h"

enum { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6,
	KEEP_CONN = 1, RESPONDER = 1, AUTHORIZER = 2 };

/* One program for all: it tells its number, then does what it is asked. */
static const char program[] = "#!/bin/sh\n"
	"echo $$ >@DIR@/pid.new && mv @DIR@/pid.new @DIR@/pid\n"
	"ok() { printf 'Content-Type: text/plain\\r\\n\\r\\n'; }\n"
	"case $QUERY_STRING in\n"
	"silent) exec sleep 600 ;;\n"
	"read) cat; sleep 600 ;;\n"
	"write) ok; exec cat /dev/zero ;;\n"
	"closed) ok; echo out; exec sleep 600 >&- 2>&- ;;\n"
	"exit*) ok; exit ${QUERY_STRING#exit} ;;\n"
	"kill*) ok; kill -${QUERY_STRING#kill} $$ ;;\n"
	"*) ok; echo \"$FCGI_ROLE[$(cat)]\" ;;\n"
	"esac\n";

static struct world *
start(const char *keys)
{
	return world_start_script(program, keys);
}

/* BEGIN and parameters; the program's number once it runs. */
static pid_t
begin(struct world *w, int fd, const char *how)
{
	char query[64];

	unlink(world_path(w, "pid"));
	snprintf(query, sizeof(query), "QUERY_STRING=%s", how);
	client_begin(fd, 1, KEEP_CONN,
		(const char *[]){query, "CONTENT_LENGTH=8", NULL});
	return world_read_pid(world_path(w, "pid"));
}

/* The connection is good for another request. */
static void
expect_served(int fd)
{
	struct answer a;

	client_begin(fd, 1, KEEP_CONN,
		(const char *[]){"CONTENT_LENGTH=4", NULL});
	client_record(fd, STDIN, 1, "next", 4, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	a = client_read(fd);
	answer_expect(a, "[next]\n");
	cr_expect_eq(a.protocol_status, 0);
}

/*
 * Aborts the request on fd and expects its end within a second, without a
 * byte of status page; pid is its program, 0 = none was started.
 */
static void
abort_it(int fd, pid_t pid)
{
	int64_t begun = world_now_ms();
	struct answer a;

	client_record(fd, ABORT, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect(a.ended);
	cr_expect_lt(world_now_ms() - begun, 1000);
	cr_expect_eq(a.protocol_status, 0, "FCGI_REQUEST_COMPLETE");
	cr_expect_eq(a.app_status, pid ? 128 + SIGKILL : 0, "%u",
		a.app_status);
	cr_expect_not(strstr(a.out, "Status:"), "%s", a.out);
	if (pid)
		world_until_gone(pid);
}

Test(fastcgi, abort_before_the_parameters_end, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	client_record(fd, BEGIN, 1,
		(const uint8_t[8]){0, RESPONDER, KEEP_CONN}, 8, 0);
	client_record(fd, PARAMS, 1, "\14\6QUERY_STRINGsil", 17, 0);
	abort_it(fd, 0);
	cr_expect_neq(access(world_path(w, "pid"), F_OK), 0, "it ran");
	expect_served(fd);
}

Test(fastcgi, abort_before_the_body, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	abort_it(fd, begin(w, fd, "read"));
	expect_served(fd);
}

Test(fastcgi, abort_in_the_middle_of_the_body, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");
	pid_t pid = begin(w, fd, "read");

	client_record(fd, STDIN, 1, "half", 4, 0);
	abort_it(fd, pid);
	/* The rest of it is for nobody. */
	client_record(fd, STDIN, 1, "rest", 4, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	expect_served(fd);
}

Test(fastcgi, abort_while_the_program_is_silent, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");
	pid_t pid = begin(w, fd, "silent");

	client_record(fd, STDIN, 1, "12345678", 8, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	abort_it(fd, pid);
	expect_served(fd);
}

Test(fastcgi, abort_in_the_middle_of_the_output, .timeout = 60)
{
	static struct record r;
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");
	pid_t pid = begin(w, fd, "write");

	client_record(fd, STDIN, 1, NULL, 0, 0);
	/* Some of it is there, and more than we take waits. */
	client_read_record(fd, &r);
	cr_expect_eq(r.type, STDOUT);
	client_read_record(fd, &r);
	cr_expect_eq(r.type, STDOUT);
	abort_it(fd, pid);
	expect_served(fd);
}

Test(fastcgi, abort_after_the_output_ended, .timeout = 60)
{
	static struct record r;
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");
	pid_t pid = begin(w, fd, "closed");

	client_record(fd, STDIN, 1, NULL, 0, 0);
	/* Header and "out"; it may come in two records. */
	do
		client_read_record(fd, &r);
	while (!strstr((char *)r.content, "out\n"));
	cr_expect(world_alive(pid));
	abort_it(fd, pid);
	expect_served(fd);
}

Test(fastcgi, abort_after_the_end_is_ignored, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	expect_served(fd);
	client_record(fd, ABORT, 1, NULL, 0, 0);
	expect_served(fd);
}

Test(fastcgi, an_aborted_program_may_finish, .timeout = 60)
{
	struct world *w = start("cgi.on_abort = finish\n");
	int fd = client_connect(w, "www.sock");
	pid_t pid = begin(w, fd, "read");
	struct answer a;

	client_record(fd, STDIN, 1, "half", 4, 0);
	client_record(fd, ABORT, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect(a.ended, "answered at once");
	cr_expect_eq(a.protocol_status, 0);
	cr_expect(world_alive(pid));
	expect_served(fd);
	cr_assert_eq(kill(-pid, SIGKILL), 0);
	world_until_gone(pid);
}

static struct answer
ask(struct world *w, const char *query)
{
	return client_script(w, "www.sock", NULL, query);
}

Test(fastcgi, every_exit_status_is_told, .timeout = 60)
{
	static const unsigned statuses[] = {0, 1, 2, 42, 126, 127, 128, 255};
	struct world *w = start("");
	char query[32];
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		struct answer a;

		snprintf(query, sizeof(query), "exit%u", statuses[i]);
		a = ask(w, query);
		cr_expect_eq(a.app_status, statuses[i], "%u for %u",
			a.app_status, statuses[i]);
		cr_expect_eq(a.protocol_status, 0);
	}
}

Test(fastcgi, a_signal_is_128_and_its_number, .timeout = 60)
{
	static const unsigned signals[] = {SIGHUP, SIGINT, SIGABRT, SIGKILL,
		SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1};
	struct world *w = start("rlimit_core = 0\n");
	char query[32];
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		struct answer a;

		snprintf(query, sizeof(query), "kill%u", signals[i]);
		a = ask(w, query);
		cr_expect_eq(a.app_status, 128 + signals[i], "%u for %u",
			a.app_status, signals[i]);
		cr_expect_eq(a.protocol_status, 0);
	}
}

struct count {
	pid_t pid;
	size_t fds;
};

/* A program's pipes are closed behind END_REQUEST. */
static bool
has_fds(void *arg)
{
	const struct count *c = arg;

	return world_fd_count(c->pid) == c->fds;
}

/* Its connection is the web server's: it outlives any number of requests, and
 * nothing piles up in the gateway meanwhile. */
Test(fastcgi, a_connection_may_be_kept_for_thousands, .timeout = 300)
{
	const int rounds = getenv("FCGIPM_LONG") ? 10000 : 300;
	static const char answer[] = "Content-Type: text/plain\r\n\r\nhere\n";
	struct world *w = world_open();
	char script[700], file[400];
	const char *params[] = {script, file, NULL};
	struct count count;
	int fd, i;

	world_start_cgi(w, "docroot = @T@/children", "");
	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s",
		world_child("respond"));
	snprintf(file, sizeof(file), "HTTP_X_FILE=%s",
		world_write(w, "answer", answer));
	cr_assert_eq(world_children(w->pid, &count.pid, 1), 1);
	count.fds = world_fd_count(count.pid) + 1;
	fd = client_connect(w, "www.sock");
	for (i = 0; i < rounds; i++) {
		struct answer a;

		client_begin(fd, 1 + i % 65535, KEEP_CONN, params);
		client_record(fd, STDIN, 1 + i % 65535, NULL, 0, 0);
		a = client_read(fd);
		cr_assert_str_eq(a.out, answer, "request %d", i);
		cr_assert_eq(a.app_status, 0);
	}
	world_until(has_fds, &count, "a gateway with one connection more");
}

Test(fastcgi, a_connection_is_closed_without_keep_conn, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	expect_served(fd);
	client_begin(fd, 1, 0, (const char *[]){"CONTENT_LENGTH=4", NULL});
	client_record(fd, STDIN, 1, "last", 4, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	answer_expect(client_read(fd), "[last]\n");
	cr_expect_eq(client_drain(fd), 0, "END_REQUEST is the last byte");
}

Test(fastcgi, a_second_request_on_a_connection_is_refused, .timeout = 60)
{
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");

	client_begin(fd, 1, 0, (const char *[]){"CONTENT_LENGTH=3", NULL});
	client_begin(fd, 2, 0, (const char *[]){NULL});
	/* FCGI_CANT_MPX_CONN is 1. */
	client_expect_bytes(fd, "\1\3\0\2\0\10\0\0" "\0\0\0\0\1\0\0\0", 16);
	client_record(fd, STDIN, 2, "xxx", 3, 0);
	client_record(fd, STDIN, 2, NULL, 0, 0);
	client_record(fd, STDIN, 1, "abc", 3, 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
	answer_expect(client_read(fd), "[abc]\n");
}

/* Body unread or not. */
Test(fastcgi, a_refused_request_keeps_its_connection, .timeout = 60)
{
	struct world *w = start("cgi.max_body = 4\n");
	int fd = client_connect(w, "www.sock"), i;

	for (i = 0; i < 5; i++) {
		client_begin(fd, 1, KEEP_CONN,
			(const char *[]){"CONTENT_LENGTH=5", NULL});
		client_record(fd, STDIN, 1, "12345", 5, 3);
		client_record(fd, STDIN, 1, NULL, 0, 0);
		answer_expect(client_read(fd), "Status: 413");
		expect_served(fd);
	}
}

/* FCGI_WEB_SERVER_ADDRS (section 3.2); a unix socket's peer has no address. */
Test(fastcgi, only_listed_web_servers_are_served, .timeout = 60)
{
	static const struct {
		const char *list;
		bool tcp;
	} rows[] = {{"127.0.0.1", true}, {"192.0.2.1,127.0.0.1", true},
		{"192.0.2.1", false}};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char keys[200];
		struct world *w;
		int fd;

		snprintf(keys, sizeof(keys),
			"env[FCGI_WEB_SERVER_ADDRS] = %s\n"
			"[tcp]\n"
			"mode = cgi\n"
			"listen = 127.0.0.1:@PORT@\n"
			"handler = @DIR@/script\n"
			"env[FCGI_WEB_SERVER_ADDRS] = %s\n",
			rows[i].list, rows[i].list);
		w = start(keys);
		fd = client_connect(w, w->tcp);
		if (rows[i].tcp)
			expect_served(fd);
		else
			cr_expect_eq(client_drain(fd), 0);
		close(fd);
		fd = client_connect(w, "www.sock");
		cr_expect_eq(client_drain(fd), 0);
		close(fd);
		world_expect_log(w, "not in FCGI_WEB_SERVER_ADDRS");
		world_shell(w, "FCGI_WEB_SERVER_ADDRS=localhost "
			"@BIN@/fcgipm-cgi -l @DIR@/x.sock /bin/true 2>err || "
			"[ $? = 78 ]\n"
			"grep -q 'ADDRS: write addresses' err; rm err");
		world_close(&w);
	}
}

/* Every role but the two we play: told apart, and the connection goes on. */
Test(fastcgi, every_unknown_role_is_refused, .timeout = 60)
{
	static const int roles[] = {0, 3, 4, 255, 256, 257, 258, 65535};
	static struct record r;
	struct world *w = start("");
	int fd = client_connect(w, "www.sock");
	size_t i;

	for (i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		client_begin_role(fd, 7, roles[i], KEEP_CONN,
			(const char *[]){"A=b", NULL});
		client_record(fd, STDIN, 7, "body", 4, 0);
		client_read_record(fd, &r);
		cr_expect_eq(r.type, END);
		cr_expect_eq(r.id, 7);
		cr_expect_eq(r.len, 8);
		/* FCGI_UNKNOWN_ROLE is 3. */
		cr_expect_eq(memcmp(r.content, "\0\0\0\0\3\0\0\0", 8), 0,
			"role %d", roles[i]);
	}
	expect_served(fd);
	/* And without FCGI_KEEP_CONN; 3 is a filter. */
	fd = client_connect(w, "www.sock");
	client_begin_role(fd, 0x0102, 3, 0, (const char *[]){NULL});
	client_expect_bytes(fd, "\1\3\1\2\0\10\0\0" "\0\0\0\0\3\0\0\0", 16);
	cr_expect_eq(client_drain(fd), 0, "it is closed");
}

static struct answer
authorize(struct world *w, const char *address, const char *const *params)
{
	int fd = client_connect(w, address);
	struct answer a;

	/* No FCGI_STDIN: it is no part of this role (section 6.3). */
	client_begin_role(fd, 1, AUTHORIZER, 0, params);
	a = client_read(fd);
	cr_expect(a.ended);
	cr_expect_eq(a.app_status, 0);
	cr_expect_eq(a.protocol_status, 0);
	close(fd);
	return a;
}

Test(fastcgi, an_authorizer_waits_for_no_body, .timeout = 60)
{
	struct world *w = start("");

	answer_expect(authorize(w, "www.sock",
		(const char *[]){"CONTENT_LENGTH=1000", NULL}),
		"AUTHORIZER[]\n");
}

/* Nor does it matter when the end of that comes: unread, it would make a reset
 * of the connection's end. */
Test(fastcgi, an_authorizers_body_may_end_late, .timeout = 60)
{
	struct world *w = world_open();
	char byte;
	pid_t pid;
	int fd;

	world_script(w, "program", program);
	world_start(w, "[www]\n"
		       "mode = cgi\n"
		       "listen = @PORT@\n"
		       "handler = @DIR@/program\n");
	fd = client_connect(w, w->tcp);
	client_begin_role(fd, 1, AUTHORIZER, 0,
		(const char *[]){"QUERY_STRING=silent", NULL});
	pid = world_read_pid(world_path(w, "pid"));
	client_record(fd, STDIN, 1, NULL, 0, 0);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	answer_expect(client_read(fd), "Status: 502");
	cr_expect_eq(recv(fd, &byte, 1, 0), 0, "%s", strerror(errno));
}

/* The same decisions whoever asks: a gateway, or libfcgi itself. */
Test(fastcgi, an_authorizers_decision_is_passed_on, .timeout = 60)
{
	static const char *const pools[] = {"cgi.sock", "prefork.sock"};
	static const char *const bad[] = {"X=y", "HTTP_AUTHORIZATION=",
		"HTTP_AUTHORIZATION=Bearer sesam",
		"HTTP_AUTHORIZATION=Bearer sesame2",
		"HTTP_AUTHORIZATION=Basic sesame",
		"AUTHORIZER_TOKEN=", "HTTP_AUTHORIZATION=Bearer "};
	struct world *w = world_open();
	size_t i, j;

	world_start(w, "[cgi]\n"
		       "mode = cgi\n"
		       "listen = @DIR@/%n.sock\n"
		       "handler = @BIN@/handlers/authorizer\n"
		       "env[AUTHORIZER_TOKEN] = sesame\n"
		       "[prefork]\n"
		       "listen = @DIR@/%n.sock\n"
		       "handler = @BIN@/handlers/authorizer\n"
		       "env[AUTHORIZER_TOKEN] = sesame\n");
	for (i = 0; i < 2; i++) {
		struct answer a = authorize(w, pools[i], (const char *[]){
			"HTTP_AUTHORIZATION=Bearer sesame", NULL});

		cr_expect_str_eq(a.out, "Status: 200 OK\r\n"
			"Variable-AUTH_METHOD: token\r\n"
			"Variable-AUTH_ROLE: AUTHORIZER\r\n"
			"\r\n");
		for (j = 0; j < sizeof(bad) / sizeof(*bad); j++) {
			a = authorize(w, pools[i],
				(const char *[]){bad[j], NULL});
			cr_expect_str_eq(a.out, "Status: 401 Unauthorized\r\n"
				"WWW-Authenticate: Bearer\r\n"
				"Content-Type: text/plain\r\n"
				"\r\n"
				"No entry without the token.\n", "%s", bad[j]);
		}
	}
}
