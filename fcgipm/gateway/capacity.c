/*
 * capacity.c - limits connections, programs and large pipes; see capacity.h
 *
 * Owned by gateway/server, which stops accepting while capacity_is_crowded().
 * Called by gateway/conn, which counts connections, by gateway/request, which
 * claims places, and by gateway/body and gateway/answer for large pipes.
 */
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "gateway/capacity.h"

/* When CROWD or more connections shrink to a quarter, their memory is returned
 * to the system; again at a quarter of that, and so on until fewer than
 * CROWD_GONE are left. */
#define CROWD 64
#define CROWD_GONE 16
#define BIG_PIPES 32
#define BIG_PIPE_BYTES (1024 * 1024)
/* Descriptors of a running program without its connection, of one that exited
 * and whose answer waits to be sent, and of the start of a program. */
#define FDS_A_PROGRAM 3
#define FDS_A_LEFTOVER 2
#define FDS_TO_START 10

static void run_place(struct loop_task *task);
static void run_trim(struct loop_task *task);

int
capacity_init(struct capacity *cap, struct loop *loop, int fd, unsigned wanted)
{
	struct rlimit lim;
	unsigned left, used;
	int lowest = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	*cap = (struct capacity){.loop = loop, .place_task.run = run_place,
		.trim_task.run = run_trim};
	TAILQ_INIT(&cap->queue);
	if (lowest < 0 || getrlimit(RLIMIT_NOFILE, &lim) < 0) {
		fd_close(&lowest);
		return -1;
	}
	/* No descriptor above the lowest free one is open. */
	used = (unsigned)lowest + FDS_TO_START;
	fd_close(&lowest);
	left = (unsigned)MIN(lim.rlim_cur, (rlim_t)INT_MAX);
	left = left > used ? left - used : 0;
	cap->places = MIN(wanted, MAX(left / 2 / FDS_A_PROGRAM, 1U));
	cap->max_conns = left > cap->places * FDS_A_PROGRAM ?
		left - cap->places * FDS_A_PROGRAM : 1;
	if (cap->places < wanted)
		log_warning("limit of open files: allows %u programs at once "
			"instead of %u; raise it (LimitNOFILE=) or lower "
			"pm.max_children", cap->places, wanted);
	return 0;
}

/* Descriptors of connections, and of pipes of programs that were reaped. */
static unsigned
count_taken(const struct capacity *cap)
{
	return cap->conns + cap->leftovers * FDS_A_LEFTOVER;
}

bool
capacity_is_crowded(const struct capacity *cap)
{
	return count_taken(cap) >= cap->max_conns;
}

/* Is there a place for one more program? */
static bool
has_place(const struct capacity *cap)
{
	/* Leftovers of slow clients may use the descriptors of places. */
	return cap->running < cap->places &&
		(cap->leftovers == 0 ||
			count_taken(cap) + (cap->running + 1) * FDS_A_PROGRAM <=
				cap->max_conns + cap->places * FDS_A_PROGRAM);
}

bool
capacity_take_place(struct capacity *cap, struct capacity_claim *claim)
{
	if (has_place(cap) && TAILQ_EMPTY(&cap->queue)) {
		cap->running++;
		return true;
	}
	if (claim->waiting)
		BUG("a request claims two places");
	claim->waiting = true;
	cap->waiting++;
	TAILQ_INSERT_TAIL(&cap->queue, claim, link);
	cap->on_queue(cap);
	return false;
}

void
capacity_leave_queue(struct capacity *cap, struct capacity_claim *claim)
{
	if (!claim->waiting)
		return;
	claim->waiting = false;
	cap->waiting--;
	TAILQ_REMOVE(&cap->queue, claim, link);
	cap->on_queue(cap);
}

/* Starts waiting programs while there are places. */
static void
run_place(struct loop_task *task)
{
	struct capacity *cap = container_of(task, struct capacity, place_task);
	struct capacity_claim *claim;

	while ((claim = TAILQ_FIRST(&cap->queue)) && has_place(cap)) {
		capacity_leave_queue(cap, claim);
		cap->running++;
		claim->on_place(claim);
	}
}

void
capacity_free_place(struct capacity *cap)
{
	if (cap->running == 0)
		BUG("more places freed than taken");
	cap->running--;
	if (!TAILQ_EMPTY(&cap->queue))
		loop_defer(cap->loop, &cap->place_task);
}

bool
capacity_grow_pipe(struct capacity *cap, int fd)
{
	if (cap->big_pipes == BIG_PIPES ||
		fcntl(fd, F_SETPIPE_SZ, BIG_PIPE_BYTES) < 0)
		return false;
	cap->big_pipes++;
	return true;
}

void
capacity_lose_pipe(struct capacity *cap)
{
	if (cap->big_pipes == 0)
		BUG("more large pipes closed than enlarged");
	cap->big_pipes--;
}

void
capacity_add_leftover(struct capacity *cap)
{
	cap->leftovers++;
}

void
capacity_lose_leftover(struct capacity *cap)
{
	if (cap->leftovers == 0)
		BUG("more leftovers closed than counted");
	cap->leftovers--;
	capacity_something_ended(cap);
}

void
capacity_add_conn(struct capacity *cap)
{
	cap->conns++;
	cap->peak_conns = MAX(cap->peak_conns, cap->conns);
	cap->crowd |= cap->conns >= CROWD;
}

void
capacity_lose_conn(struct capacity *cap)
{
	if (cap->conns == 0)
		BUG("more connections closed than opened");
	cap->conns--;
	capacity_something_ended(cap);
}

/* free(3) keeps the small pieces that buffers of many connections leave. */
static void
run_trim(struct loop_task *task)
{
	(void)task;
	(void)malloc_trim(0);
}

static void
give_back_memory(struct capacity *cap)
{
	if (!cap->crowd || cap->conns > cap->peak_conns / 4)
		return;
	cap->peak_conns = cap->conns;
	cap->crowd = cap->conns >= CROWD_GONE;
	/* Deferred, as is freeing the connections that end now. */
	loop_defer(cap->loop, &cap->trim_task);
}

void
capacity_something_ended(struct capacity *cap)
{
	give_back_memory(cap);
	if (!TAILQ_EMPTY(&cap->queue))
		loop_defer(cap->loop, &cap->place_task);
	cap->on_end(cap);
}
