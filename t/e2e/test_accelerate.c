/*
 * test_accelerate.c - accelerate = yes skips the wait for an answered client,
 * and changes nothing else: answers are those of accelerate = no
 *
 * LIBFCGI_OS_CLOSE_POLL_TIMEOUT makes libfcgi wait for a client for one hour.
 * So a worker that waits serves no other client.
 */
#include <linux/sockios.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "hostile.h"

TestSuite(accelerate, .timeout = 900);

/* Two pools with one worker each; "www" is accelerated and has these keys. */
static struct world *
start(const char *keys)
{
	struct world *w = world_open();
	char ini[1200];

#define POOL                                                                   \
	"handler = @T@/children/mirror\npm.max_children = 1\n"                 \
	"env[LIBFCGI_OS_CLOSE_POLL_TIMEOUT] = 3600000\n"
	snprintf(ini, sizeof(ini),
		"[slow]\nlisten = @DIR@/slow.sock\naccelerate = no\n" POOL
		"[www]\nlisten = @DIR@/www.sock\n" POOL "%s", keys);
	world_start(w, ini);
	return w;
}

static const char *const plain[] = {"REQUEST_METHOD=GET", "QUERY_STRING=3",
	NULL};
static const char *const unread[] = {"REQUEST_METHOD=POST",
	"QUERY_STRING=deaf", "CONTENT_LENGTH=10", NULL};

/* A complete request: expects an answer, END_REQUEST and the close. */
static void
ask(struct world *w, const char *address)
{
	int fd = client_connect(w, address);

	client_ask(fd, 0, plain);
	cr_expect(client_read(fd).ended);
	cr_expect_eq(client_drain(fd), 0);
	close(fd);
}

/* The peer has closed; after shutdown(2) alone there would be no POLLHUP. */
static bool
is_closed(void *arg)
{
	struct pollfd p = {.fd = *(int *)arg};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static bool
is_received(void *arg)
{
	int n = -1;

	return ioctl(*(int *)arg, SIOCOUTQ, &n) == 0 && n == 0;
}

Test(accelerate, an_answered_client_does_not_delay_the_next)
{
	struct world *w = start("");
	int fds[8];

	/* The shim learns from a worker's first connection how it closes. */
	ask(w, "www.sock");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = client_connect(w, "www.sock");
		client_ask(fds[i], 0, plain);
		cr_expect(client_read(fds[i]).ended);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		world_until(is_closed, &fds[i], "closed by the worker");
		close(fds[i]);
	}
}

/* What a client sends before it reads its answer. */
struct client {
	const char *why, *address;
	void (*act)(int fd);
};

static void
act_plain(int fd)
{
	client_ask(fd, 0, plain);
}

static void
act_keep(int fd)
{
	client_ask(fd, KEEP_CONN, plain);
}

static void
act_late_body(int fd)
{
	client_begin(fd, 1, 0, unread);
	client_record(fd, STDIN, 1, "01234", 5, 0);
}

static void
act_abort(int fd)
{
	uint8_t both[] = "\1\5\0\1\0\0\0\0\1\2\0\1\0\0\0";

	client_begin(fd, 1, 0, plain);
	client_send(fd, both, sizeof(both));
}

static void
act_other_id(int fd)
{
	uint8_t both[] = "\1\5\0\2\0\0\0\0\1\5\0\1\0\0\0";

	client_begin(fd, 1, 0, plain);
	client_send(fd, both, sizeof(both));
}

static void
act_authorizer(int fd)
{
	client_begin_role(fd, 1, AUTHORIZER, 0, plain);
	client_record(fd, STDIN, 1, NULL, 0, 0);
}

/* The worker waits as without acceleration: it reads what follows the request,
 * and serves the next client only after this one has closed. */
static void
expect_wait(struct world *w, const struct client *o)
{
	struct answer a;
	uint8_t request[512];
	size_t len = client_put_request(request, sizeof(request), 0, plain,
		NULL, 0);
	struct pollfd p;
	int fd = client_connect(w, o->address), next;

	o->act(fd);
	a = client_read(fd);
	cr_expect(a.ended, "%s", o->why);
	next = client_connect(w, o->address);
	client_send(next, request, len);
	client_record(fd, ABORT, 1, "more", 4, 0);
	world_until(is_received, &fd, o->why);
	p = (struct pollfd){.fd = fd};
	cr_expect_eq(poll(&p, 1, 0), 0, "%s: open", o->why);
	p = (struct pollfd){.fd = next, .events = POLLIN};
	cr_expect_eq(poll(&p, 1, 0), 0, "%s: not served yet", o->why);
	close(fd);
	a = client_read(next);
	cr_expect(a.ended, "%s", o->why);
	close(next);
}

