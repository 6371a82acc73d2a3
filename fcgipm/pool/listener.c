/*
 * listener.c - the listening socket stays usable for every worker; see
 * listener.h
 *
 * Called by pool/adjust.  A gateway sets O_NONBLOCK itself and is alone with
 * its sockets: those of cgi pools are not checked.
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

/* Until the queue of a former socket is inspected again. */
#define FORMER_MS 100

/* So many inspections in a row have to show that a worker polls. */
#define POLLS_TIMES 3

/* How a worker waits for connections; what says more comes later. */
enum wait {
	WAIT_NOT_SEEN, /* all are at work */
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
 * One that polls without a connection does so at every inspection; one that
 * polled a connection and closed it between the two halves of one does not.
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

/* How the workers wait; one that accepts shows it for all. */
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
	log_warning(
		"pool %s: a worker set O_NONBLOCK on the listening socket, "
		"which all of them share and sleep on; it is taken back, now "
		"and whenever it is seen again",
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
			log_error(
				"pool %s: a worker shut the listening socket "
				"down, and it cannot be opened again: %s; this "
				"is tried at every start and end of a worker",
				pool, why);
	} else if (!l->logged_shut) {
		log_warning(
			"pool %s: a worker shut the listening socket down, "
			"which all of them share; it is opened again, now and "
			"whenever it is seen again",
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

/* The former socket gives out what it has queued, and then nothing. */
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
