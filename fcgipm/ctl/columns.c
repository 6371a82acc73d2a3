/*
 * columns.c - prints a table with fitted column widths; see columns.h
 *
 * Called by ctl/status.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/mem.h"
#include "base/util.h"
#include "ctl/columns.h"

void
columns_add(struct columns *c, const char *text)
{
	char *clean = escape_text(*text ? text : "-"), *tab;

	/* The terminal decides how wide a tab is. */
	while (clean && (tab = strchr(clean, '\t')) != NULL)
		*tab = ' ';
	c->cells = mem_realloc(c->cells, c->ncells + 1, sizeof(*c->cells));
	c->cells[c->ncells++] = clean ? clean : mem_strdup("?");
}

void
columns_addf(struct columns *c, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	columns_add(c, text);
}

static const char *
title(const struct columns *c, size_t i)
{
	return c->titles[i] + (c->titles[i][0] == ' ');
}

/* Characters of UTF-8.  A terminal shows most of them one column wide. */
static size_t
count_characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* Where character number, counted from 0, begins; or the end of the text. */
static char *
find_character(char *text, size_t number)
{
	for (; *text; text++)
		if ((*text & 0xc0) != 0x80 && number-- == 0)
			break;
	return text;
}

static size_t
width_of(const struct columns *c, size_t column)
{
	size_t w = count_characters(title(c, column)), i;

	for (i = column; i < c->ncells; i += c->n)
		w = MAX(w, count_characters(c->cells[i]));
	return w;
}

/* One line without trailing blanks; cells NULL = the titles. */
static char *
line_of(const struct columns *c, const size_t *widths, char *const *cells)
{
	char *line = mem_strdup(""), *more;
	size_t i;

	for (i = 0; i < c->n; i++) {
		const char *text = cells ? cells[i] : title(c, i);
		int room = (int)(widths[i] - count_characters(text));
		bool right = c->titles[i][0] == ' ';

		more = mem_printf("%s%s%*s%s%*s", line, i > 0 ? "  " : "",
			right ? room : 0, "", text,
			right || i + 1 == c->n ? 0 : room, "");
		free(line);
		line = more;
	}
	return line;
}

static void
print_line(char *line, size_t width, FILE *out)
{
	if (width > 3 && count_characters(line) > width)
		memcpy(find_character(line, width - 3), "...", 4);
	fprintf(out, "%s\n", line);
	free(line);
}

void
columns_print(const struct columns *c, size_t width, FILE *out)
{
	size_t *widths = mem_calloc(c->n, sizeof(*widths)), i;

	for (i = 0; i < c->n; i++)
		widths[i] = width_of(c, i);
	print_line(line_of(c, widths, NULL), width, out);
	for (i = 0; i + c->n <= c->ncells; i += c->n)
		print_line(line_of(c, widths, c->cells + i), width, out);
	free(widths);
}

void
columns_fini(struct columns *c)
{
	size_t i;

	for (i = 0; i < c->ncells; i++)
		free(c->cells[i]);
	free(c->cells);
	c->cells = NULL;
	c->ncells = 0;
}
