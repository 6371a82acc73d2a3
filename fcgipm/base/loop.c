/*
 * loop.c - the event loop of a process; see loop.h
 *
 * The only file that waits on epoll, signalfd and pidfds.  Timers are a binary
 * heap; its root is the timeout of epoll_wait(2).
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/util.h"

_Static_assert((int)LOOP_READ == (int)EPOLLIN &&
		(int)LOOP_WRITE == (int)EPOLLOUT &&
		(int)LOOP_ERROR == (int)EPOLLERR &&
		(int)LOOP_HANGUP == (int)EPOLLHUP &&
		(int)LOOP_PEER_CLOSED == (int)EPOLLRDHUP &&
		(int)LOOP_EXCLUSIVE == (int)EPOLLEXCLUSIVE,
	"enum loop_events are the kernel's bits");

#define BATCH 64

struct loop {
	int epfd;
	bool quit;
	int64_t now;			/* when this turn began */
	struct epoll_event batch[BATCH];
	int batch_len, batch_at;	/* events of this turn, the current */
	struct loop_timer **heap;	/* heap[0] is place 1 */
	size_t heap_len, heap_size;
	STAILQ_HEAD(, loop_task) tasks;	/* deferred, in order */
};

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	STAILQ_INIT(&l->tasks);
	l->now = now_ms();
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		free(l);
		return NULL;
	}
	return l;
}

void
loop_free(struct loop **l)
{
	if (!*l)
		return;
	fd_close(&(*l)->epfd);
	free((*l)->heap);
	free(*l);
	*l = NULL;
}

int64_t
loop_now(const struct loop *l)
{
	return l->now;
}

void
loop_quit(struct loop *l)
{
	l->quit = true;
}

int
loop_add(struct loop *l, struct loop_io *io, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -1;
	io->fd = fd;
	io->events = events;
	return 0;
}

int
loop_mod(struct loop *l, struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	if (io->events == events)
		return 0;
	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, io->fd, &ev) < 0)
		return -1;
	io->events = events;
	return 0;
}

void
loop_del(struct loop *l, struct loop_io *io)
{
	int i;

	if (io->fd < 0)
		return;
	/* Fails only for a descriptor that was closed: nothing to undo. */
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, io->fd, NULL);
	io->fd = -1;
	io->events = 0;
	/* Its owner may be freed next: drop events already read. */
	for (i = l->batch_at; i < l->batch_len; i++)
		if (l->batch[i].data.ptr == io)
			l->batch[i].data.ptr = NULL;
}

static void
heap_put(struct loop *l, size_t place, struct loop_timer *t)
{
	l->heap[place - 1] = t;
	t->place = place;
}

/* Moves t from place towards the root, to where it belongs. */
static void
heap_rise(struct loop *l, size_t place, struct loop_timer *t)
{
	while (place > 1 && l->heap[place / 2 - 1]->at_ms > t->at_ms) {
		heap_put(l, place, l->heap[place / 2 - 1]);
		place /= 2;
	}
	heap_put(l, place, t);
}

/* Moves t from place towards the leaves, to where it belongs. */
static void
heap_sink(struct loop *l, size_t place, struct loop_timer *t)
{
	size_t child;

	while ((child = place * 2) <= l->heap_len) {
		if (child < l->heap_len &&
			l->heap[child]->at_ms < l->heap[child - 1]->at_ms)
			child++;
		if (l->heap[child - 1]->at_ms >= t->at_ms)
			break;
		heap_put(l, place, l->heap[child - 1]);
		place = child;
	}
	heap_put(l, place, t);
}

void
loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ms)
{
	int64_t before = t->at_ms;
	struct loop_timer **heap;
	size_t size;

	t->at_ms = at_ms;
	if (t->place) {
		if (at_ms < before)
			heap_rise(l, t->place, t);
		else
			heap_sink(l, t->place, t);
		return;
	}
	if (l->heap_len == l->heap_size) {
		size = l->heap_size ? l->heap_size * 2 : 64;
		heap = reallocarray(l->heap, size, sizeof(struct loop_timer *));
		if (!heap)
			BUG("no memory for a timer");
		l->heap = heap;
		l->heap_size = size;
	}
	heap_rise(l, ++l->heap_len, t);
}

