/*
 * test_serve.c - handlers in both modes, and what a worker inherits
 */
#include "conf/conf.h"
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
	answer_expect(pre, "pool: pre\n");
	answer_expect(pre, "fd 0: socket:");
	cr_expect_lt((unsigned long)answer_number(&pre, "slot"), 3);
	cr_expect_eq(answer_number(&pre, "ppid"), w->pid,
		"a worker is the supervisor's child");
	cgi = client_script(w, "cgi.sock", NULL, NULL);
	answer_expect(cgi, "pool: cgi\n");
	cr_expect_neq(answer_number(&cgi, "ppid"), w->pid,
		"a CGI program is the gateway's child");
	again = client_script(w, "cgi.sock", NULL, NULL);
	cr_expect_neq(answer_number(&again, "pid"),
		answer_number(&cgi, "pid"), "a process per request");
}

Test(serve, a_worker_has_its_socket_and_its_log_and_nothing_else,
	.timeout = 60)
{
	/* And the board, unless observe = kernel. */
	static const char *const rows[] = {"auto", "kernel"};

	for (size_t i = 0; i < 2; i++) {
		struct world *w = world_open();
		const char *line;
		struct answer a;
		int fds = 0;

		world_start(w, own_text("[pre]\n"
			"listen = @DIR@/pre.sock\n"
			"handler = @BIN@/handlers/whoami\n"
			"pm.max_age = 1h\n"
			"observe = %s\n", rows[i]));
		a = client_script(w, "pre.sock", NULL, NULL);
		answer_expect(a, "fd 1: pipe:");
		answer_expect(a, "fd 2: pipe:");
		for (line = a.out; (line = strstr(line, "\nfd ")) != NULL;
			line++)
			fds++;
		if (i == 0)
			answer_expect(a, "fd 3: /memfd:");
		cr_expect_eq(fds, i ? 4 : 6, "0 to 2, this connection, and "
			"the board with its eventfd:\n%s", a.out);
		world_close(&w);
	}
}

static bool
has_slot_2(void *arg)
{
	const struct world *w = arg;
	struct answer a = client_script(w, "www.sock", NULL, NULL);
	long slot = answer_number(&a, "slot");

	cr_expect(slot >= 0 && slot <= 2, "slot %ld of 3", slot);
	return slot == 2;
}

/* A worker knows its slot, and its replacement has the same one. */
Test(serve, slots_are_numbers_below_max_children, .timeout = 60)
{
	struct world *w = world_serve(
		"handler = @BIN@/handlers/whoami\n"
		"pm.max_children = 3\n");
	struct answer a;
	int round;
	pid_t pid;

	for (round = 0; round < 3; round++) {
		world_until(has_slot_2, w, "a worker has slot 2");
		a = client_script(w, "www.sock", NULL, NULL);
		pid = (pid_t)answer_number(&a, "pid");
		cr_assert_eq(kill(pid, SIGKILL), 0);
		/* Until it is dead it may accept one more connection. */
		world_until_gone(pid);
	}
	world_until(has_slot_2, w, "slot 2 is used again");
	world_expect_deaths(w);
}

/* The parent leaves descriptors open, standard ones closed, and signals
 * ignored.  A handler must inherit none of that. */
