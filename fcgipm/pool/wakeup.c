/*
 * wakeup.c - what calls a pool that rests; see wakeup.h
 *
 * Called by pool/adjust after every decision of the policy.
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
		log_error("pool %s: epoll_ctl: %s; it is looked at each "
			"second", w->pool, strerror(errno));
		loop_timer_set(w->loop, &w->timer,
			loop_now(w->loop) + LAST_PAUSE_MS);
	}
}

static bool
board_is_wanted(const struct wakeup *w)
{
	return w->board && (w->wanted.idle_at != WAKEUP_NEVER ||
		w->wanted.requests);
}

static void
listen_again(struct wakeup *w)
{
	int64_t now = loop_now(w->loop);

	if (w->hear.fd < 0 && w->knock.fd < 0)
		w->since_ms = now;
	watch(w, &w->knock, w->listener, w->wanted.knock);
	watch(w, &w->hear, w->board ? board_eventfd(w->board) : -1,
		board_is_wanted(w));
	if (!w->board || w->wanted.idle_at == WAKEUP_NEVER)
		return;
	board_arm(w->board, (unsigned)w->wanted.idle_at);
	/* It came down to that before it was armed. */
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
be_deaf(struct wakeup *w)
{
	watch(w, &w->hear, -1, false);
	watch(w, &w->knock, -1, false);
}

/* What is over in a moment needs no worker more. */
static void
on_hear(struct loop_io *io, uint32_t events)
{
	struct wakeup *w = container_of(io, struct wakeup, hear);
	(void)events;

	begin_pause(w);
	be_deaf(w);
}

/* Somebody knocks, and nobody is there to open: that comes first. */
static void
on_knock(struct loop_io *io, uint32_t events)
{
	struct wakeup *w = container_of(io, struct wakeup, knock);
	bool came;

	begin_pause(w);
	came = w->on_wake(w);
	/* It was shut, and is so still when it could not be opened again. */
	if (events & LOOP_HANGUP)
		begin_pause(w);
	/* Unless it has stopped and begun anew, with another listener. */
	if (w->timer.place)
		be_deaf(w);
	if (!came)
		return;
	/* Whoever comes next is not to wait for calls that came to nothing. */
	w->pause_ms = FIRST_PAUSE_MS;
	loop_timer_set(w->loop, &w->timer, loop_now(w->loop) + w->pause_ms);
}

static void
on_timer(struct loop_timer *t)
{
	struct wakeup *w = container_of(t, struct wakeup, timer);

	if (w->board)
		(void)board_read_event(w->board);
	if (w->on_wake(w))
		w->pause_ms = FIRST_PAUSE_MS;
	else
		w->pause_ms = MIN(w->pause_ms * 2, (int64_t)LAST_PAUSE_MS);
}

void
wakeup_init(struct wakeup *w, struct loop *loop, const char *pool,
	struct board *board, int listener, bool (*on_wake)(struct wakeup *w))
{
	*w = (struct wakeup){
		.on_wake = on_wake,
		.pool = pool,
		.board = board,
		.listener = listener,
		.loop = loop,
		.hear = {.on_event = on_hear, .fd = -1},
		.knock = {.on_event = on_knock, .fd = -1},
		.timer = {.on_timer = on_timer},
		.pause_ms = FIRST_PAUSE_MS,
	};
}

void
wakeup_on(struct wakeup *w, const struct wakeup_for *wanted)
{
	w->wanted = *wanted;
	if (!w->timer.place)
		listen_again(w);
}

void
wakeup_stop(struct wakeup *w)
{
	if (!w->loop)
		return;
	watch(w, &w->hear, -1, false);
	watch(w, &w->knock, -1, false);
	loop_timer_stop(w->loop, &w->timer);
}
