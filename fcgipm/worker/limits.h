/*
 * limits.h - the resource limits that a pool's keys set on a child
 *
 * Used by the supervisor for workers and by the gateway for its programs.  How
 * a child is started is left to the caller.
 */
#ifndef FCGIPM_WORKER_LIMITS_H
#define FCGIPM_WORKER_LIMITS_H

struct conf_pool;
struct privs;

/*
 * limits_set - adds the limits of a pool's rlimit_* keys to p
 *
 * nofile	soft RLIMIT_NOFILE of a pool without rlimit_files
 */
void limits_set(struct privs *p, const struct conf_pool *conf,
	unsigned long nofile);

/* Adds only the soft RLIMIT_NOFILE that this process had before it raised
 * it. */
void limits_restore_nofile(struct privs *p, unsigned long nofile);

#endif
