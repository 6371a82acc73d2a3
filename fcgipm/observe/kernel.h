/*
 * kernel.h - observes a worker through the kernel, without its help
 *
 * Works for any program: reads the system call that each of its tasks sleeps
 * in, and which of its sockets were accepted from the pool's listening sockets.
 * observe/activity decides the worker's state from the result.
 *
 * The worker is not stopped and gets no data.  Only the functions below read
 * anything; there is no timer.  What cannot be read is reported as unknown.
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
	int *fds;			/* of these, borrowed */
	ino_t *inos;			/* of these */
	size_t nlisteners;
	struct prober prober;
	struct sockets sockets;
};

enum kernel_state {
	KERNEL_UNKNOWN,		/* reason and err say why */
	KERNEL_IDLE,		/* would accept a connection immediately */
	KERNEL_BUSY		/* has a connection, or does not wait for one */
};

/* The state of a worker at one moment. */
struct kernel_sample {
	enum kernel_state state;
	int64_t since_ms;	/* first of the consecutive samples in it */
	const char *reason;	/* static text: what was observed */
	int err;		/* errno if something could not be read; 0 */
	bool may_hold;		/* may have a connection; false = has none */
	int connections;	/* accepted and open, -1 = unknown */
	ino_t oldest;		/* of these, the one seen first; 0 = none */
	int64_t oldest_since_ms;	/* first sample with it */
	pid_t oldest_pid;	/* a process that has it open */
	bool reading;		/* a task waits for bytes from a connection */
	bool reading_counts;	/* it does so with read(2), which the kernel
				 * counts, not with recv(2) */
	bool waits;		/* a task does so or may do so: it polls, or
				 * could not be read */
	unsigned processes;	/* the worker and its descendants */
	bool stopped;		/* a signal has stopped all of these;
				 * kernel_inspect() only */
	unsigned tasks;		/* of all these processes */
	unsigned accepting;	/* tasks that sleep in accept(2) on a listening
				 * socket of the pool */
	unsigned polling;	/* in epoll_wait, poll; kernel_inspect() only */
	unsigned locking;	/* in futex: wait for a lock; kernel_inspect()
				 * only */
	bool by_prober;		/* the prober has read some of it */
};

/* A socket of a worker whose origin is known from an earlier sample. */
struct kernel_socket {
	uint32_t ino;
	bool client;		/* accepted from a listening socket */
	int64_t since_ms;
};

/* One for each worker: what is kept open and remembered between samples. */
struct kernel_worker {
	pid_t pid;		/* our child, not reaped; 0 = none */
	struct watch watch;
	bool accepted;		/* a sample was idle or had a connection */
	unsigned short_checks;	/* consecutive, since all tasks were listed */
	struct kernel_socket *known;
	size_t nknown;
	struct kernel_sample sample;	/* the latest */
};

/*
 * kernel_init - prepares for the listening sockets of a pool
 *
 * diag		shared by all pools; if its fd is -1, the origin of every unix
 *		or TCP socket is unknown
 * fds		the listening sockets, which must outlive o
 * uid, gid	the workers'
 * returns	0; -1 with errno when one of fds is not a listening socket
 */
int kernel_init(struct kernel_observer *o, struct sockdiag *diag,
	const int *fds, size_t n, uid_t uid, gid_t gid);
void kernel_fini(struct kernel_observer *o);
/* Call it when one of fds may refer to another socket.  A socket that does not
 * listen is ignored, and the previous one is kept. */
void kernel_update_listeners(struct kernel_observer *o);

/* After its process has started, and when it has exited. */
void kernel_worker_init(struct kernel_worker *w, pid_t pid);
void kernel_worker_fini(struct kernel_worker *w);
/* Before a pause between checks: closes descriptors, keeps what is known. */
void kernel_worker_close(struct kernel_worker *w);

/*
 * kernel_check - samples a worker, with little effort if it is idle
 *
 * A worker whose only task is in accept(2) is idle, and nothing more is read
 * (may_hold stays true).  Any other worker is inspected.  Threads that an idle
 * worker has started are noticed at the sixteenth check at the latest.
 *
 * returns	the sample, valid until the next one
 */
const struct kernel_sample *kernel_check(struct kernel_observer *o,
	struct kernel_worker *w, int64_t now);

/* The same for a worker that is not checked again soon: descriptors are closed,
 * as by kernel_worker_close(). */
const struct kernel_sample *kernel_check_once(struct kernel_observer *o,
	struct kernel_worker *w, int64_t now);

/* The same, but always reads the sockets and all descendants. */
const struct kernel_sample *kernel_inspect(struct kernel_observer *o,
	struct kernel_worker *w, int64_t now);

/* Connections in the listen queues of all listening sockets; returns 0, or -1
 * with errno. */
int kernel_read_queue(struct kernel_observer *o, struct sockdiag_queue *ret);

#endif
