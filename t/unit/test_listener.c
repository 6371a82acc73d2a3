/*
 * test_listener.c - when a listening socket that a worker changed is repaired
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "conf/conf.h"
#include "pool/listener.h"
#include "pool/members.h"

#define NOW 5000

static char dir[] = "/tmp/fcgipm-listener-XXXXXX";
static char log_path[64], socket_path[64];
static struct loop *loop;
static struct sockdiag diag = {.fd = -1};
static struct conf_pool conf = {.name = (char *)"www", .threads = 1,
	.mode = CONF_MODE_PREFORK};
static const struct worker_ops no_ops;
static struct members ms;
static struct listen_socket sock;
static struct listener l;
static unsigned shuts, reopens;

static void
on_shut(struct listener *its)
{
	cr_expect_eq(its, &l);
	shuts++;
}

static void
on_reopened(struct listener *its)
{
	cr_expect_eq(its, &l);
	reopens++;
}

static const struct listener_ops ops = {
	.on_shut = on_shut, .on_reopened = on_reopened};

static void
set_up(void)
{
	const struct listen_opts opts = {.backlog = 8, .owner = (uid_t)-1,
		.group = (gid_t)-1, .mode = 0600};
	const char *why = "";
	struct addr a;
	char more[256];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	snprintf(socket_path, sizeof(socket_path), "%s/sock", dir);
	cr_assert_eq(log_open(log_path, LOG_LEVEL_NOTICE, LOG_FORMAT_TEXT), 0);
	cr_assert_eq(addr_parse(socket_path, &a, &why), 0, "%s", why);
	cr_assert_eq(listen_open(&a, &opts, &sock, more, sizeof(more)), 0,
		"%s", more);
	cr_assert_eq(sockdiag_open(&diag), 0, "%s", strerror(errno));
	loop = loop_new();
	cr_assert_eq(kernel_init(&ms.kernel, &diag, &sock.fd, 1, getuid(),
		getgid()), 0);
	members_open(&ms, loop, &conf, 1, &no_ops, NULL);
	listener_init(&l, &opts, &sock, &ms, &ops);
}

static void
tear_down(void)
{
	listen_close(&sock);
	members_close(&ms);
	sockdiag_close(&diag);
	loop_free(&loop);
	unlink(log_path);
	cr_expect_eq(rmdir(dir), 0);
}

TestSuite(listener, .init = set_up, .fini = tear_down, .timeout = 30);

static void
set_flag(void)
{
	cr_assert_eq(fcntl(sock.fd, F_SETFL, O_NONBLOCK), 0);
}

static bool
has_flag(void)
{
	return fcntl(sock.fd, F_GETFL) & O_NONBLOCK;
}

static size_t
count_lines(void)
{
	FILE *f = fopen(log_path, "re");
	size_t n = 0;
	int c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

/* -- O_NONBLOCK ------------------------------------------------------------ */

/* Busy workers prove nothing, but one that exited may have done so because of
 * the flag. */
Test(listener, the_flag_stays_until_a_worker_exits_or_is_seen_to_accept)
{
	set_flag();
	cr_expect_eq(listener_check(&l, NOW), 0);
	cr_expect(has_flag());
	l.a_worker_ended = true;
	(void)listener_check(&l, NOW);
	cr_expect_not(has_flag());
	cr_expect_not(l.a_worker_ended, "reset by the check");
	cr_expect_eq(count_lines(), 1);
}

Test(listener, the_flag_is_logged_once)
{
	int i;

	for (i = 0; i < 3; i++) {
		set_flag();
		l.a_worker_ended = true;
		(void)listener_check(&l, NOW);
		cr_expect_not(has_flag());
	}
	log_flush();
	cr_expect_eq(count_lines(), 1);
}

Test(listener, the_flag_of_programs_that_poll_stays_set)
{
	set_flag();
	l.polls = true;
	l.a_worker_ended = true;
	(void)listener_check(&l, NOW);
	cr_expect(has_flag());
}

Test(listener, the_socket_of_a_gateway_is_not_checked)
{
	conf.mode = CONF_MODE_CGI;
	set_flag();
	l.a_worker_ended = true;
	cr_assert_eq(shutdown(sock.fd, SHUT_RDWR), 0);
	cr_expect_eq(listener_check(&l, NOW), 0);
	cr_expect(has_flag());
	cr_expect_eq(shuts, 0);
}

/* -- shutdown(2) ----------------------------------------------------------- */

Test(listener, a_socket_that_listens_is_not_changed)
{
	ino_t ino = l.ino;

	cr_expect_eq(listener_check(&l, NOW), 0);
	cr_expect_eq(l.ino, ino);
	cr_expect_eq(shuts + reopens, 0);
	cr_expect_not(listener_is_former(&l, ino));
	cr_expect_eq(count_lines(), 0);
}

Test(listener, a_socket_that_was_shut_is_reopened)
{
	ino_t before = l.ino;
	unsigned i;

	for (i = 1; i <= 2; i++) {
		cr_assert_eq(shutdown(sock.fd, SHUT_RDWR), 0);
		cr_expect_eq(listener_check(&l, NOW), 0);
		cr_expect_eq(shuts, i);
		cr_expect_eq(reopens, i);
		cr_expect_neq(l.ino, before);
		cr_expect_not(listen_is_shut(&sock));
		cr_expect(listener_is_former(&l, before));
		cr_expect_not(listener_is_former(&l, l.ino));
	}
	log_flush();
	cr_expect_eq(count_lines(), 1, "logged once");
}

/* Its workers retire when they have served the clients in its queue. */
Test(listener, a_former_socket_is_kept_until_its_queue_is_empty)
{
	ino_t before = l.ino;
	int worker = dup(sock.fd), client, served;
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(shutdown(sock.fd, SHUT_RDWR), 0);
	/* A worker is alive, and has the former socket. */
	ms.counts.of[WORKER_DEAD]--;
	cr_expect_eq(listener_check(&l, NOW), NOW + 100, "checked again");
	cr_expect_eq(l.former, before);
	cr_expect_not(listener_is_former(&l, before),
		"a client is in its queue");
	served = accept(worker, NULL, NULL);
	cr_assert_geq(served, 0);
	cr_expect_eq(listener_check(&l, NOW + 100), 0);
	cr_expect(listener_is_former(&l, before));
	ms.counts.of[WORKER_DEAD]++;
	close(served);
	close(client);
	close(worker);
}
