/*
 * bench.c - fcgipmctl bench: sends many requests and measures their latency
 *
 * Called by main.  One thread and one event loop.  Each connection sends the
 * same prepared bytes, reads the complete answer and starts again.  An answer
 * without END_REQUEST counts as an error.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/histogram.h"
#include "ctl/params.h"
#include "proto/cgi.h"

#define HEADER_MAX 65536
#define BODY_MAX (UINT64_C(256) << 20)
/* Between two attempts to connect while the queue of a unix socket is full. */
#define RETRY_MS 1

struct bench;

struct client {
	struct bench *bench;
	struct exchange x;
	struct loop_timer retry;
	struct loop_task next;	/* starts the next request */
	int64_t begin_us;	/* 0 = not started; a retry keeps it */
	struct cgi_header scan;	/* the answer's header */
	bool scanned;		/* the header is complete */
};

struct bench {
	const struct ctl_options *o;
	struct loop *loop;
	struct loop_signals signals;
	struct loop_timer end, progress;
	struct client *clients;
	struct buf request;
	unsigned active;	/* clients waiting for an answer */
	uint64_t started, finished;
	bool ending;		/* no new requests */
	int64_t begin_us, end_us;
	struct histogram latency;
	uint64_t errors[EXCHANGE_RESULTS];
	uint64_t statuses[6];	/* by status / 100; [0] = empty answer */
	uint64_t retries;
	uint64_t bytes_in;
};

static void
bench_end(struct bench *b)
{
	if (b->end_us == 0)
		b->end_us = now_us();
	loop_quit(b->loop);
}

static void
client_begin(struct client *c)
{
	struct bench *b = c->bench;

	if (b->ending || (b->o->requests && b->started == b->o->requests)) {
		if (b->active == 0)
			bench_end(b);
		return;
	}
	/* The time in which the listen queue is full counts, too. */
	if (c->begin_us == 0)
		c->begin_us = now_us();
	cgi_header_init(&c->scan, HEADER_MAX);
	c->scanned = false;
	b->active++;
	if (exchange_start(&c->x, &b->o->addr, buf_data(&b->request),
		    b->request.len, b->o->timeout_ms) < 0) {
		b->active--;
		b->retries++;
		loop_timer_set(b->loop, &c->retry, now_ms() + RETRY_MS);
		return;
	}
	b->started++;
}

static void
client_on_retry(struct loop_timer *t)
{
	client_begin(container_of(t, struct client, retry));
}

static void
client_on_next(struct loop_task *t)
{
	client_begin(container_of(t, struct client, next));
}

static void
client_on_content(struct exchange *x, enum fcgi_type type, const uint8_t *p,
	size_t len)
{
	struct client *c = container_of(x, struct client, x);
	size_t used;

	if (type == FCGI_STDOUT && c->scan.len < HEADER_MAX && !c->scanned &&
		cgi_header_scan(&c->scan, p, len, &used) != CGI_SCAN_MORE)
		c->scanned = true;
}

/* Status / 100; 0 = the answer was empty. */
static unsigned
status_of(const struct client *c)
{
	if (c->scan.status)
		return MIN(c->scan.status / 100, 5U);
	return c->scan.len > 0 ? 2 : 0;
}

static void
client_on_done(struct exchange *x, enum exchange_result result)
{
	struct client *c = container_of(x, struct client, x);
	struct bench *b = c->bench;

	b->active--;
	b->bytes_in += x->bytes_in;
	x->bytes_in = 0;
	if (!b->end_us) {
		b->finished++;
		b->errors[result]++;
		if (result == EXCHANGE_OK) {
			histogram_add(&b->latency,
				(uint64_t)(now_us() - c->begin_us));
			b->statuses[status_of(c)]++;
		}
	}
	c->begin_us = 0;
	if (result == EXCHANGE_CONNECT && !b->ending) {
		/* Without a server, do not spin. */
		loop_timer_set(b->loop, &c->retry, now_ms() + 10);
		return;
	}
	loop_defer(b->loop, &c->next);
}

