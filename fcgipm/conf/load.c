/*
 * load.c - reads the configuration from files or options; see conf.h
 *
 * Called by master/main, gateway/options and ctl/supervisor.  Collects every
 * error; conf/check compares keys with each other.
 */
#include <ctype.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/explain.h"
#include "conf/habits.h"
#include "conf/ini.h"
#include "conf/problem.h"
#include "conf/table.h"
#include "conf/value.h"

#define INCLUDE_DEPTH 8
#define GLOBAL_SECTION "fcgipm"

/* One file being read. */
struct load {
	struct conf *conf;
	struct conf_problems *ps;
	const char *file;	/* its name in messages */
	const char *dir;	/* its directory */
	const struct load *parent;	/* the file that includes it */
	dev_t dev;		/* which file it is */
	ino_t ino;
	int depth;
	bool expand;		/* values may hold ${VAR} and %n */
	long section;		/* SECTION_..., or the pool's index */
};

enum { SECTION_NONE = -1, SECTION_GLOBAL = -2 };

static int load_file(struct load *parent, const char *path);

void
conf_init(struct conf *c)
{
	const struct table_row *rows;
	size_t n, i;

	*c = (struct conf){0};
	rows = table_global_rows(&n);
	for (i = 0; i < n; i++)
		table_set_default(&rows[i], c);
}

struct conf_pool *
conf_add_pool(struct conf *c, const char *name)
{
	const struct table_row *rows;
	struct conf_pool *p;
	size_t n, i;

	c->pools = mem_realloc(c->pools, c->npools + 1, sizeof(*c->pools));
	p = &c->pools[c->npools++];
	*p = (struct conf_pool){.name = mem_strdup(name)};
	rows = table_pool_rows(&n);
	for (i = 0; i < n; i++)
		table_set_default(&rows[i], p);
	return p;
}

/* The origin of the line being read. */
static struct conf_origin
origin_of(struct load *l, unsigned line)
{
	return (struct conf_origin){
		.file = l->file,
		.line = line,
		.order = l->expand ? ++l->conf->nlines : 0,
	};
}

/*
 * Sets a key's value.  Values of files are expanded first; those of options
 * were expanded by the shell.
 * returns	NULL, or what to write instead, and in *ret_bad the expanded
 *		value if there is one, the caller's to free()
 */
static const char *
set_value(struct load *l, const struct table_row *row, void *base,
	char **ret_text, const char *pool, const char *key, const char *value,
	char **ret_bad)
{
	const char *why = NULL;
	char *text = l->expand ? value_expand(value, pool, &why) :
				 mem_strdup(value);

	if (!text)
		return why;
	why = table_set(row, base, key, text, l->dir);
	if (why) {
		*ret_bad = text;
		return why;
	}
	if (table_is_map(row)) {
		free(text);
		return NULL;
	}
	free(*ret_text);
	*ret_text = text;
	if (row->type == TABLE_PATH) {
		/* It means the same for a gateway in another directory. */
		free(text);
		*ret_text = mem_strdup(
			*(char **)((char *)base + row->offset));
	}
	return NULL;
}

/* p is the pool; NULL is [fcgipm]. */
static void
unknown_key(struct load *l, struct conf_pool *p, const char *key,
	const struct conf_origin *here, const struct problem_place *at)
{
	size_t npool, nglobal;
	const struct table_row *pool = table_pool_rows(&npool);
	const struct table_row *global = table_global_rows(&nglobal);
	const struct habit *habit = habit_of_key(key);
	const char *near = p ? table_nearest(pool, npool, key) :
			       table_nearest(global, nglobal, key);
	int i;

	if (strstr(key, "\xc2\xa0"))
		problem_error(l->ps, at, "no such key; it has a no-break space "
			"(U+00A0): write a plain one");
	else if (!p && table_find(pool, npool, key) >= 0)
		problem_error(l->ps, at, "move it to a pool's section");
	else if (p && (strcmp(key, "include") == 0 ||
			      table_find(global, nglobal, key) >= 0))
		problem_error(l->ps, at, "move it to [" GLOBAL_SECTION "]");
	else if (habit)
		problem_error(l->ps, at, "no such key; %s", habit->hint);
	else if (near)
		problem_error(l->ps, at, "no such key; did you mean %s?", near);
	else
		problem_error(l->ps, at, "no such key; see fcgipm.ini(5)");
	/* Do not report the intended key as missing as well. */
	if (p && habit && habit->means) {
		i = table_find(pool, npool, habit->means);
		if (i >= 0 && !p->origins[i].file)
			p->origins[i] = *here;
	}
}

