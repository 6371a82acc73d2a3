/*
 * test_observe.c - observe/kernel observes workers that do not report anything
 *
 * Each program of t/children called count is started as a worker, without the
 * daemon.  The test sends the end of the body, and so decides when the request
 * ends.  As root the program runs as nobody, and a second time with
 * CAP_SYS_PTRACE dropped.
 */
#include <dirent.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "rights.h"
#include "stage.h"

static bool
holds_two(void *arg)
{
	return stage_look(arg)->connections == 2;
}

/* -- the same steps for each program -------------------------------------- */

static void
kept_connection_is_seen(struct stage *s, int c)
{
	ino_t oldest = s->worker.sample.oldest;
	int64_t since = s->worker.sample.oldest_since_ms;
	int i;

	stage_finish_request(c);
	for (i = 0; i < 20; i++) {
		const struct kernel_sample *n = stage_look(s);

		cr_assert(n->may_hold, "%s", stage_describe(s));
		cr_assert_eq(n->connections, 1, "%s", stage_describe(s));
		cr_assert_eq(n->state, KERNEL_BUSY, "%s", stage_describe(s));
		cr_assert_eq(n->oldest, oldest);
		cr_assert_eq(n->oldest_since_ms, since);
		n = kernel_check(&s->observe, &s->worker, world_now_ms());
		cr_assert(n->may_hold, "%s", stage_describe(s));
	}
	if (s->way == ACCEPTS) {
		int64_t end = world_now_ms() + 20000;

		while (!stage_look(s)->reading)
			cr_assert_lt(world_now_ms(), end, "%s", stage_describe(s));
	}
}

static void
run_steps(struct stage *s, bool keeps)
{
	const struct kernel_sample *n;
	ino_t first;
	int64_t since;
	int c;

	stage_until(s, stage_is_idle, "idle at first");
	cr_expect_eq(s->worker.sample.oldest, 0);
	cr_expect_geq(s->worker.sample.tasks, 1);
	cr_expect_eq(s->worker.sample.processes, 1, "%s", stage_describe(s));
	if (s->way == ACCEPTS)
		cr_expect_geq(s->worker.sample.accepting, 1, "%s", stage_describe(s));
	n = kernel_check(&s->observe, &s->worker, world_now_ms());
	cr_expect_eq(n->state, KERNEL_IDLE, "%s", stage_describe(s));

	c = stage_begin_request(s, keeps ? KEEP_CONN : 0);
	stage_until(s, stage_is_busy, "busy");
	first = s->worker.sample.oldest;
	since = s->worker.sample.oldest_since_ms;
	cr_expect_neq(first, 0);
	n = kernel_inspect(&s->observe, &s->worker, since + 5000);
	cr_expect_eq(n->oldest, first);
	cr_expect_eq(n->oldest_since_ms, since);
	n = kernel_check(&s->observe, &s->worker, world_now_ms());
	cr_expect_eq(n->state, KERNEL_BUSY, "%s", stage_describe(s));
	cr_expect(n->may_hold);
	if (keeps)
		kept_connection_is_seen(s, c);
	else
		stage_finish_request(c);
	close(c);
	stage_until(s, stage_is_idle, "idle again");
	c = stage_begin_request(s, 0);
	stage_until(s, stage_is_busy, "busy again");
	cr_expect_neq(s->worker.sample.oldest, first);
	stage_finish_request(c);
	close(c);
	stage_until(s, stage_is_idle, "idle at the end");
}

static void
run(const char *const *words, enum way way, bool keeps, const char *address)
{
	char *argv[4] = {NULL};
	struct stage s;
	size_t i;

	stage_open(&s, address);
	s.way = way;
	if (words[0][0] == '/')
		argv[0] = strdup(words[0]);
	else if (strcmp(words[0], "count.go") == 0)
		argv[0] = strdup(world_go(s.world, "count.go"));
	else
		argv[0] = stage_copy_child(s.world, words[0], 0755);
	for (i = 1; words[i]; i++)
		argv[i] = strdup(words[i]);
	free(stage_copy_child(s.world, "count.php", 0644));
	free(stage_copy_child(s.world, "fcgi_records.py", 0644));
	stage_start(&s, argv);
	run_steps(&s, keeps);
	if (geteuid() == 0) {
		stage_end_worker(&s);
		give_up_ptrace();
		stage_start(&s, argv);
		run_steps(&s, keeps);
		cr_expect(s.worker.sample.by_prober, "%s", stage_describe(&s));
	}
	stage_close(&s);
	for (i = 0; argv[i]; i++)
		free(argv[i]);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

TestSuite(observe, .timeout = 60);

Test(observe, a_c_program_on_a_unix_socket)
{
	run(WORDS("count"), ACCEPTS, true, "sock");
}

Test(observe, a_c_program_on_an_abstract_socket)
{
	run(WORDS("count"), ACCEPTS, true, "@");
}

Test(observe, a_c_program_on_tcp)
{
	run(WORDS("count"), ACCEPTS, true, "127.0.0.1:");
}

Test(observe, a_c_program_on_ipv6)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};

	if (fd < 0 || bind(fd, (struct sockaddr *)&in6, sizeof(in6)) < 0)
		cr_skip_test("no IPv6 here");
	close(fd);
	run(WORDS("count"), ACCEPTS, true, "[::1]:");
}

