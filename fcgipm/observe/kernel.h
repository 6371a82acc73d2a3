/*
 * kernel.h - what the kernel shows of a worker's tasks and sockets
 *
 * Works for any program: by the system call that each of its tasks sleeps in,
 * and by which of its sockets were accepted from the pool's listener.
 * observe/activity makes the worker's state of it.  Nothing is stopped, sent or
 * read.  Nothing is done unless asked, and what cannot be seen is reported as
 * unknown.
 */
#ifndef FCGIPM_OBSERVE_KERNEL_H
#define FCGIPM_OBSERVE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "observe/prober.h"
#include "observe/sockets.h"
#include "sys/sockdiag.h"
#include "sys/watch.h"

/* One for each pool. */
struct kernel_observer {
	struct sockdiag *diag;		/* borrowed */
	struct sockdiag_listener *listeners;
	int *fds;			/* theirs, borrowed */
	ino_t *inos;			/* theirs */
	size_t nlisteners;
	struct prober prober;
	struct sockets sockets;
};

enum kernel_state {
	KERNEL_UNKNOWN,	/* reason and err say why */
	KERNEL_IDLE,		/* would take a connection at once */
	KERNEL_BUSY		/* holds a connection, or waits for none */
};

/* What was seen of a worker at one moment. */
struct kernel_sample {
	enum kernel_state state;
	int64_t since_ms;	/* first of the samples in a row with it */
	const char *reason;	/* a static text: what was seen */
	int err;		/* why something was not; 0 = nothing was */
	bool may_hold;		/* a connection; false = certainly none */
	int connections;	/* accepted and open, -1 = not known */
	ino_t oldest;		/* of these, the one seen first; 0 = none */
	int64_t oldest_since_ms;	/* first sample with it */
	pid_t oldest_pid;	/* of these processes, one that holds it */
	bool reading;		/* a task waits for bytes from a connection */
	bool reading_counts;	/* and by read(2), not recv(2): the kernel
				 * counts what it has read */
	bool waits;		/* one does, or may: it polls, or cannot be
				 * seen */
	unsigned processes;	/* the worker and its descendants */
	bool stopped;		/* all of these, by a signal; by
				 * kernel_inspect() only */
	unsigned tasks;		/* of them all */
	unsigned accepting;	/* tasks that sleep in accept on a listener */
	unsigned polling;	/* in epoll_wait, poll; kernel_inspect() only */
	unsigned locking;	/* in futex: wait for a lock; kernel_inspect() */
	bool by_prober;		/* seen by the child of the pool's uid */
};

/* A socket of a worker whose origin is known from an earlier sample. */
struct kernel_socket {
	uint32_t ino;
	bool client;		/* accepted from a listener */
	int64_t since_ms;
};

/* One for each worker: what is kept open and remembered between samples. */
struct kernel_worker {
	pid_t pid;		/* our child, not reaped; 0 = none */
	struct watch watch;
	bool accepted;		/* a sample was idle or had a connection */
	unsigned short_checks;	/* in a row, since all tasks were listed */
	struct kernel_socket *known;
	size_t nknown;
	struct kernel_sample sample;	/* the latest */
};

/*
 * kernel_init - prepare for the listeners of a pool
 *
 * diag		shared by all pools; its fd may be -1, which leaves every
 *		socket that a listener could have accepted in doubt
 * fds		the listening sockets, as long as o
 * uid, gid	the workers'
 * returns	0; -1 with errno when fds holds something else
 */
int kernel_init(struct kernel_observer *o, struct sockdiag *diag,
	const int *fds, size_t n, uid_t uid, gid_t gid);
void kernel_fini(struct kernel_observer *o);
/* One of fds may be another socket by now.  One that does not listen is not
 * taken: the old one stays. */
void kernel_update_listeners(struct kernel_observer *o);

/* After its process was started, and when it is gone. */
void kernel_worker_init(struct kernel_worker *w, pid_t pid);
void kernel_worker_fini(struct kernel_worker *w);
/* Before a pause: closes what a check keeps open, and forgets nothing. */
void kernel_worker_close(struct kernel_worker *w);

/*
 * kernel_check - what does a worker do?
 *
 * A worker with one task, and that in accept, is idle, and nothing more is
 * read (may_hold stays true).  Any other is inspected.  That it has started
 * threads while it was idle is noticed at the sixteenth check.
 *
 * returns	the sample, valid until the next one
 */
const struct kernel_sample *kernel_check(struct kernel_observer *o,
	struct kernel_worker *w, int64_t now);

/* The same for a worker that is not checked again soon: nothing stays open,
 * as kernel_worker_close() is called. */
const struct kernel_sample *kernel_check_once(struct kernel_observer *o,
	struct kernel_worker *w, int64_t now);

/* The same, always with its sockets and all of its descendants. */
const struct kernel_sample *kernel_inspect(struct kernel_observer *o,
	struct kernel_worker *w, int64_t now);

/* Connections that wait at all listeners; 0, or -1 with errno. */
int kernel_read_queue(struct kernel_observer *o, struct sockdiag_queue *ret);

#endif
