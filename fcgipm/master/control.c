/*
 * control.c - control socket server; see control.h
 *
 * Opened by master/super.  Leaves the requests to master/commands.
 * The mode of the socket decides which users can connect.  The credentials of
 * the peer (unix(7), SO_PEERCRED) are checked as well, because the mode may
 * have been changed by hand.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/emit.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "master/commands.h"
#include "master/control.h"
#include "master/status.h"
#include "sys/listen.h"
#include "sys/privs.h"

#define CLIENTS_MAX 16
#define LINE_MAX_BYTES 4096
#define ANSWER_MAX_BYTES (64 << 20)
#define BACKLOG 64
/* Between two complete lines; the client reads the answer in this time. */
#define CLIENT_TIMEOUT_MS 10000
/* Between a failed accept(2) or epoll_ctl(2) and the next attempt. */
#define PAUSE_MS 1000
#define GROUPS_MAX 1024

struct client {
	struct control *control;
	struct loop_io io;	/* fd -1 = a free entry */
	struct loop_timer timer;
	struct buf in, out;
	bool ended;		/* the client sends no more */
};

struct control {
	struct loop *loop;
	struct listen_socket socket;
	struct loop_io listener_io;
	struct loop_timer retry_timer;
	mode_t mode;
	uid_t owner;
	gid_t group;
	struct status_view view;	/* what "status" reports */
	struct client clients[CLIENTS_MAX];
};

/* -- clients --------------------------------------------------------------- */

static void resume_accept(struct control *c);

static void
client_close(struct client *cl)
{
	int fd = cl->io.fd;

	loop_timer_stop(cl->control->loop, &cl->timer);
	loop_del(cl->control->loop, &cl->io);
	fd_close(&fd);
	buf_fini(&cl->in);
	buf_fini(&cl->out);
	resume_accept(cl->control);
}

static void
on_client_timeout(struct loop_timer *t)
{
	client_close(container_of(t, struct client, timer));
}

static void
answer_line(struct client *cl, size_t len)
{
	struct emit e = {.out = &cl->out};

	commands_answer(&cl->control->view, (const char *)buf_data(&cl->in),
		len, &e);
	if (e.failed) {
		/* The client would take a truncated answer for a complete
		 * one. */
		buf_fini(&cl->out);
		e = (struct emit){.out = &cl->out};
		commands_refuse(&e, "the response is longer than 64 MiB; "
			"request one pool");
	}
	(void)buf_add(&cl->out, "\n", 1);
}

/* The length of the first complete line, with its newline; 0 = none yet. */
static size_t
find_line(const struct client *cl)
{
	const uint8_t *p = cl->in.len ? buf_data(&cl->in) : NULL;
	const uint8_t *end = p ? memchr(p, '\n', cl->in.len) : NULL;

	if (end)
		return (size_t)(end - p) + 1;
	return cl->ended ? cl->in.len : 0;
}

/* Called when no answer is waiting to be sent: one answer at a time is kept in
 * memory. */
static void
answer_next_line(struct client *cl)
{
	struct emit e = {.out = &cl->out};
	size_t len = find_line(cl);

	if (len > 0) {
		loop_timer_set(cl->control->loop, &cl->timer,
			loop_now(cl->control->loop) + CLIENT_TIMEOUT_MS);
		answer_line(cl, len);
		buf_consume(&cl->in, len);
	} else if (cl->in.len >= LINE_MAX_BYTES) {
		commands_refuse(&e, "the line is longer than 4096 bytes");
		(void)buf_add(&cl->out, "\n", 1);
		buf_fini(&cl->in);
		cl->ended = true;
	}
}

/* false: the connection is to be closed. */
static bool
read_client(struct client *cl)
{
	uint8_t *to = buf_reserve(&cl->in, LINE_MAX_BYTES - cl->in.len);
	ssize_t n;

	if (!to)
		return false;
	n = read(cl->io.fd, to, LINE_MAX_BYTES - cl->in.len);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_commit(&cl->in, (size_t)n);
	cl->ended = n == 0;
	return true;
}

