/*
 * test_roll.c - workers are replaced under load, and every client gets its
 * complete answer
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "hostile.h"

#define WORKERS 4
#define BODY 3000
#define PIDS 4096
/* As fast as replacements become ready. */
#define AGE "pm.max_age = 60ms\n"
/* Seconds: for the largest test on a busy machine. */
#define PATIENCE 1150
/* Maximum of milliseconds between two replacements: a worker that does not exit
 * fails its test before check.sh ends the program. */
#define STALL_MS 20000

struct roll {
	struct world *w;
	const char *address;
	uint8_t wire[2][8192];	/* the records of a GET and a POST */
	size_t len[2];
	char body[BODY];
	atomic_long served, lost, cut, stuck;
	atomic_bool over;
	pthread_mutex_t lock;
	time_t patience_s;
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

/* Copies the content of all FCGI_STDOUT records; returns its length, -1 if
 * END_REQUEST is missing. */
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
	char length[40];
	const char *params[] = {
		own_text("SCRIPT_FILENAME=%s", script), length, NULL,
		"GATEWAY_INTERFACE=CGI/1.1", "SCRIPT_NAME=/echo",
		"REQUEST_URI=/echo", "SERVER_PROTOCOL=HTTP/1.1",
		"REDIRECT_STATUS=200", "CONTENT_TYPE=text/plain", NULL};

	for (size_t i = 0; i < BODY; i++)
		r->body[i] = (char)('a' + i * 7 % 26);
	for (size_t i = 0; i < 2; i++) {
		snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu",
			i * BODY);
		params[2] = i ? "REQUEST_METHOD=POST" : "REQUEST_METHOD=GET";
		r->len[i] = client_put_request(r->wire[i],
			sizeof(r->wire[i]), 0, params, r->body, i * BODY);
	}
}

/* Is this "pid: N", an empty line, and the body? */
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

/* Sends a request with a pause in its middle and reads the answer; returns its
 * length, -1 with errno.  The pause is in the parameters or in the body. */
