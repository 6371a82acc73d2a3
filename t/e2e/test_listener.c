/*
 * test_listener.c - workers that set O_NONBLOCK on the shared listening socket
 * or shut it down
 */
#include "hostile.h"

#define WORKERS 3

static void
start(struct world *w, const char *address, const char *handler,
	const char *keys)
{
	world_start(w, own_text("[www]\n"
		"listen = %s%s\n"
		"handler = %s\n"
		"pm.max_children = %d\n%s",
		strpbrk(address, ":@") ? "" : "@DIR@/", address, handler,
		WORKERS, keys));
}

struct call {
	struct world *w;
	const char *address, *query;
};

/* Sends one request; the listener may be shut. */
static bool
is_served(void *arg)
{
	const struct call *c = arg;
	char query[64];
	const char *const params[] = {query, NULL};
	int fd = client_try(c->w, c->address);
	struct answer a;
	bool served;

	if (fd < 0)
		return false;
	snprintf(query, sizeof(query), "QUERY_STRING=%s", c->query);
	a = client_get(fd, 0, params);
	served = a.ended && strstr(a.out, "pid: ");
	close(fd);
	return served;
}

static void
ask(struct world *w, const char *address, const char *query)
{
	struct call c = {w, address, query};

	cr_assert(is_served(&c), "%s?%s", address, query);
}

/* The flags of descriptor 0 of a process, -1 when it is gone. */
static long
flags_of(pid_t pid)
{
	long flags = -1;
	FILE *f;

	f = fopen(own_text("/proc/%d/fdinfo/0", (int)pid), "re");
	if (f && fscanf(f, "pos: %*d flags: %lo", &flags) != 1)
		flags = -1;
	if (f)
		fclose(f);
	return flags;
}

struct flag {
	struct world *w;
	bool set;
};

static bool
is_flag(void *arg)
{
	const struct flag *f = arg;
	struct call c = {f->w, "www.sock", ""};
	pid_t pids[WORKERS * 2];
	size_t n = world_children(f->w->pid, pids, WORKERS * 2);
	long flags = n > 0 ? world_look(flags_of, pids[0]) : -1;

	/* An ondemand pool may have no worker. */
	if (n == 0)
		(void)is_served(&c);
	return flags >= 0 && !!(flags & O_NONBLOCK) == f->set;
}

static void
expect_flag(struct world *w, bool set, const char *what)
{
	struct flag f = {w, set};

	world_until(is_flag, &f, what);
}

/* Which socket descriptor 0 of a process is, -1 when it is gone. */
static long
socket_of(pid_t pid)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)pid);
	return stat(path, &st) == 0 ? (long)st.st_ino : -1;
}

/* Do all workers have the same socket as descriptor 0, and is none missing? */
static bool
is_whole(void *arg)
{
	struct world *w = arg;
	pid_t pids[WORKERS * 2];
	size_t n = world_children(w->pid, pids, WORKERS * 2), i;
	long first, ino;

	if (n != WORKERS)
		return false;
	first = world_look(socket_of, pids[0]);
	for (i = 1; i < n; i++) {
		ino = world_look(socket_of, pids[i]);
		if (ino < 0 || ino != first)
			return false;
	}
	return true;
}

#define FLAG_CLEARED "pool www: a worker set O_NONBLOCK"
#define REOPENED "pool www: a worker shut down the shared"

static void
set_nonblock(const char *handler, const char *keys)
{
	struct world *w = world_open();
	int round, i;

	start(w, "www.sock", handler, keys);
	for (round = 0; round < 2; round++) {
		ask(w, "www.sock", "nonblock");
		world_expect_log(w, FLAG_CLEARED);
		for (i = 0; i < 20; i++)
			ask(w, "www.sock", "");
		expect_flag(w, false, "it is cleared");
	}
	cr_expect_eq(world_log_count(w, FLAG_CLEARED), 1);
	cr_expect_not(world_log_has(w, "error:"));
	cr_expect_not(world_log_has(w, "died"));
	world_close_changed(&w);
}

static const char *const keys[] = {"", "pm = dynamic\n",
	"pm = dynamic\nobserve = kernel\n", "pm = ondemand\n"};

