/*
 * spawn.h - starts child processes: the only clone and exec
 *
 * spawn_start() is for the supervisor, whose children may run as another user.
 * spawn_share() is for the gateway, whose children run as its own user.
 *
 * A child shares its parent's memory until its exec (clone(2), CLONE_VM).  That
 * costs less than half of a fork(2) and does not grow with the parent's heap.
 * Unlike with vfork(2), the parent does not wait for the exec.
 *
 * A child with another user ID does not expose the supervisor's memory.  The
 * processes of that user can signal the child, but they cannot read its memory:
 * after a change of IDs only root may (PR_SET_DUMPABLE, prctl(2)).  With
 * fs.suid_dumpable = 1 they could; then such a child gets a copy of the memory.
 *
 * Each child that shares the memory occupies a slot with its stack until its
 * exec.  A child that is stopped before exec keeps its slot; when no slot is
 * free, further children get a copy of the memory.  A child that crashes does
 * not end the parent.  Before Linux 5.16 it did so if it dumped core.
 *
 * The supervisor may have thousands of descriptors.  A child that shares its
 * memory starts with the supervisor's descriptor table, too.  Its first system
 * call creates a table of its own with few descriptors, and the supervisor
 * waits for that call.  It kills a child that is stopped before the call.
 *
 * Modules of sys/, lowest layer first:
 *
 *	raw.h		makes system calls that do not change errno
 *	spawn_spec.h	describes a child to start, and why it failed
 *	privs		user, groups, chroot directory and limits of a process
 *	procfs		reads one fact about a process from /proc
 *	watch		keeps a process's /proc entries open to read them often
 *	inspect		formats what a process does, for logs and status
 *	procsignal	sends signals to a child and its process group
 *	sockdiag	reads queues, peers and listeners of sockets (netlink);
 *			_unix single unix sockets, _tcp lists of TCP sockets
 *	clients		limits a TCP listener to allowed networks (BPF)
 *	listen_conflict	explains why an address cannot be bound
 *	listen		opens, reopens and closes listening sockets
 *	child		code that runs in a new process before its exec
 *	spawn		starts child processes
 */
#ifndef FCGIPM_SYS_SPAWN_H
#define FCGIPM_SYS_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/privs.h"
#include "sys/spawn_spec.h"

/* Stack of a child until its exec. */
#define SPAWN_STACK_BYTES (16 * 1024)

/*
 * spawn_reserve - reserve low descriptor numbers for spawn_start()
 *
 * Called once, before many descriptors are open, so that children keep few
 * descriptors.  spawn_start() works without it as well.
 *
 * returns	0; -1 with errno
 */
int spawn_reserve(void);

/*
 * spawn_start - start a child and get a pipe that reports a failed start
 *
 * For a process without signal handlers.  After the call the caller may free
 * spec, fds and own_env; the rest of spec too, unless spec->lasting is set.
 *
 * ret_errfd	non-blocking; one struct spawn_error when a step failed, end
 *		of file once exec succeeded.  The caller closes it and the
 *		pidfd.
 * returns	pid; -1 with errno, nothing left open or running
 */
pid_t spawn_start(const struct spawn_spec *spec, int *ret_pidfd,
	int *ret_errfd);

/* A child that has not executed yet: it shares the parent's memory. */
struct spawn_shared {
	/* These, and all they point to, belong to the child from
	 * spawn_share() until spawn_is_shared() returns false. */
	struct spawn_spec spec;
	struct spawn_error error;	/* step "" = none failed so far */
	pid_t tid;			/* cleared by the kernel */
	uint8_t stack[SPAWN_STACK_BYTES] __attribute__((aligned(16)));
};

/*
 * spawn_share - start a child that shares this memory until its exec
 *
 * For a process without signal handlers.  Unless wait is set, it returns at
 * once.  The caller may then close the descriptors in c->spec, and reads
 * c->error after the child has exited.
 *
 * c		not in use (spawn_is_shared()), with c->spec filled in
 * wait		return when the child has executed or failed
 * returns	pid; -1 with c->error, nothing left open or running
 */
pid_t spawn_share(struct spawn_shared *c, bool wait);

/* Does the child still share this memory? */
bool spawn_is_shared(const struct spawn_shared *c);

#endif
