/*
 * failure.c - why a request gets no answer from a program; see failure.h
 *
 * Called by locate, program, body and request, which know what went wrong.
 * Here are the words.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/script.h"
#include "sys/spawn.h"

/*
 * All 2^32 numbers in turn, from a random one on: no two requests of this
 * process have the same, and those of its successor differ from them.
 */
static uint32_t
next_id(void)
{
	static uint32_t id;
	static bool begun;

	if (!begun && getrandom(&id, sizeof(id), GRND_NONBLOCK) < 0)
		id = (uint32_t)now_ms();
	begun = true;
	return id += 0x9e3779b9U;
}

int
failure_set(struct failure *r, unsigned status, const char *fmt, ...)
{
	va_list ap;

	r->status = status;
	r->id = next_id();
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* The class of users whose right to a file we lack: the letter for chmod(1). */
static char
our_class(const char *path)
{
	static gid_t groups[NGROUPS_MAX];	/* too much for a stack */
	struct stat st;
	int n;

	if (stat(path, &st) < 0)
		return 'o';
	if (st.st_uid == geteuid())
		return 'u';
	if (st.st_gid == getegid())
		return 'g';
	for (n = getgroups(NGROUPS_MAX, groups); n > 0; n--)
		if (groups[n - 1] == st.st_gid)
			return 'g';
	return 'o';
}

/* The first directory of path that may not be searched, in buf; or false. */
static bool
find_closed(const char *path, char *buf, size_t size)
{
	size_t n;

	for (n = 1; n < size && path[n]; n++) {
		if (path[n] != '/')
			continue;
		memcpy(buf, path, n);
		buf[n] = '\0';
		if (access(buf, X_OK) < 0 && errno == EACCES)
			return true;
	}
	return false;
}

static bool
is_noexec(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && fs.f_flag & ST_NOEXEC;
}

int
failure_denied(const struct gateway_opts *opts, const char *path, int rights,
	struct failure *why)
{
	char dir[PATH_MAX];

	if (find_closed(path, dir, sizeof(dir)))
		return failure_set(why, 403,
			"user %s may not search a folder of "
			"its path: chmod %c+x %s",
			opts->user, our_class(dir), dir);
	if (rights & X_OK && is_noexec(path))
		return failure_set(why, 403,
			"it lies on a filesystem mounted "
			"noexec: remount that with exec, or move it");
	if (rights & X_OK && access(path, X_OK) < 0)
		return failure_set(why, 403,
			"not executable by user %s: chmod "
			"%c+x it",
			opts->user, our_class(path));
	if (rights & R_OK && access(path, R_OK) < 0)
		return failure_set(why, 403,
			"not readable by user %s, whose "
			"interpreter must read it: chmod %c+r it",
			opts->user, our_class(path));
	return failure_set(why, 403,
		"user %s is denied to run it although its "
		"mode allows it: look at its access control list and at the "
		"log of AppArmor or SELinux",
		opts->user);
}

/* The interpreter of a "#!" line, in buf; "" when it names none. */
static const char *
interpreter(const char *first, char *buf, size_t size)
{
	size_t n;

	first += strspn(first, " \t");
	n = strcspn(first, " \t");
	snprintf(buf, size, "%.*s", (int)n, first);
	return buf;
}

/* U+FEFF in UTF-8, as some editors put in front of everything. */
static bool
begins_with_mark(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char head[3] = "";
	bool found = fd >= 0 && pread(fd, head, sizeof(head), 0) == 3 &&
		memcmp(head, "\xEF\xBB\xBF", 3) == 0;

	fd_close(&fd);
	return found;
}

/* What a file that exec calls no program looks like. */
static int
explain_format(const struct script_spec *spec, struct failure *why)
{
	if (spec->script && !spec->first[strspn(spec->first, " \t")])
		return failure_set(why, 500,
			"its #! line names no interpreter: "
			"write one, as #!/bin/sh");
	if (begins_with_mark(spec->path))
		return failure_set(why, 500,
			"a byte order mark stands in front of "
			"its #! line: save it as UTF-8 without");
	return failure_set(why, 500,
		"no program: it begins neither with "
		"#!/path/of/interpreter nor as an ELF file does");
}

static int
explain_missing(const struct gateway_opts *opts, const struct script_spec *spec,
	const char *interp, struct failure *why)
{
	if (spec->script && strchr(spec->first, '\r'))
		return failure_set(why, 500,
			"its first line ends in CR LF; save "
			"it with LF line ends");
	if (*interp && *interp != '/')
		return failure_set(why, 500,
			"its #! line names %s without its "
			"folder: write #!/usr/bin/env %s",
			interp, interp);
	if (*interp)
		return failure_set(why, 500,
			"no interpreter %s; install it or "
			"change the #! line",
			interp);
	/* Not even its first line could be read. */
	if (access(spec->path, R_OK) < 0 && errno == EACCES)
		return failure_denied(opts, spec->path, R_OK, why);
	return failure_set(
		why, 500, "it or its loader (ldd tells) does not exist");
}

/* The key that names the program; NULL when the request does. */
static const char *
key_of(const struct gateway_opts *opts, const struct script_spec *spec)
{
	if (opts->handler)
		return "handler";
	/* A script never has arguments, but it is one. */
	return spec->argv[1] ? "cgi.interpreter" : NULL;
}

int
failure_of_start(const struct gateway_opts *opts,
	const struct script_spec *spec, const struct spawn_error *e,
	struct failure *why)
{
	const char *key = key_of(opts, spec);
	char buf[256];
	const char *interp =
		interpreter(spec->script ? spec->first : "", buf, sizeof(buf));

	if (strcmp(e->step, "environment") == 0)
		return failure_set(why, 503, "no memory for its environment");
	if (strcmp(e->step, "pipe") == 0)
		return failure_set(why, 503,
			"pipe: %s; raise the limit of "
			"open files (ulimit -Hn, LimitNOFILE=)",
			strerror(e->err));
	if (strcmp(e->step, "clone") == 0)
		return failure_set(why, 503,
			"fork: %s; raise rlimit_nproc or lower "
			"pm.max_children",
			strerror(e->err));
	if (strcmp(e->step, "exec") != 0)
		return failure_set(
			why, 500, "%s: %s", e->step, strerror(e->err));
	if (key && e->err != E2BIG && e->err != ENOMEM && e->err != EAGAIN)
		return failure_set(why, 500,
			"%s %s: %s; user %s must be able to "
			"execute it and what it needs",
			key, spec->path, strerror(e->err), opts->user);
	switch (e->err) {
	case EACCES:
	case EPERM:
		if (*interp && access(spec->path, X_OK) == 0 &&
			access(interp, X_OK) < 0)
			return failure_set(why, 403,
				"its interpreter is not "
				"executable by user %s: chmod %c+x %s",
				opts->user, our_class(interp), interp);
		return failure_denied(opts, spec->path,
			spec->script ? R_OK | X_OK : X_OK, why);
	case ENOENT:
		return explain_missing(opts, spec, interp, why);
	case ENOEXEC:
		return explain_format(spec, why);
	case E2BIG:
		return failure_set(why, 431, "its environment is too large");
	case ETXTBSY:
		return failure_set(why, 503, "somebody is writing to it");
	case ENOMEM:
	case EAGAIN:
		return failure_set(why, 503, "exec: %s", strerror(e->err));
	default:
		return failure_set(why, 500, "exec: %s", strerror(e->err));
	}
}

void
failure_log(const char *path, const struct failure *why)
{
	log_error("script %s: %u: %s [request %08x]", path ? path : "?",
		why->status, why->why, (unsigned)why->id);
}
