/*
 * follow.h - reports the connections of a worker on the board
 *
 * Follows each accepted connection until it is closed, and writes what is read
 * and written on it to the worker's slot of the board.
 */
#ifndef FCGIPM_SHIM_FOLLOW_H
#define FCGIPM_SHIM_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "conn.h"

#pragma GCC visibility push(hidden)

/* Is a connection open?  Uses the process's own count: another process of the
 * pool may write anything to the board. */
bool conns_are_open(void);

/* fd was accepted; fd is about to be closed. */
void conn_begin(int fd);
void conn_end(int fd, struct conn *c);
/* A thread calls accept(2): its work after the last answer is done, and it
 * counts as free again. */
void conn_thread_ready(void);

/* A call that writes, or reads at most len bytes, has returned n.  errno does
 * not change. */
void conn_wrote(int fd, struct conn *c, const void *p, ssize_t n);
void conn_read(int fd, struct conn *c, const void *p, ssize_t n, size_t len);
void conn_wrote_vector(int fd, struct conn *c, const struct iovec *iov,
	size_t niov, ssize_t n);
void conn_read_vector(int fd, struct conn *c, const struct iovec *iov,
	size_t niov, ssize_t n);

#pragma GCC visibility pop

#endif
