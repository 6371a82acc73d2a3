/*
 * table.c - the table of all keys, with types and defaults; see table.h
 *
 * fcgipm.ini(5) describes each key; a test compares the two.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/util.h"
#include "conf/table.h"
#include "conf/value.h"

static const char *const mode_words[] = {"prefork", "cgi", NULL};
static const char *const pm_words[] = {"static", "dynamic", "ondemand",
	NULL};
static const char *const observe_words[] = {"auto", "kernel", NULL};
static const char *const abort_words[] = {"kill", "finish", NULL};
static const char *const nph_words[] = {"no", "name", "yes", NULL};
static const char *const log_words[] = {"stderr", "syslog", NULL};
static const char *const control_words[] = {"none", NULL};
static const char *const level_words[] = {"error", "warning", "notice",
	"debug", NULL};
static const char *const format_words[] = {"text", "json", NULL};

#define ROW(k, t, d) .key = {.name = k, .type = t, .dflt = d}
/* Passed to the gateway. */
#define GROW(k, t, d) .key = {.name = k, .type = t, .dflt = d, .gateway = true}
/* Passed to the gateway and the refuser. */
#define RROW(k, t, d)                                                          \
	.key = {.name = k, .type = t, .dflt = d, .gateway = true,              \
		.refuser = true}
