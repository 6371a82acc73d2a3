/*
 * deny.c - runs a program in which a system call fails, as on old kernels and
 * in sandboxes: deny openat2|netlink ERRNO PROGRAM [ARG]...
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field)                                                           \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                    \
		offsetof(struct seccomp_data, field))

/* Makes calls of this number fail, or only those with this first argument. */
static int
deny(unsigned nr, int arg, unsigned err)
{
	struct sock_filter code[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, arg < 0 ? 1 : 3),
		LOAD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)arg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = 6, .filter = code};

	if (arg < 0) {
		code[2] = code[4];
		code[3] = code[5];
		prog.len = 4;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0) {
		perror("prctl");
		return 71;
	}
	return 0;
}

static unsigned
number_of(const char *name)
{
	static const int known[] = {ENOSYS, EPERM, EAFNOSUPPORT};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, strerrorname_np(known[i])) == 0)
			return (unsigned)known[i];
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned err = argc > 3 ? number_of(argv[2]) : 0;
	int rc = 64;

	if (err && strcmp(argv[1], "openat2") == 0)
		rc = deny(SYS_openat2, -1, err);
	else if (err && strcmp(argv[1], "netlink") == 0)
		rc = deny(SYS_socket, AF_NETLINK, err);
	else
		fprintf(stderr, "deny openat2|netlink ENOSYS|EPERM|"
			"EAFNOSUPPORT PROGRAM [ARG]...\n");
	if (rc != 0)
		return rc;
	execv(argv[3], argv + 3);
	perror(argv[3]);
	return 71;
}
