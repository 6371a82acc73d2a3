/*
 * ini.c - splits an INI file into sections, keys and values; see ini.h
 *
 * Called by conf/load.  The only file that knows inih.  Depending on how it was
 * built, inih cuts lines at 200 bytes, joins indented lines to the key before
 * them, ends values at " ;", and miscounts lines after a long one.  So it gets
 * one line at a time, without indentation and without sections: it only finds
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

/* Larger files are refused. */
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
	bool found;		/* inih found a pair in this line */
};

/* inih as a shared library has these switches.  Without them its limits are
 * those it was built with, and a line that exceeds them is an error. */
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

	r->found = true;
	if (*name)
		r->ops->on_key(r->user, name, value, r->line);
	else
		r->ops->on_error(r->user, "write a key before the =", r->line);
	return 1;
}

static void
read_section(struct reader *r, char *line)
{
	char *end = strchr(line, ']'), *why;
	size_t len = strcspn(line, ";#");

	while (len > 1 && strchr(" \t", line[len - 1]))
		len--;
	/* Report the section as well, so that its keys are checked. */
	if (!end) {
		why = mem_printf("%.*s: the closing bracket is missing; write "
			"%.*s]", (int)len, line, (int)len, line);
		r->ops->on_error(r->user, why, r->line);
		free(why);
	} else if (end[1 + strspn(end + 1, " \t")] != '\0') {
		r->ops->on_error(r->user, "remove what follows the ]: comments "
			"and keys need lines of their own", r->line);
	}
	if (end)
		*end = '\0';
	r->ops->on_section(r->user, line + 1, r->line);
}

/* "default", "option" or "FILE:LINE"? */
static bool
is_origin(const char *text, const char *end)
{
	const char *p = end;
	size_t len = (size_t)(end - text);

	if (len == strlen("default") && memcmp(text, "default", len) == 0)
		return true;
	if (len == strlen("option") && memcmp(text, "option", len) == 0)
		return true;
	while (p > text && p[-1] >= '0' && p[-1] <= '9')
		p--;
	return p < end && p - 1 > text && p[-1] == ':';
}

/* Cuts off the comment of conf_dump(); returns the new end of the line. */
static char *
cut_origin(char *start, char *end)
{
	static const char mark[] = "    ; ";
	char *at = NULL, *next = start;

	while ((next = memmem(next, (size_t)(end - next), mark,
			sizeof(mark) - 1)) != NULL)
		at = next++;
	if (!at || !is_origin(at + sizeof(mark) - 1, end))
		return end;
	while (at > start && strchr(" \t", at[-1]))
		at--;
	*at = '\0';
	return at;
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
	end = cut_origin(start, end);
	if (end - start > INI_LINE_MAX) {
		r->ops->on_error(r->user, "shorten the line to 64 KiB",
			r->line);
		return;
	}
	r->found = false;
	if (!strpbrk(start, "=:") || ini_parse_string(start, on_pair, r) != 0 ||
		!r->found)
		r->ops->on_error(r->user, "write KEY = VALUE, or [SECTION]",
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
			errno == EISDIR ? "is a directory; name a file" :
			errno == EFBIG ? "is larger than 16 MiB" :
			errno == EACCES ? "Permission denied: not readable by "
				"the user fcgipm runs as" :
			strerror(errno), 0);
		return -1;
	}
	rest = text;
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 ||
				memcmp(text, "\xfe\xff", 2) == 0)) {
		ops->on_error(user, "is UTF-16 text; save it as UTF-8", 0);
		free(text);
		return -1;
	}
	/* Some editors write a byte order mark. */
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
			ops->on_error(user, "remove the NUL byte: this is not "
				"text", r.line);
		else
			read_line(&r, line, (size_t)(rest - line));
		rest++;
	}
	free(text);
	return 0;
}
