/*
 * listener.c - checks the shared listening socket and repairs it; see
 * listener.h
 *
 * Called by pool/adjust; sys/listen reopens the socket.  The sockets of cgi
 * pools are not checked: the gateway sets O_NONBLOCK itself, and no other
 * program uses them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/listener.h"
#include "pool/members.h"

/* Pause before the queue of a former socket is read again. */
#define FORMER_MS 100

/* A worker polls if this many inspections in a row show that. */
#define POLLS_TIMES 3

/* How a worker waits for connections; a higher value is better evidence. */
enum wait {
	WAIT_NOT_SEEN, /* all are busy */
	WAIT_HIDDEN,	/* some cannot be inspected */
	WAIT_POLLS,	/* sleeps in epoll_wait, poll, select */
	WAIT_ACCEPTS	/* sleeps in accept */
};

static ino_t
inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

void
listener_init(struct listener *l, const struct listen_opts *opts,
	struct listen_socket *socket, struct members *members,
	const struct listener_ops *ops)
{
	*l = (struct listener){.ops = ops,
		.opts = *opts,
		.socket = socket,
		.members = members,
		.ino = inode_of(socket->fd)};
}

/*
 * A worker that polls the listener is seen polling at every inspection.  One
 * that polled a connection, and closed it in the middle of an inspection, is
 * not.
 */
static enum wait
wait_of_one(struct members *ms, struct pool_member *m, int64_t now)
{
	const struct kernel_sample *seen = NULL;
	int times;

	for (times = 0; times < POLLS_TIMES; times++) {
		seen = kernel_inspect(&ms->kernel, &m->observation, now);
		if (seen->accepting > 0)
			return WAIT_ACCEPTS;
		if (seen->state == KERNEL_UNKNOWN || seen->err)
			return WAIT_HIDDEN;
		if (seen->state != KERNEL_IDLE || seen->polling == 0)
			return WAIT_NOT_SEEN;
	}
	return WAIT_POLLS;
}

/* How the workers wait.  One that sleeps in accept(2) decides for all. */
static enum wait
wait_of_all(struct members *ms, int64_t now)
{
	enum wait all = WAIT_NOT_SEEN, one;
	struct pool_member *m;

	for (m = ms->v; m < ms->v + ms->n && all != WAIT_ACCEPTS; m++) {
		if (!worker_alive(&m->worker) ||
			!worker_has_executed(&m->worker))
			continue;
		one = wait_of_one(ms, m, now);
		all = MAX(all, one);
	}
	return all;
}

static void
check_flag(struct listener *l, int64_t now)
{
	int fd = l->socket->fd, flags = fcntl(fd, F_GETFL);
	enum wait w;

	if (l->polls || flags < 0 || !(flags & O_NONBLOCK))
		return;
	w = wait_of_all(l->members, now);
	l->polls = w == WAIT_POLLS;
	if (w != WAIT_ACCEPTS && !(w == WAIT_NOT_SEEN && l->a_worker_ended))
		return;
	if (fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 || l->logged_flag)
		return;
	l->logged_flag = true;
	/* Action: the program should not change its descriptor 0.  No request
	 * is lost as long as fcgipm clears the flag before other workers call
	 * accept(). */
	log_warning("pool %s: a worker set O_NONBLOCK on the shared listening "
		    "socket; fcgipm clears it, because accept() would fail in "
		    "the other workers (logged once)",
		l->members->conf->name);
}

static void
check_shut(struct listener *l)
{
	const char *pool = l->members->conf->name;
	char why[256];

	if (!listen_is_shut(l->socket))
		return;
	l->ops->on_shut(l);
	if (listen_reopen(l->socket, &l->opts, why, sizeof(why)) < 0) {
		if (!l->logged_shut)
			/* Action: the pool serves no new clients until this is
			 * solved.  Remove the named reason, then restart
			 * fcgipm if the pool still does not serve.  The program
			 * must not call shutdown() on its descriptor 0. */
			log_error("pool %s: a worker shut down the shared "
				  "listening socket, and it cannot be "
				  "reopened: %s; retried whenever a worker "
				  "starts or exits",
				pool, why);
	} else if (!l->logged_shut) {
		/* Action: the program should not call shutdown() on its
		 * descriptor 0.  Clients that connect in between are
		 * refused. */
		log_warning("pool %s: a worker shut down the shared listening "
			    "socket; fcgipm reopens it now and whenever this "
			    "happens again (logged once)",
			pool);
	}
	l->logged_shut = true;
	kernel_update_listeners(&l->members->kernel);
	if (inode_of(l->socket->fd) == l->ino)
		return;
	l->ops->on_reopened(l);
	l->former = l->ino;
	l->ino = inode_of(l->socket->fd);
}

/* Workers still accept the connections that the former socket has queued. */
static int64_t
check_former(struct listener *l, int64_t now)
{
	struct sockdiag_queue q;

	if (l->former == 0)
		return 0;
	if (members_alive(l->members) > 0 &&
		sockdiag_unix_queue(l->members->kernel.diag, l->former, &q) ==
			0 &&
		q.waiting > 0)
		return now + FORMER_MS;
	l->former = 0;
	return 0;
}

int64_t
listener_check(struct listener *l, int64_t now)
{
	if (l->members->conf->mode == CONF_MODE_CGI)
		return 0;
	check_shut(l);
	check_flag(l, now);
	l->a_worker_ended = false;
	return check_former(l, now);
}

bool
listener_is_former(const struct listener *l, ino_t ino)
{
	return ino != l->ino && l->former == 0;
}
