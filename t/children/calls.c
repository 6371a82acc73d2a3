/*
 * calls.c - FastCGI by direct calls of the C library, in the ways that programs
 * use
 *
 *	calls WAY
 *
 *	plain	reads a request, answers it, closes
 *	errno	the same; exits with status 1 if a successful call changed
 *		errno
 *	peek	peeks at the request before it reads it
 *	eof	reads until the client closes before it answers
 *	vfork	a child of vfork(2) closes the connection meanwhile
 *	unseen	closes by syscall(2), not by the C library
 *	twice	answers by syscall(2) and reads the next request
 *	quiet	closes at once
 *	other	replaces descriptor 0 by another listening socket, connects to
 *		it and accepts that; then serves the first one at another number
 *	work	works after the answer, until SIGUSR1
 *	child	a child serves one request and exits
 *	eintr	SIGUSR1 interrupts accept(2); exits with status 0 if accept then
 *		fails with EINVAL, 1 if with EINTR
 *	main	a thread has the first connection; main() serves the later ones
 *		and returns when accept fails
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const unsigned char answer[] =
	"\1\6\0\1\0\17\0\0Status: 204\r\n\r\n"
	"\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0";

static const char *way = "plain";

static int
is_way(const char *name)
{
	return strcmp(way, name) == 0;
}

/* A STDIN record without content ends the request. */
static int
is_whole(const unsigned char *p, size_t len)
{
	return len >= 8 && p[len - 7] == 5 && p[len - 4] == 0 &&
		p[len - 3] == 0;
}

static int
read_request(int conn)
{
	unsigned char p[65536];
	size_t len = 0;
	ssize_t n;

	while (!is_whole(p, len) || is_way("eof")) {
		if (is_way("peek") && recv(conn, p + len, 1, MSG_PEEK) <= 0)
			return -1;
		n = read(conn, p + len, sizeof(p) - len);
		if (n == 0 && is_whole(p, len))
			return 0;
		if (n <= 0)
			return -1;
		len += (size_t)n;
	}
	return 0;
}

static void
close_in_child(int conn)
{
	/* Some libraries start programs this way, and the test needs it. */
	pid_t pid = vfork(); /* NOLINT(clang-analyzer-security*) */

	if (pid == 0) {
		close(conn); /* NOLINT(clang-analyzer-unix.Vfork) */
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
}

static void
serve(int conn)
{
	if (is_way("quiet")) {
		close(conn);
		return;
	}
	while (read_request(conn) == 0) {
		if (is_way("vfork"))
			close_in_child(conn);
		if (is_way("twice")) {
			(void)syscall(SYS_write, conn, answer, sizeof(answer));
			continue;
		}
		(void)!write(conn, answer, sizeof(answer));
		break;
	}
	if (is_way("unseen"))
		(void)syscall(SYS_close, conn);
	else
		close(conn);
}

/* Exits if a successful call changed errno. */
static void
check_errno(void)
{
	if (errno != EXFULL)
		_exit(1);
}

static int
serve_errno(void)
{
	unsigned char p[65536];
	size_t len = 0;
	ssize_t n;
	int conn;

	errno = EXFULL;
	while ((conn = accept(0, NULL, NULL)) >= 0) {
		check_errno();
		for (len = 0; !is_whole(p, len); len += (size_t)n) {
			n = read(conn, p + len, sizeof(p) - len);
			if (n <= 0)
				return 1;
			check_errno();
		}
		(void)!write(conn, answer, sizeof(answer));
		check_errno();
		shutdown(conn, SHUT_WR);
		check_errno();
		close(conn);
		check_errno();
	}
	return 0;
}

static int
serve_other(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(un);
	int first = accept(0, NULL, NULL), kept = dup(0), other, client, conn;

	serve(first);
	close(0);
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	/* The kernel chooses the name. */
	if (other != 0 || bind(0, (struct sockaddr *)&un,
				  sizeof(un.sun_family)) < 0 ||
		listen(0, 1) < 0 ||
		getsockname(0, (struct sockaddr *)&un, &len) < 0 ||
		connect(client, (struct sockaddr *)&un, len) < 0 ||
		(conn = accept(0, NULL, NULL)) < 0)
		return 1;
	(void)!write(conn, answer, sizeof(answer));
	close(conn);
	while ((conn = accept(kept, NULL, NULL)) >= 0)
		serve(conn);
	return 0;
}

static void
on_signal(int signo)
{
	(void)signo;
}

static int
serve_and_work(void)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t usr1, old;
	int conn;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	if (sigaction(SIGUSR1, &sa, NULL) < 0 ||
		sigprocmask(SIG_BLOCK, &usr1, &old) < 0)
		return 1;
	while ((conn = accept(0, NULL, NULL)) >= 0) {
		serve(conn);
		(void)sigsuspend(&old);
	}
	return 0;
}

static int
serve_in_child(void)
{
	pid_t pid = fork();
	int conn;

	if (pid == 0) {
		conn = accept(0, NULL, NULL);
		if (conn >= 0)
			serve(conn);
		exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	for (;;)
		pause();
}

static int
expect_invalid(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	if (sigaction(SIGUSR1, &sa, NULL) < 0)
		return 2;
	if (accept(0, NULL, NULL) >= 0)
		return 3;
	return errno != EINVAL;
}

static void *
serve_thread(void *arg)
{
	serve(*(int *)arg);
	return NULL;
}

static int
serve_beside_thread(void)
{
	int first = accept(0, NULL, NULL), conn;
	pthread_t thread;

	if (first < 0 || pthread_create(&thread, NULL, serve_thread, &first))
		return 1;
	while ((conn = accept(0, NULL, NULL)) >= 0)
		serve(conn);
	return 0;
}

int
main(int argc, char **argv)
{
	int conn;

	if (argc > 1)
		way = argv[1];
	(void)signal(SIGPIPE, SIG_IGN);
	if (is_way("errno"))
		return serve_errno();
	if (is_way("other"))
		return serve_other();
	if (is_way("work"))
		return serve_and_work();
	if (is_way("child"))
		return serve_in_child();
	if (is_way("eintr"))
		return expect_invalid();
	if (is_way("main"))
		return serve_beside_thread();
	while ((conn = accept(0, NULL, NULL)) >= 0)
		serve(conn);
	return 0;
}
