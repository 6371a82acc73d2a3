/*
 * orders.c - starts the refuser, sends it orders and handles its reports; see
 * orders.h
 *
 * Called by overload/overload, which finds the overdue clients.  The refuser is
 * started as a worker (worker/worker) with a channel at REFUSER_FD.  accept(2)
 * returns the head of the queue, and a worker may accept it first.  So an order
 * identifies the overdue clients, and the refuser checks each client that it
 * has accepted before it answers.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "overload/orders.h"
#include "overload/protocol.h"
#include "overload/queue.h"
#include "sys/listen.h"
#include "worker/launch.h"

/* A refuser that does not report within this time is killed. */
#define REPORT_TIMEOUT_MS 5000
/* Back-off between failed starts, doubling. */
#define MIN_BACKOFF_MS 100
#define MAX_BACKOFF_MS 10000

/* -- the process ----------------------------------------------------------- */

static void
close_channel(struct orders *o)
{
	int fd = o->channel.fd;

	loop_del(o->loop, &o->channel);
	fd_close(&fd);
	o->ordered = o->connects_left = 0;
	o->listener_changed = false;
}

static void
back_off(struct orders *o)
{
	o->backoff_ms = MIN(MAX(o->backoff_ms * 2, (int64_t)MIN_BACKOFF_MS),
		(int64_t)MAX_BACKOFF_MS);
	o->not_before_ms = loop_now(o->loop) + o->backoff_ms;
}

static int
spawn_refuser(struct orders *o)
{
	struct spawn_spec spec = *launch_spec(o->launch, 0);
	int pair[2], fds[REFUSER_FD + 1], rc;

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
	if (rc < 0)
		fd_close(&pair[0]);
	fd_close(&pair[1]);
	return rc;
}

/* Can an order be sent?  Starts the refuser if necessary. */
static bool
ensure_refuser(struct orders *o)
{
	if (worker_alive(&o->refuser))
		return o->channel.fd >= 0;
	if (loop_now(o->loop) < o->not_before_ms)
		return false;
	o->reported = false;
	if (spawn_refuser(o) == 0)
		return true;
	back_off(o);
	/* Action: the refuser answers 503 to clients that waited longer than
	 * queue_timeout; requests are still served without it.  Check that
	 * fcgipm-cgi is installed.  "Too many open files":
	 * raise the limit of open files (LimitNOFILE=).  "Resource temporarily
	 * unavailable": raise the limit of processes (TasksMax=). */
	log_error("pool %s: refuser: cannot start fcgipm-cgi --refuse: %s; "
		"next start in %.1f s", o->conf->name, strerror(errno),
		(double)o->backoff_ms / 1000);
	return false;
}

static bool
refuser_is_up(struct worker *w, bool unseen)
{
	const struct orders *o = w->owner;
	(void)unseen;

	return o->reported;
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
	struct orders *o = w->owner;
	(void)before;

	close_channel(o);
	if (o->stopping) {
		o->ops->on_gone(o);
		return;
	}
	if (!failed)
		return;
	if (!o->reported)
		back_off(o);
	/* Action: the refuser answers 503 to clients that waited longer than
	 * queue_timeout; requests are still served without it.  No action is
	 * needed if it was killed by hand.  SIGKILL that
	 * no process sent: memory ran out (see dmesg).  If it dies repeatedly,
	 * check that the user of the pool may execute fcgipm-cgi, or report
	 * it. */
	log_warning("pool %s: refuser %d: died: %s; it is started again when "
		"a client has waited longer than queue_timeout", o->conf->name, (int)w->pid, story);
}

static const struct worker_ops refuser_ops = {
	.is_up = refuser_is_up,
	.on_up = refuser_on_up,
	.on_dead = refuser_on_dead,
};

/* -- the messages ---------------------------------------------------------- */

