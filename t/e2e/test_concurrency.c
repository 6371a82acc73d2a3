/*
 * test_concurrency.c - a pool answers processes times threads requests at once,
 * and no request waits while one of them is free
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "world.h"

#define REQUESTS 9
#define UNIT_MS 100
#define BURSTS 20
#define TICK_MS 5

/*
 * Pauses of the machine make a burst longer.  One thread on each processor
 * measures how late it is woken.  A burst with a total delay of a quarter unit
 * or more is repeated if its result is wrong.
 */
#define CPUS_MAX 256
static pthread_t watchers[CPUS_MAX];
static size_t nwatchers;
static atomic_bool watching;
static atomic_long late_ms;

static void *
watch(void *arg)
{
	struct timespec tick = {0, TICK_MS * 1000000};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)(uintptr_t)arg, &one);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
	while (atomic_load(&watching)) {
		int64_t begin = world_now_ms();
		long late;

		nanosleep(&tick, NULL);
		late = (long)(world_now_ms() - begin) - TICK_MS - 1;
		if (late > 0)
			atomic_fetch_add(&late_ms, late);
	}
	return NULL;
}

static void
start_watchers(void)
{
	cpu_set_t usable;
	size_t cpu;

	CPU_ZERO(&usable);
	cr_assert_eq(sched_getaffinity(0, sizeof(usable), &usable), 0);
	atomic_store(&watching, true);
	for (cpu = 0; cpu < CPU_SETSIZE && nwatchers < CPUS_MAX; cpu++)
		if (CPU_ISSET(cpu, &usable))
			cr_assert_eq(pthread_create(&watchers[nwatchers++],
				NULL, watch, (void *)(uintptr_t)cpu), 0);
}

static void
stop_watchers(void)
{
	atomic_store(&watching, false);
	while (nwatchers > 0)
		pthread_join(watchers[--nwatchers], NULL);
}

/* Sends all requests at once; writes when each answer began to arrive, in that
 * order. */
static void
burst(struct world *w, int64_t came[REQUESTS])
{
	const char *params[] = {"QUERY_STRING=ms=100", NULL};
	struct pollfd fds[REQUESTS];
	int done = 0, i;

	for (i = 0; i < REQUESTS; i++) {
		fds[i] = (struct pollfd){.events = POLLIN,
			.fd = client_connect(w, "www.sock")};
		client_begin(fds[i].fd, 1, 0, params);
		client_record(fds[i].fd, 5, 1, NULL, 0, 0);
	}
	while (done < REQUESTS) {
		cr_assert_gt(poll(fds, REQUESTS, 20000), 0, "no answer");
		for (i = 0; i < REQUESTS; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			came[done++] = world_now_ms();
			answer_expect(client_read(fds[i].fd), "slept: 100 ms");
			close(fds[i].fd);
			fds[i].fd = -1;
		}
	}
}

/*
 * The number of units that a burst took.  Each answer frees a thread, and the
 * request that the thread takes is answered one unit later, or two units later
 * if it waited although a thread was free.  So the steps are counted, and the
 * delays of a busy machine do not add up.
 */
static int
count_units(int64_t begin, const int64_t came[REQUESTS], int capacity)
{
	int units[REQUESTS], max = 0, i;

	for (i = 0; i < REQUESTS; i++) {
		int64_t since = i < capacity ? begin : came[i - capacity];

		units[i] = (int)((came[i] - since + UNIT_MS / 2) / UNIT_MS);
		if (i >= capacity)
			units[i] += units[i - capacity];
		max = units[i] > max ? units[i] : max;
	}
	return max;
}

static void
check_units(const char *handler, int processes, int threads, int want)
{
	struct world *w = world_open();
	int64_t begin, came[REQUESTS];
	int i, units, disturbed = 0;

	world_start(w, own_text("[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/%s\n"
		"pm.max_children = %d\n"
		"threads = %d\n", handler, processes, threads));
	start_watchers();
	for (i = 0; i < BURSTS;) {
		atomic_store(&late_ms, 0);
		begin = world_now_ms();
		burst(w, came);
		cr_assert_geq(came[REQUESTS - 1] - begin, want * UNIT_MS,
			"burst %d: more requests at once than threads", i);
		units = count_units(begin, came, processes * threads);
		if (units != want && atomic_load(&late_ms) >= UNIT_MS / 4) {
			cr_assert_lt(disturbed++, 100, "the machine is too "
				"busy");
			continue;
		}
		cr_expect_eq(units, want, "burst %d took %d units, not %d "
			"(late by %ld ms)", i, units, want,
			atomic_load(&late_ms));
		i++;
	}
	stop_watchers();
	world_close(&w);
}

Test(concurrency, two_processes_answer_nine_requests_in_five_units,
	.timeout = 120)
{
	check_units("sleep", 2, 1, 5);
}

Test(concurrency, two_threads_of_one_process_need_five_units, .timeout = 120)
{
	check_units("threads", 1, 2, 5);
}

Test(concurrency, two_processes_with_two_threads_need_three_units,
	.timeout = 120)
{
	check_units("threads", 2, 2, 3);
}

/* In CGI mode pm.max_children limits programs. */
Test(concurrency, a_gateway_with_two_programs_needs_five_units, .timeout = 120)
{
	struct world *w = world_open();
	int64_t begin, came[REQUESTS];
	int i;

	world_start(w,
		"[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/sleep\n"
		"pm.max_children = 2\n");
	for (i = 0; i < 3; i++) {
		begin = world_now_ms();
		burst(w, came);
		cr_assert_geq(came[REQUESTS - 1] - begin, 5 * UNIT_MS,
			"more programs at once than pm.max_children");
	}
}