#define POOL(field) .offset = offsetof(struct conf_pool, field)
#define GLOBAL(field) .offset = offsetof(struct conf, field)
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static const struct table_row pool_rows[] = {
	{ROW("mode", "prefork | cgi", "prefork"),
		.type = TABLE_WORD, POOL(mode), .words = mode_words},
	{ROW("listen", "address list", "required"),
		.type = TABLE_LISTEN, POOL(listen)},
	{ROW("listen.backlog", "number", "4096"),
		.type = TABLE_UINT, POOL(listen_backlog), .min = 1,
		.max = 65535},
	{ROW("listen.owner", "user", "user"),
		.type = TABLE_USER, POOL(listen_owner)},
	{ROW("listen.group", "group", "group"),
		.type = TABLE_GROUP, POOL(listen_group)},
	{ROW("listen.mode", "octal", "0660"),
		.type = TABLE_OCTAL, POOL(listen_mode), .max = 0777},
	{ROW("listen.allowed_clients", "network list", "none"),
		.type = TABLE_CIDRS, POOL(listen_allowed_clients)},
	{ROW("handler", "path", "none"),
		.type = TABLE_PATH, POOL(handler)},
	{GROW("handler_args", "words", "none"),
		.type = TABLE_ARGS, POOL(handler_args)},
	{GROW("docroot", "path", "none"),
		.type = TABLE_PATH, .scope = TABLE_CGI, POOL(docroot)},
	{RROW("user", "user", "that of fcgipm"),
		.type = TABLE_USER, POOL(user)},
	{RROW("group", "group", "that of the user"),
		.type = TABLE_GROUP, POOL(group)},
	{RROW("chroot", "path", "none"),
		.type = TABLE_PATH, POOL(chroot)},
	{ROW("chdir", "path", "the handler's directory"),
		.type = TABLE_PATH, .scope = TABLE_PREFORK, POOL(chdir)},
	{GROW("umask", "octal", "0022"),
		.type = TABLE_OCTAL, POOL(umask), .max = 0777},
	{GROW("process.priority", "number", "0"),
		.type = TABLE_INT, POOL(process_priority), .min = -20,
		.max = 19},
	{ROW("env[NAME]", "text", "none"),
		.type = TABLE_ENV, POOL(env)},
	{ROW("clear_env", "boolean", "yes"),
		.type = TABLE_BOOL, POOL(clear_env)},
	{GROW("rlimit_files", "number", "system"),
		.type = TABLE_LIMIT, POOL(rlimit_files)},
	{GROW("rlimit_core", "size", "system"),
		.type = TABLE_LIMIT, POOL(rlimit_core)},
	{GROW("rlimit_as", "size", "system"),
		.type = TABLE_LIMIT, POOL(rlimit_as)},
	{GROW("rlimit_nproc", "number", "system"),
		.type = TABLE_LIMIT, POOL(rlimit_nproc)},
	{GROW("rlimit_cpu", "number", "system"),
		.type = TABLE_LIMIT, POOL(rlimit_cpu)},
	{GROW("rlimit_fsize", "size", "system"),
		.type = TABLE_LIMIT, POOL(rlimit_fsize)},
	{RROW("no_new_privs", "boolean", "yes"),
		.type = TABLE_BOOL, POOL(no_new_privs)},
	{ROW("pm", "static | dynamic | ondemand", "static"),
		.type = TABLE_WORD, .scope = TABLE_PREFORK, POOL(pm),
		.words = pm_words},
	{GROW("pm.max_children", "number", "4; 32 in cgi mode"),
		.type = TABLE_UINT, POOL(max_children), .min = 1,
		.max = 100000},
	{ROW("pm.start_servers", "number", "mean of min and max"),
		.type = TABLE_UINT, .scope = TABLE_PREFORK,
		POOL(start_servers), .min = 1, .max = 100000},
	{ROW("pm.min_spare_servers", "number", "1"),
		.type = TABLE_UINT, .scope = TABLE_PREFORK,
		POOL(min_spare_servers), .min = 1, .max = 100000},
	{ROW("pm.max_spare_servers", "number", "half of pm.max_children"),
		.type = TABLE_UINT, .scope = TABLE_PREFORK,
		POOL(max_spare_servers), .min = 1, .max = 100000},
	{ROW("pm.max_spawn_rate", "number", "32"),
		.type = TABLE_UINT, .scope = TABLE_PREFORK,
		POOL(max_spawn_rate), .min = 1, .max = 100000},
	{ROW("pm.process_idle_timeout", "time", "10s"),
		.type = TABLE_TIME, .scope = TABLE_PREFORK,
		POOL(process_idle_timeout_ms), .max = DAY_MS},
	{ROW("pm.max_requests", "number", "0"),
		.type = TABLE_UINT, .scope = TABLE_PREFORK,
		POOL(max_requests), .max = INT32_MAX},
	{ROW("pm.max_age", "time", "0"),
		.type = TABLE_TIME, .scope = TABLE_PREFORK, POOL(max_age_ms),
		.max = 365 * DAY_MS},
	{ROW("pm.max_memory", "size", "0"),
		.type = TABLE_SIZE, .scope = TABLE_PREFORK,
		POOL(max_memory_bytes)},
	{ROW("pm.max_retiring", "number", "1"),
		.type = TABLE_UINT, .scope = TABLE_PREFORK,
		POOL(max_retiring), .min = 1, .max = 100000},
	{ROW("observe", "auto | kernel", "auto"),
		.type = TABLE_WORD, .scope = TABLE_PREFORK, POOL(observe),
		.words = observe_words},
	{ROW("accelerate", "boolean", "yes"),
		.type = TABLE_BOOL, .scope = TABLE_PREFORK, POOL(accelerate)},
	{ROW("threads", "number", "1"),
		.type = TABLE_UINT, .scope = TABLE_PREFORK, POOL(threads),
		.min = 1, .max = 1024},
	{RROW("queue_timeout", "time", "0"),
		.type = TABLE_TIME, POOL(queue_timeout_ms),
		.max = DAY_MS},
	{GROW("request_terminate_timeout", "time", "0"),
		.type = TABLE_TIME, POOL(request_terminate_timeout_ms),
		.max = DAY_MS},
	{ROW("request_slowlog_timeout", "time", "0"),
		.type = TABLE_TIME, .scope = TABLE_PREFORK,
		POOL(request_slowlog_timeout_ms), .max = DAY_MS},
	{ROW("slowlog", "path", "none"),
		.type = TABLE_PATH, .scope = TABLE_PREFORK, POOL(slowlog)},
	{ROW("stop_timeout", "time", "30s"),
		.type = TABLE_TIME, POOL(stop_timeout_ms), .max = DAY_MS},
	{ROW("stop_signal", "signal", "TERM"),
		.type = TABLE_SIGNAL, .scope = TABLE_PREFORK,
		POOL(stop_signal)},
	{GROW("cgi.max_body", "size", "0"),
		.type = TABLE_SIZE, .scope = TABLE_CGI,
		POOL(cgi_max_body_bytes)},
	{GROW("cgi.max_header", "size", "64K"),
		.type = TABLE_SIZE, .scope = TABLE_CGI,
		POOL(cgi_max_header_bytes), .min = 256,
		.max = INT64_C(16) << 20},
	{GROW("cgi.idle_timeout", "time", "120s"),
		.type = TABLE_TIME, .scope = TABLE_CGI,
		POOL(cgi_idle_timeout_ms), .max = DAY_MS},
	{GROW("cgi.client_timeout", "time", "60s"),
		.type = TABLE_TIME, .scope = TABLE_CGI,
		POOL(cgi_client_timeout_ms), .max = DAY_MS},
	{GROW("cgi.linger", "time", "1s"),
		.type = TABLE_TIME, .scope = TABLE_CGI, POOL(cgi_linger_ms),
		.max = DAY_MS},
	{GROW("cgi.on_abort", "kill | finish", "kill"),
		.type = TABLE_WORD, .scope = TABLE_CGI, POOL(cgi_on_abort),
		.words = abort_words},
	{GROW("cgi.allow_env", "names", "none"),
		.type = TABLE_NAMES, .scope = TABLE_CGI, POOL(cgi_allow_env)},
	{GROW("cgi.split_path", "boolean", "no"),
		.type = TABLE_BOOL, .scope = TABLE_CGI, POOL(cgi_split_path)},
	{GROW("cgi.index", "names", "none"),
		.type = TABLE_NAMES, .scope = TABLE_CGI, POOL(cgi_index)},
	{GROW("cgi.extensions", "names", "any"),
		.type = TABLE_NAMES, .scope = TABLE_CGI, POOL(cgi_extensions)},
	{GROW("cgi.interpreter", "path", "none"),
		.type = TABLE_PATH, .scope = TABLE_CGI, POOL(cgi_interpreter)},
	{GROW("cgi.interpreter[.EXT]", "path", "none"),
		.type = TABLE_PROGRAMS, .scope = TABLE_CGI,
		POOL(cgi_interpreters)},
	{GROW("cgi.nph", "no | name | yes", "no"),
		.type = TABLE_WORD, .scope = TABLE_CGI, POOL(cgi_nph),
		.words = nph_words},
};

