/*
 * processes.h - the tasks and sockets of a worker and of its descendants
 *
 * Reads them, by sys/watch, or by the prober where we may not; what they mean
 * is for observe/kernel to say.
 */
#ifndef FCGIPM_OBSERVE_PROCESSES_H
#define FCGIPM_OBSERVE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sys/watch.h"

struct prober;

/* One reading takes in so many; of a worker with more it is incomplete. */
#define PROCESSES_MAX 64
#define PROCESSES_SOCKETS_MAX 1024

/* Whose listeners, and who is asked where we may not look; all borrowed. */
struct processes_reader {
	struct prober *prober;
	const ino_t *listeners;
	size_t nlisteners;
};

struct processes_socket {
	struct watch_socket socket;
	pid_t pid;		/* one that has it open */
};

/* A worker and its descendants at one moment.  Some 13 KiB. */
struct processes {
	struct watch_tasks tasks;	/* sums */
	int tasks_err;		/* why they are incomplete, 0 = they are not */
	int sockets_err;	/* the same of sockets and pids; E2BIG: there
				 * are more than fit */
	pid_t reader;		/* whose tasks.reading_fd is; 0 = none's */
	bool by_prober;		/* some of it was read by the prober */
	pid_t pids[PROCESSES_MAX];	/* parents first, the worker first of
					 * all */
	size_t npids;
	/* But listeners; one that several have open is here once. */
	struct processes_socket sockets[PROCESSES_SOCKETS_MAX];
	size_t nsockets;
};

/* Does this errno say that a process is not ours to look at, while its own
 * user may be allowed to? */
bool processes_is_denied(int err);

/* What the tasks of one process do; 0, or -1 with errno, *ret being what could
 * be seen.  ret_by_prober is set when the prober was asked. */
int processes_read_tasks(const struct processes_reader *r, struct watch *watch,
	struct watch_tasks *ret, bool *ret_by_prober);

/* All of a worker, watch being open for it; errors are in ret. */
void processes_read(const struct processes_reader *r, struct watch *watch,
	struct processes *ret);

/* The same of one that could not be opened. */
void processes_set_unreadable(struct processes *ret, pid_t pid, int err);

/* Is each of them stopped by a signal, or dead? */
bool processes_are_stopped(const struct processes *p);

#endif
