/*
 * exchange.c - sends one FastCGI request, receives its answer; see exchange.h
 *
 * Called by ctl/call, ctl/ping and ctl/bench.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/util.h"
#include "ctl/exchange.h"

void
exchange_close(struct exchange *x)
{
	int fd = x->io.fd;

	loop_timer_stop(x->loop, &x->timer);
	loop_del(x->loop, &x->io);
	fd_close(&fd);
	x->connected = false;
}

static void
done(struct exchange *x, enum exchange_result result)
{
	bool again = x->reused && !x->received && !x->ops->on_drained &&
		(result == EXCHANGE_RESET || result == EXCHANGE_TRUNCATED);

	loop_timer_stop(x->loop, &x->timer);
	if (result != EXCHANGE_OK || !x->keep || x->out_left > 0)
		exchange_close(x);
	if (again && exchange_start(x, x->to, x->first, x->first_len,
			     x->timeout_ms) == 0)
		return;
	x->ops->on_done(x, result);
}

/* false: the connection cannot be watched. */
static bool
send_more(struct exchange *x)
{
	ssize_t n;

	for (;;) {
		if (x->out_left == 0 && x->ops->on_drained)
			x->ops->on_drained(x);
		if (x->out_left == 0)
			break;
		n = send(x->io.fd, x->out, x->out_left, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			/* The answer may have arrived already.  Read it; the
			 * end of the connection follows. */
			x->out_left = 0;
			break;
		}
		x->out += n;
		x->out_left -= (size_t)n;
	}
	return loop_mod(x->loop, &x->io,
		       LOOP_READ | (x->out_left ? LOOP_WRITE : 0)) == 0;
}

static void
receive_content(struct exchange *x, const struct fcgi_chunk *c)
{
	size_t n;

	if (x->reader.header.type == FCGI_END_REQUEST) {
		n = MIN(c->len, sizeof(x->end) - x->end_len);
		memcpy(x->end + x->end_len, c->p, n);
		x->end_len += n;
	} else if (x->ops->on_content) {
		x->ops->on_content(x, (enum fcgi_type)x->reader.header.type,
			c->p, c->len);
	}
}

/* true: the record that has just ended is the last one; *ret is the result. */
static bool
is_last(struct exchange *x, enum exchange_result *ret)
{
	unsigned type = x->reader.header.type;

	/* The only request has the id 1. */
	if (!x->management && x->reader.header.id != 1) {
		*ret = EXCHANGE_PROTOCOL;
		return true;
	}
	if (x->management) {
		*ret = type == FCGI_GET_VALUES_RESULT ? EXCHANGE_OK :
							EXCHANGE_PROTOCOL;
		return true;
	}
	if (type != FCGI_END_REQUEST)
		return false;
	if (x->end_len == sizeof(x->end))
		fcgi_parse_end(x->end, &x->status);
	*ret = x->end_len == sizeof(x->end) &&
			x->status.protocol_status == FCGI_REQUEST_COMPLETE ?
		EXCHANGE_OK : EXCHANGE_PROTOCOL;
	return true;
}

/* false: the exchange has ended. */
static bool
feed(struct exchange *x, const uint8_t *p, size_t len)
{
	enum exchange_result result;
	struct fcgi_chunk chunk;
	int ev;

	while ((ev = fcgi_reader_next(&x->reader, &p, &len, &chunk)) > 0) {
		if (ev == FCGI_EVENT_CONTENT)
			receive_content(x, &chunk);
		if (ev == FCGI_EVENT_END && is_last(x, &result)) {
			done(x, result);
			return false;
		}
	}
	if (ev < 0) {
		done(x, EXCHANGE_PROTOCOL);
		return false;
	}
	return true;
}

static void
receive(struct exchange *x)
{
	static uint8_t buf[65536];
	ssize_t n = recv(x->io.fd, buf, sizeof(buf), 0);

	if (n > 0) {
		x->bytes_in += (uint64_t)n;
		x->received = true;
		(void)feed(x, buf, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	x->error = n < 0 ? errno : 0;
	done(x, !x->connected ? EXCHANGE_CONNECT :
		n < 0 ? EXCHANGE_RESET : EXCHANGE_TRUNCATED);
}

static void
exchange_on_event(struct loop_io *io, uint32_t events)
{
	struct exchange *x = container_of(io, struct exchange, io);
	socklen_t len = sizeof(x->error);

	if (!x->connected) {
		if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &x->error,
			    &len) < 0 || x->error) {
			done(x, EXCHANGE_CONNECT);
			return;
		}
		x->connected = true;
	}
	if ((events & LOOP_WRITE) && !send_more(x)) {
		done(x, EXCHANGE_RESET);
		return;
	}
	if (events & (LOOP_READ | LOOP_HANGUP | LOOP_ERROR))
		receive(x);
}

static void
exchange_on_timer(struct loop_timer *t)
{
	done(container_of(t, struct exchange, timer), EXCHANGE_TIMEOUT);
}

void
exchange_init(struct exchange *x, struct loop *loop,
	const struct exchange_ops *ops)
{
	*x = (struct exchange){
		.ops = ops,
		.loop = loop,
		.io = {.on_event = exchange_on_event, .fd = -1},
		.timer = {.on_timer = exchange_on_timer},
	};
}

int
exchange_start(struct exchange *x, const struct addr *to, const uint8_t *out,
	size_t len, int64_t timeout_ms)
{
	int fd = -1;

	x->to = to;
	x->first = x->out = out;
	x->first_len = x->out_left = len;
	x->timeout_ms = timeout_ms;
	x->reused = x->io.fd >= 0;
	x->received = false;
	x->end_len = 0;
	x->error = 0;
	fcgi_reader_init(&x->reader);
	if (x->io.fd < 0) {
		fd = addr_connect(to, SOCK_NONBLOCK);
		if (fd < 0 && errno == EAGAIN)
			return -1;
		if (fd < 0 || loop_add(x->loop, &x->io, fd, LOOP_READ) < 0) {
			x->error = errno;
			fd_close(&fd);
			x->ops->on_done(x, EXCHANGE_CONNECT);
			return 0;
		}
		/* A unix socket is connected now, TCP when it is writable. */
		x->connected = !addr_is_tcp(to);
	}
	loop_timer_set(x->loop, &x->timer, now_ms() + timeout_ms);
	if (!x->connected) {
		if (loop_mod(x->loop, &x->io, LOOP_READ | LOOP_WRITE) < 0)
			done(x, EXCHANGE_CONNECT);
	} else if (!send_more(x)) {
		done(x, EXCHANGE_RESET);
	}
	return 0;
}
