/*
 * worker.c - starts, signals and reaps one child process; see worker.h
 *
 * Called by pool/adjust, pool/retire, pool/stop and overload/orders.  The only
 * writer of a worker's state and of its pool's counts.  A handler does not
 * report that it is ready, so /proc is read until the worker sleeps in
 * accept(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/procfs.h"
#include "sys/procsignal.h"
#include "worker/worker.h"

/* Pause before the first check of readiness, doubling; after UP_MS the worker
 * counts as up in any case. */
#define FIRST_PAUSE_MS 2
#define UP_MS 1000

#define TO(state) (1U << WORKER_##state)

static const uint8_t worker_edges[WORKER_STATE_MAX] = {
	[WORKER_DEAD] = TO(STARTING),
	[WORKER_STARTING] = TO(UP) | TO(RETIRING) | TO(KILLED) | TO(DEAD),
	[WORKER_UP] = TO(RETIRING) | TO(KILLED) | TO(DEAD),
	[WORKER_RETIRING] = TO(KILLED) | TO(DEAD),
	[WORKER_KILLED] = TO(DEAD),
};

static void
move_count(
	struct worker_counts *c, enum worker_state from, enum worker_state to)
{
	if (c->of[from] == 0)
		BUG("a worker that was never counted changes its state");
	c->of[from]--;
	c->of[to]++;
}

/* The only writer of state and of the counts. */
static void
set_state(struct worker *w, enum worker_state to)
{
	enum worker_state from = w->state;

	if (!(worker_edges[from] & 1U << to))
		BUG("no such edge between worker states");
	w->state = to;
	if (w->counts) {
		move_count(w->counts, from, to);
		if (CHECKED_BUILD && w->counts->recount)
			w->counts->recount(w->counts);
	}
	if (to != WORKER_STARTING)
		loop_timer_stop(w->loop, &w->ready_timer);
}

/* The error pipe holds a struct spawn_error, or is at its end if exec has
 * succeeded.  It is read when that is needed, so no event wakes the supervisor
 * for it. */
bool
worker_has_executed(struct worker *w)
{
	ssize_t n;

	if (w->execfd < 0)
		return true;
	n = read(w->execfd, &w->error, sizeof(w->error));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n != (ssize_t)sizeof(w->error))
		w->error.step[0] = '\0';
	w->error.step[sizeof(w->error.step) - 1] = '\0';
	fd_close(&w->execfd);
	return true;
}

static bool
is_ready(struct worker *w, int64_t now)
{
	enum procfs_sample seen = PROCFS_ELSEWHERE;

	if (worker_has_executed(w))
		seen = procfs_sample(w->pid);
	w->was_ready = seen == PROCFS_ACCEPTING ||
		(w->polls && seen == PROCFS_POLLING) ||
		w->ops->is_up(w, seen == PROCFS_UNKNOWN);
	return w->was_ready || now - w->start_ms >= UP_MS;
}

static void
check_ready(struct worker *w)
{
	int64_t now = loop_now(w->loop), next;

	if (w->state == WORKER_STARTING && is_ready(w, now)) {
		set_state(w, WORKER_UP);
		w->ops->on_up(w);
	}
	/* A worker that counts as up may not have executed yet: go on. */
	if (w->state != WORKER_STARTING &&
		(w->state != WORKER_UP || worker_has_executed(w)))
		return;
	next = now + w->pause_ms;
	if (w->state == WORKER_STARTING)
		next = MIN(next, w->start_ms + UP_MS);
	loop_timer_set(w->loop, &w->ready_timer, next);
	w->pause_ms = MIN(w->pause_ms * 2, (int64_t)100);
}

static void
worker_on_timer(struct loop_timer *t)
{
	check_ready(container_of(t, struct worker, ready_timer));
}

static void
write_story(
	const struct worker *w, int code, int status, char *buf, size_t size)
{
	const char *name = sigabbrev_np(status);

	if (w->error.step[0])
		snprintf(buf, size, "%s: %s", w->error.step,
			strerror(w->error.err));
	else if (code == CLD_EXITED)
		snprintf(buf, size, "exit status %d", status);
	else
		snprintf(buf, size, "killed by signal %d (%s%s)%s", status,
			name ? "SIG" : "", name ? name : strsignal(status),
			code == CLD_DUMPED ? ", core dumped" : "");
}