static void
on_client(struct loop_io *io, uint32_t events)
{
	struct client *cl = container_of(io, struct client, io);

	if (cl->out.len == 0 && !cl->ended &&
		(events & (LOOP_READ | LOOP_HANGUP | LOOP_ERROR)) &&
		!read_client(cl)) {
		client_close(cl);
		return;
	}
	if (cl->out.len == 0)
		answer_next_line(cl);
	if (buf_write(&cl->out, io->fd) < 0 ||
		(cl->ended && cl->out.len == 0 && find_line(cl) == 0)) {
		client_close(cl);
		return;
	}
	/* A complete line that has been read already is answered in the next
	 * iteration of the loop. */
	if (loop_mod(cl->control->loop, io,
		    cl->out.len > 0 || find_line(cl) > 0 ? LOOP_WRITE :
							   LOOP_READ) < 0)
		client_close(cl);
}

/* -- accepting ------------------------------------------------------------- */

static bool
is_in_group(int fd, gid_t primary, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups), i;

	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool
may_ask(const struct control *c, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid() ||
		(peer.uid == c->owner && (c->mode & 0200)) ||
		((c->mode & 0020) && is_in_group(fd, peer.gid, c->group)) ||
		(c->mode & 0002);
}

static void
reject_peer(int fd)
{
	static const char text[] = "{\"error\":\"permission denied: only root "
		"and the user running fcgipm may connect; see control.mode in "
		"fcgipm.ini(5)\"}\n";

	/* An error is ignored: the buffer of a new socket is empty, so only a
	 * closed connection fails. */
	(void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	fd_close(&fd);
}

static struct client *
find_free_client(struct control *c)
{
	size_t i;

	for (i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].io.fd < 0)
			return &c->clients[i];
	return NULL;
}

static void
client_add(struct control *c, struct client *cl, int fd)
{
	cl->control = c;
	cl->ended = false;
	buf_init(&cl->in, LINE_MAX_BYTES);
	buf_init(&cl->out, ANSWER_MAX_BYTES);
	if (loop_add(c->loop, &cl->io, fd, LOOP_READ) < 0) {
		fd_close(&fd);
		return;
	}
	loop_timer_set(c->loop, &cl->timer,
		loop_now(c->loop) + CLIENT_TIMEOUT_MS);
}

static void
on_connection(struct loop_io *io, uint32_t events)
{
	struct control *c = container_of(io, struct control, listener_io);
	struct client *cl = find_free_client(c);
	int fd = -1;
	(void)events;

	if (cl)
		fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0 && may_ask(c, fd))
		client_add(c, cl, fd);
	else if (fd >= 0)
		reject_peer(fd);
	else if (cl && (errno == EMFILE || errno == ENFILE ||
			errno == ENOMEM || errno == ENOBUFS))
		loop_timer_set(c->loop, &c->retry_timer,
			loop_now(c->loop) + PAUSE_MS);
	/* Further clients wait in the listen queue. */
	if (c->retry_timer.place || !find_free_client(c))
		loop_del(c->loop, io);
}

static void
resume_accept(struct control *c)
{
	if (c->listener_io.fd >= 0 || c->socket.fd < 0 ||
		c->retry_timer.place ||
		loop_add(c->loop, &c->listener_io, c->socket.fd, LOOP_READ) ==
			0)
		return;
	/* Action: free memory or raise fs.epoll.max_user_watches.  The pools
	 * are served, but fcgipmctl status waits or times out meanwhile. */
	log_error("control socket: epoll_ctl: %m; retrying in 1 s");
	loop_timer_set(c->loop, &c->retry_timer,
		loop_now(c->loop) + PAUSE_MS);
}

static void
on_retry(struct loop_timer *t)
{
	resume_accept(container_of(t, struct control, retry_timer));
}

/* -- opening and closing --------------------------------------------------- */

