/*
 * request.c - state machine of one request; see request.h
 *
 * Called by gateway/conn for records of the peer, by gateway/capacity when a
 * place for the program is free, and by gateway/script when the program was
 * reaped.  gateway/body passes the body to the program and gateway/answer its
 * output to the peer; request_run.c starts the program and enforces timeouts.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/writer.h"

#define TO(state) (1U << REQUEST_##state)

static const uint8_t edges[REQUEST_STATE_MAX] = {
	[REQUEST_PARAMS] = TO(QUEUED) | TO(OVER),
	[REQUEST_QUEUED] = TO(RUNNING) | TO(OVER),
	[REQUEST_RUNNING] = TO(REAPED) | TO(OVER),
	[REQUEST_REAPED] = TO(OVER),
};

#undef TO

/* Asserts the table of request.h. */
void
request_check(const struct request *r)
{
	bool has_program = r->script.pid > 0;
	bool queue = r->queue_timer.place > 0;
	bool linger = r->linger_timer.place > 0;
	bool running = r->watch_timer.place || r->terminate_timer.place;
	bool silence = r->silence_timer.place > 0;

	if (has_program != (r->state == REQUEST_RUNNING))
		BUG("a request's program does not fit its state");
	if (r->claim.waiting && r->state != REQUEST_QUEUED)
		BUG("a request is queued in a state without a claim");
	if (!r->client && r->state != REQUEST_RUNNING &&
		r->state != REQUEST_OVER)
		BUG("a request has lost its client and is not over");
	if (r->client && r->state == REQUEST_OVER)
		BUG("a request is over before its client was answered");
	if ((queue && r->state != REQUEST_QUEUED) ||
		(linger && r->state != REQUEST_REAPED) ||
		(running && r->state != REQUEST_RUNNING) ||
		(silence && r->state != REQUEST_RUNNING &&
			r->state != REQUEST_REAPED))
		BUG("a request's timer is armed in a wrong state");
	if (r->client && r->client->writer != r->answer.to)
		BUG("a request's answer goes to another client");
}

void
request_stop_timers(struct request *r)
{
	struct loop *loop = r->gw->loop;

	loop_timer_stop(loop, &r->queue_timer);
	loop_timer_stop(loop, &r->watch_timer);
	loop_timer_stop(loop, &r->silence_timer);
	loop_timer_stop(loop, &r->terminate_timer);
	loop_timer_stop(loop, &r->linger_timer);
}

/* The only function that changes r->state. */
void
request_set_state(struct request *r, enum request_state to)
{
	if (!(edges[r->state] & 1U << to))
		BUG("a request changes to a state that cannot follow");
	r->state = (uint8_t)to;
	request_check(r);
}

static void
run_free(struct loop_task *task)
{
	struct request *r = container_of(task, struct request, free_task);
	bool reaped = script_is_reaped(&r->script);
	struct capacity *cap = r->gw->capacity;

	script_fini(&r->script);
	body_fini(&r->body);
	answer_fini(&r->answer);
	if (reaped)
		capacity_lose_leftover(cap);
	buf_fini(&r->params);
	free(r);
}

/* Frees the request: neither program nor client is left. */
void
request_end(struct request *r)
{
	request_stop_timers(r);
	request_set_state(r, REQUEST_OVER);
	/* The callers still read r->state. */
	loop_defer(r->gw->loop, &r->free_task);
	capacity_something_ended(r->gw->capacity);
}

/* Detaches the request from its client, which is returned. */
static struct request_client *
detach_client(struct request *r)
{
	struct request_client *client = r->client;

	r->client = NULL;
	answer_detach(&r->answer);
	return client;
}

/* The request is answered: the connection continues without it. */
static void
leave_client(struct request *r)
{
	struct request_client *client = detach_client(r);

	if (client)
		client->on_answered(client, r->body.stdin_ended);
	if (r->state != REQUEST_RUNNING && r->state != REQUEST_OVER)
		request_end(r);
}

/* Logs why, kills the program and answers with an error page. */
void
request_fail(struct request *r, const struct failure *why)
{
	failure_log(r->script.path, why);
	capacity_leave_queue(r->gw->capacity, &r->claim);
	request_stop_timers(r);
	if (why->status == 504)
		script_stop(&r->script);
	else
		script_signal(&r->script, SIGKILL);
	if (r->client && answer_header_is_done(&r->answer)) {
		/* Too late for a page: the peer must see that it is cut. */
		r->client->close(r->client);
		return;
	}
	if (r->client)
		answer_send_page(&r->answer, why);
	if (r->client)
		answer_end(&r->answer, 0);
	leave_client(r);
}

