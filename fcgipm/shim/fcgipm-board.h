/*
 * fcgipm-board.h - layout of the scoreboard (board): memory shared with workers
 *
 * Workers report on the board what they do.  This file is the whole contract
 * between the supervisor (fcgipm/observe/board.c), the library preloaded into
 * workers (shim.c), and handlers that report for themselves
 * (fcgipm-handler.h).  It includes no other file of fcgipm, and is installed
 * next to fcgipm-handler.h: C11 or C++, with GCC's atomics.
 *
 * One sealed memfd for each pool (memfd_create(2)):
 *
 *	struct fcgipm_head
 *	nslots + nspare times:
 *		struct fcgipm_slot
 *		cells times: struct fcgipm_cell
 *
 * Slots 0 to nslots - 1 belong to the workers with these numbers
 * (FCGIPM_WORKER).  The spare slots after them are claimed by processes that
 * workers fork.  A cell is one request.  A slot has as many cells as the pool
 * has threads, at most FCGIPM_CELLS_MAX.  A worker finds the board by
 *
 *	FCGIPM_BOARD=MEMFD:EVENTFD	two descriptor numbers
 *
 * Each field has one writer: the supervisor, or the process that owns the slot.
 * What a process writes is a hint: the supervisor copies it with bounds checks
 * and verifies it with the kernel before it acts on it.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, 0 = none.  Numbers are in the
 * machine's byte order.  A change of this layout changes FCGIPM_BOARD_VERSION;
 * a program that finds another version does nothing.
 */
#ifndef FCGIPM_BOARD_H
#define FCGIPM_BOARD_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FCGIPM_BOARD_MAGIC UINT64_C(0x31424d5049474346) /* "FCGIPMB1" */
#define FCGIPM_BOARD_VERSION 1
#define FCGIPM_BOARD_VAR "FCGIPM_BOARD"
#define FCGIPM_SHIM_NAME "libfcgipm-shim.so"
#define FCGIPM_CELLS_MAX 64
#define FCGIPM_METHOD_BYTES 16
#define FCGIPM_URI_BYTES 256

/* State of a cell: of a connection and its request. */
enum fcgipm_state {
	FCGIPM_FREE = 0,	/* no connection */
	FCGIPM_READING = 1,	/* accepted; its parameters are incomplete */
	FCGIPM_BUSY = 2,	/* method and URI are known, being answered */
	FCGIPM_CLOSING = 3,	/* answered, about to be closed */
	FCGIPM_KEPT = 4		/* answered, keep-alive, idle */
};

/* The tier of a worker: what writes its slot. */
enum fcgipm_tier { FCGIPM_TIER_SHIM = 1, FCGIPM_TIER_HANDLER = 2 };

/* Bits of fcgipm_slot.flags. */
enum fcgipm_flag {
	/* Connections were read or written by calls that are not wrapped:
	 * the counts are too low and the state may be wrong. */
	FCGIPM_INCOMPLETE = 1,
	/* A process that the worker forked found no spare slot. */
	FCGIPM_NO_SPARE = 2
};

/* Bits of fcgipm_head.wake, each for one event. */
enum fcgipm_wake {
	FCGIPM_WAKE_IDLE = 1	/* idle has fallen to wake_at */
};

struct fcgipm_head {
	/* Written by the supervisor once; sizes in bytes. */
	uint64_t magic;
	uint32_t version;
	uint32_t head_size, slot_size, cell_size;
	uint32_t nslots, nspare;
	uint32_t threads;	/* concurrent requests of a process, from 1 */
	uint32_t cells;		/* MIN(threads, FCGIPM_CELLS_MAX) */
	uint32_t accelerate;	/* not 0: a unix socket, on which a worker may
				 * close before its client does */
	uint8_t pad[20];
	/* Written by all workers: the number of free threads.  Each process
	 * that accepts adds threads, each thread that is taken subtracts
	 * one. */
	int32_t idle;
	/* Written by the supervisor; workers clear bits of wake. */
	int32_t wake_at;
	uint32_t wake;
	uint8_t pad2[52];
};

