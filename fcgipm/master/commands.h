/*
 * commands.h - what may be asked of a supervisor
 *
 * A question is a JSON object with a member cmd, an answer is an object too:
 * {"error": "..."} where something was wrong.
 */
#ifndef FCGIPM_MASTER_COMMANDS_H
#define FCGIPM_MASTER_COMMANDS_H

#include <stddef.h>

struct emit;
struct status_view;

/* Whatever len bytes at line are, they are answered. */
void commands_answer(const struct status_view *v, const char *line, size_t len,
	struct emit *e);
/* The answer that says what is wrong, and which commands there are. */
void commands_refuse(struct emit *e, const char *error);

#endif
