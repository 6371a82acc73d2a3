/*
 * test_procsignal.c - signals to a child and its process group
 *
 * Uses a real-time signal: a second pending one is not lost (signal(7)).
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/procsignal.h"

static int out;

static void
on_signal(int signo)
{
	(void)signo;
	(void)!write(out, "s", 1);
}

/* Writes "r" when it is ready, and "s" for each signal; exits at the end of
 * in. */
static void
answer_signals(int in)
{
	struct sigaction sa = {.sa_handler = on_signal};
	char byte;

	sigaction(SIGRTMIN, &sa, NULL);
	(void)!write(out, "r", 1);
	while (read(in, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

enum where { PARENT_GROUP, OWN_GROUP, LEFT_ITS_GROUP };

struct child {
	pid_t pid, second;	/* second: in its group; 0 = none */
	int in, out;		/* the test's ends of its two pipes */
};

static void
start(struct child *c, enum where where, bool second)
{
	int in[2], answers[2], pids[2];
	char byte;
	int i;

	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(answers, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(pids, O_CLOEXEC), 0);
	c->second = 0;
	c->pid = fork();
	cr_assert_geq(c->pid, 0);
	if (c->pid == 0) {
		close(in[1]);
		out = answers[1];
		if (where != PARENT_GROUP)
			setpgid(0, 0);
		if (second) {
			c->second = fork();
			if (c->second == 0)
				answer_signals(in[0]);
		}
		(void)!write(pids[1], &c->second, sizeof(c->second));
		if (where == LEFT_ITS_GROUP)
			setpgid(0, getpgid(getppid()));
		answer_signals(in[0]);
	}
	cr_assert_eq(read(pids[0], &c->second, sizeof(c->second)),
		(ssize_t)sizeof(c->second));
	close(in[0]);
	close(answers[1]);
	close(pids[0]);
	close(pids[1]);
	c->in = in[1];
	c->out = answers[0];
	for (i = 0; i < 1 + second; i++) {
		cr_assert_eq(read(c->out, &byte, 1), 1);
		cr_assert_eq(byte, 'r');
	}
}

/* Ends all of them; returns how many signals they received. */
static size_t
end(struct child *c)
{
	char text[16];
	size_t n = 0;
	ssize_t got;

	close(c->in);
	while ((got = read(c->out, text, sizeof(text))) > 0)
		n += (size_t)got;
	close(c->out);
	cr_expect_eq(waitpid(c->pid, NULL, 0), c->pid);
	return n;
}

Test(procsignal, each_process_of_a_group_gets_one_signal)
{
	struct child c;

	start(&c, OWN_GROUP, true);
	procsignal_group(c.pid, -1, SIGRTMIN);
	cr_expect_eq(end(&c), 2);
}

Test(procsignal, a_child_without_a_group_gets_the_signal_itself)
{
	struct child c;
	int pidfd;

	start(&c, PARENT_GROUP, true);
	procsignal_group(c.pid, -1, SIGRTMIN);
	cr_expect_eq(end(&c), 1);
	start(&c, PARENT_GROUP, true);
	pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
	cr_assert_geq(pidfd, 0);
	procsignal_group(c.pid, pidfd, SIGRTMIN);
	cr_expect_eq(end(&c), 1);
	close(pidfd);
}

/* Its own child stays in the group. */
Test(procsignal, a_child_that_left_its_group_is_killed_with_it)
{
	struct child c;
	int pidfd, status = 0;
	char byte;

	start(&c, LEFT_ITS_GROUP, true);
	pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
	cr_assert_geq(pidfd, 0);
	procsignal_group(c.pid, pidfd, SIGKILL);
	cr_expect_eq(waitpid(c.pid, &status, 0), c.pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* The second process is killed too: no writer is left. */
	cr_expect_eq(read(c.out, &byte, 1), 0);
	cr_expect_lt(procsignal_process(pidfd, SIGRTMIN), 0);
	cr_expect_eq(errno, ESRCH);
	close(pidfd);
	close(c.in);
	close(c.out);
}

Test(procsignal, pid_1_aborts, .signal = SIGABRT)
{
	procsignal_group(1, -1, 0);
}
