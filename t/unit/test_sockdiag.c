/*
 * test_sockdiag.c - sock_diag(7) queries about sockets of the test itself
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "sys/sockdiag.h"

static struct sockdiag diag;
static char dir[] = "/tmp/fcgipm-diag-XXXXXX";

static void
set_up(void)
{
	struct rlimit lim;

	cr_assert_eq(sockdiag_open(&diag), 0, "%s", strerror(errno));
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	lim.rlim_cur = lim.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
}

static void
remove_names(void)
{
	static const char *const names[] = {"a", "b", "c"};
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
}

static void
tear_down(void)
{
	remove_names();
	cr_expect_eq(rmdir(dir), 0);
	sockdiag_close(&diag);
}

TestSuite(sockdiag, .init = set_up, .fini = tear_down, .timeout = 30);

static ino_t
inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

/* Listens on a path in dir, or, with "@", on a name that the kernel chooses. */
static int
listen_unix(const char *name, int backlog)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(un);

	cr_assert_geq(fd, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", dir, name);
	if (name[0] == '@')
		len = sizeof(un.sun_family);
	cr_assert_eq(bind(fd, (struct sockaddr *)&un, len), 0);
	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

static int
listen_tcp(const char *host, int port, int backlog)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	cr_assert_geq(fd, 0);
	in.sin_addr.s_addr = htonl(strcmp(host, "any") == 0 ? INADDR_ANY :
			strcmp(host, "two") == 0 ?
							      0x7f000002 :
							      INADDR_LOOPBACK);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
		0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0, "%s",
		strerror(errno));
	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

static int
port_of(int fd)
{
	struct sockaddr_in in = {0};
	socklen_t len = sizeof(in);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

/* Connects to the listener's address; for "any", to 127.0.0.1. */
static int
connect_to(int listener)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	int fd;

	cr_assert_eq(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	if (((struct sockaddr_in *)&sa)->sin_addr.s_addr == INADDR_ANY)
		((struct sockaddr_in *)&sa)->sin_addr.s_addr =
			htonl(INADDR_LOOPBACK);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, len), 0, "%s",
		strerror(errno));
	return fd;
}

