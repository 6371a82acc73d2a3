/*
 * refuser.c - main loop of fcgipm-cgi --refuse; see refuser.h
 *
 * Called by gateway/main.  Accepts the clients of an order, checks that each is
 * overdue, and passes it to overload/reject or overload/forward.
 *
 * An order of the supervisor says that the first n clients of the queue are
 * overdue (overload/protocol.h).  Workers accept at the same time, so accept(2)
 * may return a younger client here, and it cannot be put back into the queue.
 * Therefore each client is checked before it is answered:
 *
 *	TCP: the kernel knows the age of the connection (TCP_INFO)
 *	unix: the inode of the client's socket (sock_diag(7)) must be one of
 *	those in the order
 *
 * accept(2) returns clients in order, so the first client that is not overdue
 * ends the order.  We cannot put it back, so we forward it to a worker
 * (overload/forward), through a connection that the supervisor makes.
 *
 * The inode of a client that has disconnected is unknown.  It was overdue if a
 * client after it is.  Otherwise its age is unknown and it is forwarded as
 * well, since its request may have effects that do not depend on the answer.
 *
 * The listening socket blocks, since the workers need that.  If a worker has
 * just accepted the last client, accept(2) would wait for the next one: a timer
 * signal interrupts it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "conf/conf.h"
#include "overload/forward.h"
#include "overload/protocol.h"
#include "overload/refuser.h"
#include "overload/reject.h"
#include "proto/fcgi.h"
#include "sys/sockdiag.h"

/* A waiting accept(2) is interrupted after this time, or twice as long. */
#define ACCEPT_US 2000

struct refuser {
	struct loop *loop;
	struct loop_io channel;
	struct loop_timer idle_timer;
	bool exiting;		/* exits when its last connection has ended */
	struct sockdiag diag;
	bool tcp;
	int64_t timeout_ms;	/* queue_timeout */
	struct reject_set rejects;
	struct forward_set forwards;
};

/* The current order. */
struct batch {
	struct refuser_order order;
	size_t at;		/* all inodes before this one are handled */
	/* Clients that have disconnected and are not handled yet. */
	int disconnected[REFUSER_MAX];
	size_t ndisconnected;
	struct refuser_report report;
};

enum client { CLIENT_OVERDUE, CLIENT_YOUNG, CLIENT_DISCONNECTED };

/* -- carrying out an order ------------------------------------------------- */

static void
on_alarm(int signo)
{
	(void)signo;
}

/* From now on each system call that waits fails with EINTR; 0 ends that. */
static void
set_alarm(suseconds_t us)
{
	struct itimerval t = {{0, us}, {0, us}};

	if (setitimer(ITIMER_REAL, &t, NULL) < 0)
		BUG("setitimer");
}

/* Accepts the head of the queue; -1 when it is empty. */
static int
accept_client(void)
{
	struct pollfd p = {FCGI_LISTENSOCK_FILENO, POLLIN, 0};
	int fd;

	if (poll(&p, 1, 0) <= 0)
		return -1;
	do
		fd = accept4(FCGI_LISTENSOCK_FILENO, NULL, NULL,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && errno == ECONNABORTED);
	return fd;
}

static enum client
check_unix_client(struct refuser *r, struct batch *b, int fd)
{
	struct stat st;
	uint32_t peer;
	size_t i;

	if (fstat(fd, &st) < 0 ||
		sockdiag_unix_peer(&r->diag, st.st_ino, &peer) < 0)
		return CLIENT_YOUNG;
	if (peer == 0)
		return CLIENT_DISCONNECTED;
	for (i = b->at; i < b->order.n; i++)
		if (b->order.inos[i] == peer) {
			b->at = i + 1;
			return CLIENT_OVERDUE;
		}
	return CLIENT_YOUNG;
}

static enum client
check_client(struct refuser *r, struct batch *b, int fd)
{
	if (!r->tcp)
		return check_unix_client(r, b, fd);
	if (sockdiag_tcp_age_ms(fd) < r->timeout_ms + REFUSER_TICK_MS)
		return CLIENT_YOUNG;
	return CLIENT_OVERDUE;
}

static void
forward_client(struct refuser *r, struct batch *b, int fd)
{
	int64_t age = 0, tick = 0;

	if (r->tcp) {
		age = sockdiag_tcp_age_ms(fd);
		tick = REFUSER_TICK_MS;
	}
	b->report.forwarded++;
	forward_begin(&r->forwards, fd, now_ms() + r->timeout_ms + tick -
		MAX(age, 0));
}

/* A client after them is overdue, so they were overdue too. */
static void
close_disconnected(struct batch *b)
{
	b->report.refused += (uint32_t)b->ndisconnected;
	while (b->ndisconnected > 0)
		fd_close(&b->disconnected[--b->ndisconnected]);
}

/* Handles the next client; false when the order is complete, or when no more
 * clients can be accepted now. */
