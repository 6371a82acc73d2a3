/*
 * spoil.c - FastCGI: attacks the supervisor by the scoreboard, as QUERY_STRING
 * says
 *
 *	random=N	overwrites the whole board N times with random bytes
 *	supervisor	writes the supervisor's PID to every number of the board
 *	late=PID	every slot says that this process has an old request
 *	hide		marks the first slot as incomplete, and never answers
 *	fork=N		starts N children, which sleep as long as it lives
 *	zombie		starts a child that exits and is not reaped; also
 *			answers "child: N"
 *	flip=PID	without an end, every slot reports a new request that
 *			has run for long, now of its own, now of this process
 *	size		truncates and extends the board
 *	wake=MS		writes the eventfd as fast as it can
 *	shout=N		writes N bytes to stderr without a line end
 *
 * In every case it reads the whole body first, and answers "pid: N".
 */
#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fcgipm-board.h"

static int boardfd = -1, eventfd = -1;
static uint64_t *board;
static size_t words;
static pid_t child;		/* the last one */

static void
find_board(void)
{
	const char *fds = getenv("FCGIPM_BOARD");
	struct stat st;

	if (!fds || sscanf(fds, "%d:%d", &boardfd, &eventfd) != 2 ||
		fstat(boardfd, &st) < 0)
		exit(1);
	words = (size_t)st.st_size / sizeof(*board);
	board = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		MAP_SHARED, boardfd, 0);
	if (board == MAP_FAILED)
		exit(1);
}

static void
wake(void)
{
	const uint64_t one = 1;

	if (write(eventfd, &one, sizeof(one)) < 0)
		return;		/* The counter is full, so the supervisor is
				 * awake. */
}

static void
overwrite(unsigned long times)
{
	const struct timespec moment = {0, 500000};
	static uint64_t x = 88172645463325252U;
	size_t i;

	for (; times > 0; times--) {
		for (i = 0; i < words; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			board[i] = x;
		}
		/* Lets the supervisor inspect the workers. */
		wake();
		nanosleep(&moment, NULL);
	}
}

static void
name_supervisor(void)
{
	uint64_t pid = (uint64_t)getppid();
	size_t i;

	for (i = 0; i < words; i++)
		board[i] = pid << 32 | pid;
	wake();
}

static void
name_late(long pid, uint64_t start_ns)
{
	struct fcgipm_head *h = (void *)board;
	uint8_t *at = (uint8_t *)(h + 1);
	struct fcgipm_slot *s;
	struct fcgipm_cell *c;
	uint32_t i, j;

	for (i = 0; i < h->nslots + h->nspare; i++) {
		s = (void *)at;
		c = (void *)(s + 1);
		s->pid = (int32_t)pid;
		s->owner = 0;
		for (j = 0; j < h->cells; j++) {
			c[j].start = start_ns;
			c[j].state = FCGIPM_BUSY;
		}
		at = (uint8_t *)(c + h->cells);
	}
}

static void
hide(void)
{
	struct fcgipm_head *h = (void *)board;
	struct fcgipm_slot *s = (void *)(h + 1);

	s->flags |= FCGIPM_INCOMPLETE;
	for (;;)
		pause();
}

/* Forks without the connection, which a child would keep open. */
static void
start_children(long n)
{
	for (; n > 0; n--) {
		child = fork();
		if (child != 0)
			continue;
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
			close_range(3, ~0U, 0) < 0)
			_exit(1);
		for (;;)
			pause();
	}
}

static void
leave_zombie(void)
{
	siginfo_t si;

	child = fork();
	if (child == 0)
		_exit(0);
	while (waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT) < 0 &&
		errno == EINTR)
		continue;
}

static void
flip(long pid)
{
	struct timespec now;
	uint64_t ns;
	long i;

	for (i = 0;; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
		name_late(i % 2 ? pid : getpid(), ns - 5000000000U);
	}
}

static void
resize(void)
{
	if (ftruncate(boardfd, 0) < 0 && ftruncate(boardfd, 1) < 0 &&
		ftruncate(boardfd, 1 << 30) < 0)
		return;
	/* A shorter board would kill every process that has mapped it. */
	abort();
}

static void
wake_for(long ms)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000;
	do {
		wake();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || now.tv_nsec < end.tv_nsec);
}

static void
shout(long bytes)
{
	static char block[65536];
	ssize_t n;

	memset(block, 's', sizeof(block));
	for (; bytes > 0; bytes -= n)
		if ((n = write(2, block, sizeof(block))) <= 0)
			return;
}

static void
obey(const char *what, long n)
{
	if (strncmp(what, "random", 6) == 0)
		overwrite((unsigned long)n);
	else if (strcmp(what, "supervisor") == 0)
		name_supervisor();
	else if (strncmp(what, "late", 4) == 0)
		name_late(n, 1);
	else if (strcmp(what, "hide") == 0)
		hide();
	else if (strncmp(what, "fork", 4) == 0)
		start_children(n);
	else if (strcmp(what, "zombie") == 0)
		leave_zombie();
	else if (strncmp(what, "flip", 4) == 0)
		flip(n);
	else if (strcmp(what, "size") == 0)
		resize();
	else if (strncmp(what, "wake", 4) == 0)
		wake_for(n);
	else if (strncmp(what, "shout", 5) == 0)
		shout(n);
}

int
main(void)
{
	const char *query, *eq;
	FCGX_Request r;
	char bytes[4096];

	find_board();
	if (FCGX_Init() != 0 || FCGX_InitRequest(&r, 0, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&r) >= 0) {
		query = FCGX_GetParam("QUERY_STRING", r.envp);
		query = query ? query : "";
		while (FCGX_GetStr(bytes, sizeof(bytes), r.in) > 0)
			continue;
		eq = strchr(query, '=');
		obey(query, eq ? atol(eq + 1) : 0);
		FCGX_FPrintF(r.out, "Content-Type: text/plain\r\n\r\npid: %d\n"
			"child: %d\n", (int)getpid(), (int)child);
		FCGX_Finish_r(&r);
	}
	return 0;
}
