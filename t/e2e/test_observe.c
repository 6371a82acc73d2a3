/*
 * test_observe.c - what is seen of workers that know nothing of us
 *
 * Each program of t/children called count is started as a worker, without the
 * daemon: its body is whole when we say so, hence its request ends when we say
 * so.  As root it runs as nobody, once more with CAP_SYS_PTRACE given up.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "observe/kernel.h"
#include "rights.h"
#include "world.h"

#define NOBODY 65534
#define KEEP_CONN 1
#define STDIN 5

/* How it waits. */
enum way { ACCEPTS, POLLS };

struct stage {
	struct world *world;
	enum way way;
	struct addr addr;
	char address[64];		/* for the client */
	int fd;				/* the listener */
	pid_t pid;
	struct sockdiag diag;
	struct kernel_observer observe;
	struct kernel_worker worker;
	int client;			/* of a race */
};

/* -- the stage ------------------------------------------------------------ */

/* Into our folder, since nobody may not go everywhere. */
static char *
copy_child(struct world *w, const char *name, int mode)
{
	const char *from = world_child(name), *to = world_path(w, name);
	char *bytes = NULL;
	size_t len = 0;
	FILE *f = fopen(from, "re");
	int fd;

	cr_assert_not_null(f, "%s: %s", from, strerror(errno));
	bytes = malloc(1 << 23);
	cr_assert_not_null(bytes);
	len = fread(bytes, 1, 1 << 23, f);
	fclose(f);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	cr_assert_eq(fchmod(fd, (mode_t)mode), 0);
	close(fd);
	free(bytes);
	return strdup(to);
}

/* address	"name" in the folder, "@", or "127.0.0.1:", "[::1]:", which a
 *		number follows */
static void
stage_open(struct stage *s, const char *address)
{
	const char *why = "";
	char text[400];

	*s = (struct stage){.world = world_open(), .fd = -1};
	if (address[0] == '@')
		snprintf(s->address, sizeof(s->address), "@fcgipm-test-%d",
			(int)getpid());
	else if (strchr(address, ':'))
		snprintf(s->address, sizeof(s->address), "%s%d", address,
			s->world->port);
	else
		snprintf(s->address, sizeof(s->address), "%s", address);
	snprintf(text, sizeof(text), "%s",
		address[0] == '@' || strchr(address, ':') ?
			s->address : world_path(s->world, s->address));
	cr_assert_eq(addr_parse(text, &s->addr, &why), 0, "%s: %s", text, why);
	s->fd = socket(s->addr.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(s->fd, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&s->addr.sa, s->addr.len),
		0, "%s: %s", text, strerror(errno));
	cr_assert_eq(listen(s->fd, 64), 0);
	cr_assert_eq(sockdiag_open(&s->diag), 0, "%s", strerror(errno));
	cr_assert_eq(kernel_init(&s->observe, &s->diag, &s->fd, 1,
			     geteuid() ? geteuid() : NOBODY,
			     geteuid() ? getegid() : NOBODY), 0);
}

static void
stage_start(struct stage *s, char *const *argv)
{
	gid_t group = NOBODY;

	s->pid = fork();
	cr_assert_geq(s->pid, 0);
	if (s->pid == 0) {
		/* From here on nothing may be said: not to fail is all. */
		if (setsid() < 0 || dup2(s->fd, 0) < 0)
			_exit(126);
		if (geteuid() == 0 && (setgroups(1, &group) < 0 ||
			    setresgid(group, group, group) < 0 ||
			    setresuid(NOBODY, NOBODY, NOBODY) < 0))
			_exit(126);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(argv[0], argv);
		_exit(127);
	}
	kernel_worker_init(&s->worker, s->pid);
}

static void
stage_end_worker(struct stage *s)
{
	int status;

	kernel_worker_fini(&s->worker);
	kill(-s->pid, SIGKILL);
	kill(s->pid, SIGKILL);
	cr_assert_eq(waitpid(s->pid, &status, 0), s->pid);
}

static void
stage_close(struct stage *s)
{
	stage_end_worker(s);
	kernel_fini(&s->observe);
	sockdiag_close(&s->diag);
	close(s->fd);
	if (addr_is_path(&s->addr))
		unlink(addr_path(&s->addr));
	world_close(&s->world);
}

