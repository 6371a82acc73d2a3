/*
 * activity.h - what a worker does: idle, reading, running, kept, unknown
 *
 * The only place that decides it.  The policy's view, the status, keep-alive,
 * readiness, retiring and the late-request check all ask here, so that two of
 * them never disagree about one worker at one moment.  Pure: observations in,
 * one struct out; no clock, no descriptors, no log.
 */
#ifndef FCGIPM_OBSERVE_ACTIVITY_H
#define FCGIPM_OBSERVE_ACTIVITY_H

#include <stdbool.h>
#include <stdint.h>

struct board_sample;
struct kernel_sample;

enum activity_state {
	ACTIVITY_UNKNOWN,   /* reason says why */
	ACTIVITY_STARTING,  /* has not accepted a connection yet */
	ACTIVITY_IDLE,      /* would accept a connection at once */
	ACTIVITY_READING,   /* has a connection, and reads its request */
	ACTIVITY_RUNNING,   /* has a request */
	ACTIVITY_KEPT,      /* waits for the next request of a connection */
	ACTIVITY_FINISHING, /* has answered, and does not accept yet */
	ACTIVITY_STATES
};

/* How fcgipm knows. */
enum activity_tier {
	ACTIVITY_TIER_NONE,    /* it does not */
	ACTIVITY_TIER_KERNEL,  /* by what Linux shows of the process */
	ACTIVITY_TIER_HANDLER, /* the program wrote it, fcgipm-handler.h */
	ACTIVITY_TIER_SHIM,    /* the preloaded library wrote it */
	ACTIVITY_TIERS
};

/* What was observed of one worker. */
struct activity_input {
	/* Its slot of the board; NULL = not asked, or there is no board. */
	const struct board_sample *slot;
	/* What the kernel shows; NULL = not looked at. */
	const struct kernel_sample *kernel;
	unsigned threads;     /* connections it serves at once, from 1 */
	unsigned descendants; /* its child processes that write the board */
	bool is_starting;     /* not counted as ready yet */
	bool has_accepted;    /* was seen ready for a connection, ever */
	bool is_sampled;      /* the kernel is asked again and again, so that
			       * the time of the first look means something */
};

struct activity {
	enum activity_state state;
	enum activity_tier tier;
	int64_t since_ms;     /* in this state at least since then, of
			       * CLOCK_MONOTONIC; 0 = unknown */
	unsigned free_places; /* connections it would accept at once */
	bool may_hold;        /* a connection; false = certainly none */
	bool by_slot;         /* the slot decided the state, not the kernel */
	const char *reason;   /* static text where there is more to say about
			       * the state; else NULL */
	int err;              /* errno that belongs to reason, 0 = none */
};

/*
 * activity_needs_kernel - does the slot leave open what the worker does?
 *
 * slot		NULL = there is none
 * threads	as in struct activity_input
 *
 * True where no process writes the slot, where some of its connections pass
 * unseen, and where threads that neither accept nor have a connection may
 * wait for a lock or may still work.
 */
bool activity_needs_kernel(const struct board_sample *slot, unsigned threads);

/*
 * activity_of - what a worker does, by all that was observed
 *
 * The slot decides where activity_needs_kernel() is false of it, or where the
 * kernel was not asked.  Else each decides what it knows best: the slot which
 * request runs, the kernel whether the worker polls or waits for a lock.
 */
struct activity activity_of(const struct activity_input *in);

/* The same by the kernel alone, of a worker that is up: for callers that stop
 * or kill a process.  What a child wrote is a hint, and not enough for that. */
struct activity activity_by_kernel(const struct kernel_sample *kernel,
	unsigned threads);

/* "Idle", "Running", ... as the status shows it. */
const char *activity_state_name(enum activity_state state);
/* "shim", "handler", "kernel", "none". */
const char *activity_tier_name(enum activity_tier tier);

#endif