struct fcgipm_slot {
	/* Written by the supervisor. */
	uint32_t stop;		/* not 0: the worker must not accept again */
	int32_t worker;		/* pid of the worker, 0 = not yet known */
	uint64_t max_requests;	/* an event is sent at this count; 0 = no */
	uint8_t pad[44];
	/* Written by the process. */
	int32_t taken;		/* threads with a connection, or still at work
				 * after its end */
	int32_t pid;		/* 0 = no process has accepted yet */
	uint32_t tier;		/* enum fcgipm_tier */
	uint32_t flags;		/* enum fcgipm_flag */
	int32_t owner;		/* slot of the worker it descends from */
	int32_t open;		/* open connections */
	int32_t accepting;	/* threads in accept() */
	uint64_t accepted;	/* connections since the reset */
	uint64_t requests;	/* answered, counted at END_REQUEST */
	uint64_t bytes_in, bytes_out;	/* added when a request or connection
					 * ends */
	uint64_t since;		/* when open became 0 (within 10 ms) */
};

struct fcgipm_cell {
	uint32_t seq;		/* odd while the rest is being written */
	uint32_t state;		/* enum fcgipm_state */
	uint64_t since;		/* when accepted or answered (within 10 ms) */
	uint64_t start;		/* of the request; 0 when none runs */
	uint64_t last;		/* duration of the request before */
	/* Raw bytes from the client, NUL-terminated and padded with NUL. */
	uint64_t method[FCGIPM_METHOD_BYTES / 8];
	uint64_t uri[FCGIPM_URI_BYTES / 8];
	uint8_t pad[16];
};

#ifdef __cplusplus
#define FCGIPM_ASSERT_(what) static_assert(what, #what)
#else
#define FCGIPM_ASSERT_(what) _Static_assert(what, #what)
#endif
FCGIPM_ASSERT_(sizeof(struct fcgipm_head) == 128);
FCGIPM_ASSERT_(offsetof(struct fcgipm_head, idle) == 64);
FCGIPM_ASSERT_(sizeof(struct fcgipm_slot) == 128);
FCGIPM_ASSERT_(offsetof(struct fcgipm_slot, pid) == 64);
FCGIPM_ASSERT_(sizeof(struct fcgipm_cell) == 320);
FCGIPM_ASSERT_(__atomic_always_lock_free(sizeof(uint64_t), 0));

#ifndef _GNU_SOURCE
extern char **environ;
#endif

/* F_GET_SEALS and F_SEAL_SHRINK of Linux, which need _GNU_SOURCE. */
#define FCGIPM_GET_SEALS_ 1034
#define FCGIPM_SEAL_SHRINK_ 2

#define FCGIPM_GET(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define FCGIPM_PUT(field, v) __atomic_store_n(&(field), v, __ATOMIC_RELAXED)
#define FCGIPM_ADD(field, v) __atomic_add_fetch(&(field), v, __ATOMIC_RELAXED)

/* -- functions for workers: no allocation, no locks, nothing that blocks - */

/* A board that was mapped and checked.  Sizes are read once: another process
 * of the pool may overwrite the head at any time. */
struct fcgipm_view {
	struct fcgipm_head *head;	/* NULL = none */
	uint32_t stride, nslots, nspare, cells;
	int32_t threads;
	int fd, eventfd;
	dev_t dev, event_dev;	/* identify the two files */
	ino_t ino, event_ino;
};

