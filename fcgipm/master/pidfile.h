/*
 * pidfile.h - writes and removes the PID file of the supervisor
 */
#ifndef FCGIPM_MASTER_PIDFILE_H
#define FCGIPM_MASTER_PIDFILE_H

/*
 * pidfile_write - write our PID and a newline to path
 *
 * The file is written under another name and renamed, so that a reader never
 * finds an incomplete PID.
 * returns	0, or -1 with errno
 */
int pidfile_write(const char *path);

/* Removes the file, unless it holds the PID of another process by now. */
void pidfile_remove(const char *path);

#endif