void
orders_send(struct orders *o, unsigned n, const struct queue *clients)
{
	struct refuser_order m = {.n = MIN(n, (unsigned)REFUSER_MAX)};
	int64_t now = loop_now(o->loop);
	size_t i;

	if (n == 0 || o->stopping)
		BUG(n == 0 ? "an empty order" : "an order after orders_stop()");
	if (o->ordered > 0 && now >= o->ordered_ms + REPORT_TIMEOUT_MS) {
		/* Action: the refuser answers 503 to clients that waited
		 * longer than queue_timeout; requests are still served without
		 * it.  No action is needed if the machine was overloaded, or if the process was stopped by hand.  If this happens
		 * repeatedly, report it. */
		log_warning("pool %s: refuser %d: no report within %d s; "
			"killed; it is started again when a client has waited "
			"longer than queue_timeout",
			o->conf->name, (int)o->refuser.pid,
			REPORT_TIMEOUT_MS / 1000);
		worker_kill(&o->refuser);
		close_channel(o);
		return;
	}
	if (o->ordered > 0 || !ensure_refuser(o))
		return;
	for (i = 0; clients && i < m.n; i++)
		m.inos[i] = clients->v[i].ino;
	/* Fails when the refuser is about to exit; the next order starts a new
	 * one.  The socket buffers an order that is sent before its start. */
	if (fd_send(o->channel.fd, &m, sizeof(m),
		    o->listener_changed ? o->socket->fd : -1) < 0)
		return;
	o->listener_changed = false;
	o->ordered = m.n;
	o->ordered_ms = now;
}

/* Sends connections for forwarded clients.  The refuser asks again for those
 * that are missing. */
static void
send_connections(struct orders *o, unsigned wanted)
{
	int fd, rc;

	for (; wanted > 0 && o->connects_left > 0;
		wanted--, o->connects_left--) {
		fd = listen_connect(o->socket);
		rc = fd < 0 ? -1 : fd_send(o->channel.fd, "", 1, fd);
		fd_close(&fd);
		if (rc < 0) {
			log_debug("pool %s: refuser: no connection for a "
				"forwarded client: %s", o->conf->name,
				strerror(errno));
			return;
		}
	}
}

/* The sender runs as the pool's user: its numbers are limited to what was
 * ordered. */
static void
read_report(struct orders *o, const struct refuser_report *r)
{
	unsigned ordered = o->ordered;
	unsigned refused = MIN(r->refused, ordered);
	unsigned forwarded = MIN(r->forwarded, ordered - refused);

	o->ordered = 0;
	o->connects_left += forwarded;
	o->forwarded += forwarded;
	o->reported = true;
	o->backoff_ms = 0;
	if (forwarded > 0)
		log_debug("pool %s: refuser: accepted clients that are not "
			"overdue; forwarded to workers: %u, since the start: "
			"%llu", o->conf->name, forwarded,
			(unsigned long long)o->forwarded);
	o->ops->on_report(o, ordered, refused);
}

static void
on_channel(struct loop_io *io, uint32_t events)
{
	struct orders *o = container_of(io, struct orders, channel);
	union {
		struct refuser_report report;
		struct refuser_want want;
	} m;
	/* Without a control buffer, descriptors that it sends are dropped. */
	ssize_t n = recv(io->fd, &m, sizeof(m), MSG_TRUNC);
	(void)events;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(m.want))
		send_connections(o, m.want.n);
	else if (n == (ssize_t)sizeof(m.report))
		read_report(o, &m.report);
	else
		close_channel(o);
}

/* -- start and end --------------------------------------------------------- */

int
orders_init(struct orders *o, struct loop *loop, const struct conf_pool *conf,
	const struct listen_socket *socket, unsigned long nofile,
	const struct orders_ops *ops, char *ret_why, size_t why_size)
{
	*o = (struct orders){
		.ops = ops,
		.conf = conf,
		.loop = loop,
		.socket = socket,
		.channel = {.on_event = on_channel, .fd = -1},
	};
	worker_init(&o->refuser, loop, conf->name, 0, true, &refuser_ops, o);
	o->launch = launch_new_refuser(conf, socket, nofile, ret_why,
		why_size);
	return o->launch ? 0 : -1;
}

void
orders_fini(struct orders *o)
{
	if (!o->launch)
		return;
	close_channel(o);
	launch_free(&o->launch);
}

void
orders_replace_listener(struct orders *o)
{
	o->listener_changed = o->channel.fd >= 0;
}

void
orders_stop(struct orders *o)
{
	o->stopping = true;
	close_channel(o);
	worker_expect_exit(&o->refuser);
}

bool
orders_is_alive(const struct orders *o)
{
	return o->launch && worker_alive(&o->refuser);
}

void
orders_kill(struct orders *o)
{
	if (orders_is_alive(o))
		worker_kill(&o->refuser);
}
