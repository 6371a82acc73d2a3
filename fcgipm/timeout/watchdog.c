/*
 * watchdog.c - enforces request_terminate_timeout and request_slowlog_timeout;
 * see watchdog.h
 *
 * Called by pool/open and pool/lifecycle, and by its own timer.  Each turn
 * checks all workers: with the board where that shows when a request began,
 * otherwise through the kernel.  timeout/deadline decides what is due.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "observe/activity.h"
#include "observe/board.h"
#include "observe/describe.h"
#include "observe/kernel.h"
#include "sys/inspect.h"
#include "sys/procfs.h"
#include "timeout/deadline.h"
#include "timeout/descendants.h"
#include "timeout/slowlog.h"
#include "timeout/watchdog.h"
#include "worker/worker.h"

/* Minimum time between two turns. */
#define PAUSE_MS 20
/* After this time a request is checked again that is late according to the
 * board, while the kernel shows no connection. */
#define DOUBT_MS 1000

/* A slot for a worker. */
struct watched {
	struct worker *worker;
	struct kernel_worker *observation;
	/* In this turn. */
	bool on_board;		/* the board shows its requests */
	bool hidden;		/* but not all: inspect it through the kernel */
	/* For a worker that is inspected through the kernel: */
	pid_t pid;		/* its process; reset for another one */
	struct deadline_clock clock;
	bool disturbed;		/* by the slow log's tool since the last turn */
	bool reads;		/* it was seen to read requests with read(2) */
	pid_t killed;		/* a descendant that may still be alive; 0 */
};

/* What was done about the requests in a cell of the board, by their id. */
struct place {
	uint64_t slow_id;	/* the last one that was logged, 0 = none */
	uint64_t killed_id;	/* the last one whose process was killed; that
				 * may still be alive */
};

struct watchdog {
	const struct conf_pool *conf;
	struct loop *loop;
	const struct board *board;	/* NULL = none */
	struct kernel_observer *kernel;
	const struct watchdog_ops *ops;
	struct loop_timer timer;
	struct deadline_limits limits;
	struct slowlog *slowlog;	/* NULL = none */
	struct watched *watched;	/* by slot */
	unsigned nwatched;
	struct place *places;	/* by slot and cell of the board */
};

/* A request whose time is checked. */
struct timed_request {
	struct watched *at;
	pid_t pid;		/* of the worker or a descendant; untrusted */
	const char *method, *uri;	/* "" = unknown */
	const char *doing;
	int64_t ran_ms;
};

bool
watchdog_is_needed(const struct conf_pool *conf)
{
	return conf->mode == CONF_MODE_PREFORK &&
		(conf->request_terminate_timeout_ms > 0 ||
			conf->request_slowlog_timeout_ms > 0);
}

/* -- slow and late requests ------------------------------------------------ */

/* Has the process exited?  Its parent, which is not the supervisor, may never
 * wait for it. */
static bool
has_ended(pid_t pid)
{
	char state = procfs_state(pid);

	return state == 'Z' || state == 'X' || state == 0;
}

/* Omits the query, which may contain secrets: many users may read the log. */
static void
name_request(const struct timed_request *q, char *buf, size_t size)
{
	if (!*q->uri)
		snprintf(buf, size, "a request");
	else
		snprintf(buf, size, "%s %.*s", *q->method ? q->method : "?",
			(int)strcspn(q->uri, "?"), q->uri);
}

static void
log_late(struct watchdog *d, const struct timed_request *q, bool whole)
{
	char request[FCGIPM_METHOD_BYTES + FCGIPM_URI_BYTES + 2], state[256];
	pid_t pid = q->at->worker->pid;
	char victim[64] = "the worker";

	name_request(q, request, sizeof(request));
	describe_brief(&d->kernel->prober, q->pid, state, sizeof(state));
	if (q->pid != pid)
		snprintf(victim, sizeof(victim), "%schild %d",
			whole ? "the worker and its " : "its ", (int)q->pid);
	/* Action: find out what the request waits for; the last part says what
	 * its process was doing, and request_slowlog_timeout logs more.  If the
	 * request may take that long, raise request_terminate_timeout. */
	log_warning("pool %s: worker %d: %s timed out after %.1f s "
		"(request_terminate_timeout); killed %s: it was %s, %s",
		d->conf->name, (int)pid, request, (double)q->ran_ms / 1000,
		victim, q->doing, state);
}

