/*
 * stop.c - stops a pool without interrupting a request; see stop.h
 *
 * Called by master/super; stop_on_dead() is called by pool/lifecycle and
 * pool/open.
 * The steps are:
 *
 *	1. shut the listener down; TCP: first let the workers empty the queue
 *	2. wait: workers serve what is queued, then accept(2) fails and they
 *	   exit
 *	3. retire the workers that did not exit, once they hold no connection
 *	4. at stop_timeout: SIGTERM to the workers that are left
 *	5. two seconds later: SIGKILL
 *
 * No signal is sent first, because SIGTERM kills most FastCGI programs in the
 * middle of a request.  The gateway is the exception: it handles SIGTERM, which
 * replaces steps 1 to 3.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/pool.h"
#include "pool/stop.h"
#include "sys/clients.h"
#include "sys/sockdiag.h"

/* Pause before the next inspection, doubling. */
#define FIRST_PAUSE_MS 10
#define LAST_PAUSE_MS 500
/* A TCP client is connected when it has the SYN-ACK.  On a busy machine its
 * connection may be in the queue that much later, with its ACK. */
#define HANDSHAKE_MS 20
#define KILL_AFTER_MS 2000

/* The only writer of the step, which only increases. */
static void
set_step(struct pool *p, enum pool_stop_step to)
{
	if (to < p->stop.step)
		BUG("a stop returns to an earlier step");
	p->stop.step = to;
}

/* Is there a client that no worker has accepted?  false if that is unknown. */
static bool
has_queue(int fd)
{
	struct sockdiag_queue q;

	return sockdiag_tcp_queue(fd, &q) == 0 && q.waiting > 0;
}

static bool
has_tcp(const struct pool *p)
{
	size_t i;

	for (i = 0; i < p->nsockets; i++)
		if (addr_is_tcp(&p->sockets[i].addr))
			return true;
	return false;
}

static void
signal_all(struct pool *p, int signo)
{
	unsigned i;

	for (i = 0; i < p->members.n; i++)
		if (worker_alive(&p->members.v[i].worker))
			worker_retire(&p->members.v[i].worker, signo);
}

/*
 * Refuses new clients.  After shutdown(2), workers can still accept what a
 * unix listener has queued.  A TCP listener resets its queue, so the workers
 * empty it first, while a filter drops new connections.
 */
static void
shut_listener(struct pool *p, int64_t now)
{
	struct listen_socket *s = &p->sockets[0];
	bool cgi = p->conf->mode == CONF_MODE_CGI;

	if (has_tcp(p) && now - p->stop.since_ms < HANDSHAKE_MS)
		return;
	if (!cgi && addr_is_tcp(&s->addr) && has_queue(s->fd))
		return;
	set_step(p, POOL_STOP_SHUT);
	if (cgi) {
		/* It accepts what is queued, then closes its listeners. */
		signal_all(p, SIGTERM);
		return;
	}
	if (shutdown(s->fd, SHUT_RDWR) < 0)
		/* Action: no action is needed. */
		log_notice("pool %s: cannot shut down the listening socket "
			   "%s: %s; its workers are ended when they hold no "
			   "connection, at the latest after stop_timeout",
			p->conf->name, s->addr.text, strerror(errno));
}

/* Is the queue of the shut listener empty? */
static bool
queue_is_empty(struct pool *p)
{
	struct sockdiag_queue queue;

	/* A TCP listener was shut down with an empty queue. */
	return addr_is_tcp(&p->sockets[0].addr) ||
		kernel_read_queue(&p->members.kernel, &queue) < 0 ||
		queue.waiting == 0;
}

/* Retires the workers that did not exit at the shut listener. */
static void
retire_all(struct pool *p)
{
	unsigned i;

	for (i = 0; i < p->members.n; i++)
		if (worker_alive(&p->members.v[i].worker))
			retire_begin(
				&p->members.v[i].retire, RETIRE_OPERATOR, true);
}

static void
retire_none(struct pool *p)
{
	unsigned i;

	for (i = 0; i < p->members.n; i++)
		retire_end(&p->members.v[i].retire);
}

static void
kill_all(struct pool *p)
{
	unsigned i;

	set_step(p, POOL_STOP_KILL);
	for (i = 0; i < p->members.n; i++)
		worker_kill(&p->members.v[i].worker);
	overload_kill(&p->overload);
}

