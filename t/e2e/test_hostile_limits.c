/*
 * test_hostile_limits.c - a gateway with too few descriptors: it waits
 * without spinning, and is itself again when some are free
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

static const int limits[] = {32, 64, 128};

static struct target
start_limited(int nofile)
{
	struct world *w = world_open();
	char limit[32], *sock = strdup(world_path(w, "www.sock"));
	char *gateway, *handler = strdup(world_child("hostile"));
	char *argv[] = {"/usr/bin/prlimit", limit, NULL, "-l", sock, "-j",
		"60", handler, NULL};
	struct target t;

	gateway = strdup(world_handler("../fcgipm-cgi"));
	argv[2] = gateway;
	snprintf(limit, sizeof(limit), "--nofile=%d", nofile);
	t = hostile_start_alone(w, argv);
	free(sock);
	free(handler);
	free(gateway);
	return t;
}

/* Within a second everything is given back; until then "come again" is an
 * answer. */
static void
check_recovery(struct target *t, const char *after)
{
	int64_t begin = world_now_ms(), took;
	bool served;

	do {
		struct answer a = hostile_call(t, "");

		served = strstr(a.out, "served\n") != NULL;
		cr_assert(a.ended && (served || strstr(a.out, "Status: 503")),
			"%s: %s", after, a.out);
		answer_free(&a);
		took = world_now_ms() - begin;
		cr_assert_lt(took, 1000, "%s: not itself after a second",
			after);
	} while (!served);
	hostile_figure("%s: recovered after %lld ms", after, (long long)took);
	hostile_unharmed(t, after);
}

/* Connections that say nothing, until there is no descriptor left. */
Test(hostile_limits, out_of_descriptors_by_connections, .timeout = 120)
{
	struct timespec second = {1, 0};
	size_t k, rounds;

	for (k = 0; k < 3; k++) {
		struct target t = start_limited(limits[k]);
		int fds[160], n = limits[k] + 20, i;
		char what[64];
		int64_t cpu;

		snprintf(what, sizeof(what), "%d descriptors", limits[k]);
		for (rounds = hostile_size(1, 5); rounds > 0; rounds--) {
			for (i = 0; i < n; i++)
				fds[i] = client_connect(t.w, "www.sock");
			world_expect_log(t.w, "accept: Too many open files");
			/* The time itself is what is measured here. */
			cpu = hostile_cpu_ms(&t);
			nanosleep(&second, NULL);
			cpu = hostile_cpu_ms(&t) - cpu;
			cr_expect_lt(cpu, 50, "%s: %lld ms of CPU in a second",
				what, (long long)cpu);
			hostile_figure("%s: %lld ms of CPU in a second", what,
				(long long)cpu);
			for (i = 0; i < n; i++)
				close(fds[i]);
			check_recovery(&t, what);
		}
		world_close(&t.w);
	}
}

/* The same by programs, each of which takes some: an answer for everybody,
 * be it "come again". */
Test(hostile_limits, out_of_descriptors_by_programs, .timeout = 120)
{
	size_t k, rounds;

	for (k = 0; k < 3; k++) {
		struct target t = start_limited(limits[k]);
		int fds[60], i, refused = 0, running = 0;
		char what[64];

		snprintf(what, sizeof(what), "%d descriptors, programs",
			limits[k]);
		for (rounds = hostile_size(1, 5); rounds > 0; rounds--) {
			refused = running = 0;
			for (i = 0; i < 60; i++)
				fds[i] = hostile_begin(&t, "www.sock",
					"stay=100");
			for (i = 0; i < 60; i++) {
				struct pollfd p = {fds[i], POLLIN, 0};
				char page[20];

				/* Those not accepted yet say nothing. */
				if (poll(&p, 1, i == 0 ? 5000 : 20) == 0)
					continue;
				client_read_bytes(fds[i], page, 20);
				if (memcmp(page + 8, "Status: 503 ", 12) == 0)
					refused++;
				else
					running++;
			}
			cr_expect_gt(running, 0, "%s", what);
			cr_expect(running < 60, "%s: enough for all?", what);
			for (i = 0; i < 60; i++)
				close(fds[i]);
			check_recovery(&t, what);
		}
		hostile_figure("%s: %d ran, %d were told 503", what, running,
			refused);
		world_close(&t.w);
	}
}
