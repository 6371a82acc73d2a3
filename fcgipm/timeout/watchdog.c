/*
 * watchdog.c - finds requests that take too long, logs and ends them; see
 * watchdog.h
 *
 * Called by pool/open and pool/lifecycle, and by its own timer: each turn checks
 * all workers, by the board where that tells when a request began, else by the
 * kernel.  Asks timeout/deadline what is due.
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

/* However many workers there are, they are checked no more often. */
#define PAUSE_MS 20
/* Until a request that the board calls late and the kernel denies is checked
 * again. */
#define DOUBT_MS 1000

/* A slot for a worker. */
struct watched {
	struct worker *worker;
	struct kernel_worker *observation;
	/* In this turn. */
	bool on_board;		/* the board tells of requests of it */
	bool hidden;		/* but not of all: the kernel is asked too */
	/* What follows is for one that the kernel is asked about. */
	pid_t pid;		/* its process; another one starts from 0 */
	struct deadline_clock clock;
	bool disturbed;		/* by the slow log's tool since the last turn */
	bool reads;		/* from clients by read(2), as was seen */
	pid_t killed;		/* a descendant that may not be dead yet; 0 */
};

/* What was done about requests in a place of the board, by their number. */
struct place {
	uint64_t slow_id;	/* the last one that was logged, 0 = none */
	uint64_t killed_id;	/* whose process was killed; that may not be
				 * dead yet */
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
	struct place *places;	/* by slot of the board and place in it */
};

/* A request whose time is checked. */
struct timed_request {
	struct watched *at;
	pid_t pid;		/* whose it is: a hint, or a descendant */
	const char *method, *uri;	/* "" = not known */
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

/* -- what is done about it ------------------------------------------------- */

/* It is dead, and its parent, which is not us, may never wait for it. */
static bool
has_ended(pid_t pid)
{
	char state = procfs_state(pid);

	return state == 'Z' || state == 'X' || state == 0;
}

/* Without its query, which may hold secrets: the log is read by many. */
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
	char request[FCGIPM_METHOD_BYTES + FCGIPM_URI_BYTES + 2], doing[256];
	int worker = (int)q->at->worker->pid;
	char child[32] = "";

	name_request(q, request, sizeof(request));
	describe_brief(&d->kernel->prober, q->pid, doing, sizeof(doing));
	if (q->pid != worker)
		snprintf(child, sizeof(child), ", child %d", (int)q->pid);
	log_warning("pool %s: worker %d%s: %s has taken %.1f s "
		"(request_terminate_timeout), %s, %s: %s is killed",
		d->conf->name, worker, child, request,
		(double)q->ran_ms / 1000, q->doing, doing,
		whole ? "the worker" : "the child");
}

/*
 * A worker that is one process, or a shell and what it waits for, is killed as
 * a whole.  In one with more processes the others may be serving: only the one
 * with the request and its descendants are killed, and its parent replaces it.
 *
 * returns	false when there certainly is no request
 */
static bool
end_request(struct watchdog *d, const struct timed_request *q)
{
	struct worker *w = q->at->worker;
	const struct kernel_sample *sample = kernel_inspect(d->kernel,
		q->at->observation, now_ms());
	bool whole = q->pid == w->pid || sample->processes <= 2;

	/* Without a connection it has no request, whatever the board says. */
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
	log_warning("pool %s: worker %d: %s has taken %.1f s "
		"(request_slowlog_timeout); see %s", d->conf->name,
		(int)e.worker, request, (double)q->ran_ms / 1000,
		d->conf->slowlog);
	slowlog_add(d->slowlog, &e);
}

/*
 * Does what is due for a request that runs since since_ms.
 *
 * logged	it has been found slow already
 * returns	what was done: it was logged, or ended, or nothing
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

/* Not one that is starting, and not one that is killed already. */
static bool
serves_requests(const struct worker *w)
{
	return w->state == WORKER_UP || w->state == WORKER_RETIRING;
}

/* -- by the board ---------------------------------------------------------- */

static void
check_place(struct watchdog *d, struct watched *at, unsigned slot,
	unsigned place, int64_t now, int64_t *next)
{
	struct place *p = &d->places[slot * board_places(d->board) + place];
	struct board_request r;
	struct timed_request q = {.at = at, .method = r.method, .uri = r.uri};
	enum deadline_verdict done;

	/* Its process may have changed what it says since the slot was read. */
	if (!serves_requests(at->worker) ||
		!board_read_request(d->board, slot, place, &r) ||
		!descendants_include(at->worker->pid, r.pid) ||
		r.id == p->killed_id)
		return;
	q.pid = r.pid;
	q.doing = r.known ? "busy" : "still reading its parameters";
	done = check_request(d, &q, r.start_ms, p->slow_id == r.id, now, next);
	if (done == DEADLINE_SLOW)
		p->slow_id = r.id;
	else if (done == DEADLINE_LATE)
		p->killed_id = r.id;
}

/* The worker that a slot of the board belongs to, as one of its own or as a
 * spare one; NULL when the process that has it is not in its session. */
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

		/* Its own process need not have one, only what it forked. */
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

/* -- by the kernel --------------------------------------------------------- */

/* A worker that may read from clients by recv(2) may have the next request
 * without a read that is counted. */
static void
note_reading(const struct watchdog *d, struct watched *at,
	const struct kernel_sample *sample)
{
	if (at->reads || !sample->reading_counts)
		return;
	at->reads = true;
	log_debug("pool %s: worker %d reads from its clients by read(2)",
		d->conf->name, (int)at->pid);
}

/* Takes what was seen into the clock; false when the clock does not run. */
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
		.method = "", .uri = "", .doing = "with a connection"};
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
	/* A program that nothing can be preloaded into has a slot on the
	 * board, and writes nothing there. */
	at_ms = loop_now(d->loop) + deadline_pause(&d->limits, d->board &&
		board_read(d->board, slot, &sample) && board_knows(&sample));
	if (!d->timer.place || d->timer.at_ms > at_ms)
		loop_timer_set(d->loop, &d->timer, at_ms);
}

/* -- setting up ------------------------------------------------------------ */

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
		errno == ELOOP ? "it is a link; name the file itself" :
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
