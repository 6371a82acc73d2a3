/*
 * threads.c - one process, several requests at once
 *
 * Try: /prefork/threads?ms=200 with threads = 2 in the pool.  Each thread
 * accepts for itself, so the process never takes a connection that no thread
 * is free for.  On TERM no thread accepts again, and each finishes what it
 * has.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256

static pthread_t threads[MAX_THREADS];
static atomic_bool accepting[MAX_THREADS];
static atomic_int running;

static void
serve(FCGX_Request *r)
{
	const char *query = FCGX_GetParam("QUERY_STRING", r->envp);
	long ms = query && strncmp(query, "ms=", 3) == 0 ?
		strtol(query + 3, NULL, 10) % 60001 : 0;
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (ms > 0 && nanosleep(&left, &left) < 0)
		;
	FCGX_FPrintF(r->out, "Content-Type: text/plain\r\n\r\n"
		"slept: %ld ms\n", ms);
}

static void *
run(void *arg)
{
	size_t me = (size_t)arg;
	FCGX_Request r;

	if (FCGX_InitRequest(&r, 0, 0) == 0)
		for (;;) {
			atomic_store(&accepting[me], true);
			if (FCGX_Accept_r(&r) < 0)
				break;
			atomic_store(&accepting[me], false);
			serve(&r);
			FCGX_Finish_r(&r);
		}
	atomic_fetch_sub(&running, 1);
	/* The last one to leave wakes main() if TERM never came. */
	kill(getpid(), SIGTERM);
	return NULL;
}

static void
wake(int signo)
{
	(void)signo;
}

int
main(void)
{
	const char *n = getenv("FCGIPM_THREADS");
	size_t count = n ? strtoul(n, NULL, 10) : 1, i;
	struct sigaction sa = {.sa_handler = wake}; /* accept() gets EINTR */
	struct timespec pause = {0, 5000000};
	sigset_t term;
	int signo;

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
	/* From here on accept() fails instead of being tried again. */
	FCGX_ShutdownPending();
	while (atomic_load(&running) > 0) {
		for (i = 0; i < count; i++)
			if (atomic_load(&accepting[i]))
				pthread_kill(threads[i], SIGUSR2);
		nanosleep(&pause, NULL);
	}
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
