/*
 * overload.c - clients who have waited too long; see overload.h
 *
 * Called by pool/pool.  What it costs: nothing while the queue is empty, as
 * the listener is watched by epoll(7) then.  Once somebody has come it is left
 * unwatched for a quarter of queue_timeout, 10 to 250 ms, so that a busy pool
 * wakes us twice in that time and not with each request.  Then one look: what
 * waits on a unix listener is listed (about 10 us), of a TCP one counted (0.2
 * us) and listed only when somebody may be overdue.  The kernel wakes a watcher
 * also for clients whom a worker takes before we look; that costs no call.
 *
 * Connections are refused by a process of the pool's user (overload/refuser),
 * one order of up to REFUSER_MAX after the other.  accept(2) hands out the head
 * of the queue, and a worker may take that in between: so an order says which
 * ones are overdue, and the refuser looks whom it got before it answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "worker/launch.h"
#include "observe/kernel.h"
#include "overload/overload.h"
#include "overload/protocol.h"
#include "sys/listen.h"

/* Between two looks, a quarter of queue_timeout within these. */
#define LEAST_PERIOD_MS 10
#define MOST_PERIOD_MS 250
/* Until a queue that could not be looked at is tried again. */
#define BLIND_MS 1000
/* Nobody overdue for so long: it is over. */
#define CALM_MS 1000
/* A refuser that has not reported by then hangs. */
#define PATIENCE_MS 5000
#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 10000
/* To list takes milliseconds where the machine has 10^4 connections: so much
 * of the time at most, one part in these. */
#define LIST_SHARE 20

struct look {
	unsigned waiting;	/* connections in the queue */
	unsigned overdue;	/* of these, from its head on */
	int64_t due_ms;		/* when there may be one more; 0 = unknown */
};

static bool
is_unix(const struct overload *o)
{
	return o->observe->listeners[0].family == AF_UNIX;
}

static int
look_unix(struct overload *o, int64_t now, struct look *l)
{
	/* Both times are cut to whole milliseconds. */
	const int64_t age = o->conf->queue_timeout_ms + 1;
	static uint32_t inos[SOCKDIAG_WAITING_MAX];
	int n = sockdiag_unix_waiting(o->observe->diag, o->observe->inos[0],
		inos, ARRAY_SIZE(inos));
	int64_t oldest;

	if (n < 0)
		return -1;
	queue_note(&o->clients, inos, MIN((size_t)n, ARRAY_SIZE(inos)), now);
	oldest = queue_oldest(&o->clients);
	l->waiting = (unsigned)n;
	l->overdue = (unsigned)queue_overdue(&o->clients, now - age);
	l->due_ms = oldest ? oldest + age : 0;
	return 0;
}

/* All connections are walked to list those that wait: dear where there are
 * many, so it is done when the oldest may have come to its time. */
static int
look_tcp(struct overload *o, int64_t now, struct look *l)
{
	const int64_t age = o->conf->queue_timeout_ms + REFUSER_TICK_MS;
	struct sockdiag_queue queue;
	struct sockdiag_waiting seen;
	int64_t start;

	if (sockdiag_tcp_queue(o->observe->fds[0], &queue) < 0)
		return -1;
	l->waiting = queue.waiting;
	if (queue.waiting == 0) {
		o->waiting_since_ms = 0;
		return 0;
	}
	if (o->waiting_since_ms == 0)
		o->waiting_since_ms = now;
	if (now >= MAX(o->waiting_since_ms + age, o->list_ms)) {
		start = now_ms();
		if (sockdiag_tcp_waiting(o->observe->diag,
			    &o->observe->listeners[0], age, &seen) < 0)
			return -1;
		l->overdue = seen.old;
		o->waiting_since_ms = now - seen.oldest_ms;
		o->list_ms = now + (now_ms() - start) * LIST_SHARE;
	}
	l->due_ms = MAX(o->waiting_since_ms + age, o->list_ms);
	return 0;
}

/* -- the refuser ----------------------------------------------------------- */

static void
close_channel(struct overload *o)
{
	int fd = o->channel.fd;

	loop_del(o->loop, &o->channel);
	fd_close(&fd);
	o->ordered = o->owed = 0;
	o->reopened = false;
}

static void
start_later(struct overload *o)
{
	o->pause_ms = MIN(MAX(o->pause_ms * 2, (int64_t)FIRST_PAUSE_MS),
		(int64_t)LAST_PAUSE_MS);
	o->not_before_ms = loop_now(o->loop) + o->pause_ms;
}

static int
spawn_refuser(struct overload *o)
{
	struct spawn_spec spec = *launch_spec(o->launch, 0);
	int pair[2], fds[REFUSER_FD + 1], rc, saved;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0, pair) < 0)
		return -1;
	memcpy(fds, spec.fds, REFUSER_FD * sizeof(int));
	fds[REFUSER_FD] = pair[1];
	spec.fds = fds;
	spec.nfds = REFUSER_FD + 1;
	rc = worker_start(&o->refuser, &spec);
	if (rc == 0)
		rc = loop_add(o->loop, &o->channel, pair[0], LOOP_READ);
	saved = errno;
	if (rc < 0)
		close(pair[0]);
	close(pair[1]);
	errno = saved;
	return rc;
}

