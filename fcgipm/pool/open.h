/*
 * open.h - opens a pool, starts it, closes it
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
 * pool_open - resolve, open the listening sockets, start nothing yet
 *
 * nofile	soft RLIMIT_NOFILE for the children
 * diag		borrowed, as long as the pool; may be closed
 * returns	0; -1 with why, nothing left behind
 */
int pool_open(struct pool *p, struct loop *loop, const struct conf_pool *conf,
	unsigned long nofile, struct sockdiag *diag, const struct pool_ops *ops,
	char *ret_why, size_t why_size);

/* Starts the workers; from here on the pool keeps them at their number. */
void pool_start(struct pool *p);

/* Every worker is gone: close the sockets, remove their paths, free. */
void pool_close(struct pool *p);

#endif
