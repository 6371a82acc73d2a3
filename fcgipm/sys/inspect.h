/*
 * inspect.h - what a process does right now, in words (proc(5))
 *
 * For people to read: nothing is decided by it.  Most of it takes the rights
 * of ptrace(2), a kernel stack those of root; what cannot be read is named
 * with the reason.
 *
 * The first two return 0; -1 with errno when the system call of a task cannot
 * be seen.
 */
#ifndef FCGIPM_SYS_INSPECT_H
#define FCGIPM_SYS_INSPECT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* "sleeping in clock_nanosleep", "stopped in read", "running"; of several
 * tasks what each does. */
int inspect_brief(pid_t pid, char *buf, size_t size);

/* A line for each of state, place in the kernel, system call with its
 * arguments, and of the kernel's stack; for every task, up to 32. */
int inspect_report(pid_t pid, FILE *out);

/* The name of a system call; NULL when it has none here. */
const char *inspect_call_name(long nr);

/* Counts that grow while it gets on; UINT64_MAX, with errno, when one cannot be
 * seen.
 * Calls of read(2) and its kin, not those of recv(2). */
uint64_t inspect_reads(pid_t pid);
/* Times that a task of it went to sleep or was made to wait for a processor;
 * not of one with 32 tasks or more. */
uint64_t inspect_pauses(pid_t pid);

#endif