static const struct kernel_sample *
look(struct stage *s)
{
	return kernel_inspect(&s->observe, &s->worker, world_now_ms());
}

/* How it looks, for a test that fails. */
static const char *
tell(const struct stage *s)
{
	static char text[400];
	const struct kernel_sample *n = &s->worker.sample;

	snprintf(text, sizeof(text),
		"state %d (%s, %s): connections %d, may hold %d, tasks %u, "
		"accepting %u, processes %u, prober %d",
		(int)n->state, n->reason, strerror(n->err), n->connections,
		n->may_hold, n->tasks, n->accepting, n->processes,
		n->by_prober);
	return text;
}

static bool
is_idle(void *arg)
{
	const struct stage *s = arg;
	const struct kernel_sample *n = look(arg);

	return n->state == KERNEL_IDLE && !n->may_hold &&
		n->connections == 0 && (s->way == POLLS || n->accepting > 0);
}

static bool
is_busy(void *arg)
{
	const struct kernel_sample *n = look(arg);

	return n->state == KERNEL_BUSY && n->may_hold && n->connections == 1;
}

static bool
is_unknown(void *arg)
{
	return look(arg)->state == KERNEL_UNKNOWN;
}

static bool
holds_two(void *arg)
{
	return look(arg)->connections == 2;
}

static void
until(struct stage *s, bool (*check)(void *), const char *what)
{
	int64_t end = world_now_ms() + 20000;
	struct timespec ts = {0, 1000000};

	while (!check(s)) {
		cr_assert_lt(world_now_ms(), end, "%s in vain; %s", what,
			tell(s));
		cr_assert_neq(waitpid(s->pid, NULL, WNOHANG), s->pid,
			"the worker ended");
		nanosleep(&ts, NULL);
	}
}

/* A request whose body is not whole yet. */
static int
begin(struct stage *s, int flags)
{
	char script[400];
	const char *params[] = {"REQUEST_METHOD=POST", "CONTENT_LENGTH=5",
		"CONTENT_TYPE=text/plain", "SCRIPT_NAME=/count",
		"SERVER_PROTOCOL=HTTP/1.1", "REQUEST_URI=/count", script, NULL};
	int c = client_connect(s->world, s->address);

	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s/count.php",
		s->world->dir);
	client_begin(c, 1, flags, params);
	client_record(c, STDIN, 1, "123", 3, 0);
	return c;
}

static void
finish(int c)
{
	struct answer a;

	client_record(c, STDIN, 1, "45", 2, 0);
	client_record(c, STDIN, 1, NULL, 0, 0);
	a = client_read(c);
	answer_expect(&a, "bytes: 5\n");
	answer_free(&a);
}

/* -- the story of every program ------------------------------------------- */

static void
kept_connection_is_seen(struct stage *s, int c)
{
	ino_t oldest = s->worker.sample.oldest;
	int64_t since = s->worker.sample.oldest_since_ms;
	int i;

	finish(c);
	for (i = 0; i < 20; i++) {
		const struct kernel_sample *n = look(s);

		cr_assert(n->may_hold, "%s", tell(s));
		cr_assert_eq(n->connections, 1, "%s", tell(s));
		cr_assert_eq(n->state, KERNEL_BUSY, "%s", tell(s));
		cr_assert_eq(n->oldest, oldest);
		cr_assert_eq(n->oldest_since_ms, since);
		n = kernel_check(&s->observe, &s->worker, world_now_ms());
		cr_assert(n->may_hold, "%s", tell(s));
	}
	if (s->way == ACCEPTS) {
		int64_t end = world_now_ms() + 20000;

		while (!look(s)->reading)
			cr_assert_lt(world_now_ms(), end, "%s", tell(s));
	}
}

