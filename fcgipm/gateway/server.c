/*
 * server.c - listeners, the number of programs, and the end; see server.h
 *
 * Made by gateway/main.  Accepting stops while requests wait for a place, so
 * that what is too much stays in the kernel's queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cidr.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/conn.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/server.h"

#define RETRY_MS 100
/* When it has left, its memory goes back to the system. */
#define CROWD 64
#define BIG_PIPES 32
#define BIG_PIPE_BYTES (1024 * 1024)
/* Descriptors of a running program beside its connection; of one that ended,
 * whose answer waits to be taken; and those that are open only while one is
 * started. */
#define FDS_A_PROGRAM 3
#define FDS_A_LEFTOVER 2
#define FDS_TO_START 10

static void
watch_listeners(struct server *srv, bool on)
{
	size_t i;

	srv->paused = !on;
	for (i = 0; i < srv->nlisteners; i++) {
		struct server_listener *ln = &srv->listeners[i];

		if (!on)
			loop_del(srv->loop, &ln->io);
		else if (ln->fd >= 0 && ln->io.fd < 0 &&
			loop_add(srv->loop, &ln->io, ln->fd,
				LOOP_READ | LOOP_EXCLUSIVE) < 0)
			log_error("a listener is not watched: %s",
				strerror(errno));
	}
}

/* Are all descriptors taken that are for connections? */
static bool
is_crowded(const struct server *srv)
{
	return srv->nconns + srv->leftovers * FDS_A_LEFTOVER >= srv->max_conns;
}

/* May one more program be started? */
static bool
has_place(const struct server *srv)
{
	unsigned taken = srv->nconns + srv->leftovers * FDS_A_LEFTOVER;

	/* What slow clients leave in pipes may have taken those of places. */
	return srv->running < srv->places &&
		(srv->leftovers == 0 ||
			taken + (srv->running + 1) * FDS_A_PROGRAM <=
				srv->max_conns + srv->places * FDS_A_PROGRAM);
}

/* Should they be watched now? */
static void
update_listeners(struct server *srv)
{
	const struct conf_pool *pool = srv->opts->pool;
	/* Who may be told to come again must be accepted for that. */
	unsigned patience = pool->queue_timeout_ms ? pool->listen_backlog : 0;
	bool on = srv->nwaiting <= patience && !srv->retry_timer.place &&
		!srv->draining && !is_crowded(srv);

	if (on == srv->paused)
		watch_listeners(srv, on);
}

/* Makes sure that one more can be accepted, at the expense of the connection
 * that is idle longest. */
