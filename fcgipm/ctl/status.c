/*
 * status.c - fcgipmctl status: prints the state of pools and workers
 *
 * Called by main.  Requests the status through ctl/supervisor and prints the
 * JSON answer, which master/status builds, as two tables: one line for each
 * pool, and one line for each worker.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/util.h"
#include "ctl/columns.h"
#include "ctl/ctl.h"
#include "ctl/print.h"
#include "sys/procfs.h"

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* -1 = unknown. */
static int64_t
number_of(const json_t *object, const char *name)
{
	const json_t *n = json_object_get(object, name);

	return json_is_integer(n) ? json_integer_value(n) : -1;
}

static void
add_number(struct columns *c, const json_t *object, const char *name)
{
	int64_t n = number_of(object, name);

	if (n < 0)
		columns_add(c, "");
	else
		columns_addf(c, "%" PRId64, n);
}

/* Microseconds in units that are easy to read, such as 3h12m; "" below 0. */
static const char *
duration(int64_t us, char *buf, size_t size)
{
	int64_t s = us / 1000000;

	if (us < 0)
		buf[0] = '\0';
	else if (us > 0 && us < 1000000)
		snprintf(buf, size, us < 100000 ? "%.1fms" : "%.0fms",
			(double)us / 1e3);
	else if (us < 10000000 && us % 1000000 != 0)
		snprintf(buf, size, "%.1fs", (double)us / 1e6);
	else if (s < 100)
		snprintf(buf, size, "%" PRId64 "s", s);
	else if (s < 6000)
		snprintf(buf, size, "%" PRId64 "m%02" PRId64 "s", s / 60,
			s % 60);
	else if (s < 172800)
		snprintf(buf, size, "%" PRId64 "h%02" PRId64 "m", s / 3600,
			s / 60 % 60);
	else
		snprintf(buf, size, "%" PRId64 "d%02" PRId64 "h", s / 86400,
			s / 3600 % 24);
	return buf;
}

static void
add_duration(struct columns *c, const json_t *object, const char *name,
	int64_t unit_us)
{
	int64_t n = MIN(number_of(object, name), INT64_MAX / unit_us);
	char text[32];

	columns_add(c, duration(n < 0 ? -1 : n * unit_us, text, sizeof(text)));
}

/* -- pools ----------------------------------------------------------------- */

static void
print_ends(const json_t *pool)
{
	json_t *counts = json_object_get(pool, "ended processes");
	void *at = json_object_iter(counts);
	bool any = false;

	for (; at; at = json_object_iter_next(counts, at)) {
		json_int_t n = json_integer_value(json_object_iter_value(at));

		if (n == 0)
			continue;
		if (!any)
			print_escaped(stdout,
				"%s: processes ended:", text_of(pool, "pool"));
		print_escaped(stdout, "%s %" PRId64 " %s", any ? "," : "",
			(int64_t)n, json_object_iter_key(at));
		any = true;
	}
	if (any)
		putchar('\n');
}

