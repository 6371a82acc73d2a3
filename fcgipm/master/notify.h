/*
 * notify.h - reports READY, STATUS and STOPPING to systemd (sd_notify(3))
 */
#ifndef FCGIPM_MASTER_NOTIFY_H
#define FCGIPM_MASTER_NOTIFY_H

/*
 * notify_init - remember NOTIFY_SOCKET and remove it from the environment
 *
 * Without this variable, notify_send() does nothing.
 */
void notify_init(void);

/* Sends one datagram, such as "READY=1\nSTATUS=...".  Errors are ignored: the
 * service runs with or without the manager. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
