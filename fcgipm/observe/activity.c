/*
 * activity.c - decides a worker's state; see activity.h
 *
 * Called by pool/members for all users of a worker's state, by pool/retire and
 * by timeout/watchdog.  Another source of data would be one more branch of
 * activity_of().
 */
#include <errno.h>
#include <stddef.h>

#include "base/util.h"
#include "observe/activity.h"
#include "observe/board.h"
#include "observe/kernel.h"

static unsigned
free_of(unsigned threads, unsigned taken)
{
	return threads - MIN(taken, threads);
}

/* One thread accepts, and others neither accept nor have a connection: they
 * wait for the lock around accept(2), or still work after an answer. */
static bool
has_hidden_threads(const struct board_sample *s, unsigned threads)
{
	return !s->handler && s->accepting > 0 &&
		s->open + s->accepting < threads;
}

bool
activity_needs_kernel(const struct board_sample *slot, unsigned threads)
{
	if (!slot || !board_knows(slot))
		return true;
	/* A free thread that is not in accept(2) polls, or still works. */
	if (!board_accepts(slot) && slot->open < threads)
		return true;
	return has_hidden_threads(slot, threads);
}

/* The worker itself writes the slot: it has called accept(2) at least once. */
static bool
is_attached(const struct board_sample *s)
{
	return s && s->attached && s->ours;
}

static enum activity_tier
tier_of(const struct activity_input *in)
{
	const struct board_sample *s = in->slot;

	if (is_attached(s))
		return s->handler ? ACTIVITY_TIER_HANDLER : ACTIVITY_TIER_SHIM;
	if (in->descendants > 0)
		return ACTIVITY_TIER_SHIM;
	if (in->kernel && in->kernel->state == KERNEL_UNKNOWN)
		return ACTIVITY_TIER_NONE;
	return ACTIVITY_TIER_KERNEL;
}

/* -- free capacity --------------------------------------------------------- */

static unsigned
places_by_kernel(const struct activity_input *in)
{
	const struct kernel_sample *k = in->kernel;

	switch (k->state) {
	case KERNEL_IDLE:
		return in->threads;
	case KERNEL_BUSY:
		/* It has free threads only if some wait for a connection. */
		return k->accepting + k->polling == 0
			? 0
			: free_of(in->threads,
				  (unsigned)MAX(k->connections, 0));
	case KERNEL_UNKNOWN:
		break;
	}
	return 0;
}

static unsigned
places_by_slot(const struct activity_input *in)
{
	const struct board_sample *s = in->slot;
	const struct kernel_sample *k = in->kernel;
	unsigned places = free_of(in->threads, s->open);

	if (s->handler)
		return places;
	if (s->accepting == 0 && !k)
		return 0;
	/* Threads that cannot be observed are assumed to be free.  If they are
	 * not, clients wait in the listen queue, and that is observed. */
	if (s->accepting == 0)
		return k->state == KERNEL_UNKNOWN ? places :
			MIN(places, places_by_kernel(in));
	if (!has_hidden_threads(s, in->threads))
		return MIN(places, s->accepting);
	if (!k || k->state == KERNEL_UNKNOWN || k->err)
		return places;
	/* A thread that called accept(2) while another one claimed the slot is
	 * not counted there until accept(2) returns. */
	return MIN(places, MAX(s->accepting, k->accepting) + k->locking);
}

/* -- decide by the slot ---------------------------------------------------- */

static void
decide_by_slot(const struct activity_input *in, struct activity *a)
{
	static const enum activity_state states[] = {
		[FCGIPM_FREE] = ACTIVITY_RUNNING,
		[FCGIPM_READING] = ACTIVITY_READING,
		[FCGIPM_BUSY] = ACTIVITY_RUNNING,
		[FCGIPM_CLOSING] = ACTIVITY_FINISHING,
		[FCGIPM_KEPT] = ACTIVITY_KEPT};
	const struct board_sample *s = in->slot;

	a->by_slot = true;
	a->may_hold = s->open > 0;
	a->since_ms = s->start_ms > 0 ? s->start_ms : s->since_ms;
	if (s->open > 0)
		a->state = states[s->state];
	else if (board_accepts(s))
		a->state = ACTIVITY_IDLE;
	else
		a->state = ACTIVITY_FINISHING;
	a->free_places = places_by_slot(in);
}

