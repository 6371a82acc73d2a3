/*
 * wakeup.c - wakes a pool that no timer inspects; see wakeup.h
 *
 * Called by pool/adjust after every decision of the policy, and by pool/open
 * and pool/stop.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "observe/board.h"
#include "pool/wakeup.h"

#define FIRST_PAUSE_MS 10
#define LAST_PAUSE_MS 1000

static void
watch(struct wakeup *w, struct loop_io *io, int fd, bool wanted)
{
	if (!wanted) {
		loop_del(w->loop, io);
	} else if (io->fd < 0 && loop_add(w->loop, io, fd, LOOP_READ) < 0) {
		/* Action: free memory or raise fs.epoll.max_user_watches.
		 * Until then, new workers start up to a second late. */
		log_error("pool %s: epoll_ctl: %s; workers are checked once a "
			  "second instead",
			w->pool, strerror(errno));
		loop_timer_set(
			w->loop, &w->timer, loop_now(w->loop) + LAST_PAUSE_MS);
	}
}

static bool
board_is_wanted(const struct wakeup *w)
{
	return w->board &&
		(w->wanted.idle_at != WAKEUP_NEVER || w->wanted.requests);
}

static void
watch_wanted(struct wakeup *w)
{
	int64_t now = loop_now(w->loop);

	if (w->board_io.fd < 0 && w->listener_io.fd < 0)
		w->since_ms = now;
	watch(w, &w->listener_io, w->listener, w->wanted.connection);
	watch(w, &w->board_io, w->board ? board_eventfd(w->board) : -1,
		board_is_wanted(w));
	if (!w->board || w->wanted.idle_at == WAKEUP_NEVER)
		return;
	board_arm(w->board, (unsigned)w->wanted.idle_at);
	/* The number was already this low. */
	if (board_idle(w->board) <= (unsigned)w->wanted.idle_at)
		loop_timer_set(w->loop, &w->timer, now + w->pause_ms);
}

static void
begin_pause(struct wakeup *w)
{
	int64_t now = loop_now(w->loop);

	if (now - w->since_ms > LAST_PAUSE_MS)
		w->pause_ms = FIRST_PAUSE_MS;
	loop_timer_set(w->loop, &w->timer, now + w->pause_ms);
}

static void
unwatch_all(struct wakeup *w)
{
	watch(w, &w->board_io, -1, false);
	watch(w, &w->listener_io, -1, false);
}

/* Runs the policy after the pause only: a load that is over in a moment needs
 * no further worker. */
static void
on_board(struct loop_io *io, uint32_t events)
{
	struct wakeup *w = container_of(io, struct wakeup, board_io);
	(void)events;

	begin_pause(w);
	unwatch_all(w);
}

/* A connection arrived that no worker could accept: runs the policy at once. */
static void
on_connection(struct loop_io *io, uint32_t events)
{
	struct wakeup *w = container_of(io, struct wakeup, listener_io);
	bool came;

	begin_pause(w);
	came = w->on_wakeup(w);
	/* The listener was shut down, and it still is if it could not be
	 * reopened. */
	if (events & LOOP_HANGUP)
		begin_pause(w);
	/* If on_wakeup() stopped this, it is armed for the new socket. */
	if (w->timer.place)
		unwatch_all(w);
	if (!came)
		return;
	/* A pause that grew earlier must not delay the next client. */
	w->pause_ms = FIRST_PAUSE_MS;
	loop_timer_set(w->loop, &w->timer, loop_now(w->loop) + w->pause_ms);
}

static void
on_timer(struct loop_timer *t)
{
	struct wakeup *w = container_of(t, struct wakeup, timer);

	if (w->board)
		(void)board_read_event(w->board);
	if (w->on_wakeup(w))
		w->pause_ms = FIRST_PAUSE_MS;
	else
		w->pause_ms = MIN(w->pause_ms * 2, (int64_t)LAST_PAUSE_MS);
}

void
wakeup_init(struct wakeup *w, struct loop *loop, const char *pool,
	struct board *board, int listener, bool (*on_wakeup)(struct wakeup *w))
{
	*w = (struct wakeup){
		.on_wakeup = on_wakeup,
		.pool = pool,
		.board = board,
		.listener = listener,
		.loop = loop,
		.board_io = {.on_event = on_board, .fd = -1},
		.listener_io = {.on_event = on_connection, .fd = -1},
		.timer = {.on_timer = on_timer},
		.pause_ms = FIRST_PAUSE_MS,
	};
}

void
wakeup_on(struct wakeup *w, const struct wakeup_for *wanted)
{
	w->wanted = *wanted;
	if (!w->timer.place)
		watch_wanted(w);
}

void
wakeup_stop(struct wakeup *w)
{
	if (!w->loop)
		return;
	watch(w, &w->board_io, -1, false);
	watch(w, &w->listener_io, -1, false);
	loop_timer_stop(w->loop, &w->timer);
}
