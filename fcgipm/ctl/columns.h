/*
 * columns.h - prints a table with column widths fitted to the content
 */
#ifndef FCGIPM_CTL_COLUMNS_H
#define FCGIPM_CTL_COLUMNS_H

#include <stddef.h>
#include <stdio.h>

struct columns {
	size_t n;		/* columns */
	const char *const *titles;	/* n of them; a leading blank, which is
				 * not printed, right-aligns the column */
	char **cells;		/* ncells of them, row by row */
	size_t ncells;
};

/* Adds a copy of text as the next cell, escaped (base/escape).  "" becomes
 * "-". */
void columns_add(struct columns *c, const char *text);
void columns_addf(struct columns *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints the titles and the rows.  Lines longer than width characters are cut;
 * 0 = no limit. */
void columns_print(const struct columns *c, size_t width, FILE *out);
void columns_fini(struct columns *c);

#endif
