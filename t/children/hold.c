/*
 * hold.c - FastCGI: requests that stay until their client lets go
 *
 *	hold [THREADS]
 *
 * Each says at once when it came to its thread, in microseconds of
 * CLOCK_MONOTONIC, and ends with its body.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void
hold(FCGX_Request *r)
{
	struct timespec ts;
	char chunk[64];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	FCGX_FPrintF(r->out,
		"Content-Type: text/plain\r\n\r\npid: %d\nin: %ld\n",
		(int)getpid(), (long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	FCGX_FFlush(r->out);
	while (FCGX_GetStr(chunk, sizeof(chunk), r->in) > 0)
		continue;
	FCGX_FPrintF(r->out, "out\n");
}

static void *
serve(void *arg)
{
	FCGX_Request r;

	if (FCGX_InitRequest(&r, 0, 0) != 0)
		return arg;
	while (FCGX_Accept_r(&r) >= 0) {
		hold(&r);
		FCGX_Finish_r(&r);
	}
	return arg;
}

int
main(int argc, char **argv)
{
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	pthread_t thread;

	if (FCGX_Init() != 0)
		return 1;
	while (--n > 0)
		if (pthread_create(&thread, NULL, serve, NULL) != 0)
			return 1;
	serve(NULL);
	return 0;
}
