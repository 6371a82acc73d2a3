/*
 * procfs.h - reads one fact about a process from /proc (proc(5))
 *
 * No descriptor is kept open.  sys/watch is for a process that is read often.
 */
#ifndef FCGIPM_SYS_PROCFS_H
#define FCGIPM_SYS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum procfs_sample {
	PROCFS_UNKNOWN,		/* exited, or no permission to read it */
	PROCFS_ACCEPTING,	/* a task sleeps in accept(2) on fd 0 */
	PROCFS_POLLING,		/* a task sleeps in epoll_wait(2), poll(2) */
	PROCFS_ELSEWHERE	/* none of these */
};

/* The system call that a task sleeps in. */
enum procfs_call {
	PROCFS_CALL_OTHER,
	PROCFS_CALL_ACCEPT,
	PROCFS_CALL_POLL,	/* epoll_wait, poll, select, io_uring_enter */
	PROCFS_CALL_READ,
	PROCFS_CALL_RECV,
	PROCFS_CALL_FUTEX	/* a lock or condition variable */
};

/*
 * procfs_read_call - read the system call of a task
 *
 * fd		/proc/PID/task/TID/syscall, open
 * returns	0, or -1 with errno, ESRCH when the task is gone
 * ret_fd	first argument of the call
 */
int procfs_read_call(int fd, enum procfs_call *ret_call, int *ret_fd);

/* Samples every task of pid.  ACCEPTING takes precedence over POLLING. */
enum procfs_sample procfs_sample(pid_t pid);

/* Has the process one task only, which is in accept(2) on fd 0?  Keeps no
 * descriptor open, and costs half of a first sample with sys/watch. */
bool procfs_accepts_alone(pid_t pid);

/* The PID of a process that has this socket open, 0 when none is found. */
pid_t procfs_find_socket(ino_t ino);

/* The letter of proc_pid_stat(5): 'R', 'S', 'T' when stopped; 0 when gone. */
char procfs_state(pid_t pid);
/* The same for one task of the process. */
char procfs_task_state(pid_t pid, pid_t tid);

/* Lists the tasks of a process, at most max; returns how many were listed, 0
 * when the process is gone. */
size_t procfs_list_tasks(pid_t pid, pid_t *ret, size_t max);

/* The name of a process, such as "nginx"; "?" when unknown. */
void procfs_name(pid_t pid, char *buf, size_t size);

/* The CPU time that a process has used; -1 when it is gone. */
int64_t procfs_cpu_ms(pid_t pid);

enum procfs_memory {
	PROCFS_MEMORY_UNKNOWN,
	PROCFS_MEMORY_PSS,	/* shared pages count in proportion */
	PROCFS_MEMORY_RSS	/* shared pages count in full */
};

/* The proportional set size (PSS), else the resident set size (RSS); returns
 * which. */
enum procfs_memory procfs_memory(pid_t pid, uint64_t *ret_bytes);

/*
 * procfs_is_static - is the program statically linked?
 *
 * Such a program has no dynamic loader that could read LD_PRELOAD.  The answer
 * comes from the auxiliary vector (AT_BASE of getauxval(3)).  The program's
 * file is not opened, because a read from its file system might never return.
 *
 * returns	1 yes, 0 no; -1 with errno: EACCES without permission to read
 *		it, ENOEXEC when the process has another word size
 */
int procfs_is_static(pid_t pid);

#endif
