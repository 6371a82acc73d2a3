/*
 * listen_conflict.c - explains why an address cannot be bound; see
 * listen_conflict.h
 *
 * Called by sys/listen.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/listen_conflict.h"
#include "sys/procfs.h"

#define RETRY_MS 20

void
listen_pause(void)
{
	const struct timespec ts = {.tv_nsec = RETRY_MS * 1000000L};

	nanosleep(&ts, NULL);
}

/* The inode of the TCP listener on the address's port, 0 when /proc shows
 * none. */
static ino_t
find_tcp_inode(const struct addr *a)
{
	bool v4 = a->sa.ss_family == AF_INET;
	unsigned want = ntohs(v4 ?
			((const struct sockaddr_in *)&a->sa)->sin_port :
			((const struct sockaddr_in6 *)&a->sa)->sin6_port);
	const char *files[] = {"/proc/net/tcp", "/proc/net/tcp6"};
	unsigned long ino = 0, seen;
	unsigned port, state;
	char line[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files) && ino == 0; i++) {
		FILE *f = fopen(files[i], "re");

		while (f && ino == 0 && fgets(line, sizeof(line), f))
			/* 0A is TCP_LISTEN; the inode is the tenth field. */
			if (sscanf(line,
				    "%*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s "
				    "%*s %*s %*s %lu",
				    &port, &state, &seen) == 3 &&
				port == want && state == 0x0a)
				ino = seen;
		if (f)
			fclose(f);
	}
	return ino;
}

/* Does a process listen on the address?  1 yes, with its PID in *ret_pid (0 =
 * unknown); 0 no; -1 with errno. */
static int
probe_address(const struct addr *a, pid_t *ret_pid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd, rc = 1;

	*ret_pid = 0;
	if (addr_is_tcp(a)) {
		ino_t ino = find_tcp_inode(a);

		*ret_pid = ino ? procfs_find_socket(ino) : 0;
		return ino != 0;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0) {
		/* EAGAIN: the queue is full, so a process listens. */
		if (errno == ECONNREFUSED || errno == ENOENT)
			rc = 0;
		else if (errno != EAGAIN)
			rc = -1;
	} else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
		*ret_pid = cred.pid;
	}
	fd_close(&fd);
	return rc;
}

void
listen_explain_in_use(const struct addr *a, pid_t pid, char *why, size_t size)
{
	char name[64];

	if (pid == 0)
		(void)probe_address(a, &pid);
	if (pid == getpid()) {
		snprintf(why, size,
			"%s is in use by this process: by another key, or by "
			"a socket that systemd passed; choose another address "
			"or remove the socket unit",
			a->text);
	} else if (pid > 0) {
		procfs_name(pid, name, sizeof(name));
		snprintf(why, size,
			"%s is in use by %s (PID %d); stop it or choose "
			"another address",
			a->text, name, (int)pid);
	} else {
		snprintf(why, size,
			"%s is in use by another process; stop it or choose "
			"another address",
			a->text);
	}
}

void
listen_explain_bind(const struct addr *a, char *why, size_t size)
{
	const char *more = "";

	if (addr_is_path(a) && errno == ENOENT)
		more = "; create its directory";
	else if (addr_is_path(a) && errno == EACCES)
		more = "; the user that fcgipm runs as needs write permission "
		       "for its directory";
	else if (errno == EADDRNOTAVAIL)
		more = "; choose an address of this host";
	else if (errno == EACCES)
		more = "; start as root or choose a port above 1023";
	snprintf(why, size, "%s: bind: %s%s", a->text, strerror(errno), more);
}

/* Does the path name a socket on which a process listens?  1 yes, 0 no; -1 with
 * the reason. */
static int
probe_path(const struct addr *a, pid_t *ret_pid, char *why, size_t size)
{
	const char *path = addr_path(a);
	struct stat st;
	int live;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, size, "%s exists and is not a socket; remove it "
			"or choose another path", path);
		return -1;
	}
	live = probe_address(a, ret_pid);
	if (live < 0)
		snprintf(why, size, "%s exists, but a test connection failed: "
			"%s; choose another path", path, strerror(errno));
	if (live != 0 || geteuid() == 0 || st.st_uid == geteuid())
		return live;
	snprintf(why, size, "%s is an unused socket that belongs to user %u; "
		"remove it or choose another path", path, (unsigned)st.st_uid);
	return -1;
}

int
listen_check_path(const struct addr *a, int64_t wait_ms, char *why,
	size_t size)
{
	int64_t until = now_ms() + wait_ms;
	pid_t pid = 0, holder = 0;
	int live;

	while ((live = probe_path(a, &pid, why, size)) > 0) {
		/* The test connections may fill a short queue.  Then the
		 * kernel no longer reports the PID. */
		if (pid > 0)
			holder = pid;
		if (now_ms() >= until) {
			listen_explain_in_use(a, holder, why, size);
			return -1;
		}
		listen_pause();
	}
	return live;
}
