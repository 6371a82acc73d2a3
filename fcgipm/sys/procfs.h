/*
 * procfs.h - what a process does, seen from /proc (proc(5))
 */
#ifndef FCGIPM_SYS_PROCFS_H
#define FCGIPM_SYS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum procfs_look {
	PROCFS_UNKNOWN,		/* gone, or not ours to read */
	PROCFS_ACCEPTING,	/* a task sleeps in accept(2) on fd 0 */
	PROCFS_POLLING,		/* a task sleeps in epoll_wait(2) */
	PROCFS_ELSEWHERE	/* none of these */
};

/* Looks at every task of pid; accept wins over polling. */
enum procfs_look procfs_look(pid_t pid);

/*
 * procfs_holds_connection - has pid a socket beside its listener?
 *
 * listen_ino	the listener's inode
 * returns	1 yes, 0 no, -1 when /proc/PID/fd may not be read
 */
int procfs_holds_connection(pid_t pid, ino_t listen_ino);

/* The process that has this socket open, 0 when none is seen. */
pid_t procfs_find_socket(ino_t ino);

/* "nginx" of pid, "?" when unknown. */
void procfs_name(pid_t pid, char *buf, size_t size);

#endif
