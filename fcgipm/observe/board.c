/*
 * board.c - reads the scoreboard of a pool; see board.h
 *
 * Called by pool/members and pool/open (slots), pool/wakeup (events),
 * pool/lifecycle, pool/snapshot, pool/stats and timeout/watchdog (reading), and
 * worker/launch (environment).
 *
 * Sizes and offsets are kept here and never read back from the board, because a
 * worker may have written any byte of it.  Its size is sealed, so that reading
 * it never faults: F_SEAL_SHRINK, and F_SEAL_SEAL so that no worker adds seals.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/util.h"
#include "base/vec.h"
#include "base/siblings.h"
#include "observe/board.h"

#ifndef LIBDIR
#define LIBDIR "/usr/local/lib/fcgipm"
#endif
#define SHIM_NAME "libfcgipm-shim.so"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Attempts to read a cell, or to sum the slots, while they change. */
#define TRIES 16

struct board {
	int fd, eventfd;
	size_t size;
	unsigned nslots, nspare, threads, cells;
	size_t stride;
	uint8_t *map;
	pid_t *workers;		/* by slot: the worker started, 0 = none */
};

static struct fcgipm_head *
head_of(const struct board *b)
{
	return (struct fcgipm_head *)(void *)b->map;
}

static struct fcgipm_slot *
slot_of(const struct board *b, unsigned i)
{
	if (i >= b->nslots + b->nspare)
		BUG("no such slot");
	return (struct fcgipm_slot *)(void *)(b->map +
		sizeof(struct fcgipm_head) + i * b->stride);
}

static int
new_memfd(void)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("fcgipm-board", flags | MFD_NOEXEC_SEAL);

	/* MFD_NOEXEC_SEAL exists since Linux 6.3. */
	return fd < 0 && errno == EINVAL ?
		memfd_create("fcgipm-board", flags) : fd;
}

static void
fill_head(struct board *b)
{
	struct fcgipm_head *h = head_of(b);

	h->version = FCGIPM_BOARD_VERSION;
	h->head_size = sizeof(struct fcgipm_head);
	h->slot_size = sizeof(struct fcgipm_slot);
	h->cell_size = sizeof(struct fcgipm_cell);
	h->nslots = b->nslots;
	h->nspare = b->nspare;
	h->threads = b->threads;
	h->cells = b->cells;
	h->magic = FCGIPM_BOARD_MAGIC;
}

struct board *
board_new(unsigned nslots, unsigned nspare, unsigned threads)
{
	struct board *b = mem_calloc(1, sizeof(*b));
	int err;

	b->fd = b->eventfd = -1;
	b->nslots = nslots;
	b->nspare = nspare;
	b->threads = threads;
	b->cells = MIN(threads, (unsigned)FCGIPM_CELLS_MAX);
	b->stride = sizeof(struct fcgipm_slot) +
		b->cells * sizeof(struct fcgipm_cell);
	b->size = sizeof(struct fcgipm_head) +
		((size_t)nslots + nspare) * b->stride;
	if (nslots < 1 || threads < 1 || nslots >= 1U << 24 ||
		nspare >= 1U << 24 || threads >= 1U << 24) {
		errno = EINVAL;
		goto fail;
	}
	b->workers = mem_calloc(nslots, sizeof(*b->workers));
	b->fd = new_memfd();
	if (b->fd < 0 || ftruncate(b->fd, (off_t)b->size) < 0 ||
		fcntl(b->fd, F_ADD_SEALS,
			F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto fail;
	b->map = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd,
		0);
	if (b->map == MAP_FAILED) {
		b->map = NULL;
		goto fail;
	}
	b->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->eventfd < 0)
		goto fail;
	fill_head(b);
	return b;
fail:
	err = errno;
	board_free(&b);
	errno = err;
	return NULL;
}

void
board_free(struct board **b)
{
	if (!*b)
		return;
	if ((*b)->map)
		munmap((*b)->map, (*b)->size);
	fd_close(&(*b)->fd);
	fd_close(&(*b)->eventfd);
	free((*b)->workers);
	free(*b);
	*b = NULL;
}

void
board_accelerate(struct board *b, bool yes)
{
	FCGIPM_PUT(head_of(b)->accelerate, (uint32_t)yes);
}

int
board_fd(const struct board *b)
{
	return b->fd;
}

