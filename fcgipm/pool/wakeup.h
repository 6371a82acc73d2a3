/*
 * wakeup.h - what calls a pool that rests
 *
 * A pool whose board tells of every worker is not looked at by the clock: its
 * workers tell when few of them are idle, and the listener when somebody
 * knocks while nobody could open.  A load that goes up and down would call for
 * every request, and a child may write as it likes: after a call nobody
 * listens for a moment, twice as long each time that nothing came of it.
 */
#ifndef FCGIPM_POOL_WAKEUP_H
#define FCGIPM_POOL_WAKEUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct board;

/* No number of idle places is worth a call. */
#define WAKEUP_NEVER (-1)

struct wakeup_for {
	int idle_at;	/* idle places that came down to so many */
	bool requests;	/* a worker that served pm.max_requests */
	bool knock;	/* a connection that waits */
};

struct wakeup {
	/* Look again; true when something came of it. */
	bool (*on_wake)(struct wakeup *w);
	const char *pool;	/* its name, borrowed as the next */
	struct board *board;	/* NULL = none */
	int listener;
	struct loop *loop;
	struct loop_io hear, knock;
	struct loop_timer timer;	/* the end of the moment */
	struct wakeup_for wanted;
	int64_t pause_ms, since_ms;	/* listening since then */
};

void wakeup_init(struct wakeup *w, struct loop *loop, const char *pool,
	struct board *board, int listener, bool (*on_wake)(struct wakeup *w));

/* What is worth a call from now on.  A call that comes too late to be one is
 * made up for. */
void wakeup_on(struct wakeup *w, const struct wakeup_for *wanted);

/* Nothing any more. */
void wakeup_stop(struct wakeup *w);

#endif
