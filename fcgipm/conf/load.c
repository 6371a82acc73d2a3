/*
 * load.c - the configuration, from a file or from options; see conf.h
 *
 * Called by master/main and gateway/main.  Reads everything, tells every
 * error, and leaves keys that must agree with each other to check.c.
 */
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
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
	const char *file;	/* as told in messages */
	const char *dir;	/* its folder */
	const struct load *parent;	/* the file that includes it */
	dev_t dev;		/* which file it is */
	ino_t ino;
	int depth;
	bool expand;		/* values may hold ${VAR} and %n */
	/* The section: -1 none yet, -2 one with an error, -3 [fcgipm],
	 * else the pool's index. */
	long section;
};

enum { SECTION_NONE = -1, SECTION_BAD = -2, SECTION_GLOBAL = -3 };

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

/*
 * A key's value, expanded if it comes from a file (a shell has expanded
 * options), and set.  NULL, or what to write instead.
 */
static const char *
set_value(struct load *l, const struct table_row *row, void *base,
	char **ret_text, const char *pool, const char *key, const char *value)
{
	const char *why = NULL;
	char *text = l->expand ? value_expand(value, pool, &why) :
				 mem_strdup(value);

	if (!text)
		return why;
	why = table_set(row, base, key, text, l->dir);
	if (why || table_is_map(row)) {
		free(text);
		return why;
	}
	free(*ret_text);
	*ret_text = text;
	if (row->type == TABLE_PATH) {
		/* Read again elsewhere, it has to mean the same. */
		free(text);
		*ret_text = mem_strdup(
			*(char **)((char *)base + row->offset));
	}
	return NULL;
}

static void
unknown_key(struct load *l, const struct table_row *rows, size_t n,
	const char *at, const char *key)
{
	const char *hint = table_hint(key);
	const char *near = table_nearest(rows, n, key);
	size_t npool, nglobal;
	const struct table_row *pool = table_pool_rows(&npool);
	const struct table_row *global = table_global_rows(&nglobal);

	if (rows == global && table_find(pool, npool, key) >= 0)
		problem_error(l->ps, "%s: move it to a pool's section", at);
	else if (rows == pool && (strcmp(key, "include") == 0 ||
				 table_find(global, nglobal, key) >= 0))
		problem_error(l->ps, "%s: move it to [" GLOBAL_SECTION "]",
			at);
	else if (hint)
		problem_error(l->ps, "%s: no such key; %s", at, hint);
	else if (near)
		problem_error(l->ps, "%s: no such key; did you mean %s?", at,
			near);
	else
		problem_error(l->ps, "%s: no such key; see fcgipm.ini(5)", at);
}

/* What a number may be, in the words of the file; "" for any. */
static const char *
range_of(const struct table_row *row, char *buf, size_t size)
{
	buf[0] = '\0';
	if (row->type == TABLE_OCTAL)
		snprintf(buf, size, " (0 to 0%llo)", (long long)row->max);
	else if (row->type == TABLE_TIME)
		snprintf(buf, size, " (at most %lldh)",
			(long long)row->max / 3600000);
	else if (row->max > 0)
		snprintf(buf, size, " (%lld to %lld)", (long long)row->min,
			(long long)row->max);
	return buf;
}

static void
set_key(struct load *l, const struct table_row *rows, size_t n, void *base,
	struct conf_origin *origins, char **texts, const char *section,
	const char *key, const char *value, unsigned line)
{
	struct conf_origin here = {.file = l->file, .line = line};
	struct problem_place at = problem_at(&here, section, key);
	struct conf_pair *pair = NULL;
	struct conf_origin before;
	int i = table_find(rows, n, key);
	const char *why;
	char range[64];

	if (i < 0) {
		unknown_key(l, rows, n, at.text, key);
		return;
	}
	before = origins[i];
	if (table_is_map(&rows[i])) {
		pair = table_find_pair(&rows[i], base, key);
		before = pair ? pair->where : (struct conf_origin){0};
	}
	if (before.file) {
		problem_error(l->ps, "%s: it is set already in %s:%u; remove "
			"one", at.text, before.file, before.line);
		return;
	}
	why = set_value(l, &rows[i], base, &texts[i], section, key, value);
	if (why && rows[i].type == TABLE_WORD)
		problem_error(l->ps, "%s: write %s, not \"%.64s\"", at.text,
			rows[i].key.type, value);
	else if (why)
		problem_error(l->ps, "%s: %s%s, not \"%.64s\"", at.text, why,
			range_of(&rows[i], range, sizeof(range)), value);
	origins[i] = here;
	if (!why && table_is_map(&rows[i]))
		table_find_pair(&rows[i], base, key)->where = here;
}

/* Is path the file being read, or one of those that include it? */
static bool
is_circle(const struct load *l, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	for (; l; l = l->parent)
		if (l->ino == st.st_ino && l->dev == st.st_dev)
			return true;
	return false;
}

