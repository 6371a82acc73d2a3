/*
 * pidfile.h - where others read our number
 */
#ifndef FCGIPM_MASTER_PIDFILE_H
#define FCGIPM_MASTER_PIDFILE_H

/*
 * pidfile_write - our pid and a newline, complete or not at all
 *
 * Written beside and renamed, so nobody reads half a number.
 * returns	0, or -1 with errno
 */
int pidfile_write(const char *path);

/* Removes the file if it still holds our pid. */
void pidfile_remove(const char *path);

#endif
