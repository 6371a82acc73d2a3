/*
 * exchange.h - one FastCGI request and its answer, as a state machine
 *
 * Used by call, ping and bench.  The owner gives the bytes to send and is
 * told what comes; both directions go on at once.
 */
#ifndef FCGIPM_CTL_EXCHANGE_H
#define FCGIPM_CTL_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "proto/fcgi.h"

enum exchange_result {
	EXCHANGE_OK,		/* END_REQUEST came */
	EXCHANGE_CONNECT,	/* no connection */
	EXCHANGE_RESET,		/* the peer broke the connection */
	EXCHANGE_TRUNCATED,	/* it closed before END_REQUEST */
	EXCHANGE_PROTOCOL,	/* no FastCGI, or a protocol status above 0 */
	EXCHANGE_TIMEOUT,
	EXCHANGE_RESULTS
};

struct exchange;

struct exchange_ops {
	/* Content of a record of the answer; may be NULL. */
	void (*on_content)(struct exchange *x, enum fcgi_type type,
		const uint8_t *p, size_t len);
	/* More bytes to send, when those given are out: sets x->out and
	 * x->out_left, or leaves out_left 0 at the end.  May be NULL. */
	void (*on_drained)(struct exchange *x);
	/* Over, one way or the other; a new one may be started. */
	void (*on_done)(struct exchange *x, enum exchange_result result);
};

struct exchange {
	const struct exchange_ops *ops;
	struct loop *loop;
	struct loop_io io;
	struct loop_timer timer;	/* the request's timeout */
	struct fcgi_reader reader;
	const uint8_t *out;		/* bytes to send, borrowed */
	size_t out_left;
	uint8_t end[FCGI_BODY_LEN];	/* END_REQUEST's body, as it comes */
	size_t end_len;
	struct fcgi_end status;		/* valid with EXCHANGE_OK */
	int error;			/* errno, with CONNECT and RESET */
	bool keep;			/* keep the connection when OK */
	bool management;		/* a management record is the end */
	bool connected;
	bool reused;			/* began on a kept connection */
	bool heard;			/* a byte of this answer came */
	const struct addr *to;		/* for a second try */
	const uint8_t *first;		/* the request's first bytes ... */
	size_t first_len;		/* ... as exchange_start() got them */
	int64_t timeout_ms;
	uint64_t bytes_in;
};

void exchange_init(struct exchange *x, struct loop *loop,
	const struct exchange_ops *ops);

/*
 * exchange_start - send and wait for the answer
 *
 * Connects unless a connection was kept.  One that the peer closed meanwhile,
 * before a byte of this answer, is no error: the request is sent once more on
 * a new one.  to and out have to stay until on_done.
 * returns	0, on_done will tell; -1 with errno EAGAIN when a unix
 *		listener's queue is full: try again.  Other failures to
 *		connect are told by on_done, at once
 */
int exchange_start(struct exchange *x, const struct addr *to,
	const uint8_t *out, size_t len, int64_t timeout_ms);

/* Closes the connection, if any. */
void exchange_close(struct exchange *x);

#endif
