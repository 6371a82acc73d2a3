/*
 * processes.h - reads the tasks and sockets of a worker and its descendants
 *
 * Reads /proc with sys/watch, or through observe/prober where the supervisor
 * may not.  Called by observe/kernel, which interprets the result.
 */
#ifndef FCGIPM_OBSERVE_PROCESSES_H
#define FCGIPM_OBSERVE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sys/watch.h"

struct prober;

/* Maximum of one reading; for a worker with more it is incomplete. */
#define PROCESSES_MAX 64
#define PROCESSES_SOCKETS_MAX 1024

/* How to read the processes of a pool; all borrowed. */
struct processes_reader {
	struct prober *prober;
	const ino_t *listeners;	/* of the pool's listening sockets */
	size_t nlisteners;
};

struct processes_socket {
	struct watch_socket socket;
	pid_t pid;		/* a process that has it open */
};

/* A worker and its descendants at one moment.  About 13 KiB. */
struct processes {
	struct watch_tasks tasks;	/* sums */
	int tasks_err;		/* why they are incomplete; 0 = complete */
	int sockets_err;	/* the same for sockets and pids; E2BIG: there
				 * are more than the maximum */
	pid_t reader;		/* the process tasks.reading_fd belongs to; 0 =
				 * none */
	bool by_prober;		/* the prober has read some of it */
	pid_t pids[PROCESSES_MAX];	/* parents first, so the worker is the
					 * first one */
	size_t npids;
	/* Without listening sockets; a socket that several processes have open
	 * occurs once. */
	struct processes_socket sockets[PROCESSES_SOCKETS_MAX];
	size_t nsockets;
};

/* Is this the errno of missing rights?  The process's own user may have
 * them. */
bool processes_is_denied(int err);

/*
 * processes_read_tasks - reads what the tasks of one process do
 *
 * ret_by_prober	set when the prober has read it
 * returns		0; -1 with errno, *ret then has what could be read
 */
int processes_read_tasks(const struct processes_reader *r, struct watch *watch,
	struct watch_tasks *ret, bool *ret_by_prober);

/* Reads a worker and its descendants; watch is open for the worker.  Errors are
 * in ret. */
void processes_read(const struct processes_reader *r, struct watch *watch,
	struct processes *ret);

/* The same for a worker whose watch could not be opened. */
void processes_set_unreadable(struct processes *ret, pid_t pid, int err);

/* Is each of them stopped by a signal, or dead? */
bool processes_are_stopped(const struct processes *p);

#endif
