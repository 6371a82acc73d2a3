/*
 * fd.c - small things about descriptors; see fd.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void
fd_close_pair(int *low, int *high)
{
	int saved = errno;

	if (*low >= 0 && *high == *low + 1 &&
		close_range((unsigned)*low, (unsigned)*high, 0) == 0)
		*low = *high = -1;
	errno = saved;
	fd_close(low);
	fd_close(high);
}

int
fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	if (((flags & O_NONBLOCK) != 0) == on)
		return 0;
	return fcntl(fd, F_SETFL, flags ^ O_NONBLOCK);
}

int
fd_pipe(int read_flags, int write_flags, int *ret_readfd, int *ret_writefd)
{
	int p[2];

	/* Ends that agree need one system call, mixed ones two. */
	int both = read_flags & write_flags & O_NONBLOCK;

	if (pipe2(p, O_CLOEXEC | both) < 0)
		return -1;
	if (!both && ((read_flags && fcntl(p[0], F_SETFL, O_NONBLOCK) < 0) ||
			     (write_flags &&
				     fcntl(p[1], F_SETFL, O_NONBLOCK) < 0))) {
		fd_close(&p[0]);
		fd_close(&p[1]);
		return -1;
	}
	*ret_readfd = p[0];
	*ret_writefd = p[1];
	return 0;
}

int
fd_write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fd_read_file(const char *path, size_t cap, char **ret_p, size_t *ret_len)
{
	size_t len = 0, size = 8192;
	char *p = malloc(size), *bigger;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !p)
		goto fail;
	/* The size is not asked for: files of /proc say 0. */
	while (n > 0) {
		if (len + 1 == size) {
			size *= 2;
			bigger = realloc(p, size);
			if (!bigger)
				goto fail;
			p = bigger;
		}
		n = read(fd, p + len, size - len - 1);
		if (n < 0)
			goto fail;
		len += (size_t)n;
		if (len > cap) {
			errno = EFBIG;
			goto fail;
		}
	}
	fd_close(&fd);
	p[len] = '\0';
	*ret_p = p;
	*ret_len = len;
	return 0;
fail:
	fd_close(&fd);
	free(p);
	return -1;
}

int
fd_detach_std(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), i;

	if (fd < 0)
		return -1;
	for (i = 0; i <= 2; i++)
		if (dup2(fd, i) < 0) {
			fd_close(&fd);
			return -1;
		}
	return close(fd);
}

unsigned long
fd_raise_limit(void)
{
	struct rlimit lim;
	rlim_t before;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 1024;
	before = lim.rlim_cur;
	lim.rlim_cur = lim.rlim_max;
	/* Without it we only serve fewer; nothing to report. */
	(void)setrlimit(RLIMIT_NOFILE, &lim);
	return before;
}
