/*
 * test_descendants.c - which descendants of a worker are killed
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "sys/procfs.h"
#include "timeout/descendants.h"

/* A worker and its descendants; each waits until the test has ended. */
enum { LEADER, CHILD, GRANDCHILD, GREAT_GRANDCHILD, LEFT_SESSION, SIBLING,
	PROCESSES };

struct tree {
	pid_t pids[PROCESSES];
	int endfd;		/* a pipe that is closed when the test ends */
	int holdfd;		/* its other end, which only the test has */
	int pidfd;		/* a pipe to which they write their pids */
};

static void
write_pid(const struct tree *t, int which)
{
	const pid_t line[2] = {which, getpid()};

	if (write(t->pidfd, line, sizeof(line)) != (ssize_t)sizeof(line))
		_exit(1);
}

/* Parents do not exit, so that their children keep them. */
static void
grow(const struct tree *t)
{
	char byte;

	if (fork() == 0) {
		close(t->holdfd);
		setsid();
		write_pid(t, LEADER);
		if (fork() == 0)
			write_pid(t, SIBLING);
		else if (fork() == 0) {
			write_pid(t, CHILD);
			if (fork() == 0) {
				write_pid(t, GRANDCHILD);
				if (fork() == 0)
					write_pid(t, GREAT_GRANDCHILD);
			} else if (fork() == 0) {
				setsid();
				write_pid(t, LEFT_SESSION);
			}
		}
		while (read(t->endfd, &byte, 1) > 0)
			continue;
		_exit(0);
	}
}

static struct tree
plant(void)
{
	int ends[2], pids[2], i;
	struct tree t = {0};
	pid_t line[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(pids, O_CLOEXEC), 0);
	t.endfd = ends[0];
	t.holdfd = ends[1];
	t.pidfd = pids[1];
	grow(&t);
	for (i = 0; i < PROCESSES; i++) {
		cr_assert_eq(read(pids[0], line, sizeof(line)),
			(ssize_t)sizeof(line));
		t.pids[line[0]] = line[1];
	}
	return t;
}

static bool
lives(pid_t pid)
{
	char state = procfs_state(pid);

	return state != 0 && state != 'Z' && state != 'X';
}

static void
wait_for_end(pid_t pid)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	while (lives(pid))
		nanosleep(&moment, NULL);
}

TestSuite(descendants, .timeout = 10);

Test(descendants, are_identified_by_their_session)
{
	const struct tree t = plant();
	pid_t worker = t.pids[LEADER];

	cr_expect(descendants_include(worker, worker));
	cr_expect(descendants_include(worker, t.pids[GREAT_GRANDCHILD]));
	cr_expect(!descendants_include(worker, t.pids[LEFT_SESSION]));
	cr_expect(!descendants_include(worker, getpid()));
	cr_expect(!descendants_include(getsid(0), 0), "0 is this process");
	cr_expect(!descendants_include(getsid(0), -1));
}

Test(descendants, are_killed_with_their_own_descendants_only)
{
	const struct tree t = plant();

	descendants_kill(t.pids[LEADER], t.pids[CHILD]);
	wait_for_end(t.pids[CHILD]);
	wait_for_end(t.pids[GRANDCHILD]);
	wait_for_end(t.pids[GREAT_GRANDCHILD]);
	cr_expect(lives(t.pids[LEADER]));
	cr_expect(lives(t.pids[SIBLING]));
	cr_expect(lives(t.pids[LEFT_SESSION]));
}

Test(descendants, of_another_session_are_not_killed)
{
	const struct tree ours = plant(), others = plant();

	descendants_kill(ours.pids[LEADER], others.pids[CHILD]);
	/* If the others were killed too, they would have died before. */
	descendants_kill(ours.pids[LEADER], ours.pids[SIBLING]);
	wait_for_end(ours.pids[SIBLING]);
	cr_expect(lives(others.pids[CHILD]));
	cr_expect(lives(others.pids[GRANDCHILD]));
}
