/*
 * loop.h - the event loop of a process: descriptors, timers, signals, children
 *
 * Watchers are embedded in the struct of their owner, which finds itself with
 * container_of().  A watcher removed by a callback gets no further event, not
 * even one that was already read from the kernel.  An owner that frees itself
 * during a callback of one of its watchers does so with loop_defer().
 *
 * There is no periodic timer: with no timer set the loop sleeps until an event.
 * Setting a timer makes no system call.
 */
#ifndef FCGIPM_BASE_LOOP_H
#define FCGIPM_BASE_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct loop;

/* Events of a descriptor; the bits of epoll(7). */
enum loop_events {
	LOOP_READ = 0x001,	/* EPOLLIN */
	LOOP_WRITE = 0x004,	/* EPOLLOUT */
	LOOP_ERROR = 0x008,	/* EPOLLERR, always reported */
	LOOP_HANGUP = 0x010,	/* EPOLLHUP, always reported */
	LOOP_PEER_CLOSED = 0x2000,	/* EPOLLRDHUP */
	LOOP_EXCLUSIVE = 1 << 28	/* EPOLLEXCLUSIVE, loop_add() only */
};

struct loop_io {
	void (*on_event)(struct loop_io *io, uint32_t events);
	int fd;			/* -1 when not watched; the owner closes it */
	uint32_t events;	/* enum loop_events asked for */
};

struct loop_timer {
	void (*on_timer)(struct loop_timer *timer);
	int64_t at_ms;		/* deadline, CLOCK_MONOTONIC */
	size_t place;		/* in the heap, from 1; 0 = not set */
};

struct loop_task {
	void (*run)(struct loop_task *task);
	STAILQ_ENTRY(loop_task) link;	/* while queued */
	bool queued;
};

struct loop_child {
	struct loop_io io;	/* its pidfd */
	/* The child was reaped; code and status as in siginfo_t. */
	void (*on_exit)(struct loop_child *child, int code, int status);
};

struct loop_signals {
	struct loop_io io;	/* the signalfd */
	void (*on_signal)(struct loop_signals *sigs, int signo, pid_t sender);
};

/* NULL with errno when there is no epoll instance. */
struct loop *loop_new(void);
void loop_free(struct loop **l);

/* Runs until loop_quit(); 0, or -1 with errno of epoll_wait(2). */
int loop_run(struct loop *l);
void loop_quit(struct loop *l);

/* Milliseconds of CLOCK_MONOTONIC at the beginning of this turn. */
int64_t loop_now(const struct loop *l);

/* Watches fd; io->on_event must be set.  0, or -1 with errno. */
int loop_add(struct loop *l, struct loop_io *io, int fd, uint32_t events);
/* Changes the events; no system call when nothing changes. */
int loop_mod(struct loop *l, struct loop_io *io, uint32_t events);
/* Stops watching; does not close.  Does nothing when not watched. */
void loop_del(struct loop *l, struct loop_io *io);

/* Sets or moves a timer; on_timer must be set, and is called once. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ms);
void loop_timer_stop(struct loop *l, struct loop_timer *t);

/* Runs the task at the end of this turn, once if queued several times. */
void loop_defer(struct loop *l, struct loop_task *task);

/*
 * loop_child_add - calls back when a child exits
 *
 * pidfd	borrowed; the owner closes it, after on_exit or loop_child_del
 */
int loop_child_add(struct loop *l, struct loop_child *c, int pidfd);
void loop_child_del(struct loop *l, struct loop_child *c);

/* Blocks the signals of set and calls back for them; 0, or -1 with errno. */
int loop_signals_add(struct loop *l, struct loop_signals *s,
	const sigset_t *set);
void loop_signals_del(struct loop *l, struct loop_signals *s);

#endif