int
board_eventfd(const struct board *b)
{
	return b->eventfd;
}

void
board_env(struct vec *env, int fd, const char *shim, const char *preload)
{
	vec_addf(env, FCGIPM_BOARD_VAR "=%d:%d", fd, fd + 1);
	if (shim)
		vec_addf(env, "LD_PRELOAD=%s%s%s", shim, preload ? ":" : "",
			preload ? preload : "");
	else if (preload)
		vec_addf(env, "LD_PRELOAD=%s", preload);
}

char *
board_find_shim(void)
{
	static const char *const near[] = {"/../lib/fcgipm/" SHIM_NAME,
		"/../lib/" SHIM_NAME, NULL};
	char *path = siblings_find(near, R_OK);

	/* The loader treats both characters as separators. */
	if (path && !strpbrk(path, ": "))
		return path;
	free(path);
	return access(LIBDIR "/" SHIM_NAME, R_OK) == 0 ?
		mem_strdup(LIBDIR "/" SHIM_NAME) : NULL;
}

/* The share of head.idle that the process of a slot has. */
static int32_t
places_of(const struct board *b, const struct fcgipm_slot *s)
{
	return FCGIPM_GET(s->pid) == 0 ? 0 :
					 fcgipm_places_((int32_t)b->threads,
						 FCGIPM_GET(s->taken));
}

void
board_reset(struct board *b, unsigned slot, uint64_t max_requests)
{
	struct fcgipm_slot *s = slot_of(b, slot);

	if (slot >= b->nslots)
		BUG("the supervisor resets no spare slot");
	(void)FCGIPM_ADD(head_of(b)->idle, -places_of(b, s));
	memset(s, 0, b->stride);
	FCGIPM_PUT(s->max_requests, max_requests);
	b->workers[slot] = 0;
}

void
board_started(struct board *b, unsigned slot, pid_t pid)
{
	if (slot >= b->nslots)
		BUG("no worker is started for a spare slot");
	b->workers[slot] = pid;
	FCGIPM_PUT(slot_of(b, slot)->worker, (int32_t)pid);
}

void
board_ended(struct board *b, unsigned slot)
{
	if (slot >= b->nslots)
		BUG("a spare slot is freed by board_sweep()");
	b->workers[slot] = 0;
	/* slot.worker keeps its pid, so that the processes it forked, which may
	 * still run, do not claim the slot. */
	__atomic_store_n(&slot_of(b, slot)->pid, 0, __ATOMIC_RELEASE);
	(void)board_count_idle(b);
}

void
board_ask_stop(struct board *b, unsigned slot)
{
	if (slot >= b->nslots)
		BUG("a spare slot has no stop flag");
	__atomic_store_n(&slot_of(b, slot)->stop, 1, __ATOMIC_RELEASE);
}

/* Converts a time that a worker wrote; a time in the future becomes now. */
static int64_t
to_ms(uint64_t ns, int64_t now)
{
	return MIN((int64_t)(ns / 1000000), now);
}

struct cell {
	uint32_t state;
	uint64_t since, start, last;
	uint64_t method[FCGIPM_METHOD_BYTES / 8];
	uint64_t uri[FCGIPM_URI_BYTES / 8];
};

/* Copies a cell; false when it changed during each attempt. */
static bool
read_cell(const struct fcgipm_cell *from, struct cell *ret)
{
	uint32_t seq;
	size_t i;
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		seq = __atomic_load_n(&from->seq, __ATOMIC_ACQUIRE);
		ret->state = FCGIPM_GET(from->state);
		ret->since = FCGIPM_GET(from->since);
		ret->start = FCGIPM_GET(from->start);
		ret->last = FCGIPM_GET(from->last);
		for (i = 0; i < ARRAY_SIZE(ret->method); i++)
			ret->method[i] = FCGIPM_GET(from->method[i]);
		for (i = 0; i < ARRAY_SIZE(ret->uri); i++)
			ret->uri[i] = FCGIPM_GET(from->uri[i]);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(seq & 1) && FCGIPM_GET(from->seq) == seq)
			return true;
	}
	return false;
}

/* Of several cells, that with the lowest rank is shown. */
static unsigned
rank_of(enum fcgipm_state state)
{
	static const uint8_t ranks[] = {[FCGIPM_BUSY] = 0,
		[FCGIPM_READING] = 1, [FCGIPM_CLOSING] = 2, [FCGIPM_KEPT] = 3,
		[FCGIPM_FREE] = 4};

	return ranks[state];
}

