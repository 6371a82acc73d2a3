/*
 * busy.h - prefork pools whose workers are busy, for the tests of queue_timeout
 *
 * A worker is busy until its client has sent the body of its request.
 */
#ifndef FCGIPM_T_BUSY_H
#define FCGIPM_T_BUSY_H

#include "world.h"

#define BUSY_WORKERS 2

/* Starts a pool www with these keys, which logs debug messages. */
struct world *busy_start(bool tcp, const char *handler, const char *keys);
/* The same with another number of workers. */
struct world *busy_start_some(unsigned workers, bool tcp, const char *handler,
	const char *keys);
/* Starts the daemon with a program of t/children instead of fcgipm-cgi. */
struct world *busy_start_with_gateway(const char *child, const char *keys);

/* Returns the address of the pool for client_connect(). */
const char *busy_address(const struct world *w, bool tcp);
/* Begins a request without sending its body; returns the connection. */
int busy_begin(struct world *w, bool tcp);
/* Sends the body. */
void busy_finish(int fd);
/* Sends a whole request; returns the connection. */
int busy_ask(struct world *w, bool tcp);
/* Expects that a worker answers the request, and closes the connection. */
void busy_expect_served(int fd);

/* Returns the PID of the refuser, or 0. */
pid_t busy_refuser(const struct world *w);
/* Returns whether there is no refuser.  For world_until(). */
bool busy_refuser_left(void *world);

#endif
