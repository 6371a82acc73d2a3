/*
 * test_shim_calls.c - tests events, the stop flag, and unusual calls of workers
 * with the preloaded library
 */
#include <sys/wait.h>
#include <time.h>

#include "rig.h"

TestSuite(shim, .timeout = 900);

Test(shim, reports_when_the_last_idle_worker_accepts)
{
	struct rig r = rig_open(2, 1);
	unsigned i;
	int fds[2];

	for (i = 0; i < 2; i++)
		rig_spawn(&r, i, rig_hello(), NULL);
	world_until(rig_has_idle, rig_at(&r, 0, 2), "both are idle");
	board_arm(r.b, 0);
	fds[0] = client_connect(r.w, "s.sock");
	world_until(rig_has_idle, rig_at(&r, 0, 1), "one is idle");
	cr_expect_not(board_read_event(r.b));
	fds[1] = client_connect(r.w, "s.sock");
	world_until(rig_has_idle, rig_at(&r, 0, 0), "none is idle");
	for (i = 0; i < 2000 && !board_read_event(r.b); i++)
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	cr_expect_lt(i, 2000, "no event");
	close(fds[0]);
	close(fds[1]);
	rig_close(&r);
}

/* The flag is set while the worker sleeps in accept(2).  It answers the request
 * that wakes it and exits; the next client in the queue waits for its
 * successor. */
Test(shim, a_worker_with_the_stop_flag_exits_after_its_request)
{
	struct rig r = rig_open(1, 1);
	uint8_t request[4096];
	size_t len, i;
	int queued;

	len = client_put_request(request, sizeof(request), 0,
		rig_script_params(), "hello", 5);
	for (i = 0; i < 4; i++) {
		rig_spawn(&r, 0, rig_programs[i].path(), rig_programs[i].arg);
		/* Earlier it might see the flag before its first accept. */
		world_until(rig_has_accepting, rig_at(&r, 0, 1),
			rig_programs[i].name);
		board_ask_stop(r.b, 0);
		rig_ask(&r, 1, 0, rig_script_params());
		queued = client_connect(r.w, "s.sock");
		client_send(queued, request, len);
		rig_expect_exit(&r, 0, rig_programs[i].name);
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepted, 1, "%s", rig_programs[i].name);
		rig_spawn(&r, 0, rig_programs[i].path(), rig_programs[i].arg);
		cr_expect_gt(rig_read_answer(queued), 0);
		close(queued);
		kill(r.pids[0], SIGKILL);
		cr_assert_eq(waitpid(r.pids[0], NULL, 0), r.pids[0]);
	}
	r.pids[0] = 0;
	rig_close(&r);
}

/* The thread that answers exits, and ends the others by its own means. */
Test(shim, threads_exit_together_after_the_stop_flag)
{
	struct rig r = rig_open(1, 3);
	const char *const threads[] = {"FCGIPM_THREADS=3", NULL};
	char *argv[] = {(char *)(uintptr_t)world_handler("threads"), NULL};

	rig_spawn_as(&r, 0, argv, NULL, threads);
	world_until(rig_has_accepting, rig_at(&r, 0, 3), "all accept");
	board_ask_stop(r.b, 0);
	rig_ask(&r, 1, 0, rig_params);
	rig_expect_exit(&r, 0, "threads");
	rig_close(&r);
}

/* With the flag set before its first accept(2), it accepts nothing. */
Test(shim, a_worker_started_with_the_stop_flag_never_accepts)
{
	struct rig r = rig_open(1, 1);
	int queued = client_connect(r.w, "s.sock");

	r.stop_first = true;
	for (size_t i = 0; i < 4; i++) {
		rig_spawn(&r, 0, rig_programs[i].path(), rig_programs[i].arg);
		rig_expect_exit(&r, 0, rig_programs[i].name);
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepted, 0, "%s", rig_programs[i].name);
	}
	close(queued);
	rig_close(&r);
}

/* A program that polls would call accept(2) again and again. */
Test(shim, a_polling_program_ignores_the_stop_flag, .timeout = 60)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, rig_python(), "poll");
	rig_ask(&r, 2, 0, rig_params);
	board_ask_stop(r.b, 0);
	rig_ask(&r, 5, 0, rig_params);
	world_until(rig_has_counted, rig_at(&r, 0, 7), "all are served");
	rig_close(&r);
}

struct way {
	const char *name;
	unsigned asked, accepted, requests;
	int flags;
	bool incomplete;
	bool half_closed;	/* the client shuts down its side */
};

/* Sends as many requests as the row says, whatever the answer. */
static size_t
ask_way(struct rig *r, const struct way *w)
{
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), w->flags,
		rig_params, "hello", 5);
	unsigned i;
	int fd = -1;

	for (i = 0; i < w->asked; i++) {
		if (fd < 0)
			fd = client_connect(r->w, "s.sock");
		client_send(fd, request, len);
		if (w->half_closed)
			shutdown(fd, SHUT_WR);
		if (w->requests > 0 || w->flags & KEEP_CONN)
			(void)rig_read_answer(fd);
		if (w->flags & KEEP_CONN)
			continue;
		close(fd);
		fd = -1;
	}
	if (fd >= 0)
		close(fd);
	return len;
}

