/*
 * test_serve.c - one handler, both modes
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

static const char both[] =
	"[pre]\n"
	"listen = @DIR@/%n.sock\n"
	"handler = @BIN@/handlers/whoami\n"
	"pm.max_children = 3\n"
	"[cgi]\n"
	"mode = cgi\n"
	"listen = @DIR@/%n.sock\n"
	"handler = @BIN@/handlers/whoami\n";

Test(serve, the_same_handler_runs_in_both_modes, .timeout = 60)
{
	struct world *w = world_open();
	struct answer pre, cgi, again;

	world_start(w, both);
	pre = client_script(w, "pre.sock", NULL, NULL);
	answer_expect(&pre, "pool: pre\n");
	answer_expect(&pre, "fd 0: socket:");
	cr_expect_eq(answer_number(&pre, "ppid"), w->pid,
		"a worker is the supervisor's child");
	cgi = client_script(w, "cgi.sock", NULL, NULL);
	answer_expect(&cgi, "pool: cgi\n");
	cr_expect_neq(answer_number(&cgi, "ppid"), w->pid,
		"a CGI program is the gateway's child");
	again = client_script(w, "cgi.sock", NULL, NULL);
	cr_expect_neq(answer_number(&again, "pid"),
		answer_number(&cgi, "pid"), "a process per request");
	answer_free(&pre);
	answer_free(&cgi);
	answer_free(&again);
	world_close(&w);
}

Test(serve, a_worker_has_its_socket_and_its_log_and_nothing_else,
	.timeout = 60)
{
	struct world *w = world_open();
	const char *line;
	struct answer a;
	int fds = 0;

	world_start(w, both);
	a = client_script(w, "pre.sock", NULL, NULL);
	answer_expect(&a, "fd 1: pipe:");
	answer_expect(&a, "fd 2: pipe:");
	for (line = a.out; (line = strstr(line, "\nfd ")) != NULL; line++)
		fds++;
	cr_expect_eq(fds, 4, "0 to 2 and this connection:\n%s", a.out);
	answer_free(&a);
	world_close(&w);
}

Test(serve, globals_live_as_long_as_their_process, .timeout = 60)
{
	struct world *w = world_open();
	struct answer a;
	int i;

	world_start(w,
		"[pre]\n"
		"listen = @DIR@/pre.sock\n"
		"handler = @BIN@/handlers/counter\n"
		"pm.max_children = 1\n"
		"[cgi]\n"
		"mode = cgi\n"
		"listen = @DIR@/cgi.sock\n"
		"handler = @BIN@/handlers/counter\n");
	for (i = 1; i <= 5; i++) {
		a = client_script(w, "pre.sock", NULL, NULL);
		cr_expect_eq(answer_number(&a, "count"), i);
		answer_free(&a);
		a = client_script(w, "cgi.sock", NULL, NULL);
		cr_expect_eq(answer_number(&a, "count"), 1);
		answer_free(&a);
	}
	world_close(&w);
}

Test(serve, a_body_comes_back_whole_in_both_modes, .timeout = 60)
{
	static char body[3 << 20];
	const char *const none[] = {NULL};
	const char *pools[] = {"pre.sock", "cgi.sock"};
	struct world *w = world_open();
	struct answer a;
	size_t i;

	for (i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 2654435761U >> 13);
	world_start(w,
		"[pre]\n"
		"listen = @DIR@/pre.sock\n"
		"handler = @BIN@/handlers/upload\n"
		"[cgi]\n"
		"mode = cgi\n"
		"listen = @DIR@/cgi.sock\n"
		"handler = @BIN@/handlers/upload\n");
	for (i = 0; i < 2; i++) {
		const char *page;

		a = client_call(w, pools[i], none, body, sizeof(body));
		page = strstr(a.out, "\r\n\r\n");
		cr_assert(a.ended && page, "%s", pools[i]);
		cr_assert_gt(a.out_len, sizeof(body));
		cr_expect_eq(memcmp(page + 4, body, sizeof(body)), 0, "%s",
			pools[i]);
		cr_expect(memmem(a.out + a.out_len - 60, 60,
				  "bytes: 3145728 ", 15), "%s", pools[i]);
		answer_free(&a);
	}
	world_close(&w);
}

Test(serve, several_addresses_lead_to_one_gateway, .timeout = 60)
{
	struct world *w = world_open();
	struct answer a;

	world_start(w,
		"[cgi]\n"
		"mode = cgi\n"
		"listen = @DIR@/a.sock, @DIR@/b.sock, @DIR@/c.sock\n"
		"handler = @BIN@/handlers/hello\n");
	a = client_script(w, "a.sock", NULL, NULL);
	answer_expect(&a, "Hello");
	answer_free(&a);
	a = client_script(w, "b.sock", NULL, NULL);
	answer_expect(&a, "Hello");
	answer_free(&a);
	a = client_script(w, "c.sock", NULL, NULL);
	answer_expect(&a, "Hello");
	answer_free(&a);
	world_close(&w);
}