static void
make_room(struct server *srv)
{
	struct conn *c, *idle = NULL;

	if (!is_crowded(srv))
		return;
	for (c = srv->conns; c; c = c->next)
		if (conn_is_idle(c) && (!idle || c->input_ms < idle->input_ms))
			idle = c;
	if (idle)
		conn_close(idle);
	else
		loop_timer_set(srv->loop, &srv->retry_timer,
			loop_now(srv->loop) + RETRY_MS);
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
	const char *peers = ln->srv->opts->peers;
	struct sockaddr_storage peer = {0};
	struct sockaddr *sa = (struct sockaddr *)&peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(ln->fd, sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return errno;
	if (peers && !cidr_list_holds(peers, sa)) {
		log_warning("a client's connection is closed: its address is "
			"not in FCGI_WEB_SERVER_ADDRS");
		fd_close(&fd);
		return 0;
	}
	conn_open(ln->srv, fd, ln->tcp);
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
		/* Somebody called shutdown(2) on it: nothing will come. */
		server_drain(srv);
		return;
	default:
		log_warning("accept: %s; raise the limit of open files "
			"(ulimit -Hn, LimitNOFILE=)", strerror(err));
		loop_timer_set(srv->loop, &srv->retry_timer,
			loop_now(srv->loop) + RETRY_MS);
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

	/* One a turn: it starts a program at once, which costs far more than
	 * to be told of the next one, and that program gets the CPU sooner. */
	err = accept_one(ln);
	if (err) {
		on_accept_error(srv, err);
		return;
	}
	make_room(srv);
	if (!is_crowded(srv))
		return;
	log_warning("%u connections are open; the next waits until one ends, "
		"or raise the limit of open files (ulimit -Hn, LimitNOFILE=)",
		srv->nconns);
	update_listeners(srv);
}

bool
server_take_place(struct server *srv, struct request *r)
{
	if (has_place(srv) && !srv->wait_first) {
		srv->running++;
		return true;
	}
	srv->nwaiting++;
	r->next_waiting = NULL;
	*srv->wait_end = r;
	srv->wait_end = &r->next_waiting;
	update_listeners(srv);
	return false;
}

void
server_leave_queue(struct server *srv, struct request *r)
{
	struct request **at;

	for (at = &srv->wait_first; *at; at = &(*at)->next_waiting) {
		if (*at != r)
			continue;
		*at = r->next_waiting;
		if (!*at)
			srv->wait_end = at;
		srv->nwaiting--;
		break;
	}
	update_listeners(srv);
}

void
server_free_place(struct server *srv)
{
	srv->running--;
	if (srv->wait_first)
		loop_defer(srv->loop, &srv->place_task);
}

bool
server_grow_pipe(struct server *srv, int fd)
{
	if (srv->big_pipes == BIG_PIPES ||
		fcntl(fd, F_SETPIPE_SZ, BIG_PIPE_BYTES) < 0)
		return false;
	srv->big_pipes++;
	return true;
}

void
server_lost_pipe(struct server *srv)
{
	srv->big_pipes--;
}

static struct request **
bucket_of(struct server *srv, pid_t pid)
{
	return &srv->programs[(unsigned)pid % SERVER_BUCKETS];
}

void
server_add_program(struct server *srv, struct request *r)
{
	struct request **bucket = bucket_of(srv, r->script.pid);

	r->program_pid = r->script.pid;
	r->next_program = *bucket;
	*bucket = r;
}

void
server_del_program(struct server *srv, struct request *r)
{
	struct request **at = bucket_of(srv, r->program_pid);

	while (*at != r)
		at = &(*at)->next_program;
	*at = r->next_program;
}

void
server_reap(struct server *srv)
{
	struct request *r;
	siginfo_t si;
	int look;

	/* One signal may stand for many ends.  All children are ours; a
	 * stranger's, which we get as process 1, is only reaped. */
	do {
		look = script_any_stops() ? WNOWAIT : 0;
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | look) < 0 ||
			si.si_pid == 0)
			return;
		r = *bucket_of(srv, si.si_pid);
		while (r && r->program_pid != si.si_pid)
			r = r->next_program;
		if (look && r)
			script_end(&r->script);
		if (look && waitid(P_PID, (id_t)si.si_pid, &si,
				    WEXITED | WNOHANG) < 0)
			return;
		if (r)
			script_reaped(&r->script, si.si_code, si.si_status);
	} while (srv->running > 0 || srv->is_init);
}

/* Starts what waits, as far as there are places. */
static void
run_place(struct loop_task *task)
{
	struct server *srv = container_of(task, struct server, place_task);
	struct request *r;

	while ((r = srv->wait_first) && has_place(srv)) {
		server_leave_queue(srv, r);
		srv->running++;
		request_start(r);
	}
}

void
server_add_leftover(struct server *srv)
{
	srv->leftovers++;
}

void
server_lost_leftover(struct server *srv)
{
	srv->leftovers--;
	server_something_ended(srv);
}

/* What a crowd was buffered in lies in pieces that free(3) keeps. */
static void
give_back_memory(struct server *srv)
{
	if (srv->peak_conns < CROWD || srv->nconns > srv->peak_conns / 4)
		return;
	srv->peak_conns = srv->nconns;
	(void)malloc_trim(0);
}

void
server_something_ended(struct server *srv)
{
	give_back_memory(srv);
	if (srv->wait_first)
		loop_defer(srv->loop, &srv->place_task);
	if (srv->draining) {
		loop_defer(srv->loop, &srv->idle_task);
	} else {
		loop_timer_stop(srv->loop, &srv->retry_timer);
		update_listeners(srv);
	}
}

static void
run_idle(struct loop_task *task)
{
	struct server *srv = container_of(task, struct server, idle_task);

	if (srv->draining && !srv->conns && srv->running == 0)
		loop_quit(srv->loop);
}