static void
tell_story(struct stage *s, bool keeps)
{
	const struct kernel_sample *n;
	ino_t first;
	int64_t since;
	int c;

	until(s, is_idle, "idle at first");
	cr_expect_eq(s->worker.sample.oldest, 0);
	cr_expect_geq(s->worker.sample.tasks, 1);
	cr_expect_eq(s->worker.sample.processes, 1, "%s", tell(s));
	if (s->way == ACCEPTS)
		cr_expect_geq(s->worker.sample.accepting, 1, "%s", tell(s));
	n = kernel_check(&s->observe, &s->worker, world_now_ms());
	cr_expect_eq(n->state, KERNEL_IDLE, "%s", tell(s));

	c = begin(s, keeps ? KEEP_CONN : 0);
	until(s, is_busy, "busy");
	first = s->worker.sample.oldest;
	since = s->worker.sample.oldest_since_ms;
	cr_expect_neq(first, 0);
	n = kernel_inspect(&s->observe, &s->worker, since + 5000);
	cr_expect_eq(n->oldest, first);
	cr_expect_eq(n->oldest_since_ms, since);
	n = kernel_check(&s->observe, &s->worker, world_now_ms());
	cr_expect_eq(n->state, KERNEL_BUSY, "%s", tell(s));
	cr_expect(n->may_hold);
	if (keeps)
		kept_connection_is_seen(s, c);
	else
		finish(c);
	close(c);
	until(s, is_idle, "idle again");
	c = begin(s, 0);
	until(s, is_busy, "busy again");
	cr_expect_neq(s->worker.sample.oldest, first);
	finish(c);
	close(c);
	until(s, is_idle, "idle at last");
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
		argv[0] = copy_child(s.world, words[0], 0755);
	for (i = 1; words[i]; i++)
		argv[i] = strdup(words[i]);
	free(copy_child(s.world, "count.php", 0644));
	free(copy_child(s.world, "fcgi_records.py", 0644));
	stage_start(&s, argv);
	tell_story(&s, keeps);
	if (geteuid() == 0) {
		stage_end_worker(&s);
		give_up_ptrace();
		stage_start(&s, argv);
		tell_story(&s, keeps);
		cr_expect(s.worker.sample.by_prober, "%s", tell(&s));
	}
	stage_close(&s);
	for (i = 0; argv[i]; i++)
		free(argv[i]);
}

static void
need_file(const char *path, const char *package)
{
	char text[100];

	snprintf(text, sizeof(text), "no %s (Debian: %s)", path, package);
	if (access(path, R_OK) < 0)
		cr_skip_test("%s", text);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

TestSuite(observe, .timeout = 60);

Test(observe, c_on_a_unix_socket)
{
	run(WORDS("count"), ACCEPTS, true, "sock");
}

Test(observe, c_on_an_abstract_socket)
{
	run(WORDS("count"), ACCEPTS, true, "@");
}

Test(observe, c_on_tcp)
{
	run(WORDS("count"), ACCEPTS, true, "127.0.0.1:");
}

Test(observe, c_on_tcp_version_6)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};

	if (fd < 0 || bind(fd, (struct sockaddr *)&in6, sizeof(in6)) < 0)
		cr_skip_test("no IPv6 here");
	close(fd);
	run(WORDS("count"), ACCEPTS, true, "[::1]:");
}

Test(observe, c_without_shared_libraries)
{
	run(WORDS("count_static"), ACCEPTS, true, "sock");
}

Test(observe, c_with_threads)
{
	run(WORDS("count", "3"), ACCEPTS, true, "sock");
}

Test(observe, c_with_threads_on_tcp)
{
	run(WORDS("count", "3"), ACCEPTS, true, "127.0.0.1:");
}

Test(observe, perl)
{
	need_file("/usr/bin/perl", "perl");
	run(WORDS("count.pl"), ACCEPTS, true, "sock");
}

Test(observe, php)
{
	need_file("/usr/bin/php-cgi", "php-cgi");
	run(WORDS("/usr/bin/php-cgi"), ACCEPTS, true, "sock");
}

Test(observe, php_on_tcp)
{
	need_file("/usr/bin/php-cgi", "php-cgi");
	run(WORDS("/usr/bin/php-cgi"), ACCEPTS, true, "127.0.0.1:");
}

Test(observe, python)
{
	need_file("/usr/bin/python3", "python3");
	run(WORDS("count.py"), ACCEPTS, true, "sock");
}

Test(observe, python_asyncio)
{
	need_file("/usr/bin/python3", "python3");
	run(WORDS("count_async.py"), POLLS, true, "sock");
}

Test(observe, python_asyncio_on_tcp)
{
	need_file("/usr/bin/python3", "python3");
	run(WORDS("count_async.py"), POLLS, true, "127.0.0.1:");
}

Test(observe, node)
{
	need_file("/usr/bin/node", "nodejs");
	run(WORDS("count.js"), POLLS, true, "sock");
}

