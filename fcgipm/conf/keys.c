/*
 * keys.c - finds where a pool's key was written, and whether it applies; see
 * keys.h
 *
 * Called by conf/check, conf/check_files and conf/dump.
 */
#include <stddef.h>
#include <string.h>

#include "base/util.h"
#include "conf/keys.h"
#include "conf/table.h"

struct problem_place
keys_place(const struct conf_pool *p, const char *key)
{
	size_t n;
	const struct table_row *rows = table_pool_rows(&n);
	int i = table_find(rows, n, key);
	const struct conf_origin *o = i >= 0 ? &p->origins[i] : NULL;
	const struct conf_pair *pair = NULL;

	/* env[TZ] has its own line; env[NAME] is any of them. */
	if (i >= 0 && table_is_map(&rows[i]) &&
		strcmp(key, rows[i].key.name) != 0)
		pair = table_find_pair(&rows[i], (void *)p, key);
	if (pair)
		o = &pair->where;
	return problem_at(o && o->file ? o : &p->where, p->name, key);
}

bool
keys_is_set(const struct conf_pool *p, const char *key)
{
	size_t n;
	const struct table_row *rows = table_pool_rows(&n);
	int i = table_find(rows, n, key);

	return i >= 0 && p->origins[i].file;
}

static bool
has_address(const struct conf_pool *p, bool (*is)(const struct addr *a))
{
	size_t i;

	for (i = 0; i < p->nlisten; i++)
		if (is(&p->listen[i]))
			return true;
	return false;
}

static bool
recycles(const struct conf_pool *p)
{
	return p->max_requests > 0 || p->max_age_ms > 0 ||
		p->max_memory_bytes > 0;
}

/* Of rows that depend on more than the mode. */
static bool
applies(const struct conf_pool *p, const char *key)
{
	static const char *const of_path[] = {"listen.owner", "listen.group",
		"listen.mode"};
	static const char *const of_dynamic[] = {"pm.start_servers",
		"pm.min_spare_servers", "pm.max_spare_servers"};
	static const char *const of_docroot[] = {"cgi.split_path", "cgi.index",
		"cgi.extensions", "cgi.interpreter", "cgi.interpreter[.EXT]"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(of_path); i++)
		if (strcmp(key, of_path[i]) == 0)
			return has_address(p, addr_is_path);
	for (i = 0; i < ARRAY_SIZE(of_dynamic); i++)
		if (strcmp(key, of_dynamic[i]) == 0)
			return p->pm == CONF_PM_DYNAMIC;
	for (i = 0; i < ARRAY_SIZE(of_docroot); i++)
		if (strcmp(key, of_docroot[i]) == 0)
			return p->docroot;
	if (strcmp(key, "listen.allowed_clients") == 0)
		return has_address(p, addr_is_tcp);
	if (strcmp(key, "handler") == 0 || strcmp(key, "handler_args") == 0)
		return p->handler;
	if (strcmp(key, "pm.max_spawn_rate") == 0)
		return p->pm != CONF_PM_STATIC;
	if (strcmp(key, "pm.process_idle_timeout") == 0)
		return p->pm == CONF_PM_ONDEMAND;
	if (strcmp(key, "pm.max_retiring") == 0)
		return recycles(p);
	if (strcmp(key, "slowlog") == 0)
		return p->request_slowlog_timeout_ms > 0;
	if (strcmp(key, "accelerate") == 0)
		return p->observe != CONF_OBSERVE_KERNEL && !p->chroot &&
			!has_address(p, addr_is_tcp);
	return true;
}

bool
keys_apply(const struct conf_pool *p, const struct table_row *row)
{
	enum table_scope other = p->mode == CONF_MODE_CGI ? TABLE_PREFORK :
							    TABLE_CGI;

	return row->scope != other && applies(p, row->key.name);
}

bool
conf_pool_is_set(const struct conf_pool *p, const char *key)
{
	return keys_is_set(p, key);
}

void
conf_problem_add(struct conf_problems *ps, bool warning, const struct conf *c,
	const struct conf_pool *p, const char *key, const char *fmt, ...)
{
	size_t n;
	const struct table_row *rows = table_global_rows(&n);
	int i = p ? -1 : table_find(rows, n, key);
	const struct conf_origin none = {0};
	struct problem_place at = p ? keys_place(p, key) :
		problem_at(i >= 0 ? &c->origins[i] : &none, "fcgipm", key);
	va_list ap;

	va_start(ap, fmt);
	problem_add(ps, warning, &at, fmt, ap);
	va_end(ap);
}

bool
conf_key_has_error(const struct conf_problems *ps, const struct conf_pool *p,
	const char *key)
{
	size_t n, i;
	const struct table_row *rows = table_pool_rows(&n);
	int row = table_find(rows, n, key);
	const struct conf_origin *o = row >= 0 ? &p->origins[row] : NULL;

	for (i = 0; o && o->file && i < ps->n; i++)
		if (!ps->v[i].warning && ps->v[i].order == o->order)
			return true;
	return false;
}

void
conf_problems_sort(struct conf_problems *ps)
{
	problem_sort(ps);
}
