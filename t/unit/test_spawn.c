/*
 * test_spawn.c - children before their exec, many at the same time
 *
 * A system call filter holds each child in chdir(2), which the test itself does
 * not call, until the test releases it (seccomp_unotify(2)).
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "hold.h"
#include "sys/raw.h"
#include "sys/spawn.h"

/* More children than may share the memory at the same time. */
#define MANY 20
#define SHARE 16

struct child {
	pid_t pid;
	int pidfd, errfd, outfd;
	struct seccomp_notif held;
};

static struct child children[MANY];
static int holder = -1;

static void
hold_chdir(void)
{
	cr_assert_eq(spawn_reserve(), 0);
	holder = hold_call(SYS_chdir);
}

/* Starts a child that prints its number; all else is the same for all. */
static void
start(struct child *c, const struct privs *privs, bool lasting)
{
	static const char *const argv[] = {"sh", "-c", "echo $N", NULL};
	static const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
	char own_env[32];
	int fds[] = {0, -1, 2};
	struct spawn_spec spec = {.path = "/bin/sh", .execfd = -1,
		.argv = (char *const *)argv, .envp = (char *const *)envp,
		.own_env = own_env, .fds = fds,
		.nfds = 3, .cwd = "/", .cwdfd = -1, .new_session = true,
		.privs = privs, .lasting = lasting};

	snprintf(own_env, sizeof(own_env), "N=%td", c - children);
	cr_assert_eq(fd_pipe(0, 0, &c->outfd, &fds[1]), 0);
	c->pid = spawn_start(&spec, &c->pidfd, &c->errfd);
	cr_assert_gt(c->pid, 0, "%s", strerror(errno));
	close(fds[1]);
	/* The child must not read these any more. */
	memset(own_env, 'x', sizeof(own_env) - 1);
	memset(fds, -1, sizeof(fds));
	memset(&spec, 0, sizeof(spec));
}

/* Waits until the child is in chdir(2). */
static void
hold(struct child *c)
{
	struct pollfd ready = {.fd = holder, .events = POLLIN};

	cr_assert_eq(poll(&ready, 1, 20000), 1);
	memset(&c->held, 0, sizeof(c->held));
	cr_assert_eq(ioctl(holder, SECCOMP_IOCTL_NOTIF_RECV, &c->held), 0);
	cr_assert_eq(c->held.pid, (__u32)c->pid);
}

