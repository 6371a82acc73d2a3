/*
 * test_threads.c - a pool takes as many requests at once as its workers have
 * threads, and not more
 */
#include <dirent.h>
#include <sys/syscall.h>
#include <time.h>

#include "hostile.h"

#define BURSTS 20
#define MAX_CAPACITY 8

static const char *const no_params[] = {NULL};

/* Begins a request; the handler answers it after complete_request(). */
static int
open_request(const struct world *w)
{
	int fd = client_connect(w, "www.sock");

	client_begin(fd, 1, 0, no_params);
	return fd;
}

/* Waits until a thread has taken it; returns the time of that. */
static int64_t
await_start(int fd)
{
	struct record r;
	const char *in;

	client_read_record(fd, &r);
	in = strstr((const char *)r.content, "\nin: ");
	cr_assert(in, "%s", (const char *)r.content);
	return strtoll(in + 5, NULL, 10);
}

static void
complete_request(int fd)
{
	client_record(fd, 5, 1, NULL, 0, 0);
}

static void
expect_end(int fd)
{
	struct answer a = client_read(fd);

	cr_expect(a.ended);
	answer_expect(a, "out");
	close(fd);
}

/* All requests run at once; one more is taken only when the first has ended. */
static void
burst(const struct world *w, size_t capacity)
{
	int fds[MAX_CAPACITY], late;
	int64_t ended_us, taken_us;
	size_t i;

	for (i = 0; i < capacity; i++)
		fds[i] = open_request(w);
	for (i = 0; i < capacity; i++)
		(void)await_start(fds[i]);
	late = open_request(w);
	ended_us = now_us();
	complete_request(fds[0]);
	expect_end(fds[0]);
	taken_us = await_start(late);
	cr_expect_geq(taken_us, ended_us, "taken while no thread was free");
	complete_request(late);
	expect_end(late);
	for (i = 1; i < capacity; i++)
		complete_request(fds[i]);
	for (i = 1; i < capacity; i++)
		expect_end(fds[i]);
}

static struct world *
start(unsigned workers, unsigned threads, const char *keys)
{
	struct world *w = world_open();

	world_start(w, own_text("[www]\n"
		"listen = @DIR@/www.sock\n"
		"handler = @T@/children/hold\n"
		"handler_args = %u\n"
		"pm.max_children = %u\n"
		"threads = %u\n%s", threads, workers, threads, keys));
	return w;
}

Test(threads, a_burst_of_the_capacity_runs_at_once, .timeout = 120)
{
	static const unsigned shapes[][2] = {{2, 1}, {1, 2}, {2, 2}};
	static const char *const keys[] = {
		"",
		"pm = dynamic\n",
		"pm = dynamic\nobserve = kernel\n",
		"pm = ondemand\n",
		"pm = ondemand\nobserve = kernel\n",
	};
	struct world *w;
	/* Pools that start workers on demand are slow to test: one shape, or
	 * all. */
	size_t scaling = hostile_size(2, 0), i, k, n;

	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		for (k = 0; k < ARRAY_SIZE(keys); k++) {
			if (k > 0 && i < scaling)
				break;
			w = start(shapes[i][0], shapes[i][1], keys[k]);
			for (n = 0; n < BURSTS; n++)
				burst(w, (size_t)shapes[i][0] * shapes[i][1]);
			world_close_changed(&w);
		}
}

/* How many threads of a process wait in accept(2). */
static long
count_accepting(pid_t pid)
{
	DIR *dir = opendir(own_text("/proc/%d/task", (int)pid));
	struct dirent *e;
	long n = 0, number;

	while (dir && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		number = world_call_of_task(own_text("%d/task/%s", (int)pid,
			e->d_name));
		n += number == SYS_accept || number == SYS_accept4;
	}
	if (dir)
		closedir(dir);
	return n;
}

struct accepting {
	const struct world *w;
	long threads;		/* of all workers */
};

static bool
so_many_accept(void *arg)
{
	const struct accepting *a = arg;
	pid_t pids[8];
	size_t n = world_children(a->w->pid, pids, 8), i;
	long sum = 0;

	for (i = 0; i < n && i < 8; i++)
		sum += world_look(count_accepting, pids[i]);
	return sum == a->threads;
}

/* A client that comes before a thread has started may get another worker. */
static void
expect_accepting(const struct world *w, long threads)
{
	struct accepting a = {w, threads};

	world_until(so_many_accept, &a, "all other threads accept");
}

/* The shim tier and the kernel tier must give the same result. */
static const char *const tiers[] = {"", "observe = kernel\n"};

Test(threads, ondemand_fills_a_worker_before_it_starts_another,
	.timeout = 60)
{
	int fds[6];
	size_t i, k;

	for (k = 0; k < 2; k++) {
		struct world *w;

		/* A worker that was started while threads of another one were
		 * still starting must be retired. */
		w = start(8, 3, own_text("pm = ondemand\n"
			"pm.process_idle_timeout = 1s\n%s", tiers[k]));
		for (i = 0; i < 3; i++) {
			fds[i] = open_request(w);
			(void)await_start(fds[i]);
			world_expect_workers(w, 1, 1,
				"the worker has free threads");
			expect_accepting(w, 2 - (long)i);
		}
		for (; i < 6; i++) {
			fds[i] = open_request(w);
			(void)await_start(fds[i]);
			world_expect_workers(w, 2, 2,
				"exactly one worker more");
			expect_accepting(w, 5 - (long)i);
		}
		for (i = 0; i < 6; i++) {
			complete_request(fds[i]);
			expect_end(fds[i]);
		}
		world_close_changed(&w);
	}
}

Test(threads, spare_workers_are_counted_by_free_threads, .timeout = 60)
{
	int fds[3];
	size_t i, k;

	for (k = 0; k < 2; k++) {
		struct world *w;

		w = start(8, 2, own_text("pm = dynamic\n"
			"pm.start_servers = 1\n"
			"pm.min_spare_servers = 1\n"
			"pm.max_spare_servers = 1\n%s", tiers[k]));
		world_expect_workers(w, 1, 1, "two threads are free");
		for (i = 0; i < 3; i++) {
			fds[i] = open_request(w);
			(void)await_start(fds[i]);
			world_expect_workers(w, 2 + i / 2, 2 + i / 2,
				"two threads are free again");
		}
		for (i = 0; i < 3; i++) {
			complete_request(fds[i]);
			expect_end(fds[i]);
		}
		world_close_changed(&w);
	}
}

/* One thread is in accept(2), the others wait for the lock: all are free. */
Test(threads, a_lock_around_accept_does_not_hide_free_threads, .timeout = 120)
{
	int fds[4];
	size_t i, k;

	for (k = 0; k < 2; k++) {
		struct world *w = world_open();

		world_start(w, own_text("[www]\n"
			"listen = @DIR@/www.sock\n"
			"handler = @T@/children/hold\n"
			"handler_args = 4 lock\n"
			"threads = 4\n"
			"pm = dynamic\n"
			"pm.max_children = 8\n"
			"pm.start_servers = 1\n"
			"pm.min_spare_servers = 1\n"
			"pm.max_spare_servers = 1\n%s", tiers[k]));
		world_keeps_workers(w, 1, "four threads are free");
		for (i = 0; i < 4; i++) {
			fds[i] = open_request(w);
			(void)await_start(fds[i]);
		}
		world_keeps_workers(w, 2, "four run, four are free");
		for (i = 0; i < 4; i++) {
			complete_request(fds[i]);
			expect_end(fds[i]);
		}
		world_keeps_workers(w, 1, "four threads are free again");
		world_close_changed(&w);
	}
}
