/*
 * fcgipm-handler.h - lets a handler report its requests to fcgipm
 *
 * For programs into which no library can be preloaded (static, Go, Rust), and
 * for those that know more than the library can see.  Header only, C or C++,
 * nothing to link with.  It costs a few instructions and one system call a
 * request.  It does nothing in a program that fcgipm did not start.
 * fcgipm-handler(7) has an example.
 *
 *	fcgipm_begin();
 *	while (!fcgipm_should_stop() && FCGI_Accept() >= 0) {
 *		fcgipm_request(getenv("REQUEST_METHOD"),
 *			getenv("REQUEST_URI"));
 *		...
 *		FCGI_Finish();
 *		fcgipm_end();
 *	}
 *
 * Each thread may have a request of its own.
 */
#ifndef FCGIPM_HANDLER_H
#define FCGIPM_HANDLER_H

#include <stdlib.h>

#include "fcgipm-board.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fcgipm_handler_ {
	struct fcgipm_view view;
	uint32_t index;
	int32_t pid;		/* the process that owns slot */
	struct fcgipm_slot *slot;
	uint64_t cells_used;
};

struct fcgipm_request_ {
	int32_t pid;		/* the process that answers it, 0 = none */
	int32_t cell;		/* index of its cell, -1 = none was free */
	uint64_t start;
};

/* Weak: one instance, however many source files include this header. */
__attribute__((weak)) struct fcgipm_handler_ fcgipm_handler_;
__attribute__((weak)) __thread struct fcgipm_request_ fcgipm_request_;

/*
 * fcgipm_begin - attach to the board
 *
 * Call it before the first request, and before FCGI_Accept(), which hides the
 * environment.
 *
 * returns	0; -1 when there is no board: then the other functions do
 *		nothing
 */
static inline int
fcgipm_begin(void)
{
	struct fcgipm_handler_ *h = &fcgipm_handler_;

	if (!h->view.head) {
		if (fcgipm_parse_worker_(getenv("FCGIPM_WORKER"),
			    &h->index) < 0 ||
			fcgipm_view_open_(&h->view,
				getenv(FCGIPM_BOARD_VAR)) < 0)
			return -1;
		fcgipm_view_hide_(&h->view);
		fcgipm_clean_environment_();
	}
	if (h->pid != (int32_t)getpid()) {
		h->pid = (int32_t)getpid();
		h->cells_used = 0;
		h->slot = fcgipm_claim_(&h->view, h->index,
			FCGIPM_TIER_HANDLER);
	}
	return h->slot ? 0 : -1;
}

/* Takes the lowest free cell; -1 = none. */
static inline int32_t
fcgipm_take_cell_(struct fcgipm_handler_ *h)
{
	uint64_t used = FCGIPM_GET(h->cells_used);
	uint32_t bit;

	while (~used) {
		bit = (uint32_t)__builtin_ctzll(~used);
		if (bit >= h->view.cells)
			break;
		if (__atomic_compare_exchange_n(&h->cells_used, &used,
			    used | UINT64_C(1) << bit, 0, __ATOMIC_ACQ_REL,
			    __ATOMIC_RELAXED))
			return (int32_t)bit;
	}
	return -1;
}

/*
 * fcgipm_end - this thread has answered its request
 */
static inline void
fcgipm_end(void)
{
	struct fcgipm_handler_ *h = &fcgipm_handler_;
	struct fcgipm_request_ *r = &fcgipm_request_;
	struct fcgipm_cell *c;

	if (r->pid == 0)
		return;
	if (h->slot && r->pid == h->pid) {
		if (r->cell >= 0) {
			c = fcgipm_cell_at_(h->slot, (uint32_t)r->cell);
			fcgipm_cell_begin_(c);
			FCGIPM_PUT(c->last,
				fcgipm_now_(CLOCK_MONOTONIC) - r->start);
			FCGIPM_PUT(c->start, (uint64_t)0);
			FCGIPM_PUT(c->state, (uint32_t)FCGIPM_FREE);
			fcgipm_cell_end_(c);
			__atomic_fetch_and(&h->cells_used,
				~(UINT64_C(1) << r->cell), __ATOMIC_RELEASE);
		}
		fcgipm_count_request_(&h->view, h->slot);
		fcgipm_end_connection_(h->slot);
		fcgipm_give_place_(&h->view, h->slot);
	}
	r->pid = 0;
}

/*
 * fcgipm_request - this thread begins a request
 *
 * Ends the thread's request before it, if that is still open.
 *
 * method, uri	copied, cut after 15 and 255 bytes; NULL = unknown
 */
static inline void
fcgipm_request(const char *method, const char *uri)
{
	struct fcgipm_handler_ *h = &fcgipm_handler_;
	struct fcgipm_request_ *r = &fcgipm_request_;
	struct fcgipm_cell *c;

	if (!h->view.head)
		return;
	/* A forked process gets a slot of its own. */
	if (h->pid != (int32_t)getpid())
		(void)fcgipm_begin();
	fcgipm_end();
	if (!h->slot)
		return;
	r->pid = h->pid;
	r->start = fcgipm_now_(CLOCK_MONOTONIC);
	r->cell = fcgipm_take_cell_(h);
	fcgipm_take_place_(&h->view, h->slot);
	if (r->cell < 0)
		return;
	c = fcgipm_cell_at_(h->slot, (uint32_t)r->cell);
	fcgipm_cell_begin_(c);
	fcgipm_put_text_(c->method, FCGIPM_METHOD_BYTES, method ? method : "",
		method ? strlen(method) : 0);
	fcgipm_put_text_(c->uri, FCGIPM_URI_BYTES, uri ? uri : "",
		uri ? strlen(uri) : 0);
	FCGIPM_PUT(c->since, r->start);
	FCGIPM_PUT(c->start, r->start);
	FCGIPM_PUT(c->state, (uint32_t)FCGIPM_BUSY);
	fcgipm_cell_end_(c);
}

/*
 * fcgipm_should_stop - is the worker to exit?
 *
 * Call it before each accept.  Returns 1: do not accept again, and exit.
 */
static inline int
fcgipm_should_stop(void)
{
	struct fcgipm_handler_ *h = &fcgipm_handler_;

	return h->view.head && h->slot &&
		FCGIPM_GET(fcgipm_slot_at_(&h->view, h->index)->stop) != 0;
}

#ifdef __cplusplus
}
#endif

#endif
