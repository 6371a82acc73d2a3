/*
 * request_run.c - starts a request's program, enforces its timeouts and ends
 * it; see request.h
 *
 * The second half of request.c, which calls it when there is a place for the
 * program, and when the program was reaped.
 */
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/program.h"
#include "gateway/reaper.h"
#include "gateway/request.h"
#include "gateway/writer.h"

/*
 * Separate events for a program's output, its end and its exit cost more than
 * reading all output after the exit.  So when the last run of a program took
 * less than BRIEF_MS, the next run is not watched for that time.
 */
#define BRIEF_MS 5
/* Such a run wrote no more than this, which a pipe takes without a reader. */
#define BRIEF_BYTES (32 * 1024)
/* After this time a program's stderr and its client are watched too. */
#define WATCH_AFTER_MS 100

/* When client or program last moved a byte. */
static int64_t
last_moved(const struct request *r)
{
	return MAX(r->moved_ms, MAX(r->body.moved_ms, r->answer.moved_ms));
}

/* Sets the time of the next check for silence; limit_ms > 0 is the timeout of
 * the side that is waited for now. */
static void
arm_silence_timer(struct request *r, int64_t limit_ms)
{
	const struct conf_pool *pool = r->gw->opts->pool;
	const int64_t limits[] = {
		pool->cgi_idle_timeout_ms, pool->cgi_client_timeout_ms};
	int64_t now = loop_now(r->gw->loop), at = 0;
	size_t i;

	/* The side that is waited for may change: use the shorter timeout. */
	for (i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i] > 0 && (at == 0 || now + limits[i] < at))
			at = now + limits[i];
	if (limit_ms > 0)
		at = MIN(at, last_moved(r) + limit_ms);
	if (at)
		loop_timer_set(r->gw->loop, &r->silence_timer, at);
}

static void
on_silence_timer(struct loop_timer *timer)
{
	struct request *r = container_of(timer, struct request, silence_timer);
	const struct conf_pool *pool = r->gw->opts->pool;
	bool client = r->client &&
		(r->client->writer->blocked || request_is_receiving(r));
	int64_t limit = client ? pool->cgi_client_timeout_ms :
				 pool->cgi_idle_timeout_ms;
	struct failure why;

	request_check(r);
	if (limit <= 0 || loop_now(r->gw->loop) - last_moved(r) < limit) {
		arm_silence_timer(r, limit);
		return;
	}
	if (client) {
		/* Action: The program is killed, unless cgi.on_abort is
		 * finish. Let the web server buffer requests and responses, or
		 * raise cgi.client_timeout for slow clients. */
		log_warning("script %s: the client stopped %s for %g s "
			"(cgi.client_timeout); connection closed",
			r->script.path,
			r->client->writer->blocked ? "reading" : "sending",
			(double)limit / 1000);
		r->client->close(r->client);
		return;
	}
	/* Action: Its process group got SIGTERM, and SIGKILL two seconds later.
	 * Find out what it waited for, such as a database or another server.
	 * Raise the key only if the program may be silent for that long. */
	failure_set(&why, 504, "no input or output for %g s "
		"(cgi.idle_timeout); killed; raise it if the program needs "
		"longer", (double)limit / 1000);
	request_fail(r, &why);
}

static void
on_queue_timer(struct loop_timer *timer)
{
	struct request *r = container_of(timer, struct request, queue_timer);
	struct failure why;

	request_check(r);
	/* Action: If the machine has no CPU time or memory for more programs,
	 * make them faster, or let the web server limit requests. */
	failure_set(&why, 503, "waited longer than queue_timeout (%lld ms) "
		"for one of %u programs to end; raise pm.max_children if "
		"memory and CPU allow",
		(long long)r->gw->opts->pool->queue_timeout_ms,
		r->gw->capacity->places);
	request_fail(r, &why);
}

static void
on_terminate_timer(struct loop_timer *timer)
{
	struct request *r =
		container_of(timer, struct request, terminate_timer);
	int64_t limit_ms = r->gw->opts->pool->request_terminate_timeout_ms;
	struct failure why;

	request_check(r);
	/* Action: Its process group got SIGTERM, and SIGKILL two seconds later.
	 * Find out what it waited for: its stderr is in the lines "script PATH:
	 * TEXT". Raise the key only if the request may take that long. */
	failure_set(&why, 504, "timed out after %g s "
		"(request_terminate_timeout); killed; raise it if the program "
		"needs longer", (double)limit_ms / 1000);
	request_fail(r, &why);
}

/* Children that the program left running have kept the pipe open for
 * cgi.linger.  What the pipe holds now still belongs to the answer. */
static void
on_linger_timer(struct loop_timer *timer)
{
	struct request *r = container_of(timer, struct request, linger_timer);

	request_check(r);
	answer_limit(&r->answer);
	request_check_end(r);
	/* cgi.client_timeout applies to a client that does not read. */
	if (r->client)
		arm_silence_timer(r, 0);
}

static bool
is_blocked(const struct request *r)
{
	return r->client && r->client->writer->blocked;
}

static void
watch_all(struct request *r)
{
	r->watch = WATCH_ALL;
	if (!is_blocked(r))
		answer_watch(&r->answer);
	if (r->client)
		r->client->on_change(r->client);
}

