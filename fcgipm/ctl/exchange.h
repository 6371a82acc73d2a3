/*
 * exchange.h - sends one FastCGI request and receives its answer
 *
 * A non-blocking state machine, used by call, ping and bench.  The caller
 * provides the bytes to send; callbacks deliver the answer.  Sending and
 * receiving overlap, because a program may answer before it has read its input.
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
	EXCHANGE_OK,		/* END_REQUEST received */
	EXCHANGE_CONNECT,	/* no connection */
	EXCHANGE_RESET,		/* connection reset by the peer */
	EXCHANGE_TRUNCATED,	/* closed before END_REQUEST */
	EXCHANGE_PROTOCOL,	/* not FastCGI, or a protocol status above 0 */
	EXCHANGE_TIMEOUT,
	EXCHANGE_RESULTS
};

struct exchange;

struct exchange_ops {
	/* Content of a record of the answer; may be NULL. */
	void (*on_content)(struct exchange *x, enum fcgi_type type,
		const uint8_t *p, size_t len);
	/* All bytes have been sent: sets x->out and x->out_left to the next
	 * ones, or leaves out_left 0 at the end.  May be NULL. */
	void (*on_drained)(struct exchange *x);
	/* The exchange has ended; a new one may be started. */
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
	uint8_t end[FCGI_BODY_LEN];	/* body of END_REQUEST */
	size_t end_len;			/* bytes of it received */
	struct fcgi_end status;		/* valid with EXCHANGE_OK */
	int error;			/* errno, with CONNECT and RESET */
	bool keep;			/* keep the connection after OK */
	bool management;		/* a management record ends it */
	bool connected;
	bool reused;			/* started on a kept connection */
	bool received;			/* at least a byte of the answer */
	const struct addr *to;		/* for a second attempt */
	const uint8_t *first;		/* the first bytes of the request, */
	size_t first_len;		/* as given to exchange_start() */
	int64_t timeout_ms;
	uint64_t bytes_in;
};

void exchange_init(struct exchange *x, struct loop *loop,
	const struct exchange_ops *ops);

/*
 * exchange_start - send and wait for the answer
 *
 * Connects unless a connection was kept.  The peer may close a kept connection
 * at any time: when it does so before the first byte of the answer, the request
 * is sent once more over a new connection.  to and out must stay valid until
 * on_done.
 * returns	0, and on_done reports the result, possibly before this
 *		returns; -1 with errno EAGAIN when the listen queue of a unix
 *		socket is full: try again
 */
int exchange_start(struct exchange *x, const struct addr *to,
	const uint8_t *out, size_t len, int64_t timeout_ms);

/* Closes the connection, if any. */
void exchange_close(struct exchange *x);

#endif
