/*
 * buf.h - a byte queue (FIFO) with a maximum size
 *
 * Holds what a client or a child sent until it is passed on.  A buffer never
 * grows past its maximum.  Its memory is freed when it becomes empty, so an
 * idle connection needs no heap.
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
 * buf_reserve - makes room for n bytes after the unread ones
 *
 * returns	where to write them, before buf_commit(); NULL with ENOBUFS
 *		above the maximum, or with ENOMEM
 */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Adds a copy; 0, or -1 with errno as in buf_reserve() and nothing added. */
int buf_add(struct buf *b, const void *p, size_t n);

/* Drops the first n unread bytes; frees the memory when none is left. */
void buf_consume(struct buf *b, size_t n);

/*
 * buf_write - writes as much as the descriptor takes now
 *
 * returns	bytes written and consumed, 0 when it would block or the
 *		buffer is empty, -1 with errno
 */
ssize_t buf_write(struct buf *b, int fd);

#endif