/* Copies bytes of a worker as text: up to the first NUL, and terminated. */
static void
copy_text(char *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	to[size - 1] = '\0';
	memset(to + strlen(to), 0, size - strlen(to));
}

/* Adds a cell to the sample, which shows the busiest, and of these the
 * oldest. */
static void
add_cell(struct board_sample *ret, const struct fcgipm_cell *from, int64_t now,
	bool *first)
{
	struct cell c;
	bool whole = read_cell(from, &c);
	enum fcgipm_state state = c.state <= FCGIPM_KEPT ?
		(enum fcgipm_state)c.state : FCGIPM_FREE;
	int64_t start = to_ms(c.start, now);
	unsigned rank = rank_of(state), best = rank_of(ret->state);

	if (start > 0 && state != FCGIPM_FREE)
		ret->running++;
	if (state != FCGIPM_FREE && start == 0 &&
		(ret->since_ms == 0 || to_ms(c.since, now) < ret->since_ms))
		ret->since_ms = to_ms(c.since, now);
	if (!*first && (rank > best || state == FCGIPM_FREE ||
			(rank == best && start >= ret->start_ms)))
		return;
	*first = false;
	ret->state = state;
	ret->start_ms = state == FCGIPM_FREE ? 0 : start;
	ret->last_us = (int64_t)MIN(c.last / 1000, (uint64_t)now * 1000);
	ret->torn = !whole;
	if (!whole) {
		memset(ret->method, 0, sizeof(ret->method));
		memset(ret->uri, 0, sizeof(ret->uri));
		return;
	}
	copy_text(ret->method, c.method, sizeof(ret->method));
	copy_text(ret->uri, c.uri, sizeof(ret->uri));
}

static int32_t
clamp(int32_t n, int32_t low, int32_t high)
{
	return n < low ? low : n > high ? high : n;
}

/* A spare slot: its worker and its counters, also after its process exited. */
static void
read_family(const struct board *b, const struct fcgipm_slot *s,
	struct board_sample *ret)
{
	int32_t owner = FCGIPM_GET(s->owner);

	ret->owner = owner < 0 || (unsigned)owner >= b->nslots ? -1 : owner;
	ret->accepted = FCGIPM_GET(s->accepted);
	ret->requests = FCGIPM_GET(s->requests);
}

bool
board_read(const struct board *b, unsigned slot, struct board_sample *ret)
{
	const struct fcgipm_slot *s = slot_of(b, slot);
	const struct fcgipm_cell *cells = (const void *)(s + 1);
	int32_t pid = __atomic_load_n(&s->pid, __ATOMIC_ACQUIRE);
	uint32_t flags = FCGIPM_GET(s->flags);
	int64_t now = now_ms();
	bool first = true;
	unsigned i;

	memset(ret, 0, sizeof(*ret));
	ret->owner = -1;
	ret->no_spare = flags & FCGIPM_NO_SPARE;
	if (slot >= b->nslots)
		read_family(b, s, ret);
	if (pid <= 0)
		return false;
	ret->attached = true;
	ret->pid = pid;
	ret->ours = slot < b->nslots && b->workers[slot] == pid;
	ret->handler = FCGIPM_GET(s->tier) == FCGIPM_TIER_HANDLER;
	ret->incomplete = flags & FCGIPM_INCOMPLETE;
	ret->open = (unsigned)clamp(FCGIPM_GET(s->open), 0, 1 << 20);
	ret->accepting = (unsigned)clamp(FCGIPM_GET(s->accepting), 0, 1 << 20);
	ret->accepted = FCGIPM_GET(s->accepted);
	ret->requests = FCGIPM_GET(s->requests);
	ret->bytes_in = FCGIPM_GET(s->bytes_in);
	ret->bytes_out = FCGIPM_GET(s->bytes_out);
	for (i = 0; i < b->cells; i++)
		add_cell(ret, cells + i, now, &first);
	if (ret->open == 0 || ret->state == FCGIPM_FREE)
		ret->since_ms = to_ms(FCGIPM_GET(s->since), now);
	return true;
}