#define KEYS (ARRAY_SIZE(keys))

Test(listener, a_flag_that_makes_workers_exit_is_cleared, .timeout = 60)
{
	for (size_t i = 0; i < KEYS; i++)
		set_nonblock("@T@/children/listener", keys[i]);
}

Test(listener, the_flag_is_cleared_for_perl, .timeout = 60)
{
	set_nonblock("@T@/children/listener.pl", "");
}

/* A program that needs the flag keeps it, whichever worker dies. */
static void
poll_on(struct world *w, const char *handler, const char *more)
{
	pid_t pids[WORKERS];
	int i;

	start(w, "www.sock", handler, more);
	expect_flag(w, true, "the program sets it");
	for (i = 0; i < 3; i++) {
		world_until(is_whole, w, "all workers are ready");
		world_children(w->pid, pids, WORKERS);
		cr_assert_eq(kill(pids[i], SIGKILL), 0);
		world_until_gone(pids[i]);
		world_until(is_whole, w, "it is replaced");
		cr_expect(client_script(w, "www.sock", NULL, NULL).ended);
		expect_flag(w, true, "it stays set");
	}
	cr_expect_not(world_log_has(w, FLAG_CLEARED));
	world_expect_deaths(w);
	world_close(&w);
}

Test(listener, the_flag_of_programs_that_poll_stays_set, .timeout = 60)
{
	/* It exits only when it is killed. */
	poll_on(world_open(), "@T@/children/listener",
		"handler_args = poll\nstop_timeout = 100ms\n");
}

Test(listener, the_flag_stays_set_for_node, .timeout = 60)
{
	if (access("/usr/bin/node", X_OK) < 0)
		cr_skip_test("no /usr/bin/node: install nodejs");
	poll_on(world_open(), "@T@/children/count.js", "");
}

Test(listener, the_flag_stays_set_for_go, .timeout = 100)
{
	struct world *w;

	if (access("/usr/bin/go", X_OK) < 0)
		cr_skip_test("no /usr/bin/go: install golang-go");
	w = world_open();
	world_shell(w, "GOCACHE=@DIR@/cache GO111MODULE=off /usr/bin/go build "
		"-o @DIR@/count-go @T@/children/count.go");
	poll_on(w, world_path(w, "count-go"), "");
}

static void
shut_down(const char *address, const char *handler, const char *more)
{
	struct world *w = world_open();
	bool path = strpbrk(address, ":@") == NULL;
	struct call c = {w, strchr(address, ':') ? w->tcp : address, ""};
	struct stat before, after;
	int round;

	start(w, address, handler, more);
	if (path)
		cr_assert_eq(stat(world_path(w, address), &before), 0);
	for (round = 0; round < 2; round++) {
		ask(w, c.address, "shutdown");
		world_until(is_served, &c, "it is reopened");
		if (strstr(more, "ondemand") == NULL)
			world_until(is_whole, w, "all share the new one");
		world_until(is_served, &c, "it is still served");
	}
	if (path) {
		cr_assert_eq(stat(world_path(w, address), &after), 0);
		cr_expect_eq(after.st_mode, before.st_mode);
		cr_expect_eq(after.st_uid, before.st_uid);
		cr_expect_eq(after.st_gid, before.st_gid);
	}
	cr_expect_eq(world_log_count(w, REOPENED), 1);
	world_close_changed(&w);
}

/* At least all workers. */
#define FULL "pm.start_servers = 3\npm.min_spare_servers = 3\n" \
	"pm.max_spare_servers = 3\n"

/* A worker that does not exit at the shut socket is found by an inspection and
 * ended at stop_timeout. */
Test(listener, a_worker_that_stays_at_a_shut_socket_is_replaced, .timeout = 60)
{
	shut_down("www.sock", "@T@/children/listener",
		"handler_args = stubborn\nstop_timeout = 500ms\n"
		"pm = dynamic\nobserve = kernel\n" FULL);
}