static void
worker_on_exit(struct loop_child *child, int code, int status)
{
	struct worker *w = container_of(child, struct worker, child);
	enum worker_state before = w->state;
	bool failed;
	char story[160];

	/* exec would have closed the pipe; a descendant still holds it. */
	if (!worker_has_executed(w))
		fd_close(&w->execfd);
	w->by_signal = code != CLD_EXITED;
	failed = w->error.step[0] || code != CLD_EXITED || status != 0;
	write_story(w, code, status, story, sizeof(story));
	output_close(&w->log);
	loop_child_del(w->loop, &w->child);
	fd_close(&w->pidfd);
	set_state(w, WORKER_DEAD);
	w->ops->on_dead(w, before, story, failed);
}

void
worker_init(struct worker *w, struct loop *loop, const char *pool,
	unsigned slot, bool polls, const struct worker_ops *ops, void *owner)
{
	*w = (struct worker){
		.ops = ops,
		.owner = owner,
		.loop = loop,
		.pool = pool,
		.slot = slot,
		.polls = polls,
		.pidfd = -1,
		.child = {.io = {.fd = -1}, .on_exit = worker_on_exit},
		.execfd = -1,
		.ready_timer = {.on_timer = worker_on_timer},
		.log = {.io = {.fd = -1}},
	};
}

void
worker_join(struct worker *w, struct worker_counts *counts)
{
	if (w->counts || w->state != WORKER_DEAD)
		BUG("only a dead worker joins, and only once");
	w->counts = counts;
	counts->of[WORKER_DEAD]++;
}

/* Watches a new child's log and death; -1 with errno and nothing left open. */
static int
watch_child(struct worker *w, int logfd)
{
	int saved;

	if (output_open(&w->log, w->loop, logfd, w->pool, w->pid) == 0 &&
		loop_child_add(w->loop, &w->child, w->pidfd) == 0)
		return 0;
	saved = errno;
	output_close(&w->log);
	fd_close(&w->execfd);
	errno = saved;
	return -1;
}

/* Kills and reaps a child that cannot be watched. */
static void
undo_start(struct worker *w)
{
	int saved = errno;

	procsignal_group(w->pid, w->pidfd, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	fd_close(&w->pidfd);
	w->pid = 0;
	errno = saved;
}

int
worker_start(struct worker *w, const struct spawn_spec *spec)
{
	struct spawn_spec own = *spec;
	int logfd = -1, childfd = -1, fds[16], saved, i;

	if (spec->nfds > (int)ARRAY_SIZE(fds))
		BUG("more descriptors than a worker gets");
	if (fd_pipe(O_NONBLOCK, 0, &logfd, &childfd) < 0)
		return -1;
	for (i = 0; i < spec->nfds; i++)
		fds[i] = i == 1 || i == 2 ? childfd : spec->fds[i];
	own.fds = fds;
	w->error.step[0] = '\0';
	w->was_ready = false;
	w->pid = spawn_start(&own, &w->pidfd, &w->execfd);
	saved = errno;
	fd_close(&childfd);
	if (w->pid < 0) {
		w->pid = 0;
		fd_close(&logfd);
		errno = saved;
		return -1;
	}
	if (watch_child(w, logfd) < 0) {
		undo_start(w);
		return -1;
	}
	set_state(w, WORKER_STARTING);
	w->start_ms = now_ms();
	w->pause_ms = FIRST_PAUSE_MS;
	loop_timer_set(w->loop, &w->ready_timer, w->start_ms + FIRST_PAUSE_MS);
	return 0;
}

void
worker_retire(struct worker *w, int signo)
{
	if (w->state == WORKER_STARTING || w->state == WORKER_UP)
		set_state(w, WORKER_RETIRING);
	if (w->state == WORKER_RETIRING)
		/* Fails only if the process has died already. */
		(void)procsignal_process(w->pidfd, signo);
}

void
worker_expect_exit(struct worker *w)
{
	if (w->state == WORKER_STARTING || w->state == WORKER_UP)
		set_state(w, WORKER_RETIRING);
}

void
worker_kill(struct worker *w)
{
	if (!worker_alive(w))
		return;
	if (w->state != WORKER_KILLED)
		set_state(w, WORKER_KILLED);
	procsignal_group(w->pid, w->pidfd, SIGKILL);
}