static const struct exchange_ops client_ops = {
	.on_content = client_on_content,
	.on_done = client_on_done,
};

static void
bench_on_end(struct loop_timer *t)
{
	struct bench *b = container_of(t, struct bench, end);

	b->ending = true;
	bench_end(b);
}

static void
bench_on_signal(struct loop_signals *s, int signo, pid_t sender)
{
	struct bench *b = container_of(s, struct bench, signals);
	(void)signo, (void)sender;

	b->ending = true;
	bench_end(b);
}

static void
bench_on_progress(struct loop_timer *t)
{
	struct bench *b = container_of(t, struct bench, progress);
	double s = (double)(now_us() - b->begin_us) / 1e6;

	fprintf(stderr, "\r%.0f s  %" PRIu64 " requests  %.0f req/s  p50 %"
		PRIu64 " us ", s, b->finished, (double)b->finished / s,
		histogram_percentile(&b->latency, 50));
	loop_timer_set(b->loop, &b->progress, now_ms() + 500);
}

static double
own_cpu_s(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) < 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t
error_count(const struct bench *b)
{
	uint64_t n = 0;
	int i;

	for (i = EXCHANGE_OK + 1; i < EXCHANGE_RESULTS; i++)
		n += b->errors[i];
	return n;
}

static void
print_text(const struct bench *b, double s)
{
	const struct histogram *h = &b->latency;
	int i;

	printf("%" PRIu64 " requests in %.2f s, %.0f req/s, %.1f MB/s\n",
		b->finished, s, (double)h->n / s,
		(double)b->bytes_in / s / 1e6);
	printf("latency us: p50 %" PRIu64 "  p90 %" PRIu64 "  p99 %" PRIu64
		"  max %" PRIu64 "\n", histogram_percentile(h, 50),
		histogram_percentile(h, 90), histogram_percentile(h, 99),
		h->max_us);
	printf("status:");
	for (i = 1; i < 6; i++)
		if (b->statuses[i])
			printf("  %dxx %" PRIu64, i, b->statuses[i]);
	if (b->statuses[0])
		printf("  empty %" PRIu64, b->statuses[0]);
	printf("\nerrors: %" PRIu64, error_count(b));
	for (i = EXCHANGE_OK + 1; i < EXCHANGE_RESULTS; i++)
		if (b->errors[i])
			printf("  %s %" PRIu64, ctl_result_name(
				(enum exchange_result)i), b->errors[i]);
	printf("\nclient: %.2f CPU s, %" PRIu64 " connects retried\n",
		own_cpu_s(), b->retries);
}

static int
print_json(const struct bench *b, double s)
{
	const struct histogram *h = &b->latency;
	json_t *errors = json_object(), *statuses = json_object(), *all;
	static const char *const hundreds[] = {"empty", "1xx", "2xx", "3xx",
		"4xx", "5xx"};
	int i, rc;

	for (i = EXCHANGE_OK + 1; i < EXCHANGE_RESULTS; i++)
		if (json_object_set_new(errors,
			    ctl_result_name((enum exchange_result)i),
			    json_integer((json_int_t)b->errors[i])) < 0)
			return -1;
	for (i = 0; i < 6; i++)
		if (json_object_set_new(statuses, hundreds[i],
			    json_integer((json_int_t)b->statuses[i])) < 0)
			return -1;
	all = json_pack("{sI sf sf sI sI sI sI sI sI so so sf}",
		"requests", (json_int_t)b->finished, "seconds", s,
		"req_per_s", (double)h->n / s,
		"p50_us", (json_int_t)histogram_percentile(h, 50),
		"p90_us", (json_int_t)histogram_percentile(h, 90),
		"p99_us", (json_int_t)histogram_percentile(h, 99),
		"max_us", (json_int_t)h->max_us,
		"bytes_in", (json_int_t)b->bytes_in,
		"retries", (json_int_t)b->retries,
		"status", statuses, "errors", errors, "cpu_s", own_cpu_s());
	if (!all)
		return -1;
	rc = json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(all);
	return rc;
}

