/*
 * procfs.c - what a process does, seen from /proc; see procfs.h
 */
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/procfs.h"

/* What a task sleeps in. */
enum call { CALL_OTHER, CALL_ACCEPT, CALL_POLL, CALL_READ, CALL_RECV };

static enum call
name_call(long nr)
{
	switch (nr) {
#ifdef SYS_accept
	case SYS_accept:
#endif
	case SYS_accept4:
		return CALL_ACCEPT;
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
		return CALL_POLL;
	case SYS_read:
	case SYS_readv:
		return CALL_READ;
	case SYS_recvfrom:
	case SYS_recvmsg:
		return CALL_RECV;
	default:
		return CALL_OTHER;
	}
}

/*
 * /proc/PID/task/TID/syscall: "NUMBER ARG0 ...", or "running".
 *
 * returns	0, or -1 with errno
 * ret_fd	the first argument
 */
static int
read_call(int fd, enum call *ret_call, int *ret_fd)
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
	*ret_call = end == line ? CALL_OTHER : name_call(nr);
	*ret_fd = (int)strtoul(end, NULL, 16);
	return 0;
}

static enum procfs_look
look_task(int taskfd, const char *tid)
{
	enum call call = CALL_OTHER;
	char path[300];
	int fd, arg = 0, rc;

	snprintf(path, sizeof(path), "%s/syscall", tid);
	fd = openat(taskfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return PROCFS_UNKNOWN;
	rc = read_call(fd, &call, &arg);
	fd_close(&fd);
	if (rc < 0)
		return PROCFS_UNKNOWN;
	if (call == CALL_ACCEPT && arg == 0)
		return PROCFS_ACCEPTING;
	return call == CALL_POLL ? PROCFS_POLLING : PROCFS_ELSEWHERE;
}

bool
procfs_accepts_alone(pid_t pid)
{
	struct stat st;
	char path[64];

	/* The kernel counts tasks in the links of their folder. */
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (stat(path, &st) < 0 || st.st_nlink != 3)
		return false;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return look_task(AT_FDCWD, path) == PROCFS_ACCEPTING;
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

/* Has a folder of descriptors this socket? */
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
		if (has_socket(path, ino))
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

/* -- a watched process ----------------------------------------------------- */

/* Called for each number that names an entry; what it returns ends the walk
 * unless it is 0. */
typedef int (*number_fn)(struct procfs_watch *w, int number, void *arg);

/* The entries of a folder of /proc; 0, or what fn returned; -1 with errno. */
static int
each_number(struct procfs_watch *w, int fd, number_fn fn, void *arg)
{
	union {
		struct dirent64 align;
		char bytes[2048];
	} in;
	ssize_t n, at;
	int rc = 0;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	while (rc == 0 && (n = getdents64(fd, &in, sizeof(in))) != 0) {
		if (n < 0)
			return -1;
		for (at = 0; at < n && rc == 0;) {
			const struct dirent64 *e =
				(const void *)(in.bytes + at);

			if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
				rc = fn(w, (int)strtol(e->d_name, NULL, 10),
					arg);
			at += e->d_reclen;
		}
	}
	return rc;
}

/* A stat entry from the third field on, behind the name, which may hold
 * anything; "" when it is gone.  The caller's to free(). */
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

struct ids {
	pid_t *ret;
	size_t n, max;
};

static int
on_id(struct procfs_watch *w, int id, void *arg)
{
	struct ids *ids = arg;
	(void)w;

	if (ids->n == ids->max)
		return 1;
	ids->ret[ids->n++] = (pid_t)id;
	return 0;
}

size_t
procfs_list_tasks(pid_t pid, pid_t *ret, size_t max)
{
	struct ids ids = {ret, 0, max};
	struct procfs_watch w;

	if (procfs_watch_open(&w, pid) < 0)
		return 0;
	(void)each_number(&w, w.taskfd, on_id, &ids);
	procfs_watch_close(&w);
	return ids.n;
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

/* Has it ended, and is only not yet waited for? */
static bool
is_zombie(pid_t pid)
{
	char state = procfs_state(pid);

	return state == 'Z' || state == 'X';
}

/*
 * A folder that vanishes is a process that is gone; one that we may not see
 * vanishes too (hidepid).  That of a zombie is root's, and empty.
 */
static int
gone(const struct procfs_watch *w)
{
	int err = errno;

	if (err != ENOENT && err != ESRCH && err != EACCES && err != EPERM)
		return -1;
	if (is_zombie(w->pid))
		err = ESRCH;
	else if (err == ENOENT || err == ESRCH)
		err = kill(w->pid, 0) == 0 || errno == EPERM ? EACCES : ESRCH;
	errno = err;
	return -1;
}

/* The inode of descriptor fd, 0 when it is no socket; -1 with errno. */
static int64_t
socket_at(const struct procfs_watch *w, int fd)
{
	char name[16], link[64];
	ssize_t n;

	snprintf(name, sizeof(name), "%d", fd);
	n = readlinkat(w->fdfd, name, link, sizeof(link) - 1);
	if (n < 0)
		return errno == ENOENT ? 0 : -1;
	link[n] = '\0';
	if (strncmp(link, "socket:[", 8) != 0)
		return 0;
	return (int64_t)strtoul(link + 8, NULL, 10);
}

static int
open_fds(struct procfs_watch *w)
{
	char path[64];

	if (w->fdfd >= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)w->pid);
	w->fdfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->fdfd < 0 ? gone(w) : 0;
}

static void
forget_tasks(struct procfs_watch *w)
{
	while (w->ntasks > 0)
		fd_close(&w->tasks[--w->ntasks].fd);
	w->nlink = 0;
}

int
procfs_watch_open(struct procfs_watch *w, pid_t pid)
{
	char path[64];

	*w = (struct procfs_watch){.pid = pid, .fdfd = -1, .accept_fd = -1};
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	w->taskfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->taskfd < 0) {
		/* 0 would be our own group. */
		if (pid > 0)
			(void)gone(w);
		w->pid = 0;
		return -1;
	}
	return 0;
}

void
procfs_watch_close(struct procfs_watch *w)
{
	if (w->pid == 0)
		return;
	forget_tasks(w);
	fd_close(&w->fdfd);
	fd_close(&w->taskfd);
	w->pid = 0;
}

struct look {
	const ino_t *listeners;
	size_t nlisteners;
	struct procfs_tasks *ret;
	bool keep;		/* the tasks' descriptors, while there is room */
};

/* Is its descriptor fd one of the listeners? */
static bool
is_listener(struct procfs_watch *w, int fd, const struct look *l)
{
	int64_t ino;
	size_t i;

	if (fd == 0)
		return true;
	if (open_fds(w) < 0)
		return false;
	ino = socket_at(w, fd);
	for (i = 0; i < l->nlisteners; i++)
		if (ino > 0 && (ino_t)ino == l->listeners[i])
			return true;
	return false;
}

/* 0; -1 with errno when the task's entry cannot be read. */
static int
add_task(struct procfs_watch *w, int fd, const struct look *l)
{
	struct procfs_tasks *ret = l->ret;
	enum call call = CALL_OTHER;
	int arg = 0;

	if (read_call(fd, &call, &arg) < 0)
		return -1;
	ret->total++;
	if (call == CALL_ACCEPT && is_listener(w, arg, l)) {
		ret->accepting++;
		w->accept_fd = arg;
	} else if (call == CALL_POLL) {
		ret->polling++;
	} else if (call == CALL_READ || call == CALL_RECV) {
		ret->reading++;
		ret->reading_fd = arg;
		ret->reading_counts = call == CALL_READ;
	}
	return 0;
}

static void
add_unreadable(const struct look *l)
{
	l->ret->total++;
	l->ret->unreadable++;
	l->ret->err = errno;
}

static int
on_task(struct procfs_watch *w, int tid, void *arg)
{
	struct look *l = arg;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%d/syscall", tid);
	fd = openat(w->taskfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || add_task(w, fd, l) < 0) {
		/* A task that has just ended is not there to be counted. */
		if (errno != ENOENT && errno != ESRCH)
			add_unreadable(l);
		fd_close(&fd);
		return 0;
	}
	if (l->keep && w->ntasks < PROCFS_TASKS_KEPT) {
		w->tasks[w->ntasks].tid = tid;
		w->tasks[w->ntasks++].fd = fd;
		return 0;
	}
	l->keep = false;
	fd_close(&fd);
	return 0;
}

/* All tasks anew, kept when they are few. */
static int
list_tasks(struct procfs_watch *w, struct look *l, uint64_t nlink)
{
	forget_tasks(w);
	*l->ret = (struct procfs_tasks){.reading_fd = -1};
	l->keep = true;
	if (each_number(w, w->taskfd, on_task, l) < 0)
		return gone(w);
	if (l->ret->total == 0) {
		errno = ESRCH;
		return -1;
	}
	if (l->keep && l->ret->unreadable == 0)
		w->nlink = nlink;
	else
		forget_tasks(w);
	return 0;
}

int
procfs_watch_tasks(struct procfs_watch *w, const ino_t *listeners, size_t n,
	struct procfs_tasks *ret)
{
	struct look l = {listeners, n, ret, false};
	struct stat st;
	unsigned i;

	if (fstat(w->taskfd, &st) < 0)
		return gone(w);
	if (w->ntasks == 0 || (uint64_t)st.st_nlink != w->nlink)
		return list_tasks(w, &l, st.st_nlink);
	*ret = (struct procfs_tasks){.reading_fd = -1};
	for (i = 0; i < w->ntasks; i++)
		/* As many as before, but not the same ones; or an exec has
		 * taken the right to look. */
		if (add_task(w, w->tasks[i].fd, &l) < 0)
			return list_tasks(w, &l, st.st_nlink);
	return 0;
}

bool
procfs_watch_still_accepts(const struct procfs_watch *w)
{
	enum call call = CALL_OTHER;
	int arg = -1;

	return w->ntasks == 1 && read_call(w->tasks[0].fd, &call, &arg) == 0 &&
		call == CALL_ACCEPT && arg == w->accept_fd;
}

struct sockets {
	struct procfs_socket *ret;
	size_t n, max;
};

static int
on_fd(struct procfs_watch *w, int fd, void *arg)
{
	struct sockets *s = arg;
	int64_t ino = socket_at(w, fd);

	if (ino <= 0)
		return ino < 0 ? -1 : 0;
	if (s->n == s->max) {
		errno = E2BIG;
		return -1;
	}
	s->ret[s->n++] = (struct procfs_socket){(uint32_t)ino, fd};
	return 0;
}

int
procfs_watch_sockets(struct procfs_watch *w, struct procfs_socket *ret,
	size_t max, size_t *ret_n)
{
	struct sockets s = {ret, 0, max};

	if (open_fds(w) < 0 || each_number(w, w->fdfd, on_fd, &s) < 0)
		return gone(w);
	*ret_n = s.n;
	return 0;
}

/*
 * The name of a socket's protocol is an attribute of its inode.  O_PATH first:
 * what the number stands for may change between two calls, and asking a file
 * instead could wait for whoever serves that file system.
 */
enum procfs_kind
procfs_watch_kind(struct procfs_watch *w, const struct procfs_socket *s)
{
	char name[32], text[64];
	enum procfs_kind kind = PROCFS_KIND_GONE;
	unsigned long ino = 0;
	ssize_t n;
	int fd;

	errno = 0;
	if (open_fds(w) < 0)
		return PROCFS_KIND_GONE;
	snprintf(name, sizeof(name), "%d", s->fd);
	fd = openat(w->fdfd, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return PROCFS_KIND_GONE;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, text, sizeof(text) - 1);
	if (n > 0) {
		text[n] = '\0';
		if (strncmp(text, "socket:[", 8) == 0)
			ino = strtoul(text + 8, NULL, 10);
	}
	if (ino != 0 && ino == s->ino) {
		n = getxattr(name, "system.sockprotoname", text,
			sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		if (strncmp(text, "UNIX", 4) == 0)
			kind = PROCFS_KIND_UNIX;
		else if (strncmp(text, "TCP", 3) == 0)
			kind = PROCFS_KIND_TCP;
		else if (n > 0)
			kind = PROCFS_KIND_OTHER;
	}
	fd_close(&fd);
	return kind;
}

struct children {
	pid_t *ret;
	size_t n, max;
};

/* /proc/PID/task/TID/children: numbers with a blank behind each. */
static int
on_parent(struct procfs_watch *w, int tid, void *arg)
{
	struct children *c = arg;
	char name[32], text[512], *p, *end;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%d/children", tid);
	fd = openat(w->taskfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		/* The task's end, or a kernel without: its folder tells. */
		name[strcspn(name, "/")] = '\0';
		return errno == ENOENT &&
				faccessat(w->taskfd, name, F_OK, 0) < 0 ?
			0 : -1;
	}
	n = read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	if (n < 0)
		return errno == ESRCH ? 0 : -1;
	text[n] = '\0';
	if (n == (ssize_t)sizeof(text) - 1)
		c->max = 0; /* may be cut */
	for (p = text; *p; p = end) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		if (c->n >= c->max) {
			errno = E2BIG;
			return -1;
		}
		c->ret[c->n++] = (pid_t)pid;
		end += strspn(end, " \n");
	}
	return 0;
}

int
procfs_watch_children(struct procfs_watch *w, pid_t *ret, size_t max,
	size_t *ret_n)
{
	struct children c = {ret, 0, max};

	if (each_number(w, w->taskfd, on_parent, &c) < 0)
		return -1;
	*ret_n = c.n;
	return 0;
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
	/* A process that has ended has no memory any more. */
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
