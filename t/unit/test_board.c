/*
 * test_board.c - tests the scoreboard (board): what it shows of workers, and
 * when it sends an event
 *
 * Spare slots are in test_board_spare.c, invalid contents in
 * test_board_hostile.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "base/vec.h"
#include "boards.h"

TestSuite(board, .init = boards_open, .fini = boards_close, .timeout = 60);

static bool
has_event(void)
{
	struct pollfd p = {.fd = board_eventfd(b), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
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

/* O_NONBLOCK applies to all processes that share the descriptor. */
Test(board, reading_the_eventfd_does_not_block_without_o_nonblock)
{
	cr_assert_eq(fcntl(board_eventfd(b), F_SETFL, 0), 0);
	cr_expect_not(board_read_event(b));
	fcgipm_notify_(&view);
	cr_expect(board_read_event(b));
	cr_expect_not(board_read_event(b));
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

Test(board, invalid_sizes_are_refused)
{
	cr_expect_null(board_new(0, 1, 1));
	cr_expect_null(board_new(1, 1, 0));
	cr_expect_null(board_new(UINT32_MAX, 1, 1));
	cr_expect_eq(errno, EINVAL);
}
