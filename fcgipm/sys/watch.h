/*
 * watch.h - keeps a process's /proc entries open to read them often
 *
 * Reads its tasks, sockets and children.  sys/procfs is for a single fact.
 */
#ifndef FCGIPM_SYS_WATCH_H
#define FCGIPM_SYS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* With more tasks than this, no task entry is kept open. */
#define WATCH_TASKS_KEPT 8

/* A process and its open /proc entries. */
struct watch {
	pid_t pid;		/* 0 = not open */
	int taskfd;		/* /proc/PID/task */
	int fdfd;		/* /proc/PID/fd, -1 = not yet */
	uint64_t nlink;		/* of taskfd: 2 plus the number of tasks */
	unsigned ntasks;	/* number of calls */
	int accept_fd;		/* listener a task was in accept(2) on, -1 */
	int calls[WATCH_TASKS_KEPT];	/* the tasks' syscall entries */
};

/*
 * watch_open - open a process
 *
 * Errors of this and all other functions: ESRCH when the process is gone;
 * EACCES or EPERM without the rights of ptrace(2) over it.
 *
 * returns	0, or -1 with errno, nothing left open
 */
int watch_open(struct watch *w, pid_t pid);
/* Does nothing to a struct watch that is zeroed or closed. */
void watch_close(struct watch *w);

/* How many tasks of a process are in which call. */
struct watch_tasks {
	unsigned total;
	unsigned accepting;	/* sleep in accept(2) on a listener */
	unsigned polling;	/* epoll_wait, poll, select, io_uring_enter */
	unsigned locking;	/* futex(2): wait for a lock or a condition */
	unsigned reading;	/* read, recv on a descriptor */
	int reading_fd;		/* the descriptor of one of these, -1 = none */
	bool reading_counts;	/* that task is in read(2), which
				 * proc_pid_io(5) counts, not in recv(2) */
	unsigned unreadable;	/* no permission to read their calls */
	int err;		/* errno of the last one; 0 = none */
};

/*
 * watch_tasks - read the call of every task
 *
 * listeners	inodes; descriptor 0 is not compared, because it is the
 *		listener in every worker
 * returns	0; -1 with errno when the tasks cannot be listed
 */
int watch_tasks(struct watch *w, const ino_t *listeners, size_t n,
	struct watch_tasks *ret);

/*
 * watch_still_accepts - is the only task still in accept(2)?
 *
 * True when the last watch_tasks() found one task and that is in accept(2) on
 * the same listener.  Does not check for new tasks, so it costs half of
 * watch_tasks().
 */
bool watch_still_accepts(const struct watch *w);

/* An open socket of a process. */
struct watch_socket {
	uint32_t ino;
	int fd;			/* the lowest descriptor found */
};

/*
 * watch_sockets - list the sockets among the descriptors
 *
 * returns	0, or -1 with errno; E2BIG when there are more than max
 */
int watch_sockets(struct watch *w, struct watch_socket *ret, size_t max,
	size_t *ret_n);

enum watch_kind {
	WATCH_KIND_GONE,	/* closed, replaced or unreadable */
	WATCH_KIND_UNIX,
	WATCH_KIND_TCP,		/* over IPv4 or IPv6 */
	WATCH_KIND_OTHER	/* a listener cannot have accepted it */
};

/* The kind of a socket.  With GONE, errno says why; 0 = the descriptor names
 * another socket. */
enum watch_kind watch_kind(struct watch *w, const struct watch_socket *s);

/*
 * watch_children - list the child processes of all tasks
 *
 * returns	0, or -1 with errno; E2BIG when there are more than max, ENOENT
 *		when the kernel has no such list (CONFIG_PROC_CHILDREN)
 */
int watch_children(struct watch *w, pid_t *ret, size_t max, size_t *ret_n);

#endif