Test(shim, unusual_calls_are_counted_or_mark_the_slot_incomplete, .timeout = 60)
{
	static const struct way ways[] = {
		{"plain", 3, 3, 3, 0, false, false},
		{"errno", 3, 3, 3, 0, false, false},
		{"peek", 3, 3, 3, 0, false, false},
		{"eof", 3, 3, 3, 0, false, true},
		{"vfork", 3, 3, 3, 0, false, false},
		{"unseen", 3, 3, 3, 0, true, false},
		{"twice", 3, 1, 0, KEEP_CONN, true, false},
		{"quiet", 3, 3, 0, 0, true, false},
		{"other", 3, 3, 3, 0, false, false},
	};
	struct rig r = rig_open(1, 1);
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct way *w = &ways[i];

		rig_spawn(&r, 0, world_child("calls"), w->name);
		len = ask_way(&r, w);
		world_until(rig_has_accepted, rig_at(&r, 0, w->accepted),
			w->name);
		world_until(rig_has_accepting, rig_at(&r, 0, 1), w->name);
		/* The last one counts as open until its descriptor number is
		 * returned by accept(2) again. */
		if (strcmp(w->name, "unseen") != 0)
			world_until(rig_has_counted, rig_at(&r, 0, w->requests),
				w->name);
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepted, w->accepted, "%s: %lu", w->name,
			(unsigned long)r.seen.accepted);
		cr_expect_eq(r.seen.requests, w->requests, "%s: %lu", w->name,
			(unsigned long)r.seen.requests);
		cr_expect_eq(r.seen.incomplete, w->incomplete, "%s", w->name);
		if (!w->incomplete)
			cr_expect_eq(r.seen.bytes_in, len * w->asked,
				"%s: %lu", w->name,
				(unsigned long)r.seen.bytes_in);
		cr_expect_eq(kill(r.pids[0], SIGKILL), 0);
		cr_assert_eq(waitpid(r.pids[0], NULL, 0), r.pids[0]);
		r.pids[0] = 0;
	}
	rig_close(&r);
}

/* The thread is not free before it accepts again. */
Test(shim, work_after_an_answer_occupies_the_thread, .timeout = 60)
{
	struct rig r = rig_open(1, 1);
	unsigned i;

	rig_spawn(&r, 0, world_child("calls"), "work");
	world_until(rig_has_idle, rig_at(&r, 0, 1), "idle");
	for (i = 1; i <= 3; i++) {
		rig_ask(&r, 1, 0, rig_params);
		world_until(rig_has_counted, rig_at(&r, 0, i), "answered");
		cr_expect_eq(board_idle(r.b), 0, "the thread is at work");
		board_read(r.b, 0, &r.seen);
		cr_expect_eq(r.seen.accepting, 0);
		cr_assert_eq(kill(r.pids[0], SIGUSR1), 0);
		world_until(rig_has_idle, rig_at(&r, 0, 1), "idle again");
	}
	rig_close(&r);
}

static bool
spare_is_free(void *arg)
{
	struct rig *r = arg;

	return !board_read(r->b, 1, &r->seen);
}

/* The process releases it; the supervisor has not checked the process yet. */
Test(shim, a_spare_slot_is_released_at_exit, .timeout = 60)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, world_child("calls"), "child");
	world_until(rig_is_attached, rig_at(&r, 1, 0), "its child");
	rig_ask(&r, 1, 0, rig_params);
	world_until(spare_is_free, &r, "released");
	cr_expect_eq(r.seen.requests, 1);
	cr_expect_eq(board_idle(r.b), 0);
	rig_close(&r);
}

Test(shim, a_signal_during_accept_applies_the_stop_flag, .timeout = 60)
{
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, world_child("calls"), "eintr");
	world_until(rig_has_accepting, rig_at(&r, 0, 1), "accepting");
	world_until(rig_is_in_accept, &r, "in accept");
	board_ask_stop(r.b, 0);
	cr_assert_eq(kill(r.pids[0], SIGUSR1), 0);
	rig_expect_exit(&r, 0, "EINVAL");
	rig_close(&r);
}

static bool
is_gone_or_waits(void *arg)
{
	struct rig *r = arg;

	/* One thread reads, one is in nanosleep(2) repeatedly. */
	return waitpid(r->pids[0], NULL, WNOHANG) != 0 ||
		(board_read(r->b, 0, &r->seen) && r->seen.requests == 1 &&
			r->seen.open == 1 && r->seen.accepting == 0);
}

/* The return of main() would end the other threads. */
Test(shim, the_stop_flag_waits_for_requests_of_other_threads,
	.timeout = 60)
{
	const struct timespec pause = {0, 100000000};
	struct rig r = rig_open(1, 2);
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), 0, rig_params,
		"hello", 5);
	int slow = client_connect(r.w, "s.sock");

	client_send(slow, request, len - 8);
	rig_spawn(&r, 0, world_child("calls"), "main");
	world_until(rig_has_accepting, rig_at(&r, 0, 1), "main() accepts");
	board_read(r.b, 0, &r.seen);
	while (r.seen.open != 1)
		board_read(r.b, 0, &r.seen);
	board_ask_stop(r.b, 0);
	rig_ask(&r, 1, 0, rig_params);
	world_until(is_gone_or_waits, rig_at(&r, 0, 0), "accepts again");
	/* Time in which it must not exit. */
	nanosleep(&pause, NULL);
	cr_expect_eq(waitpid(r.pids[0], NULL, WNOHANG), 0, "it has exited");
	client_send(slow, request + len - 8, 8);
	cr_expect_gt(rig_read_answer(slow), 0);
	close(slow);
	rig_expect_exit(&r, 0, "after the request");
	rig_close(&r);
}
