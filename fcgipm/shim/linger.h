/*
 * linger.h - skips libfcgi's wait at the end of an answered connection
 *
 * libfcgi does not close a connection at once.  It shuts down its side, waits
 * with poll(2) until the client has closed, and reads what arrives until then.
 * Over TCP this is needed: unread bytes would make the kernel discard the end
 * of the answer.  A unix socket loses no written byte.  When the whole request
 * was read and the answer has ended, nothing more can arrive.  Then the wait
 * only costs a sleep and two system calls a request, and keeps the worker from
 * its next request.
 *
 * The shim then answers poll(2) at once, as if the client had closed, and
 * read(2) with end of file.  The shutdown(2) is done, so the client sees the
 * end of the connection even if a forked process or a duplicated descriptor
 * keeps it open.
 *
 * The shim does so only when the supervisor allows it (fcgipm_head.accelerate),
 * and only after it has seen the process end a connection this way, up to
 * close(2).  A program that closes by a direct system call is not accelerated:
 * its descriptor number might belong to another file by now.
 */
#ifndef FCGIPM_SHIM_LINGER_H
#define FCGIPM_SHIM_LINGER_H

#include <stdbool.h>
#include <sys/types.h>

#include "conn.h"

#pragma GCC visibility push(hidden)

/* struct conn.linger: the state of the close. */
enum {
	LINGER_NONE,		/* not begun, or not ended this way */
	LINGER_SHUT,		/* shutdown(2) after a complete answer */
	LINGER_POLLED,		/* ... then poll(2) */
	LINGER_READ		/* ... then a read(2) with end of file */
};

/* struct local.lingers: does this process end its connections this way? */
enum { LINGERS_UNKNOWN, LINGERS_YES, LINGERS_NEVER };

/* Allows or forbids to skip the wait.  Called once, before the first
 * connection. */
void linger_allow(bool yes);

/* The program has shut down its side of the connection. */
void linger_shut(struct conn *c);
/* May poll(2), or the read(2) after it, be skipped? */
bool linger_skips_poll(struct conn *c);
bool linger_skips_read(const struct conn *c);
/* The call was not skipped; this is its result. */
void linger_polled(struct conn *c, int result);
void linger_read(struct conn *c, ssize_t n);
/* Is the close(2) of this connection needed to know how the process ends its
 * connections? */
bool linger_awaits_close(const struct conn *c);
/* The connection is about to be closed; it was closed by a call that the shim
 * does not wrap. */
void linger_closed(const struct conn *c);
void linger_missed(void);

#pragma GCC visibility pop

#endif
