/*
 * lifecycle.h - handles a worker that became ready or died
 */
#ifndef FCGIPM_POOL_LIFECYCLE_H
#define FCGIPM_POOL_LIFECYCLE_H

#include "worker/worker.h"

struct pool;

/* The callbacks of a pool's workers; their owner is the struct pool. */
extern const struct worker_ops lifecycle_ops;

/* Calls on_ready, once, when the workers that the pool starts with are up. */
void lifecycle_check_ready(struct pool *p);

#endif
