/*
 * watch.c - keeps a process's /proc entries open to read them often; see
 * watch.h
 *
 * Called by observe/processes, observe/prober and timeout/descendants.
 * sys/procfs parses the entries of a task.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/procfs.h"
#include "sys/watch.h"

/* Called for each entry whose name is a number; a result other than 0 ends the
 * iteration. */
typedef int (*number_fn)(struct watch *w, int number, void *arg);

/* Calls fn for the entries of a /proc directory.  Returns 0, or what fn
 * returned; -1 with errno. */
static int
each_number(struct watch *w, int fd, number_fn fn, void *arg)
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

/* Has the process exited without being reaped yet? */
static bool
is_zombie(pid_t pid)
{
	char state = procfs_state(pid);

	return state == 'Z' || state == 'X';
}

/*
 * A directory that vanishes means that the process has exited, or that it may
 * not be seen (hidepid).  The directory of a zombie is root's and empty.
 */
static int
set_gone_errno(const struct watch *w)
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

/* The inode that a link of /proc/PID/fd names, 0 when it is not a socket. */
static ino_t
socket_of(const char *link)
{
	if (strncmp(link, "socket:[", 8) != 0)
		return 0;
	return strtoul(link + 8, NULL, 10);
}

/* The inode of descriptor fd, 0 when it is not a socket; -1 with errno. */
static int64_t
socket_at(const struct watch *w, int fd)
{
	char name[16], link[64];
	ssize_t n;

	snprintf(name, sizeof(name), "%d", fd);
	n = readlinkat(w->fdfd, name, link, sizeof(link) - 1);
	if (n < 0)
		return errno == ENOENT ? 0 : -1;
	link[n] = '\0';
	return (int64_t)socket_of(link);
}

static int
open_fds(struct watch *w)
{
	char path[64];

	if (w->fdfd >= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)w->pid);
	w->fdfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->fdfd < 0 ? set_gone_errno(w) : 0;
}

static void
close_tasks(struct watch *w)
{
	while (w->ntasks > 0)
		fd_close(&w->calls[--w->ntasks]);
	w->nlink = 0;
}

int
watch_open(struct watch *w, pid_t pid)
{
	char path[64];

	*w = (struct watch){.pid = pid, .fdfd = -1, .accept_fd = -1};
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	w->taskfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->taskfd < 0) {
		/* kill(2): 0 means the caller's own group. */
		if (pid > 0)
			(void)set_gone_errno(w);
		w->pid = 0;
		return -1;
	}
	return 0;
}

void
watch_close(struct watch *w)
{
	if (w->pid == 0)
		return;
	close_tasks(w);
	fd_close(&w->fdfd);
	fd_close(&w->taskfd);
	w->pid = 0;
}

struct task_scan {
	const ino_t *listeners;
	size_t nlisteners;
	struct watch_tasks *ret;
	bool keep;		/* keep the tasks' descriptors open */
};

/* Is descriptor fd of the process one of the listeners? */
static bool
is_listener(struct watch *w, int fd, const struct task_scan *l)
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

/* Returns 0; -1 with errno when the task's entry cannot be read. */
static int
add_task(struct watch *w, int fd, const struct task_scan *l)
{
	struct watch_tasks *ret = l->ret;
	enum procfs_call call = PROCFS_CALL_OTHER;
	int arg = 0;

	if (procfs_read_call(fd, &call, &arg) < 0)
		return -1;
	ret->total++;
	if (call == PROCFS_CALL_ACCEPT && is_listener(w, arg, l)) {
		ret->accepting++;
		w->accept_fd = arg;
	} else if (call == PROCFS_CALL_POLL) {
		ret->polling++;
	} else if (call == PROCFS_CALL_FUTEX) {
		ret->locking++;
	} else if (call == PROCFS_CALL_READ || call == PROCFS_CALL_RECV) {
		ret->reading++;
		ret->reading_fd = arg;
		ret->reading_counts = call == PROCFS_CALL_READ;
	}
	return 0;
}

static void
add_unreadable(const struct task_scan *l)
{
	l->ret->total++;
	l->ret->unreadable++;
	l->ret->err = errno;
}

static int
on_task(struct watch *w, int tid, void *arg)
{
	struct task_scan *l = arg;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%d/syscall", tid);
	fd = openat(w->taskfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || add_task(w, fd, l) < 0) {
		/* A task that has just exited is not counted. */
		if (errno != ENOENT && errno != ESRCH)
			add_unreadable(l);
		fd_close(&fd);
		return 0;
	}
	if (l->keep && w->ntasks < WATCH_TASKS_KEPT) {
		w->calls[w->ntasks++] = fd;
		return 0;
	}
	l->keep = false;
	fd_close(&fd);
	return 0;
}