Test(observe, a_static_c_program)
{
	run(WORDS("count_static"), ACCEPTS, true, "sock");
}

Test(observe, a_c_program_with_threads)
{
	run(WORDS("count", "3"), ACCEPTS, true, "sock");
}

Test(observe, a_c_program_with_threads_on_tcp)
{
	run(WORDS("count", "3"), ACCEPTS, true, "127.0.0.1:");
}

Test(observe, perl)
{
	stage_need_file("/usr/bin/perl", "perl");
	run(WORDS("count.pl"), ACCEPTS, true, "sock");
}

Test(observe, php)
{
	stage_need_file("/usr/bin/php-cgi", "php-cgi");
	run(WORDS("/usr/bin/php-cgi"), ACCEPTS, true, "sock");
}

Test(observe, php_on_tcp)
{
	stage_need_file("/usr/bin/php-cgi", "php-cgi");
	run(WORDS("/usr/bin/php-cgi"), ACCEPTS, true, "127.0.0.1:");
}

Test(observe, python)
{
	stage_need_file("/usr/bin/python3", "python3");
	run(WORDS("count.py"), ACCEPTS, true, "sock");
}

Test(observe, python_asyncio)
{
	stage_need_file("/usr/bin/python3", "python3");
	run(WORDS("count_async.py"), POLLS, true, "sock");
}

Test(observe, python_asyncio_on_tcp)
{
	stage_need_file("/usr/bin/python3", "python3");
	run(WORDS("count_async.py"), POLLS, true, "127.0.0.1:");
}

Test(observe, node)
{
	stage_need_file("/usr/bin/node", "nodejs");
	run(WORDS("count.js"), POLLS, true, "sock");
}

/* It closes keep-alive connections itself. */
Test(observe, ruby)
{
	stage_need_file("/usr/bin/ruby", "ruby");
	stage_need_file("/usr/lib/ruby/vendor_ruby/fcgi.rb", "ruby-fcgi");
	run(WORDS("count.rb"), POLLS, false, "sock");
}

Test(observe, go)
{
	run(WORDS("count.go"), POLLS, true, "sock");
}

Test(observe, go_on_tcp)
{
	run(WORDS("count.go"), POLLS, true, "127.0.0.1:");
}

/* -- special cases -------------------------------------------------------- */

Test(observe, each_thread_and_each_connection_is_counted)
{
	struct stage s;
	int a, b;
	ino_t oldest;

	stage_open(&s, "sock");
	stage_start_child(&s, "count", "3", NULL);
	stage_until(&s, stage_is_idle, "idle");
	while (stage_look(&s)->accepting != 3)
		cr_assert_leq(s.worker.sample.accepting, 3);
	cr_expect_eq(s.worker.sample.tasks, 3);
	a = stage_begin_request(&s, 0);
	stage_until(&s, stage_is_busy, "busy");
	oldest = s.worker.sample.oldest;
	b = stage_begin_request(&s, 0);
	stage_until(&s, holds_two, "two connections");
	cr_expect_eq(s.worker.sample.oldest, oldest);
	while (stage_look(&s)->accepting != 1)
		cr_assert_eq(s.worker.sample.connections, 2);
	stage_finish_request(a);
	close(a);
	stage_until(&s, stage_is_busy, "one connection");
	cr_expect_neq(s.worker.sample.oldest, oldest);
	stage_finish_request(b);
	close(b);
	stage_until(&s, stage_is_idle, "idle again");
	stage_close(&s);
}