static int
open_at(struct control *c, const struct conf *conf, const char *path,
	char *why, size_t size)
{
	const char *reason = NULL;
	struct privs ids = {0};
	struct listen_opts opts = {.backlog = BACKLOG, .owner = (uid_t)-1,
		.group = (gid_t)-1, .mode = (mode_t)conf->control_mode};
	struct addr addr;

	if (addr_parse(path, &addr, &reason) < 0 ||
		privs_resolve(conf->control_owner, conf->control_group, &ids,
			&reason) < 0) {
		snprintf(why, size, "%s: %s", path, reason);
		return -1;
	}
	if (conf->control_owner)
		opts.owner = ids.uid;
	if (conf->control_owner || conf->control_group)
		opts.group = ids.gid;
	privs_fini(&ids);
	c->mode = opts.mode;
	c->owner = conf->control_owner ? opts.owner : geteuid();
	c->group = opts.group == (gid_t)-1 ? getegid() : opts.group;
	return listen_open(&addr, &opts, &c->socket, why, size);
}

/* Creates the directory of the default path, or checks it.  In a directory
 * that another user can write to, that user could replace the socket. */
static int
make_directory(const char *path, char *why, size_t size)
{
	char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	struct stat st;
	int rc = -1;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		snprintf(why, size, "%s: mkdir: %s", dir, strerror(errno));
	else if (stat(dir, &st) < 0)
		snprintf(why, size, "%s: %s", dir, strerror(errno));
	else if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
		(st.st_mode & 0022))
		snprintf(why, size, "%s is writable by other users", dir);
	else
		rc = 0;
	free(dir);
	return rc;
}

static int
open_default(struct control *c, const struct conf *conf, char *why,
	size_t size)
{
	char *path = conf_control_place();
	int rc = -1;

	if (!path)
		snprintf(why, size, "XDG_RUNTIME_DIR is not set");
	else if (make_directory(path, why, size) == 0)
		rc = open_at(c, conf, path, why, size);
	free(path);
	return rc;
}

int
control_open(struct control **ret, struct loop *loop, const struct conf *conf,
	struct pool *pools, size_t npools)
{
	struct control *c;
	char why[512] = "fcntl";
	size_t i;
	int rc;

	*ret = NULL;
	if (conf->control && strcmp(conf->control, "none") == 0)
		return 0;
	c = mem_calloc(1, sizeof(*c));
	*c = (struct control){.loop = loop, .socket = {.fd = -1},
		.listener_io = {.on_event = on_connection, .fd = -1},
		.retry_timer = {.on_timer = on_retry},
		.view = {pools, npools, now_ms()}};
	for (i = 0; i < CLIENTS_MAX; i++) {
		c->clients[i].io = (struct loop_io){.on_event = on_client,
			.fd = -1};
		c->clients[i].timer.on_timer = on_client_timeout;
	}
	rc = conf->control ?
		open_at(c, conf, conf->control, why, sizeof(why)) :
		open_default(c, conf, why, sizeof(why));
	if (rc == 0 && fd_set_nonblock(c->socket.fd, true) == 0) {
		resume_accept(c);
		*ret = c;
		return 0;
	}
	control_close(&c);
	/* Action: correct the key control, control.owner or control.group in
	 * section [fcgipm], or remove it.  A control socket that is set in the
	 * configuration must be usable. */
	if (conf->control)
		log_error("control socket: %s; fcgipm exits", why);
	else
		/* Action: the pools are served, but fcgipmctl status cannot
		 * connect.  Let the user of fcgipm own the directory, with mode
		 * 0755, or set the key. */
		log_warning("control socket: not available: %s; set control = "
			"PATH or control = none in [fcgipm]", why);
	return conf->control ? -1 : 0;
}

void
control_unlink(struct control *c)
{
	if (c)
		listen_unlink(&c->socket);
}

void
control_close(struct control **c)
{
	size_t i;

	if (!*c)
		return;
	loop_timer_stop((*c)->loop, &(*c)->retry_timer);
	loop_del((*c)->loop, &(*c)->listener_io);
	listen_close(&(*c)->socket);
	for (i = 0; i < CLIENTS_MAX; i++)
		if ((*c)->clients[i].io.fd >= 0)
			client_close(&(*c)->clients[i]);
	free(*c);
	*c = NULL;
}