/* For clients who go on to a worker: the refuser may lack the right to connect
 * there.  What is not there now it asks for again. */
static void
connect_for(struct overload *o, unsigned wanted)
{
	int fd, rc;

	for (; wanted > 0 && o->owed > 0; wanted--, o->owed--) {
		fd = listen_connect(o->socket);
		rc = fd < 0 ? -1 : fd_send(o->channel.fd, "", 1, fd);
		fd_close(&fd);
		if (rc < 0) {
			log_debug("pool %s: a client who goes on to a worker "
				"waits: %s", o->conf->name, strerror(errno));
			return;
		}
	}
}

static bool
need_refuser(struct overload *o, int64_t now)
{
	if (worker_alive(&o->refuser))
		return o->channel.fd >= 0;
	if (now < o->not_before_ms)
		return false;
	o->heard = false;
	if (spawn_refuser(o) == 0)
		return true;
	start_later(o);
	log_error("pool %s: cannot start fcgipm-cgi --refuse: %s; clients "
		"wait on; next try in %.1f s", o->conf->name, strerror(errno),
		(double)o->pause_ms / 1000);
	return false;
}

/* One order at a time; what it asks for is buffered while it starts. */
static void
order(struct overload *o, unsigned overdue, int64_t now)
{
	struct refuser_order m = {.n = MIN(overdue, (unsigned)REFUSER_MAX)};
	size_t i;

	if (o->ordered > 0 && now >= o->ordered_ms + PATIENCE_MS) {
		log_warning("pool %s: process %d, which refuses clients, "
			"does not answer; killed", o->conf->name,
			(int)o->refuser.pid);
		worker_kill(&o->refuser);
		close_channel(o);
		return;
	}
	if (o->ordered > 0 || !need_refuser(o, now))
		return;
	for (i = 0; i < m.n && is_unix(o); i++)
		m.inos[i] = o->clients.v[i].ino;
	if (fd_send(o->channel.fd, &m, sizeof(m),
		    o->reopened ? o->socket->fd : -1) < 0)
		return;		/* it is about to leave: another time */
	o->reopened = false;
	o->ordered = m.n;
	o->ordered_ms = now;
}

/* -- looking --------------------------------------------------------------- */

/* Told when it begins and when it is over, with the numbers. */
static void
note_overdue(struct overload *o, const struct look *l, int64_t now)
{
	if (l->overdue > 0) {
		o->overdue_ms = now;
		if (o->refusing)
			return;
		o->refusing = true;
		o->since_ms = now;
		o->refused_before = o->refused;
		log_warning("pool %s: clients have waited for %lld ms "
			"(queue_timeout) and get 503: %u of %u in the queue; "
			"raise pm.max_children if the machine has room for "
			"more", o->conf->name,
			(long long)o->conf->queue_timeout_ms, l->overdue,
			l->waiting);
	} else if (o->refusing && now >= o->overdue_ms + CALM_MS) {
		o->refusing = false;
		log_notice("pool %s: no client waits for longer than "
			"queue_timeout any more; %llu got 503 within %.1f s",
			o->conf->name,
			(unsigned long long)(o->refused - o->refused_before),
			(double)(o->overdue_ms - o->since_ms) / 1000);
	}
}

static void
watch_door(struct overload *o)
{
	int fd;

	if (o->door.fd >= 0)
		return;
	/* The listener itself may be watched for knocks. */
	fd = fcntl(o->observe->fds[0], F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && loop_add(o->loop, &o->door, fd, LOOP_READ) == 0)
		return;
	fd_close(&fd);
	loop_timer_set(o->loop, &o->look_timer,
		loop_now(o->loop) + BLIND_MS);
}

static void
leave_door(struct overload *o)
{
	int fd = o->door.fd;

	loop_del(o->loop, &o->door);
	fd_close(&fd);
}

static int64_t
period_ms(const struct overload *o)
{
	return MIN(MAX(o->conf->queue_timeout_ms / 4,
			   (int64_t)LEAST_PERIOD_MS),
		(int64_t)MOST_PERIOD_MS);
}

static void
tell_blind(struct overload *o)
{
	if (!o->told_blind)
		log_warning("pool %s: queue_timeout: the queue cannot be "
			"looked at: %s%s; nobody is refused until then",
			o->conf->name, strerror(errno),
			errno == EMSGSIZE ? " (lower listen.backlog)" : "");
	o->told_blind = true;
}

static void
look(struct overload *o)
{
	int64_t now = loop_now(o->loop), at;
	struct look l = {0};

	if ((is_unix(o) ? look_unix : look_tcp)(o, now, &l) < 0) {
		tell_blind(o);
		loop_timer_set(o->loop, &o->look_timer, now + BLIND_MS);
		return;
	}
	o->told_blind = false;
	note_overdue(o, &l, now);
	if (l.overdue > 0)
		order(o, l.overdue, now);
	o->ops->on_queue(o, l.waiting);
	if (l.waiting == 0 && !o->refusing) {
		watch_door(o);
		return;
	}
	at = now + period_ms(o);
	if (l.due_ms > now)
		at = MIN(at, MAX(l.due_ms, now + LEAST_PERIOD_MS));
	loop_timer_set(o->loop, &o->look_timer, at);
}

