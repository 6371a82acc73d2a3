/*
 * leaks.c - finds descriptors and memory that the daemon does not free; see
 * leaks.h
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leaks.h"

/* How much memory may grow permanently: the largest bursts leave some. */
#define RSS_MORE_KIB 8192
/* A prober and a refuser have standard descriptors, a channel, and a few for
 * their work. */
#define HELPER_FDS 12

enum role { WORKER, GATEWAY, REFUSER, PROBER };

/* Returns how many descriptors are sockets. */
static size_t
count_sockets(pid_t pid)
{
	char path[64], target[32];
	struct dirent *e;
	size_t n = 0;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)) != NULL) {
		len = readlinkat(dirfd(dir), e->d_name, target,
			sizeof(target));
		n += len > 7 && memcmp(target, "socket:", 7) == 0;
	}
	if (dir)
		closedir(dir);
	return n;
}

static enum role
role_of(pid_t pid)
{
	char path[64], line[4096];
	ssize_t n;
	int fd;

	if (strncmp(world_proc_status(pid, "Name"), "fcgipm-cgi", 10) != 0)
		return world_is_prober(pid) ? PROBER : WORKER;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, line, sizeof(line));
	if (fd >= 0)
		close(fd);
	return n > 0 && memmem(line, (size_t)n, "--refuse", 8) ? REFUSER :
								 GATEWAY;
}

static long
rss_kib(pid_t pid)
{
#ifdef __SANITIZE_ADDRESS__
	/* The sanitizer keeps freed memory to detect its use. */
	(void)pid;
	return 0;
#else
	return strtol(world_proc_status(pid, "VmRSS"), NULL, 10);
#endif
}

void
leaks_begin(struct world *w)
{
	pid_t pids[64];
	size_t i, n = world_children(w->pid, pids, 64);

	w->fds = world_fd_count(w->pid);
	w->sockets = count_sockets(w->pid);
	w->ngateways = 0;
	for (i = 0; i < n && i < 64 && w->ngateways < WORLD_GATEWAYS; i++)
		if (role_of(pids[i]) == GATEWAY)
			w->gateways[w->ngateways++] = (struct world_gateway){
				pids[i], world_fd_count(pids[i]),
				rss_kib(pids[i])};
}

/* Returns whether the daemon has no unexpected descriptors.  It has one for each
 * prober, and a socket, a pidfd and two pipes for each refuser. */
static bool
daemon_is_clean(struct world *w, char *why, size_t size)
{
	size_t probers = world_probers(w->pid), refusers = 0, n, i;
	size_t fds = world_fd_count(w->pid), sockets = count_sockets(w->pid);
	pid_t pids[64];

	n = world_children(w->pid, pids, 64);
	for (i = 0; i < n && i < 64; i++)
		refusers += role_of(pids[i]) == REFUSER;
	snprintf(why, size, "the daemon has %zu descriptors, %zu of them "
		"sockets, not %zu and %zu", fds, sockets, w->fds, w->sockets);
	return sockets <= w->sockets + probers + refusers &&
		(w->changed || fds <= w->fds + probers + 4 * refusers);
}

static bool
gateway_is_clean(const struct world_gateway *g, char *why, size_t size)
{
	size_t fds = world_fd_count(g->pid);
	long rss = rss_kib(g->pid);

	snprintf(why, size, "gateway %d has %zu descriptors and %ld KiB, not "
		"%zu and %ld", (int)g->pid, fds, rss, g->fds, g->rss_kib);
	return fds <= g->fds && rss <= g->rss_kib + RSS_MORE_KIB;
}

static bool
helpers_are_clean(struct world *w, char *why, size_t size)
{
	pid_t pids[256];
	size_t n = world_all_children(w->pid, pids, 256), i, fds;
	enum role role;

	for (i = 0; i < n && i < 256; i++) {
		role = role_of(pids[i]);
		fds = world_fd_count(pids[i]);
		if ((role == PROBER || role == REFUSER) && fds > HELPER_FDS) {
			snprintf(why, size, "%s %d has %zu descriptors",
				role == PROBER ? "prober" : "refuser",
				(int)pids[i], fds);
			return false;
		}
	}
	return true;
}

struct check {
	struct world *w;
	char why[200];
};

static bool
is_clean(void *arg)
{
	struct check *c = arg;
	size_t i;

	if (!daemon_is_clean(c->w, c->why, sizeof(c->why)) ||
		!helpers_are_clean(c->w, c->why, sizeof(c->why)))
		return false;
	for (i = 0; i < c->w->ngateways; i++)
		if (!gateway_is_clean(&c->w->gateways[i], c->why,
			    sizeof(c->why)))
			return false;
	return true;
}

void
leaks_check(struct world *w)
{
	struct check c = {.w = w};

	if (w->fds)
		world_until(is_clean, &c, c.why);
}

/* In a chroot without /proc, or when traced, LeakSanitizer cannot search, and
 * reports no leak. */
static char *
find_fault(char *log, const char *fault)
{
	static const char *const excuses[] = {
		"LeakSanitizer has encountered a fatal error",
		"LeakSanitizer does not work under ptrace"};
	char *at = log;

	while ((at = strstr(at, fault)) &&
		(strncmp(at, excuses[0], strlen(excuses[0])) == 0 ||
			strncmp(at, excuses[1], strlen(excuses[1])) == 0))
		at++;
	return at;
}

void
leaks_check_log(struct world *w)
{
	static const char *const faults[] = {"LeakSanitizer",
		"AddressSanitizer", "heap-use-after-free", "runtime error:",
		": bug: ", " died: ", ": died after "};
	const size_t n = sizeof(faults) / sizeof(*faults) - 2 * w->deaths;
	char *log = world_log(w), *at;
	size_t i;

	for (i = 0; i < n; i++) {
		at = find_fault(log, faults[i]);
		if (!at)
			continue;
		while (at > log && at[-1] != '\n')
			at--;
		cr_expect_fail("in the log: %.2000s", at);
		break;
	}
}
