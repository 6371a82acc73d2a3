/*
 * test_roll.c - workers are replaced one after the other under load, and
 * nobody outside notices: every client gets his answer, byte for byte
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"
#include "world.h"

#define WORKERS 4
#define BODY 3000
#define PIDS 4096

struct roll {
	const struct world *w;
	const char *address;
	uint8_t wire[2][8192];	/* a GET and a POST, as they are sent */
	size_t len[2];
	char body[BODY];
	atomic_long served, lost, cut, stuck;
	atomic_bool over;
	pthread_mutex_t lock;
	size_t wanted;
	int pids[PIDS];		/* of workers that answered */
	size_t npids;
};

static void
note_pid(struct roll *r, int pid)
{
	size_t i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->npids && r->pids[i] != pid; i++)
		continue;
	if (i == r->npids && r->npids < PIDS)
		r->pids[r->npids++] = pid;
	pthread_mutex_unlock(&r->lock);
}

static void
pause_ms(long ms)
{
	const struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

/* The content of all FCGI_STDOUT records; its length, -1 without the end. */
static ssize_t
unwrap(const uint8_t *p, size_t len, char *out)
{
	size_t at = 0, n, have = 0;

	while (at + 8 <= len) {
		n = (size_t)p[at + 4] << 8 | p[at + 5];
		if (at + 8 + n + p[at + 6] > len)
			return -1;
		if (p[at + 1] == 6) {
			memcpy(out + have, p + at + 8, n);
			have += n;
		}
		if (p[at + 1] == 3)
			return (ssize_t)have;
		at += 8 + n + p[at + 6];
	}
	return -1;
}

static void
make_requests(struct roll *r, const char *script)
{
	char length[40], file[400];
	const char *params[] = {file, length, NULL,
		"GATEWAY_INTERFACE=CGI/1.1", "SCRIPT_NAME=/echo",
		"REDIRECT_STATUS=200", "CONTENT_TYPE=text/plain", NULL};
	size_t i;

	for (i = 0; i < BODY; i++)
		r->body[i] = (char)('a' + i * 7 % 26);
	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s", script);
	for (i = 0; i < 2; i++) {
		snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu",
			i * BODY);
		params[2] = i ? "REQUEST_METHOD=POST" : "REQUEST_METHOD=GET";
		r->len[i] = client_put_request(r->wire[i],
			sizeof(r->wire[i]), 0, params, r->body, i * BODY);
	}
}

/* "pid: N", an empty line, and the body. */
static bool
is_right(struct roll *r, const char *out, size_t len, size_t want)
{
	const char *text = strstr(out, "pid: ");
	int pid;

	if (!text || sscanf(text, "pid: %d", &pid) != 1)
		return false;
	text = strstr(text, "\n\n");
	if (!text || (size_t)(out + len - text) != want + 2 ||
		memcmp(text + 2, r->body, want) != 0)
		return false;
	note_pid(r, pid);
	return true;
}

/* Sends a request with a pause inside, reads the answer; its length, -1 with
 * errno.  The pause is in the parameters, or in the body. */
static ssize_t
talk(int fd, const uint8_t *wire, size_t len, uint8_t *back, size_t max)
{
	const struct timeval patience = {.tv_sec = 10};
	size_t half = len / 2, have = 0;
	ssize_t n = -1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		    sizeof(patience)) < 0 ||
		send(fd, wire, half, MSG_NOSIGNAL) != (ssize_t)half)
		return -1;
	pause_ms(2);
	if (send(fd, wire + half, len - half, MSG_NOSIGNAL) !=
		(ssize_t)(len - half))
		return -1;
	while (have < max && (n = recv(fd, back + have, max - have, 0)) > 0)
		have += (size_t)n;
	return n < 0 ? -1 : (ssize_t)have;
}

/* One request; how it went is counted. */
static void
ask(struct roll *r, unsigned kind)
{
	static _Thread_local uint8_t back[32768];
	static _Thread_local char out[sizeof(back) + 1];
	int fd = client_try(r->w, r->address);
	ssize_t n = -1;

	errno = 0;
	if (fd >= 0)
		n = talk(fd, r->wire[kind], r->len[kind], back, sizeof(back));
	if (fd >= 0)
		close(fd);
	if (n < 0 && errno == EAGAIN) {
		atomic_fetch_add(&r->stuck, 1);
		return;
	}
	if (n <= 0) {
		atomic_fetch_add(&r->lost, 1);
		return;
	}
	n = unwrap(back, (size_t)n, out);
	out[n > 0 ? n : 0] = '\0';
	if (n > 0 && is_right(r, out, (size_t)n, kind * BODY))
		atomic_fetch_add(&r->served, 1);
	else
		atomic_fetch_add(&r->cut, 1);
}

static void *
hammer(void *arg)
{
	struct roll *r = arg;
	unsigned n = 0;

	while (!atomic_load(&r->over))
		ask(r, n++ % 2);
	return NULL;
}

