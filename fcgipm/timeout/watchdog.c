/*
 * watchdog.c - goes round the workers for requests that take too long; see
 * patrol.h
 *
 * Called by pool/members.  Asks timeout/deadline what is due, and does it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "observe/board.h"
#include "observe/describe.h"
#include "worker/launch.h"
#include "timeout/watchdog.h"
#include "pool/pool.h"
#include "timeout/slowlog.h"
#include "timeout/deadline.h"
#include "sys/inspect.h"
#include "sys/procfs.h"
#include "sys/watch.h"

/* Of what a process has started, so many are ended with it. */
#define FAMILY_MAX 64
/* However many workers there are, they are looked at no more often. */
#define PAUSE_MS 20
/* Until a board that the kernel contradicts is looked at again. */
#define DOUBT_MS 1000

/* A worker that tells nothing. */
struct watched {
	pid_t pid;		/* it began with this one */
	struct deadline_clock clock;
	bool disturbed;		/* by the slow log's tool since the last look */
	bool reads;		/* from clients by read(2), as was seen */
};

struct watchdog {
	struct pool *p;
	struct loop_timer timer;
	struct deadline_limits limits;
	struct slowlog *slowlog;	/* NULL = none */
	struct watched *watched;	/* by slot */
	bool *tells;		/* by slot: the board says it all */
	uint64_t *told;		/* by slot and place: the last slow request */
};

