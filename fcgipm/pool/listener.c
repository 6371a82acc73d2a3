/*
 * listener.c - the listening socket stays what every worker needs; see listener.h
 *
 * Called by pool/adjust.  A gateway sets O_NONBLOCK itself and is alone with
 * its sockets: cgi pools are not guarded.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "pool/listener.h"
#include "pool/pool.h"

/* Until the queue of a former socket is looked at again. */
#define LOOK_MS 100

/* So many looks have to say that a worker polls. */
#define LOOKS 3

/* What says more comes later. */
enum habit {
	HABIT_UNKNOWN,		/* all are at work */
	HABIT_HIDDEN,		/* some cannot be seen */
	HABIT_POLLS,		/* sleeps in epoll_wait, poll, select */
	HABIT_ACCEPTS		/* sleeps in accept */
};

static ino_t
inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

void
listener_init(struct listener *g, const struct listen_opts *opts, int fd)
{
	*g = (struct listener){.opts = *opts, .ino = inode_of(fd)};
}

/*
 * One that polls without a connection does so at every look; one that polled a
 * connection and closed it between the two halves of a look does not.
 */
static enum habit
habit_of_one(struct pool *p, struct pool_member *m, int64_t now)
{
	const struct kernel_sample *seen = NULL;
	int looks;

	for (looks = 0; looks < LOOKS; looks++) {
		seen = kernel_inspect(&p->observe, &m->eye, now);
		if (seen->accepting > 0)
			return HABIT_ACCEPTS;
		if (seen->state == KERNEL_UNKNOWN || seen->err)
			return HABIT_HIDDEN;
		if (seen->state != KERNEL_IDLE || seen->polling == 0)
			return HABIT_UNKNOWN;
	}
	return HABIT_POLLS;
}

/* How the workers wait for connections; one that accepts tells of all. */
static enum habit
habit_of(struct pool *p, int64_t now)
{
	enum habit all = HABIT_UNKNOWN, one;
	unsigned i;

	for (i = 0; i < p->nmembers && all != HABIT_ACCEPTS; i++) {
		struct pool_member *m = &p->members[i];

		if (!worker_alive(&m->worker) ||
			!worker_has_executed(&m->worker))
			continue;
		one = habit_of_one(p, m, now);
		all = MAX(all, one);
	}
	return all;
}

static void
check_flag(struct pool *p, int64_t now)
{
	struct listener *g = &p->guard;
	int fd = p->sockets[0].fd, flags = fcntl(fd, F_GETFL);
	enum habit h;

	if (g->polls || flags < 0 || !(flags & O_NONBLOCK))
		return;
	h = habit_of(p, now);
	g->polls = h == HABIT_POLLS;
	if (h != HABIT_ACCEPTS && !(h == HABIT_UNKNOWN && g->fell))
		return;
	if (fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 || g->told_flag)
		return;
	g->told_flag = true;
	log_warning("pool %s: a worker set O_NONBLOCK on the listening socket, "
		"which all of them share and sleep on; it is taken back, now "
		"and whenever it is seen again", p->conf->name);
}

static void
check_shut(struct pool *p)
{
	struct listener *g = &p->guard;
	struct listen_socket *s = &p->sockets[0];
	char why[256];

	if (!listen_is_shut(s))
		return;
	/* Whoever watches it watches the old one. */
	wakeup_stop(&p->wake);
	if (listen_reopen(s, &g->opts, why, sizeof(why)) < 0) {
		if (!g->told_shut)
			log_error("pool %s: a worker shut the listening socket "
				"down, and it cannot be opened again: %s; this "
				"is tried at every start and end of a worker",
				p->conf->name, why);
	} else if (!g->told_shut) {
		log_warning("pool %s: a worker shut the listening socket down, "
			"which all of them share; it is opened again, now and "
			"whenever it is seen again", p->conf->name);
	}
	g->told_shut = true;
	kernel_update_listeners(&p->observe);
	if (inode_of(s->fd) == g->ino)
		return;
	overload_reopened(&p->overload);
	g->former = g->ino;
	g->ino = inode_of(s->fd);
}

/* The former socket hands out what it has queued, and then nothing. */
static int64_t
check_former(struct pool *p, int64_t now)
{
	struct sockdiag_queue q;

	if (p->guard.former == 0)
		return 0;
	if (p->alive > 0 && sockdiag_unix_queue(p->observe.diag,
			p->guard.former, &q) == 0 && q.waiting > 0)
		return now + LOOK_MS;
	p->guard.former = 0;
	return 0;
}

int64_t
listener_check(struct pool *p, int64_t now)
{
	if (p->conf->mode == CONF_MODE_CGI)
		return 0;
	check_shut(p);
	check_flag(p, now);
	p->guard.fell = false;
	return check_former(p, now);
}

bool
listener_is_former(const struct listener *g, ino_t ino)
{
	return ino != g->ino && g->former == 0;
}
