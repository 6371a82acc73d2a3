/*
 * watch.h - tasks, sockets and children of a process, read often, from /proc
 */
#ifndef FCGIPM_SYS_WATCH_H
#define FCGIPM_SYS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of a process with more tasks none is kept open. */
#define WATCH_TASKS_KEPT 8

/* A process, and descriptors of what is read. */
struct watch {
	pid_t pid;		/* 0 = not open */
	int taskfd;		/* /proc/PID/task */
	int fdfd;		/* /proc/PID/fd, -1 = not yet */
	uint64_t nlink;		/* of taskfd: the kernel counts tasks in it */
	unsigned ntasks;	/* of calls */
	int accept_fd;		/* a listener one was seen to accept on, -1 */
	int calls[WATCH_TASKS_KEPT];	/* the tasks' syscall entries */
};

/*
 * watch_open - begin to watch a process
 *
 * Errors here and below: ESRCH when it is gone; EACCES or EPERM when it is
 * not ours to look at, which takes the rights of ptrace(2).
 *
 * returns	0, or -1 with errno, nothing left open
 */
int watch_open(struct watch *w, pid_t pid);
/* Fine for one that is zeroed or closed. */
void watch_close(struct watch *w);

/* What the tasks of a process do. */
struct watch_tasks {
	unsigned total;
	unsigned accepting;	/* sleep in accept(2) on a listener */
	unsigned polling;	/* epoll_wait, poll, select, io_uring_enter */
	unsigned locking;	/* futex(2): wait for a lock or a condition */
	unsigned reading;	/* read, recv on a descriptor */
	int reading_fd;		/* of one of these, -1 = none */
	bool reading_counts;	/* that one by a call that proc_pid_io(5)
				 * counts: not by recv(2) */
	unsigned unreadable;
	int err;		/* why, of the last such; 0 = none */
};

/*
 * watch_tasks - what every task does
 *
 * listeners	inodes; descriptor 0 needs no comparing, as every worker has
 *		its listener there
 * returns	0; -1 with errno when there is not even a list of tasks
 */
int watch_tasks(struct watch *w, const ino_t *listeners, size_t n,
	struct watch_tasks *ret);

/*
 * watch_still_accepts - half of watch_tasks(), at half its cost
 *
 * Is the only task there was at the last call in accept on the same listener?
 * Whether there are more tasks by now is not checked.
 */
bool watch_still_accepts(const struct watch *w);

/* An open socket of a process. */
struct watch_socket {
	uint32_t ino;
	int fd;			/* its lowest descriptor that was seen */
};

/*
 * watch_sockets - the sockets among its descriptors
 *
 * returns	0, or -1 with errno; E2BIG when there are more than max
 */
int watch_sockets(struct watch *w, struct watch_socket *ret, size_t max,
	size_t *ret_n);

enum watch_kind {
	WATCH_KIND_GONE,	/* another one by now, or unreadable */
	WATCH_KIND_UNIX,
	WATCH_KIND_TCP,		/* over IPv4 or IPv6 */
	WATCH_KIND_OTHER	/* none that a listener could have accepted */
};

/* What a socket of it is; with GONE errno says why, 0 = it is another one. */
enum watch_kind watch_kind(struct watch *w, const struct watch_socket *s);

/*
 * watch_children - the processes that its tasks have started
 *
 * returns	0, or -1 with errno; E2BIG when there are more than max, ENOENT
 *		when the kernel does not say (CONFIG_PROC_CHILDREN)
 */
int watch_children(struct watch *w, pid_t *ret, size_t max, size_t *ret_n);

#endif
