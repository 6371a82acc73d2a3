/*
 * observe.h - is a worker idle, and does it hold a connection?
 *
 * For any program, by what the kernel shows of it: the system call each of its
 * tasks sleeps in, and which of its sockets were accepted from the pool's
 * listener.  Nothing is stopped, sent or read.  Nothing is done unless asked,
 * and what cannot be seen is said to be unknown.
 */
#ifndef FCGIPM_POOL_OBSERVE_H
#define FCGIPM_POOL_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pool/looker.h"
#include "pool/origin.h"
#include "sys/sockdiag.h"
#include "sys/watch.h"

/* For a pool. */
struct observe {
	struct sockdiag *diag;		/* borrowed */
	struct sockdiag_listener *listeners;
	int *fds;			/* theirs, borrowed */
	ino_t *inos;			/* theirs */
	size_t nlisteners;
	struct looker looker;
	struct origin origin;
};

enum observe_state {
	OBSERVE_UNKNOWN,	/* reason and err say why */
	OBSERVE_IDLE,		/* would take a connection at once */
	OBSERVE_BUSY		/* holds a connection, or waits for none */
};

struct observe_seen {
	enum observe_state state;
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
	bool by_looker;		/* seen by the child of the pool's uid */
};

/* A socket that was looked at before. */
struct observe_known {
	uint32_t ino;
	bool client;		/* accepted from a listener */
	int64_t since_ms;
};

/* For a worker. */
struct observe_worker {
	pid_t pid;		/* our child, not reaped; 0 = none */
	struct watch watch;
	unsigned short_looks;	/* in a row, since all tasks were listed */
	struct observe_known *known;
	size_t nknown;
	struct observe_seen seen;
};

/*
 * observe_init - prepare for the listeners of a pool
 *
 * diag		shared by all pools; its fd may be -1, which leaves every
 *		socket that a listener could have accepted in doubt
 * fds		the listening sockets, as long as o
 * uid, gid	the workers'
 * returns	0; -1 with errno when fds holds something else
 */
int observe_init(struct observe *o, struct sockdiag *diag, const int *fds,
	size_t n, uid_t uid, gid_t gid);
void observe_fini(struct observe *o);
/* One of fds may be another socket by now; as long as none listens, it keeps
 * to the old one. */
void observe_reopened(struct observe *o);

/* A process has been started, or is gone. */
void observe_worker_init(struct observe_worker *w, pid_t pid);
void observe_worker_fini(struct observe_worker *w);
/* It is not looked at for a while: gives back what a look keeps open. */
void observe_worker_rest(struct observe_worker *w);

/*
 * observe_look - what does it do?
 *
 * A worker with one task, and that in accept, is idle, and nothing more is
 * looked at (may_hold stays true).  Any other is looked at closely.  That it
 * has started threads while it was idle is seen at the sixteenth look.
 *
 * returns	what was seen, valid until the next look
 */
const struct observe_seen *observe_look(struct observe *o,
	struct observe_worker *w, int64_t now);

/* The same of a worker that is not looked at again soon: nothing stays open,
 * observe_worker_rest() is called. */
const struct observe_seen *observe_glance(struct observe *o,
	struct observe_worker *w, int64_t now);

/* The same, its sockets and the processes it has started always included. */
const struct observe_seen *observe_look_closely(struct observe *o,
	struct observe_worker *w, int64_t now);

/* Connections that wait at all listeners; 0, or -1 with errno. */
int observe_queue(struct observe *o, struct sockdiag_queue *ret);

#endif
