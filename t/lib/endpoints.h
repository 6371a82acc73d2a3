/*
 * endpoints.h - listening sockets and their clients, for unit tests of sockdiag
 */
#ifndef FCGIPM_T_ENDPOINTS_H
#define FCGIPM_T_ENDPOINTS_H

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/sockdiag.h"

/* Both exist during each test. */
static struct sockdiag diag;
static char dir[] = "/tmp/fcgipm-diag-XXXXXX";

/* For .init of a TestSuite. */
static inline void
endpoints_open(void)
{
	struct rlimit lim;

	cr_assert_eq(sockdiag_open(&diag), 0, "%s", strerror(errno));
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	lim.rlim_cur = lim.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
}

/* Removes the sockets in dir. */
static inline void
remove_names(void)
{
	static const char *const names[] = {"a", "b", "c"};
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
}

/* For .fini of a TestSuite. */
static inline void
endpoints_close(void)
{
	remove_names();
	cr_expect_eq(rmdir(dir), 0);
	sockdiag_close(&diag);
}

static inline ino_t
inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

/* Listens on a path in dir, or, with "@", on a name that the kernel chooses. */
static inline int
listen_unix(const char *name, int backlog)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(un);

	cr_assert_geq(fd, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", dir, name);
	if (name[0] == '@')
		len = sizeof(un.sun_family);
	cr_assert_eq(bind(fd, (struct sockaddr *)&un, len), 0);
	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

static inline int
listen_tcp(const char *host, int port, int backlog)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	cr_assert_geq(fd, 0);
	in.sin_addr.s_addr = htonl(strcmp(host, "any") == 0 ? INADDR_ANY :
			strcmp(host, "two") == 0 ?
							      0x7f000002 :
							      INADDR_LOOPBACK);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
		0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0, "%s",
		strerror(errno));
	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

/* Connects to the listener's address; for "any", to 127.0.0.1. */
static inline int
connect_to(int listener)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	int fd;

	cr_assert_eq(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	if (((struct sockaddr_in *)&sa)->sin_addr.s_addr == INADDR_ANY)
		((struct sockaddr_in *)&sa)->sin_addr.s_addr =
			htonl(INADDR_LOOPBACK);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, len), 0, "%s",
		strerror(errno));
	return fd;
}

static inline int
accept_from(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

#endif