/*
 * Ends a late request.
 *
 * A worker that is one process, or a shell and the program it waits for, is
 * killed as a whole.  In a worker with more processes the others may be serving
 * requests: only the process with the request and its descendants are killed,
 * and its parent replaces it.
 *
 * returns	false when the worker certainly has no request
 */
static bool
end_request(struct watchdog *d, const struct timed_request *q)
{
	struct worker *w = q->at->worker;
	const struct kernel_sample *sample = kernel_inspect(d->kernel,
		q->at->observation, now_ms());
	bool whole = q->pid == w->pid || sample->processes <= 2;

	/* Without a connection it has no request, even if the board shows
	 * one. */
	if (!activity_by_kernel(sample, d->conf->threads).may_hold ||
		has_ended(q->pid))
		return false;
	log_late(d, q, whole);
	if (whole) {
		d->ops->on_late(w);
	} else {
		descendants_kill(w->pid, q->pid);
		d->ops->on_descendant_killed(w);
	}
	return true;
}

static void
log_slow(struct watchdog *d, const struct timed_request *q)
{
	char request[FCGIPM_METHOD_BYTES + FCGIPM_URI_BYTES + 2];
	const struct slowlog_entry e = {
		.worker = q->at->worker->pid,
		.pid = q->pid,
		.method = q->method,
		.uri = q->uri,
		.doing = q->doing,
		.ran_ms = q->ran_ms,
	};

	d->ops->on_slow(q->at->worker);
	if (!slowlog_has_room(d->slowlog))
		return;
	name_request(q, request, sizeof(request));
	/* Action: the entry in the slow log shows the full URI, the system call
	 * and the stack of the program.  If such requests are normal, raise
	 * request_slowlog_timeout. */
	log_warning("pool %s: worker %d: %s is slow: running for %.1f s "
		"(request_slowlog_timeout); see %s", d->conf->name,
		(int)q->at->worker->pid, request, (double)q->ran_ms / 1000,
		d->conf->slowlog);
	slowlog_add(d->slowlog, &e);
}

/*
 * Logs or ends a request that has been running since since_ms, if that is due.
 *
 * logged	it has already been logged as slow
 * returns	what was done
 */
static enum deadline_verdict
check_request(struct watchdog *d, struct timed_request *q, int64_t since_ms,
	bool logged, int64_t now, int64_t *next)
{
	enum deadline_verdict verdict =
		deadline_judge(&d->limits, since_ms, logged, now, next);

	q->ran_ms = now - since_ms;
	if (verdict == DEADLINE_SLOW)
		log_slow(d, q);
	if (verdict == DEADLINE_LATE && !end_request(d, q)) {
		*next = MIN(*next, now + DOUBT_MS);
		return DEADLINE_FINE;
	}
	return verdict;
}

/* A worker that is starting, or has been killed, is not checked. */
static bool
serves_requests(const struct worker *w)
{
	return w->state == WORKER_UP || w->state == WORKER_RETIRING;
}

/* -- workers on the board -------------------------------------------------- */

static void
check_place(struct watchdog *d, struct watched *at, unsigned slot,
	unsigned place, int64_t now, int64_t *next)
{
	struct place *p = &d->places[slot * board_places(d->board) + place];
	struct board_request r;
	struct timed_request q = {.at = at, .method = r.method, .uri = r.uri};
	enum deadline_verdict done;

	/* Its process may have changed the slot since it was read. */
	if (!serves_requests(at->worker) ||
		!board_read_request(d->board, slot, place, &r) ||
		!descendants_include(at->worker->pid, r.pid) ||
		r.id == p->killed_id)
		return;
	q.pid = r.pid;
	q.doing = r.known ? "answering" : "reading the request";
	done = check_request(d, &q, r.start_ms, p->slow_id == r.id, now, next);
	if (done == DEADLINE_SLOW)
		p->slow_id = r.id;
	else if (done == DEADLINE_LATE)
		p->killed_id = r.id;
}

