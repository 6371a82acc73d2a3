/*
 * test_handler.c - what a handler reports by fcgipm-handler.h
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "observe/board.h"
#include "shim/fcgipm-handler.h"

#define THREADS 2

static struct board *b;

static void
setup(void)
{
	char text[32];

	b = board_new(2, 1, THREADS);
	cr_assert_not_null(b);
	board_reset(b, 1, 0);
	board_started(b, 1, getpid());
	/* The handler closes the descriptor: it gets its own. */
	snprintf(text, sizeof(text), "%d:%d", dup(board_fd(b)),
		dup(board_eventfd(b)));
	cr_assert_eq(setenv("FCGIPM_BOARD", text, 1), 0);
	cr_assert_eq(setenv("FCGIPM_WORKER", "1", 1), 0);
	cr_assert_eq(fcgipm_begin(), 0);
}

TestSuite(handler, .init = setup, .timeout = 60);

static void
expect_idle(unsigned requests)
{
	struct board_sample seen;

	cr_assert(board_read(b, 1, &seen));
	cr_expect(seen.handler);
	cr_expect_eq(seen.state, FCGIPM_FREE);
	cr_expect_eq(seen.open, 0);
	cr_expect_eq(seen.requests, requests);
	cr_expect_eq(board_idle(b), THREADS);
}

Test(handler, a_request_takes_a_thread_and_gives_it_back)
{
	struct board_sample seen;
	unsigned i;

	for (i = 0; i < 3 * THREADS; i++) {
		expect_idle(i);
		fcgipm_request("GET", "/page");
		cr_assert(board_read(b, 1, &seen));
		cr_expect_eq(seen.state, FCGIPM_BUSY);
		cr_expect_str_eq(seen.method, "GET");
		cr_expect_str_eq(seen.uri, "/page");
		cr_expect_eq(seen.open, 1);
		cr_expect_eq(board_idle(b), THREADS - 1);
		fcgipm_end();
	}
	expect_idle(i);
	fcgipm_end();
	expect_idle(i);
}

Test(handler, a_new_request_ends_the_one_before)
{
	fcgipm_request("GET", "/1");
	fcgipm_request("GET", "/2");
	cr_expect_eq(board_idle(b), THREADS - 1);
	fcgipm_end();
	expect_idle(2);
}
