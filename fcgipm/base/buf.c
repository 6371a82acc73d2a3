/*
 * buf.c - a byte queue with a maximum size; see buf.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/util.h"

void
buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){.cap = cap};
}

void
buf_fini(struct buf *b)
{
	free(b->mem);
	buf_init(b, b->cap);
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	size_t size;
	uint8_t *p;

	if (n > b->cap || b->len > b->cap - n) {
		errno = ENOBUFS;
		return NULL;
	}
	if (b->mem && b->off + b->len + n <= b->size)
		return b->mem + b->off + b->len;
	if (b->mem && b->len + n <= b->size) {
		memmove(b->mem, b->mem + b->off, b->len);
		b->off = 0;
		return b->mem + b->len;
	}
	size = MAX(MIN(b->size * 2, b->cap), b->len + n);
	size = MAX(size, (size_t)256);
	p = malloc(size);
	if (!p) {
		errno = ENOMEM;
		return NULL;
	}
	if (b->mem && b->len)
		memcpy(p, b->mem + b->off, b->len);
	free(b->mem);
	b->mem = p;
	b->off = 0;
	b->size = size;
	return p + b->len;
}

void
buf_commit(struct buf *b, size_t n)
{
	if (b->off + b->len + n > b->size)
		BUG("more committed than reserved");
	b->len += n;
}

int
buf_add(struct buf *b, const void *p, size_t n)
{
	uint8_t *to;

	if (n == 0)
		return 0;
	to = buf_reserve(b, n);
	if (!to)
		return -1;
	memcpy(to, p, n);
	b->len += n;
	return 0;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n > b->len)
		BUG("more consumed than held");
	b->off += n;
	b->len -= n;
	if (b->len == 0)
		buf_fini(b);
}

ssize_t
buf_write(struct buf *b, int fd)
{
	ssize_t n;

	if (b->len == 0)
		return 0;
	do {
		n = write(fd, buf_data(b), b->len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	buf_consume(b, (size_t)n);
	return n;
}
