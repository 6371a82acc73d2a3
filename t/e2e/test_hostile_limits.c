/*
 * test_hostile_limits.c - a gateway with too few descriptors waits without
 * using CPU time, and serves again as soon as some are free
 */
#include <time.h>

#include "hostile.h"
#include "stream.h"

static const int limits[] = {32, 64, 128};

static struct target
start_limited(int nofile)
{
	struct world *w = world_open();
	char limit[32], *sock = world_path(w, "www.sock");
	char *gateway, *handler = world_child("hostile");
	const char *argv[] = {"/usr/bin/prlimit", limit, NULL, "-l", sock, "-j",
		"60", handler, NULL};
	struct target t;

	gateway = world_handler("../fcgipm-cgi");
	argv[2] = gateway;
	snprintf(limit, sizeof(limit), "--nofile=%d", nofile);
	t = hostile_start_alone(w, argv);
	return t;
}

/* The longest recovery in this test. */
static int64_t slowest_ms;

static void
check_recovery(struct target *t, const char *after)
{
	int64_t begin = hostile_calm_ms();

	answer_expect(hostile_call(t, ""), "served\n");
	begin = hostile_calm_ms() - begin;
	cr_expect_lt(begin, 1000, "%s: recovered after %lld ms", after,
		(long long)begin);
	slowest_ms = begin > slowest_ms ? begin : slowest_ms;
	hostile_unharmed(t, after);
}

/* Silent connections until no descriptor is left. */
Test(hostile_limits, idle_connections_may_use_all_descriptors, .timeout = 120)
{
	struct timespec second = {1, 0};
	int64_t cpu, most_cpu = 0;
	size_t k, rounds;

	for (k = 0; k < 3; k++) {
		struct target t = start_limited(limits[k]);
		int fds[160], n = limits[k] + 20, i;
		char what[64];

		snprintf(what, sizeof(what), "%d descriptors", limits[k]);
		for (rounds = hostile_size(1, 5); rounds > 0; rounds--) {
			for (i = 0; i < n; i++)
				fds[i] = client_connect(t.w, "www.sock");
			world_expect_log(t.w,
				"limit of open files: reached with ");
			/* CPU time per second is measured here. */
			cpu = hostile_cpu_ms(&t);
			nanosleep(&second, NULL);
			cpu = hostile_cpu_ms(&t) - cpu;
			cr_expect_lt(cpu, 50, "%s: %lld ms of CPU in a second",
				what, (long long)cpu);
			most_cpu = cpu > most_cpu ? cpu : most_cpu;
			for (i = 0; i < n; i++)
				close(fds[i]);
			check_recovery(&t, what);
		}
		world_close(&t.w);
	}
	hostile_figure("out of descriptors: %lld ms of CPU in a second, "
		"recovered after %lld ms", (long long)most_cpu,
		(long long)slowest_ms);
}

/* Descriptors are reserved for the programs of accepted connections. */
Test(hostile_limits, each_accepted_client_is_served, .timeout = 120)
{
	uint8_t bytes[300];
	size_t len = hostile_request(bytes, sizeof(bytes), "", 0, ""), k;

	for (k = 0; k < 3; k++) {
		struct target t = start_limited(limits[k]);
		int fds[160], n = limits[k] + 20, i;

		for (i = 0; i < n; i++)
			fds[i] = client_connect(t.w, "www.sock");
		world_expect_log(t.w, "limit of open files: reached with ");
		/* The next one is accepted whenever one is closed. */
		for (i = 0; i < n; i++) {
			client_send(fds[i], bytes, len);
			answer_expect(client_read(fds[i]), "served\n");
			close(fds[i]);
		}
		hostile_unharmed(&t, "too many connections, all served");
		world_close(&t.w);
	}
}

/* Programs have exited, and the unread end of each response is in a pipe. */
Test(hostile_limits, slow_readers_may_use_all_descriptors, .timeout = 120)
{
	const size_t len = 250000;
	size_t k;

	for (k = 0; k < 3; k++) {
		struct target t = start_limited(limits[k]);
		int fds[160], n = limits[k], i;
		char what[64];

		snprintf(what, sizeof(what), "%d descriptors, slow readers",
			limits[k]);
		for (i = 0; i < n; i++)
			fds[i] = hostile_begin(&t, "www.sock", "big=250000");
		stream_settle(&t);
		/* In the order of their arrival, as they are served. */
		for (i = 0; i < n; i++) {
			struct answer a = client_read(fds[i]);

			cr_expect(a.ended && a.out_len >= len,
				"%s, number %d: %.60s", what, i, a.out);
			close(fds[i]);
		}
		hostile_unharmed(&t, what);
		world_close(&t.w);
	}
}

/* More requests than there are descriptors for programs. */
Test(hostile_limits, programs_wait_when_descriptors_are_few, .timeout = 120)
{
	size_t k, rounds;

	for (k = 0; k < 3; k++) {
		struct target t = start_limited(limits[k]);
		int fds[60], running = 0, refused = 0, i;
		char what[64];

		snprintf(what, sizeof(what), "%d descriptors, programs",
			limits[k]);
		world_expect_log(t.w, " programs at once instead of 60");
		for (rounds = hostile_size(1, 5); rounds > 0; rounds--) {
			running = refused = 0;
			for (i = 0; i < 60; i++)
				fds[i] = hostile_begin(&t, "www.sock",
					"stay=100");
			for (i = 0; i < 60; i++) {
				struct pollfd p = {fds[i], POLLIN, 0};
				char page[20];

				/* Requests that wait get no answer. */
				if (poll(&p, 1, i == 0 ? 5000 : 20) == 0)
					continue;
				client_read_bytes(fds[i], page, 20);
				if (memcmp(page + 8, "Status: 503 ", 12) == 0)
					refused++;
				else
					running++;
			}
			cr_expect_gt(running, 0, "%s", what);
			cr_expect_lt(running, 60, "%s: all run", what);
			cr_expect_eq(refused, 0, "%s: %d times 503", what,
				refused);
			for (i = 0; i < 60; i++)
				close(fds[i]);
			check_recovery(&t, what);
		}
		hostile_figure("%s: %d run at once, recovered after %lld ms",
			what, running, (long long)slowest_ms);
		world_close(&t.w);
	}
}
