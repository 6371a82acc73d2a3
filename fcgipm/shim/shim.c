/*
 * shim.c - libfcgipm-shim.so, preloaded into workers: writes their slot
 *
 * It stands between a FastCGI program and the C library's calls on sockets.
 * Connections that come from the pool's listener are followed until they are
 * closed, records are read as they pass by in both directions, and what they
 * tell goes to the worker's slot of the board (fcgipm-board.h).
 *
 * It runs inside of a program it knows nothing of.  So it keeps errno, never
 * allocates, locks, logs or blocks, changes no data and no return value (the
 * stop flag in accept() excepted), and does nothing at all where it finds no
 * board it understands.  Static programs and Go's never come by here.
 *
 * What is followed: descriptors below FDS_MAX that accept() or accept4() gave
 * out, one thread at a time for each.  dup(2) and passing by SCM_RIGHTS are
 * not followed; what is missed then marks the slot as FCGIPM_BLIND.
 */
/* The checking inlines of the C library would call what we define. */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fcgipm-board.h"

#define OURS __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define FDS_MAX 4096
#define CONNS_MAX 256
#define WORD_BITS 64

/* FastCGI 1.0, sections 3.3 and 8. */
enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4 };
enum { HEADER_LEN = 8, BEGIN_FLAGS_AT = 2, KEEP_CONN = 1 };

/* One direction of a connection: where we are between records. */
struct stream {
	uint8_t header[HEADER_LEN];
	uint8_t got;		/* bytes of header */
	uint8_t type;
	bool lost;		/* these are no records */
	uint32_t len, left;	/* content: all of it, and what is to come */
	uint32_t padding;	/* to come after it */
};

enum param { PARAM_OTHER, PARAM_METHOD, PARAM_URI, PARAM_SCRIPT };
enum stage { STAGE_LENGTHS, STAGE_NAME, STAGE_VALUE };

/* The name-value pairs of the request (section 3.4), which records may cut
 * anywhere. */
struct params {
	uint8_t stage, which;
	uint8_t nlengths;
	bool has_uri;		/* REQUEST_URI goes before SCRIPT_NAME */
	uint8_t lengths[8];
	uint32_t name_left, value_left;
	uint16_t name_len, method_len, uri_len;
	char name[16];
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
};

struct conn {
	struct fcgipm_cell *cell;	/* NULL = its slot has no more */
	int32_t cell_index;
	bool touched;		/* something was read or written */
	bool keep;		/* FCGI_KEEP_CONN of the last request */
	bool answered;		/* a request was, none is running */
	bool eof;		/* the client sends no more */
	uint32_t running;	/* requests begun and not ended */
	uint64_t start;
	uint64_t bytes_in, bytes_out;	/* not yet in the slot */
	struct stream in, out;
	struct params params;	/* last: not cleared as a whole */
};

enum { ATTACH_NO, ATTACH_NOW, ATTACH_DONE, ATTACH_NEVER };

/* Of this process alone: the kernel clears it for a forked child, in which
 * therefore nothing is followed until it accepts by itself. */
struct local {
	uint32_t attach;
	int32_t pid;
	struct fcgipm_slot *slot;
	uint32_t refused;	/* accepts since the stop */
	uint64_t cells_used;
	uint64_t conns_used[CONNS_MAX / WORD_BITS];
	uint16_t conn_at[FDS_MAX];	/* by descriptor: 1 + its number */
	struct conn conns[CONNS_MAX];
};

static struct local *local;	/* NULL = do nothing */
static struct fcgipm_view view;
static uint32_t worker_index;	/* FCGIPM_WORKER */
static dev_t listener_dev;
static ino_t listener_ino;
static int listener_fd;		/* where it was last seen, -1 = look */

/* -- the C library's own ------------------------------------------------- */

#ifndef __SOCKADDR_ARG
#define __SOCKADDR_ARG struct sockaddr *__restrict
#define __CONST_SOCKADDR_ARG const struct sockaddr *
#endif

/* What a fortified program calls instead; no header declares them for us. */
OURS ssize_t __read_chk(int fd, void *p, size_t len, size_t room);
OURS ssize_t __recv_chk(int fd, void *p, size_t len, size_t room, int flags);
OURS ssize_t __recvfrom_chk(int fd, void *p, size_t len, size_t room,
	int flags, __SOCKADDR_ARG from, socklen_t *from_len);

