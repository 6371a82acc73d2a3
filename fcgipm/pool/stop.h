/*
 * stop.h - ends a pool without cutting a request short
 */
#ifndef FCGIPM_POOL_STOP_H
#define FCGIPM_POOL_STOP_H

struct pool;

/*
 * pool_stop - serve what was accepted, then leave; on_stopped tells the end
 *
 * Called again, it kills what is left.
 */
void pool_stop(struct pool *p);

/* A worker of a stopping pool, or its refuser, is gone; calls on_stopped after
 * the last. */
void stop_on_dead(struct pool *p);

#endif
