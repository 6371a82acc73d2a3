/*
 * processes.c - reads the tasks and sockets of a worker and its descendants;
 * see processes.h
 *
 * Called by observe/kernel.  observe/describe uses processes_is_denied().
 *
 * The process runs while it is read.  Its tasks are read before its sockets: a
 * task that accepts a connection in between was read in accept(2), but the
 * connection is read as well.  In the other order it would be missed.
 */
#include <errno.h>
#include <string.h>

#include "observe/prober.h"
#include "observe/processes.h"
#include "sys/procfs.h"

bool
processes_is_denied(int err)
{
	return err == EACCES || err == EPERM;
}

int
processes_read_tasks(const struct processes_reader *r, struct watch *watch,
	struct watch_tasks *ret, bool *ret_by_prober)
{
	struct watch_tasks own = {.reading_fd = -1};

	if (watch_tasks(watch, r->listeners, r->nlisteners, &own) < 0)
		own.err = errno;
	*ret = own;
	if (processes_is_denied(own.err)) {
		if (prober_tasks(r->prober, watch->pid, r->listeners,
			    r->nlisteners, ret) == 0)
			*ret_by_prober = true;
		else
			*ret = own;
	}
	errno = ret->err;
	return ret->err ? -1 : 0;
}

static int
read_sockets(const struct processes_reader *r, struct watch *watch,
	struct watch_socket *ret, size_t *ret_n, bool *ret_by_prober)
{
	if (watch_sockets(watch, ret, PROCESSES_SOCKETS_MAX, ret_n) == 0)
		return 0;
	if (!processes_is_denied(errno))
		return -1;
	if (prober_sockets(r->prober, watch->pid, ret, PROCESSES_SOCKETS_MAX,
		    ret_n) < 0) {
		errno = errno == ECHILD ? EACCES : errno;
		return -1;
	}
	*ret_by_prober = true;
	return 0;
}

static void
add_tasks(struct processes *p, const struct watch_tasks *t, pid_t pid)
{
	p->tasks.total += t->total;
	p->tasks.accepting += t->accepting;
	p->tasks.polling += t->polling;
	p->tasks.locking += t->locking;
	if (t->reading > 0 && p->tasks.reading == 0) {
		p->tasks.reading_fd = t->reading_fd;
		p->tasks.reading_counts = t->reading_counts;
		p->reader = pid;
	}
	p->tasks.reading += t->reading;
	p->tasks.unreadable += t->unreadable;
}

/* Child processes have inherited the sockets of their parents. */
static bool
has_socket(const struct processes *p, uint32_t ino)
{
	size_t i;

	for (i = 0; i < p->nsockets; i++)
		if (p->sockets[i].socket.ino == ino)
			return true;
	return false;
}

static bool
is_listener(const struct processes_reader *r, uint32_t ino)
{
	size_t i;

	for (i = 0; i < r->nlisteners; i++)
		if (r->listeners[i] == ino)
			return true;
	return false;
}

static int
add_sockets(const struct processes_reader *r, struct processes *p,
	struct watch *watch)
{
	struct watch_socket sockets[PROCESSES_SOCKETS_MAX];
	size_t i, n = 0;

	if (read_sockets(r, watch, sockets, &n, &p->by_prober) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		if (is_listener(r, sockets[i].ino) ||
			(p->npids > 1 && has_socket(p, sockets[i].ino)))
			continue;
		if (p->nsockets == PROCESSES_SOCKETS_MAX) {
			errno = E2BIG;
			return -1;
		}
		p->sockets[p->nsockets].socket = sockets[i];
		p->sockets[p->nsockets++].pid = watch->pid;
	}
	return 0;
}

/*
 * Adds the tasks and sockets of one process, and its children to the list of
 * processes.
 *
 * ret_sockets_err	errno if its sockets or children are incomplete, or 0
 * returns		the same for its tasks
 */
static int
add_process(const struct processes_reader *r, struct processes *p,
	struct watch *watch, int *ret_sockets_err)
{
	struct watch_tasks t = {.reading_fd = -1};
	size_t n = 0, nsockets = p->nsockets;
	int err, turn;

	for (turn = 0; turn < 2; turn++) {
		p->nsockets = nsockets;
		err = processes_read_tasks(r, watch, &t, &p->by_prober) < 0 ?
			errno : 0;
		*ret_sockets_err = add_sockets(r, p, watch) < 0 ? errno : 0;
		/* It may have changed to the pool's user in between. */
		if (!processes_is_denied(err) || *ret_sockets_err)
			break;
	}
	add_tasks(p, &t, watch->pid);
	if (watch_children(watch, p->pids + p->npids,
		    PROCESSES_MAX - p->npids, &n) < 0)
		*ret_sockets_err = errno;
	p->npids += n;
	return err;
}

/* Clears all but the arrays, most of which is never used. */
static void
begin(struct processes *p, pid_t pid)
{
	p->tasks = (struct watch_tasks){.reading_fd = -1};
	p->tasks_err = p->sockets_err = 0;
	p->reader = 0;
	p->by_prober = false;
	p->pids[0] = pid;
	p->npids = 1;
	p->nsockets = 0;
}

void
processes_read(const struct processes_reader *r, struct watch *watch,
	struct processes *ret)
{
	struct watch child;
	int err, sockets_err;
	size_t i;

	begin(ret, watch->pid);
	ret->tasks_err = add_process(r, ret, watch, &ret->sockets_err);
	for (i = 1; i < ret->npids; i++) {
		err = sockets_err = watch_open(&child, ret->pids[i]) < 0 ?
			errno : 0;
		if (!err)
			err = add_process(r, ret, &child, &sockets_err);
		watch_close(&child);
		/* A process that has exited meanwhile has no sockets. */
		if (err && err != ESRCH)
			ret->tasks_err = err;
		if (sockets_err && sockets_err != ESRCH)
			ret->sockets_err = sockets_err;
	}
}

void
processes_set_unreadable(struct processes *ret, pid_t pid, int err)
{
	begin(ret, pid);
	ret->tasks_err = ret->sockets_err = err;
}

bool
processes_are_stopped(const struct processes *p)
{
	char state;
	size_t i;

	for (i = 0; i < p->npids; i++) {
		state = procfs_state(p->pids[i]);
		if (state && !strchr("TtZX", state))
			return false;
	}
	return true;
}
