/*
 * test_sockets.c - client connections and other sockets
 *
 * The test has a listening socket of each family, sockets that were accepted
 * from it, and others.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "observe/sockets.h"

static struct sockdiag diag;
static struct sockdiag_listener listeners[2];
static struct sockets sockets;

static uint32_t
ino_of(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

static int
listen_tcp(struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)ret, len), 0);
	cr_assert_eq(listen(fd, 8), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

/* Both ends of a connection to it. */
static int
connect_tcp(int listener, const struct sockaddr_in *to, int *ret_client)
{
	int fd;

	*ret_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(*ret_client, (const struct sockaddr *)to,
			     sizeof(*to)), 0);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(fd, 0);
	return fd;
}

static int
listen_unix(struct sockaddr_un *ret, socklen_t *ret_len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1,
		"fcgipm-sockets-%d", (int)getpid());
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
		(size_t)n);
	cr_assert_eq(bind(fd, (struct sockaddr *)ret, *ret_len), 0);
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

static void
begin(const int *fds, size_t n)
{
	size_t i;

	cr_assert_eq(sockdiag_open(&diag), 0, "%s", strerror(errno));
	for (i = 0; i < n; i++)
		cr_assert_eq(sockdiag_listener_init(&listeners[i], fds[i]), 0);
	sockets_init(&sockets, &diag, listeners, n);
}

static void
end(void)
{
	sockets_fini(&sockets);
	sockdiag_close(&diag);
}

/* As for the first socket of a sample. */
static enum sockets_origin
origin_of(int fd, enum watch_kind kind)
{
	bool listed = false;

	return sockets_find_origin(&sockets, kind, ino_of(fd), &listed);
}

TestSuite(sockets, .fini = end);

Test(sockets, clients_of_a_unix_socket_are_found)
{
	struct sockaddr_un un;
	socklen_t len;
	int listener = listen_unix(&un, &len), pair[2], client, conn;

	begin(&listener, 1);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&un, len), 0);
	conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_expect_eq(origin_of(conn, WATCH_KIND_UNIX), SOCKETS_CLIENT);
	cr_expect_eq(origin_of(client, WATCH_KIND_UNIX), SOCKETS_FOREIGN);
	cr_expect_eq(origin_of(pair[0], WATCH_KIND_UNIX), SOCKETS_FOREIGN);
	/* Kinds that this listening socket cannot have accepted. */
	cr_expect_eq(origin_of(conn, WATCH_KIND_TCP), SOCKETS_FOREIGN);
	cr_expect_eq(origin_of(conn, WATCH_KIND_OTHER), SOCKETS_FOREIGN);
	cr_expect_eq(origin_of(conn, WATCH_KIND_GONE), SOCKETS_UNKNOWN);
	/* Without netlink the kernel cannot be queried. */
	fflush(NULL);
	sockdiag_close(&diag);
	cr_expect_eq(origin_of(conn, WATCH_KIND_UNIX), SOCKETS_UNKNOWN);
	cr_expect_eq(origin_of(pair[0], WATCH_KIND_UNIX), SOCKETS_UNKNOWN);
}

Test(sockets, clients_of_a_tcp_socket_are_found)
{
	struct sockaddr_in in, other_in;
	int listener = listen_tcp(&in), other = listen_tcp(&other_in);
	int conn, client, foreign, foreign_client;

	begin(&listener, 1);
	conn = connect_tcp(listener, &in, &client);
	foreign = connect_tcp(other, &other_in, &foreign_client);
	cr_expect_eq(origin_of(conn, WATCH_KIND_TCP), SOCKETS_CLIENT);
	cr_expect_eq(origin_of(foreign, WATCH_KIND_TCP), SOCKETS_FOREIGN);
	cr_expect_eq(origin_of(client, WATCH_KIND_TCP), SOCKETS_FOREIGN);
	cr_expect_eq(origin_of(foreign_client, WATCH_KIND_TCP),
		SOCKETS_FOREIGN);
	cr_expect_eq(origin_of(conn, WATCH_KIND_UNIX), SOCKETS_FOREIGN);
}

/* A socket that is foreign to one listening socket may be a client of the
 * other, which is listed at another moment. */
Test(sockets, with_two_tcp_sockets_a_foreign_socket_is_unknown)
{
	struct sockaddr_in in[2], other_in;
	int fds[2] = {listen_tcp(&in[0]), listen_tcp(&in[1])};
	int other = listen_tcp(&other_in);
	int conns[2], clients[2], foreign, foreign_client, i;

	begin(fds, 2);
	foreign = connect_tcp(other, &other_in, &foreign_client);
	for (i = 0; i < 2; i++)
		conns[i] = connect_tcp(fds[i], &in[i], &clients[i]);
	for (i = 0; i < 2; i++)
		cr_expect_eq(origin_of(conns[i], WATCH_KIND_TCP),
			SOCKETS_CLIENT, "listener %d", i);
	cr_expect_eq(origin_of(foreign, WATCH_KIND_TCP), SOCKETS_UNKNOWN);
	cr_expect_eq(origin_of(foreign_client, WATCH_KIND_TCP),
		SOCKETS_UNKNOWN);
}

/* Accepted sockets are listed once in a sample, all others even less often. */
Test(sockets, tcp_sockets_are_listed_rarely)
{
	struct sockaddr_in in, other_in;
	int listener = listen_tcp(&in), other = listen_tcp(&other_in);
	int first, second, client[2], foreign, foreign_client;
	bool listed = false;

	begin(&listener, 1);
	sockets.others_not_before_us = INT64_MAX;
	first = connect_tcp(listener, &in, &client[0]);
	cr_expect_eq(sockets_find_origin(&sockets, WATCH_KIND_TCP,
			     ino_of(first), &listed), SOCKETS_CLIENT);
	cr_expect(listed, "not listed");
	second = connect_tcp(listener, &in, &client[1]);
	cr_expect_eq(sockets_find_origin(&sockets, WATCH_KIND_TCP,
			     ino_of(second), &listed), SOCKETS_UNKNOWN,
		"listed twice in a sample");
	listed = false;
	cr_expect_eq(sockets_find_origin(&sockets, WATCH_KIND_TCP,
			     ino_of(first), &listed), SOCKETS_CLIENT);
	cr_expect_not(listed, "known already");
	cr_expect_eq(sockets_find_origin(&sockets, WATCH_KIND_TCP,
			     ino_of(second), &listed), SOCKETS_CLIENT);
	cr_expect(listed);

	foreign = connect_tcp(other, &other_in, &foreign_client);
	cr_expect_eq(origin_of(foreign, WATCH_KIND_TCP), SOCKETS_UNKNOWN,
		"all sockets were listed");
	sockets.others_not_before_us = 0;
	cr_expect_eq(origin_of(foreign, WATCH_KIND_TCP), SOCKETS_FOREIGN);
	cr_expect_gt(sockets.others_not_before_us, now_us(),
		"listed again immediately");
}
