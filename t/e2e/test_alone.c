/*
 * test_alone.c - tests the gateway without a supervisor, as a replacement of
 * fcgiwrap: its sockets, the programs it may run, and its exit
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/un.h>
#include <time.h>

#include "hostile.h"
#include "world.h"

#define USAGE 64
#define SYSTEM 71

/* A socket at a path in the directory, which the launched program inherits. */
static int
bind_at(const struct world *w, const char *name)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), high;

	snprintf(un.sun_path, sizeof(un.sun_path), "%.*s/%.*s", 80, w->dir, 24,
		name);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	/* Above the descriptors it is duplicated to. */
	high = fcntl(fd, F_DUPFD, 20);
	cr_assert_geq(high, 20);
	close(fd);
	return high;
}

static int
listen_at(const struct world *w, const char *name)
{
	int fd = bind_at(w, name);

	cr_assert_eq(listen(fd, 16), 0);
	return fd;
}

/* Closes and removes a socket that the gateway must not have removed. */
static void
forget(const struct world *w, int fd, const char *name)
{
	close(fd);
	cr_expect_eq(unlink(world_path(w, name)), 0, "%s was removed",
		name);
}

/* Passes fd as descriptor first, and second, unless it is -1, as the next. */
static void
launch(struct world *w, const char *first, int fd, int second,
	const char *more, const char *value)
{
	char one[16], two[16];
	const char *argv[14] = {world_child("activate"), first};
	size_t n = 2;

	snprintf(one, sizeof(one), "%d", fd);
	snprintf(two, sizeof(two), "%d", second);
	argv[n++] = one;
	if (second >= 0)
		argv[n++] = two;
	argv[n++] = "--";
	argv[n++] = world_program("fcgipm-cgi");
	if (more)
		argv[n++] = more;
	if (value)
		argv[n++] = value;
	argv[n++] = "-d";
	argv[n++] = "/";
	world_launch_argv(w, argv);
}

static void
run_gateway(struct world *w, const char *const *argv)
{
	world_launch_argv(w, argv);
	world_expect_log(w, "ready: ");
}

/* The program has its three descriptors and no others. */
static void
expect_served(struct world *w, const char *address)
{
	struct answer a = client_script(w, address, world_child("fdlist"),
		NULL);

	answer_expect(a, "\r\n\r\nfd: 0\nfd: 1\nfd: 2\nleader: yes\n");
	cr_expect_eq(a.app_status, 0);
}

static void
expect_forbidden(struct world *w, const char *address, const char *script)
{
	answer_expect(client_script(w, address, script, NULL), "Status: 403");
}

static void
expect_refused(struct world *w, const char *const *argv, int code,
	const char *why)
{
	char *out;

	cr_expect_eq(world_run(w, argv, &out), code, "%s", out);
	cr_expect(strstr(out, why), "no \"%s\" in: %s", why, out);
}

/* FastCGI 1.0, section 2.2: what spawn-fcgi and inetd's wait do. */
Test(alone, descriptor_0_is_the_listening_socket, .timeout = 60)
{
	struct world *w = world_open();
	int fd = listen_at(w, "s");

	launch(w, "0", fd, -1, NULL, NULL);
	world_expect_log(w, "ready: listening on descriptor 0, at most 32 "
		"programs at once");
	expect_served(w, "s");
	world_stop(w);
	forget(w, fd, "s");
}

/* Connections that arrive between two gateways wait in the socket. */
Test(alone, a_passed_socket_stays_for_the_next_gateway, .timeout = 60)
{
	struct world *w = world_open();
	int fd = listen_at(w, "s"), client;
	const char *params[] = {
		own_text("SCRIPT_FILENAME=%s", world_child("fdlist")), NULL};

	launch(w, "3", fd, -1, NULL, NULL);
	expect_served(w, "s");
	world_stop(w);
	client = client_connect(w, "s");
	client_ask(client, 0, params);
	launch(w, "3", fd, -1, NULL, NULL);
	answer_expect(client_read(client), "leader: yes\n");
	close(client);
	expect_served(w, "s");
	world_stop(w);
	forget(w, fd, "s");
}