void
loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	struct loop_timer *last;
	size_t place = t->place;

	if (!place)
		return;
	t->place = 0;
	last = l->heap[--l->heap_len];
	if (last == t)
		return;
	/* The last one replaces it, then moves to where it belongs. */
	if (place > 1 && l->heap[place / 2 - 1]->at_ms > last->at_ms)
		heap_rise(l, place, last);
	else
		heap_sink(l, place, last);
}

void
loop_defer(struct loop *l, struct loop_task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	STAILQ_INSERT_TAIL(&l->tasks, task, link);
}

static void
run_timers(struct loop *l)
{
	struct loop_timer *t;

	while (l->heap_len > 0 && l->heap[0]->at_ms <= l->now) {
		t = l->heap[0];
		loop_timer_stop(l, t);
		t->on_timer(t);
	}
}

static void
run_tasks(struct loop *l)
{
	struct loop_task *task;

	while ((task = STAILQ_FIRST(&l->tasks)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->tasks, link);
		task->queued = false;
		task->run(task);
	}
}

/* Milliseconds until the next deadline; -1 = no deadline. */
static int
wait_ms(const struct loop *l)
{
	int64_t ms;

	if (l->heap_len == 0)
		return -1;
	ms = l->heap[0]->at_ms - now_ms();
	return (int)MAX(MIN(ms, (int64_t)INT_MAX), (int64_t)0);
}

int
loop_run(struct loop *l)
{
	int n;

	run_tasks(l);
	while (!l->quit) {
		n = epoll_wait(l->epfd, l->batch, BATCH, wait_ms(l));
		if (n < 0 && errno != EINTR)
			return -1;
		l->now = now_ms();
		l->batch_len = MAX(n, 0);
		for (l->batch_at = 0; l->batch_at < l->batch_len;) {
			struct epoll_event *ev = &l->batch[l->batch_at++];
			struct loop_io *io = ev->data.ptr;

			if (io)
				io->on_event(io, ev->events);
		}
		l->batch_len = 0;
		run_timers(l);
		run_tasks(l);
	}
	return 0;
}

/* on_exit removes the child and closes the pidfd, and may free the child. */
static void
child_on_event(struct loop_io *io, uint32_t events)
{
	struct loop_child *c = container_of(io, struct loop_child, io);
	siginfo_t si = {0};
	(void)events;

	if (waitid(P_PIDFD, (id_t)io->fd, &si, WEXITED | WNOHANG) < 0)
		BUG("waitid on a child's pidfd");
	if (si.si_pid == 0)
		return;
	c->on_exit(c, si.si_code, si.si_status);
}

int
loop_child_add(struct loop *l, struct loop_child *c, int pidfd)
{
	c->io.on_event = child_on_event;
	return loop_add(l, &c->io, pidfd, LOOP_READ);
}

void
loop_child_del(struct loop *l, struct loop_child *c)
{
	loop_del(l, &c->io);
}

static void
signals_on_event(struct loop_io *io, uint32_t events)
{
	struct loop_signals *s = container_of(io, struct loop_signals, io);
	struct signalfd_siginfo si[4];
	ssize_t n = read(io->fd, si, sizeof(si));
	size_t i;
	(void)events;

	/* What did not fit is read in the next turn. */
	for (i = 0; n > 0 && i < (size_t)n / sizeof(si[0]) && io->fd >= 0; i++)
		s->on_signal(s, (int)si[i].ssi_signo, (pid_t)si[i].ssi_pid);
}

int
loop_signals_add(struct loop *l, struct loop_signals *s, const sigset_t *set)
{
	int fd;

	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -1;
	fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -1;
	s->io.on_event = signals_on_event;
	if (loop_add(l, &s->io, fd, LOOP_READ) < 0) {
		fd_close(&fd);
		return -1;
	}
	return 0;
}

void
loop_signals_del(struct loop *l, struct loop_signals *s)
{
	int fd = s->io.fd;

	loop_del(l, &s->io);
	fd_close(&fd);
}
