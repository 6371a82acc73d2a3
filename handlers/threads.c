/*
 * threads.c - answers several requests at once in one process
 *
 * Try: /prefork/threads?ms=200 with threads = 2 in the pool. /cgi/threads
 * answers one request and starts no thread.  Each thread accepts its own
 * connections, so the process never accepts one without a free thread.  On
 * SIGTERM, threads that wait for a connection exit at once; the others exit
 * after their answer.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256
#define ANSWER "Content-Type: text/plain\r\n\r\nslept: %ld ms\n"

static pthread_t threads[MAX_THREADS];
static atomic_int tids[MAX_THREADS]; /* gettid(2), 0 before the thread runs */
static atomic_int running;

/* Sleeps for ?ms=, at most a minute. */
static long
work(const char *query)
{
	long ms = query && strncmp(query, "ms=", 3) == 0
		? strtol(query + 3, NULL, 10)
		: 0;
	struct timespec left;

	ms = ms < 0 ? 0 : ms > 60000 ? 60000 : ms;
	left = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	while (nanosleep(&left, &left) < 0)
		;
	return ms;
}

static void *
run(void *arg)
{
	FCGX_Request r;

	atomic_store(&tids[(size_t)arg], (int)gettid());
	if (FCGX_InitRequest(&r, 0, 0) == 0)
		while (FCGX_Accept_r(&r) >= 0) {
			FCGX_FPrintF(r.out, ANSWER,
				work(FCGX_GetParam("QUERY_STRING", r.envp)));
			FCGX_Finish_r(&r);
		}
	atomic_fetch_sub(&running, 1);
	/* The first thread that exits, because the socket was shut down, stops
	 * main(). */
	kill(getpid(), SIGTERM);
	return NULL;
}

/* Returns whether a thread waits in accept(2), see proc(5); false if
 * unknown. */
static bool
is_accepting(int tid)
{
	char path[64];
	long nr = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%ld", &nr) != 1)
		nr = -1; /* "running" */
	fclose(f);
	return nr == SYS_accept || nr == SYS_accept4;
}

static void
wake(int signo)
{
	(void)signo;
}

/* Without SA_RESTART, accept() fails with EINTR.  So would a read, which
 * libfcgi takes for the end of the request: only threads in accept() are
 * woken. */
static void
stop(size_t count)
{
	struct timespec pause = {0, 5000000};
	size_t i;

	FCGX_ShutdownPending(); /* from here on no thread accepts again */
	while (atomic_load(&running) > 0) {
		for (i = 0; i < count; i++)
			if (is_accepting(atomic_load(&tids[i])))
				pthread_kill(threads[i], SIGUSR2);
		nanosleep(&pause, NULL);
	}
}

int
main(void)
{
	const char *n = getenv("FCGIPM_THREADS");
	size_t count = n ? strtoul(n, NULL, 10) : 1, i;
	struct sigaction sa = {.sa_handler = wake};
	sigset_t term;
	int signo;

	if (FCGX_IsCGI())
		return printf(ANSWER, work(getenv("QUERY_STRING"))) < 0;
	count = count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	if (FCGX_Init() != 0 || sigaction(SIGUSR2, &sa, NULL) < 0 ||
		pthread_sigmask(SIG_BLOCK, &term, NULL) != 0)
		return 1;
	atomic_store(&running, (int)count);
	for (i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)i) != 0)
			return 1;
	sigwait(&term, &signo);
	stop(count);
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
