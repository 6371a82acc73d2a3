/*
 * test_hostile_worker.c - a worker that overwrites its board, its eventfd and
 * its log harms its own pool only, and only as long as it runs
 */
#include <pthread.h>
#include <stdatomic.h>

#include "hostile.h"

/* The pool of the hostile worker, and two others: one that uses its own board,
 * and one that the supervisor does not observe. */
#define INI \
	"[bad]\n" \
	"listen = @DIR@/bad.sock\n" \
	"handler = @T@/children/spoil\n" \
	"pm = dynamic\n" \
	"pm.max_children = 6\n" \
	"pm.start_servers = 2\n" \
	"pm.min_spare_servers = 1\n" \
	"pm.max_spare_servers = 2\n" \
	"[scaling]\n" \
	"listen = @DIR@/scaling.sock\n" \
	"handler = @T@/children/echo\n" \
	"pm = dynamic\n" \
	"pm.max_children = 4\n" \
	"pm.start_servers = 1\n" \
	"pm.min_spare_servers = 1\n" \
	"pm.max_spare_servers = 1\n" \
	"[resting]\n" \
	"listen = @DIR@/resting.sock\n" \
	"handler = @T@/children/echo\n" \
	"pm.max_children = 2\n"

struct neighbour {
	const struct world *w;
	const char *address;
	atomic_bool over;
	atomic_long served, failed;
	pthread_t thread;
};

/* Sends requests to another pool meanwhile and counts the answers. */
static void *
ask_on(void *arg)
{
	/* BEGIN, an empty FCGI_PARAMS, an empty FCGI_STDIN. */
	static const char request[] =
		"\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
		"\1\4\0\1\0\0\0\0" "\1\5\0\1\0\0\0\0";
	struct neighbour *n = arg;

	while (!atomic_load(&n->over)) {
		char back[4096];
		size_t have = 0;
		ssize_t got = -1;
		int fd = client_try(n->w, n->address);

		if (fd >= 0 && write(fd, request, sizeof(request) - 1) > 0)
			while ((got = read(fd, back + have,
					sizeof(back) - have)) > 0)
				have += (size_t)got;
		if (fd >= 0)
			close(fd);
		if (got == 0 && memmem(back, have, "pid: ", 5))
			atomic_fetch_add(&n->served, 1);
		else
			atomic_fetch_add(&n->failed, 1);
	}
	return NULL;
}

static void
start_neighbour(struct neighbour *n, const struct world *w,
	const char *address)
{
	*n = (struct neighbour){.w = w, .address = address};
	cr_assert_eq(pthread_create(&n->thread, NULL, ask_on, n), 0);
}

static void
expect_unharmed(struct neighbour *n)
{
	atomic_store(&n->over, true);
	pthread_join(n->thread, NULL);
	cr_expect_eq(atomic_load(&n->failed), 0, "%s: %ld of %ld failed",
		n->address, atomic_load(&n->failed), atomic_load(&n->served));
	cr_expect_gt(atomic_load(&n->served), 0, "%s", n->address);
}

/* Begins a request; its body is still missing. */
static int
begin(const struct world *w, const char *query)
{
	char text[100];
	const char *const params[] = {text, NULL};
	int fd = client_connect(w, "bad.sock");

	snprintf(text, sizeof(text), "QUERY_STRING=%s", query);
	client_begin(fd, 1, 0, params);
	return fd;
}

static long
finish(int fd)
{
	struct answer a;
	long pid;

	client_record(fd, 5, 1, NULL, 0, 0);
	a = client_read(fd);
	cr_expect(a.ended);
	pid = answer_number(&a, "pid");
	close(fd);
	return pid;
}

/* Kills the workers that ran while the board was overwritten. */
static void
end_workers(struct world *w)
{
	pid_t pids[32];
	size_t n = world_children(w->pid, pids, 32), i;

	for (i = 0; i < n && i < 32; i++) {
		if (strcmp(world_proc_status(pids[i], "Name"), "spoil") != 0)
			continue;
		cr_assert_eq(kill(pids[i], SIGKILL), 0);
		world_until_gone(pids[i]);
	}
}

/* The pool grows with the load, and surplus workers retire. */
static void
expect_scaling(struct world *w, const char *after)
{
	const size_t others = 3;
	int fds[6];

	for (size_t i = 0; i < 6; i++)
		fds[i] = begin(w, "");
	world_expect_workers(w, others + 6, others + 6, after);
	for (size_t i = 0; i < 6; i++)
		cr_expect_gt(finish(fds[i]), 0);
	world_expect_workers(w, others + 1, others + 2, after);
}

/* Runs these attacks one after another against one supervisor. */
static void
attack(const char *const *queries, size_t n)
{
	struct world *w = world_open();
	struct neighbour scaling, resting;
	struct target daemon = {.w = w};
	int64_t cpu, begun;

	world_start(w, INI);
	world_expect_deaths(w);
	daemon.gateway = w->pid;
	start_neighbour(&scaling, w, "scaling.sock");
	start_neighbour(&resting, w, "resting.sock");
	for (size_t i = 0; i < n; i++) {
		cpu = hostile_cpu_ms(&daemon);
		begun = world_now_ms();
		cr_expect_gt(finish(begin(w, queries[i])), 0);
		/* With the overwritten board, the pool still serves. */
		cr_expect_gt(finish(begin(w, "")), 0);
		hostile_figure("%s: the supervisor used %lld ms of CPU in "
			"%lld ms", queries[i],
			(long long)(hostile_cpu_ms(&daemon) - cpu),
			(long long)(world_now_ms() - begun));
	}
	end_workers(w);
	expect_unharmed(&scaling);
	expect_unharmed(&resting);
	expect_scaling(w, queries[0]);
	world_close_changed(&w);
}

Test(hostile_worker, a_hostile_worker_harms_its_own_pool_only, .timeout = 120)
{
	static const char *const queries[] = {"random=1000", "size",
		"wake=1000", "shout=5000000", "supervisor"};
	const size_t n = ARRAY_SIZE(queries);
	size_t i, step = hostile_size(n, 1);

	for (i = 0; i < n; i += step)
		attack(queries + i, step);
}