/* Does it have "$NAME", which a shell would replace? */
static bool
has_dollar(const char *value)
{
	const char *p = value;

	for (; (p = strchr(p, '$')) != NULL; p++)
		if ((isalpha((unsigned char)p[1]) || p[1] == '_') &&
			(p == value || p[-1] != '%'))
			return true;
	return false;
}

/* Where the key was set before; its file is NULL when it was not. */
static struct conf_origin
set_before(const struct table_row *row, void *base,
	const struct conf_origin *origin, const char *key)
{
	const struct conf_pair *pair;

	if (!table_is_map(row))
		return *origin;
	pair = table_find_pair(row, base, key);
	return pair ? pair->where : (struct conf_origin){0};
}

/* p is the pool; NULL is [fcgipm]. */
static void
set_key(struct load *l, struct conf_pool *p, const char *key, const char *value,
	unsigned line)
{
	size_t n;
	const struct table_row *rows = p ? table_pool_rows(&n) :
					   table_global_rows(&n);
	struct conf_origin *origins = p ? p->origins : l->conf->origins;
	char **texts = p ? p->texts : l->conf->texts;
	void *base = p ? (void *)p : (void *)l->conf;
	const char *section = p ? p->name : GLOBAL_SECTION;
	struct conf_origin here = origin_of(l, line), before;
	struct problem_place at = problem_at(&here, section, key);
	int i = table_find(rows, n, key);
	const char *why;
	char *bad = NULL;

	if (i < 0) {
		unknown_key(l, p, key, &here, &at);
		return;
	}
	before = set_before(&rows[i], base, &origins[i], key);
	if (before.file && before.line > 0) {
		problem_error(l->ps, &at, "already set in %s:%u; remove one",
			before.file, before.line);
		return;
	}
	if (before.file && before.line == 0) {
		problem_error(l->ps, &at, "already set by an option; give it "
			"once");
		return;
	}
	here.dollar = l->expand && has_dollar(value);
	why = set_value(l, &rows[i], base, &texts[i], section, key, value,
		&bad);
	if (why)
		explain_value(l->ps, &at, &rows[i], key, bad ? bad : value,
			why);
	free(bad);
	origins[i] = here;
	if (!why && table_is_map(&rows[i]))
		table_find_pair(&rows[i], base, key)->where = here;
}

/* What is wrong with including this file; NULL = nothing. */
static const char *
refuse_include(const struct load *l, const char *path)
{
	struct stat st;
	int depth = l->depth;

	/* load_file() reports that. */
	if (stat(path, &st) < 0)
		return NULL;
	if (S_ISDIR(st.st_mode))
		return "is a directory; write a pattern, such as conf.d/*.ini";
	/* A FIFO would block. */
	if (!S_ISREG(st.st_mode))
		return "is not a regular file";
	for (; l; l = l->parent)
		if (l->ino == st.st_ino && l->dev == st.st_dev)
			return "files include each other; remove one include";
	return depth >= INCLUDE_DEPTH ?
		"too many files include each other; remove one include" : NULL;
}

static void
include_files(struct load *l, const char *pattern,
	const struct problem_place *at)
{
	char *path = pattern[0] == '/' ? mem_strdup(pattern) :
					 mem_printf("%s/%s", l->dir, pattern);
	const char *why;
	glob_t found;
	size_t i;
	int rc = glob(path, 0, NULL, &found);

	if (rc == GLOB_NOMATCH && !strpbrk(pattern, "*?["))
		problem_error(l->ps, at, "%s: no such file; correct the path, "
			"or create it", path);
	else if (rc != 0 && rc != GLOB_NOMATCH)
		problem_error(l->ps, at, "%s: cannot be read", path);
	for (i = 0; rc == 0 && i < found.gl_pathc; i++) {
		why = refuse_include(l, found.gl_pathv[i]);
		if (why)
			problem_error(l->ps, at, "%s: %s", found.gl_pathv[i],
				why);
		else
			(void)load_file(l, found.gl_pathv[i]);
	}
	globfree(&found);
	free(path);
}