bool
board_read_request(const struct board *b, unsigned slot, unsigned place,
	struct board_request *ret)
{
	const struct fcgipm_slot *s = slot_of(b, slot);
	const struct fcgipm_cell *cells = (const void *)(s + 1);
	struct cell c;
	bool whole;

	if (place >= b->cells)
		BUG("no such cell");
	memset(ret, 0, sizeof(*ret));
	ret->pid = FCGIPM_GET(s->pid);
	whole = read_cell(cells + place, &c);
	if (ret->pid <= 0 || c.start == 0 ||
		(c.state != FCGIPM_READING && c.state != FCGIPM_BUSY))
		return false;
	ret->id = c.start;
	ret->start_ms = to_ms(c.start, now_ms());
	ret->known = c.state == FCGIPM_BUSY;
	if (!whole || !ret->known)
		return true;
	copy_text(ret->method, c.method, sizeof(ret->method));
	copy_text(ret->uri, c.uri, sizeof(ret->uri));
	return true;
}

unsigned
board_places(const struct board *b)
{
	return b->cells;
}

unsigned
board_slots(const struct board *b)
{
	return b->nslots + b->nspare;
}

/* The pid that a process wrote is only checked for existence (signal 0). */
void
board_sweep(struct board *b)
{
	struct fcgipm_slot *s;
	int32_t pid, taken;
	unsigned i;

	for (i = b->nslots; i < b->nslots + b->nspare; i++) {
		s = slot_of(b, i);
		pid = FCGIPM_GET(s->pid);
		if (pid == 0 || (pid > 0 && (kill(pid, 0) == 0 ||
				errno != ESRCH)))
			continue;
		taken = FCGIPM_GET(s->taken);
		if (!__atomic_compare_exchange_n(&s->pid, &pid, 0, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		(void)FCGIPM_ADD(head_of(b)->idle,
			-fcgipm_places_((int32_t)b->threads, taken));
	}
}

static void
take_counts(struct fcgipm_slot *s, uint64_t *accepted, uint64_t *requests)
{
	*accepted = sum_capped(*accepted,
		__atomic_exchange_n(&s->accepted, 0, __ATOMIC_RELAXED));
	*requests = sum_capped(*requests,
		__atomic_exchange_n(&s->requests, 0, __ATOMIC_RELAXED));
}

void
board_take_counts(struct board *b, unsigned slot, uint64_t *ret_accepted,
	uint64_t *ret_requests)
{
	unsigned i;

	*ret_accepted = *ret_requests = 0;
	take_counts(slot_of(b, slot), ret_accepted, ret_requests);
	for (i = b->nslots; i < b->nslots + b->nspare; i++)
		if (FCGIPM_GET(slot_of(b, i)->owner) == (int32_t)slot)
			take_counts(slot_of(b, i), ret_accepted, ret_requests);
}

unsigned
board_idle(const struct board *b)
{
	int32_t idle = __atomic_load_n(&head_of(b)->idle, __ATOMIC_SEQ_CST);

	return (unsigned)clamp(idle, 0, INT32_MAX);
}

unsigned
board_count_idle(struct board *b)
{
	int32_t *idle = &head_of(b)->idle, before;
	int64_t sum;
	unsigned i, tries = 0;

	/* Workers may change the value meanwhile. */
	do {
		before = __atomic_load_n(idle, __ATOMIC_SEQ_CST);
		sum = 0;
		for (i = 0; i < b->nslots + b->nspare; i++)
			sum += places_of(b, slot_of(b, i));
		sum = MIN(sum, INT32_MAX);
	} while (!__atomic_compare_exchange_n(idle, &before, (int32_t)sum,
			 false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
		++tries < TRIES);
	return (unsigned)sum;
}

void
board_arm(struct board *b, unsigned idle_at)
{
	struct fcgipm_head *h = head_of(b);

	FCGIPM_PUT(h->wake_at, (int32_t)MIN(idle_at, INT32_MAX));
	__atomic_fetch_or(&h->wake, (uint32_t)FCGIPM_WAKE_IDLE,
		__ATOMIC_SEQ_CST);
}

bool
board_read_event(struct board *b)
{
	uint64_t n;
	struct iovec iov = {&n, sizeof(n)};

	/* RWF_NOWAIT, since workers share the descriptor and can clear
	 * O_NONBLOCK. */
	return preadv2(b->eventfd, &iov, 1, -1, RWF_NOWAIT) == sizeof(n);
}
