/*
 * slots.h - writes a worker's slot of a board in unit tests, as the shim would
 *
 * For boards of workers with one thread; each slot has one cell.
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
	/* It is unmapped when the test process exits. */
	return map;
}

static inline struct fcgipm_slot *
slots_at(const struct board *b, unsigned slot)
{
	char *first = (char *)(slots_head(b) + 1);

	return (void *)(first + slot * (sizeof(struct fcgipm_slot) +
		sizeof(struct fcgipm_cell)));
}

/* Makes this process the worker in the slot, and sets it accepting. */
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

/* The same, with one connection in this state. */
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
