/*
 * activity.h - decides a worker's state: idle, reading, running, kept, ...
 *
 * The only place that decides it, so that the process manager, the status,
 * readiness, retiring and the timeouts never disagree about a worker.  The
 * input is what the scoreboard (board) and the kernel show of the worker.
 * Pure: no clock, no descriptors, no log.
 *
 * The modules of observe/, lowest layer first.  None of them knows a pool:
 *
 *	prober		helper process that reads /proc as the workers' user
 *	sockets		distinguishes client connections from other sockets
 *	processes	reads the tasks and sockets of a worker's processes
 *	kernel		observes a worker through the kernel, without its help
 *	board		reads what the workers report on the scoreboard
 *	describe	formats a process's state as text for logs and status
 *	activity	decides a worker's state from board and kernel
 */
#ifndef FCGIPM_OBSERVE_ACTIVITY_H
#define FCGIPM_OBSERVE_ACTIVITY_H

#include <stdbool.h>
#include <stdint.h>

struct board_sample;
struct kernel_sample;

enum activity_state {
	ACTIVITY_UNKNOWN,   /* the reason is in struct activity */
	ACTIVITY_STARTING,  /* has not accepted a connection yet */
	ACTIVITY_IDLE,      /* would accept a connection immediately */
	ACTIVITY_READING,   /* has a connection and reads its request */
	ACTIVITY_RUNNING,   /* processes a request */
	ACTIVITY_KEPT,      /* has an idle keep-alive connection */
	ACTIVITY_FINISHING, /* has answered and does not accept yet */
	ACTIVITY_STATES
};

/* The tier: where the facts about a worker come from. */
enum activity_tier {
	ACTIVITY_TIER_NONE,    /* nothing can be observed */
	ACTIVITY_TIER_KERNEL,  /* the kernel: system calls and sockets */
	ACTIVITY_TIER_HANDLER, /* the board, written by the handler itself
				* (fcgipm-handler.h) */
	ACTIVITY_TIER_SHIM,    /* the board, written by the preloaded shim */
	ACTIVITY_TIERS
};

/* What was observed of one worker. */
struct activity_input {
	/* Its slot of the board; NULL = not read, or there is no board. */
	const struct board_sample *slot;
	/* What the kernel shows; NULL = not inspected. */
	const struct kernel_sample *kernel;
	unsigned threads;     /* connections it serves at once, at least 1 */
	unsigned descendants; /* its child processes that have a slot */
	bool is_starting;     /* has not been counted as ready yet */
	bool has_accepted;    /* was ready for a connection at least once */
	bool is_sampled;      /* the kernel is sampled repeatedly, so the time
			       * of the first sample in a state is meaningful */
};

struct activity {
	enum activity_state state;
	enum activity_tier tier;
	int64_t since_ms;     /* in this state at least since then, on
			       * CLOCK_MONOTONIC; 0 = unknown */
	unsigned free_places; /* connections it would accept immediately */
	bool may_hold;        /* may have a connection; false = it has none */
	bool by_slot;         /* the slot decided the state, not the kernel */
	const char *reason;   /* static text that explains the state; NULL = no
			       * explanation is needed */
	int err;              /* errno to show after reason; 0 = none */
};

/*
 * activity_needs_kernel - must the kernel be inspected as well as the slot?
 *
 * slot		NULL = there is none
 * threads	as in struct activity_input
 * returns	true when no process writes the slot, when the slot misses
 *		some of its connections, and when threads neither accept nor
 *		have a connection: they may wait for a lock or may be working
 */
bool activity_needs_kernel(const struct board_sample *slot, unsigned threads);

/*
 * activity_of - decides a worker's state from all that was observed
 *
 * The slot decides where activity_needs_kernel() is false, or where the kernel
 * was not inspected.  Otherwise each decides what it knows best: the slot which
 * request runs, the kernel whether the worker polls or waits for a lock.
 */
struct activity activity_of(const struct activity_input *in);

/* Decides from the kernel alone, for a worker that has been ready.  For callers
 * that stop or kill a process: what a worker wrote is only a hint, which is not
 * sufficient for that. */
struct activity activity_by_kernel(const struct kernel_sample *kernel,
	unsigned threads);

/* "Idle", "Running", ... as shown in the status. */
const char *activity_state_name(enum activity_state state);
/* "shim", "handler", "kernel", "none". */
const char *activity_tier_name(enum activity_tier tier);

#endif