static void
print_trouble(const json_t *pool)
{
	int64_t bad = number_of(pool, "bad starts");
	int64_t reached = number_of(pool, "max children reached");
	int64_t slow = number_of(pool, "slow requests");
	int64_t kept = number_of(pool, "kept processes");
	int64_t waiting = number_of(pool, "listen queue");
	int64_t refused = number_of(pool, "refused conn");

	if (kept > 0 && waiting > 0)
		print_escaped(stdout,
			"%s: idle keep-alive connections occupy %" PRId64
			" worker%s while %" PRId64 " client%s; in nginx "
			"lower keepalive or remove fastcgi_keep_conn, in "
			"Apache lower max or remove enablereuse=on\n",
			text_of(pool, "pool"), kept, kept == 1 ? "" : "s",
			waiting, waiting == 1 ? " waits" : "s wait");
	if (refused > 0)
		print_escaped(stdout,
			"%s: %" PRId64 " connection%s answered 503 after "
			"queue_timeout%s\n",
			text_of(pool, "pool"), refused,
			refused == 1 ? " was" : "s were",
			number_of(pool, "refusing") > 0 ? "; this continues" :
							  "");
	if (slow > 0)
		print_escaped(stdout,
			"%s: %" PRId64 " request%s took longer than "
			"request_slowlog_timeout; see the slow log\n",
			text_of(pool, "pool"), slow, slow == 1 ? "" : "s");
	if (reached > 0)
		print_escaped(stdout,
			"%s: pm.max_children was reached %" PRId64 " time%s\n",
			text_of(pool, "pool"), reached,
			reached == 1 ? "" : "s");
	if (bad > 0)
		print_escaped(stdout,
			"%s: %" PRId64 " failed start%s in a row (%s); next "
			"start in %.1f s\n",
			text_of(pool, "pool"), bad, bad == 1 ? "" : "s",
			text_of(pool, "last failure"),
			(double)number_of(pool, "next start ms") / 1000);
}

static void
print_pools(const json_t *pools, size_t width)
{
	static const char *const titles[] = {"POOL", "MANAGER", " IDLE",
		" ACTIVE", " PEAK", " TOTAL", " MAX", " QUEUE", " QPEAK",
		" ACCEPTED", " REQUESTS"};
	static const char *const names[] = {"idle processes",
		"active processes", "max active processes", "total processes",
		"max children", "listen queue", "max listen queue",
		"accepted conn", "requests"};
	struct columns c = {.n = ARRAY_SIZE(titles), .titles = titles};
	size_t i, k;

	for (i = 0; i < json_array_size(pools); i++) {
		const json_t *pool = json_array_get(pools, i);
		bool cgi = strcmp(text_of(pool, "mode"), "cgi") == 0;

		columns_add(&c, text_of(pool, "pool"));
		columns_add(&c, cgi ? "cgi" :
				      text_of(pool, "process manager"));
		for (k = 0; k < ARRAY_SIZE(names); k++)
			add_number(&c, pool, names[k]);
	}
	columns_print(&c, width, stdout);
	columns_fini(&c);
	for (i = 0; i < json_array_size(pools); i++) {
		print_ends(json_array_get(pools, i));
		print_trouble(json_array_get(pools, i));
	}
}

/* -- workers --------------------------------------------------------------- */

static void
add_memory(struct columns *c, const json_t *worker)
{
	static const char *const keys[] = {"memory pss", "memory rss"};
	int64_t bytes = -1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys) && bytes < 0; i++)
		bytes = number_of(worker, keys[i]);
	add_duration(c, worker, "cpu ms", 1000);
	if (bytes < 0)
		columns_add(c, "");
	else
		columns_addf(c, "%.1fM%s", (double)bytes / (1 << 20),
			number_of(worker, "memory pss") < 0 ? " rss" : "");
}

/* The request, and in brackets why the state or the request is not known. */
static void
add_request(struct columns *c, const json_t *worker)
{
	const char *reason = text_of(worker, "reason");
	char text[512];

	if (!*reason)
		reason = text_of(worker, "tier reason");
	snprintf(text, sizeof(text), "%s %s%s%s%s",
		text_of(worker, "request method"),
		text_of(worker, "request uri"), *reason ? " (" : "", reason,
		*reason ? ")" : "");
	columns_add(c, text + strspn(text, " "));
}

static void
add_worker(struct columns *c, const json_t *pool, const json_t *worker,
	bool measured)
{
	columns_add(c, text_of(pool, "pool"));
	add_number(c, worker, "pid");
	columns_add(c, text_of(worker, "state"));
	add_duration(c, worker, "since ms", 1000);
	add_duration(c, worker, "start since", 1000000);
	add_number(c, worker, "requests");
	add_duration(c, worker, "request duration", 1);
	if (measured)
		add_memory(c, worker);
	columns_add(c, text_of(worker, "tier"));
	add_request(c, worker);
}

