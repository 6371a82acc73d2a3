/*
 * test_fastcgi_connections.c - tests FastCGI 1.0, sections 3.2, 3.5, 5.1, 5.5,
 * 6.3 and 6.4: connections, web servers and roles; see t/conformance.md
 */
#include "responder.h"

struct count {
	pid_t pid;
	size_t fds;
};

/* The pipes of a program are closed after END_REQUEST. */
static bool
has_fds(void *arg)
{
	const struct count *c = arg;

	return world_fd_count(c->pid) == c->fds;
}

/* A keep-alive connection serves any number of requests, and the gateway does
 * not leak meanwhile. */
Test(fastcgi, a_connection_serves_thousands_of_requests, .timeout = 300)
{
	const int rounds = getenv("FCGIPM_LONG") ? 10000 : 300;
	static const char answer[] = "Content-Type: text/plain\r\n\r\nhere\n";
	struct world *w = world_open();
	const char *params[] = {
		own_text("SCRIPT_FILENAME=%s", world_child("respond")),
		own_text("HTTP_X_FILE=%s", world_write(w, "answer", answer)),
		NULL};
	struct count count;
	int fd, i;

	world_start_cgi(w, "docroot = @T@/children", "");
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
	world_until(has_fds, &count, "only one more descriptor");
}

Test(fastcgi, a_connection_is_closed_without_keep_conn, .timeout = 60)
{
	struct world *w = responder_start("");
	int fd = client_connect(w, "www.sock");

	responder_expect_served(fd);
	client_begin(fd, 1, 0, (const char *[]){"CONTENT_LENGTH=4", NULL});
	client_body(fd, "last");
	answer_expect(client_read(fd), "[last]\n");
	cr_expect_eq(client_drain(fd), 0, "bytes after END_REQUEST");
}

Test(fastcgi, a_second_request_on_a_connection_is_refused, .timeout = 60)
{
	/* The first request is not answered before its body is complete. */
	struct world *w = world_start_script("#!/bin/sh\n"
		"body=$(cat)\n"
		"printf 'Content-Type: text/plain\\n\\n[%s]\\n' \"$body\"\n",
		"");
	int fd = client_connect(w, "www.sock");

	client_begin(fd, 1, 0, (const char *[]){"CONTENT_LENGTH=3", NULL});
	client_begin(fd, 2, 0, (const char *[]){NULL});
	/* FCGI_CANT_MPX_CONN is 1. */
	client_expect_bytes(fd, "\1\3\0\2\0\10\0\0" "\0\0\0\0\1\0\0\0", 16);
	client_record(fd, STDIN, 2, "xxx", 3, 0);
	client_record(fd, STDIN, 2, NULL, 0, 0);
	client_body(fd, "abc");
	answer_expect(client_read(fd), "[abc]\n");
}

/* Whether its body was read or not. */
Test(fastcgi, a_refused_request_keeps_its_connection, .timeout = 60)
{
	struct world *w = responder_start("cgi.max_body = 4\n");
	int fd = client_connect(w, "www.sock"), i;

	for (i = 0; i < 5; i++) {
		client_begin(fd, 1, KEEP_CONN,
			(const char *[]){"CONTENT_LENGTH=5", NULL});
		client_body(fd, "12345");
		answer_expect(client_read(fd), "Status: 413");
		responder_expect_served(fd);
	}
}

/* FCGI_WEB_SERVER_ADDRS (section 3.2); the peer of a unix socket has no
 * address. */