static const struct table_row global_rows[] = {
	{ROW("control", "none | path", "/run/fcgipm/control.sock"),
		.type = TABLE_PLACE, GLOBAL(control), .words = control_words},
	{ROW("control.mode", "octal", "0600"),
		.type = TABLE_OCTAL, GLOBAL(control_mode), .max = 0777},
	{ROW("control.owner", "user", "that of fcgipm"),
		.type = TABLE_USER, GLOBAL(control_owner)},
	{ROW("control.group", "group", "that of fcgipm"),
		.type = TABLE_GROUP, GLOBAL(control_group)},
	{ROW("pid", "path", "none"),
		.type = TABLE_PATH, GLOBAL(pid)},
	{ROW("log", "stderr | syslog | path", "stderr"),
		.type = TABLE_PLACE, GLOBAL(log), .words = log_words},
	{ROW("log_level", "error | warning | notice | debug", "notice"),
		.type = TABLE_WORD, GLOBAL(log_level), .words = level_words},
	{ROW("log_format", "text | json", "text"),
		.type = TABLE_WORD, GLOBAL(log_format),
		.words = format_words},
	{ROW("process.max", "number", "0"),
		.type = TABLE_UINT, GLOBAL(process_max), .max = 10000000},
};

_Static_assert(ARRAY_SIZE(pool_rows) <= CONF_KEYS_MAX, "raise CONF_KEYS_MAX");

const struct table_row *
table_pool_rows(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(pool_rows);
	return pool_rows;
}

const struct table_row *
table_global_rows(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(global_rows);
	return global_rows;
}

bool
table_is_map(const struct table_row *row)
{
	return row->type == TABLE_ENV || row->type == TABLE_PROGRAMS;
}

/* The name in a key's brackets, an extension without its dot. */
static const char *
in_brackets(const struct table_row *row, const char *key, size_t *ret_len)
{
	const char *name = strchr(key, '[') + 1;

	if (row->type == TABLE_PROGRAMS && *name == '.')
		name++;
	*ret_len = strlen(name) - 1;
	return name;
}

static bool
is_map_key(const struct table_row *row, const char *key)
{
	size_t n = strcspn(row->key.name, "[") + 1;

	return strncmp(key, row->key.name, n) == 0 &&
		key[strlen(key) - 1] == ']';
}

int
table_find(const struct table_row *rows, size_t n, const char *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (table_is_map(&rows[i]) ? is_map_key(&rows[i], key) :
			strcmp(rows[i].key.name, key) == 0)
			return (int)i;
	return -1;
}

/* Levenshtein distance of two short words. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[64], la = strlen(a), lb = strlen(b), i, j;

	if (la >= ARRAY_SIZE(row) || lb >= ARRAY_SIZE(row))
		return SIZE_MAX;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (j = 1; j <= lb; j++) {
			size_t above = row[j];
			size_t best = corner + (a[i - 1] != b[j - 1]);

			best = MIN(best, above + 1);
			row[j] = MIN(best, row[j - 1] + 1);
			corner = above;
		}
	}
	return row[lb];
}

const char *
table_nearest(const struct table_row *rows, size_t n, const char *key)
{
	const char *nearest = NULL, *dot;
	size_t best = strlen(key) / 3 + 1, d, i;

	for (i = 0; i < n; i++) {
		d = distance(key, rows[i].key.name);
		/* max_children means pm.max_children */
		dot = strchr(rows[i].key.name, '.');
		if (strcasecmp(rows[i].key.name, key) == 0)
			d = 0;
		if (dot && strcasecmp(dot + 1, key) == 0)
			d = 0;
		if (d <= best && (!nearest || d < best)) {
			best = d;
			nearest = rows[i].key.name;
		}
	}
	return nearest;
}

