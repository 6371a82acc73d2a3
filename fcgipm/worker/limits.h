/*
 * limits.h - the resource limits that a pool's keys set on a child
 *
 * Knows nothing of how a child is launched: the supervisor sets them on
 * workers, the gateway on its programs.
 */
#ifndef FCGIPM_WORKER_LIMITS_H
#define FCGIPM_WORKER_LIMITS_H

struct conf_pool;
struct privs;

/*
 * limits_set - the rlimit_* keys of a pool
 *
 * p		they are added to it
 * nofile	soft RLIMIT_NOFILE of a pool without rlimit_files
 */
void limits_set(struct privs *p, const struct conf_pool *conf,
	unsigned long nofile);

/* The soft RLIMIT_NOFILE alone: what ours was before we raised it. */
void limits_restore_nofile(struct privs *p, unsigned long nofile);

#endif
