/*
 * test_listen.c - listening sockets, and connections to them
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/listen.h"

static char dir[] = "/tmp/fcgipm-listen-XXXXXX";

static void
set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static void
tear_down(void)
{
	cr_expect_eq(rmdir(dir), 0);
}

TestSuite(listen, .init = set_up, .fini = tear_down, .timeout = 30);

static struct listen_socket
open_at(const char *text, int backlog)
{
	const struct listen_opts opts = {.backlog = backlog,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
		.mode = 0600};
	struct listen_socket s;
	struct addr a;
	const char *why = "";
	char more[256];

	cr_assert_eq(addr_parse(text, &a, &why), 0, "%s", why);
	cr_assert_eq(listen_open(&a, &opts, &s, more, sizeof(more)), 0, "%s",
		more);
	return s;
}

static const char *
path(const char *name)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

Test(listen, connects_until_the_queue_is_full)
{
	struct listen_socket s = open_at(path("a"), 1);
	int c[3], a, i;

	for (i = 0; i < 2; i++)
		cr_assert_geq(c[i] = listen_connect(&s), 0, "%s",
			strerror(errno));
	cr_expect(fcntl(c[0], F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(c[0], F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(listen_connect(&s), -1);
	cr_expect_eq(errno, EAGAIN, "%s", strerror(errno));
	cr_assert_geq(a = accept(s.fd, NULL, NULL), 0);
	cr_assert_eq(write(c[0], "x", 1), 1);
	cr_expect_eq(read(a, &c[2], 1), 1);
	close(a);
	close(c[0]);
	close(c[1]);
	listen_close(&s);
}

/* A user who owns the directory may have replaced the socket. */
Test(listen, connects_to_no_other_socket)
{
	struct listen_socket s = open_at(path("a"), 1);
	struct listen_socket other = open_at(path("b"), 1);
	char name[64];

	snprintf(name, sizeof(name), "%s", path("a"));
	cr_assert_eq(unlink(name), 0);
	cr_expect_eq(listen_connect(&s), -1);
	cr_expect_eq(errno, ENOENT);
	cr_assert_eq(symlink("b", name), 0);
	cr_expect_eq(listen_connect(&s), -1);
	cr_expect_eq(errno, ESTALE);
	cr_assert_eq(unlink(name), 0);
	cr_assert_eq(rename(path("b"), name), 0);
	cr_expect_eq(listen_connect(&s), -1);
	cr_expect_eq(errno, ESTALE);
	cr_assert_eq(unlink(name), 0);
	listen_close(&s);
	listen_close(&other);
}

/* A port that is free on the IPv4 and IPv6 loopback addresses. */
static int
find_free_port(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		cr_skip_test("no IPv6 here: %s", strerror(errno));
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin6_port);
}

static int
connect_to(const char *host, int port)
{
	const char *why = "";
	struct addr a;
	char text[64];

	snprintf(text, sizeof(text), "%s:%d", host, port);
	cr_assert_eq(addr_parse(text, &a, &why), 0, "%s", why);
	return addr_connect(&a, 0);
}

/* Otherwise a list of allowed IPv6 clients would not limit IPv4 clients, and a
 * pool on 0.0.0.0 could not use the same port. */
Test(listen, all_ipv6_addresses_exclude_ipv4)
{
	int port = find_free_port(), fd;
	struct listen_socket six, four;
	char text[64];

	snprintf(text, sizeof(text), "[::]:%d", port);
	six = open_at(text, 4);
	cr_expect_eq(connect_to("127.0.0.1", port), -1);
	cr_expect_eq(errno, ECONNREFUSED, "%s", strerror(errno));
	cr_expect_geq(fd = connect_to("[::1]", port), 0, "%s",
		strerror(errno));
	close(fd);
	snprintf(text, sizeof(text), "0.0.0.0:%d", port);
	four = open_at(text, 4);
	cr_expect_geq(fd = connect_to("127.0.0.1", port), 0, "%s",
		strerror(errno));
	close(fd);
	listen_close(&four);
	listen_close(&six);
}
