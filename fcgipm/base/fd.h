/*
 * fd.h - descriptor helpers: close, flags, pipes, messages, small files
 *
 * Every descriptor is opened close-on-exec; only sys/spawn passes some to
 * children.
 */
#ifndef FCGIPM_BASE_FD_H
#define FCGIPM_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Closes *fd when it is 0 or above and sets it to -1; keeps errno. */
void fd_close(int *fd);

/* The same for *low and *high, in one system call when their numbers are
 * consecutive, as those of a pipe usually are. */
void fd_close_pair(int *low, int *high);

/* 0, or -1 with errno. */
int fd_set_nonblock(int fd, bool on);

/*
 * fd_pipe - makes a pipe, both ends close-on-exec
 *
 * read_flags, write_flags	O_NONBLOCK or 0 for each end
 * returns	0, or -1 with errno (pipe(2)); ret_* unchanged then
 */
int fd_pipe(int read_flags, int write_flags, int *ret_readfd, int *ret_writefd);

/* Writes all of it to a blocking descriptor; 0, or -1 with errno. */
int fd_write_all(int fd, const void *p, size_t len);

/*
 * fd_send - sends one message, with a descriptor (SCM_RIGHTS, unix(7))
 *
 * sock		a SOCK_SEQPACKET socket
 * passfd	stays the caller's; -1 = none
 * returns	0 when all of it was sent, or -1 with errno; EPIPE without
 *		a signal when the peer has closed
 */
int fd_send(int sock, const void *p, size_t len, int passfd);

/*
 * fd_receive - receives one message and its descriptor
 *
 * sock		a SOCK_SEQPACKET socket
 * returns	the message's length; 0 at the end of file; -1 with errno:
 *		EMSGSIZE when it is longer than len, EPROTO when it had more
 *		than one descriptor or one was lost, which happens at the limit
 *		of open files.  With 0 and -1 no descriptor is left open.
 * ret_passfd	-1 = none; close-on-exec; the caller closes it
 */
ssize_t fd_receive(int sock, void *p, size_t len, int *ret_passfd);

/*
 * fd_read_file - reads a whole small file and adds a NUL
 *
 * cap		largest size accepted, else -1 with EFBIG
 * returns	0, or -1 with errno; *ret_p is the caller's to free()
 */
int fd_read_file(const char *path, size_t cap, char **ret_p, size_t *ret_len);

/* Redirects 0, 1 and 2 to /dev/null, as in a daemon; 0, or -1 with errno. */
int fd_detach_std(void);

/*
 * fd_raise_limit - raises the soft RLIMIT_NOFILE to the hard one
 *
 * returns	the soft limit before that, for the children
 */
unsigned long fd_raise_limit(void);

#endif
