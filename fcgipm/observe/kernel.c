/*
 * kernel.c - is a worker idle, and does it hold a connection?  See kernel.h
 *
 * Called by all who look at workers; knows none of them.  Uses sys/watch for
 * what a process does, the prober where we may not see that ourselves, and
 * observe/sockets for where a socket comes from.
 *
 * A look at a process that runs is true for a moment only.  Tasks are looked
 * at before sockets, so that a connection accepted in between is seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "observe/kernel.h"
#include "sys/procfs.h"

/* What one close look takes in; a worker with more may hold a connection. */
#define SOCKETS_MAX 1024
#define PROCESSES_MAX 64

/* So many looks in a row may leave out whether there are more tasks. */
#define SHORT_CHECKS 15

struct found {
	struct watch_socket socket;
	pid_t pid;		/* one that has it open */
};

/* What is seen of a worker and of what it has started. */
struct view {
	struct watch_tasks tasks;	/* sums */
	int tasks_err;		/* why they are not all there, 0 = they are */
	int sockets_err;
	pid_t pids[PROCESSES_MAX];
	size_t npids;
	pid_t reader;		/* whose tasks.reading_fd is */
	bool by_prober;
	struct found found[SOCKETS_MAX];
	size_t nfound;
};

/* Is it worth to ask the prober, and has a look failed for want of rights? */
static bool
denied(int err)
{
	return err == EACCES || err == EPERM;
}

/* -- processes ------------------------------------------------------------- */

/* One of them; 0, or -1 with errno, *ret being what could be seen. */
static int
look_tasks(struct kernel_observer *o, struct watch *watch, bool *by_prober,
	struct watch_tasks *ret)
{
	struct watch_tasks own = {.reading_fd = -1};
	int err;

	if (watch_tasks(watch, o->inos, o->nlisteners, &own) < 0)
		own.err = errno;
	*ret = own;
	if (!denied(own.err)) {
		errno = own.err;
		return own.err ? -1 : 0;
	}
	if (prober_tasks(&o->prober, watch->pid, o->inos, o->nlisteners,
		    ret) < 0) {
		*ret = own;
		errno = own.err;
		return -1;
	}
	*by_prober = true;
	err = ret->err;
	errno = err;
	return err ? -1 : 0;
}

static int
look_sockets(struct kernel_observer *o, struct watch *watch, bool *by_prober,
	struct watch_socket *ret, size_t max, size_t *ret_n)
{
	if (watch_sockets(watch, ret, max, ret_n) == 0)
		return 0;
	if (!denied(errno))
		return -1;
	if (prober_sockets(&o->prober, watch->pid, ret, max, ret_n) < 0) {
		errno = errno == ECHILD ? EACCES : errno;
		return -1;
	}
	*by_prober = true;
	return 0;
}

static void
add_tasks(struct view *v, const struct watch_tasks *t, pid_t pid)
{
	v->tasks.total += t->total;
	v->tasks.accepting += t->accepting;
	v->tasks.polling += t->polling;
	v->tasks.locking += t->locking;
	if (t->reading > 0 && v->tasks.reading == 0) {
		v->tasks.reading_fd = t->reading_fd;
		v->tasks.reading_counts = t->reading_counts;
		v->reader = pid;
	}
	v->tasks.reading += t->reading;
	v->tasks.unreadable += t->unreadable;
}

/* What children have inherited is there once. */
static bool
has_found(const struct view *v, uint32_t ino)
{
	size_t i;

	for (i = 0; i < v->nfound; i++)
		if (v->found[i].socket.ino == ino)
			return true;
	return false;
}

static bool
is_own_listener(const struct kernel_observer *o, uint32_t ino)
{
	size_t i;

	for (i = 0; i < o->nlisteners; i++)
		if (o->inos[i] == ino)
			return true;
	return false;
}

static int
add_sockets(struct kernel_observer *o, struct view *v, struct watch *watch)
{
	struct watch_socket sockets[SOCKETS_MAX];
	size_t i, n = 0;

	if (look_sockets(o, watch, &v->by_prober, sockets, SOCKETS_MAX, &n) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		if (is_own_listener(o, sockets[i].ino) ||
			(v->npids > 1 && has_found(v, sockets[i].ino)))
			continue;
		if (v->nfound == SOCKETS_MAX) {
			errno = E2BIG;
			return -1;
		}
		v->found[v->nfound].socket = sockets[i];
		v->found[v->nfound++].pid = watch->pid;
	}
	return 0;
}

