/*
 * request.c - one request; see request.h
 *
 * gateway/conn tells what the peer sent, gateway/server when there is a place
 * for one more program, gateway/script that it ended.  What the program
 * writes is gateway/response's.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "gateway/body.h"
#include "gateway/conn.h"
#include "gateway/failure.h"
#include "gateway/gateway.h"
#include "gateway/program.h"
#include "gateway/request.h"
#include "gateway/response.h"
#include "gateway/server.h"

/*
 * To hear of a program's output, of its end and of its exit costs more than to
 * read it all at its exit.  So where the last run of a program was over within
 * BRIEF_MS, the next one is left alone for as long.
 */
#define BRIEF_MS 5
/* It wrote no more than its pipe takes without anybody reading. */
#define BRIEF_BYTES (32 * 1024)
/* When a program's stderr and its client are watched beside its output. */
#define WATCH_AFTER_MS 100
/* One read of the connection: no more comes before it is drained. */
#define BODY_MAX (64 * 1024)
/* Longest line of a program's stderr that is logged in one piece. */
#define LINE_MAX_BYTES (16 * 1024)
/* Turns of 32 KiB: 1 MiB, see pipe(7). */
#define LAST_WORDS_TURNS 33

static void
run_free(struct loop_task *task)
{
	struct request *r = container_of(task, struct request, free_task);

	script_fini(&r->script);
	if (r->out_grown)
		server_lost_pipe(r->srv);
	if (r->in_grown)
		server_lost_pipe(r->srv);
	if (r->leftover)
		server_lost_leftover(r->srv);
	buf_fini(&r->params);
	buf_fini(&r->body);
	buf_fini(&r->head);
	lines_fini(&r->err_lines);
	free(r->path);
	free(r);
}

/* Neither program nor connection is left. */
static void
over(struct request *r)
{
	if (r->state == REQUEST_OVER)
		return;
	r->state = REQUEST_OVER;
	loop_timer_stop(r->srv->loop, &r->timer);
	/* Whoever called us still looks at r->state. */
	loop_defer(r->srv->loop, &r->free_task);
	server_something_ended(r->srv);
}

/* Answered: the connection goes on without us. */
static void
leave_conn(struct request *r)
{
	struct conn *c = r->conn;

	r->conn = NULL;
	if (c)
		conn_request_ended(c, r->stdin_ended);
	if (r->script.pid == 0)
		over(r);
}

void
request_fail(struct request *r, const struct failure *why)
{
	failure_log(r, why);
	if (r->state == REQUEST_QUEUED)
		server_leave_queue(r->srv, r);
	if (why->status == 504)
		script_stop(&r->script);
	else
		script_signal(&r->script, SIGKILL);
	if (r->conn && r->header_done) {
		/* Too late for a page: an answer cut short must be seen. */
		conn_close(r->conn);
		return;
	}
	if (r->conn)
		failure_page(r, why);
	if (r->conn)
		response_end(r, 0);
	leave_conn(r);
}

static void
fail_silence(struct request *r)
{
	const struct spawn_error *failure = script_start_error(&r->script);
	int status = r->script.status;
	struct failure why;

	if (failure) {
		failure_of_start(r->srv->opts, r->script.spec, failure, &why);
		request_fail(r, &why);
		return;
	}
	failure_set(&why, 502, "no CGI answer: %s (%s %d)%s",
		cgi_header_cut(&r->header),
		status > 128 ? "signal" : "exit status",
		status > 128 ? status - 128 : status,
		r->header.len == 0
			? "; if it is a FastCGI program, use mode = prefork"
			: "");
	request_fail(r, &why);
}

/* What a program said before its end.  No more than the largest pipe holds: a
 * child it left behind may go on for ever. */
static void
read_last_words(struct request *r)
{
	int i;

	for (i = 0; i < LAST_WORDS_TURNS && response_read_err(r); i++)
		continue;
}

bool
request_has_output(const struct request *r)
{
	return r->out_ended || (r->lingered && r->out_owed == 0);
}

/* END_REQUEST, once the program is reaped and its output is complete. */
static void
check_end(struct request *r)
{
	if (!r->conn || r->script.pid || !request_has_output(r))
		return;
	read_last_words(r);
	if (!r->conn || r->conn->pipe_left > 0 ||
		(r->conn->blocked && !r->err_ended))
		return;		/* request_resume() comes here again */
	lines_end(&r->err_lines);
	if (!r->header_done && !r->aborted) {
		fail_silence(r);
		return;
	}
	response_end(r, (uint32_t)r->script.status);
	leave_conn(r);
}

