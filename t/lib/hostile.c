/*
 * hostile.c - a cgi pool to attack; see hostile.h
 */
#include <dirent.h>
#include <stdarg.h>
#include <time.h>

#include "hostile.h"

/* How much memory may grow permanently: the largest bursts leave some. */
#define RSS_MORE_KIB 8192

size_t
hostile_size(size_t few, size_t full)
{
	const char *on = getenv("FCGIPM_LONG");

	return on && *on ? full : few;
}

void
hostile_figure(const char *fmt, ...)
{
	va_list ap;

	fputs("# figure: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* The sanitizer keeps freed memory to detect its use, so its figures are
 * meaningless. */
long
hostile_rss_kib(const struct target *t)
{
#ifdef __SANITIZE_ADDRESS__
	(void)t;
	return 0;
#else
	return strtol(world_proc_status(t->gateway, "VmRSS"), NULL, 10);
#endif
}

int64_t
hostile_calm_ms(void)
{
	FILE *f = fopen("/proc/pressure/cpu", "re");
	unsigned long long waited_us = 0;

	/* A kernel without this file (without PSI) has no pressure. */
	if (f && fscanf(f, "some %*s %*s %*s total=%llu", &waited_us) != 1)
		waited_us = 0;
	if (f)
		fclose(f);
	return world_now_ms() - (int64_t)(waited_us / 1000 * 19 / 20);
}

int64_t
hostile_cpu_ms(const struct target *t)
{
	struct timespec ts;
	clockid_t clock;

	cr_assert_eq(clock_getcpuclockid(t->gateway, &clock), 0);
	cr_assert_eq(clock_gettime(clock, &ts), 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
take_base(struct target *t)
{
	/* Once over each socket, so that one-time allocations are done. */
	hostile_serves(t, "the start");
	hostile_serves(t, "the start");
	(void)hostile_programs_gone(t, "the start");
	t->fds = world_fd_count(t->gateway);
	t->rss_kib = hostile_rss_kib(t);
}

struct target
hostile_start_child(const char *child, const char *keys)
{
	struct target t = {.w = world_open()};
	char ini[1500], copy[200];

	/* The user of the program may not be able to read a checkout. */
	snprintf(copy, sizeof(copy), "cp @T@/children/%s @DIR@/hostile\n"
		"chmod 755 @DIR@/hostile\n", child);
	world_shell(t.w, copy);
	snprintf(ini, sizeof(ini),
		"[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock, 127.0.0.1:@PORT@\n"
		"handler = @DIR@/hostile\n"
		"env[STARTED] = @DIR@/started\n%s", keys);
	world_start(t.w, ini);
	cr_assert_eq(world_children(t.w->pid, &t.gateway, 1), 1);
	take_base(&t);
	return t;
}

struct target
hostile_start(const char *keys)
{
	return hostile_start_child("hostile", keys);
}

struct target
hostile_start_alone(struct world *w, const char *const *argv)
{
	struct target t = {.w = w};

	world_launch_argv(w, argv);
	world_expect_log(w, "ready: ");
	t.gateway = w->pid;
	take_base(&t);
	return t;
}

size_t
hostile_request(uint8_t *to, size_t max, const char *query, int flags,
	const char *body)
{
	char q[1500], length[64];
	const char *params[] = {q, length, NULL};

	snprintf(q, sizeof(q), "QUERY_STRING=%s", query);
	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	return client_put_request(to, max, flags, params, body, strlen(body));
}

int
hostile_begin(struct target *t, const char *address, const char *query)
{
	int fd = client_connect(t->w, address);
	uint8_t bytes[2000];

	client_send(fd, bytes,
		hostile_request(bytes, sizeof(bytes), query, 0, ""));
	return fd;
}

struct answer
hostile_call(struct target *t, const char *query)
{
	int fd = hostile_begin(t, "www.sock", query);
	struct answer a = client_read(fd);

	close(fd);
	return a;
}

void
hostile_serves(struct target *t, const char *after)
{
	int64_t begin = hostile_calm_ms(), took;
	struct answer a = hostile_call(t, "");

	took = hostile_calm_ms() - begin;
	cr_assert(a.ended && strstr(a.out, "\r\n\r\nserved\n"), "%s: %s", after,
		a.out);
	cr_expect_lt(took, 1000, "%s: a valid request took %lld ms", after,
		(long long)took);
	answer_free(&a);
}

size_t
hostile_closed(int fd, int limit_ms, const char *why)
{
	int64_t until = hostile_calm_ms() + limit_ms;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	static char block[65536];
	size_t total = 0;
	ssize_t n;

	for (;;) {
		while (poll(&p, 1, 20) == 0)
			cr_assert_lt(hostile_calm_ms(), until,
				"%s: connection still open after %d ms", why, limit_ms);
		n = recv(fd, block, sizeof(block), 0);
		if (n <= 0)
			return total;
		total += (size_t)n;
	}
}

void
hostile_pause(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* Counts dead children of the gateway: those in "State: Z".  world_children()
 * counts the living ones. */
static size_t
count_zombies(pid_t parent)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	cr_assert_not_null(dir);
	while ((e = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && *world_proc_status(pid, "State") == 'Z' &&
			atoi(world_proc_status(pid, "PPid")) == parent)
			n++;
	}
	closedir(dir);
	return n;
}

int64_t
hostile_programs_gone(struct target *t, const char *after)
{
	int64_t begin = world_now_ms(), calm = hostile_calm_ms(), took;
	size_t n;

	while ((n = world_children(t->gateway, NULL, 0)) > 0) {
		took = hostile_calm_ms() - calm;
		cr_assert_leq(took, 1000, "%s: %zu programs still run after a second",
			after, n);
		hostile_pause(1);
	}
	return world_now_ms() - begin;
}

long
hostile_starts(const struct target *t)
{
	struct stat st;

	return stat(world_path(t->w, "started"), &st) < 0 ? 0 : st.st_size;
}

static bool
has_its_fds_only(void *arg)
{
	const struct target *t = arg;

	return world_fd_count(t->gateway) <= t->fds;
}

static bool
has_its_memory_only(void *arg)
{
	const struct target *t = arg;

	return hostile_rss_kib(t) <= t->rss_kib + RSS_MORE_KIB;
}

void
hostile_unharmed(struct target *t, const char *after)
{
	int64_t until;
	char what[300];
	pid_t now = t->w->pid;
	size_t n;

	hostile_serves(t, after);
	if (t->gateway != t->w->pid)
		cr_assert_eq(world_children(t->w->pid, &now, 1), 1);
	cr_assert_eq(now, t->gateway, "%s: the gateway was replaced", after);
	(void)hostile_programs_gone(t, after);
	for (until = hostile_calm_ms() + 1000;
		(n = count_zombies(t->gateway)) > 0;)
		cr_assert_leq(hostile_calm_ms(), until,
			"%s: %zu zombies after a second", after, n);
	/* If an answer was sent before the whole request was read, the gateway
	 * reads on for two seconds. */
	snprintf(what, sizeof(what), "%s: %zu descriptors, expected %zu", after,
		world_fd_count(t->gateway), t->fds);
	world_until(has_its_fds_only, t, what);
	snprintf(what, sizeof(what), "%s: %ld KiB, expected %ld", after,
		hostile_rss_kib(t), t->rss_kib);
	world_until(has_its_memory_only, t, what);
}

void
hostile_end(struct target *t, const char *after)
{
	hostile_unharmed(t, after);
	world_close(&t->w);
}