/*
 * Tasks and sockets of one process, and its children into the list.
 *
 * ret_sockets_err	why its sockets or children are not all there; 0
 * returns	the same for its tasks
 */
static int
look_process(struct kernel_observer *o, struct view *v, struct watch *watch,
	int *ret_sockets_err)
{
	struct watch_tasks t = {.reading_fd = -1};
	size_t n = 0, nfound = v->nfound;
	int err, turn;

	for (turn = 0; turn < 2; turn++) {
		v->nfound = nfound;
		err = look_tasks(o, watch, &v->by_prober, &t) < 0 ? errno : 0;
		*ret_sockets_err = add_sockets(o, v, watch) < 0 ? errno : 0;
		/* It may have become the pool's user in between. */
		if (!denied(err) || *ret_sockets_err)
			break;
	}
	add_tasks(v, &t, watch->pid);
	if (watch_children(watch, v->pids + v->npids,
		    PROCESSES_MAX - v->npids, &n) < 0)
		*ret_sockets_err = errno;
	v->npids += n;
	return err;
}

/* The worker and all that it has started, parents first. */
static void
look_processes(struct kernel_observer *o, struct kernel_worker *w,
	struct view *v)
{
	struct watch watch;
	int err, sockets_err;
	size_t i;

	v->pids[v->npids++] = w->pid;
	v->tasks_err = look_process(o, v, &w->watch, &v->sockets_err);
	for (i = 1; i < v->npids; i++) {
		err = sockets_err = watch_open(&watch, v->pids[i]) < 0 ?
			errno : 0;
		if (!err)
			err = look_process(o, v, &watch, &sockets_err);
		watch_close(&watch);
		/* One that has ended meanwhile holds nothing. */
		if (err && err != ESRCH)
			v->tasks_err = err;
		if (sockets_err && sockets_err != ESRCH)
			v->sockets_err = sockets_err;
	}
}

/* -- connections ----------------------------------------------------------- */

static enum sockets_origin
judge(struct kernel_observer *o, struct kernel_worker *w, const struct found *f,
	bool *listed)
{
	struct watch watch = {0}, *at = &w->watch;
	enum watch_kind kind = WATCH_KIND_GONE;

	if (f->pid != w->pid) {
		if (watch_open(&watch, f->pid) < 0)
			return SOCKETS_UNKNOWN;
		at = &watch;
	}
	kind = watch_kind(at, &f->socket);
	if (kind == WATCH_KIND_GONE && denied(errno))
		kind = prober_kind(&o->prober, f->pid, &f->socket);
	watch_close(&watch);
	return sockets_find_origin(&o->sockets, kind, f->socket.ino, listed);
}

/* Sockets keep their places mostly, so the search begins behind the last. */
static const struct kernel_socket *
find_known(const struct kernel_worker *w, uint32_t ino, size_t *at)
{
	size_t i;

	for (i = 0; i < w->nknown; i++) {
		const struct kernel_socket *k =
			&w->known[(*at + i) % w->nknown];

		if (k->ino == ino) {
			*at = (*at + i + 1) % w->nknown;
			return k;
		}
	}
	return NULL;
}

static void
remember(struct kernel_worker *w, const struct kernel_socket *known, size_t n)
{
	if (n == 0) {
		free(w->known);
		w->known = NULL;
	} else {
		w->known = mem_realloc(w->known, n, sizeof(*known));
		memcpy(w->known, known, n * sizeof(*known));
	}
	w->nknown = n;
}

/* Of two that came between the same looks, always the same. */
static void
note_oldest(const struct kernel_worker *w, const struct kernel_socket *k,
	pid_t pid, struct kernel_sample *s)
{
	if (s->oldest != 0 && k->since_ms >= s->oldest_since_ms &&
		(k->since_ms != s->oldest_since_ms ||
			k->ino != w->sample.oldest))
		return;
	s->oldest = k->ino;
	s->oldest_pid = pid;
	s->oldest_since_ms = k->since_ms;
}

/*
 * Which of the sockets are connections of clients.
 *
 * returns	how many are in doubt
 */
