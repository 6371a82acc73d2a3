/*
 * prober.h - reads /proc as the workers' user, where the supervisor may not
 *
 * To see the system call of a process takes the rights of ptrace(2).  Root has
 * them, unless a container dropped CAP_SYS_PTRACE: then only the worker's own
 * user may read.  For this the supervisor starts a helper process,
 * fcgipm-prober, which runs as that user and answers one question at a time.
 * The helper has no descriptor except its end of a socket pair, cannot be
 * traced itself (prctl(2), PR_SET_DUMPABLE), and exits with the supervisor.
 *
 * This module is both the supervisor's side and the helper process.
 */
#ifndef FCGIPM_OBSERVE_PROBER_H
#define FCGIPM_OBSERVE_PROBER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/watch.h"

struct prober {
	uid_t uid;		/* the workers' */
	gid_t gid;
	pid_t pid;		/* the helper; 0 = not running */
	pid_t dying;		/* killed, not yet reaped; 0 = none */
	int fd;			/* the supervisor's end of the socket pair */
	uint32_t seq;		/* of the last question */
	int64_t not_before_ms;	/* the helper is not started before */
};

/* Starts nothing: the first question starts the helper. */
void prober_init(struct prober *p, uid_t uid, gid_t gid);
/* Kills and reaps the helper. */
void prober_fini(struct prober *p);

/*
 * The questions of sys/watch, for a process by its pid.  They fail with the
 * helper's errno, or with:
 *
 *	EACCES		the helper could not read more than the supervisor can
 *	ETIMEDOUT	it did not answer within 100 ms; it is killed and not
 *			started again for 10 s
 *	ECHILD		within these 10 s
 */
int prober_tasks(struct prober *p, pid_t pid, const ino_t *listeners, size_t n,
	struct watch_tasks *ret);
int prober_sockets(struct prober *p, pid_t pid, struct watch_socket *ret,
	size_t max, size_t *ret_n);
enum watch_kind prober_kind(struct prober *p, pid_t pid,
	const struct watch_socket *s);
/* The questions of sys/inspect: a text that the caller must free() and that may
 * contain any bytes, or NULL; UINT64_MAX when the number is unknown. */
char *prober_brief(struct prober *p, pid_t pid);
char *prober_report(struct prober *p, pid_t pid);
uint64_t prober_reads(struct prober *p, pid_t pid);
/* The question of sys/procfs. */
int prober_is_static(struct prober *p, pid_t pid);

#endif
