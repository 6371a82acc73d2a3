/*
 * test_writer.c - output of a connection arrives in order, also when the peer
 * reads slowly
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "gateway/writer.h"

/* Size of the content of a spliced record. */
#define CONTENT 3000

static struct loop *loop;
static struct writer w;
static int peer, pipefds[2];

static void
on_failed(struct writer *failed)
{
	(void)failed;
	cr_assert_fail("the writer failed although the peer is connected");
}

static void
on_event(struct writer *changed)
{
	(void)changed;
}

static bool
is_not_uploading(const struct writer *asked)
{
	(void)asked;
	return false;
}

static const struct writer_calls calls = {.on_failed = on_failed,
	.on_blocked = on_event,
	.on_held = on_event,
	.is_uploading = is_not_uploading};

static void
setup(void)
{
	int fds[2], small = 1;

	loop = loop_new();
	cr_assert_not_null(loop);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			     SOCK_NONBLOCK, 0, fds), 0);
	/* The kernel raises it to the minimum. */
	cr_assert_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small,
			     sizeof(small)), 0);
	cr_assert_eq(pipe2(pipefds, O_CLOEXEC | O_NONBLOCK), 0);
	peer = fds[1];
	writer_init(&w, loop, fds[0], &calls);
}

/* Receives at most max of the bytes that have been sent. */
static size_t
receive(uint8_t *to, size_t max)
{
	ssize_t n = recv(peer, to, max, 0);

	cr_assert(n >= 0 || errno == EAGAIN);
	return n > 0 ? (size_t)n : 0;
}

/*
 * Held bytes, a spliced record and further bytes, with a full socket: each is
 * sent in several pieces.
 */
Test(writer, pieces_stay_in_order, .init = setup, .timeout = 30)
{
	static uint8_t held[8000], head[FCGI_HEADER_LEN], content[CONTENT],
		after[5000], filler[64 * 1024];
	static uint8_t want[sizeof(held) + sizeof(head) + CONTENT +
		sizeof(after)], got[sizeof(filler) + sizeof(want)];
	size_t filled = 0, have = 0, i;
	int fd = w.fd;
	ssize_t n;

	for (i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)(i % 251);
	memcpy(held, want, sizeof(held));
	memcpy(head, want + sizeof(held), sizeof(head));
	memcpy(content, want + sizeof(held) + sizeof(head), CONTENT);
	memcpy(after, want + sizeof(want) - sizeof(after), sizeof(after));
	cr_assert_eq(write(pipefds[1], content, CONTENT), CONTENT);

	writer_send(&w, held, sizeof(held), true);
	cr_assert_eq(writer_waiting(&w), sizeof(held));
	while ((n = send(fd, filler, 1000, MSG_NOSIGNAL)) > 0)
		filled += (size_t)n;
	cr_assert(writer_may_splice(&w));
	writer_splice(&w, head, pipefds[0], CONTENT, true);
	cr_assert(w.blocked);
	writer_send(&w, after, sizeof(after), false);

	while (have < filled + sizeof(want)) {
		n = (ssize_t)receive(got + have, 700);
		have += (size_t)n;
		if (writer_flush(&w) && n == 0)
			cr_assert_geq(have, filled + sizeof(want),
				"%zu bytes are lost", filled + sizeof(want) -
				have);
	}
	cr_expect_arr_eq(got + filled, want, sizeof(want));
	cr_expect_eq(writer_waiting(&w), 0);
	cr_expect_eq(receive(got, 1), 0, "bytes were sent twice");
}
