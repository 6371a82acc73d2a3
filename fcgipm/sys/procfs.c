/*
 * procfs.c - reads one fact about a process from /proc; see procfs.h
 *
 * Called by sys/watch, sys/inspect, sys/listen_conflict and sys/spawn, and by
 * observe/, worker/, timeout/, pool/view and ctl/status.
 */
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/procfs.h"

/* -- tasks ----------------------------------------------------------------- */

static enum procfs_call
name_call(long nr)
{
	switch (nr) {
#ifdef SYS_accept
	case SYS_accept:
#endif
	case SYS_accept4:
		return PROCFS_CALL_ACCEPT;
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
#endif
#ifdef SYS_poll
	case SYS_poll:
#endif
#ifdef SYS_select
	case SYS_select:
#endif
#ifdef SYS_io_uring_enter
	case SYS_io_uring_enter:
#endif
	case SYS_epoll_pwait:
	case SYS_ppoll:
	case SYS_pselect6:
		return PROCFS_CALL_POLL;
	case SYS_read:
	case SYS_readv:
		return PROCFS_CALL_READ;
	case SYS_recvfrom:
	case SYS_recvmsg:
		return PROCFS_CALL_RECV;
	case SYS_futex:
#ifdef SYS_futex_waitv
	case SYS_futex_waitv:
#endif
		return PROCFS_CALL_FUTEX;
	default:
		return PROCFS_CALL_OTHER;
	}
}

/* The entry holds "NUMBER ARG0 ...", or "running". */
int
procfs_read_call(int fd, enum procfs_call *ret_call, int *ret_fd)
{
	char line[256], *end;
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);
	long nr;

	if (n <= 0) {
		errno = n == 0 ? ESRCH : errno;
		return -1;
	}
	line[n] = '\0';
	nr = strtol(line, &end, 10);
	*ret_call = end == line ? PROCFS_CALL_OTHER : name_call(nr);
	*ret_fd = (int)strtoul(end, NULL, 16);
	return 0;
}

static enum procfs_sample
sample_task(int taskfd, const char *tid)
{
	enum procfs_call call = PROCFS_CALL_OTHER;
	char path[300];
	int fd, arg = 0, rc;

	snprintf(path, sizeof(path), "%s/syscall", tid);
	fd = openat(taskfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return PROCFS_UNKNOWN;
	rc = procfs_read_call(fd, &call, &arg);
	fd_close(&fd);
	if (rc < 0)
		return PROCFS_UNKNOWN;
	if (call == PROCFS_CALL_ACCEPT && arg == 0)
		return PROCFS_ACCEPTING;
	return call == PROCFS_CALL_POLL ? PROCFS_POLLING : PROCFS_ELSEWHERE;
}

bool
procfs_accepts_alone(pid_t pid)
{
	struct stat st;
	char path[64];

	/* The link count of the directory is 2 plus the number of tasks. */
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (stat(path, &st) < 0 || st.st_nlink != 3)
		return false;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return sample_task(AT_FDCWD, path) == PROCFS_ACCEPTING;
}

/* The next entry of a /proc directory that is a number, NULL at the end. */
static const char *
next_number(DIR *dir)
{
	struct dirent *e;

	while ((e = readdir(dir)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]))
			return e->d_name;
	return NULL;
}

static DIR *
open_tasks(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	return opendir(path);
}

enum procfs_sample
procfs_sample(pid_t pid)
{
	enum procfs_sample best = PROCFS_UNKNOWN, seen;
	DIR *dir = open_tasks(pid);
	const char *tid;

	if (!dir)
		return PROCFS_UNKNOWN;
	while (best != PROCFS_ACCEPTING && (tid = next_number(dir)) != NULL) {
		seen = sample_task(dirfd(dir), tid);
		if (seen == PROCFS_ACCEPTING || seen == PROCFS_POLLING ||
			best == PROCFS_UNKNOWN)
			best = seen;
	}
	closedir(dir);
	return best;
}