static void
include_files(struct load *l, const char *pattern, const char *at)
{
	char *path = pattern[0] == '/' ? mem_strdup(pattern) :
					 mem_printf("%s/%s", l->dir, pattern);
	glob_t found;
	size_t i;
	int rc = glob(path, 0, NULL, &found);

	if (rc == GLOB_NOMATCH && !strpbrk(pattern, "*?["))
		problem_error(l->ps, "%s: %s: no such file", at, path);
	else if (rc != 0 && rc != GLOB_NOMATCH)
		problem_error(l->ps, "%s: %s cannot be read", at, path);
	for (i = 0; rc == 0 && i < found.gl_pathc; i++)
		if (is_circle(l, found.gl_pathv[i]) ||
			l->depth >= INCLUDE_DEPTH)
			problem_error(l->ps, "%s: files include each other; "
				"break the circle at %s", at,
				found.gl_pathv[i]);
		else
			(void)load_file(l, found.gl_pathv[i]);
	globfree(&found);
	free(path);
}

/* include = GLOB, relative to the file it stands in. */
static void
include(struct load *l, const char *value, unsigned line)
{
	struct conf_origin here = {.file = l->file, .line = line};
	struct problem_place at = problem_at(&here, GLOBAL_SECTION, "include");
	const char *why = NULL;
	char *pattern = value_expand(value, NULL, &why);

	if (!pattern)
		problem_error(l->ps, "%s: %s, not \"%.64s\"", at.text, why,
			value);
	else if (!*pattern)
		problem_error(l->ps, "%s: write a file or a pattern", at.text);
	else
		include_files(l, pattern, at.text);
	free(pattern);
}

static void
on_key(void *user, const char *key, const char *value, unsigned line)
{
	struct load *l = user;
	const struct table_row *rows;
	size_t n;

	if (l->section == SECTION_BAD)
		return;
	if (l->section == SECTION_NONE) {
		problem_error(l->ps,
			"%s:%u: %s: write a section above it, [fcgipm] or a "
			"pool's name", l->file, line, key);
		return;
	}
	if (l->section == SECTION_GLOBAL) {
		if (strcmp(key, "include") == 0) {
			include(l, value, line);
			return;
		}
		rows = table_global_rows(&n);
		set_key(l, rows, n, l->conf, l->conf->origins, l->conf->texts,
			GLOBAL_SECTION, key, value, line);
		return;
	}
	struct conf_pool *p = &l->conf->pools[l->section];

	rows = table_pool_rows(&n);
	set_key(l, rows, n, p, p->origins, p->texts, p->name, key, value,
		line);
}

/* A pool's name stands in logs and paths (%n). */
static bool
name_is_good(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(name);

	return len > 0 && len <= 64 && strspn(name, good) == len &&
		name[0] != '.';
}

static void
on_section(void *user, const char *name, unsigned line)
{
	struct load *l = user;
	struct conf_pool *p;
	size_t i;

	if (strcmp(name, GLOBAL_SECTION) == 0) {
		l->section = SECTION_GLOBAL;
		return;
	}
	l->section = SECTION_BAD;
	if (strcmp(name, "global") == 0) {
		problem_error(l->ps,
			"%s:%u: [global]: write [fcgipm], the supervisor's "
			"section here", l->file, line);
		return;
	}
	if (!name_is_good(name)) {
		problem_error(l->ps,
			"%s:%u: [%s]: name a pool with letters, digits, - _ "
			"and dots, 64 at most", l->file, line, name);
		return;
	}
	for (i = 0; i < l->conf->npools; i++)
		if (strcmp(l->conf->pools[i].name, name) == 0) {
			problem_error(l->ps,
				"%s:%u: [%s]: there is a pool of this name "
				"already in %s:%u; choose another", l->file,
				line, name, l->conf->pools[i].where.file,
				l->conf->pools[i].where.line);
			return;
		}
	p = conf_add_pool(l->conf, name);
	p->where = (struct conf_origin){.file = l->file, .line = line};
	l->section = (long)l->conf->npools - 1;
}

static void
on_error(void *user, const char *what, unsigned line)
{
	struct load *l = user;

	if (line > 0)
		problem_error(l->ps, "%s:%u: %s", l->file, line, what);
	else
		problem_error(l->ps, "%s: %s", l->file, what);
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

	/* Origins borrow the name as long as the configuration lives. */
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

	conf_init(ret_conf);
	if (load_file(&l, path) < 0)
		return -1;
	if (ret_conf->npools == 0 && ps->nerrors == 0)
		problem_error(ps,
			"%s: write at least one pool: a [name] with handler "
			"and listen", path);
	return conf_check(ret_conf, ps);
}

/* One option, as a line of a file would set it. */
static int
set_option(struct conf *c, struct conf_pool *p, const char *key,
	const char *value, struct conf_problems *ps)
{
	struct load l = {.conf = c, .ps = ps, .file = "option"};
	size_t n, before = ps->nerrors;
	const struct table_row *rows;
	char cwd[PATH_MAX];

	l.dir = getcwd(cwd, sizeof(cwd)) ? cwd : "/";
	if (p) {
		rows = table_pool_rows(&n);
		set_key(&l, rows, n, p, p->origins, p->texts, p->name, key,
			value, 0);
	} else {
		rows = table_global_rows(&n);
		set_key(&l, rows, n, c, c->origins, c->texts, GLOBAL_SECTION,
			key, value, 0);
	}
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
