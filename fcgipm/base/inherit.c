/*
 * inherit.c - resets process state inherited from the parent; see inherit.h
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/inherit.h"

/* The kernel's struct sigaction and its size of a signal set. */
struct kernel_sigaction {
	void (*handler)(int signo);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

#define LAST_SIGNAL 64

static int
fill_std(void)
{
	int fd;

	/* open() returns the lowest free descriptor, so this fills gaps. */
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	return fd < 0 ? -1 : close(fd);
}

/* By system call, because libc hides two signals that it uses (nptl(7)), and a
 * parent may have set them to ignored. */
static void
reset_signals(void)
{
	struct kernel_sigaction dfl = {.handler = SIG_DFL};
	int signo;

	/* KILL and STOP cannot be changed: their errors are ignored. */
	for (signo = 1; signo <= LAST_SIGNAL; signo++)
		(void)syscall(SYS_rt_sigaction, signo, &dfl, NULL,
			sizeof(dfl.mask));
}

int
inherit_nothing(void)
{
	reset_signals();
	if (fill_std() < 0)
		return -1;
	return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}