#define NEXT_ALL(X) \
	X(accept) X(accept4) X(read) X(recv) X(recvfrom) X(recvmsg) X(readv) \
	X(write) X(writev) X(send) X(sendto) X(sendmsg) X(close) \
	X(__read_chk) X(__recv_chk) X(__recvfrom_chk)

#define NEXT_DECLARE(name) static __typeof__(&(name)) next_##name;
NEXT_ALL(NEXT_DECLARE)

/* Idempotent; earlier than our constructor when another one reads a file. */
static void
find_next(void)
{
#define NEXT_FIND(name) \
	next_##name = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name);
	NEXT_ALL(NEXT_FIND)
}

#define NEXT(name) \
	(*(LIKELY(next_##name) ? next_##name : (find_next(), next_##name)))

/* -- connections --------------------------------------------------------- */

static inline struct conn *
conn_of(int fd)
{
	uint16_t n;

	if (!local || (unsigned)fd >= FDS_MAX)
		return NULL;
	n = __atomic_load_n(&local->conn_at[fd], __ATOMIC_ACQUIRE);
	return n ? &local->conns[n - 1] : NULL;
}

/* The lowest bit that is clear among the first nbits, now set; -1 = none. */
static int
take_bit(uint64_t *words, unsigned nbits)
{
	uint64_t seen, free;
	unsigned i, bit;

	for (i = 0; i * WORD_BITS < nbits; i++) {
		seen = FCGIPM_GET(words[i]);
		while (~seen) {
			free = ~seen;
			bit = (unsigned)__builtin_ctzll(free);
			if (i * WORD_BITS + bit >= nbits)
				break;
			if (__atomic_compare_exchange_n(&words[i], &seen,
				    seen | UINT64_C(1) << bit, false,
				    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				return (int)(i * WORD_BITS + bit);
		}
	}
	return -1;
}

static void
clear_bit(uint64_t *words, unsigned bit)
{
	__atomic_fetch_and(&words[bit / WORD_BITS],
		~(UINT64_C(1) << bit % WORD_BITS), __ATOMIC_RELEASE);
}

static void
be_blind(void)
{
	if (!(FCGIPM_GET(local->slot->flags) & FCGIPM_BLIND))
		__atomic_fetch_or(&local->slot->flags, FCGIPM_BLIND,
			__ATOMIC_RELAXED);
}

static void
set_state(struct conn *c, enum fcgipm_state state, clockid_t clock)
{
	struct fcgipm_cell *cell = c->cell;
	uint64_t now = fcgipm_now_(clock);

	if (!cell)
		return;
	fcgipm_cell_begin_(cell);
	if (state == FCGIPM_CLOSING || state == FCGIPM_KEPT)
		FCGIPM_PUT(cell->last, now - FCGIPM_GET(cell->start));
	FCGIPM_PUT(cell->start, 0);
	FCGIPM_PUT(cell->since, now);
	FCGIPM_PUT(cell->state, (uint32_t)state);
	fcgipm_cell_end_(cell);
}

static void
flush_bytes(struct conn *c)
{
	(void)FCGIPM_ADD(local->slot->bytes_in, c->bytes_in);
	(void)FCGIPM_ADD(local->slot->bytes_out, c->bytes_out);
	c->bytes_in = c->bytes_out = 0;
}

static void
conn_end(int fd, struct conn *c)
{
	if (!c->touched)
		be_blind();
	flush_bytes(c);
	if (c->cell) {
		fcgipm_cell_begin_(c->cell);
		FCGIPM_PUT(c->cell->start, 0);
		FCGIPM_PUT(c->cell->state, (uint32_t)FCGIPM_FREE);
		fcgipm_cell_end_(c->cell);
		clear_bit(&local->cells_used, (unsigned)c->cell_index);
		c->cell = NULL;
	}
	__atomic_store_n(&local->conn_at[fd], 0, __ATOMIC_RELEASE);
	clear_bit(local->conns_used, (unsigned)(c - local->conns));
	fcgipm_give_place_(&view, local->slot);
}

static void
conn_begin(int fd)
{
	struct conn *c = conn_of(fd);
	int n = -1;

	if (c) {
		/* It was closed by a call that we do not see. */
		be_blind();
		conn_end(fd, c);
	}
	if ((unsigned)fd < FDS_MAX)
		n = take_bit(local->conns_used, CONNS_MAX);
	if (n < 0) {
		be_blind();
		return;
	}
	c = &local->conns[n];
	memset(c, 0, offsetof(struct conn, params));
	c->cell_index = take_bit(&local->cells_used, view.cells);
	if (c->cell_index >= 0)
		c->cell = fcgipm_cell_at_(local->slot,
			(uint32_t)c->cell_index);
	fcgipm_take_place_(&view, local->slot);
	set_state(c, FCGIPM_READING, CLOCK_MONOTONIC_COARSE);
	__atomic_store_n(&local->conn_at[fd], (uint16_t)(n + 1),
		__ATOMIC_RELEASE);
}

/* -- records ------------------------------------------------------------- */

static void
request_begin(struct conn *c)
{
	struct fcgipm_cell *cell = c->cell;

	memset(&c->params, 0, offsetof(struct params, name));
	c->running++;
	c->answered = false;
	if (!cell)
		return;
	c->start = fcgipm_now_(CLOCK_MONOTONIC);
	fcgipm_cell_begin_(cell);
	FCGIPM_PUT(cell->start, c->start);
	FCGIPM_PUT(cell->state, (uint32_t)FCGIPM_READING);
	fcgipm_cell_end_(cell);
}

/* All parameters are here. */
static void
request_known(struct conn *c)
{
	struct fcgipm_cell *cell = c->cell;
	const struct params *p = &c->params;

	if (!cell || c->running == 0)
		return;
	fcgipm_cell_begin_(cell);
	fcgipm_put_text_(cell->method, FCGIPM_METHOD_BYTES, p->method,
		p->method_len);
	fcgipm_put_text_(cell->uri, FCGIPM_URI_BYTES, p->uri, p->uri_len);
	FCGIPM_PUT(cell->state, (uint32_t)FCGIPM_BUSY);
	fcgipm_cell_end_(cell);
}

static void
request_end(struct conn *c)
{
	flush_bytes(c);
	fcgipm_count_request_(&view, local->slot);
	if (c->running > 0 && --c->running > 0)
		return;
	c->answered = true;
	set_state(c, c->keep ? FCGIPM_KEPT : FCGIPM_CLOSING, CLOCK_MONOTONIC);
}

static enum param
param_named(const char *name, size_t len)
{
	if (len == 11 && memcmp(name, "REQUEST_URI", 11) == 0)
		return PARAM_URI;
	if (len == 11 && memcmp(name, "SCRIPT_NAME", 11) == 0)
		return PARAM_SCRIPT;
	if (len == 14 && memcmp(name, "REQUEST_METHOD", 14) == 0)
		return PARAM_METHOD;
	return PARAM_OTHER;
}

/* The name is whole. */
static void
param_begin(struct params *a, const char *name, size_t len)
{
	a->which = (uint8_t)param_named(name, len);
	if (a->which == PARAM_SCRIPT && a->has_uri)
		a->which = PARAM_OTHER;
	if (a->which == PARAM_URI)
		a->has_uri = true;
	if (a->which == PARAM_METHOD)
		a->method_len = 0;
	else if (a->which != PARAM_OTHER)
		a->uri_len = 0;
}

static void
param_value(struct params *a, const uint8_t *p, size_t n)
{
	char *to = a->which == PARAM_METHOD ? a->method : a->uri;
	uint16_t *len = a->which == PARAM_METHOD ? &a->method_len : &a->uri_len;
	size_t size = a->which == PARAM_METHOD ? sizeof(a->method) :
						 sizeof(a->uri);

	if (a->which == PARAM_OTHER)
		return;
	if (n > size - *len)
		n = size - *len;
	memcpy(to + *len, p, n);
	*len = (uint16_t)(*len + n);
}

static uint32_t
decode_length(const uint8_t *p)
{
	return p[0] & 0x80 ? (uint32_t)(p[0] & 0x7f) << 24 |
				     (uint32_t)p[1] << 16 |
				     (uint32_t)p[2] << 8 | p[3] :
			     p[0];
}

/* One more byte of the two lengths. */
static void
param_length(struct params *a, uint8_t byte)
{
	unsigned first, all;

	a->lengths[a->nlengths++] = byte;
	first = a->lengths[0] & 0x80 ? 4 : 1;
	if (a->nlengths <= first)
		return;
	all = first + (a->lengths[first] & 0x80 ? 4 : 1);
	if (a->nlengths < all)
		return;
	a->nlengths = 0;
	a->name_len = 0;
	a->name_left = decode_length(a->lengths);
	a->value_left = decode_length(a->lengths + first);
	a->which = PARAM_OTHER;
	a->stage = STAGE_NAME;
}

/* A pair that lies at p whole, with short lengths, as most do: its bytes, or
 * 0. */
static size_t
take_pair(struct params *a, const uint8_t *p, size_t n)
{
	size_t all;

	if (n < 2 || ((p[0] | p[1]) & 0x80))
		return 0;
	all = (size_t)2 + p[0] + p[1];
	if (n < all)
		return 0;
	param_begin(a, (const char *)p + 2, p[0]);
	param_value(a, p + 2 + p[0], p[1]);
	return all;
}

static void
feed_params(struct params *a, const uint8_t *p, size_t n)
{
	size_t part;

	while (n > 0) {
		if (a->stage == STAGE_LENGTHS && a->nlengths == 0 &&
			(part = take_pair(a, p, n)) > 0) {
			p += part;
			n -= part;
			continue;
		}
		if (a->stage == STAGE_LENGTHS) {
			param_length(a, *p++);
			n--;
		} else if (a->stage == STAGE_NAME) {
			part = n < a->name_left ? n : a->name_left;
			/* Longer than any that is wanted: stays OTHER. */
			if (a->name_len + part <= sizeof(a->name))
				memcpy(a->name + a->name_len, p, part);
			a->name_len = (uint16_t)(a->name_len + part <=
						sizeof(a->name) ?
					a->name_len + part :
					sizeof(a->name) + 1);
			a->name_left -= (uint32_t)part;
			p += part;
			n -= part;
			if (a->name_left == 0)
				param_begin(a, a->name, a->name_len);
		} else {
			part = n < a->value_left ? n : a->value_left;
			param_value(a, p, part);
			a->value_left -= (uint32_t)part;
			p += part;
			n -= part;
		}
		if (a->stage == STAGE_NAME && a->name_left == 0)
			a->stage = STAGE_VALUE;
		if (a->stage == STAGE_VALUE && a->value_left == 0)
			a->stage = STAGE_LENGTHS;
	}
}

/* A part of a record's content, from at on. */
static void
feed_content(struct conn *c, bool in, const struct stream *s,
	const uint8_t *p, size_t n)
{
	uint32_t at = s->len - s->left;

	if (!in)
		return;
	if (s->type == PARAMS)
		feed_params(&c->params, p, n);
	else if (s->type == BEGIN_REQUEST && at <= BEGIN_FLAGS_AT &&
		at + n > BEGIN_FLAGS_AT)
		c->keep = p[BEGIN_FLAGS_AT - at] & KEEP_CONN;
}

/* The content of a record is whole. */
static void
record_end(struct conn *c, bool in, const struct stream *s)
{
	if (!in) {
		if (s->type == END_REQUEST)
			request_end(c);
	} else if (s->type == BEGIN_REQUEST) {
		request_begin(c);
	} else if (s->type == PARAMS && s->len == 0) {
		request_known(c);
	}
}

static void
feed_records(struct conn *c, bool in, const uint8_t *p, size_t n)
{
	struct stream *s = in ? &c->in : &c->out;
	const uint8_t *h;
	size_t part;

	while (n > 0 && !s->lost) {
		if (s->left > 0) {
			part = n < s->left ? n : s->left;
			feed_content(c, in, s, p, part);
			s->left -= (uint32_t)part;
			p += part;
			n -= part;
			if (s->left == 0)
				record_end(c, in, s);
			continue;
		}
		if (s->padding > 0) {
			part = n < s->padding ? n : s->padding;
			s->padding -= (uint32_t)part;
			p += part;
			n -= part;
			continue;
		}
		if (s->got == 0 && n >= HEADER_LEN) {
			h = p;
			p += HEADER_LEN;
			n -= HEADER_LEN;
		} else {
			s->header[s->got++] = *p++;
			n--;
			if (s->got < HEADER_LEN)
				continue;
			s->got = 0;
			h = s->header;
		}
		if (h[0] != 1) {
			s->lost = true;
			be_blind();
			break;
		}
		s->type = h[1];
		s->len = s->left = (uint32_t)h[4] << 8 | h[5];
		s->padding = h[6];
		if (s->left == 0)
			record_end(c, in, s);
	}
}

static void
feed_part(struct conn *c, bool in, const void *p, size_t n)
{
	if (in)
		c->bytes_in += n;
	else
		c->bytes_out += n;
	feed_records(c, in, p, n);
}

/* Answered, and with nothing more to come from the client, it is as good as
 * closed: some programs close by a system call of their own (libuv). */
static void
settle(int fd, struct conn *c)
{
	c->touched = true;
	if (c->eof && c->answered)
		conn_end(fd, c);
}

/* A call on the connection returned n. */
static void
feed(int fd, struct conn *c, bool in, const void *p, ssize_t n)
{
	int err = errno;

	if (n > 0)
		feed_part(c, in, p, (size_t)n);
	settle(fd, c);
	errno = err;
}

/* The same for a call that reads, len bytes at most. */
static void
feed_in(int fd, struct conn *c, const void *p, ssize_t n, size_t len)
{
	if (n == 0 && len > 0)
		c->eof = true;
	feed(fd, c, true, p, n);
}

static void
feed_vector(int fd, struct conn *c, bool in, const struct iovec *iov,
	size_t niov, ssize_t n)
{
	size_t i, part, len = 0;
	int err = errno;

	for (i = 0; n == 0 && in && i < niov; i++)
		len += iov[i].iov_len;
	if (len > 0)
		c->eof = true;
	for (i = 0; n > 0 && i < niov; i++) {
		part = (size_t)n < iov[i].iov_len ? (size_t)n : iov[i].iov_len;
		feed_part(c, in, iov[i].iov_base, part);
		n -= (ssize_t)part;
	}
	settle(fd, c);
	errno = err;
}

/* -- the board ----------------------------------------------------------- */

/* Before the first accept of a process: its slot.  Threads that come together
 * let the first one go on; should it be stopped meanwhile, they go without
 * until they have accepted. */
static void
attach(void)
{
	uint32_t state = ATTACH_NO;
	unsigned patience = 1000;

	if (!__atomic_compare_exchange_n(&local->attach, &state, ATTACH_NOW,
		    false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		while (state == ATTACH_NOW && patience-- > 0) {
			sched_yield();
			state = __atomic_load_n(&local->attach,
				__ATOMIC_ACQUIRE);
		}
		return;
	}
	fcgipm_view_hide_(&view);
	fcgipm_clean_environment_();
	local->pid = (int32_t)getpid();
	local->slot = fcgipm_claim_(&view, worker_index, FCGIPM_TIER_SHIM);
	__atomic_store_n(&local->attach,
		local->slot ? ATTACH_DONE : ATTACH_NEVER, __ATOMIC_RELEASE);
}

static inline bool
is_attached(void)
{
	uint32_t state = __atomic_load_n(&local->attach, __ATOMIC_ACQUIRE);

	if (UNLIKELY(state == ATTACH_NO || state == ATTACH_NOW)) {
		attach();
		state = __atomic_load_n(&local->attach, __ATOMIC_ACQUIRE);
	}
	return state == ATTACH_DONE;
}

static bool
is_listener(int fd)
{
	if (LIKELY(fd == FCGIPM_GET(listener_fd)))
		return true;
	if (!fcgipm_is_still_(fd, listener_dev, listener_ino))
		return false;
	FCGIPM_PUT(listener_fd, fd);
	return true;
}

/*
 * The supervisor wants this worker to leave.  It is told what a listener says
 * that was shut down, EINVAL, by which programs leave at every stop; nothing
 * was accepted, so nothing is lost.  That waits for the connections of other
 * threads.  A program that polls would ask for ever: it accepts, and leaves by
 * a signal when it holds no connection.
 */
static bool
must_leave(int fd)
{
	const struct timespec moment = {0, 1000000};
	const struct timespec pause = {0, 50000000};
	struct fcgipm_slot *worker = fcgipm_slot_at_(&view, worker_index);
	int flags;

	if (LIKELY(FCGIPM_GET(worker->stop) == 0))
		return false;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_NONBLOCK) ||
		!fcgipm_is_still_(fd, listener_dev, listener_ino))
		return false;
	/* It may be main() who asks, and by returning would end the threads
	 * that are in the middle of a request. */
	while (FCGIPM_GET(local->slot->open) > 0)
		nanosleep(&moment, NULL);
	/* One that does not leave shall not keep a core busy with asking. */
	if (FCGIPM_ADD(local->refused, 1) > 100)
		nanosleep(&pause, NULL);
	errno = EINVAL;
	return true;
}

enum entry {
	ENTRY_REFUSED,		/* errno says so */
	ENTRY_UNSEEN,		/* not our listener */
	ENTRY_EARLY,		/* no slot, or not yet */
	ENTRY_COUNTED
};

static enum entry
before_accept(int fd)
{
	int err = errno;

	if (!local || !is_listener(fd)) {
		errno = err;
		return ENTRY_UNSEEN;
	}
	if (!is_attached()) {
		errno = err;
		return ENTRY_EARLY;
	}
	if (must_leave(fd))
		return ENTRY_REFUSED;
	(void)FCGIPM_ADD(local->slot->accepting, 1);
	errno = err;
	return ENTRY_COUNTED;
}

static int
after_accept(int fd, enum entry entry, int conn)
{
	int err = errno;

	if (entry == ENTRY_UNSEEN || (entry == ENTRY_EARLY && !is_attached())) {
		errno = err;
		return conn;
	}
	if (entry == ENTRY_COUNTED)
		(void)FCGIPM_ADD(local->slot->accepting, -1);
	if (conn >= 0)
		conn_begin(conn);
	else if (err == EINTR && must_leave(fd))
		return -1;
	errno = err;
	return conn;
}

/* A child of vfork(2) closes what it does not want, in our memory. */
static bool
is_us(void)
{
	return local->pid == (int32_t)getpid();
}

static void
before_close(int fd)
{
	struct conn *c = conn_of(fd);
	int err = errno;

	if (c && is_us())
		conn_end(fd, c);
	if (UNLIKELY(fd == FCGIPM_GET(listener_fd)))
		FCGIPM_PUT(listener_fd, -1);
	if (UNLIKELY(local && fd == view.eventfd && fd >= 0) &&
		(local->pid == 0 || is_us()))
		view.eventfd = -1;
	errno = err;
}

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) ||
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 ||
		!on)
		return false;
	listener_dev = st.st_dev;
	listener_ino = st.st_ino;
	return true;
}

/* Nothing is written yet: this may be a wrapper, which executes the handler
 * and never accepts. */
__attribute__((constructor)) static void
begin(void)
{
	const char *text = getenv(FCGIPM_BOARD_VAR);
	int err = errno;
	void *map;

	find_next();
	if (!text || !is_listening(0) ||
		fcgipm_parse_worker_(getenv("FCGIPM_WORKER"),
			&worker_index) < 0 ||
		fcgipm_view_open_(&view, text) < 0 ||
		worker_index >= view.nslots)
		goto out;
	map = mmap(NULL, sizeof(*local), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		goto out;
	if (madvise(map, sizeof(*local), MADV_WIPEONFORK) < 0) {
		munmap(map, sizeof(*local));
		goto out;
	}
	local = map;
out:
	errno = err;
}

__attribute__((destructor)) static void
end(void)
{
	if (local && local->slot && is_us())
		fcgipm_release_(&view, local->slot);
}

/* -- what is called instead of the C library ----------------------------- */

OURS int
accept(int fd, __SOCKADDR_ARG addr, socklen_t *__restrict len)
{
	enum entry entry = before_accept(fd);

	if (entry == ENTRY_REFUSED)
		return -1;
	return after_accept(fd, entry, NEXT(accept)(fd, addr, len));
}

OURS int
accept4(int fd, __SOCKADDR_ARG addr, socklen_t *__restrict len, int flags)
{
	enum entry entry = before_accept(fd);

	if (entry == ENTRY_REFUSED)
		return -1;
	return after_accept(fd, entry, NEXT(accept4)(fd, addr, len, flags));
}

/* A peek is no passing by. */
#define PASSES(flags) (!((flags) & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)))

OURS ssize_t
read(int fd, void *p, size_t len)
{
	ssize_t n = NEXT(read)(fd, p, len);
	struct conn *c = conn_of(fd);

	if (c)
		feed_in(fd, c, p, n, len);
	return n;
}

OURS ssize_t
__read_chk(int fd, void *p, size_t len, size_t room)
{
	ssize_t n = NEXT(__read_chk)(fd, p, len, room);
	struct conn *c = conn_of(fd);

	if (c)
		feed_in(fd, c, p, n, len);
	return n;
}

OURS ssize_t
recv(int fd, void *p, size_t len, int flags)
{
	ssize_t n = NEXT(recv)(fd, p, len, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		feed_in(fd, c, p, n, len);
	return n;
}

OURS ssize_t
__recv_chk(int fd, void *p, size_t len, size_t room, int flags)
{
	ssize_t n = NEXT(__recv_chk)(fd, p, len, room, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		feed_in(fd, c, p, n, len);
	return n;
}

OURS ssize_t
recvfrom(int fd, void *__restrict p, size_t len, int flags,
	__SOCKADDR_ARG from, socklen_t *__restrict from_len)
{
	ssize_t n = NEXT(recvfrom)(fd, p, len, flags, from, from_len);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		feed_in(fd, c, p, n, len);
	return n;
}

OURS ssize_t
__recvfrom_chk(int fd, void *p, size_t len, size_t room, int flags,
	__SOCKADDR_ARG from, socklen_t *from_len)
{
	ssize_t n = NEXT(__recvfrom_chk)(fd, p, len, room, flags, from,
		from_len);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		feed_in(fd, c, p, n, len);
	return n;
}

OURS ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = NEXT(recvmsg)(fd, m, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		feed_vector(fd, c, true, m->msg_iov, m->msg_iovlen, n);
	return n;
}

OURS ssize_t
readv(int fd, const struct iovec *iov, int niov)
{
	ssize_t n = NEXT(readv)(fd, iov, niov);
	struct conn *c = conn_of(fd);

	if (c)
		feed_vector(fd, c, true, iov, (size_t)niov, n);
	return n;
}

OURS ssize_t
write(int fd, const void *p, size_t len)
{
	ssize_t n = NEXT(write)(fd, p, len);
	struct conn *c = conn_of(fd);

	if (c)
		feed(fd, c, false, p, n);
	return n;
}

OURS ssize_t
writev(int fd, const struct iovec *iov, int niov)
{
	ssize_t n = NEXT(writev)(fd, iov, niov);
	struct conn *c = conn_of(fd);

	if (c)
		feed_vector(fd, c, false, iov, (size_t)niov, n);
	return n;
}

OURS ssize_t
send(int fd, const void *p, size_t len, int flags)
{
	ssize_t n = NEXT(send)(fd, p, len, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		feed(fd, c, false, p, n);
	return n;
}

OURS ssize_t
sendto(int fd, const void *p, size_t len, int flags, __CONST_SOCKADDR_ARG to,
	socklen_t to_len)
{
	ssize_t n = NEXT(sendto)(fd, p, len, flags, to, to_len);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		feed(fd, c, false, p, n);
	return n;
}

OURS ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t n = NEXT(sendmsg)(fd, m, flags);
	struct conn *c = conn_of(fd);

	if (c && PASSES(flags))
		feed_vector(fd, c, false, m->msg_iov, m->msg_iovlen, n);
	return n;
}

/* Before: afterwards the number may be another thread's. */
OURS int
close(int fd)
{
	before_close(fd);
	return NEXT(close)(fd);
}
