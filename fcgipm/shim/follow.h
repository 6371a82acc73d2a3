/*
 * follow.h - the connections of a worker, followed until they are closed
 *
 * What is read and written on them is reported in the worker's slot of the
 * board.
 */
#ifndef FCGIPM_SHIM_FOLLOW_H
#define FCGIPM_SHIM_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "conn.h"

#pragma GCC visibility push(hidden)

/* Is any open?  By our own count: another process of the pool may write
 * anything onto the board. */
bool conns_are_open(void);

/* fd was accepted, and is about to be closed. */
void conn_begin(int fd);
void conn_end(int fd, struct conn *c);
/* A thread waits for one: what it did after an answer is done. */
void conn_await(void);

/* A call that writes, or reads at most len bytes, returned n; errno stays. */
void conn_wrote(int fd, struct conn *c, const void *p, ssize_t n);
void conn_read(int fd, struct conn *c, const void *p, ssize_t n, size_t len);
void conn_wrote_vector(int fd, struct conn *c, const struct iovec *iov,
	size_t niov, ssize_t n);
void conn_read_vector(int fd, struct conn *c, const struct iovec *iov,
	size_t niov, ssize_t n);

#pragma GCC visibility pop

#endif
