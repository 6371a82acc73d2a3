/*
 * test_sockdiag.c - tests sock_diag(7) queries about the listen queues of the
 * test itself
 *
 * Which listener accepted a connection is tested in test_sockdiag_accepted.c.
 */
#include <time.h>

#include "endpoints.h"

TestSuite(sockdiag, .init = endpoints_open, .fini = endpoints_close,
	.timeout = 30);

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
