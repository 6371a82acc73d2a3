/*
 * explain.c - explains why a worker could not be started; see explain.h
 *
 * Called by pool/lifecycle.  The child reports the step that failed and an
 * errno.  This module inspects the files of that step to find out which
 * file or permission is missing, as the supervisor may read what the worker may
 * not.  Permissions are judged by the mode bits alone: the text says
 * so when these do not explain the error.
 *
 * A pool's user must not make the supervisor wait.  So only paths are inspected
 * that no other user can exchange; fcgipm -t inspects the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/privs.h"
#include "sys/spawn.h"
#include "worker/explain.h"

/* Can only root, or the user of this process, change what this entry is?  The
 * values that the kernel has are enough: a file server is not asked. */
static bool
is_safe(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		    STATX_TYPE | STATX_MODE | STATX_UID, &st) < 0 ||
		S_ISLNK(st.stx_mode) ||
		(st.stx_uid != 0 && st.stx_uid != geteuid()))
		return false;
	/* With the sticky bit only the owner of an entry may rename it. */
	return !S_ISDIR(st.stx_mode) || !(st.stx_mode & 022) ||
		(st.stx_mode & S_ISVTX);
}

/* The same for each directory of an absolute path, and for its last entry.  A
 * path with a symbolic link is not safe; one that ends early is. */
static bool
is_safe_path(const char *path)
{
	char name[NAME_MAX + 1];
	bool safe;
	int fd;

	fd = *path == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	safe = fd >= 0 && is_safe(fd);
	while (safe && *(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");
		int next;

		if (len > NAME_MAX || strncmp(path, "..", len) == 0)
			safe = false;
		else
			snprintf(name, sizeof(name), "%.*s", (int)len, path);
		next = safe ? openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)
			    : -1;
		if (next < 0) {
			safe = safe && (errno == ENOENT || errno == ENOTDIR ||
				errno == EACCES);
			break;
		}
		fd_close(&fd);
		fd = next;
		safe = is_safe(fd);
		path += len;
	}
	fd_close(&fd);
	return safe;
}

/* The user that a worker runs as. */
struct identity {
	const char *name; /* "user www-data" */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	int ngroups;
	gid_t *own; /* of groups, to free; NULL = borrowed */
};

static void
identity_init(struct identity *id, const struct privs *p, char *name,
	size_t size, const char *user)
{
	int n;

	*id = (struct identity){
		.name = name, .uid = geteuid(), .gid = getegid()};
	if (p && p->set_ids) {
		id->uid = p->uid;
		id->gid = p->gid;
		id->groups = p->groups;
		id->ngroups = p->ngroups;
	} else if ((n = getgroups(0, NULL)) > 0) {
		id->own = mem_calloc((size_t)n, sizeof(*id->own));
		id->groups = id->own;
		id->ngroups = getgroups(n, id->own);
	}
	if (user)
		snprintf(name, size, "user %s", user);
	else
		snprintf(name, size, "UID %ld", (long)id->uid);
}

/* The class of a file's permissions that applies: 'u', 'g' or 'o'. */
static char
class_of(const struct identity *id, const struct stat *st)
{
	int i;

	if (st->st_uid == id->uid)
		return 'u';
	if (st->st_gid == id->gid)
		return 'g';
	for (i = 0; i < id->ngroups; i++)
		if (id->groups[i] == st->st_gid)
			return 'g';
	return 'o';
}

/* Do the mode bits forbid to execute this file, or to enter this directory?
 * false if they cannot be read. */
static bool
lacks_x(const struct identity *id, const char *path, char *ret_class)
{
	struct stat st;
	mode_t bits;

	if (stat(path, &st) < 0)
		return false;
	*ret_class = class_of(id, &st);
	bits = *ret_class == 'u'    ? st.st_mode >> 6
		: *ret_class == 'g' ? st.st_mode >> 3
				    : st.st_mode;
	if (id->uid == 0)
		return !S_ISDIR(st.st_mode) && !(st.st_mode & 0111);
	return !(bits & 1);
}

/* Finds the first directory of path that may not be entered and writes that to
 * buf.  whole: path itself is a directory. */
static bool
explain_closed(const struct identity *id, const char *path, bool whole,
	char *buf, size_t size)
{
	char dir[PATH_MAX], class;
	size_t n;

	for (n = 1; n < sizeof(dir); n++) {
		if (path[n - 1] == '\0' || (path[n] == '\0' && !whole))
			return false;
		if (path[n] != '/' && path[n] != '\0')
			continue;
		memcpy(dir, path, n);
		dir[n] = '\0';
		if (!lacks_x(id, dir, &class))
			continue;
		snprintf(buf, size, "%s may not enter %s; chmod %c+x %s",
			id->name, dir, class, dir);
		return true;
	}
	return false;
}

