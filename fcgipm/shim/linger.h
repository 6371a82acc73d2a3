/*
 * linger.h - the end of an answered connection, without a wait
 *
 * libfcgi does not close a connection at once.  It shuts its side down, waits
 * with poll(2) until the client has closed the other one, and reads what comes
 * until then: over TCP, bytes that nobody reads would make the kernel throw
 * away the end of an answer.  A unix socket loses no byte that was written, and
 * where the whole request was read and the answer has ended there is nothing
 * to come.  The wait costs a sleep and two system calls a request, while a
 * worker is kept from the next one.
 *
 * Where the supervisor allows it (fcgipm_head.accelerate), the poll says then
 * what it would say a moment later, and the read finds the end.  The shutdown
 * is done: whoever else has the connection, a process that was forked or a
 * descriptor that was duplicated, the client sees its end.  All of this only in
 * a process that was seen to end a connection this way, its close(2) included:
 * programs that close by a system call of their own have descriptors whose
 * numbers mean something else when we do not notice.
 */
#ifndef FCGIPM_SHIM_LINGER_H
#define FCGIPM_SHIM_LINGER_H

#include <stdbool.h>
#include <sys/types.h>

#include "conn.h"

#pragma GCC visibility push(hidden)

/* struct conn.linger: what was seen of the way it is closed. */
enum {
	LINGER_NONE,		/* nothing, or not this way */
	LINGER_SHUT,		/* shutdown(2), with nothing left to say */
	LINGER_POLLED,		/* ... then poll(2) */
	LINGER_READ		/* ... then a read that found the end */
};

/* struct local.lingers: does this process close its connections so? */
enum { LINGERS_UNKNOWN, LINGERS_YES, LINGERS_NEVER };

/* Of all connections: once, before the first one. */
void linger_allow(bool yes);

/* Its sending side was shut down. */
void linger_shut(struct conn *c);
/* May the wait for its client, or the read after that, be left out? */
bool linger_skips_poll(struct conn *c);
bool linger_skips_read(const struct conn *c);
/* It was not: the call returned this. */
void linger_polled(struct conn *c, int result);
void linger_read(struct conn *c, ssize_t n);
/* Does its close(2) have to be seen, to know what this process does? */
bool linger_awaits_close(const struct conn *c);
/* It is about to be closed; or was, by a call that we do not see. */
void linger_closed(const struct conn *c);
void linger_missed(void);

#pragma GCC visibility pop

#endif