static bool
is_replaced(void *arg)
{
	struct roll *r = arg;
	bool done;

	pthread_mutex_lock(&r->lock);
	done = r->npids >= r->wanted;
	pthread_mutex_unlock(&r->lock);
	return done || atomic_load(&r->lost) + atomic_load(&r->cut) +
			atomic_load(&r->stuck) > 0;
}

/* A time long enough for the slowest of them on a busy machine. */
static void
wait_replaced(struct roll *r)
{
	int64_t end = world_now_ms() + 200000;

	while (!is_replaced(r) && world_now_ms() < end)
		pause_ms(10);
	cr_expect(is_replaced(r), "%zu workers in 200 s", r->npids);
}

struct kind {
	const char *handler, *args;
	const char *script;	/* NULL = the handler itself */
	bool tcp;
	bool kernel;		/* nothing is preloaded, or can be */
	size_t replacements;
};

/*
 * Where the kernel alone tells what a worker does, there are fewer clients
 * than workers: one that never rests is never seen without a connection.
 */
static void
roll(const struct kind *k)
{
	size_t clients = k->kernel ? WORKERS - 1 : 2 * WORKERS, i;
	struct world *w = world_open();
	char ini[1200], address[40];
	pthread_t threads[2 * WORKERS];
	static struct roll r;

	memset(&r, 0, sizeof(r));
	r.w = w;
	r.wanted = k->replacements + WORKERS;
	pthread_mutex_init(&r.lock, NULL);
	make_requests(&r, k->script ? k->script : k->handler);
	snprintf(address, sizeof(address), "%s", "roll.sock");
	if (k->tcp)
		snprintf(address, sizeof(address), "127.0.0.1:%d", w->port);
	r.address = address;
	snprintf(ini, sizeof(ini),
		"[roll]\nlisten = %s%s\nhandler = %s\n%s"
		"pm.max_children = %d\npm.max_age = 60ms\n%s",
		k->tcp ? "" : "@DIR@/", address, k->handler, k->args, WORKERS,
		k->kernel ? "observe = kernel\n" : "");
	world_start(w, ini);
	for (i = 0; i < clients; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, hammer, &r), 0);
	wait_replaced(&r);
	atomic_store(&r.over, true);
	for (i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
	printf("# figure: %s%s%s: %zu replacements, %ld answers, %ld lost, %ld "
	       "truncated, %ld stuck\n", strrchr(k->handler, '/') + 1,
		k->tcp ? ", TCP" : "", k->kernel ? ", kernel" : "",
		r.npids > WORKERS ? r.npids - WORKERS : 0,
		atomic_load(&r.served), atomic_load(&r.lost),
		atomic_load(&r.cut), atomic_load(&r.stuck));
	cr_expect_eq(atomic_load(&r.lost), 0);
	cr_expect_eq(atomic_load(&r.cut), 0);
	cr_expect_eq(atomic_load(&r.stuck), 0);
	/* One is always being replaced, and looked at. */
	cr_expect_lt(world_fd_count(w->pid), w->fds + 16);
	w->fds = 0;
	world_close(&w);
}

/* Both kinds of socket, both ways to know a worker. */
static void
roll_all(const char *handler, const char *args, const char *script)
{
	struct kind k = {.handler = handler, .args = args, .script = script,
		.replacements = hostile_size(30, 300)};
	int i;

	for (i = 0; i < 4; i++) {
		k.tcp = i & 1;
		k.kernel = i & 2;
		roll(&k);
	}
}

Test(roll, c, .timeout = 240)
{
	roll_all(world_child("echo"), "", NULL);
}

Test(roll, c_static, .timeout = 240)
{
	struct kind k = {.handler = world_child("echo_static"), .args = "",
		.kernel = true, .replacements = hostile_size(30, 300)};

	roll(&k);
	k.tcp = true;
	roll(&k);
}

Test(roll, c_threads, .timeout = 240)
{
	roll_all(world_child("echo"), "handler_args = 2\nthreads = 2\n", NULL);
}

Test(roll, perl, .timeout = 240)
{
	roll_all(world_child("echo.pl"), "", NULL);
}

Test(roll, php, .timeout = 240)
{
	roll_all("/usr/bin/php-cgi", "", world_child("echo.php"));
}

Test(roll, python, .timeout = 240)
{
	roll_all(world_child("echo.py"), "", NULL);
}

/* Not the worker accepts, but what it has started. */
static void
roll_family(const char *handler, const char *args, const char *script)
{
	struct kind k = {.handler = handler, .args = args, .script = script,
		.replacements = hostile_size(10, 100)};

	roll(&k);
	k.kernel = true;
	roll(&k);
}

Test(roll, below_a_shell, .timeout = 240)
{
	roll_family(world_child("echo.sh"), "", NULL);
}

Test(roll, php_children, .timeout = 240)
{
	roll_family("/usr/bin/php-cgi", "env[PHP_FCGI_CHILDREN] = 2\n",
		world_child("echo.php"));
}
