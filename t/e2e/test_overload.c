/*
 * test_overload.c - queue_timeout of prefork pools: clients that have waited
 * longer get 503, and no others do
 */
#include "hostile.h"

#define WORKERS 2

/* Starts a pool whose workers are busy for as long as their clients send. */
static struct world *
start_in(struct world *w, unsigned workers, bool tcp, const char *handler,
	const char *keys)
{
	world_start(w, own_text("[fcgipm]\nlog_level = debug\n"
		"[www]\n"
		"listen = %s\n"
		"handler = %s\n"
		"pm.max_children = %u\n%s",
		tcp ? "127.0.0.1:@PORT@" : "@DIR@/www.sock", handler,
		workers, keys));
	return w;
}

static struct world *
start_some(unsigned workers, bool tcp, const char *handler, const char *keys)
{
	return start_in(world_open(), workers, tcp, handler, keys);
}

static struct world *
start(bool tcp, const char *handler, const char *keys)
{
	return start_some(WORKERS, tcp, handler, keys);
}

/* Starts the daemon with a program of t/children instead of fcgipm-cgi. */
static struct world *
start_with_gateway(const char *child, const char *keys)
{
	struct world *w = world_open();

	world_shell(w, own_text("mkdir bin\n"
		"cp @BIN@/fcgipm bin\ncp %s bin/fcgipm-cgi\n",
		world_child(child)));
	cr_assert_eq(setenv("FCGIPM_BIN", world_path(w, "bin"), 1), 0);
	return start_in(w, WORKERS, false, "@T@/children/echo", keys);
}

static const char *
address(const struct world *w, bool tcp)
{
	return tcp ? w->tcp : "www.sock";
}

/* Begins a request without sending its body. */
static int
begin(struct world *w, bool tcp)
{
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"CONTENT_LENGTH=4", NULL};
	int fd = client_connect(w, address(w, tcp));

	client_begin(fd, 1, 0, params);
	return fd;
}

static void
finish(int fd)
{
	client_body(fd, "body");
}

static int
ask(struct world *w, bool tcp)
{
	int fd = begin(w, tcp);

	finish(fd);
	return fd;
}

static void
expect_served(int fd)
{
	struct answer a = client_read(fd);

	cr_expect(strncmp(a.out, "Status: 503", 11) != 0, "refused");
	answer_expect(a, "body");
	cr_expect(a.ended);
	close(fd);
}

static pid_t
find_refuser(const struct world *w)
{
	pid_t pids[8];
	size_t n = world_children(w->pid, pids, 8), i;

	for (i = 0; i < n && i < 8; i++)
		if (strncmp(world_proc_status(pids[i], "Name"), "fcgipm-cgi",
			    10) == 0)
			return pids[i];
	return 0;
}

static bool
refuser_left(void *arg)
{
	return find_refuser(arg) == 0;
}

/* For a pool with queue_timeout = 1s that serves two requests at once. */
static void
refuse_only_the_overdue(struct world *w, bool tcp)
{
	int busy[WORKERS], late[5], i;
	int64_t since = world_now_ms();

	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, tcp);
	for (i = 0; i < 5; i++)
		late[i] = ask(w, tcp);
	for (i = 0; i < 5; i++)
		client_expect_503(late[i], "Retry-After: 2\r\n");
	cr_expect_geq(world_now_ms() - since, 1000);
	world_expect_log(w, " queued clients waited longer than 1000 ms; "
		"raise pm.max_children");
	/* These are not overdue yet when the workers have finished the first
	 * two, which are served although they take longer. */
	for (i = 0; i < 5; i++)
		late[i] = ask(w, tcp);
	for (i = 0; i < WORKERS; i++)
		finish(busy[i]);
	for (i = 0; i < WORKERS; i++)
		expect_served(busy[i]);
	for (i = 0; i < 5; i++)
		expect_served(late[i]);
	world_expect_log(w, "queue_timeout: recovered; 5 clients got 503 in ");
	cr_expect_geq(world_now_ms() - since, 2000, "without a calm second");
	world_until(refuser_left, w, "the refuser has exited");
	cr_expect_eq(world_log_count(w, "answering 503: "), 1);
	cr_expect(!world_log_has(w, "died"));
}