Test(alone, two_passed_sockets_are_served, .timeout = 60)
{
	struct world *w = world_open();
	int one = listen_at(w, "one"), two = listen_at(w, "two");

	launch(w, "3", one, two, NULL, NULL);
	expect_served(w, "one");
	expect_served(w, "two");
	expect_served(w, "one");
	world_stop(w);
	forget(w, one, "one");
	forget(w, two, "two");
}

Test(alone, an_address_is_served_besides_a_passed_socket, .timeout = 60)
{
	struct world *w = world_open();
	const char *own = world_path(w, "own");
	int fd = listen_at(w, "s");

	launch(w, "3", fd, -1, "-l", own);
	world_expect_log(w, "ready: ");
	expect_served(w, "s");
	expect_served(w, "own");
	world_stop(w);
	cr_expect_neq(access(own, F_OK), 0, "its own path was not removed");
	forget(w, fd, "s");
}

/* sd_listen_fds(3): the variables may be meant for the parent process. */
Test(alone, sockets_passed_to_another_process_are_ignored, .timeout = 60)
{
	struct world *w = world_open();
	int fd = listen_at(w, "s");

	setenv("WRONG_PID", "1", 1);
	launch(w, "3", fd, -1, NULL, NULL);
	world_expect_log(w, "descriptor 0 is not a listening socket; give -l");
	cr_expect_eq(world_wait(w), SYSTEM);
	forget(w, fd, "s");
}

Test(alone, a_socket_that_does_not_listen_is_refused, .timeout = 60)
{
	struct world *w = world_open();
	int fd = bind_at(w, "s");

	launch(w, "3", fd, -1, NULL, NULL);
	world_expect_log(w, "descriptor 3 is not a listening socket; set "
		"Accept=no in the socket unit");
	cr_expect_eq(world_wait(w), SYSTEM);
	forget(w, fd, "s");
}

/* It must not wake up for a second. */
Test(alone, a_gateway_with_a_passed_socket_sleeps_when_idle, .timeout = 60)
{
	struct world *w = world_open();
	struct timespec second = {1, 0};
	int fd = listen_at(w, "s");
	long before;

	launch(w, "3", fd, -1, NULL, NULL);
	expect_served(w, "s");
	/* Its last turn may still be running. */
	do {
		before = world_sleeps(w->pid);
		cr_assert_eq(nanosleep(&(struct timespec){0, 50000000}, NULL),
			0);
	} while (world_sleeps(w->pid) != before);
	cr_assert_eq(nanosleep(&second, NULL), 0);
	cr_expect_eq(world_sleeps(w->pid), before);
	world_stop(w);
	forget(w, fd, "s");
}

/* fcgiwrap -f -c 2 -s unix:PATH, and more than one -s. */
Test(alone, options_of_fcgiwrap_work, .timeout = 60)
{
	struct world *w = world_open();
	char tcp[64];
	const char *argv[] = {"fcgipm-cgi", "-f", "-c", "2", "-s",
		own_text("unix:%s", world_path(w, "s")), "-s", tcp,
		"-d", "/", NULL};

	snprintf(tcp, sizeof(tcp), "tcp:127.0.0.1:%d", w->port);
	run_gateway(w, argv);
	world_expect_log(w, "at most 2 programs at once");
	expect_served(w, "s");
	expect_served(w, tcp + 4);
	world_stop(w);
	cr_expect_neq(access(world_path(w, "s"), F_OK), 0);
}

static bool
has_ipv6(void)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 &&
		bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

