/*
 * describe.h - what a process of a pool does, seen by whoever may look
 *
 * By the supervisor itself, or, where that has not the rights to, by the
 * prober; what neither may see is named with the reason.
 */
#ifndef FCGIPM_OBSERVE_DESCRIBE_H
#define FCGIPM_OBSERVE_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct prober;

/* As sys/inspect has it.  By a prober brief may be any bytes; a report is lines
 * whose bytes are escaped. */
void describe_brief(struct prober *l, pid_t pid, char *buf, size_t size);
void describe_report(struct prober *l, pid_t pid, FILE *out);

/* UINT64_MAX when it is not known. */
uint64_t describe_reads(struct prober *l, pid_t pid);

/* As sys/procfs has it. */
int describe_is_static(struct prober *l, pid_t pid);

#endif