static ssize_t
talk(int fd, const struct roll *r, unsigned kind, uint8_t *back, size_t max)
{
	const struct timeval patience = {.tv_sec = r->patience_s};
	const uint8_t *wire = r->wire[kind];
	size_t len = r->len[kind];
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

/* Sends one request and counts its result. */
static void
ask(struct roll *r, unsigned kind)
{
	static _Thread_local uint8_t back[32768];
	static _Thread_local char out[sizeof(back) + 1];
	int fd = client_try(r->w, r->address);
	ssize_t n = -1;

	errno = 0;
	if (fd >= 0)
		n = talk(fd, r, kind, back, sizeof(back));
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

static size_t
count_pids(struct roll *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->npids;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static long
count_bad(struct roll *r)
{
	return atomic_load(&r->lost) + atomic_load(&r->cut) +
		atomic_load(&r->stuck);
}

static void
wait_replaced(struct roll *r)
{
	int64_t since = world_now_ms();
	size_t before = 0, n;

	while ((n = count_pids(r)) < r->wanted && count_bad(r) == 0 &&
		world_now_ms() - since < STALL_MS) {
		if (n != before)
			since = world_now_ms();
		before = n;
		pause_ms(10);
	}
	cr_expect(n >= r->wanted || count_bad(r) > 0,
		"%zu workers, and no further one in %d ms", n, STALL_MS);
}

struct kind {
	const char *handler, *keys;
	const char *script;	/* NULL = the handler */
	const char *go;		/* source of a handler in Go, or NULL */
	bool tcp;
	bool kernel;		/* observe = kernel */
	bool alone;		/* nothing can be preloaded into it */
	bool slow;		/* slow_accept.so is preloaded */
	unsigned at_once;	/* workers that retire at once; 0 = one */
	size_t replacements;
};

/*
 * If a worker is known by the kernel alone, there are fewer clients than
 * workers: a worker under constant load is never seen without a connection.
 */
static size_t
count_clients(const struct kind *k)
{
	if (k->kernel || k->alone)
		return k->slow ? 1 : WORKERS - 1;
	return 2 * WORKERS;
}

/* Starts the daemon with a pool of this kind and prepares the requests. */
static void
roll_open(struct roll *r, const struct kind *k)
{
	struct world *w = world_open();
	const char *handler = k->go ? world_go(w, k->go) : k->handler;

	memset(r, 0, sizeof(*r));
	r->w = w;
	r->patience_s = 10;
	r->wanted = k->replacements + WORKERS;
	pthread_mutex_init(&r->lock, NULL);
	make_requests(r, k->script ? k->script : handler);
	r->address = k->tcp ? w->tcp : "roll.sock";
	world_start(w, own_text("[roll]\nlisten = %s%s\nhandler = %s\n"
		"pm.max_children = %d\n%s%s",
		k->tcp ? "" : "@DIR@/", r->address, handler, WORKERS, k->keys,
		k->kernel ? "observe = kernel\n" : ""));
}

static void
roll_report(const struct roll *r, const struct kind *k, const char *how)
{
	printf("# figure: %s%s%s%s: %zu replacements, %ld answers, %ld lost, "
	       "%ld truncated, %ld stuck\n",
		k->go ? k->go : strrchr(k->handler, '/') + 1,
		k->tcp ? ", TCP" : "", k->kernel ? ", kernel" : "", how,
		r->npids > WORKERS ? r->npids - WORKERS : 0,
		atomic_load(&r->served), atomic_load(&r->lost),
		atomic_load(&r->cut), atomic_load(&r->stuck));
}

/* Clients send requests until meanwhile() returns. */
static void
roll_under_load(struct roll *r, const struct kind *k,
	void (*meanwhile)(struct roll *r))
{
	pthread_t threads[2 * WORKERS];
	size_t n = count_clients(k), i;

	for (i = 0; i < n; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, hammer, r), 0);
	meanwhile(r);
	atomic_store(&r->over, true);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static void
roll(const struct kind *k)
{
	static struct roll r;

	roll_open(&r, k);
	roll_under_load(&r, k, wait_replaced);
	roll_report(&r, k, "");
	cr_expect_eq(atomic_load(&r.lost), 0);
	cr_expect_eq(atomic_load(&r.cut), 0);
	cr_expect_eq(atomic_load(&r.stuck), 0);
	/* Some workers are always retiring and are being inspected. */
	cr_expect_lt(world_fd_count(r.w->pid), r.w->fds +
		16 * (k->at_once ? k->at_once : 1));
	world_close_changed(&r.w);
}

/* Unix and TCP sockets, with the board and with the kernel. */
static void
roll_all(const char *handler, const char *keys, const char *script)
{
	struct kind k = {.handler = handler, .keys = keys, .script = script,
		.replacements = hostile_size(30, 300)};
	int i;

	for (i = 0; i < 4; i++) {
		k.tcp = i & 1;
		k.kernel = i & 2;
		roll(&k);
	}
}

Test(roll, c, .timeout = PATIENCE)
{
	roll_all(world_child("echo"), AGE, NULL);
}

/* The shim cannot be preloaded; the pool detects that. */
static void
roll_alone(struct kind k)
{
	k.keys = AGE;
	k.alone = true;
	k.replacements = hostile_size(30, 300);
	roll(&k);
	k.tcp = true;
	roll(&k);
}

Test(roll, c_static, .timeout = PATIENCE)
{
	roll_alone((struct kind){.handler = world_child("echo_static")});
}

/* It polls, so it is idle outside of accept(2) and ready after a second. */
static void
roll_go(bool tcp)
{
	roll(&(struct kind){.go = "echo.go", .alone = true, .tcp = tcp,
		.keys = AGE "pm.max_retiring = 4\n", .at_once = 4,
		.replacements = hostile_size(30, 300)});
}

Test(roll, go, .timeout = PATIENCE)
{
	roll_go(false);
}

Test(roll, go_on_tcp, .timeout = PATIENCE)
{
	roll_go(true);
}

Test(roll, c_threads, .timeout = PATIENCE)
{
	roll_all(world_child("echo"), AGE "handler_args = 2\nthreads = 2\n",
		NULL);
}

Test(roll, perl, .timeout = PATIENCE)
{
	roll_all(world_child("echo.pl"), AGE, NULL);
}

Test(roll, php, .timeout = PATIENCE)
{
	roll_all("/usr/bin/php-cgi", AGE, world_child("echo.php"));
}

Test(roll, python, .timeout = PATIENCE)
{
	roll_all(world_child("echo.py"), AGE, NULL);
}

/* The children of the worker accept, not the worker. */
static void
roll_family(const char *handler, const char *keys, const char *script)
{
	struct kind k = {.handler = handler, .keys = keys, .script = script,
		.replacements = hostile_size(10, 100)};

	roll(&k);
	k.kernel = true;
	roll(&k);
}

Test(roll, below_a_shell, .timeout = PATIENCE)
{
	roll_family(world_child("echo.sh"), AGE, NULL);
}

Test(roll, php_children, .timeout = PATIENCE)
{
	roll_family("/usr/bin/php-cgi", AGE "env[PHP_FCGI_CHILDREN] = 2\n",
		world_child("echo.php"));
}

/* A worker is stopped just before or after accept(2), where its connection is
 * not visible. */
Test(roll, between_two_accepts, .timeout = PATIENCE)
{
	struct kind k = {.handler = world_child("echo"), .slow = true,
		.keys = AGE "env[LD_PRELOAD] = @T@/children/slow_accept.so\n",
		.replacements = hostile_size(30, 300)};

	roll(&k);
	k.kernel = true;
	roll(&k);
}

/* After an inspection has found a worker idle, it has time to accept before it
 * is stopped. */
Test(roll, while_races_are_held_open, .timeout = PATIENCE)
{
	world_hold_races("stop=4");
	roll_family(world_child("echo"), AGE, NULL);
	roll_family("/usr/bin/php-cgi", AGE "env[PHP_FCGI_CHILDREN] = 2\n",
		world_child("echo.php"));
}

/* -- what other process managers do ---------------------------------------- */

/* At least 15 ms apart, and only while no worker is missing. */
static void
send_terms(struct roll *r)
{
	size_t sent = 0, n = r->wanted - WORKERS;
	int64_t end = world_now_ms() + 100000;
	pid_t pids[WORKERS];

	while (sent < n && world_now_ms() < end) {
		if (world_children(r->w->pid, pids, WORKERS) == WORKERS)
			(void)kill(pids[sent++ % WORKERS], SIGTERM);
		pause_ms(15);
	}
}

/* How many requests a plain SIGTERM loses.  The numbers are not checked. */
static void
roll_by_term(struct kind k)
{
	static struct roll r;

	k.keys = "stop_timeout = 1s\n";
	k.replacements = hostile_size(10, 100);
	roll_open(&r, &k);
	r.patience_s = 2;
	roll_under_load(&r, &k, send_terms);
	roll_report(&r, &k, " by a plain SIGTERM");
	cr_expect_gt(atomic_load(&r.served), 0);
	world_expect_deaths(r.w);
	world_close_changed(&r.w);
}

Test(roll, plain_term_for_comparison, .timeout = PATIENCE)
{
	roll_by_term((struct kind){.handler = world_child("echo")});
	roll_by_term((struct kind){.handler = world_child("echo.py")});
}
