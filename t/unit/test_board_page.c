/*
 * test_board_page.c - fcgipm-board(5) documents the layout of fcgipm-board.h
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "fcgipm-board.h"

struct field {
	const char *name;
	size_t offset, size;
};

#define FIELD(type, name)                                                      \
	{#name, offsetof(struct type, name), sizeof(((struct type *)0)->name)}

static const struct field head[] = {
	FIELD(fcgipm_head, magic), FIELD(fcgipm_head, version),
	FIELD(fcgipm_head, head_size), FIELD(fcgipm_head, slot_size),
	FIELD(fcgipm_head, cell_size), FIELD(fcgipm_head, nslots),
	FIELD(fcgipm_head, nspare), FIELD(fcgipm_head, threads),
	FIELD(fcgipm_head, cells), FIELD(fcgipm_head, accelerate),
	FIELD(fcgipm_head, idle), FIELD(fcgipm_head, wake_at),
	FIELD(fcgipm_head, wake)};
static const struct field slot[] = {
	FIELD(fcgipm_slot, stop), FIELD(fcgipm_slot, worker),
	FIELD(fcgipm_slot, max_requests), FIELD(fcgipm_slot, taken),
	FIELD(fcgipm_slot, pid), FIELD(fcgipm_slot, tier),
	FIELD(fcgipm_slot, flags), FIELD(fcgipm_slot, owner),
	FIELD(fcgipm_slot, open), FIELD(fcgipm_slot, accepting),
	FIELD(fcgipm_slot, accepted), FIELD(fcgipm_slot, requests),
	FIELD(fcgipm_slot, bytes_in), FIELD(fcgipm_slot, bytes_out),
	FIELD(fcgipm_slot, since)};
static const struct field cell[] = {
	FIELD(fcgipm_cell, seq), FIELD(fcgipm_cell, state),
	FIELD(fcgipm_cell, since), FIELD(fcgipm_cell, start),
	FIELD(fcgipm_cell, last), FIELD(fcgipm_cell, method),
	FIELD(fcgipm_cell, uri)};

static FILE *
open_page(void)
{
	const char *src = getenv("FCGIPM_SRC");
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/man/fcgipm-board.5", src ? src : ".");
	f = fopen(path, "re");
	cr_assert_not_null(f, "%s", path);
	return f;
}

static size_t
size_of(const char *type)
{
	unsigned bits, n = 1;

	cr_assert_geq(sscanf(type[0] == 'u' ? type + 1 : type, "int%u_t[%u]",
			      &bits, &n), 1, "%s", type);
	return (size_t)bits / 8 * n;
}

/* Expects this field in the next row of the page's tables. */
static void
expect_row(FILE *page, const struct field *want)
{
	char line[200], type[32], name[32];
	size_t offset;

	while (fgets(line, sizeof(line), page)) {
		if (sscanf(line, ".It %zu Ta %31s Ta %31s Ta", &offset, type,
			    name) != 3)
			continue;
		cr_assert_str_eq(name, want->name);
		cr_expect_eq(offset, want->offset, "%s", name);
		cr_expect_eq(size_of(type), want->size, "%s", name);
		return;
	}
	cr_assert_fail("%s is missing", want->name);
}

Test(board_page, the_manual_page_has_every_field_and_its_offset)
{
	FILE *page = open_page();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(head); i++)
		expect_row(page, &head[i]);
	for (i = 0; i < ARRAY_SIZE(slot); i++)
		expect_row(page, &slot[i]);
	for (i = 0; i < ARRAY_SIZE(cell); i++)
		expect_row(page, &cell[i]);
	fclose(page);
}

Test(board_page, the_manual_page_has_the_sizes_and_the_version)
{
	FILE *page = open_page();
	char text[40000], want[200];
	size_t n = fread(text, 1, sizeof(text) - 1, page);

	fclose(page);
	text[n] = '\0';
	snprintf(want, sizeof(want), "head%31zu\nslot 0%29zu\n"
		"        cell 0%21zu\n", sizeof(struct fcgipm_head),
		sizeof(struct fcgipm_slot), sizeof(struct fcgipm_cell));
	cr_expect(strstr(text, want), "no %s", want);
	snprintf(want, sizeof(want), "version %d of the layout",
		FCGIPM_BOARD_VERSION);
	cr_expect(strstr(text, want), "no %s", want);
	snprintf(want, sizeof(want), "\n0x%llx.\n",
		(unsigned long long)FCGIPM_BOARD_MAGIC);
	cr_expect(strstr(text, want), "no %s", want);
}
