/*
 * test_unwatched.c - no child is left when epoll accepts no descriptor
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "timeout/backtrace.h"
#include "worker/worker.h"

/* As if /proc/sys/fs/epoll/max_user_watches were reached. */
static void
fill_epoll(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = 4, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		cr_skip_test("no filter of system calls: %s", strerror(errno));
}

static void
expect_nothing_left(size_t before)
{
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_expect_eq(errno, ECHILD);
	cr_expect_eq(count_descriptors(), before);
}

Test(unwatched, a_worker_is_not_started, .timeout = 20)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	char *const env[] = {NULL};
	const int fds[] = {0, 1, 2};
	const struct spawn_spec spec = {.path = "/bin/sleep", .execfd = -1,
		.argv = (char *const *)argv, .envp = env, .fds = fds, .nfds = 3,
		.cwdfd = -1,
		.new_session = true, .lasting = true};
	const struct worker_ops ops = {0};
	struct loop *loop = loop_new();
	struct worker w;
	size_t before;

	cr_assert_eq(spawn_reserve(), 0);
	worker_init(&w, loop, "www", 0, false, &ops, NULL);
	before = count_descriptors();
	fill_epoll();
	cr_expect_eq(worker_start(&w, &spec), -1);
	cr_expect_eq(errno, ENOSPC, "%s", strerror(errno));
	cr_expect(!worker_alive(&w));
	expect_nothing_left(before);
	loop_free(&loop);
}

static void
on_done(struct backtrace *b, const char *text)
{
	(void)b;
	cr_expect_fail("%s", text);
}

Test(unwatched, a_backtrace_tool_is_not_started, .timeout = 20)
{
	struct loop *loop = loop_new();
	struct backtrace b;
	size_t before;
	const char *why;

	backtrace_init(&b, loop, geteuid(), getegid(), on_done);
	if (!b.tool)
		cr_skip_test("neither eu-stack nor gdb is installed");
	before = count_descriptors();
	fill_epoll();
	why = backtrace_start(&b, getpid(), getsid(0));
	cr_assert_not_null(why);
	cr_expect_str_eq(why, "cannot watch the tool with epoll; see "
		"fs.epoll.max_user_watches");
	cr_expect(!backtrace_runs(&b));
	expect_nothing_left(before);
	loop_free(&loop);
}

/* The PID alone does not identify the process to inspect. */
Test(unwatched, a_process_of_another_session_is_not_inspected, .timeout = 20)
{
	struct loop *loop = loop_new();
	struct backtrace b;

	backtrace_init(&b, loop, geteuid(), getegid(), on_done);
	if (!b.tool)
		cr_skip_test("neither eu-stack nor gdb is installed");
	cr_expect_str_eq(backtrace_start(&b, getpid(), getsid(0) + 1),
		"the process is not in the worker's session");
	cr_expect(!backtrace_runs(&b));
	loop_free(&loop);
}
