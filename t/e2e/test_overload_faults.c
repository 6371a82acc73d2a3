/*
 * test_overload_faults.c - tests queue_timeout with a refuser that dies, hangs
 * or sends false reports, and with a queue that cannot be read
 */
#include "busy.h"
#include "hostile.h"

struct killed {
	struct world *w;
	pid_t pid;
};

static bool
another_refuser(void *arg)
{
	struct killed *k = arg;
	pid_t pid = busy_refuser(k->w);

	if (pid == 0 || pid == k->pid)
		return false;
	k->pid = pid;
	return true;
}

Test(overload, a_killed_refuser_is_replaced, .timeout = 60)
{
	struct world *w = busy_start(false, "@BIN@/handlers/upload",
		"queue_timeout = 200ms\n");
	struct killed k = {w, 0};
	int busy[BUSY_WORKERS], late, i;

	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, false);
	for (i = 0; i < 3; i++) {
		late = busy_ask(w, false);
		world_until(another_refuser, &k, "a refuser");
		client_expect_503(late, "Retry-After: 1\r\n");
		cr_assert_eq(kill(k.pid, SIGKILL), 0);
	}
	world_until(busy_refuser_left, w, "the last refuser is dead");
	world_expect_log(w, "signal 9 (");
	world_expect_log(w, "it is started again when a client has "
		"waited longer than queue_timeout");
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(busy[i]);
		busy_expect_served(busy[i]);
	}
	world_expect_deaths(w);
}

/* A refuser that hangs keeps overdue clients waiting for five seconds. */
Test(overload, a_stopped_refuser_is_replaced, .timeout = 60)
{
	struct killed k = {NULL, 0};
	int busy[BUSY_WORKERS], late, i;
	struct world *w;

	w = k.w = busy_start(false, "@BIN@/handlers/upload",
		"queue_timeout = 200ms\n");
	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, false);
	late = busy_ask(w, false);
	world_until(another_refuser, &k, "a refuser");
	client_expect_503(late, "Retry-After: 1\r\n");
	cr_assert_eq(kill(k.pid, SIGSTOP), 0);
	late = busy_ask(w, false);
	client_expect_503(late, "Retry-After: 1\r\n");
	cr_expect(world_log_has(w, ": no report within 5 s; killed; "));
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(busy[i]);
		busy_expect_served(busy[i]);
	}
	world_expect_deaths(w);
}

static bool
died_four_times(void *arg)
{
	return world_log_count(arg, "it is started again when a client "
		"has waited longer than queue_timeout") >= 4;
}

Test(overload, a_refuser_that_dies_at_once_is_started_less_often,
	.timeout = 60)
{
	struct world *w = busy_start_with_gateway("die_at_start",
		"queue_timeout = 40ms\n");
	int64_t since = world_now_ms();
	int busy[BUSY_WORKERS], late, i;

	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, false);
	late = busy_ask(w, false);
	world_until(died_four_times, w, "a refuser died four times");
	cr_expect_geq(world_now_ms() - since, 40 + 100 + 200 + 400);
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(busy[i]);
		busy_expect_served(busy[i]);
	}
	busy_expect_served(late);
	world_expect_deaths(w);
}

/* Without netlink the queue of a unix listener cannot be read. */
Test(overload, a_queue_that_cannot_be_read_is_logged_once, .timeout = 60)
{
	struct world *w = world_open();
	int busy, late;

	world_start_without(w, "netlink", "EPERM", "[www]\n"
		"listen = @DIR@/www.sock\nhandler = @T@/children/echo\n"
		"pm.max_children = 1\nqueue_timeout = 100ms\n");
	busy = busy_begin(w, false);
	late = busy_ask(w, false);
	world_expect_log(w, "cannot read the listen queue: "
		"Operation not permitted; queue_timeout is not enforced until "
		"this works again; allow AF_NETLINK");
	/* It is retried every second. */
	hostile_pause(2500);
	busy_finish(busy);
	busy_expect_served(busy);
	busy_expect_served(late);
	world_stop(w);
	cr_expect_eq(world_log_count(w, "cannot read the listen queue"), 1);
	cr_expect(!world_log_has(w, "last line repeated"));
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
	struct world *w = busy_start_with_gateway("lying_refuser",
		"queue_timeout = 200ms\n");
	int busy[BUSY_WORKERS], late[5], i;
	unsigned ordered[2];

	for (i = 0; i < BUSY_WORKERS; i++)
		busy[i] = busy_begin(w, false);
	for (i = 0; i < 5; i++)
		late[i] = busy_ask(w, false);
	ordered[0] = number_in_log(w, "first order: ");
	ordered[1] = number_in_log(w, "second order: ");
	cr_expect_gt(ordered[0], 0);
	cr_expect_eq(number_in_log(w, ", connections: "), ordered[1] - 1);
	for (i = 0; i < BUSY_WORKERS; i++) {
		busy_finish(busy[i]);
		busy_expect_served(busy[i]);
	}
	for (i = 0; i < 5; i++)
		busy_expect_served(late[i]);
	cr_expect_eq(number_in_log(w, "queue_timeout: recovered; "),
		ordered[0] + 1);
	cr_expect(!world_log_has(w, "it is started again when"));
}