static inline uint64_t
fcgipm_now_(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Parses "3:4". */
static inline int
fcgipm_parse_fds_(const char *text, int *ret_fd, int *ret_eventfd)
{
	int n[2] = {0, 0}, i = 0, digits = 0;

	for (; *text; text++) {
		if (*text >= '0' && *text <= '9' && n[i] < 100000000) {
			n[i] = n[i] * 10 + (*text - '0');
			digits++;
		} else if (*text == ':' && i == 0 && digits > 0) {
			i = 1;
			digits = 0;
		} else {
			return -1;
		}
	}
	if (i != 1 || digits == 0)
		return -1;
	*ret_fd = n[0];
	*ret_eventfd = n[1];
	return 0;
}

static inline int
fcgipm_head_is_sound_(const struct fcgipm_head *h, uint64_t size)
{
	return h->magic == FCGIPM_BOARD_MAGIC &&
		h->version == FCGIPM_BOARD_VERSION &&
		h->head_size == sizeof(struct fcgipm_head) &&
		h->slot_size == sizeof(struct fcgipm_slot) &&
		h->cell_size == sizeof(struct fcgipm_cell) &&
		h->nslots >= 1 && h->nslots < 1U << 24 &&
		h->nspare < 1U << 24 && h->threads >= 1 &&
		h->threads < 1U << 24 && h->cells >= 1 &&
		h->cells <= FCGIPM_CELLS_MAX &&
		size == h->head_size + ((uint64_t)h->nslots + h->nspare) *
				(h->slot_size +
					(uint64_t)h->cells * h->cell_size);
}

/* Maps the board that text, the value of FCGIPM_BOARD, names; -1 when it is
 * not a board of this version. */
static inline int
fcgipm_view_open_(struct fcgipm_view *v, const char *text)
{
	struct fcgipm_head h;
	struct stat st;
	int seals;
	void *map;

	v->head = NULL;
	if (!text || fcgipm_parse_fds_(text, &v->fd, &v->eventfd) < 0)
		return -1;
	seals = fcntl(v->fd, FCGIPM_GET_SEALS_);
	if (seals < 0 || !(seals & FCGIPM_SEAL_SHRINK_) ||
		fstat(v->fd, &st) < 0 || st.st_size < (off_t)sizeof(h))
		return -1;
	v->dev = st.st_dev;
	v->ino = st.st_ino;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		MAP_SHARED, v->fd, 0);
	if (map == MAP_FAILED)
		return -1;
	memcpy(&h, map, sizeof(h));
	if (!fcgipm_head_is_sound_(&h, (uint64_t)st.st_size)) {
		munmap(map, (size_t)st.st_size);
		return -1;
	}
	if (fstat(v->eventfd, &st) < 0)
		v->eventfd = -1;
	v->event_dev = st.st_dev;
	v->event_ino = st.st_ino;
	v->stride = h.slot_size + h.cells * h.cell_size;
	v->nslots = h.nslots;
	v->nspare = h.nspare;
	v->cells = h.cells;
	v->threads = (int32_t)h.threads;
	v->head = (struct fcgipm_head *)map;
	return 0;
}

static inline struct fcgipm_slot *
fcgipm_slot_at_(const struct fcgipm_view *v, uint32_t i)
{
	return (struct fcgipm_slot *)(void *)((uint8_t *)v->head +
		sizeof(struct fcgipm_head) + (size_t)i * v->stride);
}

static inline struct fcgipm_cell *
fcgipm_cell_at_(struct fcgipm_slot *s, uint32_t i)
{
	return (struct fcgipm_cell *)(void *)((uint8_t *)s + sizeof(*s)) + i;
}

/* Does fd still name the same file?  A program may close descriptors that it
 * does not know, and then another file gets the number. */
static inline int
fcgipm_is_still_(int fd, dev_t dev, ino_t ino)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == dev &&
		st.st_ino == ino;
}

/* Removes the shim from "LD_PRELOAD=a:b", in place; 1 = nothing is left. */
static inline int
fcgipm_drop_entry_(char *value)
{
	const size_t len = sizeof(FCGIPM_SHIM_NAME) - 1;
	char *entry = value, *end, *base;

	while (*entry) {
		end = entry + strcspn(entry, ": ");
		for (base = end; base > entry && base[-1] != '/'; base--)
			;
		if ((size_t)(end - base) == len &&
			memcmp(base, FCGIPM_SHIM_NAME, len) == 0) {
			if (*end)
				end++;
			memmove(entry, end, strlen(end) + 1);
			continue;
		}
		entry = end + (*end != '\0');
	}
	/* A separator left at the end has no effect. */
	return value[0] == '\0';
}

/* Hides the board from programs that the worker executes.  unsetenv() would
 * take a lock. */
static inline void
fcgipm_clean_environment_(void)
{
	char **from = environ, **to = environ;

	for (; from && *from; from++) {
		if (strncmp(*from, FCGIPM_BOARD_VAR "=",
			    sizeof(FCGIPM_BOARD_VAR)) == 0)
			continue;
		if (strncmp(*from, "LD_PRELOAD=", 11) == 0 &&
			fcgipm_drop_entry_(*from + 11))
			continue;
		if (to != from)
			*to = *from;
		to++;
	}
	if (to != from)
		*to = NULL;
}

/* Parses FCGIPM_WORKER, the index of the worker's slot; -1 = not set or not
 * valid. */