static void
fail_silence(struct request *r)
{
	const struct spawn_error *error = script_start_error(&r->script);
	const struct cgi_header *header = &r->answer.header;
	int status = r->script.status;
	const char *name = status > 128 ? sigabbrev_np(status - 128) : NULL;
	char signal_name[32];
	struct failure why;

	snprintf(signal_name, sizeof(signal_name), "%s%s", name ? "SIG" : "",
		name ? name : "no name");
	if (error)
		failure_of_start(r->gw->opts, r->script.spec, error, &why);
	else if (status > 128)
		/* Action: A SIGKILL that no process sent: memory ran out (see
		 * dmesg), or rlimit_cpu was used up. SIGXCPU, SIGXFSZ: a limit
		 * rlimit_* was reached. Otherwise find the fault with the log
		 * of the program or a debugger. */
		failure_set(&why, 502,
			"no CGI response: %s (killed by signal %d (%s))",
			cgi_header_cut(header), status - 128, signal_name);
	else
		/* Action: Run the program by hand and read what it prints. It
		 * must print a header, such as "Content-Type: text/plain", an
		 * empty line and the body. */
		failure_set(&why, 502,
			"no CGI response: %s (exit status %d)%s",
			cgi_header_cut(header), status, header->len == 0 ?
			"; if it is a FastCGI program, use mode = prefork" :
			"");
	request_fail(r, &why);
}

/* Ends the answer once the program is reaped and its output is complete. */
void
request_check_end(struct request *r)
{
	if (!r->client || r->state != REQUEST_REAPED ||
		!answer_is_complete(&r->answer))
		return;
	answer_drain_stderr(&r->answer);
	if (!r->client || r->client->writer->pipe_left > 0 ||
		(r->client->writer->blocked && !r->answer.err_ended))
		return;		/* request_resume() comes here again */
	answer_end_log(&r->answer);
	if (!answer_header_is_done(&r->answer) && !r->answer.muted) {
		fail_silence(r);
		return;
	}
	answer_end(&r->answer, (uint32_t)r->script.status);
	leave_client(r);
}

void
request_read_output(struct request *r, uint32_t events)
{
	struct failure why;

	switch (answer_read_out(&r->answer, events)) {
	case ANSWER_MORE:
		break;
	case ANSWER_COMPLETE:
		request_check_end(r);
		break;
	case ANSWER_FAILED:
		failure_set(&why, 502, "no CGI response: %s",
			answer_why(&r->answer));
		request_fail(r, &why);
		break;
	}
}

bool
request_is_beginning(const struct request *r)
{
	return r->state == REQUEST_PARAMS;
}

bool
request_is_receiving(const struct request *r)
{
	if (r->body.ended)
		return false;
	return r->state == REQUEST_PARAMS || r->state == REQUEST_QUEUED ||
		(r->script.infd >= 0 && !body_is_full(&r->body));
}

bool
request_is_quiet(const struct request *r)
{
	return r->state == REQUEST_RUNNING && r->watch != WATCH_ALL &&
		r->body.ended;
}

bool
request_is_uploading(const struct request *r)
{
	return r->state == REQUEST_RUNNING && !r->body.ended &&
		r->script.infd >= 0;
}

bool
request_is_full(const struct request *r)
{
	return r->state == REQUEST_QUEUED ||
		(r->state == REQUEST_RUNNING && body_is_full(&r->body));
}

void
request_peer_moved(struct request *r)
{
	r->moved_ms = loop_now(r->gw->loop);
}

void
request_stdin(struct request *r, const uint8_t *p, size_t len)
{
	struct failure why;

	request_check(r);
	switch ((enum request_state)r->state) {
	case REQUEST_QUEUED:
		if (body_keep(&r->body, p, len) < 0)
			r->client->close(r->client);
		break;
	case REQUEST_RUNNING:
	case REQUEST_REAPED:
		if (body_take(&r->body, p, len, &why) < 0)
			request_fail(r, &why);
		break;
	default:
		break;
	}
}

void
request_stdin_end(struct request *r)
{
	request_check(r);
	/* Before the end of the parameters it is ignored. */
	if (r->state != REQUEST_PARAMS)
		body_end(&r->body);
}

