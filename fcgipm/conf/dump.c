/*
 * dump.c - the configuration in force, for -tt; see conf.h
 */
#include <string.h>

#include "conf/table.h"

/* % and ${ would be expanded when the dump is read again. */
static void
put_value(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '%' || (text[0] == '$' && text[1] == '{'))
			putc('%', out);
		putc(*text, out);
	}
}

static void
dump_map(const struct table_row *row, const struct conf_map *map, FILE *out)
{
	int len = (int)strcspn(row->key.name, "[");
	size_t i;

	for (i = 0; i < map->n; i++) {
		fprintf(out, "; %s:%u\n%.*s[%s] = ",
			map->v[i].where.file ? map->v[i].where.file : "option",
			map->v[i].where.line, len, row->key.name,
			map->v[i].name);
		put_value(map->v[i].value, out);
		putc('\n', out);
	}
}

static void
dump_rows(const struct table_row *rows, size_t n, const void *base,
	const struct conf_origin *origins, char *const *texts, FILE *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (table_is_map(&rows[i])) {
			dump_map(&rows[i], (const void *)((const char *)base +
						   rows[i].offset), out);
			continue;
		}
		if (!texts[i]) {
			fprintf(out, "; default: %s = %s\n", rows[i].key.name,
				rows[i].key.dflt);
			continue;
		}
		fprintf(out, "; %s:%u\n%s = ",
			origins[i].file ? origins[i].file : "option",
			origins[i].line, rows[i].key.name);
		put_value(texts[i], out);
		putc('\n', out);
	}
}

void
conf_dump(const struct conf *c, FILE *out)
{
	size_t n, i;
	const struct table_row *rows = table_global_rows(&n);

	fputs("[fcgipm]\n", out);
	dump_rows(rows, n, c, c->origins, c->texts, out);
	rows = table_pool_rows(&n);
	for (i = 0; i < c->npools; i++) {
		fprintf(out, "\n[%s]\n", c->pools[i].name);
		dump_rows(rows, n, &c->pools[i], c->pools[i].origins,
			c->pools[i].texts, out);
	}
}