/* The worker that a slot belongs to, its own or a spare one; NULL when the
 * process in the slot is not in the worker's session. */
static struct watched *
owner_of_slot(struct watchdog *d, unsigned slot,
	const struct board_sample *sample)
{
	unsigned i = slot < d->nwatched ? slot : (unsigned)sample->owner;
	struct watched *at;

	if (i >= d->nwatched)
		return NULL;
	at = &d->watched[i];
	if (!worker_alive(at->worker) ||
		!descendants_include(at->worker->pid, sample->pid))
		return NULL;
	return at;
}

static void
check_board(struct watchdog *d, int64_t now, int64_t *next)
{
	unsigned slot, place;

	for (slot = 0; slot < board_slots(d->board); slot++) {
		struct board_sample sample;
		bool attached = board_read(d->board, slot, &sample);
		struct watched *at;

		/* The worker itself may have no slot, only processes that it
		 * forked. */
		if (slot < d->nwatched && sample.no_spare)
			d->watched[slot].hidden = true;
		at = attached ? owner_of_slot(d, slot, &sample) : NULL;
		if (!at)
			continue;
		at->on_board = true;
		if (sample.incomplete)
			at->hidden = true;
		for (place = 0; !sample.incomplete &&
			place < board_places(d->board); place++)
			check_place(d, at, slot, place, now, next);
	}
}

/* -- other workers, through the kernel ------------------------------------- */

/* Notes that the worker reads requests with read(2).  Until then it may use
 * recv(2), which the kernel does not count. */
static void
note_reading(const struct watchdog *d, struct watched *at,
	const struct kernel_sample *sample)
{
	if (at->reads || !sample->reading_counts)
		return;
	at->reads = true;
	log_debug("pool %s: worker %d: reads requests with read(2)",
		d->conf->name, (int)at->pid);
}

/* Updates the clock; false when it does not run. */
static bool
advance_clock(struct watchdog *d, struct watched *at,
	const struct kernel_sample *sample, int64_t now)
{
	struct deadline_sample s = {.connection = sample->oldest,
		.waits = sample->waits, .reads = DEADLINE_UNKNOWN,
		.pauses = DEADLINE_UNKNOWN};

	if (s.connection != 0 && !s.waits) {
		if (at->reads)
			s.reads = describe_reads(&d->kernel->prober,
				sample->oldest_pid);
		s.pauses = inspect_pauses(sample->oldest_pid);
	}
	deadline_follow(&at->clock, &s, at->disturbed, now);
	at->disturbed = false;
	return at->clock.since_ms != 0;
}

static void
check_by_kernel(struct watchdog *d, struct watched *at, int64_t now,
	int64_t *next)
{
	const struct kernel_sample *sample = kernel_check(d->kernel,
		at->observation, now);
	struct timed_request q = {.at = at, .pid = sample->oldest_pid,
		.method = "", .uri = "", .doing = "serving a connection"};
	enum deadline_verdict done;

	if (at->pid != at->worker->pid) {
		at->pid = at->worker->pid;
		at->clock = (struct deadline_clock){0};
		at->disturbed = at->reads = false;
	}
	if (at->killed != q.pid)
		at->killed = 0;
	note_reading(d, at, sample);
	if (!advance_clock(d, at, sample, now) || at->killed != 0)
		return;
	done = check_request(d, &q, at->clock.since_ms, at->clock.logged_slow,
		now, next);
	if (done == DEADLINE_SLOW)
		at->clock.logged_slow = true;
	else if (done == DEADLINE_LATE)
		at->killed = q.pid;
	at->disturbed = done == DEADLINE_SLOW ||
		(d->slowlog && slowlog_is_tracing(d->slowlog, q.pid));
}

