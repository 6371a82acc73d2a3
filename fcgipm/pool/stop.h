/*
 * stop.h - stops a pool without interrupting a request
 */
#ifndef FCGIPM_POOL_STOP_H
#define FCGIPM_POOL_STOP_H

struct pool;

/*
 * pool_stop - lets the workers finish their requests and exit
 *
 * Calls on_stopped when the last one is dead.  A second call kills the workers
 * that are left.
 */
void pool_stop(struct pool *p);

/* A worker of a stopping pool, or its refuser, has died; calls on_stopped after
 * the last one. */
void stop_on_dead(struct pool *p);

#endif