Test(listener, a_listener_that_was_shut_is_reopened, .timeout = 100)
{
	static const char *const more[] = {"", "pm = ondemand\n",
		"pm = dynamic\n" FULL, "pm = dynamic\nobserve = kernel\n" FULL};

	for (size_t i = 0; i < hostile_size(2, 4); i++) {
		shut_down("www.sock", "@T@/children/listener", more[i]);
		shut_down("127.0.0.1:@PORT@", "@T@/children/listener", more[i]);
	}
	shut_down("www.sock", "@T@/children/listener.pl", "");
}

Test(listener, an_abstract_listener_is_reopened_too, .timeout = 60)
{
	char address[64];

	world_need_user();
	snprintf(address, sizeof(address), "@fcgipm-guard-%d", (int)getpid());
	shut_down(address, "@T@/children/listener", "");
}

static int
begin(struct world *w, const char *query)
{
	const char *const params[] = {query, NULL};
	int fd = client_connect(w, "www.sock");

	client_begin(fd, 1, 0, params);
	return fd;
}

Test(listener, clients_in_the_queue_of_a_shut_socket_are_served, .timeout = 60)
{
	struct world *w = world_open();
	struct call c = {w, "www.sock", ""};
	struct answer a;
	int fds[7], i;

	start(w, "www.sock", "@T@/children/listener", "");
	for (i = 0; i < 7; i++)
		fds[i] = begin(w, i == 0 ? "QUERY_STRING=shutdown" :
					   "QUERY_STRING=");
	/* Three are served, four wait. */
	for (i = 0; i < 7; i++)
		client_record(fds[i], 5, 1, NULL, 0, 0);
	for (i = 0; i < 7; i++) {
		a = client_read(fds[i]);
		cr_expect(a.ended, "request %d", i);
		close(fds[i]);
	}
	world_until(is_served, &c, "it is reopened");
	world_close_changed(&w);
}

static bool
two_are_queued(void *arg)
{
	char *out;

	cr_assert_eq(world_run(arg, (const char *[]){"fcgipmctl", "status",
		"-s", world_path(arg, "run/control.sock"), "-j", NULL},
		&out), 0, "%s", out);
	return strstr(out, "\"listen queue\":2,") != NULL;
}

Test(listener, the_queue_of_the_new_socket_is_shown, .timeout = 60)
{
	struct world *w = world_open();
	struct call c = {w, "www.sock", ""};
	int fds[WORKERS + 2], i;

	start(w, "www.sock", "@T@/children/listener", "");
	ask(w, "www.sock", "shutdown");
	world_until(is_served, &c, "it is reopened");
	world_until(is_whole, w, "all share the new one");
	for (i = 0; i < WORKERS + 2; i++)
		fds[i] = begin(w, "QUERY_STRING=");
	world_until(two_are_queued, w, "two wait in the queue");
	for (i = 0; i < WORKERS + 2; i++)
		close(fds[i]);
	world_close_changed(&w);
}

#define MANY 8

/* The refuser has the socket that was shut, and gets the new one.  With more
 * clients than workers, one is refused there. */
Test(listener, clients_are_refused_at_the_new_socket_too, .timeout = 60)
{
	struct world *w = world_open();
	struct call c = {w, "www.sock", ""};
	int busy[WORKERS], late, i;
	struct pollfd more[MANY];

	start(w, "www.sock", "@T@/children/listener",
		"queue_timeout = 300ms\n");
	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, i == 0 ? "QUERY_STRING=shutdown" :
					    "QUERY_STRING=");
	late = begin(w, "QUERY_STRING=");
	answer_expect(client_read(late), "Status: 503 ");
	close(late);
	client_record(busy[0], 5, 1, NULL, 0, 0);
	world_until(is_served, &c, "it is reopened");
	for (i = 0; i < MANY; i++)
		more[i] = (struct pollfd){begin(w, "QUERY_STRING="), POLLIN,
			0};
	cr_assert_gt(poll(more, MANY, 20000), 0, "no client is refused");
	for (i = 0; more[i].revents == 0; i++)
		continue;
	answer_expect(client_read(more[i].fd), "Status: 503 ");
	for (i = 0; i < WORKERS; i++)
		close(busy[i]);
	for (i = 0; i < MANY; i++)
		close(more[i].fd);
	world_close_changed(&w);
}