Test(serve, a_handler_inherits_no_descriptor_and_no_ignored_signal,
	.timeout = 60)
{
	static const char ini[] =
		"[fcgipm]\n"
		"log = @DIR@/file.log\n"
		"pid = @DIR@/pid\n"
		"[pre]\n"
		"listen = @DIR@/pre.sock\n"
		"handler = @BIN@/handlers/whoami\n"
		"[cgi]\n"
		"mode = cgi\n"
		"listen = @DIR@/cgi.sock\n"
		"docroot = @T@/children\n";
	struct world *w = world_open();
	const char *start = world_script(w, "start",
		"#!/bin/sh\n"
		"trap '' HUP INT QUIT PIPE USR1 USR2 TERM TTIN\n"
		"exec 3</etc/passwd 7</etc/passwd 9>@DIR@/junk\n"
		"exec @BIN@/fcgipm -c @DIR@/fcgipm.ini <&- >&- 2>&-\n");
	const char *argv[] = {start, NULL};
	pid_t workers[8];
	struct answer a;
	size_t n, i;

	world_write(w, "fcgipm.ini", ini);
	world_launch_argv(w, argv);
	cr_expect_eq(world_read_pid(world_path(w, "pid")), w->pid);
	a = client_script(w, "pre.sock", NULL, NULL);
	answer_expect(a, "fd 0: socket:");
	answer_expect(a, "fd 1: pipe:");
	answer_expect(a, "fd 2: pipe:");
	cr_expect_not(strstr(a.out, "passwd"), "%s", a.out);
	cr_expect_not(strstr(a.out, "junk"), "%s", a.out);
	answer_expect(client_script(w, "cgi.sock", world_child("fdlist"), NULL),
		"\r\n\r\nfd: 0\nfd: 1\nfd: 2\nleader: yes\n");
	n = world_children(w->pid, workers, 8);
	cr_expect_eq(n, 5);
	for (i = 0; i < n && i < 8; i++) {
		/* The gateway ignores some itself. */
		if (strcmp(world_proc_status(workers[i], "Name"), "whoami"))
			continue;
		cr_expect_str_eq(world_proc_status(workers[i], "SigIgn"),
			"0000000000000000");
		cr_expect_str_eq(world_proc_status(workers[i], "SigBlk"),
			"0000000000000000");
	}
	world_stop(w);
}

Test(serve, global_variables_last_as_long_as_the_process, .timeout = 60)
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
		a = client_script(w, "cgi.sock", NULL, NULL);
		cr_expect_eq(answer_number(&a, "count"), 1);
	}
}

Test(serve, a_body_is_passed_completely_in_both_modes, .timeout = 60)
{
	static char body[3 << 20];
	const char *const none[] = {NULL};
	const char *pools[] = {"pre.sock", "cgi.sock"};
	struct world *w = world_open();
	struct answer a;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 2654435761U >> 13);
	world_start(w,
		"[pre]\n"
		"listen = @DIR@/pre.sock\n"
		"handler = @BIN@/handlers/upload\n"
		"[cgi]\n"
		"mode = cgi\n"
		"listen = @DIR@/cgi.sock\n"
		"handler = @BIN@/handlers/upload\n");
	for (size_t i = 0; i < 2; i++) {
		const char *page;

		a = client_call(w, pools[i], none, body, sizeof(body));
		page = strstr(a.out, "\r\n\r\n");
		cr_assert(a.ended && page, "%s", pools[i]);
		cr_assert_gt(a.out_len, sizeof(body));
		cr_expect_eq(memcmp(page + 4, body, sizeof(body)), 0, "%s",
			pools[i]);
		cr_expect(memmem(a.out + a.out_len - 60, 60,
				  "bytes: 3145728 ", 15), "%s", pools[i]);
	}
}

Test(serve, one_gateway_serves_several_addresses, .timeout = 60)
{
	struct world *w = world_open();
	char ini[1000], name[16];
	size_t n, i;

	n = (size_t)snprintf(ini, sizeof(ini), "[cgi]\n"
		"mode = cgi\n"
		"handler = @BIN@/handlers/hello\n"
		"listen = @DIR@/0.sock");
	/* The maximum of a pool. */
	for (i = 1; i < CONF_LISTEN_MAX; i++)
		n += (size_t)snprintf(ini + n, sizeof(ini) - n,
			", @DIR@/%zu.sock", i);
	snprintf(ini + n, sizeof(ini) - n, "\n");
	world_start(w, ini);
	for (i = 0; i < CONF_LISTEN_MAX; i++) {
		snprintf(name, sizeof(name), "%zu.sock", i);
		answer_expect(client_script(w, name, NULL, NULL), "Hello");
	}
}