Test(fastcgi, only_listed_web_servers_are_served, .timeout = 60)
{
	static const struct {
		const char *list;
		bool tcp;
	} rows[] = {{"127.0.0.1", true}, {"192.0.2.1,127.0.0.1", true},
		{"192.0.2.1", false}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = responder_start(own_text(
			"env[FCGI_WEB_SERVER_ADDRS] = %s\n"
			"[tcp]\n"
			"mode = cgi\n"
			"listen = 127.0.0.1:@PORT@\n"
			"handler = @DIR@/script\n"
			"env[FCGI_WEB_SERVER_ADDRS] = %s\n",
			rows[i].list, rows[i].list));
		int fd = client_connect(w, w->tcp);

		if (rows[i].tcp)
			responder_expect_served(fd);
		else
			cr_expect_eq(client_drain(fd), 0);
		close(fd);
		fd = client_connect(w, "www.sock");
		cr_expect_eq(client_drain(fd), 0);
		close(fd);
		world_expect_log(w, "client: its address is not in "
			"FCGI_WEB_SERVER_ADDRS");
		if (!rows[i].tcp)
			world_expect_log(w, "client 127.0.0.1: its address is "
				"not in FCGI_WEB_SERVER_ADDRS");
		world_shell(w, "FCGI_WEB_SERVER_ADDRS=localhost "
			"@BIN@/fcgipm-cgi -l @DIR@/x.sock /bin/true 2>err || "
			"[ $? = 78 ]\n"
			"grep -q 'ADDRS: write addresses' err; rm err");
		world_close(&w);
	}
}

/* Every role except the two that are supported; the connection continues. */
Test(fastcgi, every_unknown_role_is_refused, .timeout = 60)
{
	static const int roles[] = {0, 3, 4, 255, 256, 257, 258, 65535};
	struct world *w = responder_start("");
	int fd = client_connect(w, "www.sock");

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		client_begin_role(fd, 7, roles[i], KEEP_CONN,
			(const char *[]){"A=b", NULL});
		client_record(fd, STDIN, 7, "body", 4, 0);
		/* FCGI_UNKNOWN_ROLE is 3. */
		client_expect_bytes(fd, "\1\3\0\7\0\10\0\0"
			"\0\0\0\0\3\0\0\0", 16);
	}
	responder_expect_served(fd);
	/* The same without FCGI_KEEP_CONN; 3 is a filter. */
	fd = client_connect(w, "www.sock");
	client_begin_role(fd, 0x0102, 3, 0, (const char *[]){NULL});
	client_expect_bytes(fd, "\1\3\1\2\0\10\0\0" "\0\0\0\0\3\0\0\0", 16);
	cr_expect_eq(client_drain(fd), 0, "not closed");
}

static struct answer
authorize(struct world *w, const char *address, const char *const *params)
{
	int fd = client_connect(w, address);
	struct answer a;

	/* No FCGI_STDIN: this role has none (section 6.3). */
	client_begin_role(fd, 1, AUTHORIZER, 0, params);
	a = client_read(fd);
	cr_expect(a.ended);
	cr_expect_eq(a.app_status, 0);
	cr_expect_eq(a.protocol_status, 0);
	close(fd);
	return a;
}

Test(fastcgi, an_authorizer_gets_no_body, .timeout = 60)
{
	struct world *w = responder_start("");

	answer_expect(authorize(w, "www.sock",
		(const char *[]){"CONTENT_LENGTH=1000", NULL}),
		"AUTHORIZER[]\n");
}

/* An unread end of FCGI_STDIN would reset the connection when it is closed. */
Test(fastcgi, an_authorizers_body_may_end_late, .timeout = 60)
{
	struct world *w = world_open();
	char byte;
	pid_t pid;
	int fd;

	world_script(w, "program", responder_script);
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

/* The decisions are the same through the gateway and through libfcgi. */
Test(fastcgi, an_authorizers_decision_is_sent, .timeout = 60)
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
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			a = authorize(w, pools[i],
				(const char *[]){bad[j], NULL});
			cr_expect_str_eq(a.out, "Status: 401 Unauthorized\r\n"
				"WWW-Authenticate: Bearer\r\n"
				"Content-Type: text/plain\r\n"
				"\r\n"
				"The token is missing or wrong.\n", "%s", bad[j]);
		}
	}
}
