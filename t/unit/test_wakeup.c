/*
 * test_wakeup.c - what calls a pool that rests, and for how long nobody listens
 *
 * The loop does not run: what it would call is called here.
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

static const struct wakeup_for a_knock = {.idle_at = WAKEUP_NEVER, .connection = true};

/* As pool/adjust does, whose guard may have opened the socket again. */
static bool
on_wake(struct wakeup *w)
{
	calls++;
	if (reopens)
		wakeup_stop(w);
	wakeup_on(w, &a_knock);
	return something_came;
}

static void
set_up(void)
{
	loop = loop_new();
	cr_assert_not_null(loop);
	cr_assert_eq(fd_pipe(O_NONBLOCK, 0, &listener, &writefd), 0);
	wakeup_init(&wake, loop, "www", NULL, listener, on_wake);
	wakeup_on(&wake, &a_knock);
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
listens(void)
{
	return wake.listener_io.fd >= 0;
}

static void
knock(void)
{
	cr_assert(listens());
	wake.listener_io.on_event(&wake.listener_io, LOOP_READ);
}

/* The end of a silence; how long it was. */
static int64_t
wait(void)
{
	int64_t ms = wake.timer.at_ms - loop_now(loop);

	cr_assert(wake.timer.place, "nobody would ever listen again");
	loop_timer_stop(loop, &wake.timer);
	wake.timer.on_timer(&wake.timer);
	return ms;
}

Test(wakeup, a_knock_is_answered_at_once_and_then_is_silence)
{
	knock();
	cr_expect_eq(calls, 1);
	cr_expect(!listens());
	cr_expect_eq(wait(), 10);
	cr_expect_eq(calls, 2);
	cr_expect(listens());
}

Test(wakeup, who_calls_for_nothing_is_heard_less)
{
	static const int64_t pauses[] = {10, 20, 40, 80, 160, 320, 640, 1000,
		1000};
	size_t i;

	for (i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		knock();
		cr_expect_eq(wait(), pauses[i]);
	}
}

Test(wakeup, a_knock_that_was_one_is_not_followed_by_a_long_silence)
{
	int i;

	for (i = 0; i < 9; i++) {
		knock();
		(void)wait();
	}
	something_came = true;
	knock();
	cr_expect_eq(wait(), 10);
}

Test(wakeup, one_that_begins_anew_listens)
{
	reopens = true;
	knock();
	cr_expect(listens());
	knock();
	cr_expect_eq(calls, 2);
	something_came = true;
	knock();
	cr_expect(listens());
	cr_expect_eq(wait(), 10);
	cr_expect(listens());
}

/* One that is shut, and cannot be opened again, would call without end. */
Test(wakeup, one_that_stays_shut_is_left_alone_for_a_while)
{
	static const int64_t pauses[] = {10, 20, 40, 80};
	size_t i;

	reopens = true;
	for (i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		cr_assert(listens());
		wake.listener_io.on_event(&wake.listener_io, LOOP_READ | LOOP_HANGUP);
		cr_expect(!listens());
		cr_expect_eq(wait(), pauses[i]);
	}
}

Test(wakeup, nobody_listens_once_it_has_stopped)
{
	wakeup_stop(&wake);
	cr_expect(!listens());
	cr_expect(!wake.timer.place);
}

Test(wakeup, after_a_rest_of_a_second_the_pause_is_short_again)
{
	int i;

	for (i = 0; i < 5; i++) {
		knock();
		(void)wait();
	}
	wake.since_ms = loop_now(loop) - 1000;
	knock();
	cr_expect_eq(wait(), 320);
	wake.since_ms = loop_now(loop) - 1001;
	knock();
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

/* Processes that accept; the number of places is known by itself. */
static void
set_idle(int32_t places)
{
	uint8_t *map = mmap(NULL, sizeof(struct fcgipm_head),
		PROT_READ | PROT_WRITE, MAP_SHARED, board_fd(board), 0);

	cr_assert_neq((void *)map, MAP_FAILED);
	((struct fcgipm_head *)(void *)map)->idle = places;
	munmap(map, sizeof(struct fcgipm_head));
}

static bool
is_watched(void)
{
	return wake.board_io.fd >= 0;
}

Test(wakeup_board, nothing_is_watched_that_is_not_wanted)
{
	static const struct wakeup_for nothing = {.idle_at = WAKEUP_NEVER};

	wakeup_on(&wake, &nothing);
	cr_expect_not(is_watched());
	cr_expect_not(listens());
	cr_expect_not(wake.timer.place);
}

Test(wakeup_board, requests_alone_are_watched_for)
{
	static const struct wakeup_for requests = {
		.idle_at = WAKEUP_NEVER, .requests = true};

	wakeup_on(&wake, &requests);
	cr_expect(is_watched());
	cr_expect_not(wake.timer.place);
}

/* Once it is armed an event comes with the next change only. */
Test(wakeup_board, places_that_were_taken_before_it_was_armed_are_noticed)
{
	static const struct wakeup_for two = {.idle_at = 2};

	set_idle(3);
	wakeup_on(&wake, &two);
	cr_expect(is_watched());
	cr_expect_not(wake.timer.place, "one more is free");
	set_idle(2);
	wakeup_on(&wake, &two);
	cr_expect(wake.timer.place);
	cr_expect_eq(wait(), 10);
	cr_expect_eq(calls, 1);
}

Test(wakeup_board, an_event_is_followed_by_silence)
{
	static const struct wakeup_for one = {.idle_at = 1};

	set_idle(3);
	wakeup_on(&wake, &one);
	cr_assert(is_watched());
	wake.board_io.on_event(&wake.board_io, LOOP_READ);
	cr_expect_not(is_watched());
	cr_expect_eq(calls, 0, "a load that is over in a moment");
	wakeup_on(&wake, &one);
	cr_expect_not(is_watched(), "not before the silence is over");
	cr_expect_eq(wait(), 10);
	cr_expect_eq(calls, 1);
}