/* Releases the child; err > 0: its chdir(2) fails with err. */
static void
release(struct child *c, int err)
{
	struct seccomp_notif_resp answer = {.id = c->held.id, .error = -err,
		.flags = err ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	cr_assert_eq(ioctl(holder, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
}

/* The step that failed; step "" when the child has executed. */
static struct spawn_error
result(struct child *c)
{
	struct pollfd ready = {.fd = c->errfd, .events = POLLIN};
	struct spawn_error e = {.step = ""};

	cr_assert_eq(poll(&ready, 1, 20000), 1);
	if (read(c->errfd, &e, sizeof(e)) != (ssize_t)sizeof(e))
		e.step[0] = '\0';
	return e;
}

static void
end(struct child *c)
{
	(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
	cr_assert_eq(waitpid(c->pid, NULL, 0), c->pid);
	close(c->pidfd);
	close(c->errfd);
	close(c->outfd);
}

static void
expect_number(struct child *c)
{
	char want[32], got[32] = "";

	snprintf(want, sizeof(want), "%td\n", c - children);
	cr_expect_eq(read(c->outfd, got, sizeof(got) - 1),
		(ssize_t)strlen(want));
	cr_expect_str_eq(got, want);
}

static bool
shares_memory(const struct child *c)
{
	long rc = syscall(SYS_kcmp, getpid(), c->pid, KCMP_VM, 0, 0);

	if (rc < 0)
		cr_skip_test("kcmp: %s", strerror(errno));
	return rc == 0;
}

static int
how_many_share(void)
{
	int n = 0;
	size_t i;

	for (i = 0; i < MANY; i++)
		n += shares_memory(&children[i]);
	return n;
}

static void
start_all(void)
{
	size_t i;

	hold_chdir();
	for (i = 0; i < MANY; i++) {
		start(&children[i], NULL, true);
		hold(&children[i]);
	}
}

Test(spawn, children_that_are_held_delay_no_other, .timeout = 60)
{
	size_t i;

	start_all();
	/* In reverse of the order of their start. */
	for (i = MANY; i-- > 0;)
		release(&children[i], 0);
	for (i = 0; i < MANY; i++) {
		cr_expect_str_eq(result(&children[i]).step, "");
		expect_number(&children[i]);
		end(&children[i]);
	}
}

Test(spawn, each_child_reports_its_failed_step, .timeout = 60)
{
	struct spawn_error e;
	size_t i;

	start_all();
	for (i = 0; i < MANY; i++)
		release(&children[i], 100 + (int)i);
	for (i = 0; i < MANY; i++) {
		e = result(&children[i]);
		cr_expect_str_eq(e.step, "chdir");
		cr_expect_eq(e.err, 100 + (int)i);
		end(&children[i]);
	}
}

Test(spawn, sixteen_children_share_the_memory, .timeout = 60)
{
	size_t i;

	start_all();
	cr_expect_eq(how_many_share(), RAW_KEEPS_ERRNO ? SHARE : 0);
	/* A slot is free again when its child has exited or executed. */
	end(&children[0]);
	start(&children[0], NULL, true);
	hold(&children[0]);
	release(&children[1], 0);
	cr_expect_str_eq(result(&children[1]).step, "");
	end(&children[1]);
	start(&children[1], NULL, true);
	hold(&children[1]);
	cr_expect_eq(how_many_share(), RAW_KEEPS_ERRNO ? SHARE : 0);
	for (i = 0; i < MANY; i++)
		end(&children[i]);
}

static size_t
count_descriptors_of(pid_t pid)
{
	char path[32];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	cr_assert_not_null(dir, "%s: %s", path, strerror(errno));
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

Test(spawn, a_child_gets_few_of_the_parents_descriptors, .timeout = 60)
{
	size_t before, i;

	if (!RAW_KEEPS_ERRNO ||
		syscall(SYS_close_range, ~0U, ~0U, 0) < 0)
		cr_skip_test("here a child gets a copy of all descriptors");
	hold_chdir();
	start(&children[0], NULL, true);
	hold(&children[0]);
	before = count_descriptors_of(children[0].pid);
	for (i = 0; i < 200; i++)
		cr_assert_geq(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	start(&children[1], NULL, true);
	hold(&children[1]);
	cr_expect_leq(count_descriptors_of(children[1].pid), before + 5);
	for (i = 0; i < 2; i++) {
		release(&children[i], 0);
		expect_number(&children[i]);
		end(&children[i]);
	}
}

/* The descriptors of the program and of its directory are not closed early. */
Test(spawn, program_and_directory_descriptors_are_kept, .timeout = 60)
{
	static const char *const argv[] = {"sh", "-c", "pwd", NULL};
	static char *const envp[] = {NULL};
	const int dirfd = open("/usr", O_PATH | O_CLOEXEC);
	const int shfd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	int fds[] = {0, -1, 2}, readfd = -1, pidfd, errfd;
	struct spawn_spec spec = {.argv = (char *const *)argv, .envp = envp, .fds = fds,
		.nfds = 3, .new_session = true, .lasting = true};
	struct spawn_error e;
	char got[8] = "";
	pid_t pid;

	cr_assert_eq(spawn_reserve(), 0);
	cr_assert_eq(fd_pipe(0, 0, &readfd, &fds[1]), 0);
	spec.cwdfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 50);
	spec.execfd = fcntl(shfd, F_DUPFD_CLOEXEC, 60);
	pid = spawn_start(&spec, &pidfd, &errfd);
	cr_assert_gt(pid, 0, "%s", strerror(errno));
	close(fds[1]);
	cr_expect_eq(read(readfd, got, sizeof(got) - 1), 5);
	cr_expect_str_eq(got, "/usr\n");
	cr_expect_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_neq(read(errfd, &e, sizeof(e)), (ssize_t)sizeof(e));
}

/* Forks a process that stops the next held child and does not release it. */
static pid_t
start_stopper(void)
{
	struct seccomp_notif held = {0};
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(ioctl(holder, SECCOMP_IOCTL_NOTIF_RECV, &held) < 0 ||
			kill((pid_t)held.pid, SIGSTOP) < 0);
	return pid;
}

/* As after a stop of the whole process group from which only the parent
 * continues. */
Test(spawn, a_child_stopped_in_the_parents_table_is_killed, .timeout = 60)
{
	struct child *c = &children[0];
	struct spawn_error e;
	int status = 0;
	pid_t stopper;

	if (!RAW_KEEPS_ERRNO ||
		syscall(SYS_close_range, ~0U, ~0U, 0) < 0)
		cr_skip_test("here a child gets a copy of all descriptors");
	cr_assert_eq(spawn_reserve(), 0);
	holder = hold_call(SYS_close_range);
	stopper = start_stopper();
	start(c, NULL, true);
	cr_expect_eq(waitpid(stopper, &status, 0), stopper);
	cr_expect_eq(status, 0);
	cr_expect_eq(waitpid(c->pid, &status, 0), c->pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	cr_expect_eq(read(c->errfd, &e, sizeof(e)), 0);
}

/* Makes clone(2) and clone3(2) fail in this process. */
static void
deny_clone(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = 5, .filter = code};

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		cr_skip_test("no system call filter: %s", strerror(errno));
}

Test(spawn, a_failed_clone_leaves_no_descriptor, .timeout = 60)
{
	static const char *const argv[] = {"true", NULL};
	static const char *const envp[] = {NULL};
	const int fds[] = {0, 1, 2};
	struct spawn_spec spec = {.path = "/bin/true", .execfd = -1,
		.argv = (char *const *)argv, .envp = (char *const *)envp,
		.fds = fds, .nfds = 3, .cwd = "/", .cwdfd = -1};
	int pidfd = -1, errfd = -1, i;
	size_t before;

	cr_assert_eq(spawn_reserve(), 0);
	deny_clone();
	before = count_descriptors_of(getpid());
	for (i = 0; i < 4; i++) {
		spec.lasting = i % 2 == 0;
		cr_assert_lt(spawn_start(&spec, &pidfd, &errfd), 0);
		cr_expect_eq(errno, EAGAIN);
		cr_expect_eq(errfd, -1);
	}
	cr_expect_eq(count_descriptors_of(getpid()), before);
}

Test(spawn, a_spec_that_is_not_lasting_is_copied, .timeout = 60)
{
	hold_chdir();
	start(&children[0], NULL, false);
	hold(&children[0]);
	cr_expect(!shares_memory(&children[0]));
	release(&children[0], 0);
	expect_number(&children[0]);
	end(&children[0]);
}

/* A child with another user ID shares the memory only where processes of that
 * user cannot read it. */
Test(spawn, another_user_cannot_read_the_shared_memory, .timeout = 60)
{
	gid_t group = 65534;
	const struct privs nobody = {.set_ids = true, .uid = 65534,
		.gid = 65534, .groups = &group, .ngroups = 1};

	if (geteuid() != 0)
		cr_skip_test("needs root to change the user ID");
	hold_chdir();
	start(&children[0], &nobody, true);
	hold(&children[0]);
	cr_expect(!shares_memory(&children[0]) ||
		prctl(PR_GET_DUMPABLE) != 1);
	release(&children[0], 0);
	expect_number(&children[0]);
	end(&children[0]);
}
