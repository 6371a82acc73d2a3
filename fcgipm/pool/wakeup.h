/*
 * wakeup.h - wakes a resting pool
 *
 * A pool whose board shows every worker is not inspected by a timer: its
 * workers write the board's eventfd when few of them are idle, and its listener
 * is watched while no worker could accept.  A load that goes up and down would
 * wake the supervisor with every request, and a child may write as it likes:
 * after a wake-up nothing is watched for a pause, which doubles each time that
 * nothing came of it.
 */
#ifndef FCGIPM_POOL_WAKEUP_H
#define FCGIPM_POOL_WAKEUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct board;

/* No number of idle places is worth a wake-up. */
#define WAKEUP_NEVER (-1)

struct wakeup_for {
	int idle_at;	/* idle places that came down to so many */
	bool requests;	/* a worker that served pm.max_requests */
	bool connection;	/* a connection that arrives */
};

struct wakeup {
	/* Ask the policy again; true when something came of it. */
	bool (*on_wakeup)(struct wakeup *w);
	const char *pool;	/* its name, borrowed as the next */
	struct board *board;	/* NULL = none */
	int listener;
	struct loop *loop;
	struct loop_io board_io, listener_io;
	struct loop_timer timer;	/* the end of the pause */
	struct wakeup_for wanted;
	int64_t pause_ms, since_ms;	/* watched since then */
};

void wakeup_init(struct wakeup *w, struct loop *loop, const char *pool,
	struct board *board, int listener, bool (*on_wakeup)(struct wakeup *w));

/* What is worth a wake-up from now on.  One that comes too late to be one is
 * made up for. */
void wakeup_on(struct wakeup *w, const struct wakeup_for *wanted);

/* Nothing any more. */
void wakeup_stop(struct wakeup *w);

#endif
