/*
 * dump.c - the configuration in force, for -tt; see conf.h
 */
#include <stdlib.h>

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
dump_rows(const struct table_row *rows, size_t n,
	const struct conf_origin *origins, char *const *texts, FILE *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (rows[i].type == TABLE_ENV)
			continue;
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

static void
dump_env(const struct conf_pool *p, FILE *out)
{
	size_t i;

	for (i = 0; i < p->nenv; i++) {
		fprintf(out, "; %s:%u\nenv[%s] = ",
			p->env[i].where.file ? p->env[i].where.file : "option",
			p->env[i].where.line, p->env[i].name);
		put_value(p->env[i].value, out);
		putc('\n', out);
	}
}

void
conf_dump(const struct conf *c, FILE *out)
{
	size_t n, i;
	const struct table_row *rows = table_global_rows(&n);

	fputs("[fcgipm]\n", out);
	dump_rows(rows, n, c->origins, c->texts, out);
	rows = table_pool_rows(&n);
	for (i = 0; i < c->npools; i++) {
		fprintf(out, "\n[%s]\n", c->pools[i].name);
		dump_rows(rows, n, c->pools[i].origins, c->pools[i].texts,
			out);
		dump_env(&c->pools[i], out);
	}
}