Test(overload, only_overdue_clients_of_a_unix_socket_are_refused, .timeout = 60)
{
	refuse_only_the_overdue(start(false, "@BIN@/handlers/upload",
		"queue_timeout = 1s\n"), false);
}

Test(overload, only_overdue_clients_of_a_tcp_socket_are_refused, .timeout = 60)
{
	refuse_only_the_overdue(start(true, "@T@/children/echo_static",
		"queue_timeout = 1s\n"), true);
}

/* One worker with two threads, in a pool where the supervisor also watches the
 * listening socket to start workers. */
Test(overload, only_overdue_clients_of_a_pool_with_threads_are_refused,
	.timeout = 60)
{
	struct world *w = start_some(1, false, "@T@/children/echo",
		"queue_timeout = 1s\nhandler_args = 2\nthreads = 2\n"
		"pm = ondemand\n");

	w->changed = true;
	refuse_only_the_overdue(w, false);
}

struct killed {
	struct world *w;
	pid_t pid;
};

static bool
another_refuser(void *arg)
{
	struct killed *k = arg;
	pid_t pid = find_refuser(k->w);

	if (pid == 0 || pid == k->pid)
		return false;
	k->pid = pid;
	return true;
}

Test(overload, a_killed_refuser_is_replaced, .timeout = 60)
{
	struct world *w = start(false, "@BIN@/handlers/upload",
		"queue_timeout = 200ms\n");
	struct killed k = {w, 0};
	int busy[WORKERS], late, i;

	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, false);
	for (i = 0; i < 3; i++) {
		late = ask(w, false);
		world_until(another_refuser, &k, "a refuser");
		client_expect_503(late, "Retry-After: 1\r\n");
		cr_assert_eq(kill(k.pid, SIGKILL), 0);
	}
	world_until(refuser_left, w, "the last refuser is dead");
	world_expect_log(w, "signal 9 (");
	world_expect_log(w, "it is started again when a client is overdue");
	for (i = 0; i < WORKERS; i++) {
		finish(busy[i]);
		expect_served(busy[i]);
	}
	world_expect_deaths(w);
}

/* A refuser that hangs keeps overdue clients waiting for five seconds. */
Test(overload, a_stopped_refuser_is_replaced, .timeout = 60)
{
	struct killed k = {NULL, 0};
	int busy[WORKERS], late, i;
	struct world *w;

	w = k.w = start(false, "@BIN@/handlers/upload",
		"queue_timeout = 200ms\n");
	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, false);
	late = ask(w, false);
	world_until(another_refuser, &k, "a refuser");
	client_expect_503(late, "Retry-After: 1\r\n");
	cr_assert_eq(kill(k.pid, SIGSTOP), 0);
	late = ask(w, false);
	client_expect_503(late, "Retry-After: 1\r\n");
	cr_expect(world_log_has(w, ": no report within 5 s; killed; "));
	for (i = 0; i < WORKERS; i++) {
		finish(busy[i]);
		expect_served(busy[i]);
	}
	world_expect_deaths(w);
}

static bool
died_four_times(void *arg)
{
	return world_log_count(arg, "it is started again when a client is "
		"overdue") >= 4;
}

Test(overload, a_refuser_that_dies_at_once_is_started_less_often,
	.timeout = 60)
{
	struct world *w = start_with_gateway("die_at_start",
		"queue_timeout = 40ms\n");
	int64_t since = world_now_ms();
	int busy[WORKERS], late, i;

	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, false);
	late = ask(w, false);
	world_until(died_four_times, w, "a refuser died four times");
	cr_expect_geq(world_now_ms() - since, 40 + 100 + 200 + 400);
	for (i = 0; i < WORKERS; i++) {
		finish(busy[i]);
		expect_served(busy[i]);
	}
	expect_served(late);
	world_expect_deaths(w);
}

