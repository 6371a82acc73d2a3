/*
 * dump.c - prints the effective configuration, for fcgipm -tt; see conf.h
 *
 * Called by master/main.  A line is "key = value    ; ORIGIN": conf/ini knows
 * this form, and leaves the comment out when the output is read again.
 */
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/mem.h"
#include "conf/keys.h"
#include "conf/table.h"

/* Prints a line; control characters are escaped on a terminal. */
static void
put_line(FILE *out, char *line)
{
	char *clean = isatty(fileno(out)) ? escape_text(line) : NULL;

	fprintf(out, "%s\n", clean ? clean : line);
	free(clean);
	free(line);
}

/* Escapes % and ${, which a file expands. */
static char *
quote_value(const char *text)
{
	char *quoted = mem_calloc(strlen(text) + 1, 2), *to = quoted;

	for (; *text; text++) {
		if (*text == '%' || (text[0] == '$' && text[1] == '{'))
			*to++ = '%';
		*to++ = *text;
	}
	return quoted;
}

static void
put_key(FILE *out, const char *key, const char *value,
	const struct conf_origin *origin)
{
	char *quoted = quote_value(value);

	if (strchr(quoted, '\n'))
		/* A variable of the environment may have lines. */
		put_line(out, mem_printf("; %s: its value has several lines, "
			"which a file cannot hold", key));
	else if (!origin->file)
		put_line(out, mem_printf("%s = %s    ; default", key, quoted));
	else if (origin->line == 0)
		put_line(out, mem_printf("%s = %s    ; option", key, quoted));
	else
		put_line(out, mem_printf("%s = %s    ; %s:%u", key, quoted,
			origin->file, origin->line));
	free(quoted);
}

static void
put_map(FILE *out, const struct table_row *row, const struct conf_map *map)
{
	int len = (int)strcspn(row->key.name, "[");
	char *key;
	size_t i;

	for (i = 0; i < map->n; i++) {
		key = mem_printf("%.*s[%s]", len, row->key.name,
			map->v[i].name);
		put_key(out, key, map->v[i].value, &map->v[i].where);
		free(key);
	}
}

/* -- defaults that depend on other things ---------------------------------- */

static char *
user_name(const char *user)
{
	const struct passwd *pw = user ? NULL : getpwuid(geteuid());

	if (user)
		return mem_strdup(user);
	return pw ? mem_strdup(pw->pw_name) :
		    mem_printf("%u", (unsigned)geteuid());
}

/* The group of the pool's user, or of this process. */
static char *
group_name(const char *user)
{
	const struct passwd *pw = user ? getpwnam(user) : NULL;
	const struct group *gr;
	gid_t gid = pw ? pw->pw_gid : getegid();

	if (user && !pw)
		pw = getpwuid((uid_t)strtoul(user, NULL, 10));
	if (user)
		gid = pw ? pw->pw_gid : (gid_t)strtoul(user, NULL, 10);
	gr = getgrgid(gid);
	return gr ? mem_strdup(gr->gr_name) : mem_printf("%u", (unsigned)gid);
}

static char *
number(unsigned n)
{
	return mem_printf("%u", n);
}

/* The default of a pool's key; NULL = it is not set. */
static char *
pool_default(const struct conf_pool *p, const struct table_row *row)
{
	const char *key = row->key.name;
	char *path, *dir;

	if (strcmp(key, "user") == 0)
		return user_name(NULL);
	if (strcmp(key, "listen.owner") == 0)
		return user_name(p->user);
	if (strcmp(key, "group") == 0)
		return group_name(p->user);
	if (strcmp(key, "listen.group") == 0)
		return p->group ? mem_strdup(p->group) : group_name(p->user);
	if (strcmp(key, "pm.max_children") == 0)
		return number(p->max_children);
	if (strcmp(key, "pm.start_servers") == 0)
		return number(p->start_servers);
	if (strcmp(key, "pm.max_spare_servers") == 0)
		return number(p->max_spare_servers);
	if (strcmp(key, "chdir") == 0 && p->handler) {
		path = mem_strdup(p->handler);
		dir = mem_strdup(dirname(path));
		free(path);
		return dir;
	}
	return row->type == TABLE_PATH || row->type == TABLE_NAMES ||
			row->type == TABLE_CIDRS || row->type == TABLE_ARGS ||
			row->type == TABLE_LISTEN ?
		NULL : mem_strdup(row->key.dflt);
}

/* The default of a key of [fcgipm]; NULL = it is not set. */
static char *
global_default(const struct table_row *row)
{
	const char *key = row->key.name;

	if (strcmp(key, "control.owner") == 0)
		return user_name(NULL);
	if (strcmp(key, "control.group") == 0)
		return group_name(NULL);
	return row->type == TABLE_PATH ? NULL : mem_strdup(row->key.dflt);
}

/* -------------------------------------------------------------------------- */

static void
put_row(FILE *out, const struct table_row *row,
	const struct conf_origin *origin, const char *text, char *dflt)
{
	static const struct conf_origin none = {0};

	if (text)
		put_key(out, row->key.name, text, origin);
	else if (dflt)
		put_key(out, row->key.name, dflt, &none);
	else
		put_line(out, mem_printf(";%s =    ; not set", row->key.name));
	free(dflt);
}

static void
dump_pool(const struct conf_pool *p, FILE *out)
{
	size_t n, i;
	const struct table_row *rows = table_pool_rows(&n);

	fprintf(out, "\n[%s]\n", p->name);
	for (i = 0; i < n; i++) {
		const void *at = (const char *)p + rows[i].offset;

		if (!keys_apply(p, &rows[i]))
			continue;
		if (table_is_map(&rows[i]))
			put_map(out, &rows[i], at);
		else
			put_row(out, &rows[i], &p->origins[i], p->texts[i],
				p->texts[i] ? NULL :
					pool_default(p, &rows[i]));
	}
}

/* A start succeeds without the default socket, but not without one that was
 * written: so the default stays a comment. */
static void
put_control(FILE *out)
{
	char *path = conf_control_place();

	put_line(out, mem_printf(";control = %s    ; default",
		path ? path : "none"));
	free(path);
}

void
conf_dump(const struct conf *c, FILE *out)
{
	size_t n, i;
	const struct table_row *rows = table_global_rows(&n);
	const bool none = c->control && strcmp(c->control, "none") == 0;

	fputs("[fcgipm]\n", out);
	for (i = 0; i < n; i++) {
		if (none && strncmp(rows[i].key.name, "control.", 8) == 0)
			continue;
		if (strcmp(rows[i].key.name, "control") == 0 && !c->texts[i])
			put_control(out);
		else
			put_row(out, &rows[i], &c->origins[i], c->texts[i],
				c->texts[i] ? NULL : global_default(&rows[i]));
	}
	for (i = 0; i < c->npools; i++)
		dump_pool(&c->pools[i], out);
}