static unsigned
count_clients(struct kernel_observer *o, struct kernel_worker *w,
	const struct view *v, int64_t now, struct kernel_sample *s)
{
	struct kernel_socket known[SOCKETS_MAX];
	unsigned doubts = 0;
	size_t i, n = 0, at = 0;
	bool listed = false;

	s->connections = 0;
	for (i = 0; i < v->nfound; i++) {
		const struct found *f = &v->found[i];
		const struct kernel_socket *k =
			find_known(w, f->socket.ino, &at);
		struct kernel_socket new = {f->socket.ino, false, now};

		if (!k) {
			enum sockets_origin from = judge(o, w, f, &listed);

			new.client = from == SOCKETS_CLIENT;
			if (from == SOCKETS_UNKNOWN) {
				doubts++;
				continue;
			}
			k = &new;
		}
		known[n++] = *k;
		if (!k->client)
			continue;
		s->connections++;
		note_oldest(w, k, f->pid, s);
		if (v->tasks.reading > 0 && f->pid == v->reader &&
			f->socket.fd == v->tasks.reading_fd) {
			s->reading = true;
			s->reading_counts = v->tasks.reading_counts;
		}
	}
	remember(w, known, n);
	return doubts;
}

/* -- the verdict ----------------------------------------------------------- */

static void
set(struct kernel_sample *s, enum kernel_state state, const char *reason,
	int err)
{
	s->state = state;
	s->reason = reason;
	s->err = err;
}

/* Its sockets are not to be seen; the tasks may be. */
static void
conclude_unseen(const struct view *v, struct kernel_sample *s)
{
	s->may_hold = s->waits = true;
	if (v->sockets_err == ESRCH)
		set(s, KERNEL_UNKNOWN, "the process is gone", ESRCH);
	else if (v->sockets_err == E2BIG)
		set(s, KERNEL_UNKNOWN,
			"it has more sockets or children than we look at",
			E2BIG);
	else if (v->tasks_err == 0 && v->npids == 1 && v->tasks.total == 1 &&
		v->tasks.accepting == 1)
		set(s, KERNEL_IDLE,
			"waits in accept; its sockets cannot be seen",
			v->sockets_err);
	else
		set(s, KERNEL_UNKNOWN, "its sockets cannot be seen",
			v->sockets_err);
}

static void
conclude(const struct view *v, unsigned doubts, struct kernel_sample *s)
{
	const struct watch_tasks *t = &v->tasks;

	s->may_hold = s->connections > 0 || doubts > 0;
	/* Of several that read, one is known by its descriptor. */
	s->waits = v->tasks_err != 0 || t->polling > 0 || s->reading ||
		t->reading > 1 || (t->reading > 0 && doubts > 0);
	if (s->connections > 0)
		set(s, KERNEL_BUSY,
			s->reading ? "waits for bytes of a connection" :
				     "holds a connection",
			v->tasks_err);
	else if (t->accepting > 0)
		set(s, KERNEL_IDLE,
			doubts ? "waits in accept; whose a socket of it is "
				 "cannot be said" :
				 "waits in accept",
			v->tasks_err);
	else if (doubts > 0)
		set(s, KERNEL_UNKNOWN,
			"whose a socket of it is cannot be said",
			v->tasks_err);
	else if (t->polling > 0)
		set(s, KERNEL_IDLE, "polls and holds no connection",
			v->tasks_err);
	else if (v->tasks_err)
		set(s, KERNEL_IDLE,
			"holds no connection; its system calls cannot be seen",
			v->tasks_err);
	else
		set(s, KERNEL_BUSY,
			"holds no connection and does not wait for one", 0);
}

static void
keep(struct kernel_worker *w, struct kernel_sample *s, int64_t now)
{
	s->since_ms = w->sample.reason && w->sample.state == s->state ?
		w->sample.since_ms : now;
	w->sample = *s;
	w->accepted |= s->state == KERNEL_IDLE || s->connections > 0;
}

/* What has ended does nothing either. */
static bool
are_stopped(const struct view *v)
{
	char state;
	size_t i;

	for (i = 0; i < v->npids; i++) {
		state = procfs_state(v->pids[i]);
		if (state && !strchr("TtZX", state))
			return false;
	}
	return true;
}

const struct kernel_sample *
kernel_inspect(struct kernel_observer *o, struct kernel_worker *w, int64_t now)
{
	struct kernel_sample s = {.connections = -1};
	struct view v;

	/* Not the arrays: most of them is never used. */
	v.tasks = (struct watch_tasks){.reading_fd = -1};
	v.tasks_err = v.sockets_err = 0;
	v.npids = v.nfound = 0;
	v.reader = 0;
	v.by_prober = false;
	if (w->watch.pid == 0 && watch_open(&w->watch, w->pid) < 0) {
		v.sockets_err = v.tasks_err = errno;
		v.pids[v.npids++] = w->pid;
	} else {
		look_processes(o, w, &v);
	}
	s.processes = (unsigned)v.npids;
	s.stopped = are_stopped(&v);
	s.tasks = v.tasks.total;
	s.accepting = v.tasks.accepting;
	s.polling = v.tasks.polling;
	s.locking = v.tasks.locking;
	s.by_prober = v.by_prober;
	if (v.sockets_err)
		conclude_unseen(&v, &s);
	else
		conclude(&v, count_clients(o, w, &v, now, &s), &s);
	keep(w, &s, now);
	return &w->sample;
}

