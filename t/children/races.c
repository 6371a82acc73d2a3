/*
 * races.c - a library preloaded into supervisor and gateway, which holds their
 * races open
 *
 * FCGIPM_RACES=NAME=MS[,NAME=MS]... says which, and for how many milliseconds:
 *
 *	stop	before SIGSTOP: after the first inspection of a retiring worker
 *	sockets	around a listing of /proc/PID/fd: before or after its tasks
 *	bind	after bind(2) to a path, before it gets its owner
 *	clone	in a child, before it asks to die with its parent
 *	stat	before stat(2) of a script (NAME.sh), in the gateway only
 *
 * It does nothing in other programs, because the supervisor passes LD_PRELOAD
 * to its workers.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/raw.h"

/* Maximum number of children that wait at once. */
#define CHILDREN 64

static struct timespec pauses[5];
enum race { STOP, SOCKETS, BIND, CLONE, STAT, RACES };
static const char *const names[RACES] = {"stop", "sockets", "bind", "clone",
	"stat"};

__attribute__((constructor)) static void
read_races(void)
{
	const char *p = getenv("FCGIPM_RACES");
	bool gateway = strcmp(program_invocation_short_name, "fcgipm-cgi") == 0;
	size_t i, len;
	long ms;

	if (!gateway && strcmp(program_invocation_short_name, "fcgipm") != 0)
		return;
	for (; p && *p; p += strcspn(p, ","), p += *p == ',')
		for (i = 0; i < RACES; i++) {
			len = strlen(names[i]);
			if (strncmp(p, names[i], len) != 0 || p[len] != '=' ||
				gateway != (i == STAT))
				continue;
			ms = strtol(p + len + 1, NULL, 10);
			pauses[i].tv_sec = ms / 1000;
			pauses[i].tv_nsec = ms % 1000 * 1000000;
		}
}

/* Keeps errno: in a child, it is the parent's. */
static void
hold(enum race race)
{
	if (pauses[race].tv_sec > 0 || pauses[race].tv_nsec > 0)
		(void)RAW(nanosleep, &pauses[race], NULL);
}

#define NEXT(call) (*(void **)&next = dlsym(RTLD_NEXT, #call))

int
kill(pid_t pid, int signo)
{
	int (*next)(pid_t, int);

	NEXT(kill);
	if (signo == SIGSTOP)
		hold(STOP);
	return next(pid, signo);
}

/* Signals sent by a pidfd. */
long
syscall(long number, ...)
{
	long (*next)(long, ...), a[6];
	va_list ap;
	int i;

	NEXT(syscall);
	va_start(ap, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_pidfd_send_signal && (int)a[1] == SIGSTOP)
		hold(STOP);
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int
lists_descriptors(int fd)
{
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	return n > 3 && strcmp(target + n - 3, "/fd") == 0;
}

ssize_t
getdents64(int fd, void *buf, size_t len)
{
	ssize_t (*next)(int, void *, size_t), n;
	int waits = lists_descriptors(fd);

	NEXT(getdents64);
	if (waits)
		hold(SOCKETS);
	n = next(fd, buf, len);
	/* At its end. */
	if (waits && n == 0)
		hold(SOCKETS);
	return n;
}

int
bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t), rc;

	NEXT(bind);
	rc = next(fd, sa, len);
	if (rc == 0 && sa->sa_family == AF_UNIX && sa->sa_data[0] == '/')
		hold(BIND);
	return rc;
}

int
stat(const char *path, struct stat *ret)
{
	int (*next)(const char *, struct stat *);

	const char *dot = strrchr(path, '.');

	NEXT(stat);
	if (dot && strcmp(dot, ".sh") == 0)
		hold(STAT);
	return next(path, ret);
}

struct child {
	int (*run)(void *);
	void *arg;
};

static int
run_later(void *arg)
{
	const struct child *c = arg;

	hold(CLONE);
	return c->run(c->arg);
}

int
clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	static struct child children[CHILDREN];
	static unsigned turn;
	struct child *c = &children[turn++ % CHILDREN];
	int (*next)(int (*)(void *), void *, int, void *, ...);
	void *parent_tid, *tls, *child_tid;
	va_list ap;

	NEXT(clone);
	va_start(ap, arg);
	parent_tid = va_arg(ap, void *);
	tls = va_arg(ap, void *);
	child_tid = va_arg(ap, void *);
	va_end(ap);
	*c = (struct child){run, arg};
	return next(run_later, stack, flags, c, parent_tid, tls, child_tid);
}
