/*
 * server.c - accepts connections on the gateway's listening sockets; see
 * server.h
 *
 * Called by gateway/main.  Accepting pauses while requests wait for a place, so
 * that further connections stay in the listen queue; with queue_timeout it
 * continues up to listen.backlog.  Drains on shutdown.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cidr.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/peer.h"
#include "gateway/server.h"

#define RETRY_MS 100

static void
watch_listeners(struct server *srv, bool on)
{
	size_t i;

	srv->paused = !on;
	for (i = 0; i < srv->nlisteners; i++) {
		struct server_listener *ln = &srv->listeners[i];

		if (!on)
			loop_del(srv->gw.loop, &ln->io);
		else if (ln->fd >= 0 && ln->io.fd < 0 &&
			loop_add(srv->gw.loop, &ln->io, ln->fd,
				LOOP_READ | LOOP_EXCLUSIVE) < 0)
			/* Action: Free memory, or raise
			 * fs.epoll.max_user_watches, and restart
			 * fcgipm-cgi. */
			log_error("listening socket: not served: "
				"epoll_ctl: %s", strerror(errno));
	}
}

/* Watches the listeners, or not, as the present state requires. */
static void
update_listeners(struct server *srv)
{
	const struct conf_pool *pool = srv->gw.opts->pool;
	/* A client must be accepted to be answered 503 after queue_timeout. */
	unsigned patience = pool->queue_timeout_ms ? pool->listen_backlog : 0;
	bool on = srv->capacity.waiting <= patience &&
		!srv->retry_timer.place && !srv->conns.draining &&
		!capacity_is_crowded(&srv->capacity);

	if (on == srv->paused)
		watch_listeners(srv, on);
}

static void
set_retry_timer(struct server *srv)
{
	loop_timer_set(srv->gw.loop, &srv->retry_timer,
		loop_now(srv->gw.loop) + RETRY_MS);
}

/* Makes room for one more connection by closing the one that has been idle
 * longest. */
static void
make_room(struct server *srv)
{
	if (capacity_is_crowded(&srv->capacity) &&
		!conn_close_idle(&srv->conns))
		set_retry_timer(srv);
}

static void
on_retry_timer(struct loop_timer *timer)
{
	struct server *srv = container_of(timer, struct server, retry_timer);

	make_room(srv);
	update_listeners(srv);
}