/* A request that something is to be done about. */
struct found {
	struct pool_member *m;
	pid_t pid;		/* whose it is: a hint, or a descendant */
	const char *method, *uri;
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

/* -- ending ---------------------------------------------------------------- */

/* A session cannot be joined: who is in the worker's descends from it. */
static bool
is_of(const struct worker *w, pid_t pid)
{
	return pid > 0 && getsid(pid) == w->pid;
}

/* Ends a process of the worker's session; whoever took its number meanwhile
 * is not meant by the descriptor. */
static void
end_one(const struct worker *w, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0 && is_of(w, pid))
		(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	fd_close(&fd);
}

/* pid, which is not the worker, and what it has started: that may have its
 * connection too. */
static void
end_branch(const struct worker *w, pid_t pid)
{
	struct watch watch;
	pid_t pids[FAMILY_MAX] = {pid};
	size_t n = 1, more, i;

	for (i = 0; i < n; i++) {
		more = 0;
		if (watch_open(&watch, pids[i]) == 0)
			(void)watch_children(&watch, pids + n,
				FAMILY_MAX - n, &more);
		watch_close(&watch);
		n += more;
		end_one(w, pids[i]);
	}
}

/* It is dead, and its parent, which is not us, may never wait for it. */
static bool
has_ended(pid_t pid)
{
	char state = procfs_state(pid);

	return state == 'Z' || state == 'X' || state == 0;
}

/* Without its query, which may hold secrets: the log is read by many. */
static void
name_request(const struct found *f, char *buf, size_t size)
{
	if (!*f->uri)
		snprintf(buf, size, "a request");
	else
		snprintf(buf, size, "%s %.*s", *f->method ? f->method : "?",
			(int)strcspn(f->uri, "?"), f->uri);
}

static void
tell_end(struct pool *p, const struct found *f, bool whole)
{
	char request[FCGIPM_METHOD_BYTES + FCGIPM_URI_BYTES + 2], doing[256];
	char child[32] = "";

	name_request(f, request, sizeof(request));
	describe_brief(&p->observe.looker, f->pid, doing, sizeof(doing));
	if (f->pid != f->m->worker.pid)
		snprintf(child, sizeof(child), ", child %d", (int)f->pid);
	log_warning("pool %s: worker %d%s: %s has taken %.1f s "
		"(request_terminate_timeout), %s, %s: %s is killed",
		p->conf->name, (int)f->m->worker.pid, child, request,
		(double)f->ran_ms / 1000, f->doing, doing,
		whole ? "the worker" : "the child");
}

/*
 * A worker that is one process, or a shell and what it waits for, goes as a
 * whole.  One with more has others at work: only that branch goes, and its
 * parent sees to the rest.
 *
 * returns	false when it certainly has no request, whatever the board says
 */
static bool
end_request(struct pool *p, const struct found *f)
{
	const struct kernel_seen *seen = kernel_look_closely(&p->observe,
		&f->m->eye, now_ms());
	bool whole = f->pid == f->m->worker.pid || seen->processes <= 2;

	if (!seen->may_hold || has_ended(f->pid))
		return false;
	tell_end(p, f, whole);
	if (whole) {
		pool_end_worker(p, f->m, RETIRE_TIMEOUT);
	} else {
		end_branch(&f->m->worker, f->pid);
		stats_note_end(&p->stats, RETIRE_TIMEOUT);
	}
	return true;
}

static void
tell_slow(struct watchdog *r, const struct found *f)
{
	struct pool *p = r->p;
	char request[FCGIPM_METHOD_BYTES + FCGIPM_URI_BYTES + 2];
	const struct slowlog_entry e = {
		.worker = f->m->worker.pid,
		.pid = f->pid,
		.method = f->method,
		.uri = f->uri,
		.doing = f->doing,
		.ran_ms = f->ran_ms,
	};

	p->stats.slow_requests++;
	if (!slowlog_has_room(r->slowlog))
		return;
	name_request(f, request, sizeof(request));
	log_warning("pool %s: worker %d: %s has taken %.1f s "
		"(request_slowlog_timeout); see %s", p->conf->name,
		(int)e.worker, request, (double)f->ran_ms / 1000,
		p->conf->slowlog);
	slowlog_tell(r->slowlog, &e);
}

/*
 * Does what is due for a request that runs since since_ms.
 *
 * told		it has been found slow already
 * returns	the same, now
 */
static bool
judge(struct watchdog *r, struct found *f, int64_t since_ms, bool told,
	int64_t now, int64_t *next)
{
	f->ran_ms = now - since_ms;
	switch (deadline_judge(&r->limits, since_ms, told, now, next)) {
	case DEADLINE_SLOW:
		tell_slow(r, f);
		return true;
	case DEADLINE_LATE:
		if (!end_request(r->p, f))
			*next = MIN(*next, now + DOUBT_MS);
		break;
	case DEADLINE_FINE:
		break;
	}
	return told;
}

/* Neither one that is about to come nor one that is killed already. */
static bool
is_judged(const struct pool_member *m)
{
	return m->worker.state == WORKER_UP ||
		m->worker.state == WORKER_RETIRING;
}

/* -- by the board ---------------------------------------------------------- */

static void
judge_place(struct watchdog *r, struct pool_member *m, unsigned slot,
	unsigned place, int64_t now, int64_t *next)
{
	uint64_t *told = &r->told[slot * board_places(r->p->board) + place];
	struct board_request q;
	struct found f = {.m = m, .method = q.method, .uri = q.uri};

	/* Its process may have changed what it says since the slot was read. */
	if (!is_judged(m) ||
		!board_read_request(r->p->board, slot, place, &q) ||
		!is_of(&m->worker, q.pid))
		return;
	f.pid = q.pid;
	f.doing = q.known ? "busy" : "still reading its parameters";
	if (judge(r, &f, q.start_ms, *told == q.id, now, next))
		*told = q.id;
}

/* The worker that a slot belongs to; NULL when its process is none of it. */
static struct pool_member *
member_of(struct pool *p, unsigned slot, const struct board_seen *seen)
{
	unsigned i = slot < p->nmembers ? slot : (unsigned)seen->owner;
	struct pool_member *m;

	if (i >= p->nmembers)
		return NULL;
	m = &p->members[i];
	if (!worker_alive(&m->worker) || !is_of(&m->worker, seen->pid))
		return NULL;
	return m;
}

static void
walk_board(struct watchdog *r, int64_t now, int64_t *next)
{
	struct pool *p = r->p;
	unsigned slot, place;

	for (slot = 0; slot < board_slots(p->board); slot++) {
		struct board_seen seen;
		struct pool_member *m;

		if (!board_read(p->board, slot, &seen))
			continue;
		m = member_of(p, slot, &seen);
		if (!m)
			continue;
		r->tells[m->worker.slot] = !seen.blind && !seen.crowded;
		for (place = 0; !seen.blind &&
			place < board_places(p->board); place++)
			judge_place(r, m, slot, place, now, next);
	}
}

/* -- by the kernel --------------------------------------------------------- */

/* Who may read from clients by recv(2) has the next request without a read
 * that is counted. */
static void
note_reading(const struct pool *p, struct watched *w,
	const struct kernel_seen *seen)
{
	if (w->reads || !seen->reading_counts)
		return;
	w->reads = true;
	log_debug("pool %s: worker %d reads from its clients by read(2)",
		p->conf->name, (int)w->pid);
}

/* One more look; false when no clock runs. */
static bool
follow(struct pool *p, struct watched *w, const struct kernel_seen *seen, int64_t now)
{
	struct deadline_sight s = {.connection = seen->oldest,
		.waits = seen->waits, .reads = DEADLINE_UNKNOWN,
		.pauses = DEADLINE_UNKNOWN};

	if (s.connection != 0 && !s.waits) {
		if (w->reads)
			s.reads = describe_reads(&p->observe.looker,
				seen->oldest_pid);
		s.pauses = inspect_pauses(seen->oldest_pid);
	}
	deadline_follow(&w->clock, &s, w->disturbed, now);
	w->disturbed = false;
	return w->clock.since_ms != 0;
}

static void
judge_member(struct watchdog *r, struct pool_member *m, int64_t now,
	int64_t *next)
{
	struct watched *w = &r->watched[m->worker.slot];
	const struct kernel_seen *seen = kernel_look(&r->p->observe,
		&m->eye, now);
	struct found f = {.m = m, .pid = seen->oldest_pid, .method = "",
		.uri = "", .doing = "with a connection"};
	bool told;

	if (w->pid != m->worker.pid)
		*w = (struct watched){.pid = m->worker.pid};
	note_reading(r->p, w, seen);
	if (!follow(r->p, w, seen, now))
		return;
	told = w->clock.told;
	w->clock.told = judge(r, &f, w->clock.since_ms, told, now, next);
	w->disturbed = w->clock.told != told ||
		(r->slowlog && slowlog_looks_at(r->slowlog, f.pid));
}

/* -- the rounds ------------------------------------------------------------ */

static void
go_round(struct loop_timer *timer)
{
	struct watchdog *r = container_of(timer, struct watchdog, timer);
	struct pool *p = r->p;
	int64_t now = loop_now(p->loop), next = INT64_MAX;
	bool exact = true;
	unsigned i;

	if (p->alive == 0)
		return;
	memset(r->tells, 0, p->nmembers * sizeof(*r->tells));
	if (p->board)
		walk_board(r, now, &next);
	for (i = 0; i < p->nmembers; i++) {
		struct pool_member *m = &p->members[i];

		if (r->tells[i] || !is_judged(m))
			continue;
		exact = false;
		judge_member(r, m, now, &next);
	}
	next = MIN(next, now + deadline_pause(&r->limits, exact));
	loop_timer_set(p->loop, &r->timer, MAX(next, now + PAUSE_MS));
}

int
watchdog_open(struct pool *p, char *ret_why, size_t why_size)
{
	const struct conf_pool *c = p->conf;
	struct watchdog *r;
	size_t places = p->board ?
		(size_t)board_slots(p->board) * board_places(p->board) : 0;
	uid_t uid;
	gid_t gid;

	if (!watchdog_is_needed(c))
		return 0;
	launch_ids(p->launch, &uid, &gid);
	r = mem_calloc(1, sizeof(*r));
	*r = (struct watchdog){
		.p = p,
		.timer = {.on_timer = go_round},
		.limits = {c->request_slowlog_timeout_ms,
			c->request_terminate_timeout_ms},
	};
	if (r->limits.slow_ms > 0) {
		r->slowlog = slowlog_open(c->slowlog, c->name, p->loop,
			&p->observe.looker, uid, gid);
		if (!r->slowlog) {
			snprintf(ret_why, why_size, "slowlog: %s: %s",
				c->slowlog, errno == ELOOP ?
					"it is a link; name the file itself" :
					strerror(errno));
			free(r);
			return -1;
		}
	}
	r->watched = mem_calloc(p->nmembers, sizeof(*r->watched));
	r->tells = mem_calloc(p->nmembers, sizeof(*r->tells));
	r->told = mem_calloc(places, sizeof(*r->told));
	p->patrol = r;
	return 0;
}

void
watchdog_close(struct watchdog **r)
{
	if (!*r)
		return;
	loop_timer_stop((*r)->p->loop, &(*r)->timer);
	slowlog_close(&(*r)->slowlog);
	free((*r)->watched);
	free((*r)->tells);
	free((*r)->told);
	free(*r);
	*r = NULL;
}

void
watchdog_begin(struct pool *p, const struct pool_member *m)
{
	struct watchdog *r = p->patrol;
	struct board_seen seen;
	int64_t at_ms;

	if (!r)
		return;
	/* A program that nothing can be preloaded into has a place on the
	 * board, and tells nothing there. */
	at_ms = loop_now(p->loop) + deadline_pause(&r->limits, p->board &&
		board_read(p->board, m->worker.slot, &seen) &&
		board_knows(&seen));
	if (!r->timer.place || r->timer.at_ms > at_ms)
		loop_timer_set(p->loop, &r->timer, at_ms);
}

int
watchdog_reopen(struct pool *p)
{
	return p->patrol && p->patrol->slowlog ?
		slowlog_reopen(p->patrol->slowlog) : 0;
}
