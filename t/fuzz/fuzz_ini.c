/*
 * fuzz_ini.c - fuzzes the reader of INI files
 *
 * The input is the file.  The result of ini_read() for each line is compared
 * with the text of the line, however inih was built.
 */
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/ini.h"
#include "fuzz.h"

struct text {
	const uint8_t *p;
	size_t len;
};

/* A BAD_SECTION is reported as an error and then as a section. */
enum kind { NOTHING, SECTION, BAD_SECTION, KEY, ERROR };

/* What must be reported for the remaining lines. */
struct expect {
	const uint8_t *p, *end;
	unsigned line;
	struct text bad_section;	/* p is NULL: none */
	bool refused;			/* an error of the whole file */
};

/* Blanks that may begin and end a line; line_end as inih defines it. */
static const char blank[] = " \t", line_end[] = " \t\r",
		  space[] = " \t\r\n\v\f";

static void
trim(struct text *t, const char *front, const char *back)
{
	while (t->len > 0 && memchr(back, t->p[t->len - 1], strlen(back)))
		t->len--;
	while (t->len > 0 && memchr(front, t->p[0], strlen(front))) {
		t->p++;
		t->len--;
	}
}

static bool
begins(const struct text *t, const char *with)
{
	return t->len >= strlen(with) && memcmp(t->p, with, strlen(with)) == 0;
}

/* Does it end like "x.ini:4"? */
static bool
is_origin(const struct text *t)
{
	size_t n = t->len;

	if ((t->len == 7 && memcmp(t->p, "default", 7) == 0) ||
		(t->len == 6 && memcmp(t->p, "option", 6) == 0))
		return true;
	while (n > 0 && t->p[n - 1] >= '0' && t->p[n - 1] <= '9')
		n--;
	return n < t->len && n > 1 && t->p[n - 1] == ':';
}

/* Removes the comment that fcgipm -tt writes after a value. */
static void
cut_origin(struct text *line)
{
	struct text tail;
	size_t i;

	for (i = line->len; i-- > 0;) {
		tail = (struct text){line->p + i, line->len - i};
		if (!begins(&tail, "    ; "))
			continue;
		tail = (struct text){tail.p + 6, tail.len - 6};
		if (is_origin(&tail))
			line->len = i;
		break;
	}
	while (line->len > 0 && (line->p[line->len - 1] == ' ' ||
			line->p[line->len - 1] == '\t'))
		line->len--;
}

static enum kind
read_line(struct text *line, struct text *key, struct text *value)
{
	const uint8_t *at;

	if (line->len && memchr(line->p, '\0', line->len))
		return ERROR;
	trim(line, blank, line_end);
	if (line->len == 0 || *line->p == ';' || *line->p == '#')
		return NOTHING;
	if (*line->p == '[') {
		at = memchr(line->p, ']', line->len);
		*key = (struct text){line->p + 1,
			(at ? (size_t)(at - line->p) : line->len) - 1};
		return at == line->p + line->len - 1 ? SECTION : BAD_SECTION;
	}
	cut_origin(line);
	/* Some builds of inih drop a byte order mark before any line. */
	if (begins(line, "\xef\xbb\xbf")) {
		line->p += 3;
		line->len -= 3;
	}
	trim(line, space, space);
	if (begins(line, "[") || begins(line, ";") || begins(line, "#"))
		return ERROR;
	for (at = line->p; at < line->p + line->len; at++)
		if (*at == '=' || *at == ':')
			break;
	if (at == line->p + line->len)
		return ERROR;
	*key = (struct text){line->p, (size_t)(at - line->p)};
	*value = (struct text){at + 1, line->len - key->len - 1};
	trim(key, space, space);
	trim(value, space, space);
	return key->len ? KEY : ERROR;
}

/* Finds the next line for which something is reported. */
static enum kind
next(struct expect *e, struct text *key, struct text *value)
{
	enum kind kind = NOTHING;
	struct text line;
	const uint8_t *lf;

	while (kind == NOTHING && e->p < e->end) {
		lf = memchr(e->p, '\n', (size_t)(e->end - e->p));
		line = (struct text){e->p,
			(size_t)((lf ? lf : e->end) - e->p)};
		e->p = lf ? lf + 1 : e->end;
		e->line++;
		kind = read_line(&line, key, value);
	}
	return kind;
}

static bool
is_text(const char *s, const struct text *t)
{
	return strlen(s) == t->len && memcmp(s, t->p, t->len) == 0;
}

static void
on_section(void *user, const char *name, unsigned line)
{
	struct expect *e = user;
	struct text key, value;

	/* Its error was reported before. */
	if (e->bad_section.p) {
		key = e->bad_section;
		e->bad_section.p = NULL;
	} else {
		CHECK(next(e, &key, &value) == SECTION);
	}
	CHECK(e->line == line && is_text(name, &key));
}

static void
on_key(void *user, const char *name, const char *text, unsigned line)
{
	struct expect *e = user;
	struct text key, value;

	CHECK(next(e, &key, &value) == KEY);
	CHECK(e->line == line && is_text(name, &key) && is_text(text, &value));
}

static void
on_error(void *user, const char *what, unsigned line)
{
	struct expect *e = user;
	struct text key, value;

	enum kind kind;

	CHECK(*what);
	if (line == 0) {
		e->refused = true;
		return;
	}
	kind = next(e, &key, &value);
	CHECK(kind == ERROR || kind == BAD_SECTION);
	if (kind == BAD_SECTION)
		e->bad_section = key;
	CHECK(e->line == line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct ini_ops ops = {on_section, on_key, on_error};
	static int fd = -1;
	struct expect e = {.p = data, .end = data + len};
	struct text key, value;
	char path[40];

	if (fd < 0)
		fd = memfd_create("ini", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	CHECK(pwrite(fd, data, len, 0) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* A byte order mark at the very beginning is not text. */
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		e.p += 3;
	if (len >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 ||
				memcmp(data, "\xfe\xff", 2) == 0)) {
		CHECK(ini_read(path, &ops, &e) < 0 && e.refused);
		return 0;
	}
	CHECK(ini_read(path, &ops, &e) == 0);
	CHECK(!e.bad_section.p && next(&e, &key, &value) == NOTHING);
	return 0;
}
