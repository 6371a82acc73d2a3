/*
 * watchdog.h - finds requests that take too long, logs and ends them
 *
 * request_terminate_timeout and request_slowlog_timeout of prefork pools; in cgi
 * pools gateway/request_run has the clock.  A worker that has to be killed is
 * reported to its pool (on_late), a descendant is killed here.  What
 * workers write on the board is a hint: before one is killed the kernel is
 * asked whether it can have a request at all, and only processes of its own
 * session are killed.
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

/* A worker that is watched.  What its slot holds may end and be started again;
 * both objects stay where they are. */
struct watchdog_subject {
	struct worker *worker;
	struct kernel_worker *observation;
};

struct watchdog_ops {
	/* One of its requests is slow; called once for each, before it is
	 * logged. */
	void (*on_slow)(struct worker *w);
	/* One of its requests is late, and no other one can be: kill it. */
	void (*on_late)(struct worker *w);
	/* The same, but only one of its descendants had the request: that is
	 * killed already, the worker goes on. */
	void (*on_descendant_killed)(struct worker *w);
};

/* What a watchdog works with; all pointers are borrowed as long as it is
 * open, apart from that to the subjects, which are copied. */
struct watchdog_spec {
	const struct conf_pool *conf;
	struct loop *loop;
	const struct board *board;	/* NULL = the kernel tier alone */
	struct kernel_observer *kernel;
	uid_t uid;			/* the workers', and their group: */
	gid_t gid;
	const struct watchdog_subject *subjects;	/* by slot */
	unsigned nsubjects;
	const struct watchdog_ops *ops;
};

/* Does this pool have a limit on its requests? */
bool watchdog_is_needed(const struct conf_pool *conf);

/*
 * watchdog_open - opens the slow log; watches nothing until watchdog_begin()
 *
 * returns	NULL with why
 */
struct watchdog *watchdog_open(const struct watchdog_spec *spec, char *ret_why,
	size_t why_size);
/* These three accept that there is none. */
void watchdog_close(struct watchdog **d);

/* The worker in this slot is up: requests of it are timed from now on. */
void watchdog_begin(struct watchdog *d, unsigned slot);

/* Opens the slow log again; 0, or -1 with errno. */
int watchdog_reopen(struct watchdog *d);

#endif
