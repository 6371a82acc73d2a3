/*
 * failure.c - composes the log line of a failed request; see failure.h
 *
 * Called by locate, program, body and request, which detect the failure.  This
 * file finds out why a program cannot be executed and writes the line;
 * gateway/answer sends the error page.
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
 * Runs through all 2^32 values from a random start, so that no two requests of
 * this process have the same ID, and IDs of consecutive processes rarely
 * collide.
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

int
failure_text(struct failure *r, unsigned status, const char *text)
{
	r->status = status;
	r->id = next_id();
	snprintf(r->why, sizeof(r->why), "%s", text);
	return -1;
}

/* The letter for chmod(1) of the class that we belong to: u, g or o. */
static char
our_class(const char *path)
{
	static gid_t groups[NGROUPS_MAX];	/* too large for the stack */
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

/* Copies the first directory of path that we may not search to buf. */
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

static int
deny_directory(const struct gateway_opts *opts, const char *dir,
	struct failure *why)
{
	const char class = our_class(dir);

	return failure_set(why, 403, "user %s may not enter %s; chmod %c+x %s",
		opts->user, dir, class, dir);
}

int
failure_denied(const struct gateway_opts *opts, const char *path, int rights,
	struct failure *why)
{
	const char class = our_class(path);
	char dir[PATH_MAX];

	if (find_closed(path, dir, sizeof(dir)))
		return deny_directory(opts, dir, why);
	if (rights & X_OK && is_noexec(path))
		return failure_set(why, 403,
			"its filesystem is mounted noexec; remount it with "
			"exec, or move the program");
	if (rights & X_OK && access(path, X_OK) < 0)
		return failure_set(why, 403,
			"not executable by user %s; chmod %c+x %s",
			opts->user, class, path);
	if (rights & R_OK && access(path, R_OK) < 0)
		return failure_set(why, 403,
			"not readable by user %s, but its interpreter must "
			"read it; chmod %c+r %s",
			opts->user, class, path);
	/* Action: Run getfacl on the program and search the kernel log or the
	 * audit log for a denial by AppArmor or SELinux. */
	return failure_set(why, 403,
		"user %s may not execute it although its mode allows it; "
		"check its ACL and the log of AppArmor or SELinux",
		opts->user);
}

/* Copies the interpreter of a "#!" line to buf; "" when it names none. */
static const char *
interpreter(const char *first, char *buf, size_t size)
{
	size_t n;

	first += strspn(first, " \t");
	n = strcspn(first, " \t");
	snprintf(buf, size, "%.*s", (int)n, first);
	return buf;
}

/* Does the file begin with U+FEFF in UTF-8, which some editors write? */
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

/* ENOEXEC: the kernel does not recognise the file as a program. */
static int
explain_format(const struct script_spec *spec, struct failure *why)
{
	if (spec->script && !spec->first[strspn(spec->first, " \t")])
		return failure_set(why, 500,
			"its #! line names no interpreter; write one, such as "
			"#!/bin/sh");
	if (begins_with_mark(spec->path))
		return failure_set(why, 500,
			"a byte order mark precedes its #! line; save it as "
			"UTF-8 without a byte order mark");
	return failure_set(why, 500,
		"not a program: begins neither with #!/path/to/interpreter "
		"nor as an ELF file; add a #! line or set cgi.interpreter");
}

/* ENOENT: the interpreter or the loader is missing, or the file itself. */
static int
explain_missing(const struct gateway_opts *opts, const struct script_spec *spec,
	const char *interp, struct failure *why)
{
	if (spec->script && strchr(spec->first, '\r'))
		return failure_set(why, 500,
			"its #! line ends in CR LF; save it with LF line "
			"endings");
	if (*interp && *interp != '/')
		return failure_set(why, 500,
			"its #! line names %s without a directory; write "
			"#!/usr/bin/env %s",
			interp, interp);
	if (*interp)
		return failure_set(why, 500,
			"its interpreter %s does not exist; install it or "
			"change the #! line",
			interp);
	/* Even its first line could not be read. */
	if (access(spec->path, R_OK) < 0 && errno == EACCES)
		return failure_denied(opts, spec->path, R_OK, why);
	/* Action: The file was removed after it was found, or the dynamic
	 * loader that it names is not installed. Often the program is a 32-bit
	 * one, or was built for another C library. */
	return failure_set(why, 500,
		"the program or its dynamic loader does not exist; readelf -l "
		"%s shows the loader",
		spec->path);
}

/* EACCES, EPERM: which right to which file is missing. */
static int
explain_access(const struct gateway_opts *opts, const struct script_spec *spec,
	const char *interp, struct failure *why)
{
	const char class = our_class(interp);

	if (*interp && access(spec->path, X_OK) == 0 &&
		access(interp, X_OK) < 0)
		return failure_set(why, 403,
			"its interpreter is not executable by user %s; "
			"chmod %c+x %s",
			opts->user, class, interp);
	return failure_denied(opts, spec->path,
		spec->script ? R_OK | X_OK : X_OK, why);
}

/* Why execve(2) of a script or program failed. */
static int
explain_exec(const struct gateway_opts *opts, const struct script_spec *spec,
	const char *interp, int err, struct failure *why)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return explain_access(opts, spec, interp, why);
	case ENOENT:
		return explain_missing(opts, spec, interp, why);
	case ENOEXEC:
		return explain_format(spec, why);
	case E2BIG:
		/* Action: A parameter is longer than 128 KiB, or all of them
		 * exceed a quarter of the stack limit. Lower the limits for
		 * request headers in the web server. */
		return failure_set(why, 431,
			"its environment is too large for execve(2)");
	case ETXTBSY:
		return failure_set(why, 503,
			"another process has it open for writing; write a "
			"new file and rename it instead");
	case ENOMEM:
	case EAGAIN:
		/* Action: "Cannot allocate memory": free memory. "Resource
		 * temporarily unavailable": raise the limit of processes
		 * (TasksMax=) or rlimit_nproc, or lower pm.max_children. */
		return failure_set(why, 503, "cannot execute it: %s",
			strerror(err));
	default:
		return failure_set(why, 500, "cannot execute it: %s",
			strerror(err));
	}
}