/* include = PATTERN, relative to the file it is in. */
static void
include(struct load *l, const char *value, unsigned line)
{
	struct conf_origin here = origin_of(l, line);
	struct problem_place at = problem_at(&here, GLOBAL_SECTION, "include");
	const char *why = NULL;
	char *pattern = value_expand(value, NULL, &why);

	if (!pattern)
		problem_error(l->ps, &at, "%s, not \"%.64s\"", why, value);
	else if (!*pattern)
		problem_error(l->ps, &at, "write a file or a pattern");
	else
		include_files(l, pattern, &at);
	free(pattern);
}

/* Adds a pool for the keys of a section.  A refused section was reported; its
 * keys are checked as well. */
static void
begin_pool(struct load *l, const char *name, const struct conf_origin *here,
	bool refused)
{
	struct conf_pool *p = conf_add_pool(l->conf, name);

	p->where = *here;
	p->refused = refused;
	l->section = (long)l->conf->npools - 1;
}

static void
on_key(void *user, const char *key, const char *value, unsigned line)
{
	struct load *l = user;
	struct conf_origin here;
	struct problem_place at;

	if (l->section == SECTION_NONE) {
		here = origin_of(l, line);
		at = problem_at(&here, NULL, key);
		problem_error(l->ps, &at, "no section before this key; write "
			"[NAME] above it for a pool, or [" GLOBAL_SECTION "]");
		begin_pool(l, "NAME", &here, true);
	}
	if (l->section != SECTION_GLOBAL)
		set_key(l, &l->conf->pools[l->section], key, value, line);
	else if (strcmp(key, "include") == 0)
		include(l, value, line);
	else
		set_key(l, NULL, key, value, line);
}

/* Logs and paths (%n) contain a pool's name. */
#define NAME_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define NAME_LEN 64

static bool
name_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_LEN && strspn(name, NAME_CHARS) == len &&
		name[0] != '.';
}

static const struct conf_pool *
find_pool(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->npools; i++)
		if (!c->pools[i].refused &&
			strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}

/* The characters of a name that are valid, with "-" for the others; "" = there
 * is none. */
static void
mend_name(const char *name, char *buf, size_t size)
{
	size_t n = 0;

	for (; *name && n + 1 < size; name++)
		if (strchr(NAME_CHARS, *name) && !(n == 0 && *name == '.'))
			buf[n++] = *name;
		else if (n > 0 && buf[n - 1] != '-')
			buf[n++] = '-';
	while (n > 0 && buf[n - 1] == '-')
		n--;
	buf[n] = '\0';
}

/* The first character that a name may not have, of UTF-8 the whole one. */
static const char *
bad_character(const char *name, char buf[16])
{
	size_t n = 1;

	name += strspn(name, NAME_CHARS);
	if (*name == ' ' || *name == '\t')
		return "a blank";
	while (n < 4 && ((unsigned char)name[0] & 0xc0) == 0xc0 &&
		((unsigned char)name[n] & 0xc0) == 0x80)
		n++;
	snprintf(buf, 16, "\"%.*s\"", (int)n, name);
	return buf;
}

/* "[my app]"; "[program:app]" of supervisord. */
static void
refuse_name(struct load *l, const char *name, const struct problem_place *at)
{
	const char *colon = strchr(name, ':');
	char mended[NAME_LEN + 1], bad[16];

	mend_name(name, mended, sizeof(mended));
	if (colon && name_is_valid(colon + 1))
		problem_error(l->ps, at, "a pool's section is its name alone: "
			"write [%s]", colon + 1);
	else if (!*name)
		problem_error(l->ps, at, "the name is missing; write the name "
			"of the pool, such as [app]");
	else if (name[strspn(name, NAME_CHARS)])
		problem_error(l->ps, at, "the name contains %s; write only "
			"letters, digits, \"-\", \"_\" and dots, such as [%s]",
			bad_character(name, bad), *mended ? mended : "app");
	else if (name[0] == '.')
		problem_error(l->ps, at, "the name begins with a dot; write a "
			"letter or a digit first, such as [%s]",
			*mended ? mended : "app");
	else
		problem_error(l->ps, at, "the name has %zu characters; write "
			"at most %d", strlen(name), NAME_LEN);
}

