/*
 * test_board.c - the scoreboard (board), also with invalid contents
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "base/vec.h"
#include "observe/board.h"
#include "sys/procfs.h"

/* Small enough to be overwritten often. */
enum { NSLOTS = 3, NSPARE = 2, THREADS = 2 };

static struct board *b;
static struct fcgipm_view view;		/* a worker's */

static void
open_view(struct fcgipm_view *v, const struct board *of)
{
	char text[32];

	snprintf(text, sizeof(text), "%d:%d", board_fd(of),
		board_eventfd(of));
	cr_assert_eq(fcgipm_view_open_(v, text), 0);
}

static void
setup(void)
{
	b = board_new(NSLOTS, NSPARE, THREADS);
	cr_assert_not_null(b);
	open_view(&view, b);
}

static void
teardown(void)
{
	board_free(&b);
	cr_expect_null(b);
	board_free(&b);
}

TestSuite(board, .init = setup, .fini = teardown, .timeout = 60);

static size_t
size_of(const struct board *of)
{
	struct stat st;

	cr_assert_eq(fstat(board_fd(of), &st), 0);
	return (size_t)st.st_size;
}

static bool
has_event(void)
{
	struct pollfd p = {.fd = board_eventfd(b), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* Claims a slot; this process is its worker. */
static struct fcgipm_slot *
claim(unsigned slot)
{
	board_reset(b, slot, 0);
	board_started(b, slot, getpid());
	return fcgipm_claim_(&view, slot, FCGIPM_TIER_SHIM);
}

/* A connection ends, and its thread waits for the next one. */
static void
end_connection(struct fcgipm_slot *s)
{
	fcgipm_end_connection_(s);
	fcgipm_give_place_(&view, s);
}

static void
put_request(struct fcgipm_cell *c, const char *method, const char *uri)
{
	fcgipm_cell_begin_(c);
	fcgipm_put_text_(c->method, FCGIPM_METHOD_BYTES, method,
		strlen(method));
	fcgipm_put_text_(c->uri, FCGIPM_URI_BYTES, uri, strlen(uri));
	FCGIPM_PUT(c->start, fcgipm_now_(CLOCK_MONOTONIC));
	FCGIPM_PUT(c->state, (uint32_t)FCGIPM_BUSY);
	fcgipm_cell_end_(c);
}

Test(board, its_size_cannot_be_changed)
{
	size_t size = size_of(b);
	int fd = board_fd(b);

	cr_expect_eq(ftruncate(fd, 0), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_eq(ftruncate(fd, (off_t)size * 2), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_eq(size_of(b), size);
}

Test(board, descriptors_are_close_on_exec)
{
	cr_expect(fcntl(board_fd(b), F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(board_eventfd(b), F_GETFD) & FD_CLOEXEC);
}

Test(board, no_process_is_attached_before_the_first_accept)
{
	struct board_sample seen;
	unsigned i;

	board_reset(b, 0, 0);
	board_started(b, 0, getpid());
	for (i = 0; i < board_slots(b); i++) {
		cr_expect_not(board_read(b, i, &seen));
		cr_expect_not(seen.attached);
		cr_expect_eq(seen.pid, 0);
	}
	cr_expect_eq(board_idle(b), 0);
}

Test(board, shows_what_a_worker_wrote)
{
	struct fcgipm_slot *s = claim(1);
	struct board_sample seen;

	cr_assert_not_null(s);
	cr_expect(board_read(b, 1, &seen));
	cr_expect(seen.ours);
	cr_expect_not(seen.handler);
	cr_expect_eq(seen.pid, getpid());
	cr_expect_eq(seen.state, FCGIPM_FREE);
	cr_expect_gt(seen.since_ms, 0);
	cr_expect_eq(board_idle(b), THREADS);

	fcgipm_take_place_(&view, s);
	put_request(fcgipm_cell_at_(s, 1), "GET", "/a?b=c");
	cr_expect(board_read(b, 1, &seen));
	cr_expect_eq(seen.state, FCGIPM_BUSY);
	cr_expect_str_eq(seen.method, "GET");
	cr_expect_str_eq(seen.uri, "/a?b=c");
	cr_expect_eq(seen.open, 1);
	cr_expect_eq(seen.running, 1);
	cr_expect_eq(seen.accepted, 1);
	cr_expect_leq(seen.start_ms, now_ms());
	cr_expect_gt(seen.start_ms, now_ms() - 10000);
	cr_expect_eq(board_idle(b), THREADS - 1);

	fcgipm_count_request_(&view, s);
	end_connection(s);
	cr_expect(board_read(b, 1, &seen));
	cr_expect_eq(seen.requests, 1);
	cr_expect_eq(seen.open, 0);
	cr_expect_eq(board_idle(b), THREADS);
}

Test(board, shows_the_oldest_of_several_requests)
{
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;
	struct timespec pause = {0, 5000000};

	put_request(fcgipm_cell_at_(s, 1), "GET", "/old");
	nanosleep(&pause, NULL);
	put_request(fcgipm_cell_at_(s, 0), "GET", "/young");
	cr_expect(board_read(b, 0, &seen));
	cr_expect_str_eq(seen.uri, "/old");
	cr_expect_eq(seen.running, 2);
}

Test(board, cuts_long_text)
{
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;
	char uri[1000];

	memset(uri, 'u', sizeof(uri) - 1);
	uri[sizeof(uri) - 1] = '\0';
	put_request(fcgipm_cell_at_(s, 0), "VERY-LONG-METHOD-NAME", uri);
	cr_expect(board_read(b, 0, &seen));
	cr_expect_str_eq(seen.method, "VERY-LONG-METHO");
	cr_expect_eq(strlen(seen.uri), FCGIPM_URI_BYTES - 1);
	put_request(fcgipm_cell_at_(s, 0), "GET", "/12345678");
	cr_expect(board_read(b, 0, &seen));
	cr_expect_str_eq(seen.uri, "/12345678", "has bytes of the longer one");
}

Test(board, a_cell_whose_change_never_ends_is_reported_as_torn)
{
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;

	put_request(fcgipm_cell_at_(s, 0), "GET", "/half");
	fcgipm_cell_begin_(fcgipm_cell_at_(s, 0));
	cr_expect(board_read(b, 0, &seen));
	cr_expect(seen.torn);
	cr_expect_str_empty(seen.uri);
	cr_expect_eq(seen.state, FCGIPM_BUSY);
}

Test(board, a_reset_clears_the_slot_and_its_idle_capacity)
{
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;

	fcgipm_take_place_(&view, s);
	board_ask_stop(b, 0);
	cr_expect_neq(FCGIPM_GET(s->stop), 0);
	board_reset(b, 0, 0);
	cr_expect_eq(FCGIPM_GET(s->stop), 0);
	cr_expect_not(board_read(b, 0, &seen));
	cr_expect_eq(board_idle(b), 0);
}

Test(board, another_pid_claims_a_spare_slot)
{
	struct fcgipm_slot *s;
	struct board_sample seen;

	board_reset(b, 2, 0);
	board_started(b, 2, getppid());
	s = fcgipm_claim_(&view, 2, FCGIPM_TIER_SHIM);
	cr_assert_not_null(s);
	cr_expect_not(board_read(b, 2, &seen));
	cr_assert(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.pid, getpid());
	cr_expect_eq(seen.owner, 2);
	cr_expect_not(seen.ours);
	/* A worker can write any value there. */
	FCGIPM_PUT(s->owner, NSLOTS - 1);
	cr_expect(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.owner, NSLOTS - 1);
	FCGIPM_PUT(s->owner, NSLOTS);
	cr_expect(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.owner, -1);
	FCGIPM_PUT(s->owner, -7);
	cr_expect(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.owner, -1);
	FCGIPM_PUT(s->owner, 2);
	/* It exits; its counters stay. */
	fcgipm_take_place_(&view, s);
	fcgipm_count_request_(&view, s);
	fcgipm_release_(&view, s);
	cr_expect_not(board_read(b, NSLOTS, &seen));
	cr_expect_eq(board_idle(b), 0);
	(void)fcgipm_claim_(&view, 2, FCGIPM_TIER_SHIM);
	cr_assert(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.requests, 1);
	cr_expect_eq(seen.open, 0);
	cr_expect_eq(board_idle(b), THREADS);
}

/* The child of a shell claims a slot before the supervisor has written the pid
 * of the shell. */
Test(board, a_process_waits_until_the_pid_of_the_worker_is_known)
{
	struct board_sample seen;
	int status;
	pid_t pid;

	board_reset(b, 2, 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(fcgipm_claim_(&view, 2, FCGIPM_TIER_SHIM) !=
			fcgipm_slot_at_(&view, NSLOTS));
	while (procfs_state(pid) == 'R')
		sched_yield();
	board_started(b, 2, getpid());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	cr_expect_not(board_read(b, 2, &seen));
}

Test(board, more_processes_than_spare_slots_are_reported)
{
	struct board_sample seen;
	unsigned i;

	board_reset(b, 0, 0);
	board_started(b, 0, getppid());
	for (i = 0; i < NSPARE; i++)
		cr_assert_not_null(
			fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM));
	cr_expect_null(fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM));
	board_read(b, 0, &seen);
	cr_expect(seen.no_spare);
	cr_expect_eq(board_idle(b), NSPARE * THREADS);
}

/* A process that has ended and was waited for. */
static pid_t
dead_pid(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	return pid;
}

Test(board, spare_slots_of_dead_processes_are_free)
{
	struct fcgipm_slot *s;
	struct board_sample seen;
	unsigned i;

	board_reset(b, 0, 0);
	board_started(b, 0, getppid());
	for (i = 0; i < NSPARE; i++) {
		s = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
		FCGIPM_PUT(s->pid, (int32_t)dead_pid());
	}
	cr_assert_not_null(fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM),
		"none was taken over");
	cr_expect_eq(board_idle(b), NSPARE * THREADS);
	board_sweep(b);
	cr_expect_eq(board_idle(b), THREADS);
	cr_expect(board_read(b, NSLOTS, &seen));
	cr_expect_not(board_read(b, NSLOTS + 1, &seen));
}

/* EPERM of kill(2) means that the process exists. */
Test(board, spare_slots_of_other_users_are_not_free)
{
	struct fcgipm_slot *s = NULL;
	struct board_sample seen;
	int status = 0, i;
	pid_t pid;

	board_reset(b, 0, 0);
	board_started(b, 0, getppid());
	for (i = 0; i < NSPARE; i++) {
		s = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
		cr_assert_not_null(s);
		FCGIPM_PUT(s->pid, 1);
	}
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		board_sweep(b);
		_exit(fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM) != NULL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "one was free");
	for (i = 0; i < NSPARE; i++)
		cr_expect(board_read(b, NSLOTS + (unsigned)i, &seen));
	cr_expect_eq(board_idle(b), NSPARE * THREADS);
}

static void
put_state(struct fcgipm_cell *c, enum fcgipm_state state, uint64_t start)
{
	fcgipm_cell_begin_(c);
	FCGIPM_PUT(c->state, (uint32_t)state);
	FCGIPM_PUT(c->start, start);
	fcgipm_cell_end_(c);
}

Test(board, the_state_of_the_busiest_thread_is_shown)
{
	static const enum fcgipm_state order[] = {FCGIPM_BUSY, FCGIPM_READING,
		FCGIPM_CLOSING, FCGIPM_KEPT, FCGIPM_FREE};
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;
	size_t i, j;

	FCGIPM_PUT(s->open, 2);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		for (j = 0; j < ARRAY_SIZE(order); j++) {
			put_state(fcgipm_cell_at_(s, 0), order[i], 0);
			put_state(fcgipm_cell_at_(s, 1), order[j], 0);
			cr_assert(board_read(b, 0, &seen));
			cr_expect_eq(seen.state, order[MIN(i, j)],
				"%d and %d: %d", order[i], order[j],
				seen.state);
		}
}

Test(board, of_two_requests_the_older_one_is_shown)
{
	const uint64_t now = fcgipm_now_(CLOCK_MONOTONIC);
	const uint64_t older = now - 3000000000, newer = now - 1000000000;
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;
	unsigned i;

	FCGIPM_PUT(s->open, 2);
	for (i = 0; i < 2; i++) {
		put_state(fcgipm_cell_at_(s, i), FCGIPM_BUSY, older);
		put_state(fcgipm_cell_at_(s, 1 - i), FCGIPM_BUSY, newer);
		cr_assert(board_read(b, 0, &seen));
		cr_expect_eq(seen.start_ms, (int64_t)(older / 1000000),
			"cell %u", i);
		cr_expect_eq(seen.running, 2);
	}
}

Test(board, since_is_that_of_the_oldest_connection_without_a_request)
{
	const uint64_t now = fcgipm_now_(CLOCK_MONOTONIC);
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;
	unsigned i;

	FCGIPM_PUT(s->open, 2);
	for (i = 0; i < 2; i++) {
		put_state(fcgipm_cell_at_(s, i), FCGIPM_KEPT, 0);
		put_state(fcgipm_cell_at_(s, 1 - i), FCGIPM_READING, 0);
		FCGIPM_PUT(fcgipm_cell_at_(s, i)->since, now - 3000000000);
		FCGIPM_PUT(fcgipm_cell_at_(s, 1 - i)->since,
			now - 1000000000);
		cr_assert(board_read(b, 0, &seen));
		cr_expect_eq(seen.since_ms,
			(int64_t)((now - 3000000000) / 1000000));
		cr_expect_eq(seen.running, 0);
	}
}

Test(board, an_event_is_sent_at_the_idle_capacity_asked_for)
{
	struct fcgipm_slot *s = claim(0), *other = claim(1);
	int before;

	for (before = 3; before >= 0; before--) {
		board_arm(b, (unsigned)before);
		cr_expect_eq(board_idle(b), (unsigned)before + 1);
		fcgipm_take_place_(&view, before > 1 ? s : other);
		cr_expect(board_read_event(b), "at %d", before);
	}
	for (before = 0; before < 2; before++) {
		end_connection(s);
		end_connection(other);
	}
	board_arm(b, 1);
	fcgipm_take_place_(&view, s);
	fcgipm_take_place_(&view, s);
	cr_expect_not(board_read_event(b), "two are left");
	fcgipm_take_place_(&view, other);
	cr_expect(board_read_event(b), "one is left");
}

Test(board, the_counters_of_dead_processes_are_taken_once)
{
	struct fcgipm_slot *s = claim(0), *spare;
	uint64_t accepted, requests;
	struct board_sample seen;

	fcgipm_take_place_(&view, s);
	fcgipm_count_request_(&view, s);
	board_started(b, 0, getppid());
	FCGIPM_PUT(s->pid, (int32_t)getppid());
	spare = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
	fcgipm_take_place_(&view, spare);
	fcgipm_count_request_(&view, spare);
	FCGIPM_PUT(spare->pid, (int32_t)dead_pid());
	board_sweep(b);
	cr_expect_not(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.requests, 1, "already taken");
	cr_expect_eq(seen.owner, 0);
	board_take_counts(b, 1, &accepted, &requests);
	cr_expect_eq(accepted + requests, 0, "another worker's");
	board_take_counts(b, 0, &accepted, &requests);
	cr_expect_eq(accepted, 2);
	cr_expect_eq(requests, 2);
	board_take_counts(b, 0, &accepted, &requests);
	cr_expect_eq(accepted + requests, 0);
	FCGIPM_PUT(s->requests, UINT64_MAX);
	FCGIPM_PUT(spare->requests, UINT64_MAX);
	board_take_counts(b, 0, &accepted, &requests);
	cr_expect_eq(requests, UINT64_MAX, "overflow");
}

Test(board, only_one_of_shim_and_handler_writes_a_slot)
{
	struct board_sample seen;

	cr_assert_not_null(claim(0));
	cr_expect_null(fcgipm_claim_(&view, 0, FCGIPM_TIER_HANDLER));
	cr_expect_not_null(fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM));
	cr_expect_eq(board_idle(b), THREADS);
	board_read(b, 0, &seen);
	cr_expect_not(seen.handler);
}

Test(board, an_event_is_sent_once)
{
	struct fcgipm_slot *s = claim(0);

	fcgipm_take_place_(&view, s);
	fcgipm_take_place_(&view, s);
	cr_expect_not(has_event(), "not armed");
	end_connection(s);
	end_connection(s);
	board_arm(b, 0);
	fcgipm_take_place_(&view, s);
	cr_expect_not(has_event(), "one is left");
	fcgipm_take_place_(&view, s);
	cr_expect(has_event());
	cr_expect(board_read_event(b));
	cr_expect_not(board_read_event(b));
	end_connection(s);
	fcgipm_take_place_(&view, s);
	cr_expect_not(has_event(), "a second event");
}

Test(board, connections_beyond_the_threads_take_no_idle_capacity)
{
	struct fcgipm_slot *s = claim(0);
	int i;

	for (i = 0; i < 5; i++)
		fcgipm_take_place_(&view, s);
	cr_expect_eq(board_idle(b), 0);
	for (i = 0; i < 3; i++)
		end_connection(s);
	cr_expect_eq(board_idle(b), 0);
	end_connection(s);
	cr_expect_eq(board_idle(b), 1);
	end_connection(s);
	cr_expect_eq(board_idle(b), THREADS);
}

Test(board, an_event_is_sent_at_max_requests)
{
	struct fcgipm_slot *s;

	board_reset(b, 0, 2);
	s = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
	cr_expect_not(has_event(), "before the first request");
	fcgipm_count_request_(&view, s);
	cr_expect_not(has_event());
	fcgipm_count_request_(&view, s);
	cr_expect(board_read_event(b));
	fcgipm_count_request_(&view, s);
	cr_expect_not(has_event());
}

Test(board, a_foreign_descriptor_is_not_written_to)
{
	int fds[2];
	char c;

	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	/* The program closed the eventfd, and a pipe got its descriptor. */
	view.eventfd = fds[1];
	fcgipm_notify_(&view);
	cr_expect_eq(read(fds[0], &c, 1), -1);
	cr_expect_eq(errno, EAGAIN);
}

Test(board, an_overwritten_idle_capacity_is_recomputed)
{
	struct fcgipm_slot *s = claim(0);

	fcgipm_take_place_(&view, s);
	FCGIPM_PUT(view.head->idle, -100000);
	cr_expect_eq(board_idle(b), 0);
	cr_expect_eq(board_count_idle(b), 1);
	cr_expect_eq(board_idle(b), 1);
}

/* A thread that still works after its answer does not accept. */
Test(board, a_thread_is_idle_when_it_waits_for_a_connection_again)
{
	struct fcgipm_slot *s = claim(0);

	cr_expect_eq(board_idle(b), THREADS);
	fcgipm_take_place_(&view, s);
	fcgipm_end_connection_(s);
	cr_expect_eq(board_idle(b), THREADS - 1);
	cr_expect_eq(board_count_idle(b), THREADS - 1);
	fcgipm_give_place_(&view, s);
	cr_expect_eq(board_idle(b), THREADS);
}

/* Its slot may stay unused for long. */
Test(board, a_worker_that_has_exited_has_no_idle_capacity)
{
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;

	cr_expect_not_null(claim(1));
	board_ended(b, 0);
	cr_expect_eq(board_idle(b), THREADS);
	cr_expect_not(board_read(b, 0, &seen));
	/* A process that it forked claims a spare slot. */
	FCGIPM_PUT(s->worker, 1);
	s = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
	cr_expect_eq(s, fcgipm_slot_at_(&view, NSLOTS));
	board_reset(b, 0, 0);
	cr_expect_eq(board_idle(b), 2 * THREADS);
}

/* O_NONBLOCK applies to all processes that share the descriptor. */
Test(board, reading_the_eventfd_does_not_block_without_o_nonblock)
{
	cr_assert_eq(fcntl(board_eventfd(b), F_SETFL, 0), 0);
	cr_expect_not(board_read_event(b));
	fcgipm_notify_(&view);
	cr_expect(board_read_event(b));
	cr_expect_not(board_read_event(b));
}

/* Boards that a worker must refuse; each changes one field. */
static const struct {
	const char *why;
	size_t at;
	uint32_t value;
} strange[] = {
	{"magic", offsetof(struct fcgipm_head, magic), 1},
	{"a later version", offsetof(struct fcgipm_head, version), 2},
	{"head", offsetof(struct fcgipm_head, head_size), 64},
	{"slot", offsetof(struct fcgipm_head, slot_size), 1},
	{"cell", offsetof(struct fcgipm_head, cell_size), 0},
	{"no slots", offsetof(struct fcgipm_head, nslots), 0},
	{"more slots than there are", offsetof(struct fcgipm_head, nslots), 4},
	{"very many slots", offsetof(struct fcgipm_head, nslots), UINT32_MAX},
	{"very many spare", offsetof(struct fcgipm_head, nspare), UINT32_MAX},
	{"no threads", offsetof(struct fcgipm_head, threads), 0},
	{"no cells", offsetof(struct fcgipm_head, cells), 0},
	{"many cells", offsetof(struct fcgipm_head, cells), 65},
};

Test(board, workers_refuse_any_other_board)
{
	uint8_t *p = (uint8_t *)view.head;
	struct fcgipm_view v;
	uint32_t before;
	char text[32];
	size_t i;

	snprintf(text, sizeof(text), "%d:%d", board_fd(b), board_eventfd(b));
	for (i = 0; i < ARRAY_SIZE(strange); i++) {
		memcpy(&before, p + strange[i].at, sizeof(before));
		memcpy(p + strange[i].at, &strange[i].value, sizeof(before));
		cr_expect_eq(fcgipm_view_open_(&v, text), -1, "%s",
			strange[i].why);
		memcpy(p + strange[i].at, &before, sizeof(before));
	}
	cr_expect_eq(fcgipm_view_open_(&v, text), 0);
}

static const char *const no_board[] = {"", ":", "3", "3:", ":4", "a:b", "-1:4",
	"3:4:5", "3:4 ", "0:1", "999999:4", "99999999999999999999:1"};

Test(board, workers_refuse_an_invalid_variable)
{
	struct fcgipm_view v;
	size_t i;

	cr_expect_eq(fcgipm_view_open_(&v, NULL), -1);
	for (i = 0; i < ARRAY_SIZE(no_board); i++)
		cr_expect_eq(fcgipm_view_open_(&v, no_board[i]), -1, "%s",
			no_board[i]);
}

static const struct {
	const char *before, *after;
} preloads[] = {
	{"/usr/lib/fcgipm/libfcgipm-shim.so", ""},
	{"libfcgipm-shim.so", ""},
	{"/a/libfcgipm-shim.so:/b/other.so", "/b/other.so"},
	{"/b/other.so:/a/libfcgipm-shim.so", "/b/other.so:"},
	{"/b/x.so /a/libfcgipm-shim.so c.so", "/b/x.so c.so"},
	{"/a/libfcgipm-shim.so.1", "/a/libfcgipm-shim.so.1"},
	{"/a/my-libfcgipm-shim.so", "/a/my-libfcgipm-shim.so"},
	{"/libfcgipm-shim.so/x", "/libfcgipm-shim.so/x"},
	{"", ""},
};

Test(board, workers_remove_board_and_shim_from_their_environment)
{
	static char other[] = "A=1", board[] = "FCGIPM_BOARD=3:4",
		last[] = "FCGIPM_BOARDS=x";
	char text[100], *env[5], **saved = environ;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(preloads); i++) {
		snprintf(text, sizeof(text), "LD_PRELOAD=%s",
			preloads[i].before);
		env[0] = board;
		env[1] = other;
		env[2] = text;
		env[3] = last;
		env[4] = NULL;
		environ = env;
		fcgipm_clean_environment_();
		environ = saved;
		cr_expect_str_eq(env[0], other);
		if (preloads[i].after[0] != '\0') {
			cr_expect_str_eq(env[1] + 11, preloads[i].after);
			cr_expect_str_eq(env[2], last);
			cr_expect_null(env[3]);
		} else {
			cr_expect_str_eq(env[1], last);
			cr_expect_null(env[2]);
		}
	}
}

