/*
 * watchdog.h - enforces request_terminate_timeout and request_slowlog_timeout
 *
 * For prefork pools; in cgi pools gateway/request_run does it.  A slow request
 * is written to the slow log.  For a late request the watchdog asks the pool to
 * kill the worker (on_late), or kills the one descendant that has the request.
 * What workers write on the board is untrusted: before a process is killed, the
 * kernel must show that the worker may have a connection, and only processes of
 * the worker's own session are killed.
 *
 * The modules of timeout/, lowest layer first:
 *
 *	descendants	kills a descendant of a worker, with its own descendants
 *	backtrace	takes the stack of a process with an external tool
 *	slowlog		writes an entry for each slow request
 *	deadline	decides which request is slow or late (pure)
 *	watchdog	checks the workers and acts
 */
#ifndef FCGIPM_TIMEOUT_WATCHDOG_H
#define FCGIPM_TIMEOUT_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct board;
struct conf_pool;
struct kernel_observer;
struct kernel_worker;
struct loop;
struct watchdog;
struct worker;

/* A slot for a worker to check.  Its worker may exit and another one may start
 * there; both objects stay at their address. */
struct watchdog_subject {
	struct worker *worker;
	struct kernel_worker *observation;
};

struct watchdog_ops {
	/* One of its requests is slow; called once for each request, before it
	 * is logged. */
	void (*on_slow)(struct worker *w);
	/* One of its requests is late: kill the worker. */
	void (*on_late)(struct worker *w);
	/* One of its requests was late, but a descendant had it: only that one
	 * was killed, and the worker continues. */
	void (*on_descendant_killed)(struct worker *w);
};

/* All pointers are borrowed and must outlive the watchdog, except subjects,
 * which is copied. */
struct watchdog_spec {
	const struct conf_pool *conf;
	struct loop *loop;
	const struct board *board;	/* NULL = only the kernel */
	struct kernel_observer *kernel;
	uid_t uid;			/* the workers', and their group: */
	gid_t gid;
	const struct watchdog_subject *subjects;	/* by slot */
	unsigned nsubjects;
	const struct watchdog_ops *ops;
};

/* Does this pool have one of the two timeouts? */
bool watchdog_is_needed(const struct conf_pool *conf);

/*
 * watchdog_open - opens the slow log; checks nothing until watchdog_begin()
 *
 * returns	NULL with why
 */
struct watchdog *watchdog_open(const struct watchdog_spec *spec, char *ret_why,
	size_t why_size);
/* These three do nothing with NULL. */
void watchdog_close(struct watchdog **d);

/* The worker in this slot is ready: its requests are timed from now on. */
void watchdog_begin(struct watchdog *d, unsigned slot);

/* Reopens the slow log; 0, or -1 with errno. */
int watchdog_reopen(struct watchdog *d);

#endif