/* It forgets its kept connections itself. */
Test(observe, ruby)
{
	need_file("/usr/bin/ruby", "ruby");
	need_file("/usr/lib/ruby/vendor_ruby/fcgi.rb", "ruby-fcgi");
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

/* -- what is not so plain ------------------------------------------------- */

static void
start_child(struct stage *s, const char *name, const char *arg1,
	const char *arg2)
{
	char *argv[] = {copy_child(s->world, name, 0755), (char *)arg1,
		(char *)arg2, NULL};

	free(copy_child(s->world, "fcgi_records.py", 0644));
	stage_start(s, argv);
	free(argv[0]);
}

Test(observe, each_thread_and_each_connection_counts)
{
	struct stage s;
	int a, b;
	ino_t oldest;

	stage_open(&s, "sock");
	start_child(&s, "count", "3", NULL);
	until(&s, is_idle, "idle");
	while (look(&s)->accepting != 3)
		cr_assert_leq(s.worker.sample.accepting, 3);
	cr_expect_eq(s.worker.sample.tasks, 3);
	a = begin(&s, 0);
	until(&s, is_busy, "busy");
	oldest = s.worker.sample.oldest;
	b = begin(&s, 0);
	until(&s, holds_two, "two connections");
	cr_expect_eq(s.worker.sample.oldest, oldest);
	while (look(&s)->accepting != 1)
		cr_assert_eq(s.worker.sample.connections, 2);
	finish(a);
	close(a);
	until(&s, is_busy, "one connection");
	cr_expect_neq(s.worker.sample.oldest, oldest);
	finish(b);
	close(b);
	until(&s, is_idle, "idle again");
	stage_close(&s);
}

/* 200 connections to a server, 200 pairs, 200 datagram sockets. */
static void
foreign_sockets_are_no_clients(const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c;
	struct stage s;
	char port[16];

	need_file("/usr/bin/python3", "python3");
	cr_assert_eq(bind(server, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(listen(server, 256), 0);
	cr_assert_eq(getsockname(server, (struct sockaddr *)&in, &len), 0);
	snprintf(port, sizeof(port), "%d", ntohs(in.sin_port));
	stage_open(&s, address);
	start_child(&s, "count.py", port, "200");
	until(&s, is_idle, "idle");
	cr_expect_geq(s.worker.nknown, 800);
	cr_expect_eq(s.worker.sample.oldest, 0);
	c = begin(&s, KEEP_CONN);
	until(&s, is_busy, "busy");
	finish(c);
	cr_expect_eq(look(&s)->connections, 1);
	cr_expect(look(&s)->may_hold);
	close(c);
	until(&s, is_idle, "idle again");
	stage_close(&s);
	close(server);
}

Test(observe, foreign_sockets_are_no_clients)
{
	foreign_sockets_are_no_clients("sock");
}

Test(observe, foreign_sockets_are_no_clients_on_tcp)
{
	foreign_sockets_are_no_clients("127.0.0.1:");
}

static void
start_wrapper(struct stage *s)
{
	char *argv[] = {NULL, NULL};

	free(copy_child(s->world, "count", 0755));
	argv[0] = (char *)world_script(s->world, "wrapper",
		"#!/bin/sh\n@DIR@/count\nexit $?\n");
	stage_start(s, argv);
}

Test(observe, what_a_worker_has_started_belongs_to_it)
{
	struct stage s;
	int c;

	stage_open(&s, "sock");
	start_wrapper(&s);
	until(&s, is_idle, "idle");
	cr_expect_eq(s.worker.sample.processes, 2, "%s", tell(&s));
	c = begin(&s, 0);
	until(&s, is_busy, "busy");
	finish(c);
	close(c);
	until(&s, is_idle, "idle again");
	stage_close(&s);
}

/* Its parent waits for no child, as many programs. */
Test(observe, a_zombie_holds_nothing)
{
	char *argv[] = {NULL, NULL};
	struct stage s;

	stage_open(&s, "sock");
	free(copy_child(s.world, "count", 0755));
	argv[0] = (char *)world_script(s.world, "wrapper",
		"#!/bin/sh\n/bin/true &\nexec @DIR@/count\n");
	stage_start(&s, argv);
	until(&s, is_idle, "idle");
	cr_expect_eq(s.worker.sample.processes, 2, "%s", tell(&s));
	if (geteuid() == 0) {
		give_up_ptrace();
		until(&s, is_idle, "idle for a prober");
	}
	stage_close(&s);
}

static bool
is_stopped(void *arg)
{
	struct stage *s = arg;

	return world_proc_status(s->pid, "State")[0] == 'T';
}

Test(observe, a_stopped_worker_shows_what_it_did)
{
	const struct kernel_sample *n;
	struct stage s;
	int c;

	stage_open(&s, "sock");
	start_child(&s, "count", NULL, NULL);
	until(&s, is_idle, "idle");
	cr_assert_eq(kill(s.pid, SIGSTOP), 0);
	until(&s, is_stopped, "stopped");
	n = look(&s);
	cr_expect_eq(n->state, KERNEL_IDLE, "%s", tell(&s));
	cr_expect_eq(n->accepting, 1, "%s", tell(&s));
	cr_expect_not(n->may_hold, "%s", tell(&s));
	c = begin(&s, 0);
	n = look(&s);
	cr_expect_eq(n->accepting, 1, "%s", tell(&s));
	cr_expect_not(n->may_hold, "a connection it has not taken");
	cr_assert_eq(kill(s.pid, SIGCONT), 0);
	until(&s, is_busy, "busy");
	cr_assert_eq(kill(s.pid, SIGSTOP), 0);
	until(&s, is_stopped, "stopped again");
	n = look(&s);
	cr_expect_eq(n->state, KERNEL_BUSY, "%s", tell(&s));
	cr_expect(n->may_hold, "%s", tell(&s));
	cr_assert_eq(kill(s.pid, SIGCONT), 0);
	finish(c);
	close(c);
	until(&s, is_idle, "idle again");
	stage_close(&s);
}

/* The kernel forgets whose a reset connection was; the request goes on. */
Test(observe, a_client_that_reset_is_not_excluded)
{
	struct linger reset = {1, 0};
	const struct kernel_sample *n;
	struct stage s;
	int c, i;

	stage_open(&s, "127.0.0.1:");
	start_child(&s, "count", NULL, NULL);
	until(&s, is_idle, "idle");
	c = begin(&s, 0);
	until(&s, is_busy, "busy");
	cr_assert_eq(kill(s.pid, SIGSTOP), 0);
	until(&s, is_stopped, "stopped");
	cr_assert_eq(setsockopt(c, SOL_SOCKET, SO_LINGER, &reset,
			     sizeof(reset)), 0);
	close(c);
	cr_expect_eq(look(&s)->connections, 1, "known from before");
	/* And for one that looks for the first time. */
	kernel_worker_fini(&s.worker);
	kernel_worker_init(&s.worker, s.pid);
	sockdiag_set_fini(&s.observe.sockets.sets[0]);
	for (i = 0; i < 50; i++) {
		n = look(&s);
		cr_expect(n->may_hold, "%s", tell(&s));
		cr_expect_neq(n->state, KERNEL_IDLE, "%s", tell(&s));
	}
	cr_assert_eq(kill(s.pid, SIGCONT), 0);
	until(&s, is_idle, "idle again");
	stage_close(&s);
}

/* A program that its own user may not read may not be looked at. */
Test(observe, what_nobody_may_see_is_unknown)
{
	const struct kernel_sample *n;
	struct timespec ts = {0, 1000000};
	char *argv[] = {NULL, NULL};
	struct stage s;
	int c, i;

	stage_open(&s, "sock");
	if (geteuid() == 0)
		give_up_ptrace();
	argv[0] = copy_child(s.world, "count", 0111);
	stage_start(&s, argv);
	free(argv[0]);
	/* It serves, so it is past its exec. */
	c = begin(&s, 0);
	finish(c);
	close(c);
	for (i = 0; i < 20; i++) {
		n = look(&s);
		cr_expect_eq(n->state, KERNEL_UNKNOWN, "%s", tell(&s));
		cr_expect(n->may_hold);
		cr_expect(n->err == EACCES || n->err == EPERM, "%s", tell(&s));
		cr_expect_not_null(n->reason);
		n = kernel_check(&s.observe, &s.worker, world_now_ms());
		cr_expect_eq(n->state, KERNEL_UNKNOWN, "%s", tell(&s));
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
	start_child(&s, "count", NULL, NULL);
	until(&s, is_idle, "idle, without a socket");
	c = begin(&s, 0);
	until(&s, is_unknown, "in doubt");
	cr_expect_eq(s.worker.sample.state, KERNEL_UNKNOWN, "%s", tell(&s));
	cr_expect(s.worker.sample.may_hold);
	finish(c);
	close(c);
	until(&s, is_idle, "idle again");
	s.diag.fd = fd;
	stage_close(&s);
}

/* -- limits of one sample ------------------------------------------------- */

/* Said of a worker that is unknown as well. */
static bool
is_accepting(void *arg)
{
	return look(arg)->accepting > 0;
}

/* Of 1024 sockets, 64 processes. */
static const struct {
	const char *why;
	int sockets, children;
	bool known;
} limits[] = {
	{"as many as there may be, and the listener", 1023, 0, true},
	{"one more", 1024, 0, false},
	{"many more", 1100, 0, false},
	{"a worker and its child together", 512, 1, true},
	{"one more of each", 513, 1, false},
	{"a family of 1100", 275, 3, false},
	{"64 processes", 1, 63, true},
	{"65 processes", 0, 64, false},
	{"so many that their list is cut", 0, 150, false},
};

static void
check_limits(struct stage *s, size_t i)
{
	const struct kernel_sample *n = look(s);

	if (limits[i].known) {
		cr_expect_eq(n->state, KERNEL_IDLE, "%s: %s", limits[i].why,
			tell(s));
		cr_expect_not(n->may_hold, "%s", limits[i].why);
		cr_expect_eq(n->connections, 0, "%s", limits[i].why);
		cr_expect_eq(n->processes, 1U + (unsigned)limits[i].children,
			"%s", limits[i].why);
		return;
	}
	cr_expect_eq(n->state, KERNEL_UNKNOWN, "%s: %s", limits[i].why,
		tell(s));
	cr_expect_eq(n->err, E2BIG, "%s: %s", limits[i].why, tell(s));
	cr_expect(n->may_hold, "%s", limits[i].why);
	cr_expect_eq(n->connections, -1, "%s", limits[i].why);
	cr_expect(n->waits, "%s", limits[i].why);
}

static void
more_than_fits_is_unknown(size_t i, bool by_prober)
{
	char sockets[16], children[16];
	struct stage s;

	snprintf(sockets, sizeof(sockets), "%d", limits[i].sockets);
	snprintf(children, sizeof(children), "%d", limits[i].children);
	stage_open(&s, "sock");
	start_child(&s, "many_sockets", sockets, children);
	until(&s, is_accepting, "accepting");
	/* Twice, as what is known of sockets is used then. */
	check_limits(&s, i);
	check_limits(&s, i);
	if (by_prober)
		cr_expect(s.worker.sample.by_prober, "%s", limits[i].why);
	stage_close(&s);
}

Test(observe, more_than_fits_into_a_sample_is_unknown)
{
	struct rlimit limit;
	size_t i;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 1200)
		cr_skip_test("needs 1200 descriptors (ulimit -H -n)");
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		more_than_fits_is_unknown(i, false);
}

Test(observe, more_than_fits_is_unknown_to_the_prober)
{
	size_t i;

	world_need_root();
	give_up_ptrace();
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		more_than_fits_is_unknown(i, true);
}

/* -- races ---------------------------------------------------------------- */

/* What happens when the second kind of a process's directories is first
 * read. */
static struct {
	void (*act)(void *arg);		/* NULL = nothing */
	void *arg;
	char first[16];			/* last name of the first one's path */
} between;

/* The C library's, for all of this program: lets something happen between the
 * reading of tasks and that of sockets, whichever comes first. */
ssize_t
getdents64(int fd, void *p, size_t size)
{
	void (*act)(void *) = between.act;
	char link[64], path[64];
	const char *name;
	ssize_t n;

	if (act) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = '\0';
		name = strrchr(path, '/') ? strrchr(path, '/') + 1 : "";
		if (!between.first[0]) {
			snprintf(between.first, sizeof(between.first), "%s",
				name);
		} else if (strcmp(between.first, name) != 0) {
			between.act = NULL;
			act(between.arg);
		}
	}
	return syscall(SYS_getdents64, fd, p, size);
}

static void
connect_now(void *arg)
{
	struct stage *s = arg;
	int64_t end = world_now_ms() + 20000;
	size_t before = world_fd_count(s->pid);

	s->client = begin(s, 0);
	while (world_fd_count(s->pid) == before)
		cr_assert_lt(world_now_ms(), end, "it does not accept");
}

Test(observe, a_connection_accepted_meanwhile_is_seen)
{
	struct stage s;
	int i;

	stage_open(&s, "sock");
	start_child(&s, "count", NULL, NULL);
	for (i = 0; i < 5; i++) {
		until(&s, is_idle, "idle");
		kernel_worker_close(&s.worker);
		between.first[0] = '\0';
		between.arg = &s;
		between.act = connect_now;
		(void)look(&s);
		cr_assert_null(between.act, "it was not asked");
		cr_expect_eq(s.worker.sample.connections, 1, "%s", tell(&s));
		cr_expect(s.worker.sample.may_hold, "%s", tell(&s));
		cr_expect_eq(s.worker.sample.state, KERNEL_BUSY, "%s",
			tell(&s));
		finish(s.client);
		close(s.client);
	}
	stage_close(&s);
}

/* -- the prober ----------------------------------------------------------- */

Test(observe, a_prober_that_does_not_answer_is_given_up)
{
	struct stage s;
	pid_t prober;
	int64_t start;

	world_need_root();
	stage_open(&s, "sock");
	give_up_ptrace();
	start_child(&s, "count", NULL, NULL);
	until(&s, is_idle, "idle");
	prober = s.observe.prober.pid;
	cr_assert_gt(prober, 0);
	cr_expect_str_eq(world_proc_status(prober, "Name"), "fcgipm-prober");
	cr_expect_eq(atoi(world_proc_status(prober, "Uid")), NOBODY);
	cr_assert_eq(kill(prober, SIGSTOP), 0);
	start = world_now_ms();
	cr_expect_eq(look(&s)->state, KERNEL_UNKNOWN, "%s", tell(&s));
	cr_expect(s.worker.sample.may_hold);
	cr_expect_eq(look(&s)->state, KERNEL_UNKNOWN, "%s", tell(&s));
	/* Once 100 ms, not for every question. */
	cr_expect_lt(world_now_ms() - start, 5000);
	cr_expect_eq(s.observe.prober.pid, 0);
	world_until_gone(prober);
	/* Its time has come again. */
	s.observe.prober.not_before_ms = 0;
	until(&s, is_idle, "idle, seen by another one");
	cr_expect_neq(s.observe.prober.pid, prober);
	stage_close(&s);
}

Test(observe, a_prober_ends_with_its_supervisor)
{
	struct stage s;
	pid_t supervisor, prober = 0;
	int fds[2];

	world_need_root();
	stage_open(&s, "sock");
	give_up_ptrace();
	start_child(&s, "count", NULL, NULL);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	supervisor = fork();
	cr_assert_geq(supervisor, 0);
	if (supervisor == 0) {
		/* Until it is nobody's it needs no prober. */
		while (s.observe.prober.pid == 0)
			(void)look(&s);
		(void)!write(fds[1], &s.observe.prober.pid, sizeof(pid_t));
		for (;;)
			pause();
	}
	cr_assert_eq(read(fds[0], &prober, sizeof(prober)),
		(ssize_t)sizeof(prober));
	cr_assert_gt(prober, 0);
	cr_assert(world_alive(prober));
	cr_assert_eq(kill(supervisor, SIGKILL), 0);
	cr_assert_eq(waitpid(supervisor, NULL, 0), supervisor);
	world_until_gone(prober);
	close(fds[0]);
	close(fds[1]);
	stage_close(&s);
}

/* -- queues --------------------------------------------------------------- */

Test(observe, the_queue_and_its_head)
{
	struct sockdiag_queue q;
	struct stage s;
	int a, b;

	stage_open(&s, "sock");
	start_child(&s, "count", NULL, NULL);
	until(&s, is_idle, "idle");
	cr_assert_eq(kernel_read_queue(&s.observe, &q), 0);
	cr_expect_eq(q.waiting, 0);
	cr_expect_eq(q.limit, 64);
	a = begin(&s, 0);
	until(&s, is_busy, "busy");
	b = begin(&s, 0);
	cr_assert_eq(kernel_read_queue(&s.observe, &q), 0);
	cr_expect_eq(q.waiting, 1);
	finish(a);
	close(a);
	finish(b);
	close(b);
	until(&s, is_idle, "idle again");
	stage_close(&s);
}
