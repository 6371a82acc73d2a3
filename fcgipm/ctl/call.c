/*
 * call.c - fcgipmctl call: sends one request, prints the answer to stdout
 *
 * Called by main.  The exit status follows from the result and the HTTP status.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/params.h"
#include "proto/cgi.h"

#define HEADER_MAX (1 << 20)
#define BODY_MAX (INT64_C(1) << 30)

struct call {
	const struct ctl_options *o;
	struct exchange x;
	struct cgi_header scan;	/* the answer's header */
	bool in_body;		/* the header is complete */
	const char *bad;	/* why the header is invalid; NULL */
	char *body;		/* of the request, NULL = none */
	size_t body_len, body_at;
	bool body_ended;
	struct buf record;	/* the STDIN record being sent */
	enum exchange_result result;
	uint64_t body_in;
};

static void
write_bytes(const uint8_t *p, size_t len, FILE *f)
{
	if (fwrite(p, 1, len, f) != len && f == stdout) {
		fprintf(stderr, "fcgipmctl: stdout: %s\n", strerror(errno));
		exit(EXIT_SYSTEM);
	}
}

static void
print_output(struct call *c, const uint8_t *p, size_t len)
{
	size_t used = 0;

	if (!c->in_body && !c->bad) {
		switch (cgi_header_scan(&c->scan, p, len, &used)) {
		case CGI_SCAN_MORE:
			used = len;
			break;
		case CGI_SCAN_DONE:
			c->in_body = true;
			break;
		case CGI_SCAN_BAD:
			c->bad = c->scan.why;
			used = 0;
			break;
		}
		if (c->o->headers)
			write_bytes(p, used, stdout);
	}
	/* Output that is not a header is printed as well. */
	write_bytes(p + used, len - used, stdout);
	c->body_in += len - used;
}

static void
call_on_content(struct exchange *x, enum fcgi_type type, const uint8_t *p,
	size_t len)
{
	struct call *c = container_of(x, struct call, x);

	if (type == FCGI_STDOUT)
		print_output(c, p, len);
	else if (type == FCGI_STDERR)
		write_bytes(p, len, stderr);
}

static void
call_on_drained(struct exchange *x)
{
	struct call *c = container_of(x, struct call, x);
	size_t n = MIN(c->body_len - c->body_at, (size_t)FCGI_MAX_CONTENT);

	if (c->body_ended)
		return;
	buf_fini(&c->record);
	if (params_add_record(&c->record, FCGI_STDIN, 1,
		    c->body ? c->body + c->body_at : "", n) < 0)
		return;
	c->body_at += n;
	c->body_ended = n == 0;
	x->out = buf_data(&c->record);
	x->out_left = c->record.len;
}

static void
call_on_done(struct exchange *x, enum exchange_result result)
{
	struct call *c = container_of(x, struct call, x);

	c->result = result;
	loop_quit(x->loop);
}

static const struct exchange_ops call_ops = {
	.on_content = call_on_content,
	.on_drained = call_on_drained,
	.on_done = call_on_done,
};

static int
read_body(struct call *c)
{
	const char *path = c->o->body;

	if (!path)
		return 0;
	if (strcmp(path, "-") == 0)
		path = "/dev/stdin";
	if (fd_read_file(path, (size_t)BODY_MAX, &c->body, &c->body_len) < 0) {
		fprintf(stderr, "fcgipmctl: %s: %s\n", c->o->body,
			strerror(errno));
		return -1;
	}
	return 0;
}

static int
report_result(const struct call *c, double seconds)
{
	unsigned status = c->scan.status ? c->scan.status : 200;
	enum exchange_result r = c->result;

	if (fflush(stdout) != 0)
		return EXIT_SYSTEM;
	if (r == EXCHANGE_CONNECT)
		fprintf(stderr, "fcgipmctl: %s: %s\n", c->o->addr.text,
			strerror(c->x.error));
	else if (r != EXCHANGE_OK)
		fprintf(stderr, "fcgipmctl: %s: no complete response (%s)\n",
			c->o->addr.text, ctl_result_name(r));
	else if (!c->in_body)
		fprintf(stderr, "fcgipmctl: the response has no CGI header: "
			"%s\n", c->bad ? c->bad : cgi_header_cut(&c->scan));
	if (c->o->verbose)
		fprintf(stderr, "status %u, exit status %" PRIu32 ", %" PRIu64
			" bytes, %.3f s\n", status, c->x.status.app_status,
			c->body_in, seconds);
	if (r == EXCHANGE_OK && !c->in_body)
		return CTL_PROTOCOL;
	return ctl_exit_code(r, status);
}

int
ctl_call(const struct ctl_options *o)
{
	struct call c = {.o = o, .result = EXCHANGE_CONNECT};
	struct params params;
	struct loop *loop = loop_new();
	struct buf head;
	int64_t begin = now_ms();
	int code = EXIT_SYSTEM;

	buf_init(&head, 2 * PARAMS_MAX);
	buf_init(&c.record, FCGI_HEADER_LEN + FCGI_MAX_CONTENT);
	if (!loop || read_body(&c) < 0)
		goto out;
	params = (struct params){
		.url = o->url,
		.extra = o->params,
		.nextra = o->nparams,
		.has_body = o->body != NULL,
		.body_bytes = c.body_len,
	};
	if (params_encode(&params, &head) < 0) {
		fprintf(stderr, "fcgipmctl: the FastCGI parameters are "
			"longer than 1 MiB\n");
		code = EXIT_USAGE;
		goto out;
	}
	cgi_header_init(&c.scan, HEADER_MAX);
	exchange_init(&c.x, loop, &call_ops);
	if (exchange_start(&c.x, &o->addr, buf_data(&head), head.len,
		    o->timeout_ms) < 0) {
		c.x.error = errno;
		c.result = EXCHANGE_CONNECT;
	} else if (loop_run(loop) < 0) {
		goto out;
	}
	code = report_result(&c, (double)(now_ms() - begin) / 1000);
	exchange_close(&c.x);
out:
	loop_free(&loop);
	buf_fini(&head);
	buf_fini(&c.record);
	free(c.body);
	return code;
}