static void
on_watch_timer(struct loop_timer *timer)
{
	struct request *r = container_of(timer, struct request, watch_timer);

	request_check(r);
	if (r->watch == WATCH_OUTPUT) {
		arm_silence_timer(r, 0);
		watch_all(r);
		return;
	}
	r->watch = WATCH_OUTPUT;
	loop_timer_set(r->gw->loop, &r->watch_timer,
		r->started_ms + WATCH_AFTER_MS);
	if (!is_blocked(r))
		answer_watch_out(&r->answer);
}

static void
start_watching(struct request *r)
{
	bool brief = r->gw->brief[r->program_key];

	r->watch = brief ? WATCH_NOTHING : WATCH_OUTPUT;
	loop_timer_set(r->gw->loop, &r->watch_timer,
		r->started_ms + (brief ? BRIEF_MS : WATCH_AFTER_MS));
	if (!brief)
		answer_watch_out(&r->answer);
}

/* Remembers for the next run of the program, see start_watching(). */
static void
remember_brief(const struct request *r)
{
	r->gw->brief[r->program_key] = r->answer.seen <= BRIEF_BYTES &&
		loop_now(r->gw->loop) < r->started_ms + BRIEF_MS;
}

/* The program was reaped, but its pipe is still open. */
static void
start_lingering(struct request *r)
{
	const struct gateway *gw = r->gw;

	/* Children that it left running hold the pipe.  They are not killed. */
	watch_all(r);
	if (r->client && !r->answer.out_ended)
		loop_timer_set(gw->loop, &r->linger_timer,
			loop_now(gw->loop) + gw->opts->pool->cgi_linger_ms);
}

void
request_program_ended(struct request *r)
{
	capacity_free_place(r->gw->capacity);
	capacity_add_leftover(r->gw->capacity);
	request_stop_timers(r);
	body_close(&r->body);
	if (!r->client) {
		answer_drain_stderr(&r->answer);
		answer_end_log(&r->answer);
		request_end(r);
		return;
	}
	request_set_state(r, REQUEST_REAPED);
	if (!r->answer.out_ended)
		request_read_output(r, LOOP_READ | LOOP_HANGUP);
	remember_brief(r);
	if (r->client && !r->answer.out_ended)
		start_lingering(r);
	request_check_end(r);
	/* cgi.client_timeout applies to a client that does not read. */
	if (r->client && !r->linger_timer.place)
		arm_silence_timer(r, 0);
	if (r->client)
		r->client->on_change(r->client);
}

/* RFC 3875, 4.3.3; HAProxy answers 502 to HEAD when a body follows. */
static bool
is_head(const struct cgi_params *params)
{
	const struct fcgi_pair *method =
		cgi_params_find(params, "REQUEST_METHOD");

	return method && method->value_len == 4 &&
		memcmp(method->value, "HEAD", 4) == 0;
}

/* Finds and starts the program; -1 with why. */
static int
start_program(struct request *r, struct failure *why)
{
	static struct cgi_params params;
	const struct gateway_opts *opts = r->gw->opts;
	struct program prog;
	const char *text;
	int status = cgi_params_decode(
		r->params.len ? buf_data(&r->params) : NULL, r->params.len,
		&params, &text);

	if (status)
		return failure_text(why, (unsigned)status, text);
	if (is_head(&params))
		answer_drop_body(&r->answer);
	program_init(&prog);
	status = program_find(opts, &params, &prog, why);
	r->script.path = prog.path;
	if (status == 0)
		status = body_decide(&r->body, &params, r->role, why);
	if (status == 0)
		status = program_run(&prog, opts, &params, r->role,
			r->body.kind != CGI_BODY_NONE, &r->script, why);
	if (status == 0 && prog.nph)
		answer_allow_nph(&r->answer);
	r->program_key = (uint8_t)(prog.file.ino % GATEWAY_KEYS);
	program_close(&prog);
	return status;
}

/* Starts its program; a place has been taken for it. */
void
request_start(struct request *r)
{
	struct gateway *gw = r->gw;
	struct failure why;

	loop_timer_stop(gw->loop, &r->queue_timer);
	if (start_program(r, &why) < 0) {
		capacity_free_place(gw->capacity);
		request_fail(r, &why);
		return;
	}
	buf_fini(&r->params);
	request_set_state(r, REQUEST_RUNNING);
	reaper_add(gw->reaper, &r->script);
	r->started_ms = r->moved_ms = loop_now(gw->loop);
	if (gw->opts->pool->request_terminate_timeout_ms)
		loop_timer_set(gw->loop, &r->terminate_timer, r->started_ms +
			gw->opts->pool->request_terminate_timeout_ms);
	start_watching(r);
	if (body_start(&r->body, &why) < 0)
		request_fail(r, &why);
	if (r->client)
		r->client->on_change(r->client);
}

void
request_init_timers(struct request *r)
{
	r->queue_timer.on_timer = on_queue_timer;
	r->watch_timer.on_timer = on_watch_timer;
	r->silence_timer.on_timer = on_silence_timer;
	r->terminate_timer.on_timer = on_terminate_timer;
	r->linger_timer.on_timer = on_linger_timer;
}