static void
print_workers(const json_t *pools, bool measured, size_t width)
{
	static const char *const plain[] = {"POOL", " PID", "STATE", " FOR",
		" AGE", " REQUESTS", " TOOK", "TIER", "REQUEST"};
	static const char *const more[] = {"POOL", " PID", "STATE", " FOR",
		" AGE", " REQUESTS", " TOOK", " CPU", " MEMORY", "TIER",
		"REQUEST"};
	struct columns c = {
		.n = measured ? ARRAY_SIZE(more) : ARRAY_SIZE(plain),
		.titles = measured ? more : plain,
	};
	size_t i, k;

	for (i = 0; i < json_array_size(pools); i++) {
		const json_t *pool = json_array_get(pools, i);
		const json_t *workers = json_object_get(pool, "processes");

		for (k = 0; k < json_array_size(workers); k++)
			add_worker(&c, pool, json_array_get(workers, k),
				measured);
	}
	if (c.ncells > 0) {
		putchar('\n');
		columns_print(&c, width, stdout);
	}
	columns_fini(&c);
}

/* -- the command ----------------------------------------------------------- */

/* Adds the memory and the CPU time of a worker.  Reading these takes too long
 * for the supervisor. */
static void
measure(json_t *worker)
{
	pid_t pid = (pid_t)number_of(worker, "pid");
	uint64_t bytes = 0;
	int64_t cpu_ms = procfs_cpu_ms(pid);
	enum procfs_memory kind = procfs_memory(pid, &bytes);

	if (cpu_ms >= 0)
		(void)json_object_set_new(worker, "cpu ms",
			json_integer(cpu_ms));
	if (kind != PROCFS_MEMORY_UNKNOWN)
		(void)json_object_set_new(worker, kind == PROCFS_MEMORY_PSS ?
				"memory pss" : "memory rss",
			json_integer((json_int_t)bytes));
}

static void
measure_all(const json_t *pools)
{
	size_t i, k;

	for (i = 0; i < json_array_size(pools); i++) {
		const json_t *workers = json_object_get(json_array_get(pools,
			i), "processes");

		for (k = 0; k < json_array_size(workers); k++)
			measure(json_array_get(workers, k));
	}
}

/* Columns of the terminal; 0 = output is not a terminal, cut nothing. */
static size_t
terminal_width(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) &&
			ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ?
		size.ws_col : 0;
}

static void
print_text(const json_t *answer, bool measured)
{
	const json_t *pools = json_object_get(answer, "pools");
	int64_t up_s = MIN(number_of(answer, "start since"),
		INT64_MAX / 1000000);
	size_t width = terminal_width();
	char since[32];

	print_escaped(stdout, "fcgipm %s, PID %" PRId64 ", uptime %s\n\n",
		text_of(answer, "version"), number_of(answer, "pid"),
		duration(up_s * 1000000, since, sizeof(since)));
	print_pools(pools, width);
	print_workers(pools, measured, width);
}

int
ctl_status(const struct ctl_options *o)
{
	json_t *request, *answer;
	int code;

	request = json_pack("{s:s, s:s*}", "cmd", "status", "pool", o->pool);
	if (!request) {
		print_escaped(stderr,
			"fcgipmctl: no such pool: %s is not UTF-8\n", o->pool);
		return EXIT_USAGE;
	}
	answer = supervisor_ask(&o->supervisor, request, &code);
	if (!answer)
		return code;
	if (o->measure)
		measure_all(json_object_get(answer, "pools"));
	if (!o->json)
		print_text(answer, o->measure);
	else if (json_dumpf(answer, stdout,
			 JSON_COMPACT | JSON_ENSURE_ASCII) == 0)
		putchar('\n');
	json_decref(answer);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "fcgipmctl: stdout: %s\n", strerror(errno));
		return EXIT_SYSTEM;
	}
	return CTL_OK;
}
