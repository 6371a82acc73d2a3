/*
 * control.h - control socket server: reads requests of fcgipmctl, sends answers
 *
 * A request is one line with a JSON object, such as {"cmd": "status"}.  Its
 * answer is one line with an object, too (master/commands).
 * A client cannot block the supervisor.  The number of clients, the length of a
 * line and the time until the next line are limited, and an answer waits in
 * memory until its client reads it.
 */
#ifndef FCGIPM_MASTER_CONTROL_H
#define FCGIPM_MASTER_CONTROL_H

#include <stddef.h>

struct conf;
struct control;
struct loop;
struct pool;

/*
 * control_open - open the control socket, as the configuration says
 *
 * pools	borrowed until control_close()
 * ret		NULL when there is no socket: control = none, or the default
 *		path cannot be used, which is logged
 * returns	0; -1 when the path of the key control cannot be used, which is
 *		logged
 */
int control_open(struct control **ret, struct loop *loop,
	const struct conf *conf, struct pool *pools, size_t npools);

/* Removes the path, so that the next supervisor can use it.  Connected clients
 * are still answered. */
void control_unlink(struct control *c);
void control_close(struct control **c);

#endif
