/*
 * watchdog.h - goes round the workers for requests that take too long
 *
 * request_terminate_timeout and request_slowlog_timeout of prefork pools.  What
 * workers tell on the board is a hint: before one is ended the kernel is
 * asked whether it can have a request at all, and only processes of its own
 * session are ended.
 */
#ifndef FCGIPM_TIMEOUT_WATCHDOG_H
#define FCGIPM_TIMEOUT_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>

struct conf_pool;
struct watchdog;
struct pool;
struct pool_member;

/* Does this pool want one? */
bool watchdog_is_needed(const struct conf_pool *conf);

/* p's workers and board are made; -1 with why, p->patrol being NULL then and
 * where none is needed. */
int watchdog_open(struct pool *p, char *ret_why, size_t why_size);
void watchdog_close(struct watchdog **r);

/* This worker is up: it goes its rounds from now on, as long as one is. */
void watchdog_begin(struct pool *p, const struct pool_member *m);

/* Opens the slow log again; 0, or -1 with errno. */
int watchdog_reopen(struct pool *p);

#endif
