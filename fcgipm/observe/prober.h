/*
 * prober.h - a child that inspects processes where the supervisor may not
 *
 * To see what a process does takes the rights of ptrace(2).  Root has them,
 * unless a container took CAP_SYS_PTRACE away: then only the worker's own user
 * may look.  So a child of ours, fcgipm-prober, becomes that user and answers,
 * one question at a time.  It has no descriptor but its end of a socket pair,
 * cannot be traced itself (prctl(2), PR_SET_DUMPABLE) and ends with the
 * supervisor.
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
	pid_t pid;		/* 0 = not running */
	pid_t dying;		/* killed, not yet reaped; 0 = none */
	int fd;			/* our end */
	uint32_t seq;		/* of the last question */
	int64_t not_before_ms;	/* no new start until then */
};

/* Starts nothing: the first question does. */
void prober_init(struct prober *p, uid_t uid, gid_t gid);
/* Ends and reaps it. */
void prober_fini(struct prober *p);

/*
 * The questions of sys/watch, about a process by its pid.  All fail with what
 * the prober saw, or: EACCES when it could see no more than we do, ETIMEDOUT
 * when it did not answer within 100 ms (it is killed then, and not started
 * again for 10 s), ECHILD while that lasts.
 */
int prober_tasks(struct prober *p, pid_t pid, const ino_t *listeners, size_t n,
	struct watch_tasks *ret);
int prober_sockets(struct prober *p, pid_t pid, struct watch_socket *ret,
	size_t max, size_t *ret_n);
enum watch_kind prober_kind(struct prober *p, pid_t pid,
	const struct watch_socket *s);
/* Those of sys/inspect: a text, the caller's to free(), which may hold any
 * bytes, or NULL; UINT64_MAX when it is not known. */
char *prober_brief(struct prober *p, pid_t pid);
char *prober_report(struct prober *p, pid_t pid);
uint64_t prober_reads(struct prober *p, pid_t pid);
/* That of sys/procfs. */
int prober_is_static(struct prober *p, pid_t pid);

#endif
