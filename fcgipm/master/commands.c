/*
 * commands.c - executes one command of a control client; see commands.h
 *
 * Called by master/control with each line that a client sent.  The answer of
 * "status" is built by master/status.
 */
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/emit.h"
#include "base/util.h"
#include "conf/conf.h"
#include "master/commands.h"
#include "master/status.h"
#include "pool/pool.h"

struct command {
	const char *name;
	void (*run)(const struct status_view *v, const json_t *request,
		struct emit *e);
};

/* The error, and an array of the valid names as the member called list. */
static void
begin_error(struct emit *e, const char *error, const char *list)
{
	emit_begin(e, '{');
	emit_member(e, "error", error);
	emit_name(e, list);
	emit_begin(e, '[');
}

static void
end_error(struct emit *e)
{
	emit_end(e, ']');
	emit_end(e, '}');
}

static void
run_status(const struct status_view *v, const json_t *request, struct emit *e)
{
	const json_t *pool = json_object_get(request, "pool");
	const char *name = json_string_value(pool);
	size_t i;

	if ((!pool || name) && status_answer(v, name, e))
		return;
	begin_error(e, "no such pool", "pools");
	for (i = 0; i < v->npools; i++)
		emit_text(e, v->pools[i].conf->name,
			strlen(v->pools[i].conf->name));
	end_error(e);
}

static const struct command commands[] = {
	{"status", run_status},
};

void
commands_refuse(struct emit *e, const char *error)
{
	size_t i;

	begin_error(e, error, "commands");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		emit_text(e, commands[i].name, strlen(commands[i].name));
	end_error(e);
}

void
commands_answer(const struct status_view *v, const char *line, size_t len,
	struct emit *e)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES,
		&error);
	const char *name = json_string_value(json_object_get(request, "cmd"));
	size_t i;

	if (!request)
		commands_refuse(e, error.text);
	else if (!name)
		commands_refuse(e, "missing member \"cmd\"; send an object "
			"such as {\"cmd\": \"status\"}");
	for (i = 0; name && i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			break;
	if (name && i == ARRAY_SIZE(commands))
		commands_refuse(e, "unknown command");
	else if (name)
		commands[i].run(v, request, e);
	json_decref(request);
}
