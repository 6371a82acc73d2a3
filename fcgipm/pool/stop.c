/*
 * stop.c - ends a pool without cutting a request short; see stop.h
 *
 * A signal is no way to ask a FastCGI program to leave: most die of it in the
 * middle of a request.  Shutting the listener down is: what is queued is still
 * served, then accept(2) fails in every worker and each
 * leaves by its own way out.  A worker that does not is retired when it holds
 * no connection; at stop_timeout the rest gets TERM, and two seconds later
 * KILL.  The gateway is ours and knows what TERM means.
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

#define FIRST_LOOK_MS 10
/* A TCP client that has its SYN-ACK is connected for itself; its ACK may wait
 * that long for a busy CPU before the connection is in the queue. */
#define HANDSHAKE_MS 20
#define LAST_LOOK_MS 500
#define KILL_AFTER_MS 2000

/* The only writer of the step.  It goes up, one or more at a time. */
static void
set_step(struct pool *p, enum pool_stop_step to)
{
	if (to < p->stop.step)
		BUG("a stop goes back");
	p->stop.step = to;
}

/* Is there a client that no worker has accepted?  No, if that cannot be
 * seen. */
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
 * No new client comes in.  A unix listener gives out what is queued after
 * shutdown(2); a TCP one resets it, so there the queue is emptied by the
 * workers first, while new connections are left unanswered.
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
		/* It takes what is queued, then closes its listeners. */
		signal_all(p, SIGTERM);
		return;
	}
	if (shutdown(s->fd, SHUT_RDWR) < 0)
		log_warning("pool %s: shutdown of %s: %s", p->conf->name,
			s->addr.text, strerror(errno));
}

/* Nobody is left in the queue of a listener that nobody can reach. */
static bool
queue_is_empty(struct pool *p)
{
	struct sockdiag_queue queue;

	/* A TCP listener was shut when it was. */
	return addr_is_tcp(&p->sockets[0].addr) ||
		kernel_read_queue(&p->members.kernel, &queue) < 0 ||
		queue.waiting == 0;
}

/* Those that did not leave by the shut listener: at the first moment at which
 * they hold no connection. */
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
		log_warning("pool %s: %u worker%s still busy after "
			    "stop_timeout",
			p->conf->name, alive, alive == 1 ? "" : "s");
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
		log_warning("pool %s: killed %u worker%s that did not leave",
			p->conf->name, alive, alive == 1 ? "" : "s");
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
	p->stop.pause_ms = MIN(p->stop.pause_ms * 2, (int64_t)LAST_LOOK_MS);
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
 * A TCP listener stays ours until the last worker has left: a client that
 * got into its queue after the last inspection would be reset with it.
 */
static void
refuse_clients(const struct pool *p)
{
	size_t i;

	for (i = 0; i < p->nsockets; i++)
		if (addr_is_tcp(&p->sockets[i].addr) &&
			clients_refuse_all(p->sockets[i].fd) < 0)
			log_warning("pool %s: %s: new clients cannot be kept "
				    "out while it stops: %s",
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
	/* Those that were retiring leave as the others do. */
	retire_none(p);
	p->stop.timer.on_timer = stop_on_timer;
	p->stop.since_ms = loop_now(p->loop);
	p->stop.pause_ms = FIRST_LOOK_MS;
	refuse_clients(p);
	take_step(p);
}
