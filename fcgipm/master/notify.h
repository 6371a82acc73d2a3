/*
 * notify.h - tell the service manager (sd_notify(3)'s protocol)
 */
#ifndef FCGIPM_MASTER_NOTIFY_H
#define FCGIPM_MASTER_NOTIFY_H

/*
 * notify_init - remember NOTIFY_SOCKET and take it out of the environment
 *
 * Without one, notify_send() does nothing.
 */
void notify_init(void);

/* One datagram, as "READY=1\nSTATUS=...".  A manager that does not listen
 * costs nothing: the result is of no use to us. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
