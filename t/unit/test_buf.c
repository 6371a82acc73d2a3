/*
 * test_buf.c - tests base/buf: order, the maximum size, memory
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

static void
expect_bytes(const struct buf *b, const char *want)
{
	cr_expect_eq(b->len, strlen(want));
	cr_expect(b->len == strlen(want) &&
			memcmp(buf_data(b), want, b->len) == 0,
		"holds %.*s, not %s", (int)b->len, (char *)buf_data(b), want);
}

Test(buf, returns_bytes_in_the_order_they_were_added)
{
	struct buf b;

	buf_init(&b, 100);
	cr_assert_eq(buf_add(&b, "hello ", 6), 0);
	cr_assert_eq(buf_add(&b, "world", 5), 0);
	expect_bytes(&b, "hello world");
	buf_consume(&b, 6);
	expect_bytes(&b, "world");
	buf_fini(&b);
}

Test(buf, holds_its_maximum_and_not_a_byte_more)
{
	struct buf b;

	buf_init(&b, 8);
	cr_assert_eq(buf_add(&b, "12345678", 8), 0, "the maximum itself fits");
	errno = 0;
	cr_expect_eq(buf_add(&b, "9", 1), -1);
	cr_expect_eq(errno, ENOBUFS);
	expect_bytes(&b, "12345678");
	buf_consume(&b, 1);
	cr_expect_eq(buf_add(&b, "9", 1), 0, "consumed bytes make room");
	expect_bytes(&b, "23456789");
	buf_fini(&b);
}

Test(buf, rejects_sizes_that_would_overflow)
{
	struct buf b;

	buf_init(&b, 8);
	cr_assert_eq(buf_add(&b, "1234", 4), 0);
	errno = 0;
	cr_expect_null(buf_reserve(&b, SIZE_MAX));
	cr_expect_eq(errno, ENOBUFS);
	cr_expect_null(buf_reserve(&b, SIZE_MAX - 2));
	expect_bytes(&b, "1234");
	buf_fini(&b);
}

Test(buf, adds_nothing_when_a_part_would_not_fit)
{
	struct buf b;

	buf_init(&b, 8);
	cr_assert_eq(buf_add(&b, "12345", 5), 0);
	cr_expect_eq(buf_add(&b, "6789", 4), -1);
	expect_bytes(&b, "12345");
	buf_fini(&b);
}

Test(buf, an_empty_buffer_has_no_memory)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	cr_expect_null(b.mem);
	cr_assert_eq(buf_add(&b, "x", 1), 0);
	cr_expect_not_null(b.mem);
	buf_consume(&b, 1);
	cr_expect_null(b.mem);
	cr_expect_eq(b.size, 0);
	cr_expect_eq(b.cap, 1 << 20, "the maximum stays");
	cr_expect_eq(buf_add(&b, "", 0), 0);
	cr_expect_null(b.mem, "adding nothing allocates nothing");
	cr_expect_eq(buf_add(&b, "y", 1), 0);
	expect_bytes(&b, "y");
	buf_fini(&b);
	buf_fini(&b);
}

Test(buf, reserve_counts_nothing_until_commit)
{
	struct buf b;
	uint8_t *p;

	buf_init(&b, 1000);
	cr_assert_eq(buf_add(&b, "ab", 2), 0);
	p = buf_reserve(&b, 500);
	cr_assert_not_null(p);
	memset(p, 'z', 500);
	expect_bytes(&b, "ab");
	memcpy(p, "cd", 2);
	buf_commit(&b, 2);
	expect_bytes(&b, "abcd");
	buf_fini(&b);
}

/* The content of a queue that is never empty moves through its block: it must
 * move back to the beginning instead of growing the block. */
Test(buf, does_not_grow_while_its_content_stays_small)
{
	struct buf b;
	unsigned i, next = 0;

	buf_init(&b, 1 << 20);
	for (i = 0; i < 100000; i++) {
		uint8_t byte = (uint8_t)i;

		cr_assert_eq(buf_add(&b, &byte, 1), 0);
		if (b.len == 200) {
			for (; b.len > 100; next++) {
				cr_assert_eq(*buf_data(&b), (uint8_t)next);
				buf_consume(&b, 1);
			}
		}
	}
	cr_expect_leq(b.size, 1024, "%zu bytes for 200", b.size);
	buf_fini(&b);
}

/* With sizes of any mix, the bytes that come out are those that went in. */
Test(buf, keeps_order_in_random_histories)
{
	unsigned short seed[3] = {7, 8, 9};
	uint32_t in = 0, out = 0;
	struct buf b;
	int step;

	buf_init(&b, 4096);
	for (step = 0; step < 20000; step++) {
		uint8_t chunk[700];
		size_t n = (size_t)nrand48(seed) % sizeof(chunk), i;

		for (i = 0; i < n; i++)
			chunk[i] = (uint8_t)((in + i) * 31 >> 3);
		if (buf_add(&b, chunk, n) == 0)
			in += n;
		else
			cr_assert_gt(b.len + n, 4096);
		n = (size_t)nrand48(seed) % (b.len + 1);
		for (i = 0; i < n; i++)
			cr_assert_eq(buf_data(&b)[i],
				(uint8_t)((out + i) * 31 >> 3));
		buf_consume(&b, n);
		out += n;
		cr_assert_eq(b.len, in - out);
	}
	buf_fini(&b);
}

Test(buf, write_stops_when_a_pipe_is_full_and_continues_later)
{
	uint8_t want = 0, chunk[4096];
	size_t total = 0, got = 0;
	struct buf b;
	ssize_t n;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	buf_init(&b, 300000);
	for (total = 0; total < 300000; total++) {
		uint8_t byte = (uint8_t)(total % 251);

		cr_assert_eq(buf_add(&b, &byte, 1), 0);
	}
	n = buf_write(&b, fds[1]);
	cr_expect_gt(n, 0);
	cr_expect_eq(b.len, total - (size_t)n);
	cr_expect_eq(buf_write(&b, fds[1]), 0, "a full pipe is not an error");
	while (got < total) {
		ssize_t i;

		n = read(fds[0], chunk, sizeof(chunk));
		cr_assert_gt(n, 0, "after %zu bytes", got);
		for (i = 0; i < n; i++, want = (uint8_t)((want + 1) % 251))
			cr_assert_eq(chunk[i], want);
		got += (size_t)n;
		cr_assert_geq(buf_write(&b, fds[1]), 0);
	}
	cr_expect_eq(b.len, 0);
	cr_expect_null(b.mem);
	cr_expect_eq(buf_write(&b, fds[1]), 0, "nothing to write");
	close(fds[0]);
	close(fds[1]);
}

Test(buf, write_fails_on_a_closed_descriptor)
{
	struct buf b;

	buf_init(&b, 10);
	cr_assert_eq(buf_add(&b, "x", 1), 0);
	errno = 0;
	cr_expect_eq(buf_write(&b, -1), -1);
	cr_expect_eq(errno, EBADF);
	expect_bytes(&b, "x");
	buf_fini(&b);
}