void
server_drain(struct server *srv)
{
	struct conn *c, *next;
	size_t i;

	if (srv->draining)
		return;
	srv->draining = true;
	watch_listeners(srv, false);
	loop_timer_stop(srv->loop, &srv->retry_timer);
	for (i = 0; i < srv->nlisteners; i++) {
		/* More would have no descriptors for their programs. */
		while (!is_crowded(srv) &&
			accept_one(&srv->listeners[i]) == 0)
			continue;
		fd_close(&srv->listeners[i].fd);
	}
	for (c = srv->conns; c; c = next) {
		next = c->next;
		conn_drain(c);
	}
	loop_defer(srv->loop, &srv->idle_task);
}

void
server_abort(struct server *srv)
{
	struct request *r;
	size_t i;

	for (i = 0; i < SERVER_BUCKETS; i++)
		for (r = srv->programs[i]; r; r = r->next_program)
			script_signal(&r->script, SIGKILL);
	loop_quit(srv->loop);
}

/*
 * Descriptors are shared out beforehand, so that whoever was accepted also gets
 * his program: up to half for programs, the rest for connections.
 */
static int
share_fds(struct server *srv)
{
	const unsigned wanted = srv->opts->pool->max_children;
	struct rlimit lim;
	unsigned left, used;
	int fd = fcntl(srv->opts->nullfd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &lim) < 0) {
		fd_close(&fd);
		return -1;
	}
	/* The lowest that is free: no others are open. */
	used = (unsigned)fd + FDS_TO_START;
	fd_close(&fd);
	left = (unsigned)MIN(lim.rlim_cur, (rlim_t)INT_MAX);
	left = left > used ? left - used : 0;
	srv->places = MIN(wanted, MAX(left / 2 / FDS_A_PROGRAM, 1U));
	srv->max_conns = left > srv->places * FDS_A_PROGRAM ?
		left - srv->places * FDS_A_PROGRAM : 1;
	if (srv->places < wanted)
		log_warning("%u programs at once instead of %u: raise the "
			"limit of open files (ulimit -Hn, LimitNOFILE=) or "
			"lower pm.max_children", srv->places, wanted);
	return 0;
}

int
server_init(struct server *srv, struct loop *loop,
	const struct gateway_opts *opts, const int *fds, size_t n)
{
	struct sockaddr_storage sa;
	const int one = 1;
	socklen_t len;
	size_t i;

	*srv = (struct server){
		.loop = loop, .opts = opts, .paused = true, .nlisteners = n,
		.is_init = getpid() == 1};
	srv->wait_end = &srv->wait_first;
	srv->retry_timer.on_timer = on_retry_timer;
	srv->place_task.run = run_place;
	srv->idle_task.run = run_idle;
	srv->listeners = mem_calloc(n, sizeof(*srv->listeners));
	for (i = 0; i < n; i++) {
		struct server_listener *ln = &srv->listeners[i];

		ln->srv = srv;
		ln->fd = fds[i];
		ln->io.fd = -1;
		ln->io.on_event = on_connection;
		len = sizeof(sa);
		sa.ss_family = AF_UNSPEC;
		if (getsockname(ln->fd, (struct sockaddr *)&sa, &len) < 0 ||
			fd_set_nonblock(ln->fd, true) < 0)
			return -1;
		ln->tcp = sa.ss_family != AF_UNIX;
		/* What leaves was held long enough.  What is accepted here is
		 * like it; a failure costs some milliseconds now and then. */
		if (ln->tcp)
			(void)setsockopt(ln->fd, IPPROTO_TCP, TCP_NODELAY,
				&one, sizeof(one));
	}
	if (share_fds(srv) < 0)
		return -1;
	watch_listeners(srv, true);
	return 0;
}

void
server_fini(struct server *srv)
{
	size_t i;

	for (i = 0; i < srv->nlisteners; i++) {
		loop_del(srv->loop, &srv->listeners[i].io);
		fd_close(&srv->listeners[i].fd);
	}
	free(srv->listeners);
	srv->listeners = NULL;
	srv->nlisteners = 0;
}
