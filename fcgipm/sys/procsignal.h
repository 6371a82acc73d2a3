/*
 * procsignal.h - sends signals to a child and its process group
 */
#ifndef FCGIPM_SYS_PROCSIGNAL_H
#define FCGIPM_SYS_PROCSIGNAL_H

#include <sys/types.h>

/* Signals one process by its pidfd.  Returns 0, or -1 with errno
 * (pidfd_send_signal(2)): ESRCH when it has exited. */
int procsignal_process(int pidfd, int signo);

/*
 * procsignal_group - signal a child and its process group
 *
 * A child that has just started has no group of its own yet, and it may leave
 * its group later.  When there is no such group, the child itself gets the
 * signal.  SIGKILL is always sent to both: a second one has no effect.
 *
 * pid		a child that is not reaped, so that its PID and process group
 *		ID cannot belong to another process
 * pidfd	of the same child; -1 = use pid
 */
void procsignal_group(pid_t pid, int pidfd, int signo);

#endif