static int
accept_from(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

/* -- queues ---------------------------------------------------------------- */

Test(sockdiag, unix_queue_counts_connections_not_accepted)
{
	static const char *const names[] = {"a", "@"};
	struct sockdiag_queue q;
	size_t i;

	for (i = 0; i < 2; i++) {
		int l = listen_unix(names[i], 7), c[5], n;

		for (n = 0; n < 5; n++) {
			cr_assert_eq(sockdiag_unix_queue(&diag, inode(l), &q),
				0);
			cr_expect_eq(q.waiting, (unsigned)n, "%u", q.waiting);
			cr_expect_eq(q.limit, 7, "%u", q.limit);
			c[n] = connect_to(l);
		}
		close(accept_from(l));
		cr_assert_eq(sockdiag_unix_queue(&diag, inode(l), &q), 0);
		cr_expect_eq(q.waiting, 4);
		for (n = 0; n < 5; n++)
			close(c[n]);
		close(l);
	}
}

Test(sockdiag, tcp_queue_counts_connections_not_accepted)
{
	int l = listen_tcp("one", 0, 7), c[3], n;
	struct sockdiag_queue q = {0};
	struct timespec ts = {0, 1000000};
	int64_t turns = 0;

	for (n = 0; n < 3; n++)
		c[n] = connect_to(l);
	/* The last handshake may still be in progress. */
	while (q.waiting != 3 && turns++ < 5000) {
		cr_assert_eq(sockdiag_tcp_queue(l, &q), 0);
		nanosleep(&ts, NULL);
	}
	cr_expect_eq(q.waiting, 3);
	cr_expect_eq(q.limit, 7);
	close(accept_from(l));
	cr_assert_eq(sockdiag_tcp_queue(l, &q), 0);
	cr_expect_eq(q.waiting, 2);
	cr_expect_eq(sockdiag_tcp_queue(c[0], &q), -1);
	cr_expect_eq(errno, EINVAL);
	for (n = 0; n < 3; n++)
		close(c[n]);
	close(l);
}

/* At first no descriptor is free, later one is. */
Test(sockdiag, is_opened_again_when_a_descriptor_is_free)
{
	int l = listen_unix("a", 7);
	struct rlimit lim, none;
	struct sockdiag_queue q;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	none = (struct rlimit){0, lim.rlim_max};
	sockdiag_close(&diag);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_expect_eq(sockdiag_open(&diag), -1);
	cr_expect_eq(errno, EMFILE);
	cr_expect_eq(sockdiag_unix_queue(&diag, inode(l), &q), -1);
	cr_expect_eq(errno, EMFILE);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	cr_expect_eq(sockdiag_unix_queue(&diag, inode(l), &q), 0, "%s",
		strerror(errno));
	close(l);
}

Test(sockdiag, a_queue_query_needs_a_listener)
{
	int l = listen_unix("a", 7), c = connect_to(l);
	struct sockdiag_queue q;

	cr_expect_eq(sockdiag_unix_queue(&diag, inode(c), &q), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(sockdiag_unix_queue(&diag, inode(diag.fd), &q), -1);
	cr_expect_eq(errno, ENOENT);
	/* An earlier error does not affect the next query. */
	cr_expect_eq(sockdiag_unix_queue(&diag, inode(l), &q), 0);
	cr_expect_eq(q.waiting, 1);
	close(c);
	close(l);
}

Test(sockdiag, the_longest_waiting_client_comes_first)
{
	int l = listen_unix("a", 7), c[3], n, a;
	uint32_t inos[3] = {1, 1, 1}, peer;

	cr_assert_eq(sockdiag_unix_waiting(&diag, inode(l), inos, 3), 0);
	cr_expect_eq(inos[0], 1, "written for an empty queue");
	for (n = 0; n < 3; n++)
		c[n] = connect_to(l);
	cr_assert_eq(sockdiag_unix_waiting(&diag, inode(l), inos, 3), 3);
	for (n = 0; n < 3; n++)
		cr_expect_eq(inos[n], inode(c[n]));
	a = accept_from(l);
	cr_assert_eq(sockdiag_unix_peer(&diag, inode(a), &peer), 0);
	cr_expect_eq(peer, inode(c[0]));
	cr_assert_eq(sockdiag_unix_waiting(&diag, inode(l), inos, 1), 2,
		"more than max");
	cr_expect_eq(inos[0], inode(c[1]));
	cr_expect_eq(inos[1], inode(c[1]), "written beyond max");
	close(c[1]);
	cr_assert_eq(sockdiag_unix_waiting(&diag, inode(l), inos, 3), 2);
	cr_expect_eq(inos[0], 0, "that client has closed");
	cr_expect_eq(inos[1], inode(c[2]));
	cr_assert_eq(sockdiag_unix_waiting(&diag, inode(c[0]), inos, 3), -1);
	cr_expect_eq(errno, EINVAL);
	close(c[0]);
	cr_assert_eq(sockdiag_unix_peer(&diag, inode(a), &peer), 0);
	cr_expect_eq(peer, 0, "the peer has closed");
	close(a);
	close(c[2]);
	close(l);
}

Test(sockdiag, reads_the_age_of_clients_in_a_tcp_queue)
{
	int l = listen_tcp("one", 0, 7), other = listen_tcp("one", 0, 7);
	int a, c[3], oc;
	struct sockdiag_listener s;
	struct sockdiag_waiting w;

	cr_assert_eq(sockdiag_listener_init(&s, l), 0);
	cr_assert_eq(sockdiag_tcp_waiting(&diag, &s, 0, &w), 0);
	cr_expect(w.waiting == 0 && w.old == 0 && w.oldest_ms == 0);
	c[0] = connect_to(l);
	a = accept_from(l);
	c[1] = connect_to(l);
	oc = connect_to(other);
	do {
		cr_assert_eq(sockdiag_tcp_waiting(&diag, &s, 60, &w), 0);
	} while (w.oldest_ms < 40);
	c[2] = connect_to(l);
	/* A client that has closed stays in the queue. */
	close(c[1]);
	while (w.old == 0) {
		cr_assert_eq(sockdiag_tcp_waiting(&diag, &s, 60, &w), 0);
		cr_assert_eq(w.waiting, 2, "one was accepted");
	}
	cr_expect(w.old == 1 || w.oldest_ms > 80);
	cr_expect_geq(w.oldest_ms, 60);
	cr_expect_geq(sockdiag_tcp_age_ms(a), w.oldest_ms - 10);
	close(accept_from(l));
	cr_assert_eq(sockdiag_tcp_waiting(&diag, &s, 0, &w), 0);
	cr_expect_eq(w.waiting, 1);
	cr_expect_eq(w.old, 1);
	close(a);
	close(c[0]);
	close(c[2]);
	close(oc);
	close(other);
	close(l);
}

/* More than the kernel reports in an answer about one socket. */
Test(sockdiag, lists_a_queue_longer_than_a_page)
{
	enum { MANY = 3000 };
	int l = listen_unix("a", MANY), *c = calloc(MANY, sizeof(*c)), n;
	struct sockdiag_queue q;
	struct rlimit lim;
	static uint32_t inos[MANY];

	cr_assert_not_null(c);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	cr_assert_eq(sockdiag_unix_queue(&diag, inode(l), &q), 0);
	if (q.limit < MANY || lim.rlim_cur < MANY + 100) {
		free(c);
		close(l);
		cr_skip_test("net.core.somaxconn or RLIMIT_NOFILE is too low");
	}
	for (n = 0; n < MANY; n++)
		c[n] = connect_to(l);
	cr_assert_eq(sockdiag_unix_waiting(&diag, inode(l), inos, MANY), MANY,
		"%s", strerror(errno));
	cr_expect_eq(inos[0], inode(c[0]));
	cr_expect_eq(inos[MANY - 1], inode(c[MANY - 1]));
	cr_assert_eq(sockdiag_unix_queue(&diag, inode(l), &q), 0);
	cr_expect_eq(q.waiting, MANY);
	for (n = 0; n < MANY; n++)
		close(c[n]);
	free(c);
	close(l);
}

/* -- which listener accepted a connection ---------------------------------- */

Test(sockdiag, finds_connections_accepted_from_a_unix_listener)
{
	static const char *const names[] = {"a", "@"};
	size_t i;

	for (i = 0; i < 2; i++) {
		int l = listen_unix(names[i], 7), other = listen_unix("b", 7);
		int c = connect_to(l), a = accept_from(l);
		int oc = connect_to(other), oa = accept_from(other), pair[2];
		struct sockdiag_listener s;
		const struct {
			int fd, want;
			const char *why;
		} rows[] = {
			{a, 1, "accepted"},
			{c, 0, "the client's end"},
			{l, 0, "the listener"},
			{oa, 0, "accepted from another listener"},
			{oc, 0, "the client's end of that"},
			{other, 0, "the other listener"},
		};
		size_t n;

		cr_assert_eq(sockdiag_listener_init(&s, l), 0);
		cr_expect_eq(s.ino, inode(l));
		for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
			cr_expect_eq(sockdiag_unix_accepted(&diag, &s,
					     inode(rows[n].fd)),
				rows[n].want, "%s", rows[n].why);
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		cr_expect_eq(sockdiag_unix_accepted(&diag, &s, inode(pair[0])),
			0, "a pair");
		close(c);
		cr_expect_eq(sockdiag_unix_accepted(&diag, &s, inode(a)), 1,
			"its client has closed");
		close(pair[0]);
		close(pair[1]);
		close(oa);
		close(oc);
		close(a);
		close(other);
		close(l);
		remove_names();
	}
}

/* sys/listen binds a temporary name, which it renames. */
Test(sockdiag, finds_connections_of_a_renamed_listener)
{
	int l = listen_unix("a", 7), other, c, a;
	char from[64], to[64];
	struct sockdiag_listener s;
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(from, sizeof(from), "%s/a", dir);
	snprintf(to, sizeof(to), "%s/c", dir);
	cr_assert_eq(rename(from, to), 0);
	cr_assert_eq(sockdiag_listener_init(&s, l), 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", to);
	c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(c, (struct sockaddr *)&un, sizeof(un)), 0);
	a = accept_from(l);
	cr_expect_eq(sockdiag_unix_accepted(&diag, &s, inode(a)), 1);
	other = listen_unix("b", 7);
	cr_expect_eq(sockdiag_unix_accepted(&diag, &s, inode(other)), 0);
	close(other);
	close(a);
	close(c);
	close(l);
}

Test(sockdiag, a_tcp_socket_is_not_found_as_a_unix_socket)
{
	int l = listen_unix("a", 7), t = listen_tcp("one", 0, 7);
	struct sockdiag_listener s;

	cr_assert_eq(sockdiag_listener_init(&s, l), 0);
	cr_expect_eq(sockdiag_unix_accepted(&diag, &s, inode(t)), -1);
	cr_expect_eq(errno, ENOENT);
	close(t);
	close(l);
}

static void
expect_set(const struct sockdiag_set *set, int fd, bool accepted, bool other,
	const char *why)
{
	cr_expect_eq(sockdiag_has(set->accepted, set->naccepted, inode(fd)),
		accepted, "%s: accepted", why);
	cr_expect_eq(sockdiag_has(set->others, set->nothers, inode(fd)), other,
		"%s: other", why);
}

Test(sockdiag, finds_connections_accepted_from_a_tcp_listener)
{
	int l = listen_tcp("one", 0, 7), c = connect_to(l), a = accept_from(l);
	int same = listen_tcp("two", port_of(l), 7), sc = connect_to(same);
	int sa = accept_from(same), other = listen_tcp("one", 0, 7);
	int oc = connect_to(other), oa = accept_from(other), waiting;
	struct sockdiag_set set = {0};
	struct sockdiag_listener s;
	int round;

	waiting = connect_to(l);
	cr_assert_eq(sockdiag_listener_init(&s, l), 0);
	for (round = 0; round < 2; round++) {
		bool all = round == 1;

		cr_assert_eq(sockdiag_tcp_accepted(&diag, &s, all, &set), 0);
		cr_expect_eq(set.naccepted, 1);
		expect_set(&set, a, true, false, "accepted");
		expect_set(&set, c, false, all, "the client's end");
		expect_set(&set, l, false, all, "the listener");
		expect_set(&set, sa, false, all, "same port, other address");
		expect_set(&set, sc, false, all, "the client's end of that");
		expect_set(&set, oa, false, all, "other port");
		expect_set(&set, waiting, false, all, "not accepted yet");
	}
	sockdiag_set_fini(&set);
	close(waiting);
	close(oc);
	close(oa);
	close(other);
	close(sc);
	close(sa);
	close(same);
	close(c);
	close(a);
	close(l);
}

Test(sockdiag, finds_connections_of_a_listener_on_all_addresses)
{
	int l = listen_tcp("any", 0, 7), c = connect_to(l), a = accept_from(l);
	struct sockdiag_set set = {0};
	struct sockdiag_listener s;
	struct linger reset = {1, 0};

	cr_assert_eq(sockdiag_listener_init(&s, l), 0);
	cr_assert_eq(sockdiag_tcp_accepted(&diag, &s, false, &set), 0);
	expect_set(&set, a, true, false, "accepted");
	cr_assert_eq(shutdown(c, SHUT_WR), 0);
	cr_assert_eq(sockdiag_tcp_accepted(&diag, &s, false, &set), 0);
	expect_set(&set, a, true, false, "half closed");
	/* Therefore callers count a socket in neither list as a
	 * connection. */
	cr_assert_eq(setsockopt(c, SOL_SOCKET, SO_LINGER, &reset,
			     sizeof(reset)), 0);
	close(c);
	cr_assert_eq(sockdiag_tcp_accepted(&diag, &s, true, &set), 0);
	expect_set(&set, a, false, false, "reset");
	sockdiag_set_fini(&set);
	close(a);
	close(l);
}

/* The kernel sends a list in several messages. */
Test(sockdiag, lists_many_tcp_connections)
{
	enum { MANY = 800 };
	int l = listen_tcp("one", 0, 128), fd[MANY][2], i;
	struct sockdiag_set set = {0};
	struct sockdiag_listener s;
	struct rlimit lim;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	if (lim.rlim_cur < 2 * MANY + 100)
		cr_skip_test("RLIMIT_NOFILE is too low");
	cr_assert_eq(sockdiag_listener_init(&s, l), 0);
	for (i = 0; i < MANY; i++) {
		fd[i][0] = connect_to(l);
		fd[i][1] = accept_from(l);
	}
	cr_assert_eq(sockdiag_tcp_accepted(&diag, &s, true, &set), 0);
	cr_expect_eq(set.naccepted, MANY);
	for (i = 0; i < MANY; i++) {
		expect_set(&set, fd[i][0], false, true, "client");
		expect_set(&set, fd[i][1], true, false, "accepted");
		close(fd[i][0]);
		close(fd[i][1]);
	}
	sockdiag_set_fini(&set);
	close(l);
}

Test(sockdiag, refuses_sockets_that_do_not_listen)
{
	int l = listen_unix("a", 7), c = connect_to(l);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockdiag_listener s;

	cr_expect_eq(sockdiag_listener_init(&s, c), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(sockdiag_listener_init(&s, udp), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(sockdiag_listener_init(&s, STDERR_FILENO), -1);
	cr_expect_eq(errno, ENOTSOCK);
	cr_expect_eq(sockdiag_listener_init(&s, -1), -1);
	cr_expect_eq(errno, EBADF);
	close(udp);
	close(c);
	close(l);
}

Test(sockdiag, without_netlink_every_query_fails)
{
	int l = listen_unix("a", 7), t = listen_tcp("one", 0, 7);
	struct sockdiag none = {.fd = -1};
	struct sockdiag_set set = {0};
	struct sockdiag_listener s;
	struct sockdiag_queue q;
	struct sockdiag_waiting waiting;
	uint32_t peer;

	cr_assert_eq(sockdiag_listener_init(&s, l), 0);
	cr_expect_eq(sockdiag_unix_queue(&none, inode(l), &q), -1);
	cr_expect_eq(errno, EBADF);
	cr_expect_eq(sockdiag_unix_waiting(&none, inode(l), NULL, 0), -1);
	cr_expect_eq(sockdiag_unix_peer(&none, inode(l), &peer), -1);
	cr_expect_eq(sockdiag_unix_accepted(&none, &s, inode(l)), -1);
	cr_assert_eq(sockdiag_listener_init(&s, t), 0);
	cr_expect_eq(sockdiag_tcp_waiting(&none, &s, 0, &waiting), -1);
	cr_expect_eq(sockdiag_tcp_accepted(&none, &s, true, &set), -1);
	cr_expect_eq(errno, EBADF);
	cr_expect_eq(sockdiag_tcp_queue(t, &q), 0);
	sockdiag_set_fini(&set);
	close(t);
	close(l);
}

static int
listen_abstract(const char *name)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1,
		"fcgipm-diag-%d%s", (int)getpid(), name);

	cr_assert_eq(bind(fd, (struct sockaddr *)&un,
			     (socklen_t)(offsetof(struct sockaddr_un,
						 sun_path) + 1 + (size_t)n)),
		0);
	cr_assert_eq(listen(fd, 7), 0);
	return fd;
}

/* Two names of which one is a prefix of the other. */
Test(sockdiag, compares_the_whole_name_of_a_listener)
{
	int fds[2] = {listen_abstract("a"), listen_abstract("ab")};
	struct sockdiag_listener of[2];
	int c[2], conns[2], i, j;

	for (i = 0; i < 2; i++) {
		cr_assert_eq(sockdiag_listener_init(&of[i], fds[i]), 0);
		c[i] = connect_to(fds[i]);
		conns[i] = accept_from(fds[i]);
	}
	for (i = 0; i < 2; i++)
		for (j = 0; j < 2; j++)
			cr_expect_eq(sockdiag_unix_accepted(&diag, &of[i],
					     inode(conns[j])), i == j,
				"of %d: %d", i, j);
	for (i = 0; i < 2; i++) {
		close(c[i]);
		close(conns[i]);
		close(fds[i]);
	}
}
