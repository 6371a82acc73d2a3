/*
 * buf.h - bytes on their way, first in, first out, with a cap
 *
 * What a client or a child sends waits here.  A buffer never grows past its
 * cap and is freed when it runs empty, so that a connection at rest costs no
 * heap.
 */
#ifndef FCGIPM_BASE_BUF_H
#define FCGIPM_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf {
	uint8_t *mem;	/* the block, NULL when nothing is held */
	size_t off;	/* where the unread bytes begin */
	size_t len;	/* how many there are */
	size_t size;	/* bytes allocated */
	size_t cap;	/* largest len allowed */
};

void buf_init(struct buf *b, size_t cap);
void buf_fini(struct buf *b);

static inline uint8_t *
buf_data(const struct buf *b)
{
	return b->mem + b->off;
}

/*
 * buf_reserve - room for n bytes behind the unread ones
 *
 * returns	where to write them, to be followed by buf_commit(); NULL
 *		with ENOBUFS over the cap or ENOMEM
 */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Adds a copy; 0, or -1 with errno as buf_reserve(), nothing added then. */
int buf_add(struct buf *b, const void *p, size_t n);

/* Drops the first n unread bytes; frees the block when none is left. */
void buf_consume(struct buf *b, size_t n);

/*
 * buf_write - as much as the descriptor takes now
 *
 * returns	bytes written and consumed, 0 when it would block or the
 *		buffer is empty, -1 with errno
 */
ssize_t buf_write(struct buf *b, int fd);

#endif
