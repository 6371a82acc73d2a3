/*
 * writer.h - what a connection sends: in order, bounded, in few packets
 *
 * Records that the peer does not take yet wait here; so does the beginning of
 * an answer, some milliseconds, for what comes after it.
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

/* The owner's; set before the first use. */
struct writer_calls {
	/* The peer cannot be written to, or there is no memory for what it
	 * does not take: the owner closes the connection. */
	void (*on_failed)(struct writer *w);
	/* w->blocked has changed. */
	void (*on_blocked)(struct writer *w);
	/* What is held has been held for long: writer_flush() or
	 * writer_hold_until(). */
	void (*on_held)(struct writer *w);
	/* Would the beginning of the answer cost the rest of a body? */
	bool (*is_uploading)(const struct writer *w);
};

struct writer {
	struct loop *loop;
	const struct writer_calls *calls;
	struct buf out;		/* records not yet taken by the peer */
	struct loop_timer hold_timer;	/* small output waits for more */
	int fd;			/* borrowed; -1 after writer_fini() */
	int pipefd;		/* content of a record is still in there, */
	size_t pipe_left;	/* so many bytes, */
	size_t before_pipe;	/* after so many of out, */
	bool pipe_more;		/* and more output comes right after it */
	bool answering;		/* some of the active request's answer has
				 * left */
	bool blocked;		/* the peer takes no more, see out */
	bool flushed;		/* the last writer_flush() moved something */
};

/* How long the beginning of an answer waits for the end of a body. */
#define WRITER_UPLOAD_HOLD_MS 1000

void writer_init(struct writer *w, struct loop *loop, int fd,
	const struct writer_calls *calls);
void writer_fini(struct writer *w);

/* A request begins: nothing of its answer has left. */
void writer_begin_request(struct writer *w);

/*
 * writer_send - records to the peer
 *
 * hold		they may wait some milliseconds for what comes after them
 */
void writer_send(struct writer *w, const void *p, size_t len, bool hold);

/* Can a record's content go by writer_splice(), right now? */
bool writer_may_splice(const struct writer *w);

/*
 * writer_splice - a record whose content is taken from a pipe
 *
 * head		its header
 * fd		a pipe that holds len bytes, for us alone to read; it stays
 *		open, and nothing else reads it, while writer_waiting()
 * more		there is more to be sent already: a TCP segment may wait for it
 */
void writer_splice(struct writer *w, const uint8_t head[FCGI_HEADER_LEN],
	int fd, size_t len, bool more);

/* Bytes that wait to be taken, held ones too. */
size_t writer_waiting(const struct writer *w);

/* Writes what waits; true when that was all. */
bool writer_flush(struct writer *w);

/* The peer's socket is full, or not any more. */
void writer_set_blocked(struct writer *w, bool blocked);

/* The beginning of the answer is held no longer than usual, unless a body
 * still comes. */
void writer_hold_less(struct writer *w);
void writer_hold_until(struct writer *w, int64_t at_ms);

#endif
