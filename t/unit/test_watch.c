/*
 * test_watch.c - tasks, sockets and children of a process, read repeatedly
 *
 * The processes are forks of the test, which do one thing and wait to be
 * killed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"
#include "rights.h"
#include "sys/procfs.h"
#include "sys/watch.h"

static int listener = -1;
static ino_t listener_ino;

static void
set_up(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct stat st;

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(listener, 0);
	/* The kernel chooses the name. */
	cr_assert_eq(bind(listener, (struct sockaddr *)&un,
			     sizeof(un.sun_family)), 0);
	cr_assert_eq(listen(listener, 8), 0);
	cr_assert_eq(fstat(listener, &st), 0);
	listener_ino = st.st_ino;
}

TestSuite(watch, .init = set_up, .timeout = 30);

/* Starts a process that has the listener as descriptor 0 and runs fn. */
static pid_t
start(void (*fn)(void))
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(listener, 0) == 0)
			fn();
		for (;;)
			pause();
	}
	return pid;
}

static void
end(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static struct watch watch;
static struct watch_tasks tasks;

static int
sample(void)
{
	return watch_tasks(&watch, &listener_ino, 1, &tasks);
}

/* Samples until a counter has the wanted value. */
static void
until(const unsigned *number, unsigned want, const char *what)
{
	struct timespec ts = {0, 1000000}, from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (;;) {
		cr_assert_eq(sample(), 0, "%s", strerror(errno));
		if (*number == want)
			return;
		clock_gettime(CLOCK_MONOTONIC, &to);
		cr_assert_lt(to.tv_sec - from.tv_sec, 20,
			"%s: still %u, not %u (%u tasks)", what, *number,
			want, tasks.total);
		nanosleep(&ts, NULL);
	}
}

/* -- tasks ----------------------------------------------------------------- */

static void
accept_on_0(void)
{
	(void)accept(0, NULL, NULL);
}

static void
accept_on_a_copy(void)
{
	(void)accept4(fcntl(0, F_DUPFD, 100), NULL, NULL, SOCK_CLOEXEC);
}

static void
accept_elsewhere(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)bind(fd, (struct sockaddr *)&un, sizeof(un.sun_family));
	(void)listen(fd, 1);
	(void)accept(fd, NULL, NULL);
}

static void
poll_on_0(void)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};

	(void)poll(&p, 1, -1);
}

static void
read_on_9(void)
{
	int fds[2];
	char c;

	(void)!pipe(fds);
	dup2(fds[0], 9);
	(void)!read(9, &c, 1);
}

static void
wait_for_a_lock(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	(void)pthread_mutex_lock(&lock);
	(void)pthread_mutex_lock(&lock);
}

Test(watch, reads_the_call_that_a_task_sleeps_in)
{
	static const struct {
		void (*fn)(void);
		const unsigned *number;
		const char *why;
	} rows[] = {
		{accept_on_0, &tasks.accepting, "accept"},
		{accept_on_a_copy, &tasks.accepting, "accept on a copy"},
		{poll_on_0, &tasks.polling, "poll"},
		{read_on_9, &tasks.reading, "read"},
		{wait_for_a_lock, &tasks.locking, "futex"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t pid = start(rows[i].fn);

		cr_assert_eq(watch_open(&watch, pid), 0);
		until(rows[i].number, 1, rows[i].why);
		cr_expect_eq(tasks.total, 1);
		cr_expect_eq(tasks.accepting + tasks.polling + tasks.reading +
				tasks.locking, 1, "%s", rows[i].why);
		cr_expect_eq(tasks.unreadable, 0);
		cr_expect_eq(tasks.err, 0);
		cr_expect_eq(tasks.reading_fd,
			rows[i].fn == read_on_9 ? 9 : -1);
		/* The second sample uses the descriptors kept open. */
		cr_assert_eq(sample(), 0);
		cr_expect_eq(*rows[i].number, 1, "%s", rows[i].why);
		watch_close(&watch);
		end(pid);
	}
}

static void
on_signal(int signo)
{
	(void)signo;
}

/* Accepts on the listener, and after a signal on another socket. */
static void
accept_here_and_there(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &sa, NULL);
	(void)accept(0, NULL, NULL);
	accept_elsewhere();
}

Test(watch, a_task_that_accepts_elsewhere_no_longer_accepts)
{
	pid_t pid = start(accept_here_and_there);
	struct watch_socket sockets[8];
	size_t n = 0;

	cr_assert_eq(watch_open(&watch, pid), 0);
	until(&tasks.accepting, 1, "accepting");
	cr_expect(watch_still_accepts(&watch));
	cr_assert_eq(kill(pid, SIGUSR1), 0);
	while (n < 3)
		cr_assert_eq(watch_sockets(&watch, sockets, 8, &n), 0);
	while (watch_still_accepts(&watch) ||
		procfs_state(pid) != 'S')
		;
	/* It is in accept(2) on the other socket, or about to be. */
	for (n = 0; n < 1000; n++)
		cr_assert_not(watch_still_accepts(&watch));
	watch_close(&watch);
	end(pid);
}