/* One task, and that in accept. */
static const struct kernel_sample *
keep_idle(struct kernel_worker *w, bool by_prober, int64_t now)
{
	struct kernel_sample s = {.connections = -1, .may_hold = true,
		.processes = 1, .tasks = 1, .accepting = 1,
		.by_prober = by_prober};

	set(&s, KERNEL_IDLE, "waits in accept", 0);
	keep(w, &s, now);
	return &w->sample;
}

const struct kernel_sample *
kernel_check(struct kernel_observer *o, struct kernel_worker *w, int64_t now)
{
	bool by_prober = false;
	struct watch_tasks t;

	if (w->short_checks < SHORT_CHECKS && w->sample.state == KERNEL_IDLE &&
		watch_still_accepts(&w->watch)) {
		w->short_checks++;
		return keep_idle(w, false, now);
	}
	w->short_checks = 0;
	if (w->watch.pid == 0 && watch_open(&w->watch, w->pid) < 0)
		return kernel_inspect(o, w, now);
	if (look_tasks(o, &w->watch, &by_prober, &t) < 0 || t.total != 1 ||
		t.accepting != 1)
		return kernel_inspect(o, w, now);
	return keep_idle(w, by_prober, now);
}

const struct kernel_sample *
kernel_check_once(struct kernel_observer *o, struct kernel_worker *w,
	int64_t now)
{
	const struct kernel_sample *seen;

	if (procfs_accepts_alone(w->pid))
		return keep_idle(w, false, now);
	seen = kernel_check(o, w, now);
	kernel_worker_close(w);
	return seen;
}

/* -- setting up ------------------------------------------------------------ */

int
kernel_init(struct kernel_observer *o, struct sockdiag *diag, const int *fds,
	size_t n, uid_t uid, gid_t gid)
{
	size_t i;

	*o = (struct kernel_observer){.diag = diag, .nlisteners = n,
		.listeners = mem_calloc(n, sizeof(*o->listeners)),
		.fds = mem_calloc(n, sizeof(*o->fds)),
		.inos = mem_calloc(n, sizeof(*o->inos))};
	sockets_init(&o->sockets, diag, o->listeners, n);
	prober_init(&o->prober, uid, gid);
	for (i = 0; i < n; i++) {
		if (sockdiag_listener_init(&o->listeners[i], fds[i]) < 0) {
			int saved = errno;

			kernel_fini(o);
			errno = saved;
			return -1;
		}
		o->fds[i] = fds[i];
		o->inos[i] = o->listeners[i].ino;
	}
	return 0;
}

void
kernel_update_listeners(struct kernel_observer *o)
{
	struct sockdiag_listener l;
	size_t i;

	for (i = 0; i < o->nlisteners; i++)
		if (sockdiag_listener_init(&l, o->fds[i]) == 0) {
			o->listeners[i] = l;
			o->inos[i] = l.ino;
		}
}

void
kernel_fini(struct kernel_observer *o)
{
	sockets_fini(&o->sockets);
	free(o->listeners);
	free(o->fds);
	free(o->inos);
	prober_fini(&o->prober);
	*o = (struct kernel_observer){.prober = {.fd = -1}};
}

void
kernel_worker_init(struct kernel_worker *w, pid_t pid)
{
	*w = (struct kernel_worker){.pid = pid};
}

void
kernel_worker_fini(struct kernel_worker *w)
{
	watch_close(&w->watch);
	free(w->known);
	*w = (struct kernel_worker){0};
}

void
kernel_worker_close(struct kernel_worker *w)
{
	watch_close(&w->watch);
}

int
kernel_read_queue(struct kernel_observer *o, struct sockdiag_queue *ret)
{
	struct sockdiag_queue sum = {0}, one;
	size_t i;
	int rc;

	for (i = 0; i < o->nlisteners; i++) {
		rc = o->listeners[i].family == AF_UNIX ?
			sockdiag_unix_queue(o->diag, o->inos[i], &one) :
			sockdiag_tcp_queue(o->fds[i], &one);
		if (rc < 0)
			return -1;
		sum.waiting += one.waiting;
		sum.limit += one.limit;
	}
	*ret = sum;
	return 0;
}
