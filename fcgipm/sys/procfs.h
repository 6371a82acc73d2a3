/*
 * procfs.h - single facts about a process, from /proc (proc(5))
 *
 * Nothing is kept open.  For a process that is read often there is sys/watch.
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
	PROCFS_POLLING,		/* a task sleeps in epoll_wait(2), poll(2) */
	PROCFS_ELSEWHERE	/* none of these */
};

/* What a task sleeps in. */
enum procfs_call {
	PROCFS_CALL_OTHER,
	PROCFS_CALL_ACCEPT,
	PROCFS_CALL_POLL,	/* epoll_wait, poll, select, io_uring_enter */
	PROCFS_CALL_READ,
	PROCFS_CALL_RECV,
	PROCFS_CALL_FUTEX	/* waits for a lock of its program */
};

/*
 * procfs_read_call - what does a task do?
 *
 * fd		its /proc/PID/task/TID/syscall
 * returns	0, or -1 with errno, ESRCH when it is gone
 * ret_fd	the call's first argument
 */
int procfs_read_call(int fd, enum procfs_call *ret_call, int *ret_fd);

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
 * By what the kernel passed to it, AT_BASE of getauxval(3): its file, which may
 * be where a read never ends, is not opened.
 *
 * returns	1 yes, 0 no; -1 with errno, EACCES when it is not ours to look
 *		at, ENOEXEC when its words are not as long as ours
 */
int procfs_is_static(pid_t pid);

#endif
