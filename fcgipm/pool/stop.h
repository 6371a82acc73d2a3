/*
 * stop.h - how a pool ends without cutting a request short
 */
#ifndef FCGIPM_POOL_STOP_H
#define FCGIPM_POOL_STOP_H

struct pool;

/* A worker of a stopping pool is gone; tells on_stopped after the last. */
void stop_on_dead(struct pool *p);

#endif
