/*
 * board.h - what the workers of a pool report on its board: supervisor's side
 *
 * One memfd for each observed pool, into which its workers write by the
 * preloaded shim or by fcgipm-handler.h; shim/fcgipm-board.h has the layout.
 * All that a worker wrote is a hint: it is copied with bounds, and no pid,
 * index or length of it is used for anything but showing.  Before a worker is
 * stopped or killed the kernel is asked, as for a worker without a slot.
 *
 * How a pool uses it:
 *
 *	b = board_new(slots, spare, threads)	once, slots being all numbers
 *				that launch_spec() may be given, retiring
 *				workers included; spare for what they fork
 *	fds[3] = board_fd(b), fds[4] = board_eventfd(b)
 *	board_env(&envp, 3, shim, NULL)	FCGIPM_BOARD=3:4 and LD_PRELOAD; shim
 *				from board_find_shim().  FCGIPM_WORKER has to
 *				be the slot.  With a chroot, or a program that
 *				is not of our class (ELF, 64 bit), pass NULL:
 *				the loader would complain in the pool's log; a
 *				program with a sanitizer in it would not start
 *	board_reset(b, slot, max)	before each spawn
 *	board_started(b, slot, pid)	after it
 *	board_read(b, slot, &seen)	at any time.
 *				!seen.attached: it has not accepted yet, or
 *				never does by the C library's accept(): the
 *				kernel tier decides.  seen.incomplete: it does too
 *	board_ask_stop(b, slot)	retire: a worker that is about to accept
 *				leaves by itself; one that sleeps in accept()
 *				does not notice and takes the kernel tier's way.
 *				accept() says EINVAL, as after a shutdown(2) of
 *				the listener: FCGI_Accept() of libfcgi and of
 *				Perl return -1, php-cgi ends, Python's accept()
 *				raises OSError.  Where the listener does not
 *				block (Node, select loops) nothing is said, and
 *				stop_signal remains
 *
 * The eventfd is watched for reading only while something is armed or a
 * max_requests is set:
 *
 *	board_arm(b, min_spare - 1)	asks for one event, when idle places
 *				have come down to so many; check board_idle()
 *				after arming, and do not arm at the maximum:
 *				then a request costs nothing
 *	on event: board_read_event(b), then read what is of interest.  A child may
 *				write into the eventfd as fast as it likes:
 *				leave it unwatched for 10 ms after each event
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

/* A slot, as its process wrote it: hints.  Everything is within its range. */
struct board_sample {
	bool attached;		/* a process writes it; else all else is 0, but
				 * for no_spare and what a spare slot keeps:
				 * owner, accepted, requests */
	bool ours;		/* ... and is the one we started there */
	bool handler;		/* by fcgipm-handler.h, else by the shim */
	bool incomplete;	/* something is not seen: kernel tier */
	bool no_spare;		/* what it forked found no spare slot */
	bool torn;		/* caught in the middle of a change, again and
				 * again: method and URI are empty */
	enum fcgipm_state state;	/* FCGIPM_FREE = idle; with threads
				 * the busiest: BUSY, READING, CLOSING, KEPT */
	pid_t pid;		/* to be shown, never to be signalled */
	int owner;		/* of a spare slot: the worker's, -1 = none */
	unsigned open;		/* connections now: busy threads */
	unsigned running;	/* of these, requests being read or answered */
	unsigned accepting;	/* threads in accept(); 0 with none open: it
				 * works on after its answer, or it polls */
	uint64_t accepted, requests;	/* since the reset, as are these: */
	uint64_t bytes_in, bytes_out;
	int64_t since_ms;	/* idle, or its oldest connection without a
				 * request, since then; 0 = unknown */
	int64_t start_ms;	/* of the oldest request; 0 = none runs */
	int64_t last_us;	/* duration of the one before */
	/* Of that request, or of the last one; raw bytes: escape them. */
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
};

/* Does the slot alone say whether its worker is idle?  Else the kernel is
 * asked. */
static inline bool
board_knows(const struct board_sample *s)
{
	return s->attached && s->ours && !s->incomplete;
}

/* Is one of its threads about to take a connection?  Handlers that write the
 * slot themselves leave that out. */
static inline bool
board_accepts(const struct board_sample *s)
{
	return s->handler || s->accepting > 0;
}

/*
 * board_new - a board and its eventfd, both close-on-exec
 *
 * nslots	workers, at least 1
 * nspare	for processes that workers fork
 * threads	requests of a process at once, at least 1
 * returns	NULL with errno (memfd_create(2), eventfd(2))
 */
struct board *board_new(unsigned nslots, unsigned nspare, unsigned threads);
void board_free(struct board **b);

/* Before the first worker: may those that are preloaded into close an answered
 * connection without a wait?  For unix sockets only, see shim/linger.h. */
void board_accelerate(struct board *b, bool yes);

/* To be handed on to workers; still the board's. */
int board_fd(const struct board *b);
int board_eventfd(const struct board *b);

/*
 * board_env - what a worker needs in its environment to find the board
 *
 * fd		the number of board_fd() in the worker; that of
 *		board_eventfd() is the next one
 * shim		NULL = a program that is not preloaded into
 * preload	the administrator's own LD_PRELOAD, which follows; NULL = none
 */
void board_env(struct vec *env, int fd, const char *shim,
	const char *preload);

/* The shim of this program: next to its file, else where it is installed; NULL
 * when there is none.  The caller's to free(). */
char *board_find_shim(void);

/* The slot has no process: forget the one before.  At max_requests there is an
 * event, 0 = never. */
void board_reset(struct board *b, unsigned slot, uint64_t max_requests);
/* Who was started for it. */
void board_started(struct board *b, unsigned slot, pid_t pid);
/* It is gone, and what it had of head.idle with it. */
void board_ended(struct board *b, unsigned slot);
void board_ask_stop(struct board *b, unsigned slot);

/*
 * board_read - what a slot says; slots from nslots on are the spare ones
 *
 * returns	ret->attached
 */
bool board_read(const struct board *b, unsigned slot, struct board_sample *ret);

/* A request that is being read or answered, as its process wrote it: hints. */
struct board_request {
	pid_t pid;		/* whose it is said to be */
	uint64_t id;		/* no other one of its place has it */
	int64_t start_ms;
	bool known;		/* all its parameters have been read */
	/* Raw bytes: escape them.  Empty when not known, or being written. */
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
};

/*
 * board_read_request - what runs in one of the places of a slot
 *
 * place	below board_places(), which are the threads of a process, as
 *		far as they have a place
 * returns	true when a request does
 */
bool board_read_request(const struct board *b, unsigned slot, unsigned place,
	struct board_request *ret);
unsigned board_places(const struct board *b);
/* How many slots there are, spare ones included. */
unsigned board_slots(const struct board *b);
/* Frees the spare slots of processes that are gone; their counts go on. */
void board_sweep(struct board *b);
/* What a worker and those it forked have counted; their slots begin anew. */
void board_take_counts(struct board *b, unsigned slot, uint64_t *ret_accepted,
	uint64_t *ret_requests);

/* Places that are free in processes that accept; never negative. */
unsigned board_idle(const struct board *b);
/* The same counted anew from the slots and put right, when a worker died or a
 * child spoiled it. */
unsigned board_count_idle(struct board *b);

/* Asks for one event, when free places have come down to idle_at. */
void board_arm(struct board *b, unsigned idle_at);
/* Empties the eventfd; true when there was an event. */
bool board_read_event(struct board *b);

#endif
