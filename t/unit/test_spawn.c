/*
 * test_spawn.c - children on their way to exec, many at once
 *
 * A filter of system calls holds each of them in chdir(2), which we do not
 * call ourselves, until it is let go (seccomp_unotify(2)).
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

/* More than may share our memory at once. */
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

/* One that says its number; all but the number is the same for all. */
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
	/* It may not look at these any more. */
	memset(own_env, 'x', sizeof(own_env) - 1);
	memset(fds, -1, sizeof(fds));
	memset(&spec, 0, sizeof(spec));
}

/* Until it is in chdir. */
static void
hold(struct child *c)
{
	struct pollfd ready = {.fd = holder, .events = POLLIN};

	cr_assert_eq(poll(&ready, 1, 20000), 1);
	memset(&c->held, 0, sizeof(c->held));
	cr_assert_eq(ioctl(holder, SECCOMP_IOCTL_NOTIF_RECV, &c->held), 0);
	cr_assert_eq(c->held.pid, (__u32)c->pid);
}

/* err > 0: its chdir fails with that */
static void
let_go(struct child *c, int err)
{
	struct seccomp_notif_resp answer = {.id = c->held.id, .error = -err,
		.flags = err ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	cr_assert_eq(ioctl(holder, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
}

/* What it failed with; step "" when it has executed. */
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

Test(spawn, nobody_waits_for_those_that_are_held, .timeout = 60)
{
	size_t i;

	start_all();
	/* Backwards, so that none has the place of the one before. */
	for (i = MANY; i-- > 0;)
		let_go(&children[i], 0);
	for (i = 0; i < MANY; i++) {
		cr_expect_str_eq(result(&children[i]).step, "");
		expect_number(&children[i]);
		end(&children[i]);
	}
}

Test(spawn, a_step_that_fails_is_told_by_each, .timeout = 60)
{
	struct spawn_error e;
	size_t i;

	start_all();
	for (i = 0; i < MANY; i++)
		let_go(&children[i], 100 + (int)i);
	for (i = 0; i < MANY; i++) {
		e = result(&children[i]);
		cr_expect_str_eq(e.step, "chdir");
		cr_expect_eq(e.err, 100 + (int)i);
		end(&children[i]);
	}
}

Test(spawn, so_many_share_our_memory, .timeout = 60)
{
	size_t i;

	start_all();
	cr_expect_eq(how_many_share(), RAW_KEEPS_ERRNO ? SHARE : 0);
	/* A place is free again when its child is dead, or has executed. */
	end(&children[0]);
	start(&children[0], NULL, true);
	hold(&children[0]);
	let_go(&children[1], 0);
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

Test(spawn, descriptors_of_others_stay_behind, .timeout = 60)
{
	size_t before, i;

	if (!RAW_KEEPS_ERRNO ||
		syscall(SYS_close_range, ~0U, ~0U, 0) < 0)
		cr_skip_test("a child has a copy of all here");
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
		let_go(&children[i], 0);
		expect_number(&children[i]);
		end(&children[i]);
	}
}

/* What would it be for, but to be run, or stood in? */
Test(spawn, what_is_run_and_stood_in_comes_along, .timeout = 60)
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

/* Stops whoever is held, and lets it be. */
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

/* As one that was stopped together with us, and only we went on. */
Test(spawn, one_that_keeps_our_descriptors_is_killed, .timeout = 60)
{
	struct child *c = &children[0];
	struct spawn_error e;
	int status = 0;
	pid_t stopper;

	if (!RAW_KEEPS_ERRNO ||
		syscall(SYS_close_range, ~0U, ~0U, 0) < 0)
		cr_skip_test("a child has a copy of all here");
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

/* clone(2) and clone3(2) fail from now on, ours too. */
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
		cr_skip_test("no filter of system calls: %s", strerror(errno));
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

Test(spawn, what_does_not_last_is_not_shared, .timeout = 60)
{
	hold_chdir();
	start(&children[0], NULL, false);
	hold(&children[0]);
	cr_expect(!shares_memory(&children[0]));
	let_go(&children[0], 0);
	expect_number(&children[0]);
	end(&children[0]);
}

/* Somebody else's child shares it only where nobody else can look into it. */
Test(spawn, somebody_else_cannot_look_into_it, .timeout = 60)
{
	gid_t group = 65534;
	const struct privs nobody = {.set_ids = true, .uid = 65534,
		.gid = 65534, .groups = &group, .ngroups = 1};

	if (geteuid() != 0)
		cr_skip_test("only root starts others");
	hold_chdir();
	start(&children[0], &nobody, true);
	hold(&children[0]);
	cr_expect(!shares_memory(&children[0]) ||
		prctl(PR_GET_DUMPABLE) != 1);
	let_go(&children[0], 0);
	expect_number(&children[0]);
	end(&children[0]);
}
