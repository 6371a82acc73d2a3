/*
 * open.h - opens, starts and closes a pool
 */
#ifndef FCGIPM_POOL_OPEN_H
#define FCGIPM_POOL_OPEN_H

#include <stddef.h>

struct conf_pool;
struct loop;
struct pool;
struct pool_ops;
struct sockdiag;

/*
 * pool_open - resolves names and opens the listening sockets; starts no worker
 *
 * nofile	soft RLIMIT_NOFILE for the children
 * diag		borrowed, as long as the pool; may be closed
 * returns	0; -1 with the reason in ret_why and nothing left open
 */
int pool_open(struct pool *p, struct loop *loop, const struct conf_pool *conf,
	unsigned long nofile, struct sockdiag *diag, const struct pool_ops *ops,
	char *ret_why, size_t why_size);

/* Starts the workers; from now on the pool replaces those that die. */
void pool_start(struct pool *p);

/* Closes the sockets, removes their paths and frees the pool.  Call it when all
 * workers are dead. */
void pool_close(struct pool *p);

#endif
