/*
 * board.h - reads what workers report on the scoreboard (board), and writes the
 * supervisor's fields of it
 *
 * Each observed pool has one memfd into which its workers write, through the
 * preloaded shim or fcgipm-handler.h.  The layout is in shim/fcgipm-board.h and
 * fcgipm-board(5).
 *
 * All that a worker wrote is untrusted: it is copied with bounds, and every pid
 * and index is checked before it is used.  Before the caller
 * stops or kills a worker, it must inspect it with observe/kernel as well.
 *
 * A slot is used in this order: board_reset(), start of the worker,
 * board_started(), board_read() at any time, board_ended().  The eventfd needs
 * to be watched only while board_arm() has asked for an event or max_requests
 * is set.
 */
#ifndef FCGIPM_OBSERVE_BOARD_H
#define FCGIPM_OBSERVE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/fcgipm-board.h"

struct board;
struct vec;

/* A slot as its process wrote it: untrusted, but each field is in its range. */
struct board_sample {
	bool attached;		/* a process writes it; otherwise only no_spare
				 * is set, and what a spare slot keeps: owner,
				 * accepted, requests */
	bool ours;		/* that process is the worker that the
				 * supervisor started */
	bool handler;		/* written by the handler itself
				 * (fcgipm-handler.h), not by the shim */
	bool incomplete;	/* some connections are not reported: the
				 * kernel must be inspected */
	bool no_spare;		/* a child process found no spare slot */
	bool torn;		/* it changed during each attempt to read it:
				 * method and URI are empty */
	enum fcgipm_state state;	/* FCGIPM_FREE = idle; with threads the
				 * busiest: BUSY, READING, CLOSING, KEPT */
	pid_t pid;		/* to be shown, never to be signalled */
	int owner;		/* of a spare slot: the worker's, -1 = none */
	unsigned open;		/* open connections: busy threads */
	unsigned running;	/* of these, requests being read or answered */
	unsigned accepting;	/* threads in accept(2); if this and open are
				 * 0, it polls or still works */
	uint64_t accepted, requests;	/* since board_reset(), like these: */
	uint64_t bytes_in, bytes_out;
	int64_t since_ms;	/* start of being idle, or of the oldest
				 * connection without a request; 0 = unknown */
	int64_t start_ms;	/* of the oldest request; 0 = none runs */
	int64_t last_us;	/* duration of the previous request */
	/* Of that request, or of the last one; raw bytes: escape them. */
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
};

/* Does the slot alone show whether its worker is idle?  Otherwise the kernel
 * must be inspected. */
static inline bool
board_knows(const struct board_sample *s)
{
	return s->attached && s->ours && !s->incomplete;
}

/* Will one of its threads accept the next connection?  Handlers that write the
 * slot themselves do not report it. */
static inline bool
board_accepts(const struct board_sample *s)
{
	return s->handler || s->accepting > 0;
}

/*
 * board_new - creates a board and its eventfd, both close-on-exec
 *
 * nslots	slots of workers, at least 1: every slot that launch_spec() may
 *		be given, retiring workers included
 * nspare	slots for the processes that workers fork
 * threads	requests that one process serves at once, at least 1
 * returns	NULL with errno (memfd_create(2), eventfd(2))
 */
struct board *board_new(unsigned nslots, unsigned nspare, unsigned threads);
void board_free(struct board **b);

/* May the shim skip the wait at the end of an answered connection?  For unix
 * sockets only, see shim/linger.h.  Call it before the first worker starts. */
void board_accelerate(struct board *b, bool yes);

/* To be passed to workers; they remain the board's. */
int board_fd(const struct board *b);
int board_eventfd(const struct board *b);

/*
 * board_env - adds what a worker needs in its environment to find the board
 *
 * FCGIPM_WORKER, which the caller sets, must be the slot.
 *
 * fd		descriptor of the board in the worker; the eventfd must be the
 *		next one
 * shim		from board_find_shim(); NULL = preload nothing.  Required with
 *		a chroot and for a program that is not 64-bit ELF, where the
 *		loader would log an error, and for a program with a sanitizer,
 *		which would not start
 * preload	the administrator's own LD_PRELOAD, which follows; NULL = none
 */
void board_env(struct vec *env, int fd, const char *shim,
	const char *preload);

/* The path of the shim: next to this program's file, or where it is installed;
 * NULL when there is none.  The caller must free() it. */
char *board_find_shim(void);

/* Before a worker starts: clears its slot.  The eventfd is written when the
 * worker has answered max_requests; 0 = never. */
void board_reset(struct board *b, unsigned slot, uint64_t max_requests);
/* After it has started: its pid. */
void board_started(struct board *b, unsigned slot, pid_t pid);
/* It has exited: releases the slot and its share of the idle capacity. */
void board_ended(struct board *b, unsigned slot);

/*
 * board_ask_stop - asks a worker to exit instead of accepting again
 *
 * Only a worker that is about to call accept(2) notices: the shim then returns
 * EINVAL, as after shutdown(2) of the listening socket.  FCGI_Accept() of
 * libfcgi and of Perl return -1, php-cgi exits, Python's accept() raises
 * OSError.  A worker that sleeps in accept(2), or whose listening socket does
 * not block (Node, select loops), needs stop_signal.
 */
void board_ask_stop(struct board *b, unsigned slot);

/*
 * board_read - reads a slot; slots from nslots on are the spare ones
 *
 * Without ret->attached the worker has not accepted yet, or never does so
 * through the C library: the kernel must be inspected.
 *
 * returns	ret->attached
 */
bool board_read(const struct board *b, unsigned slot, struct board_sample *ret);

/* A request that is being read or answered, as its process wrote it:
 * untrusted. */
struct board_request {
	pid_t pid;		/* the process that claims the slot */
	uint64_t id;		/* unique among the requests of its cell */
	int64_t start_ms;
	bool known;		/* all its parameters have been read */
	/* Raw bytes: escape them.  Empty if not known, or being written. */
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
};

/*
 * board_read_request - reads the request in one cell of a slot
 *
 * place	the cell, below board_places()
 * returns	true when a request runs there
 */
bool board_read_request(const struct board *b, unsigned slot, unsigned place,
	struct board_request *ret);
/* Cells of each slot: one for each thread, but at most FCGIPM_CELLS_MAX. */
unsigned board_places(const struct board *b);
/* Number of slots, spare ones included. */
unsigned board_slots(const struct board *b);
/* Frees the spare slots of processes that have exited; their counters stay. */
void board_sweep(struct board *b);
/* Reads and clears the counters of a worker and of the processes it forked. */
void board_take_counts(struct board *b, unsigned slot, uint64_t *ret_accepted,
	uint64_t *ret_requests);

/* Idle capacity: connections that the processes of the pool would accept now;
 * never negative. */
unsigned board_idle(const struct board *b);
/* The same, recomputed from the slots and corrected on the board, after a
 * worker died or in case a worker has overwritten it. */
unsigned board_count_idle(struct board *b);

/*
 * board_arm - asks for one event when the idle capacity falls to idle_at
 *
 * Call board_idle() afterwards, as it may have fallen before.  Do not arm while
 * the pool cannot start workers anyway: then requests cost nothing.  A worker
 * can write into the eventfd at any rate: leave it unwatched for 10 ms
 * after each event.
 */
void board_arm(struct board *b, unsigned idle_at);
/* Empties the eventfd; true when there was an event. */
bool board_read_event(struct board *b);

#endif
