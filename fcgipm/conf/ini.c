/*
 * ini.c - an INI file, line by line; see ini.h
 *
 * The only file that knows inih.  Depending on how it was built, inih cuts
 * lines at 200 bytes, joins indented lines to the key before and values at
 * " ;", and miscounts lines after a long one.  So it gets one line at a time,
 * prepared so that none of this can happen: without indentation, and with the
 * section handled here.  What is left to it is what it is good at: finding
 * key and value in a line.
 */
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "conf/ini.h"

/* A configuration is text written by people. */
#define FILE_MAX (16 << 20)

#pragma weak ini_max_line
#pragma weak ini_use_stack
#pragma weak ini_allow_realloc
#pragma weak ini_initial_alloc
#pragma weak ini_allow_inline_comments
#pragma weak ini_allow_multiline
#pragma weak ini_allow_no_value

struct reader {
	const struct ini_ops *ops;
	void *user;
	unsigned line;
	bool told;		/* inih found a pair in this line */
};

/* inih as shared library carries these switches; without them, its limits
 * are those it was built with and a line it cannot hold is an error. */
static void
prepare_inih(void)
{
	if (&ini_max_line)
		ini_max_line = INI_LINE_MAX + 3;
	if (&ini_initial_alloc)
		ini_initial_alloc = 1024;
	if (&ini_use_stack)
		ini_use_stack = false;
	if (&ini_allow_realloc)
		ini_allow_realloc = true;
	if (&ini_allow_inline_comments)
		ini_allow_inline_comments = false;
	if (&ini_allow_multiline)
		ini_allow_multiline = false;
	if (&ini_allow_no_value)
		ini_allow_no_value = false;
}

static int
on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;
	(void)section;

	r->told = true;
	if (*name)
		r->ops->on_key(r->user, name, value, r->line);
	else
		r->ops->on_error(r->user, "write a key before the =", r->line);
	return 1;
}

static void
read_section(struct reader *r, char *line)
{
	char *end = strchr(line, ']');

	if (!end || end[1 + strspn(end + 1, " \t")] != '\0') {
		r->ops->on_error(r->user, "write a section as [name]", r->line);
		return;
	}
	*end = '\0';
	r->ops->on_section(r->user, line + 1, r->line);
}

static void
read_line(struct reader *r, char *line, size_t len)
{
	char *start, *end = line + len;

	while (end > line && strchr(" \t\r", end[-1]))
		*--end = '\0';
	start = line + strspn(line, " \t");
	if (*start == '\0' || *start == ';' || *start == '#')
		return;
	if (*start == '[') {
		read_section(r, start);
		return;
	}
	if (end - start > INI_LINE_MAX) {
		r->ops->on_error(r->user, "shorten the line to 64 KiB",
			r->line);
		return;
	}
	r->told = false;
	if (!strpbrk(start, "=:") || ini_parse_string(start, on_pair, r) != 0 ||
		!r->told)
		r->ops->on_error(r->user, "write key = value, or [section]",
			r->line);
}

int
ini_read(const char *path, const struct ini_ops *ops, void *user)
{
	struct reader r = {.ops = ops, .user = user};
	char *text, *line, *rest, *nul;
	size_t len;

	prepare_inih();
	if (fd_read_file(path, FILE_MAX, &text, &len) < 0) {
		ops->on_error(user,
			errno == EISDIR ? "it is a folder; name a file" :
			errno == EFBIG ? "it is larger than 16 MiB" :
			errno == EACCES ? "Permission denied; let us read it" :
					  strerror(errno), 0);
		return -1;
	}
	rest = text;
	/* A byte order mark, as some editors leave it. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		rest += 3;
	while (rest < text + len) {
		line = rest;
		rest = memchr(line, '\n', (size_t)(text + len - line));
		rest = rest ? rest : text + len;
		r.line++;
		nul = memchr(line, '\0', (size_t)(rest - line));
		*rest = '\0';
		if (nul)
			ops->on_error(user, "remove the NUL byte: this is no "
				"text", r.line);
		else
			read_line(&r, line, (size_t)(rest - line));
		rest++;
	}
	free(text);
	return 0;
}