Test(board, workers_find_board_and_shim_in_their_environment)
{
	struct vec v;
	char **env;

	vec_init(&v);
	board_env(&v, 3, "/s.so", "/mine.so");
	board_env(&v, 5, NULL, NULL);
	env = vec_array(&v);
	cr_assert_not_null(env);
	cr_expect_str_eq(env[0], "FCGIPM_BOARD=3:4");
	cr_expect_str_eq(env[1], "LD_PRELOAD=/s.so:/mine.so");
	cr_expect_str_eq(env[2], "FCGIPM_BOARD=5:6");
	cr_expect_null(env[3]);
	vec_fini(&v);
}

Test(board, invalid_sizes_are_refused)
{
	cr_expect_null(board_new(0, 1, 1));
	cr_expect_null(board_new(1, 1, 0));
	cr_expect_null(board_new(UINT32_MAX, 1, 1));
	cr_expect_eq(errno, EINVAL);
}

/* -- hostile contents ---------------------------------------------------- */

/* All that is read must be in its range. */
static void
expect_sane(const struct board *of, unsigned slot)
{
	struct board_sample seen;
	int64_t now;

	board_read(of, slot, &seen);
	now = now_ms();
	cr_assert_leq(seen.state, FCGIPM_KEPT);
	cr_assert_lt(strnlen(seen.method, sizeof(seen.method)),
		sizeof(seen.method));
	cr_assert_lt(strnlen(seen.uri, sizeof(seen.uri)), sizeof(seen.uri));
	cr_assert(seen.start_ms >= 0 && seen.start_ms <= now);
	cr_assert(seen.since_ms >= 0 && seen.since_ms <= now);
	cr_assert(seen.last_us >= 0 && seen.last_us <= now * 1000);
	cr_assert(seen.owner >= -1 && seen.owner < NSLOTS);
	cr_assert_leq(seen.running, THREADS);
	cr_assert_leq(seen.open, 1U << 20);
	cr_assert_leq(seen.accepting, 1U << 20);
	cr_assert(!seen.attached || seen.pid > 0);
	cr_assert(!seen.ours || slot < NSLOTS);
}

