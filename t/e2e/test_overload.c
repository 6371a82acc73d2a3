/*
 * test_overload.c - tests queue_timeout of prefork pools: clients that have
 * waited longer get 503, and no others do
 *
 * Refusers that fail are in test_overload_faults.c, many clients at once in
 * test_overload_storm.c.
 */
#include "busy.h"
#include "hostile.h"

/* For a pool with queue_timeout = 1s that serves two requests at once. */
static void
refuse_only_the_overdue(struct world *w, bool tcp)
{
	int busy[BUSY_WORKERS], late[5], i;
	int64_t since = world_now_ms();

	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, tcp);
	for (i = 0; i < 5; i++)
		late[i] = busy_ask(w, tcp);
	for (i = 0; i < 5; i++)
		client_expect_503(late[i], "Retry-After: 2\r\n");
	cr_expect_geq(world_now_ms() - since, 1000);
	world_expect_log(w, " queued clients waited longer than 1000 ms; "
		"raise pm.max_children");
	/* These are not overdue yet when the workers have finished the first
	 * two, which are served although they take longer. */
	for (i = 0; i < 5; i++)
		late[i] = busy_ask(w, tcp);
	for (i = 0; i < BUSY_WORKERS; i++)
		busy_finish(busy[i]);
	for (i = 0; i < BUSY_WORKERS; i++)
		busy_expect_served(busy[i]);
	for (i = 0; i < 5; i++)
		busy_expect_served(late[i]);
	world_expect_log(w, "queue_timeout: recovered; 5 clients got 503 in ");
	cr_expect_geq(world_now_ms() - since, 2000, "without a calm second");
	world_until(busy_refuser_left, w, "the refuser has exited");
	cr_expect_eq(world_log_count(w, "answering 503: "), 1);
	cr_expect(!world_log_has(w, "died"));
}

Test(overload, only_overdue_clients_of_a_unix_socket_are_refused, .timeout = 60)
{
	refuse_only_the_overdue(busy_start(false, "@BIN@/handlers/upload",
		"queue_timeout = 1s\n"), false);
}

Test(overload, only_overdue_clients_of_a_tcp_socket_are_refused, .timeout = 60)
{
	refuse_only_the_overdue(busy_start(true, "@T@/children/echo_static",
		"queue_timeout = 1s\n"), true);
}

/* One worker with two threads, in a pool where the supervisor also watches the
 * listening socket to start workers. */
Test(overload, only_overdue_clients_of_a_pool_with_threads_are_refused,
	.timeout = 60)
{
	struct world *w = busy_start_some(1, false, "@T@/children/echo",
		"queue_timeout = 1s\nhandler_args = 2\nthreads = 2\n"
		"pm = ondemand\n");

	w->changed = true;
	refuse_only_the_overdue(w, false);
}

Test(overload, each_overload_has_its_own_count, .timeout = 60)
{
	struct world *w = busy_start(false, "@BIN@/handlers/upload",
		"queue_timeout = 40ms\n");
	int busy[BUSY_WORKERS], late, i;
	size_t turn;

	for (turn = 1; turn <= 2; turn++) {
		for (i = 0; i < BUSY_WORKERS; i++)
			busy[i] = busy_begin(w, false);
		late = busy_ask(w, false);
		client_expect_503(late, "Retry-After: 1\r\n");
		for (i = 0; i < BUSY_WORKERS; i++) {
			busy_finish(busy[i]);
			busy_expect_served(busy[i]);
		}
		world_expect_lines(w, "recovered; 1 client got 503", turn);
	}
}

Test(overload, clients_that_disconnect_delay_no_others, .timeout = 60)
{
	struct world *w = busy_start(false, "@BIN@/handlers/upload",
		"queue_timeout = 300ms\n");
	int busy[BUSY_WORKERS], late[6], i;

	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, false);
	for (i = 0; i < 6; i++)
		late[i] = busy_ask(w, false);
	for (i = 0; i < 6; i += 2)
		close(late[i]);
	for (i = 1; i < 6; i += 2)
		client_expect_503(late[i], "Retry-After: 1\r\n");
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(busy[i]);
		busy_expect_served(busy[i]);
	}
	busy_expect_served(busy_ask(w, false));
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
	fd = busy_ask(w, false);
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
	struct world *w = busy_start(false, "@T@/children/echo", keys);
	int kept[BUSY_WORKERS], fd, i;

	w->changed = true;
	for (i = 0; i < BUSY_WORKERS; i++)
		kept[i] = keep_one(w);
	fd = busy_ask(w, false);
	world_expect_log(w, "idle keep-alive connections occupy ");
	cr_expect(world_log_has(w, " of 2 workers while 1 client waits"));
	cr_expect(world_log_has(w, "remove fastcgi_keep_conn"));
	close(kept[0]);
	busy_expect_served(fd);
	close(kept[1]);
	/* Not logged again within a minute, nor for workers that serve a
	 * request. */
	for (i = 0; i < BUSY_WORKERS; i++)
		kept[i] = busy_begin(w, false);
	fd = busy_ask(w, false);
	hostile_pause(1500);
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(kept[i]);
		busy_expect_served(kept[i]);
	}
	busy_expect_served(fd);
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

/* Clients are being served, overdue and just refused. */
Test(overload, the_daemon_stops_during_an_overload, .timeout = 60)
{
	struct world *w = busy_start(false, "@BIN@/handlers/upload",
		"queue_timeout = 200ms\n");
	int busy[BUSY_WORKERS], late[3], i;

	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, false);
	for (i = 0; i < 3; i++)
		late[i] = busy_ask(w, false);
	client_expect_503(late[0], "Retry-After: 1\r\n");
	world_signal(w, SIGTERM);
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(busy[i]);
		busy_expect_served(busy[i]);
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
	struct world *w = busy_start(false, "@BIN@/handlers/upload",
		"queue_timeout = 1s\n");
	int busy[BUSY_WORKERS], late[3], i;

	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, false);
	for (i = 0; i < (int)waiting; i++)
		late[i] = busy_ask(w, false);
	world_signal(w, SIGTERM);
	hostile_pause(1500);
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(busy[i]);
		busy_expect_served(busy[i]);
	}
	for (i = 0; i < (int)waiting; i++)
		busy_expect_served(late[i]);
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
	struct world *w = busy_start(true, "@T@/children/echo",
		"queue_timeout = 2s\n");
	int busy[BUSY_WORKERS], late[2], i;
	int64_t since;

	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, true);
	late[0] = busy_ask(w, true);
	hostile_pause(500);
	since = world_now_ms();
	late[1] = busy_ask(w, true);
	client_expect_503(late[0], "Retry-After: 3\r\n");
	client_expect_503(late[1], "Retry-After: 3\r\n");
	cr_expect_geq(world_now_ms() - since, 2000);
	cr_expect_lt(world_now_ms() - since, 3300);
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(busy[i]);
		busy_expect_served(busy[i]);
	}
}
