/*
 * descendants.h - kills a process that a worker has started, with its own
 * descendants; the worker itself is killed by its pool
 *
 * A worker is the leader of its own session.  No process can join a session
 * from outside, so every process in it descends from the worker.  The pids are
 * untrusted and may have been reused: the session is checked before each
 * signal.
 */
#ifndef FCGIPM_TIMEOUT_DESCENDANTS_H
#define FCGIPM_TIMEOUT_DESCENDANTS_H

#include <stdbool.h>
#include <sys/types.h>

/* Is pid in this session?  The session's leader is. */
bool descendants_include(pid_t session, pid_t pid);

/* Sends SIGKILL to pid and to the processes it has started, at most 64, if they
 * are in this session.  The pid of the leader must not be given. */
void descendants_kill(pid_t session, pid_t pid);

#endif
