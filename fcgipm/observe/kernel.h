/*
 * kernel.h - is a worker idle, and does it hold a connection?
 *
 * For any program, by what the kernel shows of it: the system call each of its
 * tasks sleeps in, and which of its sockets were accepted from the pool's
 * listener.  Nothing is stopped, sent or read.  Nothing is done unless asked,
 * and what cannot be seen is said to be unknown.
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

/* For a pool. */
struct kernel {
	struct sockdiag *diag;		/* borrowed */
	struct sockdiag_listener *listeners;
	int *fds;			/* theirs, borrowed */
	ino_t *inos;			/* theirs */
	size_t nlisteners;
	struct prober looker;
	struct sockets origin;
};

enum kernel_state {
	KERNEL_UNKNOWN,	/* reason and err say why */
	KERNEL_IDLE,		/* would take a connection at once */
	KERNEL_BUSY		/* holds a connection, or waits for none */
};

struct kernel_seen {
	enum kernel_state state;
	int64_t since_ms;	/* first look of a row that saw it */
	const char *reason;	/* a static text: what was seen */
	int err;		/* why something was not; 0 = nothing was */
	bool may_hold;		/* a connection; false = certainly none */
	int connections;	/* accepted and open, -1 = not known */
	ino_t oldest;		/* of these, the one seen first; 0 = none */
	int64_t oldest_since_ms;	/* first look that saw it */
	pid_t oldest_pid;	/* of these processes, one that holds it */
	bool reading;		/* a task waits for bytes from a connection */
	bool reading_counts;	/* and by read(2), not recv(2): the kernel
				 * counts what it has read */
	bool waits;		/* one does, or may: it polls, or cannot be
				 * seen */
	unsigned processes;	/* the worker and those it has started */
	bool stopped;		/* all of these, by a signal; looked closely */
	unsigned tasks;		/* of them all */
	unsigned accepting;	/* tasks that sleep in accept on a listener */
	unsigned polling;	/* in epoll_wait, poll; looked closely */
	unsigned locking;	/* in futex: wait for a lock; looked closely */
	bool by_prober;		/* seen by the child of the pool's uid */
};

/* A socket that was looked at before. */
struct kernel_known {
	uint32_t ino;
	bool client;		/* accepted from a listener */
	int64_t since_ms;
};

/* For a worker. */
struct kernel_worker {
	pid_t pid;		/* our child, not reaped; 0 = none */
	struct watch watch;
	bool accepted;		/* a look saw it idle or with a connection */
	unsigned short_looks;	/* in a row, since all tasks were listed */
	struct kernel_known *known;
	size_t nknown;
	struct kernel_seen seen;
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
int kernel_init(struct kernel *o, struct sockdiag *diag, const int *fds,
	size_t n, uid_t uid, gid_t gid);
void kernel_fini(struct kernel *o);
/* One of fds may be another socket by now; as long as none listens, it keeps
 * to the old one. */
void kernel_reopened(struct kernel *o);

/* A process has been started, or is gone. */
void kernel_worker_init(struct kernel_worker *w, pid_t pid);
void kernel_worker_fini(struct kernel_worker *w);
/* It is not looked at for a while: gives back what a look keeps open. */
void kernel_worker_rest(struct kernel_worker *w);

/*
 * kernel_look - what does it do?
 *
 * A worker with one task, and that in accept, is idle, and nothing more is
 * looked at (may_hold stays true).  Any other is looked at closely.  That it
 * has started threads while it was idle is seen at the sixteenth look.
 *
 * returns	what was seen, valid until the next look
 */
const struct kernel_seen *kernel_look(struct kernel *o,
	struct kernel_worker *w, int64_t now);

/* The same of a worker that is not looked at again soon: nothing stays open,
 * kernel_worker_rest() is called. */
const struct kernel_seen *kernel_glance(struct kernel *o,
	struct kernel_worker *w, int64_t now);

/* The same, its sockets and the processes it has started always included. */
const struct kernel_seen *kernel_look_closely(struct kernel *o,
	struct kernel_worker *w, int64_t now);

/* Connections that wait at all listeners; 0, or -1 with errno. */
int kernel_queue(struct kernel *o, struct sockdiag_queue *ret);

#endif