Test(watch, accept_on_another_socket_does_not_count)
{
	pid_t pid = start(accept_elsewhere);
	struct watch_socket sockets[8];
	size_t n = 0;
	int i;

	cr_assert_eq(watch_open(&watch, pid), 0);
	/* It has opened its socket and calls accept(2) soon. */
	while (n < 3)
		cr_assert_eq(watch_sockets(&watch, sockets, 8, &n), 0);
	until(&tasks.total, 1, "one task");
	while (procfs_sample(pid) != PROCFS_ELSEWHERE)
		;
	for (i = 0; i < 100; i++) {
		cr_assert_eq(sample(), 0);
		cr_expect_eq(tasks.accepting, 0);
	}
	watch_close(&watch);
	end(pid);
}

static void *
accept_thread(void *arg)
{
	int fd = accept(0, NULL, NULL);
	char c;

	/* 'x': starts another thread before it exits. */
	if (read(fd, &c, 1) == 1 && c == 'x') {
		pthread_t t;

		(void)pthread_create(&t, NULL, accept_thread, NULL);
		(void)pthread_detach(t);
	}
	close(fd);
	return arg;
}

static void
five_threads(void)
{
	pthread_t t;
	int i;

	for (i = 0; i < 5; i++)
		if (pthread_create(&t, NULL, accept_thread, NULL) == 0)
			(void)pthread_detach(t);
}

static void
many_threads(void)
{
	five_threads();
	five_threads();
	five_threads();
}

static void
send_to_one_thread(char c)
{
	struct sockaddr_un un = {0};
	socklen_t len = sizeof(un);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(getsockname(listener, (struct sockaddr *)&un, &len), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&un, len), 0);
	until(&tasks.reading, 1, "a thread reads");
	cr_assert_eq(write(fd, &c, 1), 1);
	close(fd);
}

Test(watch, counts_threads_that_start_and_exit)
{
	pid_t pid = start(five_threads);

	cr_assert_eq(watch_open(&watch, pid), 0);
	until(&tasks.accepting, 5, "five threads accept");
	cr_expect_eq(tasks.total, 6);
	send_to_one_thread('q');
	until(&tasks.total, 5, "one has exited");
	until(&tasks.accepting, 4, "the others accept");
	/* The number of threads stays, but one is another. */
	send_to_one_thread('x');
	until(&tasks.accepting, 4, "four accept again");
	until(&tasks.total, 5, "the thread that started it has exited");
	cr_expect_eq(tasks.accepting, 4);
	cr_expect_eq(tasks.unreadable, 0);
	watch_close(&watch);
	end(pid);
}

Test(watch, counts_more_threads_than_it_keeps_open)
{
	pid_t pid = start(many_threads);

	cr_assert_eq(watch_open(&watch, pid), 0);
	until(&tasks.accepting, 15, "fifteen threads accept");
	cr_expect_eq(tasks.total, 16);
	cr_expect_eq(watch.ntasks, 0, "none is kept open");
	send_to_one_thread('x');
	until(&tasks.accepting, 15, "fifteen again");
	watch_close(&watch);
	end(pid);
}

Test(watch, a_process_that_has_exited_is_esrch)
{
	pid_t pid = start(accept_on_0);
	struct watch_socket sockets[8];
	size_t n;

	cr_assert_eq(watch_open(&watch, pid), 0);
	until(&tasks.accepting, 1, "accept");
	end(pid);
	cr_expect_eq(sample(), -1);
	cr_expect_eq(errno, ESRCH);
	cr_expect_eq(watch_sockets(&watch, sockets, 8, &n), -1);
	cr_expect_eq(errno, ESRCH);
	watch_close(&watch);
	cr_expect_eq(watch_open(&watch, pid), -1);
	cr_expect_eq(errno, ESRCH);
	cr_expect_eq(watch.pid, 0);
	watch_close(&watch);
}

Test(watch, closes_all_its_descriptors)
{
	pid_t pid = start(five_threads);
	struct watch_socket sockets[8];
	size_t before = count_descriptors(), n;

	cr_assert_eq(watch_open(&watch, pid), 0);
	until(&tasks.accepting, 5, "five threads accept");
	cr_assert_eq(watch_sockets(&watch, sockets, 8, &n), 0);
	(void)watch_kind(&watch, &sockets[0]);
	watch_close(&watch);
	watch_close(&watch);
	cr_expect_eq(count_descriptors(), before);
	end(pid);
}

static void
hide(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0);
	accept_on_0();
}

