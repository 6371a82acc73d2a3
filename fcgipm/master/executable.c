/*
 * executable.c - checks that a user can execute a program; see executable.h
 *
 * Called by master/preflight.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "master/executable.h"

/* What the kernel reads of a #! line (execve(2)). */
#define HEAD_MAX 256

#define FUSE_MAGIC 0x65735546
#define NFS_MAGIC 0x6969

struct check {
	const struct executable_user *user;
	const char *root, *search;
	char *why;
	size_t size;
};

/* A path as a word of a shell, for commands in messages; to free(). */
static char *
shell_word(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%";
	char *word, *to;

	if (path[strspn(path, plain)] == '\0')
		return mem_strdup(path);
	word = to = mem_calloc(strlen(path) + 1, 4);
	*to++ = '\'';
	for (; *path; path++) {
		if (*path == '\'')
			to = stpcpy(to, "'\\'");
		*to++ = *path;
	}
	*to = '\'';
	return word;
}

/* Writes what is wrong, and the command that mends it: "TEXT; COMMAND PATH". */
__attribute__((format(printf, 4, 5)))
static void
explain(const struct check *c, const char *command, const char *path,
	const char *fmt, ...)
{
	char *word = shell_word(path);
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, c->size, fmt, ap);
	va_end(ap);
	n = strlen(c->why);
	snprintf(c->why + n, c->size - n, "; %s %s", command, word);
	free(word);
}

/* -- permissions ----------------------------------------------------------- */

/* Do the mode bits decide?  They do not with an access list, nor on NFS and
 * FUSE, where a server decides. */
static bool
is_by_mode(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) == 0 &&
		(fs.f_type == FUSE_MAGIC || fs.f_type == NFS_MAGIC))
		return false;
	return getxattr(path, "system.posix_acl_access", NULL, 0) <= 0;
}

static bool
is_in_group(const struct executable_user *u, gid_t gid)
{
	int i;

	if (u->gid == gid)
		return true;
	for (i = 0; i < u->ngroups; i++)
		if (u->groups[i] == gid)
			return true;
	return false;
}

/* bit is S_IXOTH or S_IROTH.  Without root, workers run as the user of this
 * process. */
static bool
is_permitted(const struct executable_user *u, const char *path,
	const struct stat *st, mode_t bit)
{
	if (geteuid() != 0)
		return faccessat(AT_FDCWD, path, bit == S_IROTH ? R_OK : X_OK,
			AT_EACCESS) == 0 || errno != EACCES;
	if (u->uid == 0)
		return true;
	if (u->uid == st->st_uid)
		bit <<= 6;
	else if (is_in_group(u, st->st_gid))
		bit <<= 3;
	return (st->st_mode & bit) || !is_by_mode(path);
}

/* Can the user enter every directory of the path?  Those above its root
 * directory are not looked up by it. */
static int
check_parents(const struct check *c, const char *path)
{
	size_t len = strlen(c->root);
	char *copy = mem_strdup(path), *slash = copy + (len > 0 ? len : 0);
	struct stat st;
	int rc = 0;

	for (; rc == 0 && slash; slash = strchr(slash + 1, '/')) {
		char *dir = slash == copy ? mem_strdup("/") :
			mem_strndup(copy, (size_t)(slash - copy));

		if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
			!is_permitted(c->user, dir, &st, S_IXOTH)) {
			explain(c, "chmod o+x", dir, "user %s may not enter "
				"%s", c->user->name, dir);
			rc = -1;
		}
		free(dir);
	}
	free(copy);
	return rc;
}

/* The same for the directories that symbolic links lead to; not in a chroot,
 * where absolute links lead elsewhere. */
static int
check_way(const struct check *c, const char *path)
{
	char *real = c->root[0] ? NULL : realpath(path, NULL);
	int rc = check_parents(c, path);

	if (rc == 0 && real && strcmp(real, path) != 0)
		rc = check_parents(c, real);
	free(real);
	return rc;
}

/* -- format ---------------------------------------------------------------- */

/* Opens a regular file for reading, never anything else; -1 with errno. */
static int
open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_PATH | O_CLOEXEC), readfd = -1;
	char link[64];

	if (fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		readfd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY |
			O_CLOEXEC);
	fd_close(&fd);
	return readfd;
}

static int
check_interpreter(const struct check *c, const char *path, const char *what,
	const char *name, const char *remedy)
{
	char *outside = mem_printf("%s%s", c->root, name);
	struct stat st;
	int rc = -1;

	if (stat(outside, &st) < 0)
		snprintf(c->why, c->size, "%s: its %s %s does not exist; %s",
			path, what, outside, remedy);
	else if (!S_ISREG(st.st_mode))
		snprintf(c->why, c->size, "%s: its %s %s is not a program; %s",
			path, what, outside, remedy);
	else if (!(st.st_mode & 0111) ||
		!is_permitted(c->user, outside, &st, S_IXOTH))
		explain(c, "chmod +x", outside, "%s: user %s may not execute "
			"its %s %s", path, c->user->name, what, outside);
	else
		rc = check_way(c, outside);
	free(outside);
	return rc;
}

/* "#!/usr/bin/env NAME" finds NAME in $PATH. */
static int
check_env(const struct check *c, const char *path, const char *name)
{
	const char *dir = c->search;
	bool found = false;
	size_t len;

	for (; !found && *dir; dir += len + (dir[len] == ':')) {
		char *candidate;

		len = strcspn(dir, ":");
		candidate = mem_printf("%s%.*s/%s", c->root, (int)len, dir,
			name);
		found = access(candidate, X_OK) == 0;
		free(candidate);
	}
	if (found)
		return 0;
	snprintf(c->why, c->size, "%s needs %s, which is not in PATH=%s; "
		"install it, write its whole path in the #! line, or set "
		"env[PATH]", path, name, c->search);
	return -1;
}

