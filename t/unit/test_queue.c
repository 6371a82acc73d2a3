/*
 * test_queue.c - since when each client of a queue has waited
 */
#include <criterion/criterion.h>

#include "base/util.h"
#include "overload/queue.h"

/* One look: who is seen in which order, and what follows for clients who were
 * first seen at 10 or before.  Numbers stand for the clients' inodes. */
static const struct {
	const char *why;
	int64_t now_ms;
	uint32_t inos[6];	/* to the first 99 */
	size_t overdue;
	int64_t oldest_ms;
} looks[] = {
	{"nobody", 5, {99}, 0, 0},
	{"two come", 10, {1, 2, 99}, 2, 10},
	{"one more, too late", 20, {1, 2, 3, 99}, 2, 10},
	{"the first was served", 30, {2, 3, 4, 99}, 1, 10},
	{"only the young are left", 40, {3, 4, 99}, 0, 20},
	{"an old one again would be new", 50, {4, 2, 99}, 0, 30},
	{"all are gone", 60, {99}, 0, 0},
	{"and forgotten", 70, {4, 99}, 0, 70},
};

Test(queue, since_the_first_look_that_saw_him)
{
	struct queue w = {0};
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(looks); i++) {
		for (n = 0; looks[i].inos[n] != 99; n++)
			;
		queue_update(&w, looks[i].inos, n, looks[i].now_ms);
		cr_expect_eq(queue_overdue(&w, 10), looks[i].overdue, "%s",
			looks[i].why);
		cr_expect_eq(queue_oldest(&w), looks[i].oldest_ms, "%s",
			looks[i].why);
	}
	queue_fini(&w);
}

Test(queue, who_has_left_counts_before_one_who_has_not)
{
	struct queue w = {0};

	queue_update(&w, (uint32_t[]){1, 2, 3, 4, 5}, 5, 10);
	queue_update(&w, (uint32_t[]){0, 2, 0, 4, 0}, 5, 20);
	cr_expect_eq(queue_overdue(&w, 10), 4);
	cr_expect_eq(queue_oldest(&w), 10);
	/* Two of those who left were served: which, is not to be said. */
	queue_update(&w, (uint32_t[]){0, 4, 0, 6}, 4, 30);
	cr_expect_eq(queue_overdue(&w, 10), 2);
	cr_expect_eq(queue_overdue(&w, 30), 4);
	queue_update(&w, (uint32_t[]){0, 0}, 2, 40);
	cr_expect_eq(queue_overdue(&w, 40), 0, "nobody waits for anything");
	cr_expect_eq(queue_oldest(&w), 0);
	queue_fini(&w);
}

Test(queue, a_long_queue_keeps_its_ages)
{
	enum { MANY = 8000 };
	static uint32_t inos[MANY];
	struct queue w = {0};
	uint32_t i, turn;

	for (turn = 0; turn < 4; turn++) {
		for (i = 0; i < MANY; i++)
			inos[i] = 1 + turn * MANY / 4 + i;
		queue_update(&w, inos, MANY, turn);
	}
	for (turn = 0; turn < 4; turn++)
		cr_expect_eq(queue_overdue(&w, turn),
			MANY / 4 * (turn + 1));
	queue_fini(&w);
}
