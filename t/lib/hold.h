/*
 * hold.h - holds a system call of child processes until the test continues it
 */
#ifndef FCGIPM_T_HOLD_H
#define FCGIPM_T_HOLD_H

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * hold_call - hold this system call in all later child processes
 *
 * The test process must not make the call itself.  Skips the test if the kernel
 * does not allow it.
 *
 * returns	the descriptor for notifications, see seccomp_unotify(2)
 */
static inline int
hold_call(unsigned number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = 4, .filter = code};
	int fd = -1;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
	if (fd < 0)
		cr_skip_test("no filter of system calls: %s", strerror(errno));
	return fd;
}

#endif
