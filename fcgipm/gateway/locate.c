/*
 * locate.c - opens the file that a script path names; see locate.h
 *
 * Called by gateway/program, which decides whether the file may be executed.
 * The kernel keeps the lookup beneath docroot (openat2(2), RESOLVE_BENEATH).
 * Where a kernel or container does not offer that call, each component is
 * opened separately and no symbolic link is followed.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/words.h"
#include "conf/conf.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/locate.h"

/* A FIFO must not block us, a terminal must not become our controlling one. */
#define FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY)
#define DIR_FLAGS (O_PATH | O_DIRECTORY)

static bool
is_symlink(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISLNK(st.st_mode);
}

/* Opens one name without following it; ELOOP for any symbolic link, also
 * where a directory is wanted. */
static int
open_name(int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOTDIR && is_symlink(dirfd, name))
		errno = ELOOP;
	return fd;
}

/* Opens rel component by component; rel has no ".." and no empty segments. */
static int
walk_path(int rootfd, const char *rel, int flags)
{
	int dirfd = rootfd, fd = -1;
	char name[NAME_MAX + 1];
	size_t n;

	while (rel[n = strcspn(rel, "/")]) {
		if (n > NAME_MAX) {
			fd = -1;
			errno = ENAMETOOLONG;
			goto out;
		}
		memcpy(name, rel, n);
		name[n] = '\0';
		fd = open_name(dirfd, name, DIR_FLAGS);
		if (dirfd != rootfd)
			fd_close(&dirfd);
		if (fd < 0)
			return -1;
		dirfd = fd;
		rel += n + 1;
	}
	fd = open_name(dirfd, rel, flags);
out:
	if (dirfd != rootfd)
		fd_close(&dirfd);
	return fd;
}

/* Opens rel beneath rootfd, or from the root directory when rootfd is -1. */
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
	} while (fd < 0 && errno == EAGAIN); /* a rename raced with ".." */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = walk_path(rootfd, rel, flags);
	return fd;
}

/* A program that is executable but not readable is opened with O_PATH. */
static int
open_file(int rootfd, const char *rel, bool *ret_readable)
{
	int fd = open_beneath(rootfd, rel, FILE_FLAGS);

	*ret_readable = fd >= 0;
	if (fd < 0 && (errno == EACCES || errno == ENXIO))
		fd = open_beneath(rootfd, rel, O_PATH);
	return fd;
}

/* Does path contain % and two hexadecimal digits, as an encoded URL does? */
static bool
is_encoded(const char *path)
{
	while ((path = strchr(path, '%')) != NULL)
		if (isxdigit((unsigned char)*++path) &&
			isxdigit((unsigned char)path[1]))
			return true;
	return false;
}

/* 404: the path names nothing. */
static int
explain_missing(const struct gateway_opts *opts, const char *path, int err,
	struct failure *why)
{
	if (err == ENOENT && is_encoded(path))
		return failure_set(why, 404,
			"cannot open: %s; its path contains %%XX: let the web "
			"server send it decoded (nginx: "
			"$fastcgi_script_name, Apache: SetHandler)",
			strerror(err));
	if (err == ENOTDIR && !opts->pool->cgi_split_path)
		return failure_set(why, 404,
			"cannot open: %s; to pass the path after the script as "
			"PATH_INFO, set cgi.split_path = yes",
			strerror(err));
	/* Action: Check the path with ls. If it is wrong, correct
	 * SCRIPT_FILENAME in the web server (nginx: root, alias,
	 * fastcgi_param). */
	return failure_set(why, 404, "cannot open: %s", strerror(err));
}

/*
 * EXDEV: a link leads outside docroot, or is absolute.
 *
 * openat2(2) resolves an absolute link from the root directory, which is
 * outside docroot even when the target is inside.
 */
static int
explain_link(const char *docroot, const char *path, struct failure *why)
{
	char target[PATH_MAX], root[PATH_MAX];
	size_t n;

	if (!realpath(path, target) || !realpath(docroot, root))
		/* Action: Run namei -l PATH: it shows which component is the
		 * link, and its target. */
		return failure_set(why, 403,
			"a symbolic link leads outside docroot %s; move its "
			"target into docroot, or set docroot to a directory "
			"that contains the link and its target",
			docroot);
	n = strlen(root);
	if (strncmp(target, root, n) == 0 && (target[n] == '/' || !target[n]))
		return failure_set(why, 403,
			"a symbolic link to %s is absolute; make it relative, "
			"so that it stays within docroot",
			target);
	/* Action: docroot is one directory. With a docroot above both, the
	 * link must be relative. To serve another directory separately, define
	 * another pool for it. */
	return failure_set(why, 403,
		"a symbolic link leads to %s, outside docroot %s; move its "
		"target into docroot, or set docroot to a directory that "
		"contains the link and its target",
		target, docroot);
}

/* ELOOP: a link leads to itself, or walk_path() has found a link. */
static int
explain_loop(const char *path, struct failure *why)
{
	char target[PATH_MAX];

	if (!realpath(path, target) && errno == ELOOP)
		/* Action: Run namei -l PATH: it shows which component is the
		 * link. */
		return failure_set(why, 403,
			"a symbolic link leads to itself; correct it");
	/* Action: The kernel is older than 5.6, or a container forbids
	 * openat2(2). */
	return failure_set(why, 403,
		"a symbolic link is not followed, because openat2(2) is not "
		"available; replace the link by a file or directory");
}

