/*
 * members.h - what becomes of a pool when a worker comes up or is gone
 */
#ifndef FCGIPM_POOL_MEMBERS_H
#define FCGIPM_POOL_MEMBERS_H

#include "worker/worker.h"

struct pool;

/* For the pool's workers, whose owner it is. */
extern const struct worker_ops members_ops;

/* Tells on_ready, once, when as many are up as the policy begins with. */
void members_check_ready(struct pool *p);

#endif
