/*
 * late.h - requests that never end, for the tests of what becomes of them
 *
 * The programs are t/children/late and its likes: the query says how a request
 * does not end.
 */
#ifndef FCGIPM_T_LATE_H
#define FCGIPM_T_LATE_H

#include "world.h"
#include <stdbool.h>

struct world;

struct late_kind {
	const char *handler, *keys;
	const char *script;	/* NULL = the handler itself */
	const char *const *ways;	/* not to end, NULL at the end */
	bool kernel;		/* nothing is preloaded, or can be */
	bool crowded;		/* a process has several requests */
};

struct late_story {
	const struct late_kind *kind;
	struct world *w;
	int fd;			/* of the client whose request never ends */
	int busy;		/* one request after the other comes over it,
				 * -1 = none */
};

/* A pool, www at www.sock, of so many workers; keys are further ones. */
struct world *late_start(const struct late_kind *k, unsigned workers,
	const char *keys);
/* Stops and closes it without waiting for requests that do not end. */
void late_end_world(struct world **w);

/* A request for /WAY?token=secret; NULL is one that is answered. */
void late_begin(const struct late_kind *k, int fd, int flags, const char *way);
/* The pid in an answer over this connection. */
long late_read_pid(int fd);
/* Makes a request that is answered; the pid in it. */
long late_ask(const struct late_kind *k, struct world *w);
/* The same of the only worker of any pool. */
long late_pid_of(struct world *w, const char *address, const char *query);

/* By what the kernel shows, requests of a connection are known apart once its
 * worker has been seen to wait for one.  Until then whatever sleeps, or is
 * preempted, may be at the next one. */
void late_be_known(const struct late_kind *k, struct world *w, int fd);

/* Has this story's client lost its connection?  Others are served meanwhile.
 * For world_until(). */
bool late_is_cut(void *story);

/* Asserts that `fcgipmctl status` says so. */
void late_expect_status(struct world *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