/* Lists all tasks again, and keeps their descriptors when they are few. */
static int
list_tasks(struct watch *w, struct task_scan *l, uint64_t nlink)
{
	close_tasks(w);
	*l->ret = (struct watch_tasks){.reading_fd = -1};
	l->keep = true;
	if (each_number(w, w->taskfd, on_task, l) < 0)
		return set_gone_errno(w);
	if (l->ret->total == 0) {
		errno = ESRCH;
		return -1;
	}
	if (l->keep && l->ret->unreadable == 0)
		w->nlink = nlink;
	else
		close_tasks(w);
	return 0;
}

int
watch_tasks(struct watch *w, const ino_t *listeners, size_t n,
	struct watch_tasks *ret)
{
	struct task_scan l = {listeners, n, ret, false};
	struct stat st;
	unsigned i;

	if (fstat(w->taskfd, &st) < 0)
		return set_gone_errno(w);
	if (w->ntasks == 0 || (uint64_t)st.st_nlink != w->nlink)
		return list_tasks(w, &l, st.st_nlink);
	*ret = (struct watch_tasks){.reading_fd = -1};
	for (i = 0; i < w->ntasks; i++)
		/* On an error other tasks have replaced as many, or an exec
		 * has removed the permission. */
		if (add_task(w, w->calls[i], &l) < 0)
			return list_tasks(w, &l, st.st_nlink);
	return 0;
}

bool
watch_still_accepts(const struct watch *w)
{
	enum procfs_call call = PROCFS_CALL_OTHER;
	int arg = -1;

	return w->ntasks == 1 &&
		procfs_read_call(w->calls[0], &call, &arg) == 0 &&
		call == PROCFS_CALL_ACCEPT && arg == w->accept_fd;
}

struct sockets {
	struct watch_socket *ret;
	size_t n, max;
};

static int
on_fd(struct watch *w, int fd, void *arg)
{
	struct sockets *s = arg;
	int64_t ino = socket_at(w, fd);

	if (ino <= 0)
		return ino < 0 ? -1 : 0;
	if (s->n == s->max) {
		errno = E2BIG;
		return -1;
	}
	s->ret[s->n++] = (struct watch_socket){(uint32_t)ino, fd};
	return 0;
}

int
watch_sockets(struct watch *w, struct watch_socket *ret, size_t max,
	size_t *ret_n)
{
	struct sockets s = {ret, 0, max};

	if (open_fds(w) < 0 || each_number(w, w->fdfd, on_fd, &s) < 0)
		return set_gone_errno(w);
	*ret_n = s.n;
	return 0;
}

/*
 * The protocol name of a socket is an attribute of its inode.  O_PATH comes
 * first: the descriptor number may name another file between two calls, and a
 * query of that file might wait for its file system.
 */
enum watch_kind
watch_kind(struct watch *w, const struct watch_socket *s)
{
	char name[32], text[64];
	enum watch_kind kind = WATCH_KIND_GONE;
	ssize_t n;
	int fd;

	errno = 0;
	if (open_fds(w) < 0)
		return WATCH_KIND_GONE;
	snprintf(name, sizeof(name), "%d", s->fd);
	fd = openat(w->fdfd, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return WATCH_KIND_GONE;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (s->ino != 0 && socket_of(text) == s->ino) {
		n = getxattr(name, "system.sockprotoname", text,
			sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		if (strncmp(text, "UNIX", 4) == 0)
			kind = WATCH_KIND_UNIX;
		else if (strncmp(text, "TCP", 3) == 0)
			kind = WATCH_KIND_TCP;
		else if (n > 0)
			kind = WATCH_KIND_OTHER;
	}
	fd_close(&fd);
	return kind;
}

struct children {
	pid_t *ret;
	size_t n, max;
};

/* /proc/PID/task/TID/children holds numbers, each followed by a blank. */
static int
on_parent(struct watch *w, int tid, void *arg)
{
	struct children *c = arg;
	char name[32], text[512], *p, *end;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%d/children", tid);
	fd = openat(w->taskfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		/* Either the task has exited, or the kernel has no such entry:
		 * then the task's directory still exists. */
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
		c->max = 0;	/* the list may be cut */
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
watch_children(struct watch *w, pid_t *ret, size_t max, size_t *ret_n)
{
	struct children c = {ret, 0, max};

	if (each_number(w, w->taskfd, on_parent, &c) < 0)
		return -1;
	*ret_n = c.n;
	return 0;
}
