/*
 * commands.h - executes one command, returns its JSON answer
 *
 * A request is a JSON object with a member "cmd".  The answer is an object, too:
 * for an invalid request, {"error": "..."}.
 */
#ifndef FCGIPM_MASTER_COMMANDS_H
#define FCGIPM_MASTER_COMMANDS_H

#include <stddef.h>

struct emit;
struct status_view;

/* Executes the request in the len bytes at line and adds its answer to e.  The
 * bytes need not be JSON. */
void commands_answer(const struct status_view *v, const char *line, size_t len,
	struct emit *e);
/* Adds an answer with this error and the names of all commands. */
void commands_refuse(struct emit *e, const char *error);

#endif
