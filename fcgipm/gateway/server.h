/*
 * server.h - accepts connections on the gateway's listening sockets
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
	struct gateway gw;	/* shared by connections and requests; points to
				 * capacity and reaper */
	struct capacity capacity;
	struct reaper reaper;
	struct conn_set conns;	/* draining: exit when all is done */
	struct server_listener *listeners;
	size_t nlisteners;
	bool paused;		/* listeners are not watched */
	struct loop_timer retry_timer;	/* resumes accepting after EMFILE */
	struct loop_task idle_task;	/* quits the loop after the last one */
};

/*
 * server_init - serve on these listening sockets
 *
 * fds, n	taken; made non-blocking, since CGI programs never accept on
 *		them
 * returns	0, or -1 with errno
 */
int server_init(struct server *srv, struct loop *loop,
	const struct gateway_opts *opts, const int *fds, size_t n);
void server_fini(struct server *srv);

/* On SIGCHLD: reaps programs. */
void server_reap(struct server *srv);

/* Accepts what is in the listen queues, then no more, and quits the loop when
 * the last request is answered and the last program reaped. */
void server_drain(struct server *srv);
/* Kills all programs and quits the loop. */
void server_abort(struct server *srv);

#endif
