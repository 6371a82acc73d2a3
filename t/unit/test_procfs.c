/*
 * test_procfs.c - single facts about a process, read from /proc
 *
 * The processes are forks of the test, which do one thing and stop.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/procfs.h"

TestSuite(procfs, .timeout = 30);

/* Starts a process that runs fn and then stops itself. */
static pid_t
start(void (*fn)(void))
{
	pid_t pid = fork();
	int status = 0;

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn();
		raise(SIGSTOP);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_assert(WIFSTOPPED(status));
	return pid;
}

static void
end(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void *
sleep_on(void *arg)
{
	pause();
	return arg;
}

static void
have_threads(void)
{
	pthread_t t;
	int i;

	for (i = 0; i < 2; i++)
		if (pthread_create(&t, NULL, sleep_on, NULL) == 0)
			(void)pthread_detach(t);
}

Test(procfs, lists_the_tasks_of_a_process)
{
	pid_t pid = start(have_threads), tids[8];
	size_t i;

	cr_assert_eq(procfs_list_tasks(pid, tids, 8), 3);
	cr_expect_eq(tids[0], pid);
	cr_expect_eq(procfs_state(pid), 'T');
	for (i = 0; i < 3; i++)
		cr_expect_eq(procfs_task_state(pid, tids[i]), 'T');
	cr_expect_eq(procfs_list_tasks(pid, tids, 2), 2, "at most max");
	end(pid);
	cr_expect_eq(procfs_list_tasks(pid, tids, 8), 0);
	cr_expect_eq(procfs_state(pid), 0);
}

#define BALLAST (8U << 20)

static void
take_memory(void)
{
	char *p = mmap(NULL, BALLAST, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, BALLAST);
}

Test(procfs, reads_the_memory_of_a_process)
{
	pid_t pid = start(take_memory);
	uint64_t bytes = 0;

	cr_expect_eq(procfs_memory(pid, &bytes), PROCFS_MEMORY_PSS);
	cr_expect_gt(bytes, BALLAST);
	cr_expect_lt(bytes, 16ULL * BALLAST);
	end(pid);
	cr_expect_eq(procfs_memory(pid, &bytes), PROCFS_MEMORY_UNKNOWN);
}

Test(procfs, detects_static_programs_by_the_auxiliary_vector)
{
	errno = 0;
	cr_expect_eq(procfs_is_static(getpid()), 0);
	cr_expect_eq(procfs_is_static(-1), -1);
	cr_expect_eq(errno, ENOENT);
}

/* A process that has exited and is not reaped yet. */
Test(procfs, a_zombie_has_no_memory)
{
	uint64_t bytes = 7;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		for (;;)
			pause();
	cr_expect_neq(procfs_memory(pid, &bytes), PROCFS_MEMORY_UNKNOWN);
	cr_expect_gt(bytes, 4096);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	while (procfs_state(pid) != 'Z')
		;
	cr_expect_eq(procfs_memory(pid, &bytes), PROCFS_MEMORY_UNKNOWN);
	cr_expect_neq(procfs_sample(pid), PROCFS_ACCEPTING);
	cr_expect_not(procfs_accepts_alone(pid));
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(procfs_memory(pid, &bytes), PROCFS_MEMORY_UNKNOWN);
	cr_expect_eq(procfs_state(pid), 0);
	cr_expect_eq(procfs_cpu_ms(pid), -1);
}
