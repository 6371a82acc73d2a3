/*
 * refuser.c - 503 for clients who have waited too long; see refuser.h
 *
 * Called by gateway/main.  The supervisor orders: the first n of the queue are
 * overdue (overload/protocol.h).  Meanwhile workers accept too, so whoever is handed
 * out to us next may be somebody younger, and nothing can be put back.
 * Therefore it is looked who came, before he is answered:
 *
 *	TCP: the kernel knows the age of the connection (TCP_INFO)
 *	unix: the inode of the client's socket (sock_diag(7)) is among those
 *	of the order, or not
 *
 * Whoever is not overdue has come behind all who were, so that nobody of the
 * order is left: it ends.  He himself goes on to a worker (forward), by a
 * connection that the supervisor makes.  That is one of an order at most.
 *
 * A client who has left has no inode any more.  He was overdue when somebody
 * behind him is; if nobody tells, he goes the same way as the young one, as a
 * request may have effects that nobody needs to wait for.
 *
 * The listener blocks, for the workers' sake.  When one of them was faster
 * accept(2) would wait for the next client: a signal ends that.
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
#include "overload/reject.h"
#include "overload/refuser.h"
#include "overload/forward.h"
#include "overload/protocol.h"
#include "proto/fcgi.h"
#include "sys/sockdiag.h"

/* An accept(2) that waits is ended after this, or twice as long. */
#define ACCEPT_US 2000

struct refuser {
	struct loop *loop;
	struct loop_io channel;
	struct loop_timer leave_timer;
	bool leaving;		/* when its last connection has ended */
	struct sockdiag diag;
	bool tcp;
	int64_t timeout_ms;	/* queue_timeout */
	struct reject_set rejects;
	struct forward_set forwards;
};

/* An order under way. */
struct work {
	struct refuser_order order;
	size_t at;		/* all inodes before are dealt with */
	int gone[REFUSER_MAX];	/* whose clients have left */
	size_t ngone;
	struct refuser_report report;
};

enum verdict { OVERDUE, YOUNG, GONE };

static void
on_alarm(int signo)
{
	(void)signo;
}

/* From now on a system call that waits fails with EINTR, again and again. */
static void
set_alarm(suseconds_t us)
{
	struct itimerval t = {{0, us}, {0, us}};

	if (setitimer(ITIMER_REAL, &t, NULL) < 0)
		BUG("setitimer");
}

/* The head of the queue; -1 when there is nobody. */
static int
take(void)
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

static enum verdict
judge_unix(struct refuser *r, struct work *w, int fd)
{
	struct stat st;
	uint32_t peer;
	size_t i;

	if (fstat(fd, &st) < 0 ||
		sockdiag_unix_peer(&r->diag, st.st_ino, &peer) < 0)
		return YOUNG;
	if (peer == 0)
		return GONE;
	for (i = w->at; i < w->order.n; i++)
		if (w->order.inos[i] == peer) {
			w->at = i + 1;
			return OVERDUE;
		}
	return YOUNG;
}

static enum verdict
judge(struct refuser *r, struct work *w, int fd)
{
	if (!r->tcp)
		return judge_unix(r, w, fd);
	if (sockdiag_tcp_age_ms(fd) < r->timeout_ms + REFUSER_TICK_MS)
		return YOUNG;
	return OVERDUE;
}

static void
pass_on(struct refuser *r, struct work *w, int fd)
{
	int64_t age = 0, tick = 0;

	if (r->tcp) {
		age = sockdiag_tcp_age_ms(fd);
		tick = REFUSER_TICK_MS;
	}
	w->report.forwarded++;
	forward_begin(&r->forwards, fd, now_ms() + r->timeout_ms + tick -
		MAX(age, 0));
}

/* Behind those who have left came one who is overdue: so were they. */
static void
drop_gone(struct work *w)
{
	w->report.refused += (uint32_t)w->ngone;
	while (w->ngone > 0)
		fd_close(&w->gone[--w->ngone]);
}

