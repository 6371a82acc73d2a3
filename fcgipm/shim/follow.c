/*
 * follow.c - reports the connections of a worker on the board; see follow.h
 *
 * Called by shim/shim and shim/attach.  Nothing here allocates, locks or
 * blocks.  One thread at a time uses a connection; any number of threads may
 * begin and end connections.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "follow.h"
#include "linger.h"

struct local *local;
struct fcgipm_view view;

/* Sets the lowest clear bit among the first nbits; returns it, -1 = none. */
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
mark_incomplete(void)
{
	if (!(FCGIPM_GET(local->slot->flags) & FCGIPM_INCOMPLETE))
		__atomic_fetch_or(&local->slot->flags, FCGIPM_INCOMPLETE,
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

bool
conns_are_open(void)
{
	size_t i;

	for (i = 0; i < CONNS_MAX / WORD_BITS; i++)
		if (FCGIPM_GET(local->conns_used[i]))
			return true;
	return false;
}

void
conn_end(int fd, struct conn *c)
{
	if (!c->touched)
		mark_incomplete();
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
	/* Counted before the connection is reported as closed. */
	(void)FCGIPM_ADD(local->finishing, 1);
	fcgipm_end_connection_(local->slot);
}

void
conn_thread_ready(void)
{
	int32_t finishing = FCGIPM_GET(local->finishing);

	while (finishing > 0)
		if (__atomic_compare_exchange_n(&local->finishing, &finishing,
			    finishing - 1, false, __ATOMIC_RELAXED,
			    __ATOMIC_RELAXED)) {
			fcgipm_give_place_(&view, local->slot);
			return;
		}
}

void
conn_begin(int fd)
{
	struct conn *c = conn_of(fd);
	int n = -1;

	if (c) {
		/* It was closed by a call that the shim does not wrap. */
		mark_incomplete();
		linger_missed();
		conn_end(fd, c);
	}
	if ((unsigned)fd < FDS_MAX)
		n = take_bit(local->conns_used, CONNS_MAX);
	if (n < 0) {
		mark_incomplete();
		return;
	}
	c = &local->conns[n];
	memset(c, 0, offsetof(struct conn, in.params));
	c->cell_index = take_bit(&local->cells_used, view.cells);
	if (c->cell_index >= 0)
		c->cell = fcgipm_cell_at_(local->slot,
			(uint32_t)c->cell_index);
	fcgipm_take_place_(&view, local->slot);
	set_state(c, FCGIPM_READING, CLOCK_MONOTONIC_COARSE);
	__atomic_store_n(&local->conn_at[fd], (uint16_t)(n + 1),
		__ATOMIC_RELEASE);
}

/* -- requests ------------------------------------------------------------ */

static void
request_begin(struct conn *c)
{
	struct fcgipm_cell *cell = c->cell;

	/* The request before it was answered by calls that are not wrapped. */
	if (c->running > 0)
		mark_incomplete();
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

/* All parameters have been read. */
static void
request_known(struct conn *c)
{
	struct fcgipm_cell *cell = c->cell;
	const struct params *p = &c->in.params;

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
	set_state(c, intake_keeps(&c->in) ? FCGIPM_KEPT : FCGIPM_CLOSING,
		CLOCK_MONOTONIC);
}

/* Follows n bytes that were read (in) or written. */
static void
follow_bytes(struct conn *c, bool in, const uint8_t *p, size_t n)
{
	enum records_event event;
	size_t part;

	if (in)
		c->bytes_in += n;
	else
		c->bytes_out += n;
	for (; n > 0; p += part, n -= part) {
		part = in ? intake_take(&c->in, p, n, &event) :
			    outflow_take(&c->out, p, n, &event);
		if (event == RECORDS_BEGIN)
			request_begin(c);
		else if (event == RECORDS_KNOWN)
			request_known(c);
		else if (event == RECORDS_END)
			request_end(c);
		else if (event == RECORDS_LOST)
			mark_incomplete();
	}
}

/* A connection that is answered, and whose client has shut down its side,
 * counts as closed.  Some programs (libuv) close by a direct system call. */
static void
close_if_over(int fd, struct conn *c)
{
	c->touched = true;
	if (c->eof && c->answered && !linger_awaits_close(c))
		conn_end(fd, c);
}

void
conn_wrote(int fd, struct conn *c, const void *p, ssize_t n)
{
	int err = errno;

	if (n > 0)
		follow_bytes(c, false, p, (size_t)n);
	close_if_over(fd, c);
	errno = err;
}

void
conn_read(int fd, struct conn *c, const void *p, ssize_t n, size_t len)
{
	int err = errno;

	if (n > 0)
		follow_bytes(c, true, p, (size_t)n);
	if (n == 0 && len > 0)
		c->eof = true;
	if (UNLIKELY(c->linger != LINGER_NONE) && len > 0)
		linger_read(c, n);
	close_if_over(fd, c);
	errno = err;
}

static void
follow_vector(struct conn *c, bool in, const struct iovec *iov, size_t niov,
	ssize_t n)
{
	size_t i, part;

	for (i = 0; n > 0 && i < niov; i++) {
		part = (size_t)n < iov[i].iov_len ? (size_t)n : iov[i].iov_len;
		follow_bytes(c, in, iov[i].iov_base, part);
		n -= (ssize_t)part;
	}
}

void
conn_wrote_vector(int fd, struct conn *c, const struct iovec *iov,
	size_t niov, ssize_t n)
{
	int err = errno;

	follow_vector(c, false, iov, niov, n);
	close_if_over(fd, c);
	errno = err;
}

void
conn_read_vector(int fd, struct conn *c, const struct iovec *iov,
	size_t niov, ssize_t n)
{
	size_t i, len = 0;
	int err = errno;

	follow_vector(c, true, iov, niov, n);
	for (i = 0; n == 0 && i < niov; i++)
		len += iov[i].iov_len;
	if (len > 0)
		c->eof = true;
	c->linger = LINGER_NONE;
	close_if_over(fd, c);
	errno = err;
}
