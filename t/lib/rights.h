/*
 * rights.h - gives up capabilities of root, to test without them
 */
#ifndef FCGIPM_T_RIGHTS_H
#define FCGIPM_T_RIGHTS_H

#include <criterion/criterion.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Gives up CAP_SYS_PTRACE, which most containers lack. */
static inline void
give_up_ptrace(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	cr_assert_eq(syscall(SYS_capget, &head, data), 0);
	data[0].effective &= ~(1U << CAP_SYS_PTRACE);
	data[0].permitted &= ~(1U << CAP_SYS_PTRACE);
	cr_assert_eq(syscall(SYS_capset, &head, data), 0);
}

#endif
