/*
 * server.h - listeners, the number of programs, and the end
 */
#ifndef FCGIPM_GATEWAY_SERVER_H
#define FCGIPM_GATEWAY_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

struct conn;
struct gateway_opts;
struct request;

struct server_listener {
	struct loop_io io;
	struct server *srv;
	int fd;			/* -1 once closed */
	bool tcp;
};

/* A power of two; programs at once are tens, seldom hundreds. */
#define SERVER_BUCKETS 256
/* What is remembered of programs; two of the same key confuse nothing but how
 * soon they are watched. */
#define SERVER_KEYS 256

struct server {
	struct loop *loop;
	const struct gateway_opts *opts;
	struct server_listener *listeners;
	size_t nlisteners;
	struct conn *conns;	/* all of them, newest first */
	unsigned nconns;	/* their number */
	unsigned peak_conns;	/* the highest since memory was given back */
	unsigned max_conns;	/* no more are accepted above, for want of
				 * descriptors */
	/* By pid, until reaped. */
	struct request *programs[SERVER_BUCKETS];
	struct request *wait_first, **wait_end;	/* for a place, in order */
	unsigned nwaiting;
	unsigned running;	/* programs not yet reaped */
	unsigned leftovers;	/* reaped, but their pipes are still open */
	bool brief[SERVER_KEYS];	/* did the program end at once, when it
				 * was last run? */
	unsigned big_pipes;	/* see server_grow_pipe() */
	unsigned places;	/* for programs: pm.max_children, or as many as
				 * there are descriptors for */
	bool is_init;		/* process 1: strangers are reaped too */
	bool paused;		/* listeners are not watched */
	bool draining;		/* no new requests; leave when all is done */
	struct loop_timer retry_timer;	/* of accept, after EMFILE */
	struct loop_task place_task;	/* a place is free */
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

/* Takes what is queued, accepts no more, and quits the loop when the last
 * request is answered and the last program reaped. */
void server_drain(struct server *srv);
/* Kills what runs and quits the loop. */
void server_abort(struct server *srv);

/*
 * server_take_place - may the request's program start now?
 *
 * returns	true, and a place taken; false when it waits: request_start()
 *		is called when one is free
 */
bool server_take_place(struct server *srv, struct request *r);
/* The program is gone, or never came. */
void server_free_place(struct server *srv);
/* A program was reaped, and its answer is still to be read or taken; then its
 * pipes are closed. */
void server_add_leftover(struct server *srv);
void server_lost_leftover(struct server *srv);
/* Its program runs: server_reap() will tell the script of its end. */
void server_add_program(struct server *srv, struct request *r);
void server_del_program(struct server *srv, struct request *r);
/* SIGCHLD came: reaps whatever ended. */
void server_reap(struct server *srv);
/* The request waits no longer. */
void server_leave_queue(struct server *srv, struct request *r);
/*
 * server_grow_pipe - let a pipe hold 1 MiB instead of 64 KiB
 *
 * For bodies that are worth it.  The memory counts against limits of the user
 * (pipe(7)), so a gateway has at most 32 such pipes.
 *
 * returns	true: server_lost_pipe() when it is closed; false: it stays
 *		as it was
 */
bool server_grow_pipe(struct server *srv, int fd);
void server_lost_pipe(struct server *srv);
/* Something ended: a descriptor is free, and it may have been the last. */
void server_something_ended(struct server *srv);

#endif