/* Like a process of another user, without the rights of ptrace(2). */
Test(watch, reports_a_process_without_permission)
{
	pid_t pid = start(hide);
	struct watch_socket sockets[8];
	uint64_t bytes = 0;
	size_t n;

	if (geteuid() == 0)
		give_up_ptrace();
	cr_assert_eq(watch_open(&watch, pid), 0);
	until(&tasks.unreadable, 1, "unreadable");
	cr_expect(tasks.err == EACCES || tasks.err == EPERM, "%s",
		strerror(tasks.err));
	cr_expect_eq(tasks.accepting, 0);
	cr_expect_eq(watch_sockets(&watch, sockets, 8, &n), -1);
	cr_expect(errno == EACCES || errno == EPERM);
	/* On Linux 6.17, CAP_PERFMON is enough to read it, which root has. */
	cr_expect(procfs_memory(pid, &bytes) == PROCFS_MEMORY_RSS ||
		geteuid() == 0);
	cr_expect_gt(bytes, 0);
	watch_close(&watch);
	end(pid);
}

/* -- sockets --------------------------------------------------------------- */

static void
open_sockets(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0);

	dup2(tcp, 0);
	(void)close_range(3, ~0U, 0);
	(void)socket(AF_INET, SOCK_STREAM, 0);		/* 3 */
	(void)socket(AF_UNIX, SOCK_STREAM, 0);		/* 4 */
	(void)socket(AF_UNIX, SOCK_DGRAM, 0);		/* 5 */
	(void)socket(AF_INET, SOCK_DGRAM, 0);		/* 6 */
	(void)open("/dev/null", O_RDONLY);		/* 7 */
	(void)dup2(0, 1);
	(void)dup2(0, 2);
	for (;;)
		pause();
}

static bool
lists(const struct watch_socket *s, size_t n, int fd, size_t *ret)
{
	for (*ret = 0; *ret < n; ++*ret)
		if (s[*ret].fd == fd)
			return true;
	return false;
}

Test(watch, lists_sockets_and_their_kinds)
{
	static const struct {
		int fd;
		enum watch_kind kind;
	} rows[] = {{3, WATCH_KIND_TCP}, {4, WATCH_KIND_UNIX},
		{5, WATCH_KIND_UNIX}, {6, WATCH_KIND_OTHER}};
	struct watch_socket s[16], other;
	size_t n = 0, i, at;
	pid_t pid;

	listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid = start(open_sockets);
	cr_assert_eq(watch_open(&watch, pid), 0);
	/* The last descriptor it opens is a file. */
	for (;;) {
		char path[64], link[64] = "";

		snprintf(path, sizeof(path), "/proc/%d/fd/7", (int)pid);
		if (readlink(path, link, sizeof(link) - 1) > 0 &&
			strcmp(link, "/dev/null") == 0)
			break;
	}
	while (n != 7)
		cr_assert_eq(watch_sockets(&watch, s, 16, &n), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert(lists(s, n, rows[i].fd, &at));
		cr_expect_eq(watch_kind(&watch, &s[at]), rows[i].kind,
			"descriptor %d", rows[i].fd);
	}
	cr_expect_not(lists(s, n, 7, &at));
	other = s[0];
	other.ino ^= 1;
	cr_expect_eq(watch_kind(&watch, &other), WATCH_KIND_GONE);
	other.fd = 7;
	cr_expect_eq(watch_kind(&watch, &other), WATCH_KIND_GONE);
	other.fd = 99;
	cr_expect_eq(watch_kind(&watch, &other), WATCH_KIND_GONE);
	cr_expect_eq(watch_sockets(&watch, s, 6, &n), -1);
	cr_expect_eq(errno, E2BIG);
	watch_close(&watch);
	end(pid);
}

/* -- children -------------------------------------------------------------- */

static void
have_children(void)
{
	int i;

	for (i = 0; i < 3; i++)
		if (fork() == 0)
			return;
}

Test(watch, lists_the_children_of_a_process)
{
	pid_t pid = start(have_children), kids[8];
	size_t n = 0, i;

	cr_assert_eq(watch_open(&watch, pid), 0);
	while (n != 3)
		cr_assert_eq(watch_children(&watch, kids, 8, &n), 0);
	cr_expect_eq(watch_children(&watch, kids, 2, &n), -1);
	cr_expect_eq(errno, E2BIG);
	for (i = 0; i < 3; i++)
		cr_expect_eq(kill(kids[i], SIGKILL), 0);
	watch_close(&watch);
	end(pid);
}

static void
have_many_children(void)
{
	int i;

	for (i = 0; i < 200; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			return;
		}
}

/* Their PIDs do not fit into one read. */
Test(watch, more_children_than_fit_is_e2big)
{
	static pid_t kids[1000];
	size_t n = 0;
	pid_t pid;

	pid = start(have_many_children);
	cr_assert_eq(watch_open(&watch, pid), 0);
	while (watch_children(&watch, kids, 1000, &n) == 0)
		cr_expect_leq(n, 200);
	cr_expect_eq(errno, E2BIG);
	watch_close(&watch);
	end(pid);
}