Test(overload, each_overload_has_its_own_count, .timeout = 60)
{
	struct world *w = start(false, "@BIN@/handlers/upload",
		"queue_timeout = 40ms\n");
	int busy[WORKERS], late, i;
	size_t turn;

	for (turn = 1; turn <= 2; turn++) {
		for (i = 0; i < WORKERS; i++)
			busy[i] = begin(w, false);
		late = ask(w, false);
		client_expect_503(late, "Retry-After: 1\r\n");
		for (i = 0; i < WORKERS; i++) {
			finish(busy[i]);
			expect_served(busy[i]);
		}
		world_expect_lines(w, "recovered; 1 client got 503", turn);
	}
}

/* Without netlink the queue of a unix listener cannot be read. */
Test(overload, a_queue_that_cannot_be_read_is_logged_once, .timeout = 60)
{
	struct world *w = world_open();
	int busy, late;

	world_start_without(w, "netlink", "EPERM", "[www]\n"
		"listen = @DIR@/www.sock\nhandler = @T@/children/echo\n"
		"pm.max_children = 1\nqueue_timeout = 100ms\n");
	busy = begin(w, false);
	late = ask(w, false);
	world_expect_log(w, "cannot read the listen queue: "
		"Operation not permitted; queue_timeout is not enforced until "
		"this works again; allow AF_NETLINK");
	/* It is retried every second. */
	hostile_pause(2500);
	finish(busy);
	expect_served(busy);
	expect_served(late);
	world_stop(w);
	cr_expect_eq(world_log_count(w, "cannot read the listen queue"), 1);
	cr_expect(!world_log_has(w, "last line repeated"));
}

Test(overload, clients_that_disconnect_delay_no_others, .timeout = 60)
{
	struct world *w = start(false, "@BIN@/handlers/upload",
		"queue_timeout = 300ms\n");
	int busy[WORKERS], late[6], i;

	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, false);
	for (i = 0; i < 6; i++)
		late[i] = ask(w, false);
	for (i = 0; i < 6; i += 2)
		close(late[i]);
	for (i = 1; i < 6; i += 2)
		client_expect_503(late[i], "Retry-After: 1\r\n");
	for (i = 0; i < WORKERS; i++) {
		finish(busy[i]);
		expect_served(busy[i]);
	}
	expect_served(ask(w, false));
}

/* Its workers die at start, so that no client is ever served. */
Test(overload, a_pool_without_workers_answers_503, .timeout = 60)
{
	struct world *w = world_open();
	int fd = -1;

	world_launch(w, "[www]\nlisten = @DIR@/www.sock\n"
		"handler = @T@/children/die_at_start\nqueue_timeout = 200ms\n"
		"pm.max_children = 2\n");
	world_expect_log(w, "exited before accepting a connection");
	fd = ask(w, false);
	client_expect_503(fd, "Retry-After: 1\r\n");
}

/* Sends a request, reads the answer and keeps the connection open. */
static int
keep_one(struct world *w)
{
	static const char *const params[] = {"REQUEST_METHOD=GET", NULL};
	struct record r;
	int fd = client_connect(w, "www.sock");

	client_ask(fd, 1, params);
	do
		client_read_record(fd, &r);
	while (r.type != 3);
	return fd;
}

static void
log_idle_keepalive_connections(const char *keys)
{
	struct world *w = start(false, "@T@/children/echo", keys);
	int kept[WORKERS], fd, i;

	w->changed = true;
	for (i = 0; i < WORKERS; i++)
		kept[i] = keep_one(w);
	fd = ask(w, false);
	world_expect_log(w, "idle keep-alive connections occupy ");
	cr_expect(world_log_has(w, " of 2 workers while 1 client waits"));
	cr_expect(world_log_has(w, "remove fastcgi_keep_conn"));
	close(kept[0]);
	expect_served(fd);
	close(kept[1]);
	/* Not logged again within a minute, nor for workers that serve a
	 * request. */
	for (i = 0; i < WORKERS; i++)
		kept[i] = begin(w, false);
	fd = ask(w, false);
	hostile_pause(1500);
	for (i = 0; i < WORKERS; i++) {
		finish(kept[i]);
		expect_served(kept[i]);
	}
	expect_served(fd);
	cr_expect_eq(world_log_count(w, "idle keep-alive connections occupy"),
		1);
}

