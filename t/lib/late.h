/*
 * late.h - requests that never end, for the tests of timeouts
 *
 * The programs are t/children/late and its variants in other languages.  The
 * query says in which way a request does not end.
 */
#ifndef FCGIPM_T_LATE_H
#define FCGIPM_T_LATE_H

#include "world.h"
#include <stdbool.h>

struct world;

struct late_kind {
	const char *handler, *keys;
	const char *script;	/* NULL = the handler itself */
	const char *const *ways;	/* how a request does not end, NULL at
					 * the end */
	bool kernel;		/* the kernel shows the workers: nothing is
				 * preloaded */
	bool crowded;		/* a process has several requests at once */
};

struct late_story {
	const struct late_kind *kind;
	struct world *w;
	int fd;			/* of the client whose request never ends */
	int busy;		/* for requests that are answered, one after
				 * another; -1 = none */
};

/* Starts a pool www at www.sock with this number of workers and these keys. */
struct world *late_start(const struct late_kind *k, unsigned workers,
	const char *keys);
/* Stops and closes the world without waiting for requests that do not end. */
void late_end_world(struct world **w);

/* Sends a request for /WAY?token=secret; NULL is a request that is answered. */
void late_begin(const struct late_kind *k, int fd, int flags, const char *way);
/* Returns the PID in an answer on this connection. */
long late_read_pid(int fd);
/* Makes a request that is answered; returns the PID in the answer. */
long late_ask(const struct late_kind *k, struct world *w);
/* The same for the only worker of any pool. */
long late_pid_of(struct world *w, const char *address, const char *query);

/* The kernel shows the requests of a connection only after its worker was seen
 * waiting for one.  Until then, a task that sleeps or is preempted may be at
 * the next request.  Makes the worker wait, and waits until the log says so. */
void late_be_known(const struct late_kind *k, struct world *w, int fd);

/* Returns whether the client of this story lost its connection.  Meanwhile
 * makes requests that are answered.  For world_until(). */
bool late_is_cut(void *story);

/* Asserts that `fcgipmctl status` prints this. */
void late_expect_status(struct world *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