void
request_params(struct request *r, const uint8_t *p, size_t len)
{
	struct failure why;

	request_check(r);
	if (r->state != REQUEST_PARAMS || buf_add(&r->params, p, len) == 0)
		return;
	if (errno == ENOBUFS)
		/* Action: A client sent many or long request headers. Lower
		 * the limits in the web server (nginx:
		 * large_client_header_buffers). */
		failure_set(&why, 431, "more than 256 KiB of parameters");
	else
		/* Action: Free memory, or raise the memory limit of the
		 * service (MemoryMax=). */
		failure_set(&why, 503, "out of memory for the parameters");
	request_fail(r, &why);
}

void
request_params_end(struct request *r)
{
	const int64_t limit_ms = r->gw->opts->pool->queue_timeout_ms;

	request_check(r);
	if (r->state != REQUEST_PARAMS)
		return;
	/* An authorizer gets no body (FastCGI 1.0, section 6.3). */
	if (r->role == FCGI_AUTHORIZER)
		body_want_none(&r->body);
	request_set_state(r, REQUEST_QUEUED);
	if (capacity_take_place(r->gw->capacity, &r->claim))
		request_start(r);
	else if (limit_ms)
		loop_timer_set(r->gw->loop, &r->queue_timer,
			loop_now(r->gw->loop) + limit_ms);
}

/* Answers an aborted request while its program continues. */
static void
end_aborted(struct request *r)
{
	if (r->client->writer->pipe_left > 0)
		return;		/* request_resume() comes here again */
	body_close(&r->body);
	answer_end(&r->answer, 0);
	leave_client(r);
	/* Its output was not read while the client did not read. */
	if (r->state == REQUEST_RUNNING)
		answer_watch(&r->answer);
}

static bool
kills_on_abort(const struct request *r)
{
	return r->gw->opts->pool->cgi_on_abort == CONF_ABORT_KILL;
}

void
request_abort(struct request *r)
{
	request_check(r);
	if (r->state == REQUEST_PARAMS || r->state == REQUEST_QUEUED) {
		capacity_leave_queue(r->gw->capacity, &r->claim);
		answer_end(&r->answer, 0);
		leave_client(r);
		return;
	}
	answer_mute(&r->answer);
	if (kills_on_abort(r)) {
		/* END_REQUEST follows when it is reaped. */
		script_signal(&r->script, SIGKILL);
		return;
	}
	end_aborted(r);
}

void
request_lost(struct request *r)
{
	(void)detach_client(r);
	capacity_leave_queue(r->gw->capacity, &r->claim);
	if (r->state != REQUEST_RUNNING) {
		request_end(r);
		return;
	}
	body_close(&r->body);
	if (kills_on_abort(r))
		script_signal(&r->script, SIGKILL);
	else
		answer_watch(&r->answer);	/* read and drop its output */
}

void
request_resume(struct request *r)
{
	request_check(r);
	if (r->state != REQUEST_RUNNING && r->state != REQUEST_REAPED)
		return;
	answer_watch(&r->answer);
	if (r->answer.muted && r->state == REQUEST_RUNNING &&
		!kills_on_abort(r))
		end_aborted(r);
	else
		request_check_end(r);
}

static void
on_place(struct capacity_claim *claim)
{
	request_start(container_of(claim, struct request, claim));
}

static void
on_program_exit(struct script *s)
{
	request_program_ended(container_of(s, struct request, script));
}

static void
on_in_event(struct loop_io *io, uint32_t events)
{
	struct request *r = container_of(io, struct request, script.in_io);
	(void)events;

	body_flush(&r->body);
	if (r->client)
		r->client->on_change(r->client);
}

static void
on_out_event(struct loop_io *io, uint32_t events)
{
	request_read_output(container_of(io, struct request, script.out_io),
		events);
}

static void
on_err_event(struct loop_io *io, uint32_t events)
{
	struct request *r = container_of(io, struct request, script.err_io);
	(void)events;

	answer_read_err(&r->answer);
}

struct request *
request_begin(struct gateway *gw, struct request_client *client, uint16_t id,
	uint16_t role)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->gw = gw;
	r->client = client;
	r->id = id;
	r->role = role;
	r->claim.on_place = on_place;
	request_init_timers(r);
	r->free_task.run = run_free;
	r->moved_ms = loop_now(gw->loop);
	buf_init(&r->params, CGI_PARAMS_MAX);
	script_init(&r->script, gw->loop);
	r->script.on_exit = on_program_exit;
	r->script.in_io.on_event = on_in_event;
	r->script.out_io.on_event = on_out_event;
	r->script.err_io.on_event = on_err_event;
	body_init(&r->body, gw, &r->script);
	answer_init(&r->answer, gw, &r->script, id, client->writer);
	request_check(r);
	return r;
}