void
request_output_ended(struct request *r)
{
	check_end(r);
}

/* The next look at a request that may be stuck. */
static void
arm_timer(struct request *r, int64_t limit_ms)
{
	const struct conf_pool *pool = r->srv->opts->pool;
	const int64_t limits[] = {
		pool->cgi_idle_timeout_ms, pool->cgi_client_timeout_ms};
	int64_t now = loop_now(r->srv->loop), at = 0;
	int64_t end_ms = r->script.pid && pool->request_terminate_timeout_ms ?
		r->started_ms + pool->request_terminate_timeout_ms : 0;
	size_t i;

	/* Whose turn it is may change: the shorter one decides. */
	for (i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i] > 0 && (at == 0 || now + limits[i] < at))
			at = now + limits[i];
	if (limit_ms > 0)
		at = MIN(at, r->active_ms + limit_ms);
	if (end_ms > 0 && (at == 0 || end_ms < at))
		at = end_ms;
	if (at)
		loop_timer_set(r->srv->loop, &r->timer, at);
}

/* It is none of the quick ones. */
static void
watch_all(struct request *r)
{
	r->quick = false;
	arm_timer(r, 0);
	if (!r->conn || !r->conn->blocked)
		response_resume(r);
	if (r->conn)
		conn_update(r->conn);
}

static void
start_watching(struct request *r)
{
	struct server *srv = r->srv;

	r->quick = true;
	r->brief = srv->brief[r->program_key];
	loop_timer_set(srv->loop, &r->timer, r->started_ms +
		(r->brief ? BRIEF_MS : WATCH_AFTER_MS));
	if (!r->brief)
		response_watch_out(r);
}

/* It is none of the brief ones. */
static void
watch_output(struct request *r)
{
	r->brief = false;
	loop_timer_set(r->srv->loop, &r->timer,
		r->started_ms + WATCH_AFTER_MS);
	if (!r->conn || !r->conn->blocked)
		response_watch_out(r);
}

static void
on_program_exit(struct script *s)
{
	struct request *r = container_of(s, struct request, script);
	struct loop *loop = r->srv->loop;

	server_del_program(r->srv, r);
	server_free_place(r->srv);
	r->leftover = true;
	server_add_leftover(r->srv);
	body_end(r);
	if (!r->conn) {
		read_last_words(r);
		lines_end(&r->err_lines);
		over(r);
		return;
	}
	if (!r->out_ended)
		response_read_out(r, LOOP_READ | LOOP_HANGUP);
	r->srv->brief[r->program_key] = r->out_seen <= BRIEF_BYTES &&
		loop_now(loop) < r->started_ms + BRIEF_MS;
	/* Children it left behind may hold the pipe; they are not ours. */
	if (r->conn && !r->out_ended)
		watch_all(r);
	if (r->conn && !r->out_ended)
		loop_timer_set(loop, &r->timer, loop_now(loop) +
			r->srv->opts->pool->cgi_linger_ms);
	check_end(r);
	if (r->conn)
		conn_update(r->conn);
}

bool
request_is_receiving(const struct request *r)
{
	if (r->input_ended)
		return false;
	return r->state != REQUEST_RUNNING ||
		(r->script.infd >= 0 && r->body.len == 0 && !r->in_full);
}

bool
request_is_quiet(const struct request *r)
{
	return r->state == REQUEST_RUNNING && r->quick && r->input_ended;
}

bool
request_is_uploading(const struct request *r)
{
	return r->state == REQUEST_RUNNING && !r->input_ended &&
		r->script.infd >= 0;
}

bool
request_is_full(const struct request *r)
{
	return r->state == REQUEST_QUEUED ||
		(r->state == REQUEST_RUNNING &&
			(r->body.len > 0 || r->in_full));
}

/* Whatever is in the pipe by now still belongs to the answer. */
static void
end_lingering(struct request *r)
{
	size_t promised = r->conn ? r->conn->pipe_left : 0;
	int n = 0;

	/* Of that the connection takes what it has promised by itself. */
	if (!r->out_ended && ioctl(r->script.outfd, FIONREAD, &n) == 0)
		r->out_owed = (uint32_t)((size_t)n - MIN((size_t)n, promised));
	r->lingered = true;
	check_end(r);
	/* What its client does not take is waited for no longer than ever. */
	if (r->conn)
		arm_timer(r, 0);
}

