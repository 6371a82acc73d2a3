/*
 * listen_conflict.h - who holds an address that a pool wants, in words
 *
 * For sys/listen.
 */
#ifndef FCGIPM_SYS_LISTEN_CONFLICT_H
#define FCGIPM_SYS_LISTEN_CONFLICT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

/* Before an address is tried again. */
void listen_pause(void);

/*
 * listen_check_path - may a socket's path be taken?
 *
 * patience_ms	how long a process that serves it gets to go away
 * returns	0 yes; -1 with why
 */
int listen_check_path(const struct addr *a, int64_t patience_ms, char *why,
	size_t size);

/* Who holds an address that is in use.  pid: 0 = to be found out. */
void listen_explain_in_use(const struct addr *a, pid_t pid, char *why,
	size_t size);

/* Why bind(2) failed, by errno, and what to do where that does not say it. */
void listen_explain_bind(const struct addr *a, char *why, size_t size);

#endif