static atomic_bool spoiled;

/* A thread that writes to the same memory, instead of a worker. */
static void *
spoil(void *arg)
{
	uint8_t *p = arg, bytes[4096];
	size_t size = size_of(b), at, n;
	int round;

	for (round = 0; round < 1000; round++)
		for (at = 0; at < size; at += n) {
			n = MIN(size - at, sizeof(bytes));
			if (getrandom(bytes, n, 0) != (ssize_t)n)
				abort();
			memcpy(p + at, bytes, n);
		}
	atomic_store(&spoiled, true);
	return NULL;
}

static void
read_all(void)
{
	unsigned i;

	for (i = 0; i < board_slots(b); i++)
		expect_sane(b, i);
	cr_assert_leq(board_idle(b), INT32_MAX);
}

Test(board, random_bytes_change_only_the_figures)
{
	pthread_t thread;
	unsigned rounds = 0;

	cr_assert_eq(pthread_create(&thread, NULL, spoil, view.head), 0);
	while (!atomic_load(&spoiled)) {
		read_all();
		board_sweep(b);
		board_count_idle(b);
		board_reset(b, rounds % NSLOTS, 5);
		board_started(b, rounds % NSLOTS, getpid());
		board_ask_stop(b, rounds % NSLOTS);
		board_arm(b, 1);
		rounds++;
	}
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_gt(rounds, 0);
	/* The next worker can use it. */
	board_sweep(b);
	board_reset(b, 0, 0);
	cr_expect_not_null(claim(0));
	read_all();
}

/* Each field in turn has an extreme value. */
Test(board, extreme_values_are_bounded)
{
	static const uint64_t worst[] = {0, 1, UINT64_MAX, INT64_MAX,
		(uint64_t)INT64_MAX + 1, UINT32_MAX, INT32_MAX,
		(uint64_t)INT32_MAX + 1};
	uint8_t *p = (uint8_t *)view.head;
	size_t size = size_of(b), at, i;

	for (i = 0; i < ARRAY_SIZE(worst); i++)
		for (at = sizeof(struct fcgipm_head); at + 8 <= size; at += 4) {
			memcpy(p + at, &worst[i], 8);
			if (at % 64 == 0)
				read_all();
		}
	read_all();
}

/* Holes punched into the memfd read as zeros. */
Test(board, holes_do_not_fault)
{
	cr_assert_not_null(claim(0));
	cr_expect_eq(fallocate(board_fd(b),
			     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			     (off_t)size_of(b)), 0);
	read_all();
	cr_expect_eq(board_idle(b), 0);
}
