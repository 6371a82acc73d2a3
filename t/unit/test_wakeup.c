/*
 * test_wakeup.c - which events wake a pool, and how long the pause after it is
 *
 * The loop does not run; the test calls its callbacks.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "observe/board.h"
#include "pool/wakeup.h"

static struct loop *loop;
static struct wakeup wake;
static int listener = -1, writefd = -1, calls;
static bool something_came, reopens;

static const struct wakeup_for a_connection = {
	.idle_at = WAKEUP_NEVER, .connection = true};

/* As pool/adjust does; pool/listener may have reopened the socket. */
static bool
on_wake(struct wakeup *w)
{
	calls++;
	if (reopens)
		wakeup_stop(w);
	wakeup_on(w, &a_connection);
	return something_came;
}

static void
set_up(void)
{
	loop = loop_new();
	cr_assert_not_null(loop);
	cr_assert_eq(fd_pipe(O_NONBLOCK, 0, &listener, &writefd), 0);
	wakeup_init(&wake, loop, "www", NULL, listener, on_wake);
	wakeup_on(&wake, &a_connection);
}

static void
tear_down(void)
{
	wakeup_stop(&wake);
	fd_close(&listener);
	fd_close(&writefd);
	loop_free(&loop);
}

TestSuite(wakeup, .init = set_up, .fini = tear_down, .timeout = 10);

static bool
is_listening(void)
{
	return wake.listener_io.fd >= 0;
}

static void
connect_client(void)
{
	cr_assert(is_listening());
	wake.listener_io.on_event(&wake.listener_io, LOOP_READ);
}

/* Ends the pause; returns its length. */
static int64_t
wait(void)
{
	int64_t ms = wake.timer.at_ms - loop_now(loop);

	cr_assert(wake.timer.place, "no timer ends the pause");
	loop_timer_stop(loop, &wake.timer);
	wake.timer.on_timer(&wake.timer);
	return ms;
}

Test(wakeup, a_connection_wakes_at_once_and_a_pause_follows)
{
	connect_client();
	cr_expect_eq(calls, 1);
	cr_expect(!is_listening());
	cr_expect_eq(wait(), 10);
	cr_expect_eq(calls, 2);
	cr_expect(is_listening());
}

Test(wakeup, the_pause_doubles_after_each_needless_wakeup)
{
	static const int64_t pauses[] = {10, 20, 40, 80, 160, 320, 640, 1000,
		1000};
	size_t i;

	for (i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		connect_client();
		cr_expect_eq(wait(), pauses[i]);
	}
}

Test(wakeup, the_pause_is_short_after_a_useful_wakeup)
{
	int i;

	for (i = 0; i < 9; i++) {
		connect_client();
		(void)wait();
	}
	something_came = true;
	connect_client();
	cr_expect_eq(wait(), 10);
}

Test(wakeup, a_wakeup_that_is_stopped_and_armed_again_listens)
{
	reopens = true;
	connect_client();
	cr_expect(is_listening());
	connect_client();
	cr_expect_eq(calls, 2);
	something_came = true;
	connect_client();
	cr_expect(is_listening());
	cr_expect_eq(wait(), 10);
	cr_expect(is_listening());
}

/* A listener that is shut and cannot be reopened would wake without end. */
Test(wakeup, a_listener_that_stays_shut_is_not_watched_during_the_pause)
{
	static const int64_t pauses[] = {10, 20, 40, 80};
	size_t i;

	reopens = true;
	for (i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		cr_assert(is_listening());
		wake.listener_io.on_event(&wake.listener_io,
			LOOP_READ | LOOP_HANGUP);
		cr_expect(!is_listening());
		cr_expect_eq(wait(), pauses[i]);
	}
}

Test(wakeup, nothing_is_watched_after_stop)
{
	wakeup_stop(&wake);
	cr_expect(!is_listening());
	cr_expect(!wake.timer.place);
}

Test(wakeup, the_pause_is_short_again_after_a_second_without_events)
{
	int i;

	for (i = 0; i < 5; i++) {
		connect_client();
		(void)wait();
	}
	wake.since_ms = loop_now(loop) - 1000;
	connect_client();
	cr_expect_eq(wait(), 320);
	wake.since_ms = loop_now(loop) - 1001;
	connect_client();
	cr_expect_eq(wait(), 10);
}

/* -- the board ------------------------------------------------------------- */

static struct board *board;

static void
set_up_board(void)
{
	set_up();
	board = board_new(2, 1, 2);
	cr_assert_not_null(board);
	wakeup_stop(&wake);
	wakeup_init(&wake, loop, "www", board, listener, on_wake);
}

static void
tear_down_board(void)
{
	tear_down();
	board_free(&board);
}

TestSuite(wakeup_board, .init = set_up_board, .fini = tear_down_board,
	.timeout = 10);

/* Writes the number of idle threads to the board. */
static void
set_idle(int32_t threads)
{
	uint8_t *map = mmap(NULL, sizeof(struct fcgipm_head),
		PROT_READ | PROT_WRITE, MAP_SHARED, board_fd(board), 0);

	cr_assert_neq((void *)map, MAP_FAILED);
	((struct fcgipm_head *)(void *)map)->idle = threads;
	munmap(map, sizeof(struct fcgipm_head));
}

static bool
is_watched(void)
{
	return wake.board_io.fd >= 0;
}

Test(wakeup_board, only_wanted_events_are_watched)
{
	static const struct wakeup_for nothing = {.idle_at = WAKEUP_NEVER};

	wakeup_on(&wake, &nothing);
	cr_expect_not(is_watched());
	cr_expect_not(is_listening());
	cr_expect_not(wake.timer.place);
}

Test(wakeup_board, the_board_is_watched_for_max_requests_alone)
{
	static const struct wakeup_for requests = {
		.idle_at = WAKEUP_NEVER, .requests = true};

	wakeup_on(&wake, &requests);
	cr_expect(is_watched());
	cr_expect_not(wake.timer.place);
}

/* After it is armed, the board reports only further changes. */
Test(wakeup_board, threads_that_got_busy_before_it_was_armed_are_noticed)
{
	static const struct wakeup_for two = {.idle_at = 2};

	set_idle(3);
	wakeup_on(&wake, &two);
	cr_expect(is_watched());
	cr_expect_not(wake.timer.place, "one more thread is idle");
	set_idle(2);
	wakeup_on(&wake, &two);
	cr_expect(wake.timer.place);
	cr_expect_eq(wait(), 10);
	cr_expect_eq(calls, 1);
}

Test(wakeup_board, an_event_is_followed_by_a_pause)
{
	static const struct wakeup_for one = {.idle_at = 1};

	set_idle(3);
	wakeup_on(&wake, &one);
	cr_assert(is_watched());
	wake.board_io.on_event(&wake.board_io, LOOP_READ);
	cr_expect_not(is_watched());
	cr_expect_eq(calls, 0, "the load may be over in a moment");
	wakeup_on(&wake, &one);
	cr_expect_not(is_watched(), "not during the pause");
	cr_expect_eq(wait(), 10);
	cr_expect_eq(calls, 1);
}