Test(accelerate, other_requests_are_waited_for)
{
	static const struct client clients[] = {
		{"its body arrives late", "www.sock", act_late_body},
		{"an abort follows", "www.sock", act_abort},
		{"another id", "www.sock", act_other_id},
		{"another role", "www.sock", act_authorizer},
		{"keep-alive", "www.sock", act_keep},
		{"accelerate = no", "slow.sock", act_plain},
	};
	struct world *w = start("");

	ask(w, "www.sock");
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		expect_wait(w, &clients[i]);
	/* The worker still serves. */
	ask(w, "www.sock");
}

/* The wait is skipped only after the process was seen to close a connection. */
Test(accelerate, the_first_connection_is_waited_for)
{
	static const struct client first = {"the first", "www.sock",
		act_plain};
	struct world *w = start("");

	expect_wait(w, &first);
}

/* In these programs, too, the client sees the end of the connection with the
 * end of the answer, even if a descriptor stays open elsewhere. */
Test(accelerate, other_ways_to_close_give_the_same_answer)
{
	static const char *const ways[] = {"linger", "fork", "dup", "stdio",
		"unseen"};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		struct world *w = world_open();

		world_start(w, own_text("[www]\nlisten = @DIR@/www.sock\n"
			"handler = @T@/children/endings\nhandler_args = %s\n"
			"pm.max_children = 1\n", ways[i]));
		for (j = 0; j < 20; j++) {
			struct answer a;
			int fd = client_connect(w, "www.sock");

			act_plain(fd);
			a = client_read(fd);
			cr_expect(a.ended, "%s, %zu", ways[i], j);
			cr_expect_str_eq(a.out, "Status: 204\r\n\r\n",
				"%s, %zu", ways[i], j);
			cr_expect_eq(client_drain(fd), 0);
			close(fd);
		}
		world_close(&w);
	}
}

/* -- bytes --------------------------------------------------------------- */

static const struct {
	unsigned answer, body, share;	/* bytes, bytes, per mille */
} classes[] = {
	{0, 0, 200}, {1, 0, 200}, {100, 100, 200}, {8000, 0, 100},
	{8192, 1, 50}, {8193, 8192, 50}, {0, 8193, 50}, {65535, 0, 30},
	{65536, 65000, 20}, {3, 65000, 30}, {262144, 3000, 10},
	{1000000, 0, 5}, {100, 3000, 55},
};

#define NCLASSES ARRAY_SIZE(classes)
#define WIRE_MAX 70000
#define CLIENTS 4

/* How a client behaves. */
enum behaviour { WHOLE, HALF_CLOSED, STALLED, VANISHED, EARLY, BEHAVIOURS };

struct load {
	const struct world *w;
	const char *address;
	uint8_t *wire[NCLASSES], *want[NCLASSES];
	size_t wire_len[NCLASSES], want_len[NCLASSES];
	size_t each;
	atomic_ulong same, other, left;
};

/* Reads up to the end of the connection; returns the length, or -1. */
static ssize_t
read_all(int fd, uint8_t *to, size_t max)
{
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, to + len, max - len, 0)) > 0)
		len += (size_t)n;
	return n < 0 ? -1 : (ssize_t)len;
}