/* line is what follows "#!", without its end. */
static int
check_script_line(const struct check *c, const char *path, char *line)
{
	char *name, *argument, *rest = line;
	const char *base;

	if (strchr(line, '\r')) {
		explain(c, "sed -i 's/\\r$//'", path, "%s: its #! line ends in "
			"CR LF", path);
		return -1;
	}
	name = strsep(&rest, " \t");
	while (name && !*name)
		name = strsep(&rest, " \t");
	if (!name || name[0] != '/') {
		snprintf(c->why, c->size, "the #! line of %s must have the "
			"whole path of an interpreter, such as #!/usr/bin/perl",
			path);
		return -1;
	}
	if (check_interpreter(c, path, "interpreter", name, "install it, or "
			"correct the #! line") < 0)
		return -1;
	do
		argument = strsep(&rest, " \t");
	while (argument && !*argument);
	base = strrchr(name, '/') + 1;
	if (strcmp(base, "env") == 0 && argument && argument[0] != '-' &&
		!strpbrk(argument, "=/"))
		return check_env(c, path, argument);
	return 0;
}

/* The dynamic loader of an ELF program of this machine; others are left to
 * binfmt_misc. */
static int
check_elf(const struct check *c, const char *path, int fd)
{
	ElfW(Ehdr) eh;
	ElfW(Phdr) ph;
	char name[PATH_MAX];
	unsigned i;

	if (pread(fd, &eh, sizeof(eh), 0) != (ssize_t)sizeof(eh) ||
		eh.e_ident[EI_CLASS] !=
			(sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
		eh.e_phentsize != sizeof(ph))
		return 0;
	for (i = 0; i < eh.e_phnum && i < 64; i++) {
		if (pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff +
				i * sizeof(ph))) != (ssize_t)sizeof(ph))
			return 0;
		if (ph.p_type != PT_INTERP || ph.p_filesz < 2 ||
			ph.p_filesz > sizeof(name))
			continue;
		if (pread(fd, name, ph.p_filesz, (off_t)ph.p_offset) !=
				(ssize_t)ph.p_filesz ||
			name[ph.p_filesz - 1] != '\0' || name[0] != '/')
			return 0;
		return check_interpreter(c, path, "dynamic loader", name,
			"install it, or build the program for this system");
	}
	return 0;
}

static int
check_format(const struct check *c, const char *path, int fd)
{
	char head[HEAD_MAX + 1];
	ssize_t n = pread(fd, head, HEAD_MAX, 0);
	char *end;

	if (n < 0)
		return 0;
	head[n] = '\0';
	if (n >= 4 && memcmp(head, ELFMAG, SELFMAG) == 0)
		return check_elf(c, path, fd);
	if (n >= 2 && memcmp(head, "#!", 2) == 0) {
		/* Longer lines are cut by the kernel, too. */
		end = memchr(head, '\n', (size_t)n);
		if (end)
			*end = '\0';
		return check_script_line(c, path, head + 2);
	}
	if (n >= 5 && memcmp(head, "\xef\xbb\xbf#!", 5) == 0) {
		explain(c, "sed -i '1s/^\\xef\\xbb\\xbf//'", path, "%s begins "
			"with a byte order mark before the #! line", path);
		return -1;
	}
	/* Binary formats may be known to binfmt_misc. */
	if (memchr(head, '\0', (size_t)n))
		return 0;
	snprintf(c->why, c->size, "%s is neither a program nor a script with a "
		"#! line; begin it with one, such as #!/usr/bin/perl", path);
	return -1;
}

/* -------------------------------------------------------------------------- */

static int
check_file(const struct check *c, const char *path)
{
	struct statvfs fs;
	struct stat st;
	int fd, rc;

	if (check_way(c, path) < 0)
		return -1;
	fd = open_regular(path, &st);
	/* conf_check() reports a program that is missing or not executable. */
	if (fd < 0 || !(st.st_mode & 0111)) {
		fd_close(&fd);
		return 0;
	}
	if (!is_permitted(c->user, path, &st, S_IXOTH)) {
		explain(c, "chmod o+x", path, "user %s may not execute %s",
			c->user->name, path);
		rc = -1;
	} else if (fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_NOEXEC) {
		snprintf(c->why, c->size, "%s is on a file system mounted "
			"noexec; move it, or mount with exec", path);
		rc = -1;
	} else {
		rc = check_format(c, path, fd);
	}
	if (rc == 0 && !is_permitted(c->user, path, &st, S_IROTH)) {
		char mark[2] = "";

		if (pread(fd, mark, 2, 0) == 2 && memcmp(mark, "#!", 2) == 0) {
			explain(c, "chmod o+r", path, "user %s may not read "
				"the script %s", c->user->name, path);
			rc = -1;
		}
	}
	fd_close(&fd);
	return rc;
}

int
executable_check(const char *root, const char *path,
	const struct executable_user *user, const char *search, char *ret_why,
	size_t why_size)
{
	const struct check c = {user, root, search, ret_why, why_size};
	char *outside = mem_printf("%s%s", root, path);
	int rc = check_file(&c, outside);

	free(outside);
	return rc;
}

int
executable_check_directory(const char *root, const char *path,
	const struct executable_user *user, char *ret_why, size_t why_size)
{
	const struct check c = {user, root, "", ret_why, why_size};
	/* With a name after it, it is one of the directories to enter. */
	char *outside = mem_printf("%s%s/.", root, path);
	int rc = check_way(&c, outside);

	free(outside);
	return rc;
}