static bool
refuse_client(struct refuser *r, struct batch *b)
{
	int fd = reject_has_room(&r->rejects) ? accept_client() : -1;

	if (fd < 0)
		return false;
	switch (check_client(r, b, fd)) {
	case CLIENT_OVERDUE:
		close_disconnected(b);
		b->report.refused++;
		reject_make(&r->rejects, fd);
		return true;
	case CLIENT_DISCONNECTED:
		b->disconnected[b->ndisconnected++] = fd;
		return true;
	case CLIENT_YOUNG:
		forward_client(r, b, fd);
		return false;
	}
	return false;
}

static void
refuse_clients(struct refuser *r, struct batch *b)
{
	size_t i;

	b->at = b->ndisconnected = 0;
	b->report = (struct refuser_report){0};
	set_alarm(ACCEPT_US);
	for (i = 0; i < b->order.n && refuse_client(r, b); i++)
		;
	set_alarm(0);
	for (i = 0; i < b->ndisconnected; i++)
		forward_client(r, b, b->disconnected[i]);
}

/* -- the channel ----------------------------------------------------------- */

/* No order has arrived for a second, or the channel is closed. */
static void
exit_when_done(struct refuser *r)
{
	r->exiting = true;
	if (r->rejects.open + r->forwards.open == 0)
		loop_quit(r->loop);
}

static void
on_idle(struct loop_timer *t)
{
	exit_when_done(container_of(t, struct refuser, idle_timer));
}

static void
on_reject_end(struct reject_set *all)
{
	struct refuser *r = container_of(all, struct refuser, rejects);

	if (r->exiting)
		exit_when_done(r);
}

static void
on_forward_end(struct forward_set *all)
{
	on_reject_end(all->rejects);
}

/* If the message cannot be sent, the supervisor has closed the channel, and
 * on_channel() handles that. */
static void
on_want(struct forward_set *all)
{
	const struct refuser_want want = {all->nwaiting};

	(void)send(REFUSER_FD, &want, sizeof(want), MSG_NOSIGNAL);
}

/* listener	replaces the listening socket; -1 = keep it */
static void
run_order(struct refuser *r, struct batch *b, int listener)
{
	if (listener >= 0 && dup2(listener, FCGI_LISTENSOCK_FILENO) < 0)
		BUG("dup2");
	fd_close(&listener);
	r->exiting = false;
	refuse_clients(r, b);
	(void)send(REFUSER_FD, &b->report, sizeof(b->report), MSG_NOSIGNAL);
	forward_ask(&r->forwards);
	loop_timer_set(r->loop, &r->idle_timer,
		loop_now(r->loop) + REFUSER_IDLE_MS);
}

static void
on_channel(struct loop_io *io, uint32_t events)
{
	struct refuser *r = container_of(io, struct refuser, channel);
	static struct batch b;	/* too large for the stack */
	int fd;
	ssize_t n = fd_receive(io->fd, &b.order, sizeof(b.order), &fd);
	(void)events;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n == (ssize_t)sizeof(b.order) && b.order.n <= REFUSER_MAX) {
		run_order(r, &b, fd);
	} else if (n == 1 && fd >= 0) {
		forward_connected(&r->forwards, fd);
	} else {
		fd_close(&fd);
		loop_del(r->loop, io);
		loop_timer_stop(r->loop, &r->idle_timer);
		forward_give_up(&r->forwards);
		exit_when_done(r);
	}
}

static int
refuser_open(struct refuser *r)
{
	const struct sigaction wake = {.sa_handler = on_alarm};
	int family;
	socklen_t len = sizeof(family);

	if (getsockopt(FCGI_LISTENSOCK_FILENO, SOL_SOCKET, SO_DOMAIN, &family,
		    &len) < 0)
		return -1;
	r->tcp = family != AF_UNIX;
	r->loop = loop_new();
	if (!r->loop || sigaction(SIGALRM, &wake, NULL) < 0 ||
		fcntl(REFUSER_FD, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	if (!r->tcp && sockdiag_open(&r->diag) < 0)
		return -1;
	reject_init(&r->rejects, r->loop, 1 + r->timeout_ms / 1000,
		on_reject_end);
	forward_init(&r->forwards, r->loop, &r->rejects, on_want,
		on_forward_end);
	if (loop_add(r->loop, &r->channel, REFUSER_FD, LOOP_READ) < 0)
		return -1;
	loop_timer_set(r->loop, &r->idle_timer, now_ms() + REFUSER_IDLE_MS);
	return 0;
}

int
refuser_run(const struct conf_pool *keys)
{
	static struct refuser r = {
		.channel = {.on_event = on_channel, .fd = -1},
		.idle_timer = {.on_timer = on_idle},
		.diag = {.fd = -1},
	};
	int status = 0;

	r.timeout_ms = keys->queue_timeout_ms;
	if (refuser_open(&r) < 0 || loop_run(r.loop) < 0) {
		/* Action: "Too many open files": raise the limit of open files
		 * (LimitNOFILE=).  "Operation not permitted", "Address family
		 * not supported by protocol": allow AF_NETLINK.  Other errors:
		 * do not start fcgipm-cgi --refuse by hand, since only fcgipm
		 * starts it. */
		log_error("refuser: exiting: %s", strerror(errno));
		status = EXIT_SYSTEM;
	}
	sockdiag_close(&r.diag);
	loop_del(r.loop, &r.channel);
	loop_free(&r.loop);
	return status;
}