Test(alone, an_address_with_the_prefix_tcp6_of_fcgiwrap_works, .timeout = 60)
{
	struct world *w;
	char url[64];
	const char *argv[] = {"fcgipm-cgi", "-s", url, "-d", "/", NULL};

	if (!has_ipv6())
		cr_skip_test("no IPv6 here");
	w = world_open();
	snprintf(url, sizeof(url), "tcp6:[::1]:%d", w->port);
	run_gateway(w, argv);
	expect_served(w, url + 5);
}

/* -c N of fcgiwrap is N processes, so N programs at once. */
Test(alone, option_c_limits_the_programs_that_run_at_once, .timeout = 60)
{
	struct world *w = world_open();
	char *sock = world_path(w, "s");
	const char *script = world_script(w, "script", client_crowd_script);
	const char *argv[] = {"fcgipm-cgi", "-c", "2", "-s", sock, script,
		NULL};

	run_gateway(w, argv);
	cr_expect_eq(client_crowd(w, "s"), 2);
	world_stop(w);
}

/* fcgiwrap -p: these programs in any directory, and no others. */
Test(alone, option_p_allows_only_the_programs_it_names, .timeout = 60)
{
	struct world *w = world_open();
	char *sock = world_path(w, "s");
	const char *fdlist = world_child("fdlist");
	const char *big = world_child("big");
	const char *inside = world_script(w, "inside", "#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\ninside\\n'\n");
	const char *alone[] = {"fcgipm-cgi", "-s", sock, "-p", fdlist, "-p",
		inside, NULL};
	const char *both[] = {"fcgipm-cgi", "-s", sock, "-p", fdlist, "-p",
		inside, "-d", w->dir, NULL};
	const char *handler[] = {"fcgipm-cgi", "-s", sock, "-p", fdlist,
		inside, NULL};

	run_gateway(w, alone);
	expect_served(w, "s");
	answer_expect(client_script(w, "s", inside, NULL), "\r\n\r\ninside\n");
	expect_forbidden(w, "s", big);
	world_expect_log(w, "not one of the programs that -p allows");
	world_expect_log(w, "warning: script ");
	expect_forbidden(w, "s", "/bin/ls");
	world_stop(w);
	/* A handler runs only for these files. */
	run_gateway(w, handler);
	answer_expect(client_script(w, "s", fdlist, NULL), "\r\n\r\ninside\n");
	expect_forbidden(w, "s", big);
	world_stop(w);
	/* With -d also only those in its directory. */
	run_gateway(w, both);
	expect_forbidden(w, "s", fdlist);
	answer_expect(client_script(w, "s", inside, NULL), "\r\n\r\ninside\n");
	world_stop(w);
}

Test(alone, a_wrong_command_line_gets_a_remedy, .timeout = 60)
{
	struct world *w = world_open();
	char *sock = world_path(w, "s");

	expect_refused(w, (const char *[]){"fcgipm-cgi", "-s", sock, NULL},
		USAGE, "-d / allows every file");
	expect_refused(w, (const char *[]){"fcgipm-cgi", "-p", "www", NULL},
		USAGE, "write the absolute path of a program");
	expect_refused(w, (const char *[]){"fcgipm-cgi", "-c", NULL}, USAGE,
		"-c needs a value");
	expect_refused(w, (const char *[]){"fcgipm-cgi", "-d", "/", "-s",
		"tcp:0.0.0.0:1", NULL}, USAGE,
		"-o listen.allowed_clients=");
	expect_refused(w, (const char *[]){"fcgipm-cgi", "-d", "/", "-s",
		"unix:s", NULL}, USAGE, "begins with /");
}

Test(alone, a_stale_socket_is_replaced_one_in_use_is_not, .timeout = 60)
{
	struct world *w = world_open();
	char *sock = world_path(w, "s");
	const char *argv[] = {"fcgipm-cgi", "-s", sock, "-d", "/", NULL};

	close(listen_at(w, "s"));
	run_gateway(w, argv);
	expect_served(w, "s");
	expect_refused(w, argv, SYSTEM, sock);
	expect_served(w, "s");
	/* A killed gateway leaves its path, which the next one replaces. */
	world_signal(w, SIGKILL);
	cr_expect_eq(world_wait(w), 128 + SIGKILL);
	cr_expect_eq(access(sock, F_OK), 0);
	run_gateway(w, argv);
	expect_served(w, "s");
	world_stop(w);
	cr_expect_neq(access(sock, F_OK), 0, "its path was not removed");
}