static void
on_timer(struct loop_timer *timer)
{
	struct request *r = container_of(timer, struct request, timer);
	const struct conf_pool *pool = r->srv->opts->pool;
	bool client = r->conn &&
		(r->conn->blocked || request_is_receiving(r));
	int64_t limit = client ? pool->cgi_client_timeout_ms :
				 pool->cgi_idle_timeout_ms;
	int64_t now = loop_now(r->srv->loop);
	struct failure why;

	if (r->state == REQUEST_QUEUED) {
		failure_set(&why, 503,
			"all %u places were taken for %lld ms "
			"(queue_timeout); raise pm.max_children",
			r->srv->places, (long long)pool->queue_timeout_ms);
		request_fail(r, &why);
		return;
	}
	if (r->script.pid == 0 && !r->lingered) {
		end_lingering(r);
		return;
	}
	if (r->script.pid && pool->request_terminate_timeout_ms &&
		now - r->started_ms >= pool->request_terminate_timeout_ms) {
		failure_set(&why, 504,
			"it ran for %lld ms; it is ended "
			"(request_terminate_timeout)",
			(long long)(now - r->started_ms));
		request_fail(r, &why);
		return;
	}
	if (r->brief) {
		watch_output(r);
		return;
	}
	if (r->quick) {
		watch_all(r);
		return;
	}
	if (limit <= 0 || now - r->active_ms < limit) {
		arm_timer(r, limit);
		return;
	}
	if (client) {
		log_warning("script %s: the client stopped %s; cgi.client_"
			"timeout ends the request", r->path,
			r->conn->blocked ? "reading" : "sending");
		conn_close(r->conn);
		return;
	}
	failure_set(&why, 504,
		"silent for %lld ms; it is ended (cgi.idle_timeout)",
		(long long)limit);
	request_fail(r, &why);
}

void
request_stdin(struct request *r, const uint8_t *p, size_t len)
{
	if (r->state == REQUEST_QUEUED) {
		if (buf_add(&r->body, p, len) < 0)
			conn_close(r->conn);
	} else if (r->state == REQUEST_RUNNING) {
		body_take(r, p, len);
	}
}

void
request_stdin_end(struct request *r)
{
	/* Before the parameters end it belongs to nothing. */
	if (r->state == REQUEST_PARAMS)
		return;
	r->input_ended = true;
	r->stdin_ended = true;
	if (r->state == REQUEST_RUNNING && r->body.len == 0)
		body_end(r);
}

void
request_params(struct request *r, const uint8_t *p, size_t len)
{
	struct failure why;

	if (r->state != REQUEST_PARAMS || buf_add(&r->params, p, len) == 0)
		return;
	if (errno == ENOBUFS)
		failure_set(&why, 431, "more than 256 KiB of parameters");
	else
		failure_set(&why, 503, "no memory for the parameters");
	request_fail(r, &why);
}

void
request_params_end(struct request *r)
{
	if (r->state != REQUEST_PARAMS)
		return;
	/* An authorizer is asked without a body (section 6.3). */
	r->input_ended = r->role == FCGI_AUTHORIZER;
	r->state = REQUEST_QUEUED;
	if (server_take_place(r->srv, r))
		request_start(r);
	else if (r->srv->opts->pool->queue_timeout_ms)
		loop_timer_set(r->srv->loop, &r->timer,
			loop_now(r->srv->loop) +
			r->srv->opts->pool->queue_timeout_ms);
}

/* How much body the program gets; -1 with why when that is too much. */
static int
decide_body(
	struct request *r, const struct cgi_params *params, struct failure *why)
{
	const uint64_t max = r->srv->opts->pool->cgi_max_body_bytes;

	r->body_kind = CGI_BODY_NONE;
	if (r->role == FCGI_RESPONDER)
		r->body_kind = (uint8_t)cgi_body_length(params, &r->body_left);
	if (r->body_kind == CGI_BODY_INVALID)
		return failure_set(why, 400, "CONTENT_LENGTH is no number");
	if (r->body_kind == CGI_BODY_LENGTH && max && r->body_left > max)
		return failure_set(
			why, 413, "the body is longer than cgi.max_body");
	return 0;
}

/* RFC 3875, 4.3.3; HAProxy answers 502 where a body comes all the same. */
static bool
is_head(const struct cgi_params *params)
{
	const struct fcgi_pair *method =
		cgi_params_find(params, "REQUEST_METHOD");

	return method && method->value_len == 4 &&
		memcmp(method->value, "HEAD", 4) == 0;
}

