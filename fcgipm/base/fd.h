/*
 * fd.h - small things about descriptors
 *
 * Every descriptor is born close-on-exec; sys/spawn alone hands some on.
 */
#ifndef FCGIPM_BASE_FD_H
#define FCGIPM_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Closes *fd when it is 0 or above and sets it to -1; keeps errno. */
void fd_close(int *fd);

/* The same for *low and *high, in one system call when their numbers follow
 * each other, as those of descriptors opened in a row mostly do. */
void fd_close_pair(int *low, int *high);

/* 0, or -1 with errno. */
int fd_set_nonblock(int fd, bool on);

/*
 * fd_pipe - a pipe, both ends close-on-exec
 *
 * read_flags, write_flags	O_NONBLOCK or 0 for each end
 * returns	0, or -1 with errno (pipe(2)); ret_* untouched then
 */
int fd_pipe(int read_flags, int write_flags, int *ret_readfd, int *ret_writefd);

/* Writes all of it to a blocking descriptor; 0, or -1 with errno. */
int fd_write_all(int fd, const void *p, size_t len);

/*
 * fd_send - one message, and a descriptor with it (SCM_RIGHTS, unix(7))
 *
 * sock		a SOCK_SEQPACKET socket
 * passfd	stays the caller's; -1 = none
 * returns	0 when all of it was sent, or -1 with errno; a peer that is
 *		gone is EPIPE, without a signal
 */
int fd_send(int sock, const void *p, size_t len, int passfd);

/*
 * fd_receive - one message, and the descriptor that came with it
 *
 * sock		a SOCK_SEQPACKET socket
 * returns	the message's length; 0 at the end of file; -1 with errno:
 *		EMSGSIZE when it is longer than len, EPROTO when more than one
 *		descriptor came or one was lost, as happens when the limit of
 *		open files is reached.  Nothing is left open with 0 and -1.
 * ret_passfd	-1 = none; close-on-exec, and the caller's to close
 */
ssize_t fd_receive(int sock, void *p, size_t len, int *ret_passfd);

/*
 * fd_read_file - a small file, whole, with a NUL behind it
 *
 * cap		largest size accepted, else -1 with EFBIG
 * returns	0, or -1 with errno; *ret_p is the caller's to free()
 */
int fd_read_file(const char *path, size_t cap, char **ret_p, size_t *ret_len);

/* Points 0, 1 and 2 at /dev/null, as a daemon's; 0, or -1 with errno. */
int fd_detach_std(void);

/*
 * fd_raise_limit - soft RLIMIT_NOFILE up to the hard one
 *
 * returns the soft limit that was in force before, for the children.
 */
unsigned long fd_raise_limit(void);

#endif