Test(overload, idle_keepalive_connections_are_logged, .timeout = 60)
{
	log_idle_keepalive_connections("queue_timeout = 1h\n");
}

Test(overload, idle_keepalive_connections_are_logged_by_the_board,
	.timeout = 60)
{
	log_idle_keepalive_connections("queue_timeout = 1h\npm = dynamic\n"
		"pm.start_servers = 2\npm.min_spare_servers = 2\n"
		"pm.max_spare_servers = 2\n");
}

/* Waits for the text in the log; returns the number after its first
 * occurrence. */
static unsigned
number_in_log(struct world *w, const char *text)
{
	unsigned n = 0;
	char *log;

	world_expect_log(w, text);
	log = world_log(w);
	cr_assert_eq(sscanf(strstr(log, text) + strlen(text), "%u", &n), 1,
		"%s", log);
	return n;
}

/* The refuser runs as the pool's user: its reports are limited to what was
 * ordered, and so are the connections it gets. */
Test(overload, false_reports_of_a_refuser_are_limited, .timeout = 60)
{
	struct world *w = start_with_gateway("lying_refuser",
		"queue_timeout = 200ms\n");
	int busy[WORKERS], late[5], i;
	unsigned ordered[2];

	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, false);
	for (i = 0; i < 5; i++)
		late[i] = ask(w, false);
	ordered[0] = number_in_log(w, "first order: ");
	ordered[1] = number_in_log(w, "second order: ");
	cr_expect_gt(ordered[0], 0);
	cr_expect_eq(number_in_log(w, ", connections: "), ordered[1] - 1);
	for (i = 0; i < WORKERS; i++) {
		finish(busy[i]);
		expect_served(busy[i]);
	}
	for (i = 0; i < 5; i++)
		expect_served(late[i]);
	cr_expect_eq(number_in_log(w, "queue_timeout: recovered; "),
		ordered[0] + 1);
	cr_expect(!world_log_has(w, "it is started again when"));
}

/* Clients are being served, overdue and just refused. */
Test(overload, the_daemon_stops_during_an_overload, .timeout = 60)
{
	struct world *w = start(false, "@BIN@/handlers/upload",
		"queue_timeout = 200ms\n");
	int busy[WORKERS], late[3], i;

	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, false);
	for (i = 0; i < 3; i++)
		late[i] = ask(w, false);
	client_expect_503(late[0], "Retry-After: 1\r\n");
	world_signal(w, SIGTERM);
	for (i = 0; i < WORKERS; i++) {
		finish(busy[i]);
		expect_served(busy[i]);
	}
	cr_expect_eq(world_wait(w), 0);
	for (i = 1; i < 3; i++) {
		client_drain(late[i]);
		close(late[i]);
	}
}

/* While a pool stops, its queue is not sampled. */
static void
stop_with_busy_workers(unsigned waiting)
{
	struct world *w = start(false, "@BIN@/handlers/upload",
		"queue_timeout = 1s\n");
	int busy[WORKERS], late[3], i;

	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, false);
	for (i = 0; i < (int)waiting; i++)
		late[i] = ask(w, false);
	world_signal(w, SIGTERM);
	hostile_pause(1500);
	for (i = 0; i < WORKERS; i++) {
		finish(busy[i]);
		expect_served(busy[i]);
	}
	for (i = 0; i < (int)waiting; i++)
		expect_served(late[i]);
	cr_expect_eq(world_wait(w), 0);
	cr_expect(!world_log_has(w, "cannot read the listen queue"));
}

Test(overload, queued_clients_are_served_on_shutdown, .timeout = 60)
{
	stop_with_busy_workers(3);
}

Test(overload, busy_workers_finish_on_shutdown, .timeout = 60)
{
	stop_with_busy_workers(0);
}

