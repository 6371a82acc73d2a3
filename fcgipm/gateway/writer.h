/*
 * writer.h - output queue of a connection: sends records in order, with bounded
 * memory and few packets
 *
 * Keeps records that the socket does not take yet.  Holds small output for two
 * milliseconds to send it together with what follows.
 */
#ifndef FCGIPM_GATEWAY_WRITER_H
#define FCGIPM_GATEWAY_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "proto/fcgi.h"

struct writer;

/* Callbacks of the owner, set before the first use. */
struct writer_calls {
	/* Writing failed, or there is no memory for what the peer does not
	 * read: the owner must close the connection. */
	void (*on_failed)(struct writer *w);
	/* w->blocked has changed. */
	void (*on_blocked)(struct writer *w);
	/* The hold time is over: call writer_flush() or
	 * writer_hold_until(). */
	void (*on_held)(struct writer *w);
	/* Is the peer sending a body, which it might stop at the first byte of
	 * the answer? */
	bool (*is_uploading)(const struct writer *w);
};

struct writer {
	struct loop *loop;
	const struct writer_calls *calls;
	struct buf out;		/* records that the socket has not taken */
	struct loop_timer hold_timer;	/* end of the hold time */
	int fd;			/* borrowed; -1 after writer_fini() */
	int pipefd;		/* holds the content of a spliced record */
	size_t pipe_left;	/* bytes of that content not yet sent */
	size_t before_pipe;	/* bytes of out that precede that content */
	bool pipe_more;		/* more output follows that content */
	bool answering;		/* a part of the active request's answer has
				 * been sent */
	bool blocked;		/* the socket is full, see out */
	bool flushed;		/* the last writer_flush() sent something */
};

/* How long the beginning of an answer is held for the end of a body. */
#define WRITER_UPLOAD_HOLD_MS 1000

void writer_init(struct writer *w, struct loop *loop, int fd,
	const struct writer_calls *calls);
void writer_fini(struct writer *w);

/* A request begins: no part of its answer has been sent. */
void writer_begin_request(struct writer *w);

/*
 * writer_send - send records
 *
 * hold		they may be held for what follows
 */
void writer_send(struct writer *w, const void *p, size_t len, bool hold);

/* May writer_splice() be called now? */
bool writer_may_splice(const struct writer *w);

/*
 * writer_splice - send a record whose content is in a pipe
 *
 * head		its header
 * fd		a pipe that holds len bytes; it must stay open, and nothing else
 *		may read it, while writer_waiting()
 * more		more output follows at once: a TCP segment may wait for it
 */
void writer_splice(struct writer *w, const uint8_t head[FCGI_HEADER_LEN],
	int fd, size_t len, bool more);

/* Number of bytes not yet sent, including held ones. */
size_t writer_waiting(const struct writer *w);

/* Sends what waits; returns whether all of it was sent. */
bool writer_flush(struct writer *w);

/* Sets w->blocked and calls on_blocked() when it changes. */
void writer_set_blocked(struct writer *w, bool blocked);

/* Shortens the hold time to the usual one if no body is being sent any more. */
void writer_hold_less(struct writer *w);
/* Sets the end of the hold time to at_ms. */
void writer_hold_until(struct writer *w, int64_t at_ms);

#endif
