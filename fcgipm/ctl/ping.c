/*
 * ping.c - fcgipmctl ping: checks that a program answers FastCGI
 *
 * Called by main.  Sends FCGI_GET_VALUES (FastCGI 1.0, section 4.1), which a
 * program answers without running a request, and prints the values.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/params.h"
#include "ctl/print.h"

struct ping {
	struct exchange x;
	enum exchange_result result;
	uint8_t values[1024];
	size_t len;
};

static void
ping_on_content(struct exchange *x, enum fcgi_type type, const uint8_t *p,
	size_t len)
{
	struct ping *c = container_of(x, struct ping, x);

	len = MIN(len, sizeof(c->values) - c->len);
	if (type == FCGI_GET_VALUES_RESULT) {
		memcpy(c->values + c->len, p, len);
		c->len += len;
	}
}

static void
ping_on_done(struct exchange *x, enum exchange_result result)
{
	struct ping *c = container_of(x, struct ping, x);

	c->result = result;
	loop_quit(x->loop);
}

static const struct exchange_ops ping_ops = {
	.on_content = ping_on_content,
	.on_done = ping_on_done,
};

static int
encode(struct buf *out)
{
	static const char *const names[] = {"FCGI_MAX_CONNS", "FCGI_MAX_REQS",
		"FCGI_MPXS_CONNS"};
	uint8_t query[128], *end = query;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		end = fcgi_put_pair(end, names[i], strlen(names[i]), "", 0);
	return params_add_record(out, FCGI_GET_VALUES, FCGI_NULL_REQUEST_ID,
		query, (size_t)(end - query));
}

static void
print_values(const struct ping *c)
{
	const uint8_t *p = c->values;
	size_t left = c->len;
	struct fcgi_pair pair;
	int n;

	while ((n = fcgi_parse_pair(p, left, sizeof(c->values), &pair)) > 0) {
		print_escaped(stdout, "%.*s = %.*s\n", (int)pair.name_len,
			pair.name, (int)pair.value_len, pair.value);
		p += n;
		left -= (size_t)n;
	}
}

int
ctl_ping(const struct ctl_options *o)
{
	struct ping c = {.result = EXCHANGE_CONNECT};
	struct loop *loop = loop_new();
	struct buf out;
	int64_t begin = now_ms();
	int code = EXIT_SYSTEM;

	buf_init(&out, 1024);
	if (!loop || encode(&out) < 0)
		goto done;
	exchange_init(&c.x, loop, &ping_ops);
	c.x.management = true;
	if (exchange_start(&c.x, &o->addr, buf_data(&out), out.len,
		    o->timeout_ms) < 0)
		c.x.error = errno;
	else if (loop_run(loop) < 0)
		goto done;
	code = ctl_exit_code(c.result, 200);
	if (c.result == EXCHANGE_OK) {
		print_values(&c);
		printf("%s answered in %lld ms\n", o->addr.text,
			(long long)(now_ms() - begin));
	} else if (c.result == EXCHANGE_CONNECT) {
		fprintf(stderr, "fcgipmctl: %s: %s\n", o->addr.text,
			strerror(c.x.error));
	} else {
		fprintf(stderr, "fcgipmctl: %s: accepts connections, but does "
			"not answer FCGI_GET_VALUES (%s); many programs do "
			"not implement it: try fcgipmctl call\n",
			o->addr.text, ctl_result_name(c.result));
	}
	exchange_close(&c.x);
done:
	loop_free(&loop);
	buf_fini(&out);
	return code;
}