/* -- decide by the kernel -------------------------------------------------- */

static enum activity_state
state_by_kernel(const struct activity_input *in)
{
	const struct kernel_sample *k = in->kernel;

	if (k->connections > 0)
		return k->reading ? ACTIVITY_READING : ACTIVITY_RUNNING;
	/* During its start a program polls other descriptors than its
	 * listening socket. */
	if (in->is_starting && k->accepting == 0 && !is_attached(in->slot))
		return ACTIVITY_STARTING;
	if (k->state == KERNEL_UNKNOWN)
		return ACTIVITY_UNKNOWN;
	if (k->accepting > 0)
		return ACTIVITY_IDLE;
	if (k->state == KERNEL_IDLE)
		return ACTIVITY_IDLE;
	return in->has_accepted ? ACTIVITY_FINISHING : ACTIVITY_STARTING;
}

static void
decide_by_kernel(const struct activity_input *in, struct activity *a)
{
	const struct kernel_sample *k = in->kernel;

	a->state = state_by_kernel(in);
	a->may_hold = k->may_hold;
	a->free_places =
		a->state == ACTIVITY_STARTING ? 0 : places_by_kernel(in);
	if (k->connections > 0)
		a->since_ms = k->oldest_since_ms;
	else if (in->is_sampled && a->state != ACTIVITY_UNKNOWN)
		a->since_ms = k->since_ms;
	if (a->state == ACTIVITY_UNKNOWN || k->err) {
		a->reason = k->reason;
		/* These reasons say all that the error number says. */
		a->err = k->err == E2BIG || k->err == ESRCH ? 0 : k->err;
	}
}

/* -- decide ---------------------------------------------------------------- */

/* Where the slot does not show everything, a worker that is idle for the kernel
 * is idle: a connection may have ended without a report on the board. */
static bool
slot_decides(const struct activity_input *in)
{
	const struct board_sample *s = in->slot;

	if (!s || !board_knows(s))
		return false;
	if (!in->kernel || board_accepts(s))
		return true;
	return s->open > 0 && in->kernel->state != KERNEL_IDLE;
}

/* Nothing that was observed decides the state. */
static void
decide_unseen(const struct activity_input *in, struct activity *a)
{
	a->state = in->is_starting && !is_attached(in->slot) ?
		ACTIVITY_STARTING : ACTIVITY_UNKNOWN;
	a->may_hold = true;
	a->reason = "not observed";
}

struct activity
activity_of(const struct activity_input *in)
{
	struct activity a = {.tier = tier_of(in)};

	if (in->threads == 0)
		BUG("a worker has at least one thread");
	if (slot_decides(in))
		decide_by_slot(in, &a);
	else if (in->kernel)
		decide_by_kernel(in, &a);
	else
		decide_unseen(in, &a);
	if (a.state == ACTIVITY_STARTING)
		a.reason = "has not accepted a connection yet";
	return a;
}

struct activity
activity_by_kernel(const struct kernel_sample *kernel, unsigned threads)
{
	const struct activity_input in = {.kernel = kernel,
		.threads = threads, .has_accepted = true};

	return activity_of(&in);
}

const char *
activity_state_name(enum activity_state state)
{
	static const char *const names[ACTIVITY_STATES] = {
		[ACTIVITY_UNKNOWN] = "Unknown",
		[ACTIVITY_STARTING] = "Starting",
		[ACTIVITY_IDLE] = "Idle",
		[ACTIVITY_READING] = "Reading",
		[ACTIVITY_RUNNING] = "Running",
		[ACTIVITY_KEPT] = "Kept",
		[ACTIVITY_FINISHING] = "Finishing",
	};

	return names[state];
}

const char *
activity_tier_name(enum activity_tier tier)
{
	static const char *const names[ACTIVITY_TIERS] = {
		[ACTIVITY_TIER_NONE] = "none",
		[ACTIVITY_TIER_KERNEL] = "kernel",
		[ACTIVITY_TIER_HANDLER] = "handler",
		[ACTIVITY_TIER_SHIM] = "shim",
	};

	return names[tier];
}
