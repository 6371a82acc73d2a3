/*
 * test_sockdiag_accepted.c - tests how sock_diag(7) finds the connections that
 * were accepted from a listening socket
 */
#include "endpoints.h"

TestSuite(sockdiag, .init = endpoints_open, .fini = endpoints_close,
	.timeout = 30);

static int
port_of(int fd)
{
	struct sockaddr_in in = {0};
	socklen_t len = sizeof(in);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

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
