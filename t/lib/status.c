/*
 * status.c - asks the daemon by fcgipmctl status; see status.h
 */
#include <jansson.h>

#include "status.h"

char *
status_ask(struct world *w, const char *option, const char *pool, int want)
{
	const char *argv[] = {"fcgipmctl", "status", "-s",
		world_path(w, "run/control.sock"), option, pool, NULL};
	char *out;
	int code = world_run(w, argv, &out);

	cr_assert_eq(code, want, "exit status %d: %s", code, out);
	return out;
}

/* The object of a pool; the caller calls json_decref(). */
static json_t *
ask_pool(struct world *w, const char *pool)
{
	char *out = status_ask(w, "-j", pool, 0);
	json_t *all = json_loads(out, 0, NULL), *one;

	cr_assert(all, "not JSON: %s", out);
	one = json_incref(json_array_get(json_object_get(all, "pools"), 0));
	cr_assert_str_eq(json_string_value(json_object_get(one, "pool")),
		pool);
	json_decref(all);
	return one;
}

/* The member "a.b.c" of an object; a number is an index of an array. */
static const json_t *
member(const json_t *at, const char *path)
{
	char name[64];

	while (at && *path) {
		size_t len = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		at = json_is_array(at) ?
			json_array_get(at, (size_t)atoi(name)) :
			json_object_get(at, name);
		path += len + (path[len] == '.');
	}
	return at;
}

int64_t
status_number(struct world *w, const char *pool, const char *path)
{
	json_t *all = ask_pool(w, pool);
	const json_t *v = member(all, path);
	int64_t n;

	cr_assert(json_is_integer(v), "%s is not a number", path);
	n = json_integer_value(v);
	json_decref(all);
	return n;
}

/* A value as text: a number, a string, "null", or "?" for other types. */
static void
print(const json_t *v, char *buf, size_t size)
{
	if (json_is_string(v))
		snprintf(buf, size, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(buf, size, "%lld", (long long)json_integer_value(v));
	else
		snprintf(buf, size, "%s", json_is_null(v) ? "null" : "?");
}

struct wish {
	struct world *w;
	const char *pool, *path;
	const char *want;	/* ">0", or the value */
	char got[300];
};

static bool
is_so(void *arg)
{
	struct wish *i = arg;
	json_t *pool = ask_pool(i->w, i->pool);
	const json_t *v = member(pool, i->path);

	print(v, i->got, sizeof(i->got));
	json_decref(pool);
	return strcmp(i->want, ">0") == 0 ? atoll(i->got) > 0 :
					    strcmp(i->got, i->want) == 0;
}

void
status_expect(struct world *w, const char *pool, const char *path,
	const char *want)
{
	struct wish i = {.w = w, .pool = pool, .path = path, .want = want};

	world_until(is_so, &i, own_text("%s: %s is %s", pool, path, want));
}

void
status_expect_stays(struct world *w, const char *pool, const char *path,
	const char *want)
{
	struct wish i = {.w = w, .pool = pool, .path = path, .want = want};

	status_expect(w, pool, path, want);
	world_stays(is_so, &i, own_text("%s: %s is %s", pool, path, want));
}
