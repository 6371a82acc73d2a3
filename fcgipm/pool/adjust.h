/*
 * adjust.h - as many workers as the policy wants
 */
#ifndef FCGIPM_POOL_ADJUST_H
#define FCGIPM_POOL_ADJUST_H

#include <stdbool.h>

#include "pool/policy.h"

struct conf_pool;
struct pool;

/* What the pool's keys say. */
struct policy_limits adjust_limits(const struct conf_pool *conf);

/* Inspects the workers, asks the policy and does what it says; a pool that
 * stops is left alone.  true: workers start or leave. */
bool pool_adjust(struct pool *p);

/* The same in a moment, for events that come in crowds: to inspect the workers
 * takes a while where there are many. */
void pool_adjust_soon(struct pool *p);

#endif
