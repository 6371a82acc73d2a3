/*
 * inherit.c - what a careless parent may have left us; see inherit.h
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

	/* open() takes the lowest free number, so this fills the gaps. */
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	return fd < 0 ? -1 : close(fd);
}

/* The system call itself, since libc hides two signals it uses (nptl(7)),
 * which a parent may have ignored all the same. */
static void
reset_signals(void)
{
	struct kernel_sigaction dfl = {.handler = SIG_DFL};
	int signo;

	/* KILL and STOP refuse it, as they may. */
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
