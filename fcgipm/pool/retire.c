/*
 * retire.c - ends one worker without losing a request; see retire.h
 *
 * Called by pool/adjust for a worker that is surplus or due for recycling, by
 * pool/stop for one that did not exit at the shut listener, and by pool/open
 * for one with a late request.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "observe/activity.h"
#include "observe/kernel.h"
#include "pool/retire.h"
#include "sys/procsignal.h"
#include "worker/worker.h"

#define FIRST_PAUSE_MS 3
#define LAST_PAUSE_MS 100
/* Pause before a worker that was signalled is inspected again. */
#define SIGNALLED_MS 1000
/* SIGSTOP takes effect after about 60 us; the loop waits no longer than this
 * for it. */
#define STOP_TRIES 20
#define STOP_TRY_NS 20000

#define TO(step) (1U << RETIRE_##step)

static const uint8_t retire_edges[RETIRE_STEPS] = {
	[RETIRE_NOT] = TO(NOT) | TO(INSPECTING) | TO(SIGNALLED),
	[RETIRE_INSPECTING] = TO(NOT) | TO(INSPECTING) | TO(STOPPING) |
		TO(SIGNALLED),
	[RETIRE_STOPPING] = TO(NOT) | TO(INSPECTING) | TO(SIGNALLED),
	[RETIRE_SIGNALLED] = TO(NOT) | TO(INSPECTING) | TO(STOPPING) |
		TO(SIGNALLED),
};

static bool
is_replaced(const struct retire *r)
{
	return r->step != RETIRE_NOT && retire_is_recycling(r->cause);
}

/* The only writer of step and cause, and of the pool's count. */
static void
set_step(struct retire *r, enum retire_step to, enum retire_cause cause)
{
	if (!(retire_edges[r->step] & 1U << to))
		BUG("no such edge between the steps of a retirement");
	if (is_replaced(r) && (*r->nreplaced)-- == 0)
		BUG("a worker is replaced that was never counted");
	r->step = to;
	r->cause = cause;
	*r->nreplaced += is_replaced(r);
}

/* Signals the worker and its descendants: it may be a shell that waits for a
 * handler, or a program that forks its own workers. */
static void
send_signal(const struct retire *r, int signo)
{
	procsignal_group(r->w->pid, r->w->pidfd, signo);
}

static void
come_back(struct retire *r, int64_t ms)
{
	loop_timer_set(r->loop, &r->timer, loop_now(r->loop) + ms);
}

static bool
is_late(const struct retire *r)
{
	return !r->shut &&
		loop_now(r->loop) - r->since_ms >= r->conf->stop_timeout_ms;
}

/* It is busy: continues it if it is stopped, and inspects it again later. */
static void
try_later(struct retire *r)
{
	if (r->step == RETIRE_STOPPING)
		send_signal(r, SIGCONT);
	set_step(r, RETIRE_INSPECTING, r->cause);
	come_back(r, r->pause_ms);
	r->pause_ms = MIN(r->pause_ms * 2, (int64_t)LAST_PAUSE_MS);
	if (r->logged_late || !is_late(r))
		return;
	r->logged_late = true;
	/* Action: a worker is busy while it has a connection, even an idle one
	 * that is kept alive.  Let the web server close connections earlier, in
	 * nginx with keepalive_requests in the upstream block.  Limit the time
	 * of a request with request_terminate_timeout. */
	log_warning("pool %s: worker %d: not retired yet (%s): it was busy at "
		    "every check for %.1f s (stop_timeout); it continues to "
		    "serve and retires later",
		r->conf->name, (int)r->w->pid, retire_cause_name(r->cause),
		(double)r->conf->stop_timeout_ms / 1000);
}

/* 1: SIGSTOP took effect; 0: not yet; -1: it is dead, its pidfd reports it. */
static int
is_stopped(const struct retire *r)
{
	siginfo_t si = {0};

	if (waitid(P_PIDFD, (id_t)r->w->pidfd, &si, WSTOPPED | WNOHANG) < 0)
		return -1;
	return si.si_pid != 0;
}

