/*
 * inspect.h - formats what a process does, from /proc, for humans (proc(5))
 *
 * No decision depends on this text: observe/activity decides, observe/describe
 * adds what the scoreboard says.  The counters inspect_reads() and
 * inspect_pauses() are for timeout/watchdog.  Most entries need the rights of
 * ptrace(2), the kernel stack needs root.  An entry that cannot be read is printed with
 * the reason.
 */
#ifndef FCGIPM_SYS_INSPECT_H
#define FCGIPM_SYS_INSPECT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Writes "sleeping in clock_nanosleep", "stopped in read" or "running"; with
 * several tasks, each different state once.  Returns 0, or -1 with errno when
 * the system call of a task cannot be read. */
int inspect_brief(pid_t pid, char *buf, size_t size);

/* Prints for every task, up to 32: its state, where it waits in the kernel, its
 * system call with arguments, and its kernel stack.  Returns 0, or -1 with
 * errno when the system call of a task cannot be read. */
int inspect_report(pid_t pid, FILE *out);

/* The name of a system call; NULL when it is unknown. */
const char *inspect_call_name(long nr);

/*
 * Counters that grow while a process makes progress; UINT64_MAX with errno when
 * they cannot be read.
 */
/* Calls of read(2), readv(2) and pread(2); recv(2) is not counted. */
uint64_t inspect_reads(pid_t pid);
/* Context switches of all tasks: a task slept or waited for a processor.
 * UINT64_MAX also for a process with 32 tasks or more. */
uint64_t inspect_pauses(pid_t pid);

#endif
