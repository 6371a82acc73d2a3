/*
 * test_queue.c - how long each client in a listen queue has waited
 */
#include <criterion/criterion.h>

#include "base/util.h"
#include "overload/queue.h"

/* One sample each: the inodes of the clients in order, and how many clients
 * were first seen at 10 or before. */
static const struct {
	const char *why;
	int64_t now_ms;
	uint32_t inos[6];	/* up to the first 99 */
	size_t overdue;
	int64_t oldest_ms;
} samples[] = {
	{"an empty queue", 5, {99}, 0, 0},
	{"two arrive", 10, {1, 2, 99}, 2, 10},
	{"one more, too late", 20, {1, 2, 3, 99}, 2, 10},
	{"the first was accepted", 30, {2, 3, 4, 99}, 1, 10},
	{"only younger ones are left", 40, {3, 4, 99}, 0, 20},
	{"an old inode again is a new client", 50, {4, 2, 99}, 0, 30},
	{"all were accepted", 60, {99}, 0, 0},
	{"after that an old inode is new", 70, {4, 99}, 0, 70},
};

Test(queue, a_client_has_waited_since_the_first_sample_that_had_it)
{
	struct queue q = {0};
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		for (n = 0; samples[i].inos[n] != 99; n++)
			;
		queue_update(&q, samples[i].inos, n, samples[i].now_ms);
		cr_expect_eq(queue_overdue(&q, 10), samples[i].overdue, "%s",
			samples[i].why);
		cr_expect_eq(queue_oldest(&q), samples[i].oldest_ms, "%s",
			samples[i].why);
	}
	queue_fini(&q);
}

Test(queue, a_disconnected_client_counts_before_a_connected_one)
{
	struct queue q = {0};

	queue_update(&q, (uint32_t[]){1, 2, 3, 4, 5}, 5, 10);
	queue_update(&q, (uint32_t[]){0, 2, 0, 4, 0}, 5, 20);
	cr_expect_eq(queue_overdue(&q, 10), 4);
	cr_expect_eq(queue_oldest(&q), 10);
	/* Some of the disconnected clients were accepted; unknown which. */
	queue_update(&q, (uint32_t[]){0, 4, 0, 6}, 4, 30);
	cr_expect_eq(queue_overdue(&q, 10), 2);
	cr_expect_eq(queue_overdue(&q, 30), 4);
	queue_update(&q, (uint32_t[]){0, 0}, 2, 40);
	cr_expect_eq(queue_overdue(&q, 40), 0, "no client waits");
	cr_expect_eq(queue_oldest(&q), 0);
	queue_fini(&q);
}

Test(queue, a_long_queue_keeps_its_ages)
{
	enum { MANY = 8000 };
	static uint32_t inos[MANY];
	struct queue q = {0};
	uint32_t i, turn;

	for (turn = 0; turn < 4; turn++) {
		for (i = 0; i < MANY; i++)
			inos[i] = 1 + turn * MANY / 4 + i;
		queue_update(&q, inos, MANY, turn);
	}
	for (turn = 0; turn < 4; turn++)
		cr_expect_eq(queue_overdue(&q, turn),
			MANY / 4 * (turn + 1));
	queue_fini(&q);
}