static int
parse_body(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (*end == 'K' || *end == 'k')
		v <<= 10, end++;
	else if (*end == 'M' || *end == 'm')
		v <<= 20, end++;
	if (errno || end == text || *end || v > BODY_MAX)
		return -1;
	*ret = v;
	return 0;
}

/* The complete request as one sequence of bytes, with its body. */
static int
build_request(struct bench *b)
{
	struct params p = {
		.url = b->o->url,
		.extra = b->o->params,
		.nextra = b->o->nparams,
		.has_body = b->o->body != NULL,
		.keep = b->o->keep,
	};
	char *block = mem_calloc(1, FCGI_MAX_CONTENT);
	uint64_t left;
	int rc;

	if (b->o->body && parse_body(b->o->body, &p.body_bytes) < 0) {
		fprintf(stderr, "fcgipmctl: bench: %s is not a size from 0 to "
			"256M; give one such as -b 10K\n", b->o->body);
		free(block);
		return -1;
	}
	memset(block, 'b', FCGI_MAX_CONTENT);
	rc = params_encode(&p, &b->request);
	for (left = p.body_bytes; rc == 0 && left > 0;) {
		size_t n = MIN(left, (uint64_t)FCGI_MAX_CONTENT);

		rc = params_add_record(&b->request, FCGI_STDIN, 1, block, n);
		left -= n;
	}
	if (rc == 0)
		rc = params_add_record(&b->request, FCGI_STDIN, 1, NULL, 0);
	free(block);
	return rc;
}

static int
start_clients(struct bench *b)
{
	unsigned i;

	b->clients = mem_calloc(b->o->connections, sizeof(*b->clients));
	b->begin_us = now_us();
	for (i = 0; i < b->o->connections; i++) {
		struct client *c = &b->clients[i];

		c->bench = b;
		c->retry.on_timer = client_on_retry;
		c->next.run = client_on_next;
		exchange_init(&c->x, b->loop, &client_ops);
		c->x.keep = b->o->keep;
		loop_defer(b->loop, &c->next);
	}
	return loop_run(b->loop);
}

static int
report(const struct bench *b)
{
	double s = MAX((double)(b->end_us - b->begin_us) / 1e6, 1e-6);

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%*s\r", 70, "");
	if (b->o->json) {
		if (print_json(b, s) < 0)
			return EXIT_SYSTEM;
	} else {
		print_text(b, s);
	}
	return error_count(b) || b->statuses[5] || b->latency.n == 0 ? 1 : 0;
}

int
ctl_bench(const struct ctl_options *o)
{
	struct bench *b = mem_calloc(1, sizeof(*b));
	int code = EXIT_SYSTEM;
	sigset_t set;
	unsigned i;

	b->o = o;
	b->loop = loop_new();
	buf_init(&b->request, SIZE_MAX / 2);
	b->signals = (struct loop_signals){.io = {.fd = -1},
		.on_signal = bench_on_signal};
	b->end.on_timer = bench_on_end;
	b->progress.on_timer = bench_on_progress;
	if (o->seconds <= 0 && o->requests == 0) {
		fprintf(stderr, "fcgipmctl: bench: missing -d SEC or -n N, "
			"such as -d 10\n");
		code = EXIT_USAGE;
		goto out;
	}
	(void)fd_raise_limit();
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (!b->loop || loop_signals_add(b->loop, &b->signals, &set) < 0 ||
		build_request(b) < 0)
		goto out;
	if (o->seconds > 0)
		loop_timer_set(b->loop, &b->end,
			now_ms() + (int64_t)(o->seconds * 1000));
	if (isatty(STDERR_FILENO))
		loop_timer_set(b->loop, &b->progress, now_ms() + 500);
	if (start_clients(b) == 0)
		code = report(b);
	for (i = 0; i < o->connections; i++)
		exchange_close(&b->clients[i].x);
	loop_signals_del(b->loop, &b->signals);
out:
	loop_free(&b->loop);
	buf_fini(&b->request);
	free(b->clients);
	free(b);
	return code;
}
