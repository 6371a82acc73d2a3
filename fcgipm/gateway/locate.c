/*
 * locate.c - from a script's path to the file that may be run; see locate.h
 *
 * Called by gateway/request.  The kernel keeps the walk beneath docroot
 * (openat2(2), RESOLVE_BENEATH); where a container forbids that call, every
 * component is opened by itself and no symbolic link is followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "gateway/gateway.h"
#include "gateway/locate.h"
#include "gateway/refuse.h"

/* A FIFO must not stop us, a terminal must not become ours. */
#define FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY)
#define DIR_FLAGS (O_PATH | O_DIRECTORY)

/* Component by component; rel holds neither ".." nor empty segments. */
static int
walk(int rootfd, const char *rel, int flags)
{
	int dirfd = rootfd, fd = -1;
	char name[NAME_MAX + 1];
	size_t n;

	while (rel[n = strcspn(rel, "/")]) {
		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			goto out;
		}
		memcpy(name, rel, n);
		name[n] = '\0';
		fd = openat(dirfd, name, DIR_FLAGS | O_NOFOLLOW | O_CLOEXEC);
		if (dirfd != rootfd)
			fd_close(&dirfd);
		if (fd < 0)
			return -1;
		dirfd = fd;
		rel += n + 1;
	}
	fd = openat(dirfd, rel, flags | O_NOFOLLOW | O_CLOEXEC);
out:
	if (dirfd != rootfd)
		fd_close(&dirfd);
	return fd;
}

/* rel beneath rootfd; from the root folder when rootfd is -1. */
static int
open_beneath(int rootfd, const char *rel, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (rootfd < 0)
		return open(rel, flags | O_CLOEXEC);
	do {
		fd = (int)syscall(SYS_openat2, rootfd, rel, &how, sizeof(how));
	} while (fd < 0 && errno == EAGAIN); /* a rename raced with "..": */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = walk(rootfd, rel, flags);
	return fd;
}

/* A program may be executable and yet not readable: then by O_PATH. */
static int
open_file(int rootfd, const char *rel)
{
	int fd = open_beneath(rootfd, rel, FILE_FLAGS);

	if (fd < 0 && (errno == EACCES || errno == ENXIO))
		fd = open_beneath(rootfd, rel, O_PATH);
	return fd;
}

static int
refuse_errno(const struct gateway_opts *opts, const char *path,
	struct refusal *why)
{
	const char *docroot = opts->docroot && *opts->docroot ?
		opts->docroot : "/";

	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return refuse(why, 404, "%s", strerror(errno));
	case EXDEV:
		return refuse(why, 403,
			"leaves docroot %s by a symbolic link; an absolute "
			"one always counts as leaving", docroot);
	case ELOOP:
		return refuse(why, 403, "a symbolic link that is not followed");
	case EACCES:
		return refuse_denied(opts, path, "", why);
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return refuse(why, 503, "open: %s; raise rlimit_files or lower "
			"pm.max_children", strerror(errno));
	default:
		return refuse(why, 500, "open: %s", strerror(errno));
	}
}

/* path from docroot on, NULL when it is not beneath it. */
static const char *
beneath(const char *docroot, const char *path)
{
	size_t n = strlen(docroot);

	if (strncmp(path, docroot, n) != 0 || path[n] != '/')
		return NULL;
	return path + n + 1;
}

/* Opens the folder of rel, a path whose last slash is looked for. */
static int
open_folder(int rootfd, const char *rel)
{
	const char *slash = strrchr(rel, '/');
	char dir[PATH_MAX];

	if (!slash)
		return open_beneath(rootfd, ".", DIR_FLAGS);
	if ((size_t)(slash - rel) >= sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, rel, (size_t)(slash - rel));
	dir[slash - rel] = '\0';
	return open_beneath(rootfd, slash == rel ? "/" : dir, DIR_FLAGS);
}

static void
look_inside(struct located *l)
{
	char head[2 + sizeof(l->first)];
	ssize_t n = pread(l->fd, head, sizeof(head) - 1, 0);

	/* EBADF of O_PATH: not readable, so no interpreter could read it. */
	if (n < 2 || head[0] != '#' || head[1] != '!')
		return;
	l->script = true;
	head[n] = '\0';
	head[strcspn(head, "\n")] = '\0';
	memcpy(l->first, head + 2, strlen(head + 2) + 1);
}

static int
check(struct located *l, bool runnable, struct refusal *why)
{
	struct stat st;

	if (fstat(l->fd, &st) < 0)
		return refuse(why, 500, "fstat: %s", strerror(errno));
	if (!runnable)
		return 0;
	if (S_ISDIR(st.st_mode))
		return refuse(why, 403, "a folder, not a program");
	if (!S_ISREG(st.st_mode))
		return refuse(why, 403, "not a regular file");
	if (!(st.st_mode & 0111))
		return refuse(why, 403, "not executable; chmod +x it");
	look_inside(l);
	return 0;
}

static bool
is_allowed(char *const *programs, const char *path)
{
	for (; programs && *programs; programs++)
		if (strcmp(*programs, path) == 0)
			return true;
	return false;
}

int
locate_open(const struct gateway_opts *opts, const char *path, bool runnable,
	struct located *ret, struct refusal *why)
{
	struct located l = {.fd = -1, .dirfd = -1};
	const char *rel = path;
	int rootfd = -1;

	if (opts->programs && !is_allowed(opts->programs, path))
		return refuse(why, 403, "none of those that -p allows");
	if (opts->docroot && *opts->docroot) {
		rel = beneath(opts->docroot, path);
		if (!rel)
			return refuse(why, 403, "not beneath docroot %s",
				opts->docroot);
		/* Each time anew: a deployment may point it elsewhere. */
		rootfd = open(opts->docroot, DIR_FLAGS | O_CLOEXEC);
		if (rootfd < 0 && errno == EACCES)
			return refuse_denied(opts, path, "", why);
		if (rootfd < 0)
			return refuse(why, 500, "docroot %s: %s",
				opts->docroot, strerror(errno));
	}
	l.dirfd = open_folder(rootfd, rel);
	if (l.dirfd < 0)
		goto fail_errno;
	l.fd = open_file(rootfd, rel);
	if (l.fd < 0)
		goto fail_errno;
	if (check(&l, runnable, why) < 0)
		goto fail;
	fd_close(&rootfd);
	*ret = l;
	return 0;
fail_errno:
	refuse_errno(opts, path, why);
fail:
	fd_close(&rootfd);
	locate_close(&l);
	return -1;
}

void
locate_close(struct located *l)
{
	fd_close(&l->fd);
	fd_close(&l->dirfd);
}

bool
locate_same(const struct located *l, const char *path)
{
	struct stat opened, named;

	return fstat(l->fd, &opened) == 0 && stat(path, &named) == 0 &&
		opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}