static int
wait_stopped(const struct retire *r)
{
	const struct timespec pause = {.tv_nsec = STOP_TRY_NS};
	int i, stopped;

	for (i = 0; i < STOP_TRIES; i++) {
		stopped = is_stopped(r);
		if (stopped != 0)
			return stopped;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

/* It has no connection, but does not wait for one either: it works on after its
 * answer.  That work is not interrupted before stop_timeout.  A worker with
 * several processes at a shut listener is not busy: it only replaces its
 * children, which exit. */
static bool
is_at_work(const struct retire *r, const struct kernel_sample *seen)
{
	return activity_by_kernel(seen, r->conf->threads).state !=
		ACTIVITY_IDLE &&
		!is_late(r) && !(r->shut && seen->processes > 1);
}

/* It is stopped and can accept nothing, so the result of this inspection stays
 * true. */
static void
end_stopped(struct retire *r)
{
	const struct kernel_sample *seen =
		kernel_inspect(r->kernel, r->observation, loop_now(r->loop));

	if (activity_by_kernel(seen, r->conf->threads).may_hold ||
		!seen->stopped || is_at_work(r, seen)) {
		try_later(r);
		return;
	}
	if (!is_late(r) &&
		(r->shut || seen->tasks == seen->accepting ||
			seen->processes > 1)) {
		/* It continues with the signal pending, which is delivered
		 * before accept(2) can return a connection. */
		send_signal(r, (int)r->conf->stop_signal);
		send_signal(r, SIGCONT);
	} else {
		/* It polls, has threads or ignores signals, so it could accept
		 * a connection before it exits.  It holds no request now. */
		send_signal(r, SIGKILL);
	}
	/* If the program does not exit, this is repeated. */
	set_step(r, RETIRE_SIGNALLED, r->cause);
	come_back(r, SIGNALLED_MS);
}

static bool
has_ended(const struct retire *r)
{
	siginfo_t si = {0};

	return waitid(P_PIDFD, (id_t)r->w->pidfd, &si,
		       WEXITED | WNOHANG | WNOWAIT) < 0 ||
		si.si_pid != 0;
}

static void
inspect_and_stop(struct retire *r)
{
	const struct kernel_sample *seen;
	struct activity a;
	int stopped;

	/* When many exit at once, most are dead and will be reaped soon. */
	if (has_ended(r))
		return;
	seen = kernel_check(r->kernel, r->observation, loop_now(r->loop));
	a = activity_by_kernel(seen, r->conf->threads);
	/* At a shut listener some programs call accept(2) in a busy loop. */
	if (a.state != ACTIVITY_IDLE &&
		(a.may_hold || (!r->shut && is_at_work(r, seen)))) {
		try_later(r);
		return;
	}
	set_step(r, RETIRE_STOPPING, r->cause);
	send_signal(r, SIGSTOP);
	stopped = wait_stopped(r);
	if (stopped > 0)
		end_stopped(r);
	else if (stopped == 0)
		come_back(r, FIRST_PAUSE_MS);
}

static void
on_timer(struct loop_timer *timer)
{
	struct retire *r = container_of(timer, struct retire, timer);
	int stopped;

	if (r->step != RETIRE_STOPPING) {
		inspect_and_stop(r);
		return;
	}
	stopped = is_stopped(r);
	if (stopped > 0)
		end_stopped(r);
	else if (stopped == 0)
		try_later(r);
}

void
retire_init(struct retire *r, struct loop *loop, const struct conf_pool *conf,
	struct worker *w, struct kernel_observer *kernel,
	struct kernel_worker *observation, unsigned *nreplaced)
{
	*r = (struct retire){
		.w = w,
		.kernel = kernel,
		.observation = observation,
		.nreplaced = nreplaced,
		.conf = conf,
		.loop = loop,
		.timer = {.on_timer = on_timer},
	};
}

void
retire_begin(struct retire *r, enum retire_cause cause, bool shut)
{
	if (r->step != RETIRE_NOT)
		return;
	worker_expect_exit(r->w);
	set_step(r, RETIRE_INSPECTING, cause);
	r->logged_late = false;
	r->shut = shut;
	r->since_ms = loop_now(r->loop);
	r->pause_ms = FIRST_PAUSE_MS;
	inspect_and_stop(r);
}

void
retire_at_once(struct retire *r, enum retire_cause cause)
{
	loop_timer_stop(r->loop, &r->timer);
	if (r->step == RETIRE_NOT)
		r->since_ms = loop_now(r->loop);
	set_step(r, RETIRE_SIGNALLED, cause);
	worker_kill(r->w);
}

bool
retire_is_recycling(enum retire_cause cause)
{
	return cause != RETIRE_IDLE && cause != RETIRE_TIMEOUT;
}

void
retire_end(struct retire *r)
{
	if (r->step == RETIRE_STOPPING && worker_alive(r->w))
		send_signal(r, SIGCONT);
	set_step(r, RETIRE_NOT, r->cause);
	loop_timer_stop(r->loop, &r->timer);
}

const char *
retire_cause_name(enum retire_cause cause)
{
	static const char *const names[RETIRE_CAUSES] = {
		[RETIRE_IDLE] = "idle",
		[RETIRE_REQUESTS] = "requests",
		[RETIRE_AGE] = "age",
		[RETIRE_MEMORY] = "memory",
		[RETIRE_TIMEOUT] = "timeout",
		[RETIRE_RELOAD] = "reload",
		[RETIRE_OPERATOR] = "operator",
		[RETIRE_LISTENER] = "listener",
		[RETIRE_EXIT] = "exit",
		[RETIRE_CRASH] = "crash",
	};

	return names[cause];
}