static inline int
fcgipm_parse_worker_(const char *text, uint32_t *ret)
{
	uint32_t n = 0;

	if (!text || !*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || n > 1U << 24)
			return -1;
		n = n * 10 + (uint32_t)(*text - '0');
	}
	*ret = n;
	return 0;
}

static inline void
fcgipm_notify_(const struct fcgipm_view *v)
{
	const uint64_t one = 1;

	/* The eventfd does not block.  When its counter is full, an event is
	 * pending already. */
	if (fcgipm_is_still_(v->eventfd, v->event_dev, v->event_ino) &&
		write(v->eventfd, &one, sizeof(one)) < 0)
		return;
}

static inline void
fcgipm_notify_once_(const struct fcgipm_view *v, uint32_t bit)
{
	if ((__atomic_load_n(&v->head->wake, __ATOMIC_SEQ_CST) & bit) &&
		(__atomic_fetch_and(&v->head->wake, ~bit, __ATOMIC_SEQ_CST) &
			bit))
		fcgipm_notify_(v);
}

/* Closes the board's descriptors on exec; the board is mapped already. */
static inline void
fcgipm_view_hide_(struct fcgipm_view *v)
{
	if (fcgipm_is_still_(v->eventfd, v->event_dev, v->event_ino))
		(void)fcntl(v->eventfd, F_SETFD, FD_CLOEXEC);
	if (fcgipm_is_still_(v->fd, v->dev, v->ino))
		(void)fcntl(v->fd, F_SETFD, FD_CLOEXEC);
}

/* The number of free threads of a process: what it adds to head.idle. */
static inline int32_t
fcgipm_places_(int32_t threads, int32_t taken)
{
	return taken < 0 ? threads : taken > threads ? 0 : threads - taken;
}

/* Removes the free threads of a process that has exited or is about to. */
static inline void
fcgipm_remove_places_(const struct fcgipm_view *v, struct fcgipm_slot *s)
{
	(void)FCGIPM_ADD(v->head->idle,
		-fcgipm_places_(v->threads, FCGIPM_GET(s->taken)));
	FCGIPM_PUT(s->open, 0);
	FCGIPM_PUT(s->taken, 0);
}

/* Claims a spare slot: a free one, else that of a process that has exited.  Its
 * counts continue, so that sums over the board never fall. */
