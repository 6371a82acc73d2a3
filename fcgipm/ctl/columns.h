/*
 * columns.h - a table for a terminal, its columns as wide as need be
 */
#ifndef FCGIPM_CTL_COLUMNS_H
#define FCGIPM_CTL_COLUMNS_H

#include <stddef.h>
#include <stdio.h>

struct columns {
	size_t n;		/* columns */
	const char *const *titles;	/* n of them; a number's begins with a
				 * blank, which is not printed: it stands at
				 * the right */
	char **cells;		/* ncells of them, row by row */
	size_t ncells;
};

/* Adds a copy, escaped (base/escape).  "" is "-". */
void columns_add(struct columns *c, const char *text);
void columns_addf(struct columns *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Titles and rows; lines of more characters than width are cut, 0 = none
 * is. */
void columns_print(const struct columns *c, size_t width, FILE *out);
void columns_fini(struct columns *c);

#endif
