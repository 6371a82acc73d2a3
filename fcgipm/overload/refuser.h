/*
 * refuser.h - fcgipm-cgi --refuse: 503 for clients that have waited too long
 */
#ifndef FCGIPM_OVERLOAD_REFUSER_H
#define FCGIPM_OVERLOAD_REFUSER_H

struct conf_pool;

/*
 * refuser_run - refuse clients as the supervisor orders, until the channel is
 * closed or no order comes
 *
 * Descriptor 0 is the listener, REFUSER_FD the channel; privileges are dropped.
 *
 * keys		queue_timeout
 * returns	0 or an exit code
 */
int refuser_run(const struct conf_pool *keys);

#endif