/* 0 when one was accepted, else errno. */
static int
accept_one(struct server_listener *ln)
{
	const char *peers = ln->srv->gw.opts->peers;
	struct sockaddr_storage peer = {0};
	struct sockaddr *sa = (struct sockaddr *)&peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(ln->fd, sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return errno;
	if (peers && !cidr_list_holds(peers, sa)) {
		/* Action: Add the address of the web server to the variable. A
		 * client of a unix socket has no address: remove the variable
		 * there. */
		log_warning("client%s: its address is not in "
			"FCGI_WEB_SERVER_ADDRS; connection closed",
			peer_text(fd));
		fd_close(&fd);
		return 0;
	}
	conn_open(&ln->srv->conns, fd, ln->tcp);
	return 0;
}

static void
on_accept_error(struct server *srv, int err)
{
	switch (err) {
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
		return;
	case EINVAL:
		/* The socket was shut down: no connection will arrive. */
		server_drain(srv);
		return;
	default:
		/* Action: Connections wait in the listen queue, and accepting
		 * is retried every 100 ms. */
		log_warning("listening socket: accept: %s; raise the limit of "
			"open files (LimitNOFILE=)", strerror(err));
		set_retry_timer(srv);
		update_listeners(srv);
	}
}

static void
on_connection(struct loop_io *io, uint32_t events)
{
	struct server_listener *ln =
		container_of(io, struct server_listener, io);
	struct server *srv = ln->srv;
	int err;
	(void)events;

	/* One per event: each starts a program at once, which costs far more
	 * than another event, and the program gets the CPU sooner. */
	err = accept_one(ln);
	if (err) {
		on_accept_error(srv, err);
		return;
	}
	make_room(srv);
	if (!capacity_is_crowded(&srv->capacity))
		return;
	/* Action: Further connections wait in the listen queue until one is
	 * closed. */
	log_warning("limit of open files: reached with %u connections; raise "
		"it (LimitNOFILE=)", srv->capacity.conns);
	update_listeners(srv);
}

static void
run_idle(struct loop_task *task)
{
	struct server *srv = container_of(task, struct server, idle_task);

	if (srv->conns.draining && LIST_EMPTY(&srv->conns.list) &&
		srv->capacity.running == 0)
		loop_quit(srv->gw.loop);
}

void
server_drain(struct server *srv)
{
	size_t i;

	if (srv->conns.draining)
		return;
	srv->conns.draining = true;
	watch_listeners(srv, false);
	loop_timer_stop(srv->gw.loop, &srv->retry_timer);
	for (i = 0; i < srv->nlisteners; i++) {
		/* Further ones would have no descriptors for programs. */
		while (!capacity_is_crowded(&srv->capacity) &&
			accept_one(&srv->listeners[i]) == 0)
			continue;
		fd_close(&srv->listeners[i].fd);
	}
	conn_drain_all(&srv->conns);
	loop_defer(srv->gw.loop, &srv->idle_task);
}

void
server_abort(struct server *srv)
{
	reaper_kill_all(&srv->reaper);
	loop_quit(srv->gw.loop);
}

void
server_reap(struct server *srv)
{
	reaper_run(&srv->reaper);
}

static void
on_queue(struct capacity *cap)
{
	update_listeners(container_of(cap, struct server, capacity));
}

static void
on_end(struct capacity *cap)
{
	struct server *srv = container_of(cap, struct server, capacity);

	if (srv->conns.draining) {
		loop_defer(srv->gw.loop, &srv->idle_task);
	} else {
		loop_timer_stop(srv->gw.loop, &srv->retry_timer);
		update_listeners(srv);
	}
}

/* fd is taken; 0, or -1 with errno. */
static int
init_listener(struct server_listener *ln, struct server *srv, int fd)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(sa);
	const int one = 1;

	ln->srv = srv;
	ln->fd = fd;
	ln->io.fd = -1;
	ln->io.on_event = on_connection;
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
		fd_set_nonblock(fd, true) < 0)
		return -1;
	ln->tcp = sa.ss_family != AF_UNIX;
	/* The writer joins small records, so the kernel need not.  Accepted
	 * sockets inherit the option; a failure only costs time. */
	if (ln->tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
			sizeof(one));
	return 0;
}

int
server_init(struct server *srv, struct loop *loop,
	const struct gateway_opts *opts, const int *fds, size_t n)
{
	size_t i;

	*srv = (struct server){.gw.loop = loop,
		.gw.opts = opts,
		.gw.capacity = &srv->capacity,
		.gw.reaper = &srv->reaper,
		.conns.gw = &srv->gw,
		.paused = true,
		.nlisteners = n};
	LIST_INIT(&srv->conns.list);
	srv->retry_timer.on_timer = on_retry_timer;
	srv->idle_task.run = run_idle;
	srv->listeners = mem_calloc(n, sizeof(*srv->listeners));
	for (i = 0; i < n; i++)
		if (init_listener(&srv->listeners[i], srv, fds[i]) < 0)
			return -1;
	reaper_init(&srv->reaper);
	if (capacity_init(&srv->capacity, loop, opts->nullfd,
		    opts->pool->max_children) < 0)
		return -1;
	srv->capacity.on_queue = on_queue;
	srv->capacity.on_end = on_end;
	watch_listeners(srv, true);
	return 0;
}

void
server_fini(struct server *srv)
{
	size_t i;

	for (i = 0; i < srv->nlisteners; i++) {
		loop_del(srv->gw.loop, &srv->listeners[i].io);
		fd_close(&srv->listeners[i].fd);
	}
	free(srv->listeners);
	srv->listeners = NULL;
	srv->nlisteners = 0;
}