void
table_set_default(const struct table_row *row, void *base)
{
	void *at = (char *)base + row->offset;
	const char *why = NULL;

	switch (row->type) {
	case TABLE_BOOL:
	case TABLE_WORD:
	case TABLE_UINT:
	case TABLE_INT:
	case TABLE_OCTAL:
	case TABLE_TIME:
	case TABLE_SIZE:
	case TABLE_SIGNAL:
		/* "4; 32 in cgi mode", "mean of min and max": see conf/check */
		if (row->type == TABLE_UINT &&
			row->key.dflt[strspn(row->key.dflt, "0123456789")])
			*(unsigned *)at = 0;
		else
			why = value_parse(row, at, row->key.dflt, "/");
		break;
	case TABLE_PLACE:
		/* A path that depends on the user is found when needed. */
		if (row->key.dflt[0] != '/')
			*(char **)at = mem_strdup(row->key.dflt);
		break;
	default:
		/* "none", "system", "that of fcgipm" is 0 or NULL */
		break;
	}
	if (why)
		BUG("a default that does not parse");
}

struct conf_pair *
table_find_pair(const struct table_row *row, void *base, const char *key)
{
	struct conf_map *map = (void *)((char *)base + row->offset);
	size_t len, i;
	const char *name = in_brackets(row, key, &len);

	for (i = 0; i < map->n; i++)
		if (strlen(map->v[i].name) == len &&
			strncmp(map->v[i].name, name, len) == 0)
			return &map->v[i];
	return NULL;
}

static const char *
set_pair(const struct table_row *row, void *base, const char *key,
	const char *value, const char *dir)
{
	struct conf_map *map = (void *)((char *)base + row->offset);
	bool env = row->type == TABLE_ENV;
	size_t len;
	const char *name = in_brackets(row, key, &len), *why = NULL;
	char *copy;

	if (len == 0 || strcspn(name, env ? "= \t" : "./= \t") < len)
		return env ? "write a name without blanks and = between the "
			     "brackets, such as env[TZ]" :
			     "write one extension between the brackets, such "
			     "as cgi.interpreter[.pl]";
	if (env)
		copy = mem_strdup(value);
	else
		why = value_parse(row, &copy, value, dir);
	if (why)
		return why;
	map->v = mem_realloc(map->v, map->n + 1, sizeof(*map->v));
	map->v[map->n++] = (struct conf_pair){
		.name = mem_strndup(name, len), .value = copy};
	return NULL;
}

const char *
table_set(const struct table_row *row, void *base, const char *key,
	const char *value, const char *dir)
{
	void *at = (char *)base + row->offset;

	if (table_is_map(row))
		return set_pair(row, base, key, value, dir);
	if (row->type == TABLE_LISTEN) {
		struct conf_pool *p = base;

		return value_parse_listen(value, &p->listen, &p->nlisten);
	}
	table_free_value(row, base);
	return value_parse(row, at, value, dir);
}

void
table_free_value(const struct table_row *row, void *base)
{
	void *at = (char *)base + row->offset;
	struct conf_pool *p = base;
	struct conf_list *list;
	struct conf_map *map;
	size_t i;

	switch (row->type) {
	case TABLE_PATH:
	case TABLE_PLACE:
	case TABLE_USER:
	case TABLE_GROUP:
	case TABLE_NAMES:
	case TABLE_CIDRS:
		free(*(char **)at);
		*(char **)at = NULL;
		break;
	case TABLE_ARGS:
		list = at;
		for (i = 0; i < list->n; i++)
			free(list->v[i]);
		free(list->v);
		*list = (struct conf_list){0};
		break;
	case TABLE_LISTEN:
		free(p->listen);
		p->listen = NULL;
		p->nlisten = 0;
		break;
	case TABLE_ENV:
	case TABLE_PROGRAMS:
		map = at;
		for (i = 0; i < map->n; i++) {
			free(map->v[i].name);
			free(map->v[i].value);
		}
		free(map->v);
		*map = (struct conf_map){0};
		break;
	default:
		break;
	}
}
