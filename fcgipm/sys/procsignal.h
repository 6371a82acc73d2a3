/*
 * procsignal.h - signals for a child of ours and its process group
 */
#ifndef FCGIPM_SYS_PROCSIGNAL_H
#define FCGIPM_SYS_PROCSIGNAL_H

#include <sys/types.h>

/* One process, by its pidfd; 0, or -1 with errno (pidfd_send_signal(2)): ESRCH
 * when it has ended. */
int procsignal_process(int pidfd, int signo);

/*
 * procsignal_group - a child and all that is in its process group
 *
 * At its very beginning a child has no group yet, and it may leave its group
 * later.  So it gets the signal itself, too, where there is no such group, and
 * SIGKILL, of which a second one changes nothing, always.
 *
 * pid		a child that is not reaped, so that its number and that of its
 *		group are still its own
 * pidfd	of the same; -1 = pid is used
 */
void procsignal_group(pid_t pid, int pidfd, int signo);

#endif
