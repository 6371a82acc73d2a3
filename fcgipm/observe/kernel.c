/*
 * kernel.c - observes a worker through the kernel; see kernel.h
 *
 * Called by pool/members, pool/retire, pool/listener and timeout/watchdog; the
 * listen queue is also read by pool/view, pool/stop and pool/snapshot.
 * observe/processes reads the worker's processes, observe/sockets finds the
 * origin of a socket.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "observe/kernel.h"
#include "observe/processes.h"
#include "sys/procfs.h"

/* Number of consecutive checks that may skip listing the tasks. */
#define SHORT_CHECKS 15

static struct processes_reader
reader_of(struct kernel_observer *o)
{
	return (struct processes_reader){&o->prober, o->inos, o->nlisteners};
}

/* -- connections ----------------------------------------------------------- */

static enum sockets_origin
find_origin(struct kernel_observer *o, struct kernel_worker *w,
	const struct processes_socket *s, bool *listed)
{
	struct watch watch = {0}, *at = &w->watch;
	enum watch_kind kind = WATCH_KIND_GONE;

	if (s->pid != w->pid) {
		if (watch_open(&watch, s->pid) < 0)
			return SOCKETS_UNKNOWN;
		at = &watch;
	}
	kind = watch_kind(at, &s->socket);
	if (kind == WATCH_KIND_GONE && processes_is_denied(errno))
		kind = prober_kind(&o->prober, s->pid, &s->socket);
	watch_close(&watch);
	return sockets_find_origin(&o->sockets, kind, s->socket.ino, listed);
}

/* Sockets mostly keep their order, so the search begins after the last hit. */
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
remember_sockets(struct kernel_worker *w, const struct kernel_socket *known,
	size_t n)
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

/* Of two connections first seen in the same sample, always selects the same. */
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
 * Counts the sockets that are client connections.
 *
 * returns	the number of sockets whose origin is unknown
 */
static unsigned
count_clients(struct kernel_observer *o, struct kernel_worker *w,
	const struct processes *p, int64_t now, struct kernel_sample *s)
{
	struct kernel_socket known[PROCESSES_SOCKETS_MAX];
	unsigned doubts = 0;
	size_t i, n = 0, at = 0;
	bool listed = false;

	s->connections = 0;
	for (i = 0; i < p->nsockets; i++) {
		const struct processes_socket *found = &p->sockets[i];
		const struct kernel_socket *k =
			find_known(w, found->socket.ino, &at);
		struct kernel_socket new = {found->socket.ino, false, now};

		if (!k) {
			enum sockets_origin from =
				find_origin(o, w, found, &listed);

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
		note_oldest(w, k, found->pid, s);
		if (p->tasks.reading > 0 && found->pid == p->reader &&
			found->socket.fd == p->tasks.reading_fd) {
			s->reading = true;
			s->reading_counts = p->tasks.reading_counts;
		}
	}
	remember_sockets(w, known, n);
	return doubts;
}

/* -- decide ---------------------------------------------------------------- */

static void
set_state(struct kernel_sample *s, enum kernel_state state, const char *reason,
	int err)
{
	s->state = state;
	s->reason = reason;
	s->err = err;
}

_Static_assert(PROCESSES_SOCKETS_MAX == 1024 && PROCESSES_MAX == 64,
	"a reason below names both");

/* The sockets could not be read; the tasks may have been. */
static void
judge_by_tasks(const struct processes *p, struct kernel_sample *s)
{
	s->may_hold = s->waits = true;
	if (p->sockets_err == ESRCH)
		set_state(s, KERNEL_UNKNOWN, "the process has exited", ESRCH);
	else if (p->sockets_err == E2BIG)
		set_state(s, KERNEL_UNKNOWN,
			"has more than 1024 sockets or 64 processes", E2BIG);
	else if (p->tasks_err == 0 && p->npids == 1 && p->tasks.total == 1 &&
		p->tasks.accepting == 1)
		set_state(s, KERNEL_IDLE,
			"waits in accept(2); cannot read its sockets",
			p->sockets_err);
	else
		set_state(s, KERNEL_UNKNOWN, "cannot read its sockets",
			p->sockets_err);
}

static void
judge_by_sockets(const struct processes *p, unsigned doubts,
	struct kernel_sample *s)
{
	const struct watch_tasks *t = &p->tasks;

	s->may_hold = s->connections > 0 || doubts > 0;
	/* Of several tasks that read, the descriptor of only one is known. */
	s->waits = p->tasks_err != 0 || t->polling > 0 || s->reading ||
		t->reading > 1 || (t->reading > 0 && doubts > 0);
	if (s->connections > 0)
		set_state(s, KERNEL_BUSY,
			s->reading ? "reads from a connection" :
				     "has a connection",
			p->tasks_err);
	else if (t->accepting > 0)
		set_state(s, KERNEL_IDLE,
			doubts ? "waits in accept(2); origin of one of its "
				 "sockets unknown" :
				 "waits in accept(2)",
			p->tasks_err);
	else if (doubts > 0)
		set_state(s, KERNEL_UNKNOWN,
			"origin of one of its sockets unknown",
			p->tasks_err);
	else if (t->polling > 0)
		set_state(s, KERNEL_IDLE, "polls and has no connection",
			p->tasks_err);
	else if (p->tasks_err)
		set_state(s, KERNEL_IDLE,
			"has no connection; cannot read its system calls",
			p->tasks_err);
	else
		set_state(s, KERNEL_BUSY,
			"has no connection and does not wait for one", 0);
}

static void
keep_sample(struct kernel_worker *w, struct kernel_sample *s, int64_t now)
{
	s->since_ms = w->sample.reason && w->sample.state == s->state ?
		w->sample.since_ms : now;
	w->sample = *s;
	w->accepted |= s->state == KERNEL_IDLE || s->connections > 0;
}

const struct kernel_sample *
kernel_inspect(struct kernel_observer *o, struct kernel_worker *w, int64_t now)
{
	const struct processes_reader reader = reader_of(o);
	struct kernel_sample s = {.connections = -1};
	struct processes p;

	if (w->watch.pid == 0 && watch_open(&w->watch, w->pid) < 0)
		processes_set_unreadable(&p, w->pid, errno);
	else
		processes_read(&reader, &w->watch, &p);
	s.processes = (unsigned)p.npids;
	s.stopped = processes_are_stopped(&p);
	s.tasks = p.tasks.total;
	s.accepting = p.tasks.accepting;
	s.polling = p.tasks.polling;
	s.locking = p.tasks.locking;
	s.by_prober = p.by_prober;
	if (p.sockets_err)
		judge_by_tasks(&p, &s);
	else
		judge_by_sockets(&p, count_clients(o, w, &p, now, &s), &s);
	keep_sample(w, &s, now);
	return &w->sample;
}

/* Its only task is in accept(2). */
static const struct kernel_sample *
keep_idle(struct kernel_worker *w, bool by_prober, int64_t now)
{
	struct kernel_sample s = {.connections = -1, .may_hold = true,
		.processes = 1, .tasks = 1, .accepting = 1,
		.by_prober = by_prober};

	set_state(&s, KERNEL_IDLE, "waits in accept(2)", 0);
	keep_sample(w, &s, now);
	return &w->sample;
}

const struct kernel_sample *
kernel_check(struct kernel_observer *o, struct kernel_worker *w, int64_t now)
{
	const struct processes_reader reader = reader_of(o);
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
	if (processes_read_tasks(&reader, &w->watch, &t, &by_prober) < 0 ||
		t.total != 1 || t.accepting != 1)
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

/* -- start and end --------------------------------------------------------- */

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
