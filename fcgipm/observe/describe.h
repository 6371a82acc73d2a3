/*
 * describe.h - a process in words, for logs and status; decides nothing
 *
 * Read by the supervisor itself, or by the prober where the supervisor has not
 * the rights; what neither may see is named with the reason.
 */
#ifndef FCGIPM_OBSERVE_DESCRIBE_H
#define FCGIPM_OBSERVE_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct prober;

/* By sys/inspect.  Where the prober answered, brief may hold any bytes; the
 * lines of a report are escaped. */
void describe_brief(struct prober *p, pid_t pid, char *buf, size_t size);
void describe_report(struct prober *p, pid_t pid, FILE *out);

/* Calls of read(2) so far; UINT64_MAX when it is not known. */
uint64_t describe_reads(struct prober *p, pid_t pid);

/* By sys/procfs. */
int describe_is_static(struct prober *p, pid_t pid);

#endif
