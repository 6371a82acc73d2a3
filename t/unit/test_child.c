/*
 * test_child.c - descriptors, signals and directory of a started program
 *
 * Each test uses both spawn_start() and spawn_share().
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/spawn.h"

/* The maximum number of descriptors of a child. */
#define FDS 16

static struct spawn_shared shared;

TestSuite(child, .timeout = 30);

static const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};

static struct spawn_spec
spec_for(const char *const *argv, const int *fds, int nfds)
{
	return (struct spawn_spec){.path = "/bin/sh", .execfd = -1,
		.argv = (char *const *)(uintptr_t)argv,
		.envp = (char *const *)(uintptr_t)envp, .fds = fds,
		.nfds = nfds, .cwdfd = -1, .new_session = true};
}

/* Moves fd above the numbers that a child uses. */
static int
move_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	cr_assert_geq(up, 100);
	close(fd);
	return up;
}

/* Starts spec by spawn_share() or spawn_start().  Returns its pid, or -1 with
 * errno. */
static pid_t
run(const struct spawn_spec *spec, bool share)
{
	int pidfd = -1, errfd = -1;
	pid_t pid;

	if (share) {
		shared.spec = *spec;
		pid = spawn_share(&shared, true);
		errno = pid < 0 ? shared.error.err : 0;
		return pid;
	}
	pid = spawn_start(spec, &pidfd, &errfd);
	if (pid > 0) {
		close(pidfd);
		close(errfd);
	}
	return pid;
}

