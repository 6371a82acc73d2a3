/*
 * lifecycle.h - what a pool does when a worker is ready or dead
 */
#ifndef FCGIPM_POOL_LIFECYCLE_H
#define FCGIPM_POOL_LIFECYCLE_H

#include "worker/worker.h"

struct pool;

/* For the pool's workers, whose owner it is. */
extern const struct worker_ops lifecycle_ops;

/* Calls on_ready, once, when as many are up as the policy begins with. */
void lifecycle_check_ready(struct pool *p);

#endif
