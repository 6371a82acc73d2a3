/*
 * test_board_hostile.c - tests boards with invalid contents, for the supervisor
 * and for workers
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/util.h"
#include "boards.h"

TestSuite(board, .init = boards_open, .fini = boards_close, .timeout = 60);

/* Boards that a worker must refuse; each changes one field. */
static const struct {
	const char *why;
	size_t at;
	uint32_t value;
} strange[] = {
	{"magic", offsetof(struct fcgipm_head, magic), 1},
	{"a later version", offsetof(struct fcgipm_head, version), 2},
	{"head", offsetof(struct fcgipm_head, head_size), 64},
	{"slot", offsetof(struct fcgipm_head, slot_size), 1},
	{"cell", offsetof(struct fcgipm_head, cell_size), 0},
	{"no slots", offsetof(struct fcgipm_head, nslots), 0},
	{"more slots than there are", offsetof(struct fcgipm_head, nslots), 4},
	{"very many slots", offsetof(struct fcgipm_head, nslots), UINT32_MAX},
	{"very many spare", offsetof(struct fcgipm_head, nspare), UINT32_MAX},
	{"no threads", offsetof(struct fcgipm_head, threads), 0},
	{"no cells", offsetof(struct fcgipm_head, cells), 0},
	{"many cells", offsetof(struct fcgipm_head, cells), 65},
};

Test(board, workers_refuse_any_other_board)
{
	uint8_t *p = (uint8_t *)view.head;
	struct fcgipm_view v;
	uint32_t before;
	char text[32];
	size_t i;

	snprintf(text, sizeof(text), "%d:%d", board_fd(b), board_eventfd(b));
	for (i = 0; i < ARRAY_SIZE(strange); i++) {
		memcpy(&before, p + strange[i].at, sizeof(before));
		memcpy(p + strange[i].at, &strange[i].value, sizeof(before));
		cr_expect_eq(fcgipm_view_open_(&v, text), -1, "%s",
			strange[i].why);
		memcpy(p + strange[i].at, &before, sizeof(before));
	}
	cr_expect_eq(fcgipm_view_open_(&v, text), 0);
}

static const char *const no_board[] = {"", ":", "3", "3:", ":4", "a:b", "-1:4",
	"3:4:5", "3:4 ", "0:1", "999999:4", "99999999999999999999:1"};

Test(board, workers_refuse_an_invalid_variable)
{
	struct fcgipm_view v;
	size_t i;

	cr_expect_eq(fcgipm_view_open_(&v, NULL), -1);
	for (i = 0; i < ARRAY_SIZE(no_board); i++)
		cr_expect_eq(fcgipm_view_open_(&v, no_board[i]), -1, "%s",
			no_board[i]);
}

/* All that is read must be in its range. */
static void
expect_sane(const struct board *of, unsigned slot)
{
	struct board_sample seen;
	int64_t now;

	board_read(of, slot, &seen);
	now = now_ms();
	cr_assert_leq(seen.state, FCGIPM_KEPT);
	cr_assert_lt(strnlen(seen.method, sizeof(seen.method)),
		sizeof(seen.method));
	cr_assert_lt(strnlen(seen.uri, sizeof(seen.uri)), sizeof(seen.uri));
	cr_assert(seen.start_ms >= 0 && seen.start_ms <= now);
	cr_assert(seen.since_ms >= 0 && seen.since_ms <= now);
	cr_assert(seen.last_us >= 0 && seen.last_us <= now * 1000);
	cr_assert(seen.owner >= -1 && seen.owner < NSLOTS);
	cr_assert_leq(seen.running, THREADS);
	cr_assert_leq(seen.open, 1U << 20);
	cr_assert_leq(seen.accepting, 1U << 20);
	cr_assert(!seen.attached || seen.pid > 0);
	cr_assert(!seen.ours || slot < NSLOTS);
}

static atomic_bool spoiled;

/* A thread that writes to the same memory, instead of a worker. */
static void *
spoil(void *arg)
{
	uint8_t *p = arg, bytes[4096];
	size_t size = size_of(b), at, n;
	int round;

	for (round = 0; round < 1000; round++)
		for (at = 0; at < size; at += n) {
			n = MIN(size - at, sizeof(bytes));
			if (getrandom(bytes, n, 0) != (ssize_t)n)
				abort();
			memcpy(p + at, bytes, n);
		}
	atomic_store(&spoiled, true);
	return NULL;
}

static void
read_all(void)
{
	unsigned i;

	for (i = 0; i < board_slots(b); i++)
		expect_sane(b, i);
	cr_assert_leq(board_idle(b), INT32_MAX);
}

Test(board, random_bytes_change_only_the_figures)
{
	pthread_t thread;
	unsigned rounds = 0;

	cr_assert_eq(pthread_create(&thread, NULL, spoil, view.head), 0);
	while (!atomic_load(&spoiled)) {
		read_all();
		board_sweep(b);
		board_count_idle(b);
		board_reset(b, rounds % NSLOTS, 5);
		board_started(b, rounds % NSLOTS, getpid());
		board_ask_stop(b, rounds % NSLOTS);
		board_arm(b, 1);
		rounds++;
	}
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_gt(rounds, 0);
	/* The next worker can use it. */
	board_sweep(b);
	board_reset(b, 0, 0);
	cr_expect_not_null(claim(0));
	read_all();
}

/* Each field in turn has an extreme value. */
Test(board, extreme_values_are_bounded)
{
	static const uint64_t worst[] = {0, 1, UINT64_MAX, INT64_MAX,
		(uint64_t)INT64_MAX + 1, UINT32_MAX, INT32_MAX,
		(uint64_t)INT32_MAX + 1};
	uint8_t *p = (uint8_t *)view.head;
	size_t size = size_of(b), at, i;

	for (i = 0; i < ARRAY_SIZE(worst); i++)
		for (at = sizeof(struct fcgipm_head); at + 8 <= size; at += 4) {
			memcpy(p + at, &worst[i], 8);
			if (at % 64 == 0)
				read_all();
		}
	read_all();
}

/* Holes punched into the memfd read as zeros. */
Test(board, holes_do_not_fault)
{
	cr_assert_not_null(claim(0));
	cr_expect_eq(fallocate(board_fd(b),
			     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			     (off_t)size_of(b)), 0);
	read_all();
	cr_expect_eq(board_idle(b), 0);
}
