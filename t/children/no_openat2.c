/*
 * no_openat2.c - no_openat2 ENOSYS|EPERM PROGRAM [ARG]...: runs it where
 * openat2(2) fails so, as old kernels and the sandboxes of containers do.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	unsigned err = argc > 1 && strcmp(argv[1], "EPERM") == 0 ? EPERM :
								   ENOSYS;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = 4, .filter = code};

	if (argc < 3) {
		fprintf(stderr, "no_openat2 ENOSYS|EPERM PROGRAM [ARG]...\n");
		return 64;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0) {
		perror("prctl");
		return 71;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 71;
}
