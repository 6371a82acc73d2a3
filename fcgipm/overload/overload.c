/*
 * overload.c - enforces queue_timeout; see overload.h
 *
 * Called by pool/open and pool/stop.
 * An empty queue costs nothing: epoll(7) watches the listening socket.  When a
 * client has arrived, the socket is not watched for a quarter of queue_timeout,
 * 10 to 250 ms.  So a busy pool wakes the supervisor twice in that time, not
 * with each request.  Then the queue is sampled: that of a unix socket is
 * listed (about 10 us), that of a TCP socket is counted (0.2 us) and listed
 * only if a client may be overdue.  epoll(7) also reports clients that a worker
 * accepts before the sample, which only causes an unnecessary sample.
 *
 * The refuser answers the overdue clients; overload/orders starts it and sends
 * it orders.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "observe/kernel.h"
#include "overload/overload.h"
#include "overload/protocol.h"

/* Between two samples: a quarter of queue_timeout, within these bounds. */
#define MIN_PERIOD_MS 10
#define MAX_PERIOD_MS 250
/* Until a queue that could not be sampled is tried again. */
#define RETRY_MS 1000
/* The overload has ended when no client was overdue for this time. */
#define CALM_MS 1000
/* Listing takes milliseconds on a machine with 10^4 connections: it may take
 * 1/LIST_SHARE of the time. */
#define LIST_SHARE 20

struct sample {
	unsigned waiting;	/* connections in the queue */
	unsigned overdue;	/* of these, at its head */
	int64_t due_ms;		/* when one more may be overdue; 0 = unknown */
};

/* -- sampling -------------------------------------------------------------- */

static bool
is_unix(const struct overload *o)
{
	return o->observe->listeners[0].family == AF_UNIX;
}

static int
sample_unix(struct overload *o, int64_t now, struct sample *ret)
{
	/* Both times are truncated to milliseconds. */
	const int64_t age = o->conf->queue_timeout_ms + 1;
	static uint32_t inos[SOCKDIAG_WAITING_MAX];
	int n = sockdiag_unix_waiting(o->observe->diag, o->observe->inos[0],
		inos, ARRAY_SIZE(inos));
	int64_t oldest;

	if (n < 0)
		return -1;
	queue_update(&o->clients, inos, MIN((size_t)n, ARRAY_SIZE(inos)), now);
	oldest = queue_oldest(&o->clients);
	ret->waiting = (unsigned)n;
	ret->overdue = (unsigned)queue_overdue(&o->clients, now - age);
	ret->due_ms = oldest ? oldest + age : 0;
	return 0;
}

/* To list the waiting connections the kernel walks all connections, which is
 * expensive if there are many: done only when the oldest may be overdue. */
static int
sample_tcp(struct overload *o, int64_t now, struct sample *ret)
{
	const int64_t age = o->conf->queue_timeout_ms + REFUSER_TICK_MS;
	struct sockdiag_queue queue;
	struct sockdiag_waiting list;
	int64_t start;

	if (sockdiag_tcp_queue(o->observe->fds[0], &queue) < 0)
		return -1;
	ret->waiting = queue.waiting;
	if (queue.waiting == 0) {
		o->waiting_since_ms = 0;
		return 0;
	}
	if (o->waiting_since_ms == 0)
		o->waiting_since_ms = now;
	if (now >= MAX(o->waiting_since_ms + age, o->list_not_before_ms)) {
		start = now_ms();
		if (sockdiag_tcp_waiting(o->observe->diag,
			    &o->observe->listeners[0], age, &list) < 0)
			return -1;
		ret->overdue = list.old;
		o->waiting_since_ms = now - list.oldest_ms;
		o->list_not_before_ms = now + (now_ms() - start) * LIST_SHARE;
	}
	ret->due_ms = MAX(o->waiting_since_ms + age, o->list_not_before_ms);
	return 0;
}

/* Logs the begin and the end of an overload. */
static void
note_overdue(struct overload *o, const struct sample *s, int64_t now)
{
	uint64_t refused;

	if (s->overdue > 0) {
		o->overdue_ms = now;
		if (o->refusing)
			return;
		o->refusing = true;
		o->refusing_since_ms = now;
		o->refused_before = o->refused;
		/* Action: if memory or CPU time is short, find out with
		 * fcgipmctl status what the workers wait for, and make the
		 * requests faster. */
		log_warning("pool %s: queue_timeout: answering 503: %u of %u "
			"queued clients waited longer than %lld ms; raise "
			"pm.max_children if memory and CPU allow",
			o->conf->name, s->overdue, s->waiting,
			(long long)o->conf->queue_timeout_ms);
	} else if (o->refusing && now >= o->overdue_ms + CALM_MS) {
		refused = o->refused - o->refused_before;
		o->refusing = false;
		log_notice("pool %s: queue_timeout: recovered; %llu client%s "
			"got 503 in %.1f s", o->conf->name,
			(unsigned long long)refused, refused == 1 ? "" : "s",
			(double)(o->overdue_ms - o->refusing_since_ms) / 1000);
	}
}