static bool
send_all(int fd, const uint8_t *p, size_t len)
{
	return send(fd, p, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Makes one request; returns the bytes of the answer, -1 when this behaviour
 * gets none. */
static ssize_t
talk(const struct load *l, size_t class, enum behaviour how, uint8_t *to,
	size_t max)
{
	const uint8_t *wire = l->wire[class];
	size_t len = l->wire_len[class], half = how == EARLY ? 20 : len / 2;
	ssize_t n = -1;
	int fd = client_try(l->w, l->address);

	if (fd < 0)
		return -1;
	if (!send_all(fd, wire, half))
		goto out;
	if (how == EARLY)
		goto out;
	if (how == STALLED)
		hostile_pause(2);
	if (!send_all(fd, wire + half, len - half) || how == VANISHED ||
		(how == HALF_CLOSED && shutdown(fd, SHUT_WR) < 0))
		goto out;
	n = read_all(fd, to, max);
out:
	close(fd);
	return n;
}

/* The class of request n. */
static size_t
class_of(size_t n)
{
	size_t class = 0, at = n * 617 % 1000;

	while (at >= classes[class].share)
		at -= classes[class++].share;
	return class;
}

static enum behaviour
behaviour_of(size_t n)
{
	return n % 97 == 0 ? STALLED : n % 53 == 0 ? VANISHED :
		n % 71 == 0 ? EARLY : n % 3 == 0 ? HALF_CLOSED : WHOLE;
}

static void *
load_thread(void *arg)
{
	struct load *l = arg;
	const size_t max = 1100000;
	uint8_t *to = malloc(max);
	size_t i, class;
	enum behaviour how;
	ssize_t n;

	for (i = 0; to && i < l->each; i++) {
		class = class_of(i);
		how = behaviour_of(i);
		n = talk(l, class, how, to, max);
		if (how == VANISHED || how == EARLY)
			atomic_fetch_add(&l->left, 1);
		else if (n == (ssize_t)l->want_len[class] &&
			memcmp(to, l->want[class], (size_t)n) == 0)
			atomic_fetch_add(&l->same, 1);
		else
			atomic_fetch_add(&l->other, 1);
	}
	free(to);
	return NULL;
}

/* Prepares the requests, and gets their answers from the other pool. */
static void
prepare(struct load *l, const struct world *w)
{
	static uint8_t body[65536];
	char query[40], length[40];
	const char *params[] = {"REQUEST_METHOD=POST", query, length, NULL};
	ssize_t n;

	memset(l, 0, sizeof(*l));
	l->w = w;
	l->address = "slow.sock";
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 31 + (i >> 8));
	for (size_t i = 0; i < NCLASSES; i++) {
		l->wire[i] = malloc(WIRE_MAX);
		l->want[i] = malloc(1100000);
		cr_assert(l->wire[i] && l->want[i]);
		snprintf(query, sizeof(query), "QUERY_STRING=%u",
			classes[i].answer);
		snprintf(length, sizeof(length), "CONTENT_LENGTH=%u",
			classes[i].body);
		l->wire_len[i] = client_put_request(l->wire[i], WIRE_MAX, 0,
			params, body, classes[i].body);
		n = talk(l, i, WHOLE, l->want[i], 1100000);
		cr_assert_gt(n, (ssize_t)classes[i].answer +
			(ssize_t)classes[i].body);
		l->want_len[i] = (size_t)n;
	}
	l->address = "www.sock";
}

static void
load_all(const char *keys, size_t count)
{
	static struct load l;
	pthread_t threads[CLIENTS];
	struct world *w = start(keys);
	pid_t before[4], after[4];

	prepare(&l, w);
	l.each = count / CLIENTS;
	cr_assert_eq(world_children(w->pid, before, 4), 2);
	for (size_t i = 0; i < CLIENTS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, load_thread,
				     &l), 0);
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(world_children(w->pid, after, 4), 2);
	cr_expect_arr_eq(before, after, 2 * sizeof(pid_t));
	cr_expect_eq(atomic_load(&l.other), 0, "%lu answers differ",
		atomic_load(&l.other));
	cr_expect_eq(atomic_load(&l.same) + atomic_load(&l.left),
		l.each * CLIENTS);
	hostile_figure("accelerate%s: %lu answers identical, %lu clients "
		"vanished, %lu answers differ",
		keys[0] ? ", 3 threads" : "", atomic_load(&l.same),
		atomic_load(&l.left), atomic_load(&l.other));
	for (size_t i = 0; i < NCLASSES; i++) {
		free(l.wire[i]);
		free(l.want[i]);
	}
	world_close(&w);
}

Test(accelerate, answers_are_identical)
{
	load_all("", hostile_size(10000, 1000000));
}

Test(accelerate, answers_of_threads_are_identical)
{
	load_all("handler_args = 3\nthreads = 3\n",
		hostile_size(3000, 100000));
}
