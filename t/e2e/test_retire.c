/*
 * test_retire.c - a retiring worker is never ended while it has, or may have, a
 * connection
 *
 * A library in the supervisor extends the moment between the inspection that
 * finds a worker idle and SIGSTOP; see t/children/races.c.
 */
#include <sys/syscall.h>

#include "world.h"

TestSuite(retire, .timeout = 60);

#define LATE "it was busy at every check for"

/* A pool of one worker that retires soon after a request, without the shim. */
#define LEAVES_WHEN_IDLE                                                      \
	"[www]\n"                                                             \
	"listen = @DIR@/www.sock\n"                                           \
	"pm = ondemand\n"                                                     \
	"pm.max_children = 1\n"                                               \
	"pm.process_idle_timeout = 100ms\n"                                   \
	"observe = kernel\n"

static const char *const no_params[] = {NULL};

/* Sends a request to t/children/hold, which at once answers with its PID. */
static int
begin_at(struct world *w, pid_t *ret_pid)
{
	const char *pid;
	struct record r;
	int fd = client_connect(w, "www.sock");

	client_begin(fd, 1, 0, no_params);
	client_read_record(fd, &r);
	pid = strstr((const char *)r.content, "pid: ");
	cr_assert(pid && strstr(pid, "\nin: "), "%s",
		(const char *)r.content);
	*ret_pid = (pid_t)strtol(pid + 5, NULL, 10);
	return fd;
}

static int
begin(struct world *w)
{
	pid_t pid;

	return begin_at(w, &pid);
}