/* Most systems have an account www-data. */
Test(alone, a_socket_that_no_web_server_may_use_gets_a_warning, .timeout = 60)
{
	struct world *w;
	const char *argv[] = {"fcgipm-cgi", "-l", NULL, "-d", "/", "-o",
		"listen.mode=0666", NULL};
	char *sock;

	if (!getpwnam("www-data"))
		cr_skip_test("no www-data here");
	w = world_open();
	sock = world_path(w, "s");
	argv[2] = sock;
	run_gateway(w, argv);
	cr_expect_not(world_log_has(w, "may connect"));
	world_stop(w);
	argv[5] = NULL;
	run_gateway(w, argv);
	world_expect_log(w, "none of the users www-data, nginx, http and "
		"apache may connect to it; set -o group=");
	expect_served(w, "s");
	world_stop(w);
}

static bool
has_gone(void *arg)
{
	return access(arg, F_OK) != 0;
}

/* TERM: running and waiting requests are answered, then it exits with 0. */
Test(alone, term_finishes_accepted_requests, .timeout = 60)
{
	struct world *w = world_open();
	char *sock = world_path(w, "s");
	char *started = world_path(w, "started");
	const char *script = world_script(w, "script",
		"#!/bin/sh\n"
		"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
		"echo >@DIR@/started\n"
		"while [ ! -e @DIR@/go ]; do sleep 0.02; done\n"
		"echo done\n");
	const char *argv[] = {"fcgipm-cgi", "-c", "1", "-s", sock, script,
		NULL};
	const char *none[] = {NULL};
	int fds[3], i;

	run_gateway(w, argv);
	for (i = 0; i < 3; i++) {
		fds[i] = client_connect(w, "s");
		client_ask(fds[i], 0, none);
	}
	world_until(world_exists, started, "the first program runs");
	world_signal(w, SIGTERM);
	cr_expect(world_alive(w->pid));
	world_write(w, "go", "");
	for (i = 0; i < 3; i++) {
		answer_expect(client_read(fds[i]), "\r\n\r\ndone\n");
		close(fds[i]);
	}
	cr_expect_eq(world_wait(w), 0);
	world_until(has_gone, sock, "its path is removed");
}

/* TERM: an idle keep-alive connection is closed at once, a connection without
 * its first request after a second. */
Test(alone, term_closes_connections_without_a_request, .timeout = 60)
{
	struct world *w = world_open();
	char *sock = strdup(world_path(w, "s")), script[700];
	const char *argv[] = {"fcgipm-cgi", "-s", sock, "-d", "/", NULL};
	const char *params[] = {script, NULL};
	uint8_t wire[1000];
	struct answer a;
	int kept, silent;
	int64_t begin, calm;

	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s",
		world_child("fdlist"));
	run_gateway(w, argv);
	kept = client_connect(w, "s");
	client_send(kept, wire, client_put_request(wire, sizeof(wire), 1,
		params, "", 0));
	a = client_read(kept);
	answer_expect(a, "leader: yes\n");
	silent = client_connect(w, "s");
	expect_served(w, "s");
	world_signal(w, SIGTERM);
	begin = world_now_ms();
	calm = hostile_calm_ms();
	cr_expect_eq(client_drain(kept), 0);
	cr_expect_lt(hostile_calm_ms() - calm, 800);
	cr_expect_eq(client_drain(silent), 0);
	cr_expect_geq(world_now_ms() - begin, 900);
	cr_expect_eq(world_wait(w), 0);
	close(kept);
	close(silent);
	free(sock);
	world_close(&w);
}