/* The key that names the program; NULL when the request names it. */
static const char *
key_of(const struct gateway_opts *opts, const struct script_spec *spec)
{
	if (opts->handler)
		return "handler";
	/* argv[1] is set only if an interpreter runs the script. */
	return spec->argv[1] ? "cgi.interpreter" : NULL;
}

/* Why execve(2) of the program that this key names failed. */
static int
explain_key(const struct gateway_opts *opts, const struct script_spec *spec,
	const char *key, int err, struct failure *why)
{
	if (err == ENOENT)
		/* Action: The program was removed after the start, or the
		 * interpreter or dynamic loader that it names does not
		 * exist. Run fcgipm -t, which says which. */
		return failure_set(why, 500,
			"%s %s: %s; install it or its interpreter, or correct "
			"%s",
			key, spec->path, strerror(err), key);
	if (err == ENOEXEC)
		/* Action: The file is neither a script with a #! line nor a
		 * program for this machine. */
		return failure_set(why, 500,
			"%s %s: %s; add a #! line, or install a program for "
			"this machine",
			key, spec->path, strerror(err));
	/* Action: "Permission denied": namei -l PATH shows which directory or
	 * file lacks a right. */
	return failure_set(why, 500,
		"%s %s: %s; user %s must be able to execute it and its "
		"interpreter",
		key, spec->path, strerror(err), opts->user);
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
		/* Action: Free memory, or raise the memory limit of the
		 * service (MemoryMax=). */
		return failure_set(why, 503, "out of memory for its environment");
	if (strcmp(e->step, "pipe") == 0)
		return failure_set(why, 503,
			"cannot create a pipe: %s; raise the limit of open "
			"files (LimitNOFILE=)",
			strerror(e->err));
	if (strcmp(e->step, "clone") == 0)
		/* Action: "Cannot allocate memory": free memory. */
		return failure_set(why, 503,
			"cannot fork: %s; raise the limit of processes "
			"(TasksMax=) or rlimit_nproc, or lower pm.max_children",
			strerror(e->err));
	if (strcmp(e->step, "exec") != 0)
		/* Action: The named step failed in the new process before the
		 * program was executed. Check the keys that it concerns:
		 * rlimit_*, process.priority, chroot, the working
		 * directory. */
		return failure_set(why, 500, "cannot start: %s: %s", e->step,
			strerror(e->err));
	if (key && e->err != E2BIG && e->err != ENOMEM && e->err != EAGAIN)
		return explain_key(opts, spec, key, e->err, why);
	return explain_exec(opts, spec, interp, e->err, why);
}

void
failure_log(const char *path, const struct failure *why)
{
	if (!path)
		path = "(unknown)";
	/* Action: The request got an error page with this HTTP status and
	 * request ID. It is an error from 500 on, and a warning below. WHY is
	 * one of the reasons in this list that have a status. */
	if (why->status >= 500)
		log_error("script %s: %u: %s [request %08x]", path,
			why->status, why->why, (unsigned)why->id);
	else
		log_warning("script %s: %u: %s [request %08x]", path,
			why->status, why->why, (unsigned)why->id);
}