void
request_start(struct request *r)
{
	static struct cgi_params params;
	struct program prog;
	struct failure why;
	const char *text;
	struct buf body;
	int status;

	program_init(&prog);
	status = cgi_params_decode(r->params.len ? buf_data(&r->params) : NULL,
		r->params.len, &params, &text);
	if (status) {
		failure_set(&why, (unsigned)status, "%s", text);
		goto fail;
	}
	r->header_only = is_head(&params);
	if (program_find(r, &params, &prog, &why) < 0 ||
		decide_body(r, &params, &why) < 0 ||
		program_run(r, &params, &prog, &why) < 0)
		goto fail;
	r->program_key = (uint8_t)prog.file.ino;
	program_close(&prog);
	buf_fini(&r->params);
	r->state = REQUEST_RUNNING;
	server_add_program(r->srv, r);
	r->active_ms = loop_now(r->srv->loop);
	r->started_ms = r->active_ms;
	start_watching(r);
	body_grow_pipe(r);
	/* What came while it waited. */
	body = r->body;
	buf_init(&r->body, BODY_MAX);
	if (body.len > 0)
		body_take(r, buf_data(&body), body.len);
	buf_fini(&body);
	if (body_is_complete(r) && r->body.len == 0)
		body_end(r);
	if (r->conn)
		conn_update(r->conn);
	return;
fail:
	program_close(&prog);
	server_free_place(r->srv);
	request_fail(r, &why);
}

/* The program goes on for nobody. */
static void
end_aborted(struct request *r)
{
	if (r->conn->pipe_left > 0)
		return;		/* request_resume() comes here again */
	body_end(r);
	response_end(r, 0);
	leave_conn(r);
	/* It was not read while its client took nothing. */
	response_resume(r);
}

void
request_abort(struct request *r)
{
	if (r->state == REQUEST_PARAMS || r->state == REQUEST_QUEUED) {
		server_leave_queue(r->srv, r);
		response_end(r, 0);
		leave_conn(r);
		return;
	}
	r->aborted = true;
	if (r->srv->opts->pool->cgi_on_abort == CONF_ABORT_KILL) {
		/* END_REQUEST follows when it is reaped. */
		script_signal(&r->script, SIGKILL);
		return;
	}
	end_aborted(r);
}

void
request_lost(struct request *r)
{
	r->conn = NULL;
	if (r->state == REQUEST_QUEUED)
		server_leave_queue(r->srv, r);
	if (r->script.pid == 0) {
		over(r);
		return;
	}
	body_end(r);
	if (r->srv->opts->pool->cgi_on_abort == CONF_ABORT_KILL)
		script_signal(&r->script, SIGKILL);
	else
		response_resume(r);	/* to nobody, but it can go on */
}

void
request_resume(struct request *r)
{
	response_resume(r);
	if (r->aborted && r->script.pid &&
		r->srv->opts->pool->cgi_on_abort == CONF_ABORT_FINISH)
		end_aborted(r);
	else
		check_end(r);
}

static void
on_out_event(struct loop_io *io, uint32_t events)
{
	response_read_out(container_of(io, struct request, script.out_io),
		events);
}

static void
on_err_line(struct lines *l, const char *text, size_t len)
{
	const struct request *r = container_of(l, struct request, err_lines);

	log_notice("script %s: %.*s", r->path, (int)len, text);
}

static void
on_err_event(struct loop_io *io, uint32_t events)
{
	(void)events;
	response_read_err(container_of(io, struct request, script.err_io));
}

struct request *
request_begin(struct conn *c, uint16_t id, uint16_t role)
{
	struct server *srv = c->srv;
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->conn = c;
	r->srv = srv;
	r->id = id;
	r->role = role;
	r->state = REQUEST_PARAMS;
	r->timer.on_timer = on_timer;
	r->free_task.run = run_free;
	r->active_ms = loop_now(srv->loop);
	buf_init(&r->params, CGI_PARAMS_MAX);
	buf_init(&r->body, BODY_MAX);
	buf_init(&r->head, srv->opts->pool->cgi_max_header_bytes +
		2 * BODY_MAX);
	lines_init(&r->err_lines, LINE_MAX_BYTES, on_err_line);
	cgi_header_init(&r->header, srv->opts->pool->cgi_max_header_bytes);
	script_init(&r->script, srv->loop);
	r->script.on_exit = on_program_exit;
	r->script.in_io.on_event = body_on_writable;
	r->script.out_io.on_event = on_out_event;
	r->script.err_io.on_event = on_err_event;
	return r;
}