static inline struct fcgipm_slot *
fcgipm_claim_spare_(const struct fcgipm_view *v, int32_t me)
{
	struct fcgipm_slot *s;
	int32_t pid;
	uint32_t i;

	for (i = 0; i < v->nspare; i++) {
		s = fcgipm_slot_at_(v, v->nslots + i);
		pid = 0;
		if (FCGIPM_GET(s->pid) == 0 &&
			__atomic_compare_exchange_n(&s->pid, &pid, me, 0,
				__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return s;
	}
	for (i = 0; i < v->nspare; i++) {
		s = fcgipm_slot_at_(v, v->nslots + i);
		pid = FCGIPM_GET(s->pid);
		if (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH &&
			__atomic_compare_exchange_n(&s->pid, &pid, me, 0,
				__ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
			fcgipm_remove_places_(v, s);
			return s;
		}
	}
	return NULL;
}

/* The pid of the worker that the slot is for.  The supervisor writes it after
 * the start; on a busy machine the worker may call accept() before that. */
static inline int32_t
fcgipm_worker_of_(const struct fcgipm_slot *s)
{
	const struct timespec ms = {0, 1000000};
	int32_t worker = FCGIPM_GET(s->worker);
	int patience;

	for (patience = 200; worker == 0 && patience > 0; patience--) {
		(void)nanosleep(&ms, NULL);
		worker = FCGIPM_GET(s->worker);
	}
	return worker;
}

/*
 * Claims the slot of this process, which is about to accept: the worker's slot,
 * or a spare one for a process that the worker forked.  NULL when none is free,
 * or when the *other* tier of this process has it.
 */
static inline struct fcgipm_slot *
fcgipm_claim_(const struct fcgipm_view *v, uint32_t index, uint32_t tier)
{
	int32_t me = (int32_t)getpid(), worker, none = 0;
	struct fcgipm_slot *s;
	uint32_t i;

	if (index >= v->nslots)
		return NULL;
	s = fcgipm_slot_at_(v, index);
	if (FCGIPM_GET(s->pid) == me)
		return FCGIPM_GET(s->tier) == tier ? s : NULL;
	worker = fcgipm_worker_of_(s);
	if ((worker != 0 && worker != me) ||
		!__atomic_compare_exchange_n(&s->pid, &none, me, 0,
			__ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		s = fcgipm_claim_spare_(v, me);
		if (!s) {
			s = fcgipm_slot_at_(v, index);
			__atomic_fetch_or(&s->flags, FCGIPM_NO_SPARE,
				__ATOMIC_RELAXED);
			return NULL;
		}
	}
	for (i = 0; i < v->cells; i++)
		memset(fcgipm_cell_at_(s, i), 0, sizeof(struct fcgipm_cell));
	FCGIPM_PUT(s->open, 0);
	FCGIPM_PUT(s->taken, 0);
	FCGIPM_PUT(s->accepting, 0);
	FCGIPM_PUT(s->flags, 0U);
	FCGIPM_PUT(s->tier, tier);
	FCGIPM_PUT(s->owner, (int32_t)index);
	FCGIPM_PUT(s->since, fcgipm_now_(CLOCK_MONOTONIC_COARSE));
	(void)FCGIPM_ADD(v->head->idle, v->threads);
	return s;
}

/* A spare slot is free again when its process exits. */
static inline void
fcgipm_release_(const struct fcgipm_view *v, struct fcgipm_slot *s)
{
	if (s < fcgipm_slot_at_(v, v->nslots))
		return;
	fcgipm_remove_places_(v, s);
	__atomic_store_n(&s->pid, 0, __ATOMIC_RELEASE);
}

/* A connection was accepted. */
static inline void
fcgipm_take_place_(const struct fcgipm_view *v, struct fcgipm_slot *s)
{
	(void)FCGIPM_ADD(s->accepted, 1);
	(void)FCGIPM_ADD(s->open, 1);
	if (FCGIPM_ADD(s->taken, 1) <= v->threads &&
		__atomic_sub_fetch(&v->head->idle, 1, __ATOMIC_SEQ_CST) <=
			__atomic_load_n(&v->head->wake_at, __ATOMIC_SEQ_CST))
		fcgipm_notify_once_(v, FCGIPM_WAKE_IDLE);
}

/* The connection was closed. */
static inline void
fcgipm_end_connection_(struct fcgipm_slot *s)
{
	if (FCGIPM_ADD(s->open, -1) == 0)
		FCGIPM_PUT(s->since, fcgipm_now_(CLOCK_MONOTONIC_COARSE));
}

/* The thread that served it is free for the next connection. */
static inline void
fcgipm_give_place_(const struct fcgipm_view *v, struct fcgipm_slot *s)
{
	if (FCGIPM_ADD(s->taken, -1) < v->threads)
		(void)FCGIPM_ADD(v->head->idle, 1);
}

/* A request is answered. */
static inline void
fcgipm_count_request_(const struct fcgipm_view *v, struct fcgipm_slot *s)
{
	if (FCGIPM_ADD(s->requests, 1) == FCGIPM_GET(s->max_requests))
		fcgipm_notify_(v);
}

/* Enclose every change of a cell: a reader sees all of it or nothing. */
static inline void
fcgipm_cell_begin_(struct fcgipm_cell *c)
{
	FCGIPM_PUT(c->seq, FCGIPM_GET(c->seq) | 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void
fcgipm_cell_end_(struct fcgipm_cell *c)
{
	__atomic_store_n(&c->seq, (FCGIPM_GET(c->seq) | 1) + 1,
		__ATOMIC_RELEASE);
}

/* Copies len bytes of s, cut so that a NUL follows. */
static inline void
fcgipm_put_text_(uint64_t *to, size_t size, const char *s, size_t len)
{
	uint64_t word;
	size_t i, n;

	if (len > size - 1)
		len = size - 1;
	for (i = 0; i * 8 < size; i++) {
		n = len > i * 8 ? len - i * 8 : 0;
		word = 0;
		if (n > 0)
			memcpy(&word, s + i * 8, n > 8 ? 8 : n);
		FCGIPM_PUT(to[i], word);
		if (n < 8)
			break;	/* the NUL is written */
	}
}

#endif
