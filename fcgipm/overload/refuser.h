/*
 * refuser.h - the refuser, fcgipm-cgi --refuse: answers 503 to clients that
 * have waited longer than queue_timeout
 */
#ifndef FCGIPM_OVERLOAD_REFUSER_H
#define FCGIPM_OVERLOAD_REFUSER_H

struct conf_pool;

/*
 * refuser_run - refuses clients as ordered, until the channel is closed or no
 * order arrives
 *
 * Descriptor 0 must be the listening socket, REFUSER_FD the channel; privileges
 * must have been dropped.
 *
 * keys		queue_timeout
 * returns	0 or an exit code
 */
int refuser_run(const struct conf_pool *keys);

#endif