/* What a program writes; valid until the next call. */
static const char *
output_of(const char *path, const char *const *argv, bool share,
	bool new_session, pid_t *ret_pid)
{
	static char text[4096];
	int fds[3] = {0, -1, 2}, out;
	struct spawn_spec spec = spec_for(argv, fds, 3);
	size_t len = 0;
	ssize_t n;

	spec.path = path;
	spec.new_session = new_session;
	cr_assert_eq(fd_pipe(0, 0, &out, &fds[1]), 0);
	*ret_pid = run(&spec, share);
	cr_assert_gt(*ret_pid, 0, "%s", strerror(errno));
	close(fds[1]);
	while ((n = read(out, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(out);
	cr_assert_eq(waitpid(*ret_pid, NULL, 0), *ret_pid);
	return text;
}

/* Not with a shell, which unblocks signals itself. */
Test(child, no_signal_is_blocked)
{
	const char *const argv[] = {"cat", "/proc/self/status", NULL};
	const char *text;
	pid_t pid;
	int share;

	for (share = 0; share < 2; share++) {
		text = output_of("/bin/cat", argv, share, true, &pid);
		cr_expect(strstr(text, "\nSigBlk:\t0000000000000000\n"), "%s",
			text);
	}
}

/* proc_pid_stat(5): process group and session are the fifth and sixth field. */
Test(child, a_child_leads_a_session_or_a_process_group)
{
	const char *const argv[] = {"sh", "-c", "read -r stat </proc/$$/stat; "
		"set -- ${stat#*) }; echo $3 $4", NULL};
	int group, session, share, new_session;
	const char *text;
	pid_t pid;

	for (share = 0; share < 2; share++)
		for (new_session = 0; new_session < 2; new_session++) {
			text = output_of("/bin/sh", argv, share, new_session,
				&pid);
			cr_assert_eq(sscanf(text, "%d %d", &group, &session),
				2, "%s", text);
			cr_expect_eq(group, pid);
			cr_expect_eq(session, new_session ? pid :
							    getsid(0));
		}
}

/* The descriptors of the program and of its directory have numbers that are
 * targets of other descriptors in the child. */
Test(child, program_and_directory_may_be_given_as_any_descriptor)
{
	const char *const argv[] = {"sh", "-c", "pwd -P", NULL};
	int fds[FDS], out, null, share, i, exec, dir;
	char text[64] = "";
	struct spawn_spec spec;
	ssize_t n;

	for (share = 0; share < 2; share++) {
		spec = spec_for(argv, fds, FDS);
		exec = open("/bin/sh", O_RDONLY | O_CLOEXEC);
		dir = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		cr_assert(exec >= 0 && exec < FDS && dir >= 0 && dir < FDS,
			"%d %d", exec, dir);
		spec.execfd = exec;
		spec.cwdfd = dir;
		for (i = 0; i < FDS; i++)
			fds[i] = null;
		cr_assert_eq(fd_pipe(0, 0, &out, &fds[1]), 0);
		cr_assert_gt(run(&spec, share), 0, "%s: %s",
			shared.error.step, strerror(errno));
		close(fds[1]);
		n = read(out, text, sizeof(text) - 1);
		cr_expect_eq(n, 5, "%s", share ? "shared" : "started");
		cr_expect_str_eq(text, "/usr\n");
		close(out);
		close(exec);
		close(dir);
		close(null);
		cr_assert_gt(wait(NULL), 0);
	}
}

/* Each source is the target of the other: none may be lost. */
Test(child, descriptors_may_be_swapped)
{
	int fds[FDS], out[2], ends[2], at[2], share, i, n = 0;
	const char *argv[] = {"sh", "-c", NULL, NULL};
	struct spawn_spec spec;
	char script[100], text[16];

	/* Two free descriptor numbers. */
	for (i = 3; i < FDS && n < 2; i++)
		if (fcntl(i, F_GETFD) < 0)
			at[n++] = i;
	if (n < 2)
		cr_skip_test("the first %d descriptors are in use", FDS);
	snprintf(script, sizeof(script), "echo a >/proc/self/fd/%d; "
		"echo b >/proc/self/fd/%d", at[0], at[1]);
	argv[2] = script;
	for (share = 0; share < 2; share++) {
		for (i = 0; i < 2; i++) {
			cr_assert_eq(fd_pipe(0, 0, &out[i], &ends[i]), 0);
			out[i] = move_up(out[i]);
			ends[i] = move_up(ends[i]);
		}
		cr_assert_eq(dup3(ends[0], at[1], O_CLOEXEC), at[1]);
		cr_assert_eq(dup3(ends[1], at[0], O_CLOEXEC), at[0]);
		for (i = 0; i < FDS; i++)
			fds[i] = i < 3 ? i : 2;
		fds[at[0]] = at[1];
		fds[at[1]] = at[0];
		spec = spec_for(argv, fds, FDS);
		cr_assert_gt(run(&spec, share), 0, "%s", strerror(errno));
		close(at[0]);
		close(at[1]);
		for (i = 0; i < 2; i++) {
			close(ends[i]);
			memset(text, 0, sizeof(text));
			cr_expect_eq(read(out[i], text, sizeof(text) - 1), 2);
			cr_expect_str_eq(text, i == 0 ? "a\n" : "b\n");
			close(out[i]);
		}
		cr_assert_gt(wait(NULL), 0);
	}
}

Test(child, too_many_descriptors_or_too_long_a_variable_is_refused)
{
	const char *const argv[] = {"sh", "-c", "true", NULL};
	int fds[FDS + 1] = {0, 1, 2}, i;
	struct spawn_spec spec = spec_for(argv, fds, FDS);
	char own[64];
	pid_t pid;

	for (i = 3; i < FDS + 1; i++)
		fds[i] = 2;
	for (i = 0; i < 2; i++) {
		memset(own, 'x', sizeof(own));
		own[1] = '=';
		/* 31 bytes and the NUL fit, one more does not. */
		own[31 + i] = '\0';
		spec.own_env = own;
		pid = run(&spec, false);
		cr_expect_eq(pid > 0, i == 0, "%d", i);
		if (pid < 0)
			cr_expect_eq(errno, EINVAL);
		else
			cr_assert_eq(waitpid(pid, NULL, 0), pid);
	}
	spec.own_env = NULL;
	spec.nfds = FDS + 1;
	cr_expect_eq(run(&spec, false), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(run(&spec, true), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_str_eq(shared.error.step, "fds");
}