/* stop_timeout is over. */
static void
terminate_all(struct pool *p)
{
	unsigned alive = members_alive(&p->members);

	overload_kill(&p->overload);
	if (p->stop.step < POOL_STOP_TERM)
		/* Action: if requests were interrupted, raise stop_timeout, and
		 * TimeoutStopSec= of the systemd unit above it.  A program that
		 * does not exit when its listening socket is shut down, and has
		 * an idle keep-alive connection, is always ended like this. */
		log_warning("pool %s: %u %s still busy after %.1f s "
			    "(stop_timeout); sending SIGTERM",
			p->conf->name, alive,
			alive == 1 ? "worker is" : "workers are",
			(double)p->conf->stop_timeout_ms / 1000);
	set_step(p, POOL_STOP_TERM);
	retire_none(p);
	signal_all(p, SIGTERM);
}

static void
take_step(struct pool *p)
{
	int64_t now = loop_now(p->loop);
	int64_t end = p->stop.since_ms + p->conf->stop_timeout_ms;
	unsigned alive = members_alive(&p->members);
	bool cgi = p->conf->mode == CONF_MODE_CGI;

	if (now >= end + KILL_AFTER_MS) {
		/* Action: a request that a worker still had is lost.  If
		 * programs need longer to finish a request, raise
		 * stop_timeout, and TimeoutStopSec= of the systemd unit above
		 * it. */
		log_notice("pool %s: %u %s still alive 2 s after SIGTERM; "
			   "sending SIGKILL",
			p->conf->name, alive,
			alive == 1 ? "worker is" : "workers are");
		kill_all(p);
		return;
	}
	if (now >= end) {
		if (p->stop.step < POOL_STOP_KILL)
			terminate_all(p);
		loop_timer_set(p->loop, &p->stop.timer, end + KILL_AFTER_MS);
		return;
	}
	if (p->stop.step == POOL_STOP_QUEUE)
		shut_listener(p, now);
	else if (p->stop.step == POOL_STOP_SHUT && !cgi && queue_is_empty(p))
		retire_all(p);
	if (cgi && p->stop.step == POOL_STOP_SHUT) {
		loop_timer_set(p->loop, &p->stop.timer, end);
		return;
	}
	loop_timer_set(
		p->loop, &p->stop.timer, MIN(now + p->stop.pause_ms, end));
	p->stop.pause_ms = MIN(p->stop.pause_ms * 2, (int64_t)LAST_PAUSE_MS);
}

static void
stop_on_timer(struct loop_timer *t)
{
	take_step(container_of(t, struct pool, stop.timer));
}

void
stop_on_dead(struct pool *p)
{
	if (members_alive(&p->members) > 0 || overload_is_alive(&p->overload))
		return;
	loop_timer_stop(p->loop, &p->stop.timer);
	p->ops->on_stopped(p);
}

/*
 * Drops new connections to TCP listeners.  A client that entered the queue
 * after its last inspection would be reset when the listener is shut down.
 */
static void
refuse_clients(const struct pool *p)
{
	size_t i;

	for (i = 0; i < p->nsockets; i++)
		if (addr_is_tcp(&p->sockets[i].addr) &&
			clients_refuse_all(p->sockets[i].fd) < 0)
			/* Action: connections that arrive at this TCP address
			 * during the stop may be reset without a response.
			 * Stop the web server first, or use a unix socket. */
			log_warning("pool %s: cannot drop new connections to "
				    "%s while it stops: %s",
				p->conf->name, p->sockets[i].addr.text,
				strerror(errno));
}

void
pool_stop(struct pool *p)
{
	size_t i;

	if (pool_is_stopping(p)) {
		kill_all(p);
		return;
	}
	set_step(p, POOL_STOP_QUEUE);
	loop_timer_stop(p->loop, &p->adjust_timer);
	wakeup_stop(&p->wakeup);
	overload_stop(&p->overload);
	if (members_alive(&p->members) == 0 &&
		!overload_is_alive(&p->overload)) {
		p->ops->on_stopped(p);
		return;
	}
	for (i = 0; i < p->nsockets; i++)
		listen_unlink(&p->sockets[i]);
	for (i = 0; i < p->members.n; i++)
		worker_expect_exit(&p->members.v[i].worker);
	/* Workers that were retiring are stopped like the others. */
	retire_none(p);
	p->stop.timer.on_timer = stop_on_timer;
	p->stop.since_ms = loop_now(p->loop);
	p->stop.pause_ms = FIRST_PAUSE_MS;
	refuse_clients(p);
	take_step(p);
}
