/*
 * spawn.h - starts programs: the only fork and exec
 *
 * A child runs in its parent's memory until it executes (clone(2) with
 * CLONE_VM), which costs less than half of a fork(2) and does not grow with the
 * parent's heap; unlike vfork(2), it does not wait for the exec.
 * Two ways, one description: spawn_start() for the supervisor, whose child
 * may become another user, and spawn_share() for the gateway.
 *
 * Whoever owns the user id that a child takes may signal it before it
 * executes, but not reach into the memory: the kernel lets only root see
 * that of a process that changed its ids (PR_SET_DUMPABLE of prctl(2)), unless
 * fs.suid_dumpable is 1, and then such a child shares nothing.  One that is
 * stopped keeps its place, and the others share nothing once none is left.
 * One that falls falls alone, since Linux 5.16 with a core file too.
 *
 * The supervisor has descriptors by the thousand.  A child that shares its
 * memory begins with its table of them too, and the supervisor waits for the
 * child's first system call, which gives it one of its own with few in it.  One
 * that does not get there, as it was stopped together with us, is killed.
 */
#ifndef FCGIPM_SYS_SPAWN_H
#define FCGIPM_SYS_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/privs.h"
#include "sys/spawn_spec.h"

/* Enough for the few calls before exec. */
#define SPAWN_STACK_BYTES (16 * 1024)

/*
 * spawn_reserve - take the numbers that let a child have few descriptors
 *
 * Once, before many are open; without it spawn_start() works as well.
 *
 * returns	0; -1 with errno
 */
int spawn_reserve(void);

/*
 * spawn_start - start a child, and learn what becomes of it
 *
 * For a process without signal handlers.  spec, its fds and own_env may go at
 * once; the rest of it too, unless it is lasting.
 *
 * ret_errfd	non-blocking; readable with one struct spawn_error when a step
 *		failed, at end of file once exec succeeded; the caller's to
 *		close, as is the pidfd
 * returns	pid; -1 with errno, nothing left open or running
 */
pid_t spawn_start(const struct spawn_spec *spec, int *ret_pidfd,
	int *ret_errfd);

/* A child that is not past exec: it runs in our memory. */
struct spawn_shared {
	/* From spawn_share() until spawn_is_shared() says no these and all
	 * they point to belong to the child. */
	struct spawn_spec spec;
	struct spawn_error error;	/* step "" = none failed so far */
	pid_t tid;			/* cleared by the kernel */
	uint8_t stack[SPAWN_STACK_BYTES] __attribute__((aligned(16)));
};

/*
 * spawn_share - start a child that shares our memory until it executes
 *
 * For a process without signal handlers.  The caller goes on at once, and may
 * close what spec names; it reads c->error when the child has ended.
 *
 * c		c->spec is filled in; not in use (spawn_is_shared())
 * wait		return when it has executed or failed
 * returns	pid; -1 with c->error, nothing left open or running
 */
pid_t spawn_share(struct spawn_shared *c, bool wait);

/* Is c's child still in our memory? */
bool spawn_is_shared(const struct spawn_shared *c);

#endif
