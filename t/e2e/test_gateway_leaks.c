/*
 * test_gateway_leaks.c - the gateway releases what a request or a connection
 * used: descriptors, memory, large pipes
 */
#include "hostile.h"
#include "stream.h"

static pid_t
gateway_of(const struct world *w)
{
	pid_t pid = 0;

	cr_assert_eq(world_children(w->pid, &pid, 1), 1);
	return pid;
}

struct fewer {
	pid_t pid;
	size_t fds;
};

static bool
has_few(void *arg)
{
	const struct fewer *f = arg;

	return world_fd_count(f->pid) <= f->fds;
}

/* Repeats a request and checks that no descriptor stays open. */
static void
expect_no_descriptor(struct world *w, const char *name, const char *want)
{
	struct fewer f = {gateway_of(w), 0};
	char path[500];
	int i;

	f.fds = world_fd_count(f.pid);
	snprintf(path, sizeof(path), "%s/www/%s", w->dir, name);
	for (i = 0; i < 30; i++)
		answer_expect(client_script(w, "www.sock", path, NULL), want);
	world_until(has_few, &f, name);
}

Test(gateway_leaks, failed_requests_leak_no_descriptor, .timeout = 60)
{
	static const char *const rows[][2] = {
		{"mark", "Status: 500 "}, {"text", "Status: 500 "},
		{"dir", "Status: 403 "}, {"missing", "Status: 404 "},
		{"dir/missing", "Status: 404 "}, {"plain", "Status: 403 "},
		{"up", "Status: 403 "}, {"silent", "Status: 502 "},
		{"wrong", "Status: 502 "}};
	struct world *w = world_open();

	world_shell(w, "mkdir -p www/dir\n"
		"printf '\\357\\273\\277#!/bin/sh\\n' >www/mark\n"
		"printf 'no program\\n' >www/text\n"
		"printf '#!/bin/sh\\n' >www/silent; cp www/silent www/plain\n"
		"printf '#!/bin/sh\\necho wrong; sleep 0.01\\n' >www/wrong\n"
		"chmod 755 www/*; chmod 644 www/plain\n"
		"ln -s ../www/text www/up\n");
	world_start_cgi(w, "docroot = @DIR@/www", "");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_no_descriptor(w, rows[i][0], rows[i][1]);
}

Test(gateway_leaks, paths_leak_no_descriptor_without_openat2, .timeout = 60)
{
	static const char *const rows[][2] = {
		{"a/b/c/served", "served\n"}, {"a/b/c/none", "Status: 404 "},
		{"a/b/none/c", "Status: 404 "}, {"a/link/c", "Status: 403 "},
		{"a/b/c", "Status: 403 "}};
	struct world *w = world_open();

	world_shell(w, "mkdir -p www/a/b/c; ln -s b www/a/link\n"
		"printf '#!/bin/sh\\nprintf \"A: b\\\\n\\\\nserved\\\\n\"\\n' "
		">www/a/b/c/served\n"
		"chmod 755 www/a/b/c/served\n");
	world_start_without(w, "openat2", "ENOSYS",
		"[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"docroot = @DIR@/www\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_no_descriptor(w, rows[i][0], rows[i][1]);
	expect_no_descriptor(w, own_text("a/b/%0256d/c", 0), "Status: 404 ");
}

struct slimmer {
	struct target *t;
	long limit_kib;
};

static bool
is_slim(void *arg)
{
	const struct slimmer *s = arg;

	return hostile_rss_kib(s->t) <= s->limit_kib;
}

static void
expect_memory(struct target *t, long more_kib, const char *after)
{
	struct slimmer s = {t, t->rss_kib + more_kib};

	world_until(is_slim, &s, own_text("%s: %ld KiB, not %ld + %ld", after,
		hostile_rss_kib(t), t->rss_kib, more_kib));
}

/* Records whose content is gathered, and which are incomplete. */
Test(gateway_leaks, truncated_records_leak_no_memory, .timeout = 60)
{
	static const int types[] = {GET_VALUES, BEGIN};
	struct target t = hostile_start("");
	uint8_t wire[8 + 1000] = {1, GET_VALUES, 0, 0, 2000 >> 8,
		2000 & 0xff};
	int fd, i;

	for (i = 0; i < 12000; i++) {
		wire[1] = (uint8_t)types[i % 2];
		wire[3] = (uint8_t)(i % 2);
		fd = client_connect(t.w, "www.sock");
		client_send(fd, wire, sizeof(wire));
		close(fd);
	}
	/* Their content is 12 MiB. */
	hostile_serves(&t, "cut records");
	expect_memory(&t, 4096, "cut records");
	hostile_end(&t, "cut records");
}

/* A connection that has sent len bytes of incomplete parameters. */
static int
send_parameters(struct target *t, size_t len)
{
	static const uint8_t begin[8] = {0, 1};
	static char filler[65535];
	int fd = client_connect(t->w, "www.sock");

	client_record(fd, BEGIN, 1, begin, sizeof(begin), 0);
	client_record(fd, PARAMS, 1, filler, len, 0);
	return fd;
}

static bool
is_fat(void *arg)
{
	return !is_slim(arg);
}

/* The last connection stays open, and its memory is at the end of the heap. */
Test(gateway_leaks, memory_of_many_connections_is_returned, .timeout = 60)
{
	struct target t = hostile_start("cgi.client_timeout = 60s\n");
	struct slimmer s = {&t, t.rss_kib + 8192};
	int fds[201], i;

	for (i = 0; i < 201; i++)
		fds[i] = send_parameters(&t, i < 200 ? 60000 : 10);
	if (t.rss_kib > 0)
		world_until(is_fat, &s, "connections that use memory");
	for (i = 0; i < 200; i++)
		close(fds[i]);
	expect_memory(&t, 4096, "many connections");
	close(fds[200]);
	hostile_end(&t, "many connections");
}

/* The number at the end of the last line; NULs may precede that line. */
static long
last_number(const struct answer *a)
{
	const char *at = a->out + a->out_len;

	cr_assert(a->ended && a->out_len > 2);
	while (at > a->out && at[-1] != ' ')
		at--;
	return strtol(at, NULL, 10);
}

/* Sends 40 large bodies, one after the other; only 32 large pipes may exist. */
static void
expect_large_pipes(const char *query, size_t body_len)
{
	struct target t = stream_start("");
	const struct client_pace pace = {.record = 65535};
	uint8_t *body = stream_pattern(body_len + 1);
	struct answer a;
	int fd, i;

	for (i = 0; i < 40; i++) {
		fd = stream_begin(&t, "www.sock", 0, query, body_len);
		a = client_converse(fd, body, body_len, &pace);
		cr_assert_eq(last_number(&a), 1048576,
			"number %d, %s", i, query);
		close(fd);
	}
	free(body);
	hostile_end(&t, query);
}

Test(gateway_leaks, large_pipes_of_uploads_are_released, .timeout = 60)
{
	expect_large_pipes("count", 400000);
}

Test(gateway_leaks, large_pipes_of_responses_are_released, .timeout = 60)
{
	expect_large_pipes("pipe=600000", 0);
}
