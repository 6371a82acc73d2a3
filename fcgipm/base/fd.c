/*
 * fd.c - descriptor helpers; see fd.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

	/* Equal flags need one system call, different ones two. */
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

/* Control data with one descriptor. */
union passed {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

int
fd_send(int sock, const void *p, size_t len, int passfd)
{
	union passed ctl = {.bytes = {0}};
	struct iovec iov = {(void *)p, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (passfd >= 0) {
		m.msg_control = &ctl;
		m.msg_controllen = sizeof(ctl);
		ctl.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(passfd))};
		memcpy(CMSG_DATA(&ctl.header), &passfd, sizeof(passfd));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n != len)
		errno = EMSGSIZE;
	return n == (ssize_t)len ? 0 : -1;
}

/*
 * Takes the first descriptor of a control message and closes the others;
 * returns how many there were.  With padding, room for one descriptor may hold
 * two.
 */
static size_t
take_passed(const struct cmsghdr *h, int *ret_passfd)
{
	const uint8_t *at = CMSG_DATA(h);
	size_t n, i;
	int fd;

	if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS ||
		h->cmsg_len < CMSG_LEN(0))
		return 0;
	n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (i = 0; i < n; i++) {
		memcpy(&fd, at + i * sizeof(int), sizeof(int));
		if (*ret_passfd < 0)
			*ret_passfd = fd;
		else
			fd_close(&fd);
	}
	return n;
}

ssize_t
fd_receive(int sock, void *p, size_t len, int *ret_passfd)
{
	union passed ctl;
	struct iovec iov = {p, len};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl)};
	struct cmsghdr *h;
	size_t passed = 0;
	ssize_t n;

	*ret_passfd = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		passed += take_passed(h, ret_passfd);
	if (m.msg_flags & MSG_TRUNC) {
		errno = EMSGSIZE;
		n = -1;
	} else if (m.msg_flags & MSG_CTRUNC || passed > 1) {
		errno = EPROTO;
		n = -1;
	}
	if (n <= 0)
		fd_close(ret_passfd);
	return n;
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
	/* fstat(2) would not help: files of /proc have size 0. */
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
	/* On failure the old limit holds, which is not worth a message. */
	(void)setrlimit(RLIMIT_NOFILE, &lim);
	return before;
}