/* false: nobody of the order is left, or there is no room for more. */
static bool
refuse_one(struct refuser *r, struct work *w)
{
	int fd = reject_has_room(&r->rejects) ? take() : -1;

	if (fd < 0)
		return false;
	switch (judge(r, w, fd)) {
	case OVERDUE:
		drop_gone(w);
		w->report.refused++;
		reject_make(&r->rejects, fd);
		return true;
	case GONE:
		w->gone[w->ngone++] = fd;
		return true;
	case YOUNG:
		pass_on(r, w, fd);
		return false;
	}
	return false;
}

static void
carry_out(struct refuser *r, struct work *w)
{
	size_t i;

	set_alarm(ACCEPT_US);
	for (i = 0; i < w->order.n && refuse_one(r, w); i++)
		;
	set_alarm(0);
	for (i = 0; i < w->ngone; i++)
		pass_on(r, w, w->gone[i]);
}

/* No order came for a while, or none will. */
static void
leave(struct refuser *r)
{
	r->leaving = true;
	if (r->rejects.open + r->forwards.open == 0)
		loop_quit(r->loop);
}

static void
on_leave(struct loop_timer *t)
{
	leave(container_of(t, struct refuser, leave_timer));
}

static void
on_reject_end(struct reject_set *all)
{
	struct refuser *r = container_of(all, struct refuser, rejects);

	if (r->leaving)
		leave(r);
}

static void
on_forward_end(struct forward_set *all)
{
	on_reject_end(all->rejects);
}

/* Whoever does not hear what we say has closed the channel. */
static void
on_want(struct forward_set *all)
{
	const struct refuser_want want = {all->nwaiting};

	(void)send(REFUSER_FD, &want, sizeof(want), MSG_NOSIGNAL);
}

/* listener	another one, from here on; -1 = the same */
static void
obey(struct refuser *r, struct work *w, int listener)
{
	if (listener >= 0 && dup2(listener, FCGI_LISTENSOCK_FILENO) < 0)
		BUG("dup2");
	fd_close(&listener);
	r->leaving = false;
	w->at = w->ngone = 0;
	w->report = (struct refuser_report){0};
	carry_out(r, w);
	(void)send(REFUSER_FD, &w->report, sizeof(w->report), MSG_NOSIGNAL);
	forward_ask(&r->forwards);
	loop_timer_set(r->loop, &r->leave_timer,
		loop_now(r->loop) + REFUSER_IDLE_MS);
}

static void
on_channel(struct loop_io *io, uint32_t events)
{
	struct refuser *r = container_of(io, struct refuser, channel);
	static struct work w;
	int fd;
	ssize_t n = fd_receive(io->fd, &w.order, sizeof(w.order), &fd);
	(void)events;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(w.order) && w.order.n <= REFUSER_MAX) {
		obey(r, &w, fd);
	} else if (n == 1 && fd >= 0) {
		forward_connected(&r->forwards, fd);
	} else {
		fd_close(&fd);
		loop_del(r->loop, io);
		loop_timer_stop(r->loop, &r->leave_timer);
		forward_give_up(&r->forwards);
		leave(r);
	}
}

static int
open_all(struct refuser *r)
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
	forward_init(&r->forwards, r->loop, &r->rejects, on_want, on_forward_end);
	if (loop_add(r->loop, &r->channel, REFUSER_FD, LOOP_READ) < 0)
		return -1;
	loop_timer_set(r->loop, &r->leave_timer, now_ms() + REFUSER_IDLE_MS);
	return 0;
}

int
refuser_run(const struct conf_pool *keys)
{
	static struct refuser r = {
		.channel = {.on_event = on_channel, .fd = -1},
		.leave_timer = {.on_timer = on_leave},
		.diag = {.fd = -1},
	};
	int status = 0;

	r.timeout_ms = keys->queue_timeout_ms;
	if (open_all(&r) < 0 || loop_run(r.loop) < 0) {
		log_error("--refuse: %s", strerror(errno));
		status = EXIT_SYSTEM;
	}
	sockdiag_close(&r.diag);
	loop_del(r.loop, &r.channel);
	loop_free(&r.loop);
	return status;
}
