/*
 * procsignal.c - sends signals to a child and its process group; see
 * procsignal.h
 *
 * Called by worker/worker, pool/retire, timeout/backtrace, timeout/descendants
 * and gateway/script.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"
#include "sys/procsignal.h"

int
procsignal_process(int pidfd, int signo)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
}

void
procsignal_group(pid_t pid, int pidfd, int signo)
{
	/* kill(2): -1 means every process, 0 the caller's own group. */
	if (pid <= 1)
		BUG("not the PID of a child");
	if (kill(-pid, signo) == 0 && signo != SIGKILL)
		return;
	if (pidfd >= 0)
		(void)procsignal_process(pidfd, signo);
	else
		(void)kill(pid, signo);
}
