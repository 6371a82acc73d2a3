/*
 * late.c - requests that never end, for the tests of timeouts; see late.h
 */
#include <stdarg.h>

#include "late.h"

void
late_begin(const struct late_kind *k, int fd, int flags, const char *way)
{
	char file[400], query[100], uri[100];
	const char *const params[] = {file, query, uri, "REQUEST_METHOD=GET",
		"GATEWAY_INTERFACE=CGI/1.1", "SCRIPT_NAME=/late",
		"REDIRECT_STATUS=200", NULL};

	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s",
		k->script ? k->script : k->handler);
	snprintf(query, sizeof(query), "QUERY_STRING=%s", way ? way : "");
	snprintf(uri, sizeof(uri), "REQUEST_URI=/%s?token=secret",
		way ? way : "");
	client_begin(fd, 1, flags, params);
	client_record(fd, STDIN, 1, NULL, 0, 0);
}

long
late_read_pid(int fd)
{
	struct record r;
	const char *at;
	long pid = -1;

	do {
		client_read_record(fd, &r);
		at = strstr((const char *)r.content, "pid: ");
		if (r.type == 6 && at)
			pid = strtol(at + 5, NULL, 10);
	} while (r.type != END);
	cr_expect_gt(pid, 0);
	return pid;
}

long
late_ask(const struct late_kind *k, struct world *w)
{
	int fd = client_connect(w, "www.sock");
	long pid;

	late_begin(k, fd, 0, NULL);
	pid = late_read_pid(fd);
	close(fd);
	return pid;
}

bool
late_is_cut(void *arg)
{
	struct late_story *s = arg;
	char block[65536];
	ssize_t n;
	int i;

	if (!s->kind->crowded)
		(void)late_ask(s->kind, s->w);
	for (i = 0; s->busy >= 0 && i < 20; i++) {
		late_begin(s->kind, s->busy, KEEP_CONN, NULL);
		(void)late_read_pid(s->busy);
	}
	do
		n = recv(s->fd, block, sizeof(block), MSG_DONTWAIT);
	while (n > 0);
	return n == 0 || errno == ECONNRESET;
}

struct world *
late_start(const struct late_kind *k, unsigned workers, const char *keys)
{
	struct world *w = world_open();
	char ini[1500];

	snprintf(ini, sizeof(ini), "[fcgipm]\nlog_level = debug\n"
		"[www]\nlisten = @DIR@/www.sock\n"
		"handler = %s\npm.max_children = %u\n%s%s%s", k->handler,
		workers, k->kernel ? "observe = kernel\n" : "", k->keys, keys);
	world_start(w, ini);
	return w;
}

void
late_expect_status(struct world *w, const char *fmt, ...)
{
	const char *argv[] = {"fcgipmctl", "status", "-s",
		world_path(w, "run/control.sock"), NULL};
	char want[100], *out;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	cr_assert_eq(world_run(w, argv, &out), 0, "%s", out);
	cr_expect(strstr(out, want), "no \"%s\" in %s", want, out);
}

void
late_be_known(const struct late_kind *k, struct world *w, int fd)
{
	char line[100];

	late_begin(k, fd, KEEP_CONN, NULL);
	snprintf(line, sizeof(line), ": worker %ld: reads requests with "
		"read(2)\n", late_read_pid(fd));
	world_expect_lines(w, line, 1);
}

void
late_end_world(struct world **w)
{
	world_signal(*w, SIGTERM);
	world_expect_lines(*w, ": stopping\n", 1);
	world_signal(*w, SIGTERM);
	cr_expect_eq(world_wait(*w), 0);
	world_close(w);
}

long
late_pid_of(struct world *w, const char *address, const char *query)
{
	struct answer a = client_script(w, address, NULL, query);
	long pid = answer_number(&a, "pid");

	answer_free(&a);
	return pid;
}
