/*
 * wakeup.h - wakes a pool that no timer inspects
 *
 * If every worker reports on the scoreboard (board), no timer inspects the
 * workers.  Instead the board's eventfd wakes the supervisor when few workers
 * are idle.  An ondemand pool without a free worker watches its listening
 * socket.
 *
 * A changing load could wake the supervisor with every request, and a child
 * can write to the eventfd at any time.  Therefore nothing is watched for a
 * pause after a wake-up.  The pause doubles each time no worker was started or
 * retired.
 */
#ifndef FCGIPM_POOL_WAKEUP_H
#define FCGIPM_POOL_WAKEUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct board;

/* No number of idle threads causes a wake-up. */
#define WAKEUP_NEVER (-1)

/* The events that cause a wake-up. */
struct wakeup_for {
	int idle_at;	/* the number of idle threads fell to this */
	bool requests;	/* a worker has served pm.max_requests */
	bool connection;	/* a connection arrived */
};

struct wakeup {
	/* Runs the policy; true when workers start or retire. */
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

/* Sets the events that cause a wake-up from now on.  An event that came before
 * this call is not lost: its condition is checked again. */
void wakeup_on(struct wakeup *w, const struct wakeup_for *wanted);

/* Ends all wake-ups. */
void wakeup_stop(struct wakeup *w);

#endif