/* The second client is overdue half a second after the first one. */
Test(overload, each_tcp_client_is_refused_when_it_is_overdue, .timeout = 60)
{
	struct world *w = start(true, "@T@/children/echo",
		"queue_timeout = 2s\n");
	int busy[WORKERS], late[2], i;
	int64_t since;

	for (i = 0; i < WORKERS; i++)
		busy[i] = begin(w, true);
	late[0] = ask(w, true);
	hostile_pause(500);
	since = world_now_ms();
	late[1] = ask(w, true);
	client_expect_503(late[0], "Retry-After: 3\r\n");
	client_expect_503(late[1], "Retry-After: 3\r\n");
	cr_expect_geq(world_now_ms() - since, 2000);
	cr_expect_lt(world_now_ms() - since, 3300);
	for (i = 0; i < WORKERS; i++) {
		finish(busy[i]);
		expect_served(busy[i]);
	}
}

/* -- workers and the refuser accept from the same queue -------------------- */

#define CROWD 60

struct storm {
	struct world *w;
	bool tcp;
	uint8_t wire[1024];
	size_t len;
	struct pollfd at[CROWD];
	int64_t since_ms[CROWD];
	size_t begun, want;
	unsigned served, refused, early;
};

static void
storm_begin(struct storm *s, size_t i)
{
	s->at[i] = (struct pollfd){.fd = -1};
	if (s->begun == s->want)
		return;
	s->begun++;
	s->since_ms[i] = world_now_ms();
	s->at[i] = (struct pollfd){.events = POLLIN,
		.fd = client_connect(s->w, address(s->w, s->tcp))};
	client_send(s->at[i].fd, s->wire, s->len);
}

/* A refused client must have waited for queue_timeout, as it measured. */
static void
storm_end(struct storm *s, size_t i, int64_t now)
{
	struct answer a = client_read(s->at[i].fd);

	cr_assert(a.ended, "cut off: %s", a.out);
	if (strncmp(a.out, "Status: 503", 11) == 0) {
		s->refused++;
		/* Both clocks are truncated to milliseconds. */
		s->early += now - s->since_ms[i] < 40 - 1;
	} else {
		answer_expect(a, "body");
		s->served++;
	}
	close(s->at[i].fd);
}

/*
 * Keeps so many clients that the queue is about as old as queue_timeout.  Then
 * for most orders workers accept some of the clients meant for the refuser.
 */
static void
storm(bool tcp, size_t want, const char *keys)
{
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"CONTENT_LENGTH=4", NULL};
	struct storm s = {.tcp = tcp, .want = want,
		.w = start(tcp, "@T@/children/echo", keys)};
	int64_t now;

	s.len = client_put_request(s.wire, sizeof(s.wire), 0, params, "body",
		4);
	for (size_t i = 0; i < CROWD; i++)
		storm_begin(&s, i);
	while (s.served + s.refused < want) {
		cr_assert_gt(poll(s.at, CROWD, 20000), 0, "none is served");
		now = world_now_ms();
		for (size_t i = 0; i < CROWD; i++)
			if (s.at[i].fd >= 0 && s.at[i].revents) {
				storm_end(&s, i, now);
				storm_begin(&s, i);
			}
	}
	hostile_figure("%s: %u served, %u refused, %zu orders with a client "
		"that was not overdue", tcp ? "TCP" : "unix", s.served,
		s.refused, world_log_count(s.w, "forwarded to workers: "));
	cr_expect_eq(s.early, 0);
	cr_expect_gt(s.served, 0);
	cr_expect_gt(s.refused, 0);
	cr_expect(!world_log_has(s.w, "died"));
	cr_expect(!world_log_has(s.w, "no connection for a forwarded client"));
	world_close(&s.w);
}

Test(overload, no_client_is_refused_early, .timeout = 120)
{
	static const char keys[] = "queue_timeout = 40ms\n";

	storm(false, hostile_size(1000, 20000), keys);
	storm(true, hostile_size(1000, 20000), keys);
}

/* The pool's user may not connect to the socket, but the supervisor may. */
Test(overload, clients_are_forwarded_though_the_user_may_not_connect,
	.timeout = 120)
{
	world_need_root();
	storm(false, hostile_size(500, 20000), "queue_timeout = 40ms\n"
		"user = nobody\nlisten.owner = root\nlisten.mode = 0600\n");
}