static int
explain_errno(
	const struct gateway_opts *opts, const char *path, struct failure *why)
{
	const char *docroot = opts->docroot && *opts->docroot ?
		opts->docroot : "/";

	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return explain_missing(opts, path, errno, why);
	case EISDIR:
		/* Action: Put an index file into the directory, or extend
		 * cgi.index. */
		return failure_set(why, 403,
			"a directory without an index file (cgi.index: %s)",
			opts->pool->cgi_index);
	case EXDEV:
		return explain_link(docroot, path, why);
	case ELOOP:
		return explain_loop(path, why);
	case EACCES:
		return failure_denied(opts, path, X_OK, why);
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		/* Action: "Cannot allocate memory": free memory. */
		return failure_set(why, 503,
			"cannot open: %s; raise the limit of open files "
			"(LimitNOFILE=)",
			strerror(errno));
	default:
		return failure_set(why, 500, "cannot open: %s",
			strerror(errno));
	}
}

/* path relative to docroot; "." for docroot itself, NULL if outside. */
static char *
from_docroot(const struct gateway_opts *opts, char *path)
{
	static char self[] = ".";
	size_t n = opts->docroot ? strlen(opts->docroot) : 0;

	if (n == 0)
		return path;
	if (strncmp(path, opts->docroot, n) != 0 ||
		(path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n + 1 : self;
}

/* Opens the directory of rel; rootfd itself for a name without a slash. */
static int
open_directory(int rootfd, const char *rel)
{
	const char *slash = strrchr(rel, '/');
	char dir[PATH_MAX];

	if (!slash)
		return rootfd;
	if ((size_t)(slash - rel) >= sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, rel, (size_t)(slash - rel));
	dir[slash - rel] = '\0';
	return open_beneath(rootfd, slash == rel ? "/" : dir, DIR_FLAGS);
}

static void
close_both(struct located *l)
{
	if (l->dirfd == l->rootfd)
		l->dirfd = -1;
	fd_close_pair(&l->dirfd, &l->fd);
}

/* Opens directory and file of rel; 0, or -1 with errno and neither open. */
static int
open_both(const char *rel, struct located *l)
{
	struct stat st;

	l->dirfd = open_directory(l->rootfd, rel);
	if (l->dirfd >= 0)
		l->fd = open_file(l->rootfd, rel, &l->readable);
	if (l->fd < 0 || fstat(l->fd, &st) < 0) {
		close_both(l);
		return -1;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->mode = st.st_mode;
	return 0;
}

/*
 * As open_both(); with split, opens the longest leading part of rel that is a
 * file.  ENOTDIR says that a file was used as a directory.
 */
static int
open_split(char *rel, bool split, struct located *l)
{
	char *slash;

	while (open_both(rel, l) < 0) {
		if (errno != ENOTDIR || !split)
			return -1;
		slash = strrchr(rel, '/');
		if (!slash || slash == rel)
			return -1;
		*slash = '\0';
	}
	return 0;
}

/* Opens the first of names that exists in the directory path, and appends it
 * to path; EISDIR when none exists. */
static int
open_index(const struct gateway_opts *opts, const char *names, char *path,
	size_t size, struct located *l)
{
	size_t len = strlen(path), n;
	const char *name;

	close_both(l);
	while ((name = words_next(&names, &n)) != NULL) {
		if (len + 1 + n + 1 > size) {
			errno = ENAMETOOLONG;
			return -1;
		}
		path[len] = '/';
		memcpy(path + len + 1, name, n);
		path[len + 1 + n] = '\0';
		if (open_both(from_docroot(opts, path), l) == 0)
			return 0;
		path[len] = '\0';
		if (errno != ENOENT)
			return -1;
	}
	errno = EISDIR;
	return -1;
}

int
locate_open(const struct gateway_opts *opts, char *path, size_t size,
	struct located *ret, struct failure *why)
{
	const struct conf_pool *pool = opts->pool;
	char *rel = from_docroot(opts, path);
	struct located l;

	locate_init(&l);
	if (!rel)
		return failure_set(why, 403,
			"outside docroot %s; correct docroot, or "
			"SCRIPT_FILENAME in the web server",
			opts->docroot);
	if (opts->docroot && *opts->docroot) {
		/* Opened for each request: a deployment may replace docroot,
		 * and an open descriptor would keep its filesystem busy. */
		l.rootfd = open(opts->docroot, DIR_FLAGS | O_CLOEXEC);
		if (l.rootfd < 0 && errno == EACCES)
			return failure_denied(opts, path, X_OK, why);
		if (l.rootfd < 0)
			/* Action: The directory was removed or renamed after
			 * the start. Restore it, or change docroot and
			 * restart. */
			return failure_set(why, 500, "docroot %s: %s",
				opts->docroot, strerror(errno));
	}
	if (open_split(rel, pool->cgi_split_path, &l) < 0 ||
		(S_ISDIR(l.mode) && pool->cgi_index &&
			open_index(opts, pool->cgi_index, path, size, &l) <
				0)) {
		explain_errno(opts, path, why);
		locate_close(&l);
		return -1;
	}
	*ret = l;
	return 0;
}

void
locate_init(struct located *l)
{
	*l = (struct located){.fd = -1, .dirfd = -1, .rootfd = -1};
}

void
locate_close(struct located *l)
{
	close_both(l);
	fd_close(&l->rootfd);
}

void
locate_look_inside(struct located *l)
{
	char head[2 + sizeof(l->first)];
	ssize_t n = pread(l->fd, head, sizeof(head) - 1, 0);

	/* EBADF for O_PATH: not readable, so no interpreter can read it. */
	if (n < 2 || head[0] != '#' || head[1] != '!')
		return;
	l->script = true;
	head[n] = '\0';
	head[strcspn(head, "\n")] = '\0';
	memcpy(l->first, head + 2, strlen(head + 2) + 1);
}

bool
locate_same(const struct located *l, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == l->dev &&
		st.st_ino == l->ino;
}
