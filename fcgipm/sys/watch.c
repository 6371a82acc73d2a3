/*
 * watch.c - a process that is looked at again and again; see watch.h
 *
 * Called by observe/processes, observe/prober and timeout/descendants.  What is
 * in the entries of a task is read by sys/procfs.
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

/* Called for each number that names an entry; what it returns ends the walk
 * unless it is 0. */
typedef int (*number_fn)(struct watch *w, int number, void *arg);

/* The entries of a folder of /proc; 0, or what fn returned; -1 with errno. */
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
gone(const struct watch *w)
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

/* The inode that a link of /proc/PID/fd names, 0 when it is no socket. */
static ino_t
socket_of(const char *link)
{
	if (strncmp(link, "socket:[", 8) != 0)
		return 0;
	return strtoul(link + 8, NULL, 10);
}

/* The inode of descriptor fd, 0 when it is no socket; -1 with errno. */
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
	return w->fdfd < 0 ? gone(w) : 0;
}

static void
forget_tasks(struct watch *w)
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
		/* 0 would be our own group. */
		if (pid > 0)
			(void)gone(w);
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
	forget_tasks(w);
	fd_close(&w->fdfd);
	fd_close(&w->taskfd);
	w->pid = 0;
}

struct look {
	const ino_t *listeners;
	size_t nlisteners;
	struct watch_tasks *ret;
	bool keep;		/* the tasks' descriptors, if there is room */
};

/* Is its descriptor fd one of the listeners? */
static bool
is_listener(struct watch *w, int fd, const struct look *l)
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
add_task(struct watch *w, int fd, const struct look *l)
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
add_unreadable(const struct look *l)
{
	l->ret->total++;
	l->ret->unreadable++;
	l->ret->err = errno;
}

static int
on_task(struct watch *w, int tid, void *arg)
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
	if (l->keep && w->ntasks < WATCH_TASKS_KEPT) {
		w->calls[w->ntasks++] = fd;
		return 0;
	}
	l->keep = false;
	fd_close(&fd);
	return 0;
}

/* All tasks anew, kept when they are few. */
static int
list_tasks(struct watch *w, struct look *l, uint64_t nlink)
{
	forget_tasks(w);
	*l->ret = (struct watch_tasks){.reading_fd = -1};
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
watch_tasks(struct watch *w, const ino_t *listeners, size_t n,
	struct watch_tasks *ret)
{
	struct look l = {listeners, n, ret, false};
	struct stat st;
	unsigned i;

	if (fstat(w->taskfd, &st) < 0)
		return gone(w);
	if (w->ntasks == 0 || (uint64_t)st.st_nlink != w->nlink)
		return list_tasks(w, &l, st.st_nlink);
	*ret = (struct watch_tasks){.reading_fd = -1};
	for (i = 0; i < w->ntasks; i++)
		/* As many as before, but not the same ones; or an exec has
		 * taken the right to look. */
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
		return gone(w);
	*ret_n = s.n;
	return 0;
}

/*
 * The name of a socket's protocol is an attribute of its inode.  O_PATH first:
 * what the number stands for may change between two calls, and asking a file
 * instead could wait for whoever serves that file system.
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

/* /proc/PID/task/TID/children: numbers with a blank behind each. */
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
watch_children(struct watch *w, pid_t *ret, size_t max, size_t *ret_n)
{
	struct children c = {ret, 0, max};

	if (each_number(w, w->taskfd, on_parent, &c) < 0)
		return -1;
	*ret_n = c.n;
	return 0;
}