/* 200 connections to a server, 200 socket pairs, 200 datagram sockets. */
static void
ignore_foreign_sockets(const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c;
	struct stage s;
	char port[16];

	stage_need_file("/usr/bin/python3", "python3");
	cr_assert_eq(bind(server, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(listen(server, 256), 0);
	cr_assert_eq(getsockname(server, (struct sockaddr *)&in, &len), 0);
	snprintf(port, sizeof(port), "%d", ntohs(in.sin_port));
	stage_open(&s, address);
	stage_start_child(&s, "count.py", port, "200");
	stage_until(&s, stage_is_idle, "idle");
	cr_expect_geq(s.worker.nknown, 800);
	cr_expect_eq(s.worker.sample.oldest, 0);
	c = stage_begin_request(&s, KEEP_CONN);
	stage_until(&s, stage_is_busy, "busy");
	stage_finish_request(c);
	cr_expect_eq(stage_look(&s)->connections, 1);
	cr_expect(stage_look(&s)->may_hold);
	close(c);
	stage_until(&s, stage_is_idle, "idle again");
	stage_close(&s);
	close(server);
}

Test(observe, sockets_of_the_program_itself_are_not_clients)
{
	ignore_foreign_sockets("sock");
}

Test(observe, sockets_of_the_program_itself_are_not_clients_on_tcp)
{
	ignore_foreign_sockets("127.0.0.1:");
}

static void
start_wrapper(struct stage *s)
{
	char *argv[] = {NULL, NULL};

	free(stage_copy_child(s->world, "count", 0755));
	argv[0] = (char *)world_script(s->world, "wrapper",
		"#!/bin/sh\n@DIR@/count\nexit $?\n");
	stage_start(s, argv);
}

Test(observe, descendants_are_observed_with_their_worker)
{
	struct stage s;
	int c;

	stage_open(&s, "sock");
	start_wrapper(&s);
	stage_until(&s, stage_is_idle, "idle");
	cr_expect_eq(s.worker.sample.processes, 2, "%s", stage_describe(&s));
	c = stage_begin_request(&s, 0);
	stage_until(&s, stage_is_busy, "busy");
	stage_finish_request(c);
	close(c);
	stage_until(&s, stage_is_idle, "idle again");
	stage_close(&s);
}

/* Its parent does not wait for its children, like many programs. */
Test(observe, a_zombie_has_no_connections)
{
	char *argv[] = {NULL, NULL};
	struct stage s;

	stage_open(&s, "sock");
	free(stage_copy_child(s.world, "count", 0755));
	argv[0] = (char *)world_script(s.world, "wrapper",
		"#!/bin/sh\n/bin/true &\nexec @DIR@/count\n");
	stage_start(&s, argv);
	stage_until(&s, stage_is_idle, "idle");
	cr_expect_eq(s.worker.sample.processes, 2, "%s", stage_describe(&s));
	if (geteuid() == 0) {
		give_up_ptrace();
		stage_until(&s, stage_is_idle, "idle for a prober");
	}
	stage_close(&s);
}

static bool
is_stopped(void *arg)
{
	struct stage *s = arg;

	return world_proc_status(s->pid, "State")[0] == 'T';
}

Test(observe, a_stopped_worker_keeps_its_state)
{
	const struct kernel_sample *n;
	struct stage s;
	int c;

	stage_open(&s, "sock");
	stage_start_child(&s, "count", NULL, NULL);
	stage_until(&s, stage_is_idle, "idle");
	cr_assert_eq(kill(s.pid, SIGSTOP), 0);
	stage_until(&s, is_stopped, "stopped");
	n = stage_look(&s);
	cr_expect_eq(n->state, KERNEL_IDLE, "%s", stage_describe(&s));
	cr_expect_eq(n->accepting, 1, "%s", stage_describe(&s));
	cr_expect_not(n->may_hold, "%s", stage_describe(&s));
	c = stage_begin_request(&s, 0);
	n = stage_look(&s);
	cr_expect_eq(n->accepting, 1, "%s", stage_describe(&s));
	cr_expect_not(n->may_hold, "a connection that it has not accepted");
	cr_assert_eq(kill(s.pid, SIGCONT), 0);
	stage_until(&s, stage_is_busy, "busy");
	cr_assert_eq(kill(s.pid, SIGSTOP), 0);
	stage_until(&s, is_stopped, "stopped again");
	n = stage_look(&s);
	cr_expect_eq(n->state, KERNEL_BUSY, "%s", stage_describe(&s));
	cr_expect(n->may_hold, "%s", stage_describe(&s));
	cr_assert_eq(kill(s.pid, SIGCONT), 0);
	stage_finish_request(c);
	close(c);
	stage_until(&s, stage_is_idle, "idle again");
	stage_close(&s);
}

/* The kernel forgets the addresses of a reset connection, but the request still
 * runs. */
Test(observe, a_reset_connection_is_not_excluded)
{
	struct linger reset = {1, 0};
	const struct kernel_sample *n;
	struct stage s;
	int c, i;

	stage_open(&s, "127.0.0.1:");
	stage_start_child(&s, "count", NULL, NULL);
	stage_until(&s, stage_is_idle, "idle");
	c = stage_begin_request(&s, 0);
	stage_until(&s, stage_is_busy, "busy");
	cr_assert_eq(kill(s.pid, SIGSTOP), 0);
	stage_until(&s, is_stopped, "stopped");
	cr_assert_eq(setsockopt(c, SOL_SOCKET, SO_LINGER, &reset,
			     sizeof(reset)), 0);
	close(c);
	cr_expect_eq(stage_look(&s)->connections, 1, "known from before");
	/* The same for an observer without earlier samples. */
	kernel_worker_fini(&s.worker);
	kernel_worker_init(&s.worker, s.pid);
	sockdiag_set_fini(&s.observe.sockets.sets[0]);
	for (i = 0; i < 50; i++) {
		n = stage_look(&s);
		cr_expect(n->may_hold, "%s", stage_describe(&s));
		cr_expect_neq(n->state, KERNEL_IDLE, "%s", stage_describe(&s));
	}
	cr_assert_eq(kill(s.pid, SIGCONT), 0);
	stage_until(&s, stage_is_idle, "idle again");
	stage_close(&s);
}

/* A program that its user may execute but not read cannot be inspected. */
Test(observe, a_worker_that_cannot_be_inspected_is_unknown)
{
	const struct kernel_sample *n;
	struct timespec ts = {0, 1000000};
	char *argv[] = {NULL, NULL};
	struct stage s;
	int c, i;

	stage_open(&s, "sock");
	if (geteuid() == 0)
		give_up_ptrace();
	argv[0] = stage_copy_child(s.world, "count", 0111);
	stage_start(&s, argv);
	free(argv[0]);
	/* It answers, so it has passed its exec. */
	c = stage_begin_request(&s, 0);
	stage_finish_request(c);
	close(c);
	for (i = 0; i < 20; i++) {
		n = stage_look(&s);
		cr_expect_eq(n->state, KERNEL_UNKNOWN, "%s",
			stage_describe(&s));
		cr_expect(n->may_hold);
		cr_expect(n->err == EACCES || n->err == EPERM, "%s", stage_describe(&s));
		cr_expect_not_null(n->reason);
		n = kernel_check(&s.observe, &s.worker, world_now_ms());
		cr_expect_eq(n->state, KERNEL_UNKNOWN, "%s",
			stage_describe(&s));
		cr_expect(n->may_hold);
		nanosleep(&ts, NULL);
	}
	stage_close(&s);
}

Test(observe, without_netlink_a_connection_is_not_excluded)
{
	struct stage s;
	int c, fd;

	stage_open(&s, "sock");
	fd = s.diag.fd;
	s.diag.fd = -1;
	stage_start_child(&s, "count", NULL, NULL);
	stage_until(&s, stage_is_idle, "idle, without a socket");
	c = stage_begin_request(&s, 0);
	stage_until(&s, stage_is_unknown, "unknown");
	cr_expect_eq(s.worker.sample.state, KERNEL_UNKNOWN, "%s", stage_describe(&s));
	cr_expect(s.worker.sample.may_hold);
	stage_finish_request(c);
	close(c);
	stage_until(&s, stage_is_idle, "idle again");
	s.diag.fd = fd;
	stage_close(&s);
}

/* -- the listen queue ----------------------------------------------------- */

Test(observe, waiting_connections_are_counted)
{
	struct sockdiag_queue q;
	struct stage s;
	int a, b;

	stage_open(&s, "sock");
	stage_start_child(&s, "count", NULL, NULL);
	stage_until(&s, stage_is_idle, "idle");
	cr_assert_eq(kernel_read_queue(&s.observe, &q), 0);
	cr_expect_eq(q.waiting, 0);
	cr_expect_eq(q.limit, 64);
	a = stage_begin_request(&s, 0);
	stage_until(&s, stage_is_busy, "busy");
	b = stage_begin_request(&s, 0);
	cr_assert_eq(kernel_read_queue(&s.observe, &q), 0);
	cr_expect_eq(q.waiting, 1);
	stage_finish_request(a);
	close(a);
	stage_finish_request(b);
	close(b);
	stage_until(&s, stage_is_idle, "idle again");
	stage_close(&s);
}
