/*
 * boards.h - a board, and this process as its workers, for unit tests
 */
#ifndef FCGIPM_T_BOARDS_H
#define FCGIPM_T_BOARDS_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "observe/board.h"

/* Small enough to be overwritten often. */
enum { NSLOTS = 3, NSPARE = 2, THREADS = 2 };

/* Both exist during each test. */
static struct board *b;
static struct fcgipm_view view;		/* a worker's */

/* Opens the board as a worker does. */
static inline void
open_view(struct fcgipm_view *v, const struct board *of)
{
	char text[32];

	snprintf(text, sizeof(text), "%d:%d", board_fd(of),
		board_eventfd(of));
	cr_assert_eq(fcgipm_view_open_(v, text), 0);
}

/* For .init of a TestSuite. */
static inline void
boards_open(void)
{
	b = board_new(NSLOTS, NSPARE, THREADS);
	cr_assert_not_null(b);
	open_view(&view, b);
}

/* For .fini of a TestSuite. */
static inline void
boards_close(void)
{
	board_free(&b);
	cr_expect_null(b);
	board_free(&b);
}

/* Returns the size of the memory in bytes. */
static inline size_t
size_of(const struct board *of)
{
	struct stat st;

	cr_assert_eq(fstat(board_fd(of), &st), 0);
	return (size_t)st.st_size;
}

/* Claims a slot; this process is its worker. */
static inline struct fcgipm_slot *
claim(unsigned slot)
{
	board_reset(b, slot, 0);
	board_started(b, slot, getpid());
	return fcgipm_claim_(&view, slot, FCGIPM_TIER_SHIM);
}

#endif