static void
explain_chdir(const struct identity *id, const char *dir, int err, char *buf,
	size_t size)
{
	if (err == EACCES && explain_closed(id, dir, true, buf, size))
		return;
	if (err == ENOENT)
		snprintf(buf, size,
			"its working directory %s does not exist; "
			"create it or change chdir",
			dir);
	else if (err == ENOTDIR)
		snprintf(buf, size,
			"its working directory %s is not a "
			"directory; change chdir",
			dir);
	else
		snprintf(buf, size,
			"%s may not use the working directory %s: "
			"%s",
			id->name, dir, strerror(err));
}

/* The first line of a script after its "#!", without the end; false when the
 * file does not begin so, or cannot be read. */
static bool
read_first_line(const char *path, char *buf, size_t size)
{
	/* It may be a FIFO by now. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	fd_close(&fd);
	if (n < 2 || buf[0] != '#' || buf[1] != '!')
		return false;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	memmove(buf, buf + 2, strlen(buf + 2) + 1);
	return true;
}

/* exec: No such file or directory. */
static void
explain_missing(
	const char *path, char *line, bool script, char *buf, size_t size)
{
	char *interpreter = line + strspn(line, " \t");

	if (access(path, F_OK) < 0) {
		snprintf(buf, size,
			"it does not exist; install it or change "
			"the key handler");
		return;
	}
	if (!script) {
		snprintf(buf, size,
			"its dynamic loader does not exist; readelf -l %s "
			"shows the loader",
			path);
		return;
	}
	if (strchr(line, '\r')) {
		snprintf(buf, size,
			"its #! line ends in CR LF; sed -i 's/\\r$//' %s",
			path);
		return;
	}
	interpreter[strcspn(interpreter, " \t")] = '\0';
	snprintf(buf, size,
		"its interpreter %s does not exist; install it or "
		"change the #! line",
		interpreter);
}

static void
explain_denied(const struct identity *id, const char *path, char *line,
	bool script, char *buf, size_t size)
{
	char *interpreter = line + strspn(line, " \t"), class;
	struct statvfs fs;

	if (explain_closed(id, path, false, buf, size))
		return;
	interpreter[strcspn(interpreter, " \t\r")] = '\0';
	if (lacks_x(id, path, &class))
		snprintf(buf, size, "%s may not execute it; chmod %c+x %s",
			id->name, class, path);
	else if (statvfs(path, &fs) == 0 && fs.f_flag & ST_NOEXEC)
		snprintf(buf, size,
			"its filesystem is mounted noexec; remount it with "
			"exec, or move the program");
	else if (script && is_safe_path(interpreter) &&
		lacks_x(id, interpreter, &class))
		snprintf(buf, size,
			"%s may not execute its interpreter %s; "
			"chmod %c+x %s",
			id->name, interpreter, class, interpreter);
	else
		snprintf(buf, size,
			"%s may not execute it, although its mode "
			"allows that; check its ACL and the log of "
			"AppArmor or SELinux",
			id->name);
}

static void
explain_exec(const struct identity *id, const char *path, int err, char *buf,
	size_t size)
{
	char line[256] = "";
	bool script = read_first_line(path, line, sizeof(line));

	if (err == ENOENT)
		explain_missing(path, line, script, buf, size);
	else if (err == EACCES || err == EPERM)
		explain_denied(id, path, line, script, buf, size);
	else if (err == ENOEXEC)
		snprintf(buf, size,
			"it is not an executable program; a script "
			"must begin with #!/path/of/interpreter");
	else
		snprintf(buf, size, "exec: %s", strerror(err));
}

void
explain_start(const struct spawn_spec *spec, const char *user,
	const struct spawn_error *e, char *buf, size_t size)
{
	const char *root = spec->privs ? spec->privs->chroot : NULL;
	bool changes = strcmp(e->step, "chdir") == 0 && spec->cwd;
	bool executes = strcmp(e->step, "exec") == 0;
	char name[80];
	struct identity id;

	if (root) {
		/* Paths have another meaning there. */
		snprintf(buf, size,
			"%s: %s (chroot = %s); the program, its "
			"interpreter and its libraries must be "
			"inside it",
			e->step, strerror(e->err), root);
		return;
	}
	if ((changes || executes) &&
		!is_safe_path(changes ? spec->cwd : spec->path)) {
		snprintf(buf, size, "%s: %s; fcgipm -t -c FILE names the cause",
			e->step, strerror(e->err));
		return;
	}
	identity_init(&id, spec->privs, name, sizeof(name), user);
	if (changes)
		explain_chdir(&id, spec->cwd, e->err, buf, size);
	else if (executes)
		explain_exec(&id, spec->path, e->err, buf, size);
	else
		snprintf(buf, size, "%s: %s", e->step, strerror(e->err));
	free(id.own);
}
