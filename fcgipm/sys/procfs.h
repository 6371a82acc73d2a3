/*
 * procfs.h - what a process does, seen from /proc (proc(5))
 */
#ifndef FCGIPM_SYS_PROCFS_H
#define FCGIPM_SYS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum procfs_look {
	PROCFS_UNKNOWN,		/* gone, or not ours to read */
	PROCFS_ACCEPTING,	/* a task sleeps in accept(2) on fd 0 */
	PROCFS_POLLING,		/* a task sleeps in epoll_wait(2), poll(2), ... */
	PROCFS_ELSEWHERE	/* none of these */
};

/* Looks at every task of pid; accept wins over polling. */
enum procfs_look procfs_look(pid_t pid);

/* Has it one task, which is in accept(2) on fd 0?  Keeps nothing open, and is
 * half the price of a first look with a watch. */
bool procfs_accepts_alone(pid_t pid);

/* The process that has this socket open, 0 when none is seen. */
pid_t procfs_find_socket(ino_t ino);

/* The letter of proc_pid_stat(5): 'R', 'S', 'T' when stopped; 0 when gone. */
char procfs_state(pid_t pid);
/* The same of one of its tasks. */
char procfs_task_state(pid_t pid, pid_t tid);

/* Its tasks, as far as they fit; how many, 0 when it is gone. */
size_t procfs_list_tasks(pid_t pid, pid_t *ret, size_t max);

/* "nginx" of pid, "?" when unknown. */
void procfs_name(pid_t pid, char *buf, size_t size);

/* Of a process with more tasks none is kept open. */
#define PROCFS_TASKS_KEPT 8

/* A process that is looked at again and again, and descriptors for that. */
struct procfs_watch {
	pid_t pid;		/* 0 = not open */
	int taskfd;		/* /proc/PID/task */
	int fdfd;		/* /proc/PID/fd, -1 = not yet */
	uint64_t nlink;		/* of taskfd: the kernel counts tasks in it */
	unsigned ntasks;	/* open ones */
	int accept_fd;		/* a listener one was seen to accept on, -1 */
	struct {
		pid_t tid;
		int fd;		/* its syscall entry */
	} tasks[PROCFS_TASKS_KEPT];
};

/*
 * procfs_watch_open - begin to watch a process
 *
 * Errors here and below: ESRCH when it is gone; EACCES or EPERM when it is
 * not ours to look at, which takes the rights of ptrace(2).
 *
 * returns	0, or -1 with errno, nothing left open
 */
int procfs_watch_open(struct procfs_watch *w, pid_t pid);
/* Fine for one that is zeroed or closed. */
void procfs_watch_close(struct procfs_watch *w);

/* What the tasks of a process do. */
struct procfs_tasks {
	unsigned total;
	unsigned accepting;	/* sleep in accept(2) on a listener */
	unsigned polling;	/* epoll_wait, poll, select, io_uring_enter */
	unsigned reading;	/* read, recv on a descriptor */
	int reading_fd;		/* of one of these, -1 = none */
	bool reading_counts;	/* that one by a call that proc_pid_io(5)
				 * counts: not by recv(2) */
	unsigned unreadable;
	int err;		/* why, of the last such; 0 = none */
};

/*
 * procfs_watch_tasks - one look at every task
 *
 * listeners	inodes; descriptor 0 needs no comparing, as every worker has
 *		its listener there
 * returns	0; -1 with errno when there is not even a list of tasks
 */
int procfs_watch_tasks(struct procfs_watch *w, const ino_t *listeners,
	size_t n, struct procfs_tasks *ret);

/*
 * procfs_watch_still_accepts - half of a look, for half its price
 *
 * Is the only task there was at the last look in accept on the same listener?
 * Whether there are more tasks by now is not looked at.
 */
bool procfs_watch_still_accepts(const struct procfs_watch *w);

/* An open socket of a process. */
struct procfs_socket {
	uint32_t ino;
	int fd;			/* its lowest descriptor that was seen */
};

/*
 * procfs_watch_sockets - the sockets among its descriptors
 *
 * returns	0, or -1 with errno; E2BIG when there are more than max
 */
int procfs_watch_sockets(struct procfs_watch *w, struct procfs_socket *ret,
	size_t max, size_t *ret_n);

enum procfs_kind {
	PROCFS_KIND_GONE,	/* another one by now, or unreadable */
	PROCFS_KIND_UNIX,
	PROCFS_KIND_TCP,	/* over IPv4 or IPv6 */
	PROCFS_KIND_OTHER	/* none that a listener could have accepted */
};

/* What a socket of it is; with GONE errno says why, 0 = it is another one. */
enum procfs_kind procfs_watch_kind(struct procfs_watch *w,
	const struct procfs_socket *s);

/*
 * procfs_watch_children - the processes that its tasks have started
 *
 * returns	0, or -1 with errno; E2BIG when there are more than max, ENOENT
 *		when the kernel does not tell (CONFIG_PROC_CHILDREN)
 */
int procfs_watch_children(struct procfs_watch *w, pid_t *ret, size_t max,
	size_t *ret_n);

/* The CPU time it has used, -1 when it is gone. */
int64_t procfs_cpu_ms(pid_t pid);

enum procfs_memory {
	PROCFS_MEMORY_UNKNOWN,
	PROCFS_MEMORY_PSS,	/* shared pages by their share */
	PROCFS_MEMORY_RSS	/* shared pages in full */
};

/* PSS, else RSS; says which. */
enum procfs_memory procfs_memory(pid_t pid, uint64_t *ret_bytes);

/*
 * procfs_is_static - runs it without a loader, to which LD_PRELOAD speaks?
 *
 * By what the kernel told it, AT_BASE of getauxval(3): its file, which may lie
 * where reading takes for ever, is not opened.
 *
 * returns	1 yes, 0 no; -1 with errno, EACCES when it is not ours to look
 *		at, ENOEXEC when its words are not as long as ours
 */
int procfs_is_static(pid_t pid);

#endif
