/*
 * describe.h - formats a process's current state as text for logs and status
 *
 * Decides nothing: observe/activity decides a worker's state.  The supervisor
 * reads /proc itself, or through the prober where it does not have the rights.
 * What neither of them may read is named with the reason.
 */
#ifndef FCGIPM_OBSERVE_DESCRIBE_H
#define FCGIPM_OBSERVE_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct prober;

/* As inspect_brief() and inspect_report() of sys/inspect.  A brief text that
 * the prober sent may contain any bytes; the lines of a report are escaped. */
void describe_brief(struct prober *p, pid_t pid, char *buf, size_t size);
void describe_report(struct prober *p, pid_t pid, FILE *out);

/* Calls of read(2) so far; UINT64_MAX when unknown. */
uint64_t describe_reads(struct prober *p, pid_t pid);

/* As procfs_is_static() of sys/procfs. */
int describe_is_static(struct prober *p, pid_t pid);

#endif
