/*
 * server.h - the listeners of the gateway, and its end
 */
#ifndef FCGIPM_GATEWAY_SERVER_H
#define FCGIPM_GATEWAY_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "gateway/capacity.h"
#include "gateway/conn.h"
#include "gateway/gateway.h"
#include "gateway/reaper.h"

struct server;

struct server_listener {
	struct loop_io io;
	struct server *srv;
	int fd;			/* -1 once closed */
	bool tcp;
};

struct server {
	struct gateway gw;	/* what connections and requests share: */
	struct capacity capacity;
	struct reaper reaper;
	struct conn_set conns;	/* draining: leave when all is done */
	struct server_listener *listeners;
	size_t nlisteners;
	bool paused;		/* listeners are not watched */
	struct loop_timer retry_timer;	/* of accept, after EMFILE */
	struct loop_task idle_task;	/* was that the last one? */
};

/*
 * server_init - serve on these listening sockets
 *
 * fds, n	taken; made non-blocking, since a program of ours never
 *		accepts on them
 * returns	0, or -1 with errno
 */
int server_init(struct server *srv, struct loop *loop,
	const struct gateway_opts *opts, const int *fds, size_t n);
void server_fini(struct server *srv);

/* SIGCHLD came. */
void server_reap(struct server *srv);

/* Takes what is queued, accepts no more, and quits the loop when the last
 * request is answered and the last program reaped. */
void server_drain(struct server *srv);
/* Kills what runs and quits the loop. */
void server_abort(struct server *srv);

#endif