/* -- the turns ------------------------------------------------------------- */

static void
check_workers(struct loop_timer *timer)
{
	struct watchdog *d = container_of(timer, struct watchdog, timer);
	int64_t now = loop_now(d->loop), next = INT64_MAX;
	bool alive = false, exact = true;
	unsigned i;

	for (i = 0; i < d->nwatched; i++) {
		d->watched[i].on_board = d->watched[i].hidden = false;
		alive |= worker_alive(d->watched[i].worker);
	}
	if (!alive)
		return;
	if (d->board)
		check_board(d, now, &next);
	for (i = 0; i < d->nwatched; i++) {
		struct watched *at = &d->watched[i];

		if ((at->on_board && !at->hidden) ||
			!serves_requests(at->worker))
			continue;
		exact = false;
		check_by_kernel(d, at, now, &next);
	}
	next = MIN(next, now + deadline_pause(&d->limits, exact));
	loop_timer_set(d->loop, &d->timer, MAX(next, now + PAUSE_MS));
}

void
watchdog_begin(struct watchdog *d, unsigned slot)
{
	struct board_sample sample;
	int64_t at_ms;

	if (!d)
		return;
	/* A program into which the shim cannot be preloaded has a slot too,
	 * but writes nothing there. */
	at_ms = loop_now(d->loop) + deadline_pause(&d->limits, d->board &&
		board_read(d->board, slot, &sample) && board_knows(&sample));
	if (!d->timer.place || d->timer.at_ms > at_ms)
		loop_timer_set(d->loop, &d->timer, at_ms);
}

/* -- start and end --------------------------------------------------------- */

static int
open_slowlog(struct watchdog *d, const struct watchdog_spec *spec, char *why,
	size_t why_size)
{
	const struct conf_pool *c = spec->conf;

	if (d->limits.slow_ms == 0)
		return 0;
	d->slowlog = slowlog_open(c->slowlog, c->name, d->loop,
		&d->kernel->prober, spec->uid, spec->gid);
	if (d->slowlog)
		return 0;
	snprintf(why, why_size, "slowlog: %s: %s", c->slowlog,
		errno == ELOOP ? "is a symbolic link; name the file itself" :
				 strerror(errno));
	return -1;
}

struct watchdog *
watchdog_open(const struct watchdog_spec *spec, char *ret_why, size_t why_size)
{
	struct watchdog *d = mem_calloc(1, sizeof(*d));
	unsigned i;

	*d = (struct watchdog){
		.conf = spec->conf,
		.loop = spec->loop,
		.board = spec->board,
		.kernel = spec->kernel,
		.ops = spec->ops,
		.timer = {.on_timer = check_workers},
		.limits = {spec->conf->request_slowlog_timeout_ms,
			spec->conf->request_terminate_timeout_ms},
		.watched = mem_calloc(spec->nsubjects, sizeof(*d->watched)),
		.nwatched = spec->nsubjects,
	};
	for (i = 0; i < d->nwatched; i++) {
		d->watched[i].worker = spec->subjects[i].worker;
		d->watched[i].observation = spec->subjects[i].observation;
	}
	if (d->board)
		d->places = mem_calloc((size_t)board_slots(d->board) *
			board_places(d->board), sizeof(*d->places));
	if (open_slowlog(d, spec, ret_why, why_size) < 0)
		watchdog_close(&d);
	return d;
}

void
watchdog_close(struct watchdog **d)
{
	if (!*d)
		return;
	loop_timer_stop((*d)->loop, &(*d)->timer);
	slowlog_close(&(*d)->slowlog);
	free((*d)->watched);
	free((*d)->places);
	free(*d);
	*d = NULL;
}

int
watchdog_reopen(struct watchdog *d)
{
	return d && d->slowlog ? slowlog_reopen(d->slowlog) : 0;
}