static void
end(int fd)
{
	struct answer a;

	client_record(fd, 5, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect(a.ended);
	answer_expect(a, "out");
	close(fd);
}

/* Does the supervisor wait before SIGSTOP? */
static bool
is_held(void *arg)
{
	const struct world *w = arg;

	return world_call_of(w->pid) == SYS_nanosleep;
}

static bool
is_logged_once(void *w)
{
	return world_log_count(w, LATE) == 1;
}

static bool
is_alive(void *pid)
{
	return world_alive(*(pid_t *)pid);
}

/* A repeated line is counted, and the count is logged before the next line: at
 * the latest before that of the stop. */
static void
stop(struct world *w)
{
	world_signal(w, SIGTERM);
	cr_expect_eq(world_wait(w), 0);
	cr_expect_leq(world_log_count(w, LATE), 1);
	cr_expect(!world_log_has(w, "last line repeated"));
	cr_expect(!world_log_has(w, "died"));
}

/* -- a connection ---------------------------------------------------------- */

/* It is inspected often, however long that takes. */
Test(retire, a_worker_with_a_connection_keeps_serving)
{
	struct world *w = world_open();
	int64_t begin_ms;
	pid_t pid;
	int fd;

	world_start(w, "[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @T@/children/hold\n"
		"pm.max_children = 1\n"
		"pm.max_age = 200ms\n"
		"observe = kernel\n"
		"stop_timeout = 1s\n");
	/* On a busy machine the first worker may have retired already. */
	fd = begin_at(w, &pid);
	world_expect_log(w, LATE);
	world_stays(is_logged_once, w, "it is logged once");
	world_stays(is_logged_once, w, "it is still logged once");
	cr_expect(world_alive(pid));
	end(fd);
	begin_ms = world_now_ms();
	world_until_gone(pid);
	cr_expect_lt(world_now_ms() - begin_ms, 2000, "%d ms",
		(int)(world_now_ms() - begin_ms));
	stop(w);
}

/* After stop_timeout a retiring worker is killed, unless it has accepted after
 * it was seen idle. */
Test(retire, a_worker_that_accepts_before_sigstop_keeps_serving)
{
	struct world *w = world_open();
	int first, second;
	pid_t pid;

	world_hold_races("stop=400");
	world_start(w, LEAVES_WHEN_IDLE
		"handler = @T@/children/hold\n"
		"stop_timeout = 200ms\n");
	end(begin(w));
	world_until(is_held, w, "the worker is retiring");
	first = begin(w);
	world_expect_log(w, LATE);
	end(first);
	world_until(is_held, w, "it is retiring, after stop_timeout");
	second = begin_at(w, &pid);
	world_stays(is_alive, &pid, "it has a connection");
	end(second);
	stop(w);
}

/* Work after the answer is interrupted if it takes too long. */
Test(retire, a_worker_that_works_on_after_its_answer_is_ended_at_stop_timeout)
{
	struct world *w = world_open();
	struct answer a;

	world_script(w, "worker.pl", "#!/usr/bin/perl\n"
		"use FCGI;\n"
		"my $r = FCGI::Request();\n"
		"while ($r->Accept() >= 0) {\n"
		"	print \"Content-Type: text/plain\\n\\npid: $$\\n\";\n"
		"	$r->Finish();\n"
		"	sleep 100;\n"
		"}\n");
	world_start(w, LEAVES_WHEN_IDLE
		"handler = @DIR@/worker.pl\n"
		"pm.max_age = 200ms\n"
		"stop_timeout = 500ms\n");
	a = client_script(w, "www.sock", NULL, NULL);
	world_until_gone((pid_t)answer_number(&a, "pid"));
	stop(w);
}

/* It ignores SIGTERM, and would be killed after half a minute. */
Test(retire, a_retiring_worker_gets_stop_signal)
{
	struct world *w = world_open();
	struct answer a;

	world_script(w, "worker.pl", "#!/usr/bin/perl\n"
		"use FCGI;\n"
		"$SIG{TERM} = 'IGNORE';\n"
		"my $r = FCGI::Request();\n"
		"while ($r->Accept() >= 0) {\n"
		"	print \"Content-Type: text/plain\\n\\npid: $$\\n\";\n"
		"}\n");
	world_start(w, LEAVES_WHEN_IDLE
		"handler = @DIR@/worker.pl\n"
		"stop_signal = USR1\n");
	a = client_script(w, "www.sock", NULL, NULL);
	world_until_gone((pid_t)answer_number(&a, "pid"));
	stop(w);
}

/* -- workers with several processes ---------------------------------------- */

/* A process that is not stopped may accept at any moment. */
Test(retire, a_worker_with_a_process_that_is_not_stopped_is_not_ended)
{
	struct world *w = world_open();
	struct answer a;
	pid_t pid;

	world_start(w, "[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @T@/children/family\n"
		"handler_args = session\n"
		"pm.max_children = 1\n"
		"pm.max_age = 200ms\n"
		"stop_timeout = 300ms\n");
	cr_assert_eq(world_children(w->pid, &pid, 1), 1);
	world_expect_log(w, LATE);
	world_stays(is_logged_once, w, "it is logged once");
	cr_expect(world_alive(pid));
	world_expect_workers(w, 2, 2, "the worker and its replacement");
	a = client_script(w, "www.sock", NULL, NULL);
	answer_expect(a, "pid: ");
	stop(w);
}

static bool
has_a_child(void *pid)
{
	return world_children(*(pid_t *)pid, NULL, 0) > 0;
}

/* The pool stops while SIGSTOP is sent to a worker that waits for a child of
 * vfork(2).  Worker and child must be continued. */
Test(retire, a_stop_continues_a_worker_that_got_sigstop)
{
	struct world *w = world_open();
	struct answer a;
	pid_t pid;
	int fd;

	world_hold_races("stop=1000");
	world_start(w, LEAVES_WHEN_IDLE
		"handler = @T@/children/family\n"
		"handler_args = vfork\n"
		"stop_timeout = 5s\n");
	a = client_script(w, "www.sock", NULL, NULL);
	pid = (pid_t)answer_number(&a, "pid");
	world_until(is_held, w, "the worker is retiring");
	fd = client_connect(w, "www.sock");
	client_ask(fd, 0, no_params);
	world_until(has_a_child, &pid, "it waits for its child");
	world_signal(w, SIGTERM);
	a = client_read(fd);
	cr_expect(a.ended);
	answer_expect(a, "pid: ");
	cr_expect_eq(world_wait(w), 0);
	cr_expect(!world_log_has(w, "still busy after "));
}