static void
log_unreadable(struct overload *o)
{
	/* Action: "Message too long": a queue of more than 8000 clients cannot
	 * be read.  Other errors: allow AF_NETLINK in RestrictAddressFamilies=
	 * of the systemd unit, or in the seccomp profile of the container.
	 * Reading is retried every second. */
	if (!o->logged_unreadable)
		log_warning("pool %s: cannot read the listen queue: %s; "
			"queue_timeout is not enforced until this works again; "
			"%s", o->conf->name, strerror(errno),
			errno == EMSGSIZE ? "lower listen.backlog" :
					    "allow AF_NETLINK");
	o->logged_unreadable = true;
}

/* -- when to sample -------------------------------------------------------- */

static int64_t
period_ms(const struct overload *o)
{
	return MIN(MAX(o->conf->queue_timeout_ms / 4, (int64_t)MIN_PERIOD_MS),
		(int64_t)MAX_PERIOD_MS);
}

static void
watch_listener(struct overload *o)
{
	int fd;

	if (o->arrival.fd >= 0)
		return;
	/* A duplicate, since pool/wakeup may watch the listening socket
	 * itself. */
	fd = fcntl(o->observe->fds[0], F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && loop_add(o->loop, &o->arrival, fd, LOOP_READ) == 0)
		return;
	fd_close(&fd);
	loop_timer_set(o->loop, &o->sample_timer,
		loop_now(o->loop) + RETRY_MS);
}

static void
unwatch_listener(struct overload *o)
{
	int fd = o->arrival.fd;

	loop_del(o->loop, &o->arrival);
	fd_close(&fd);
}

static void
sample_queue(struct overload *o)
{
	int64_t now = loop_now(o->loop), at;
	struct sample s = {0};

	if ((is_unix(o) ? sample_unix : sample_tcp)(o, now, &s) < 0) {
		log_unreadable(o);
		loop_timer_set(o->loop, &o->sample_timer, now + RETRY_MS);
		return;
	}
	o->logged_unreadable = false;
	note_overdue(o, &s, now);
	if (s.overdue > 0)
		orders_send(&o->orders, s.overdue,
			is_unix(o) ? &o->clients : NULL);
	o->ops->on_queue(o, s.waiting);
	if (s.waiting == 0 && !o->refusing) {
		watch_listener(o);
		return;
	}
	at = now + period_ms(o);
	if (s.due_ms > now)
		at = MIN(at, MAX(s.due_ms, now + MIN_PERIOD_MS));
	loop_timer_set(o->loop, &o->sample_timer, at);
}

static void
on_sample_timer(struct loop_timer *t)
{
	sample_queue(container_of(t, struct overload, sample_timer));
}

/* A client has arrived.  Mostly a worker accepts it immediately. */
static void
on_arrival(struct loop_io *io, uint32_t events)
{
	struct overload *o = container_of(io, struct overload, arrival);
	(void)events;

	unwatch_listener(o);
	o->waiting_since_ms = loop_now(o->loop);
	loop_timer_set(o->loop, &o->sample_timer,
		loop_now(o->loop) + period_ms(o));
}

/*
 * After an order of the maximum size more clients may be overdue: sample now.
 * After a smaller order more will be overdue soon, but one order for each
 * client would be too expensive.  When none was refused, workers are accepting,
 * and the next sample can wait.
 */
static void
on_report(struct orders *orders, unsigned ordered, unsigned refused)
{
	struct overload *o = container_of(orders, struct overload, orders);
	int64_t at = loop_now(o->loop);

	if (refused == 0)
		return;
	o->refused += refused;
	if (ordered < REFUSER_MAX)
		at += MIN_PERIOD_MS;
	if (at < o->sample_timer.at_ms)
		loop_timer_set(o->loop, &o->sample_timer, at);
}

static void
on_gone(struct orders *orders)
{
	struct overload *o = container_of(orders, struct overload, orders);

	o->ops->on_gone(o);
}

static const struct orders_ops orders_ops = {
	.on_report = on_report,
	.on_gone = on_gone,
};

/* -- start and end --------------------------------------------------------- */

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
		.arrival = {.on_event = on_arrival, .fd = -1},
		.sample_timer = {.on_timer = on_sample_timer},
	};
	return orders_init(&o->orders, loop, conf, socket, nofile, &orders_ops,
		ret_why, why_size);
}

void
overload_fini(struct overload *o)
{
	if (!overload_is_enabled(o))
		return;
	loop_timer_stop(o->loop, &o->sample_timer);
	unwatch_listener(o);
	queue_fini(&o->clients);
	orders_fini(&o->orders);
}

void
overload_start(struct overload *o)
{
	if (overload_is_enabled(o))
		watch_listener(o);
}

void
overload_reopened(struct overload *o)
{
	if (overload_is_enabled(o))
		orders_replace_listener(&o->orders);
}

void
overload_stop(struct overload *o)
{
	if (!overload_is_enabled(o))
		return;
	loop_timer_stop(o->loop, &o->sample_timer);
	unwatch_listener(o);
	orders_stop(&o->orders);
}

bool
overload_is_alive(const struct overload *o)
{
	return orders_is_alive(&o->orders);
}

void
overload_kill(struct overload *o)
{
	orders_kill(&o->orders);
}
