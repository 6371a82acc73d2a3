/*
 * procfs.c - what a process does, seen from /proc; see procfs.h
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/procfs.h"

/* /proc/PID/task/TID/syscall: "NUMBER ARG0 ...", or "running". */
static enum procfs_look
look_task(int taskfd, const char *tid)
{
	char path[300], line[256], *end;
	ssize_t n;
	long nr;
	int fd;

	snprintf(path, sizeof(path), "%s/syscall", tid);
	fd = openat(taskfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return PROCFS_UNKNOWN;
	n = read(fd, line, sizeof(line) - 1);
	fd_close(&fd);
	if (n <= 0)
		return PROCFS_UNKNOWN;
	line[n] = '\0';
	nr = strtol(line, &end, 10);
	if (end == line)
		return PROCFS_ELSEWHERE;
#ifdef SYS_accept
	if (nr == SYS_accept)
		return strtoul(end, NULL, 16) == 0 ? PROCFS_ACCEPTING :
						     PROCFS_ELSEWHERE;
#endif
	if (nr == SYS_accept4)
		return strtoul(end, NULL, 16) == 0 ? PROCFS_ACCEPTING :
						     PROCFS_ELSEWHERE;
#ifdef SYS_epoll_wait
	if (nr == SYS_epoll_wait)
		return PROCFS_POLLING;
#endif
	if (nr == SYS_epoll_pwait)
		return PROCFS_POLLING;
	return PROCFS_ELSEWHERE;
}

enum procfs_look
procfs_look(pid_t pid)
{
	enum procfs_look best = PROCFS_UNKNOWN, seen;
	struct dirent *e;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return PROCFS_UNKNOWN;
	while (best != PROCFS_ACCEPTING && (e = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		seen = look_task(dirfd(dir), e->d_name);
		if (seen == PROCFS_ACCEPTING || seen == PROCFS_POLLING ||
			best == PROCFS_UNKNOWN)
			best = seen;
	}
	closedir(dir);
	return best;
}

/* Calls for each socket of the folder of descriptors; see the two below. */
static int
each_socket(const char *path, bool (*stop)(ino_t ino, ino_t wanted),
	ino_t wanted)
{
	struct dirent *e;
	char link[64];
	int found = 0;
	ssize_t n;
	DIR *dir = opendir(path);

	if (!dir)
		return -1;
	while (!found && (e = readdir(dir)) != NULL) {
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		if (strncmp(link, "socket:[", 8) == 0)
			found = stop(strtoul(link + 8, NULL, 10), wanted);
	}
	closedir(dir);
	return found;
}

static bool
is_other(ino_t ino, ino_t wanted)
{
	return ino != wanted;
}

static bool
is_same(ino_t ino, ino_t wanted)
{
	return ino == wanted;
}

int
procfs_holds_connection(pid_t pid, ino_t listen_ino)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	return each_socket(path, is_other, listen_ino);
}

pid_t
procfs_find_socket(ino_t ino)
{
	struct dirent *e;
	char path[300];
	pid_t pid = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		return 0;
	while (!pid && (e = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd", e->d_name);
		if (each_socket(path, is_same, ino) == 1)
			pid = (pid_t)strtol(e->d_name, NULL, 10);
	}
	closedir(dir);
	return pid;
}

void
procfs_name(pid_t pid, char *buf, size_t size)
{
	char path[64], *text;
	size_t len;

	snprintf(buf, size, "?");
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (fd_read_file(path, 256, &text, &len) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	snprintf(buf, size, "%s", text);
	free(text);
}