size_t
procfs_list_tasks(pid_t pid, pid_t *ret, size_t max)
{
	DIR *dir = open_tasks(pid);
	const char *tid;
	size_t n = 0;

	if (!dir)
		return 0;
	while (n < max && (tid = next_number(dir)) != NULL)
		ret[n++] = (pid_t)strtol(tid, NULL, 10);
	closedir(dir);
	return n;
}

/* -- sockets --------------------------------------------------------------- */

/* Does this /proc/PID/fd directory list the socket? */
static bool
has_socket(const char *path, ino_t ino)
{
	char link[64], wanted[64];
	struct dirent *e;
	bool found = false;
	ssize_t n;
	DIR *dir = opendir(path);

	if (!dir)
		return false;
	snprintf(wanted, sizeof(wanted), "socket:[%lu]", (unsigned long)ino);
	while (!found && (e = readdir(dir)) != NULL) {
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		found = strcmp(link, wanted) == 0;
	}
	closedir(dir);
	return found;
}

pid_t
procfs_find_socket(ino_t ino)
{
	DIR *dir = opendir("/proc");
	char path[300];
	const char *name;
	pid_t pid = 0;

	if (!dir)
		return 0;
	while (!pid && (name = next_number(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%s/fd", name);
		if (has_socket(path, ino))
			pid = (pid_t)strtol(name, NULL, 10);
	}
	closedir(dir);
	return pid;
}

/* -- name, state and CPU --------------------------------------------------- */

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

/* A stat entry from the third field on, after the name, which may contain any
 * character; "" when the process is gone.  The caller frees it. */
static char *
read_stat(const char *path)
{
	char *text, *end;
	size_t len;

	if (fd_read_file(path, 4096, &text, &len) < 0)
		return mem_strdup("");
	end = strrchr(text, ')');
	end = mem_strdup(end && end[1] == ' ' ? end + 2 : "");
	free(text);
	return end;
}

static char
read_state(const char *path)
{
	char *stat = read_stat(path), state = stat[0];

	free(stat);
	return state;
}

char
procfs_state(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return read_state(path);
}

char
procfs_task_state(pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid,
		(int)tid);
	return read_state(path);
}

int64_t
procfs_cpu_ms(pid_t pid)
{
	char path[64], *stat;
	unsigned long user, system;
	long per_s = sysconf(_SC_CLK_TCK);
	int64_t ms = -1;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = read_stat(path);
	/* proc_pid_stat(5): state is the third field, utime the 14th. */
	if (sscanf(stat, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		    &user, &system) == 2 && per_s > 0)
		ms = (int64_t)(user + system) * 1000 / per_s;
	free(stat);
	return ms;
}

/* -- memory ---------------------------------------------------------------- */

enum procfs_memory
procfs_memory(pid_t pid, uint64_t *ret_bytes)
{
	char path[64], *text = NULL, *p;
	unsigned long pages;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if (fd_read_file(path, 8192, &text, &len) == 0) {
		p = strstr(text, "\nPss:");
		if (p)
			*ret_bytes = strtoull(p + 5, NULL, 10) * 1024;
		free(text);
		if (p)
			return PROCFS_MEMORY_PSS;
	}
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (fd_read_file(path, 256, &text, &len) < 0)
		return PROCFS_MEMORY_UNKNOWN;
	(void)strtoul(text, &p, 10);
	pages = strtoul(p, NULL, 10);
	free(text);
	*ret_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	/* A process that has exited has no memory any more. */
	return pages ? PROCFS_MEMORY_RSS : PROCFS_MEMORY_UNKNOWN;
}

/* -- program --------------------------------------------------------------- */

int
procfs_is_static(pid_t pid)
{
	char path[64], *text = NULL;
	size_t len, i;
	int rc = -1;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	if (fd_read_file(path, 8192, &text, &len) < 0)
		return -1;
	for (i = 0; rc < 0 && i + sizeof(ElfW(auxv_t)) <= len;
		i += sizeof(ElfW(auxv_t))) {
		ElfW(auxv_t) a;

		memcpy(&a, text + i, sizeof(a));
		if (a.a_type == AT_BASE)
			rc = a.a_un.a_val == 0;
	}
	free(text);
	if (rc < 0)
		errno = ENOEXEC;
	return rc;
}
