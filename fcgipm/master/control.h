/*
 * control.h - the socket where fcgipmctl asks
 *
 * A line in is one JSON object, {"cmd": "status"}; each is answered by a line,
 * which holds an object too (master/commands.h).
 * Nobody who asks can hold the supervisor up: few clients at once, short
 * lines, answers that wait for their reader, and little patience.
 */
#ifndef FCGIPM_MASTER_CONTROL_H
#define FCGIPM_MASTER_CONTROL_H

#include <stddef.h>

struct conf;
struct control;
struct loop;
struct pool;

/*
 * control_open - open the socket that the configuration names
 *
 * pools	borrowed, as long as the control
 * ret		NULL when there is none: control = none, or the default place
 *		is no good, which the log tells
 * returns	0; -1 when the place that was written is no good, which the
 *		log tells too
 */
int control_open(struct control **ret, struct loop *loop,
	const struct conf *conf, struct pool *pools, size_t npools);

/* Nobody new finds it: its path is free for the next supervisor. */
void control_unlink(struct control *c);
void control_close(struct control **c);

#endif
