/*
 * listen_conflict.h - explains why an address cannot be bound
 *
 * Finds the process that holds the address, and composes the error message.
 * For sys/listen.
 */
#ifndef FCGIPM_SYS_LISTEN_CONFLICT_H
#define FCGIPM_SYS_LISTEN_CONFLICT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

/* Sleeps for a short time before an address is tried again. */
void listen_pause(void);

/*
 * listen_check_path - is the path of a unix socket free to use?
 *
 * wait_ms	how long a process that listens there may take to exit
 * returns	0 yes; -1 with the reason in why
 */
int listen_check_path(const struct addr *a, int64_t wait_ms, char *why,
	size_t size);

/* Names the process that holds the address.  pid: 0 = find it out. */
void listen_explain_in_use(const struct addr *a, pid_t pid, char *why,
	size_t size);

/* Composes the error of bind(2) from errno, with what to do about it. */
void listen_explain_bind(const struct addr *a, char *why, size_t size);

#endif
