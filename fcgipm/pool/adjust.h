/*
 * adjust.h - starts and retires workers as the policy decided
 */
#ifndef FCGIPM_POOL_ADJUST_H
#define FCGIPM_POOL_ADJUST_H

#include <stdbool.h>

#include "pool/policy.h"

struct conf_pool;
struct pool;

/* The pool's pm.* keys. */
struct policy_limits adjust_limits(const struct conf_pool *conf);

/* Inspects the workers, runs the policy and does what it decided; does nothing
 * in a pool that stops.  true: workers start or retire. */
bool pool_adjust(struct pool *p);

/* The same after a few milliseconds, for events that come in bursts: to
 * inspect many workers takes time. */
void pool_adjust_soon(struct pool *p);

/* The listen queue of a pool was sampled by another module.  A static pool,
 * which the policy does not inspect, logs that all its workers are busy. */
void adjust_note_queue(struct pool *p, unsigned waiting);

#endif