static void
on_look_timer(struct loop_timer *t)
{
	look(container_of(t, struct overload, look_timer));
}

/* Somebody has come.  Mostly a worker takes him at once. */
static void
on_door(struct loop_io *io, uint32_t events)
{
	struct overload *o = container_of(io, struct overload, door);
	(void)events;

	leave_door(o);
	o->waiting_since_ms = loop_now(o->loop);
	loop_timer_set(o->loop, &o->look_timer,
		loop_now(o->loop) + period_ms(o));
}

static void
note_report(struct overload *o, uint32_t refused, uint32_t passed)
{
	int64_t now = loop_now(o->loop), soon = now + LEAST_PERIOD_MS;

	o->refused += refused;
	o->passed += passed;
	o->owed += passed;
	o->heard = true;
	o->pause_ms = 0;
	if (passed > 0)
		log_debug("pool %s: a worker was faster: clients passed on to "
			"workers so far: %llu", o->conf->name,
			(unsigned long long)o->passed);
	/* When it got nobody, workers are at it: no hurry.  Else there may be
	 * more, or will be: not one order for each of them. */
	if (o->ordered == REFUSER_MAX && refused > 0)
		soon = now;
	if (refused > 0 && soon < o->look_timer.at_ms)
		loop_timer_set(o->loop, &o->look_timer, soon);
	o->ordered = 0;
}

/* The word of a process of the pool's user: no more than was ordered is
 * believed, nor given. */
static void
on_channel(struct loop_io *io, uint32_t events)
{
	struct overload *o = container_of(io, struct overload, channel);
	union {
		struct refuser_report report;
		struct refuser_want want;
	} m;
	ssize_t n = recv(io->fd, &m, sizeof(m), MSG_TRUNC);
	(void)events;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(m.want))
		connect_for(o, m.want.n);
	else if (n != (ssize_t)sizeof(m.report))
		close_channel(o);
	else if (o->ordered > 0)
		note_report(o, MIN(m.report.refused, o->ordered),
			MIN(m.report.passed, o->ordered));
}

/* -- its life -------------------------------------------------------------- */

static bool
refuser_is_up(struct worker *w, bool unseen)
{
	const struct overload *o = w->owner;
	(void)unseen;

	return o->heard;
}

static void
refuser_on_up(struct worker *w)
{
	(void)w;
}

static void
refuser_on_dead(struct worker *w, enum worker_state before, const char *story,
	bool failed)
{
	struct overload *o = w->owner;
	(void)before;

	close_channel(o);
	if (o->stopping) {
		o->ops->on_gone(o);
		return;
	}
	if (!failed)
		return;
	if (!o->heard)
		start_later(o);
	log_warning("pool %s: process %d, which refuses clients, died: %s; "
		"another one follows while clients are overdue",
		o->conf->name, (int)w->pid, story);
}

static const struct worker_ops refuser_ops = {
	.is_up = refuser_is_up,
	.on_up = refuser_on_up,
	.on_dead = refuser_on_dead,
};

int
overload_init(struct overload *o, struct loop *loop,
	const struct conf_pool *conf, const struct listen_socket *socket,
	struct kernel_observer *observe, unsigned long nofile,
	const struct overload_ops *ops, char *ret_why, size_t why_size)
{
	*o = (struct overload){
		.ops = ops,
		.conf = conf,
		.loop = loop,
		.observe = observe,
		.socket = socket,
		.door = {.on_event = on_door, .fd = -1},
		.look_timer = {.on_timer = on_look_timer},
		.channel = {.on_event = on_channel, .fd = -1},
	};
	worker_init(&o->refuser, loop, conf->name, 0, true, &refuser_ops, o);
	o->launch = launch_new_refuser(conf, socket, nofile, ret_why,
		why_size);
	return o->launch ? 0 : -1;
}

void
overload_fini(struct overload *o)
{
	if (!o->launch)
		return;
	loop_timer_stop(o->loop, &o->look_timer);
	leave_door(o);
	close_channel(o);
	queue_fini(&o->clients);
	launch_free(&o->launch);
}

void
overload_start(struct overload *o)
{
	if (o->launch)
		watch_door(o);
}

void
overload_reopened(struct overload *o)
{
	o->reopened = o->launch && o->channel.fd >= 0;
}

void
overload_stop(struct overload *o)
{
	if (!o->launch)
		return;
	o->stopping = true;
	loop_timer_stop(o->loop, &o->look_timer);
	leave_door(o);
	close_channel(o);
	worker_expect_exit(&o->refuser);
}

bool
overload_is_alive(const struct overload *o)
{
	return o->launch && worker_alive(&o->refuser);
}

void
overload_kill(struct overload *o)
{
	if (overload_is_alive(o))
		worker_kill(&o->refuser);
}
