/*
 * slots.h - unit tests write a worker's slot of a board, as the shim would
 *
 * Of boards for workers with one thread, each of which has one cell.
 */
#ifndef FCGIPM_T_SLOTS_H
#define FCGIPM_T_SLOTS_H

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "observe/board.h"

static inline struct fcgipm_head *
slots_head(const struct board *b)
{
	size_t size = sizeof(struct fcgipm_head) + board_slots(b) *
		(sizeof(struct fcgipm_slot) + sizeof(struct fcgipm_cell));
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		board_fd(b), 0);

	cr_assert_neq(map, MAP_FAILED);
	/* It stays until the test ends. */
	return map;
}

static inline struct fcgipm_slot *
slots_at(const struct board *b, unsigned slot)
{
	char *first = (char *)(slots_head(b) + 1);

	return (void *)(first + slot * (sizeof(struct fcgipm_slot) +
		sizeof(struct fcgipm_cell)));
}

/* The worker in it is this process, and it accepts. */
static inline struct fcgipm_slot *
slots_accept(const struct board *b, unsigned slot, pid_t pid)
{
	struct fcgipm_slot *s = slots_at(b, slot);

	s->pid = pid;
	s->accepting = 1;
	s->open = 0;
	slots_head(b)->idle++;
	return s;
}

/* The same, and its one connection is in this state. */
static inline struct fcgipm_slot *
slots_serve(const struct board *b, unsigned slot, pid_t pid,
	enum fcgipm_state state, int64_t since_ms)
{
	struct fcgipm_slot *s = slots_at(b, slot);
	struct fcgipm_cell *cell = (void *)(s + 1);

	s->pid = pid;
	s->accepting = 0;
	s->open = 1;
	cell->state = state;
	cell->since = (uint64_t)since_ms * 1000000;
	return s;
}

#endif