static void
on_section(void *user, const char *name, unsigned line)
{
	struct load *l = user;
	const struct conf_pool *same = find_pool(l->conf, name);
	struct conf_origin here = origin_of(l, line);
	struct problem_place at = problem_at(&here, name, NULL);

	l->section = SECTION_GLOBAL;
	if (strcmp(name, GLOBAL_SECTION) == 0)
		return;
	if (strcmp(name, "global") == 0) {
		/* Its keys are checked as those of [fcgipm]. */
		problem_error(l->ps, &at, "write [" GLOBAL_SECTION "]");
		return;
	}
	if (!name_is_valid(name))
		refuse_name(l, name, &at);
	else if (same)
		problem_error(l->ps, &at, "this pool is already in %s:%u; "
			"write its keys there, or rename one",
			same->where.file, same->where.line);
	begin_pool(l, name, &here, same || !name_is_valid(name));
}

static void
on_error(void *user, const char *what, unsigned line)
{
	struct load *l = user;
	struct conf_origin here = origin_of(l, line);
	struct problem_place at = problem_at(&here, NULL, NULL);

	problem_error(l->ps, &at, "%s", what);
}

static int
load_file(struct load *parent, const char *path)
{
	static const struct ini_ops ops = {
		.on_section = on_section,
		.on_key = on_key,
		.on_error = on_error,
	};
	struct load l = *parent;
	struct conf *c = l.conf;
	char *copy = mem_strdup(path), *full = realpath(dirname(copy), NULL);
	struct stat st;
	int rc;

	/* Origins borrow the name while the configuration exists. */
	c->files = mem_realloc(c->files, c->nfiles + 1, sizeof(char *));
	c->files[c->nfiles] = mem_strdup(path);
	l.file = c->files[c->nfiles++];
	l.dir = full ? full : "/";
	l.parent = parent;
	if (stat(path, &st) == 0) {
		l.dev = st.st_dev;
		l.ino = st.st_ino;
	}
	l.depth++;
	l.section = SECTION_NONE;
	rc = ini_read(path, &ops, &l);
	free(full);
	free(copy);
	return rc;
}

int
conf_load(const char *path, struct conf *ret_conf, struct conf_problems *ps)
{
	struct load l = {.conf = ret_conf, .ps = ps, .expand = true};
	struct conf_origin file = {.file = path};
	struct problem_place at;

	conf_init(ret_conf);
	if (load_file(&l, path) < 0)
		return -1;
	file.order = ret_conf->nlines + 1;
	at = problem_at(&file, NULL, NULL);
	if (ret_conf->npools == 0 && ps->nerrors == 0)
		problem_error(ps, &at, "no pool; write a section with its "
			"name, such as [app], and in it listen and handler");
	return conf_check(ret_conf, ps);
}

/* One option, as a line of a file would set it. */
static int
set_option(struct conf *c, struct conf_pool *p, const char *key,
	const char *value, struct conf_problems *ps)
{
	struct load l = {.conf = c, .ps = ps, .file = "option"};
	size_t before = ps->nerrors;
	char cwd[PATH_MAX];

	l.dir = getcwd(cwd, sizeof(cwd)) ? cwd : "/";
	set_key(&l, p, key, value, 0);
	return ps->nerrors == before ? 0 : -1;
}

int
conf_pool_set(struct conf *c, struct conf_pool *p, const char *key,
	const char *value, struct conf_problems *ps)
{
	return set_option(c, p, key, value, ps);
}

int
conf_set(struct conf *c, const char *key, const char *value,
	struct conf_problems *ps)
{
	return set_option(c, NULL, key, value, ps);
}

static void
free_pool(struct conf_pool *p)
{
	size_t n, i;
	const struct table_row *rows = table_pool_rows(&n);

	for (i = 0; i < n; i++) {
		table_free_value(&rows[i], p);
		free(p->texts[i]);
	}
	free(p->name);
}

void
conf_free(struct conf *c)
{
	size_t n, i;
	const struct table_row *rows = table_global_rows(&n);

	for (i = 0; i < n; i++) {
		table_free_value(&rows[i], c);
		free(c->texts[i]);
	}
	for (i = 0; i < c->npools; i++)
		free_pool(&c->pools[i]);
	for (i = 0; i < c->nfiles; i++)
		free(c->files[i]);
	free(c->pools);
	free(c->files);
	*c = (struct conf){0};
}

const struct conf_key *
conf_pool_key(size_t i)
{
	size_t n;
	const struct table_row *rows = table_pool_rows(&n);

	return i < n ? &rows[i].key : NULL;
}

const struct conf_key *
conf_global_key(size_t i)
{
	size_t n;
	const struct table_row *rows = table_global_rows(&n);

	return i < n ? &rows[i].key : NULL;
}

const char *
conf_pool_text(const struct conf_pool *p, size_t i)
{
	return p->texts[i];
}
